"""A run folder belongs to one study on one set of cases: what it was begun with is written down and compared.

In: the folder, the study, the cohort; out: study.yaml, splits.csv, features.parquet and manifest.json, or a RunError
that names the difference.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from hounsfield.core.atomic import atomic_file, write_json, write_text
from hounsfield.core.errors import RunError
from hounsfield.core.manifest import environment
from hounsfield.studies.cohort import Cohort
from hounsfield.studies.load import dump
from hounsfield.studies.piece_files import read_json
from hounsfield.studies.study import Study

# Keys of a study and of an arm that show in the report and change no prediction.
_SHOWN = frozenset(
    [
        "title",
        "description",
        "trivial",
        "question",
        "citation",
        "flaws",
        "comparisons",
        "anchors",
        "anchors_note",
        "bootstrap",
        "subgroups",
    ]
)
MANIFEST = "manifest.json"  # written last: from then on the folder is bound to its study and cases


def claim(out: Path, study: Study) -> None:
    """The folder is this run's: new, or begun by the same resolved study; words that the report shows may differ.

    Raises: RunError naming the first difference, or when the folder holds something else.
    """
    file, text = out / "study.yaml", dump(study)
    if file.is_file():
        before = file.read_text(encoding="utf-8")
        if before == text:
            return
        other = difference(before, text)
        if (out / MANIFEST).is_file() and other:
            raise RunError(
                f"'{out.name}' holds a run of another study or with other settings ({other}). "
                "Give a new --out, or the settings it was begun with."
            )
    elif out.exists() and not (out.is_dir() and all(item.name.startswith(".") for item in out.iterdir())):
        # Hidden files are what a second process with other --folds is writing there at this moment.
        raise RunError(f"'{out.name}' is not empty and holds no run; give a new folder as --out.")
    write_text(file, text)


def difference(before: str, now: str) -> str:
    """The first key that decides a result and in which two resolved studies differ, in words; empty when none does."""
    try:
        one, other = (_deciding(yaml.safe_load(text)) for text in (before, now))
    except (yaml.YAMLError, AttributeError, KeyError):
        return "its study.yaml is damaged"
    return "" if one == other else _differ(one, other, "")


def _deciding(document: dict[str, Any]) -> dict[str, Any]:
    """A study without what only the report shows: a better title is no reason to train again."""
    kept = {key: value for key, value in document.items() if key not in _SHOWN}
    arms = {
        name: {key: value for key, value in arm.items() if key not in _SHOWN} for name, arm in document["arms"].items()
    }
    # The first target is the one by which a split is stratified, unless the study names a column.
    return kept | {"arms": arms, "order of targets": list(document["targets"])}


def _differ(before: Any, now: Any, place: str) -> str:
    if isinstance(before, dict) and isinstance(now, dict):
        for key in dict.fromkeys([*before, *now]):
            inner = f"{place}.{key}".lstrip(".")
            if key not in before or key not in now:
                return f"{inner} is {'new' if key in now else 'gone'}"
            if before[key] != now[key]:
                return _differ(before[key], now[key], inner)
    return f"{place} was {str(before)[:80]}, is {str(now)[:80]}"


def write_down(out: Path, study: Study, cohort: Cohort) -> None:
    """Writes manifest, splits and features, or compares them with what is there.

    Raises: RunError when cases, images, masks, patients or features have changed since the run was begun.
    """
    manifest = {
        "study": study.name,
        "seeds": study.seeds,
        "cases": len(cohort.cases),
        "patients": len(set(cohort.patient_id)),
        "data": cohort.fingerprint(),
        "environment": environment(),
    }
    if (out / MANIFEST).is_file():
        changed = _changed(out, manifest["data"], cohort)
        if changed:
            raise RunError(
                f"{changed} changed since '{out.name}' was begun; what it holds belongs to the old ones. "
                "Give a new --out."
            )
        return
    with atomic_file(out / "splits.csv") as path:
        path.write_text(_split_text(cohort), encoding="utf-8")
    with atomic_file(out / "features.parquet") as path:
        cohort.prepared.features.to_parquet(path, index=False)
    write_json(out / MANIFEST, manifest)


def _changed(out: Path, data: Any, cohort: Cohort) -> str:
    """What is not as it was, or an empty text."""
    if read_json(out / MANIFEST).get("data") != data:
        return "the cases, images, masks or labels have"
    splits = out / "splits.csv"
    if splits.is_file() and splits.read_text(encoding="utf-8") != _split_text(cohort):
        return "the patients of the cases, or the way they are split, have"
    features = out / "features.parquet"
    if features.is_file() and not _same(pd.read_parquet(features), cohort.prepared.features):
        return "the images or masks outside of the cubes have"
    return ""


def _same(before: pd.DataFrame, now: pd.DataFrame) -> bool:
    """Whether the features measured then are measured now, with the same values; further ones may have come."""
    known = [name for name in before.columns if name != "pixel_digest"]
    return set(known) <= set(now.columns) and before[known].equals(now[known])


def _split_text(cohort: Cohort) -> str:
    return str(cohort.split.to_csv(index=False, lineterminator="\n"))
