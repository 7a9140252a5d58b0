"""Features of many cases. In: cases, settings, a cache folder; out: a table with a row a case, the reasons for what is
missing in it, and the cases set aside.

Cases go through `core.engine.each`; those that share an image are measured together, so that it is read once. With a
cache each case is kept on disk as soon as it is measured, and a run that was killed goes on where it stopped.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.core.content import sha256_of
from hounsfield.core.engine import each
from hounsfield.core.errors import HounsfieldError, MaskError, Problem, ProblemsError
from hounsfield.core.progress import Progress, silent
from hounsfield.core.types import AnyArray
from hounsfield.data.cache import content_digest
from hounsfield.radiomics.config import RadiomicsConfig
from hounsfield.radiomics.entries import VERSION, Entry, load, store
from hounsfield.radiomics.extract import Features, features
from hounsfield.radiomics.perturb import VERSION as CHANGES
from hounsfield.radiomics.perturb import Perturbation, perturbed
from hounsfield.radiomics.sets import catalogue, names_of
from hounsfield.radiomics.shells import names_of_shells, shells
from hounsfield.volume.read import read_mask, read_volume

if TYPE_CHECKING:
    import pandas as pd

    from hounsfield.tables.cases import Case, Cases


@dataclass(frozen=True)
class Measurement:
    """What is measured of each case.

    Attributes:
        names: a set of `sets.SETS`, or feature names.
        shells_mm: widths of shells round the lesion, see `shells.shells`; their features carry the shell's name in
            front and leave shape out.
        change: done to each lesion first, see `perturb`; `seed` decides its noise.
    """

    config: RadiomicsConfig = field(default_factory=RadiomicsConfig)
    names: str | tuple[str, ...] = "standard107"
    shells_mm: tuple[float, ...] = ()
    change: Perturbation | None = None
    seed: int = 0

    def columns(self) -> tuple[str, ...]:
        """Names of the columns of features, in order."""
        names = names_of(self.names)
        inner = [name for name in names if catalogue()[name].family != "shape"]
        outer = [f"{shell}_{name}" for shell in names_of_shells(self.shells_mm) for name in inner]
        return (*names, *outer)


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """Measured cases.

    Attributes:
        frame: case_id, patient_id, voxels (of the lesion after processing) and a column a feature, NaN where missing.
        missing: case_id, feature, reason: a row for each NaN.
        set_aside: one Problem for each case that could not be measured, naming it.
    """

    frame: pd.DataFrame
    missing: pd.DataFrame
    set_aside: tuple[Problem, ...]


class SetAside(UserWarning):
    """Some cases could not be measured and are not in the table."""


def feature_table(
    cases: Cases | Iterable[Case],
    measurement: Measurement | None = None,
    *,
    cache: Path | None = None,
    workers: int = 0,
    engine: str = "local",
    progress: Progress = silent,
) -> pd.DataFrame:
    """The table of `measure_cases` alone; a `SetAside` warning names the cases that are not in it.

    Raises: ProblemsError when no case could be measured.
    """
    found = measure_cases(cases, measurement, cache=cache, workers=workers, engine=engine, progress=progress)
    if found.set_aside and found.frame.empty:
        raise ProblemsError("no case could be measured:", found.set_aside[:20])
    if found.set_aside:
        text = "\n".join(str(problem) for problem in found.set_aside[:20])
        warnings.warn(f"{len(found.set_aside)} case(s) set aside:\n{text}", SetAside, stacklevel=2)
    return found.frame


def measure_cases(
    cases: Cases | Iterable[Case],
    measurement: Measurement | None = None,
    *,
    cache: Path | None = None,
    workers: int = 0,
    engine: str = "local",
    progress: Progress = silent,
) -> FeatureTable:
    """Measures `cases`, in parallel, from `cache` where possible.

    Args:
        cache: folder of entries; made when absent, shared by any number of runs. None keeps nothing.
        workers, engine, progress: as in `core.engine.each`.
    Raises: RunError when the cache can't be written; HounsfieldError for an unknown feature. A case that can't be
        measured raises nothing: it is in `set_aside`.
    """
    wanted = measurement or Measurement()
    wanted.columns()  # an unknown name is said before any file is read
    rows = rows_of(cases)
    groups: dict[tuple[Path, str | None], list[int]] = {}
    for number, case in enumerate(rows):
        groups.setdefault((case.image, case.series_uid), []).append(number)
    tasks = [
        _Task(image, uid, tuple((rows[n].case_id, rows[n].mask) for n in members), wanted, cache)
        for (image, uid), members in groups.items()
    ]
    results = each(_run, tasks, workers=workers, engine=engine, progress=progress, label="measuring cases")
    found: dict[int, Entry | Problem] = {}
    for members, entries in zip(groups.values(), results, strict=True):
        found |= dict(zip(members, entries, strict=True))
    return _assemble(rows, [found[number] for number in range(len(rows))], wanted)


def rows_of(cases: Cases | Iterable[Case]) -> list[Case]:
    """The cases of a table, or of any other source of them, as a list."""
    from hounsfield.tables.cases import Cases  # loads pandas, which worker processes need not

    return cases.cases() if isinstance(cases, Cases) else list(cases)


@dataclass(frozen=True)
class _Task:
    """Cases of one image: case_id and mask of each. No `Case` travels to the workers: it would load pandas there."""

    image: Path
    series_uid: str | None
    members: tuple[tuple[str, Path | None], ...]
    measurement: Measurement
    cache: Path | None


def _run(task: _Task) -> list[Entry | Problem]:
    """Measures the cases of one image; runs in a worker process."""
    image, digest = None, ""
    results: list[Entry | Problem] = []
    for case_id, mask_path in task.members:
        try:
            if mask_path is None:
                raise MaskError("there is no mask, and features are those of a marked lesion. Add its mask.")
            digest = digest or content_digest(task.image)
            key = _key(task, digest, content_digest(mask_path))
            entry = load(task.cache, key) if task.cache else None
            fresh = entry is None
            if entry is None:
                image = image or read_volume(task.image, series_uid=task.series_uid)
                mask = read_mask(mask_path, like=image)
                entry = _measure(image.array, mask.array, image.spacing_mm, task.measurement, key)
        except Exception as error:  # whatever a damaged file makes a reader raise, the other cases go on
            results.append(_problem(case_id, error))
            continue
        if fresh and task.cache:
            store(task.cache, key, entry)  # outside the try: a full disk ends the run, it is no fault of the case
        results.append(entry)
    return results


def _measure(
    image: AnyArray, mask: AnyArray, spacing_mm: tuple[float, float, float], wanted: Measurement, key: str
) -> Entry:
    if wanted.change is not None:
        rng = np.random.default_rng([wanted.seed, int(key[:12], 16)])  # by content: any order gives the same noise
        image, mask = perturbed(image, mask, spacing_mm=spacing_mm, change=wanted.change, rng=rng)
    names = names_of(wanted.names)
    found = features(image, mask, spacing_mm=spacing_mm, config=wanted.config, names=names)
    values, missing = dict(found.values), dict(found.missing)
    voxels = {} if found.voxels is None else {"voxels": found.voxels}
    inner = tuple(name for name in names if catalogue()[name].family != "shape")
    rings = shells(mask, spacing_mm=spacing_mm, widths_mm=wanted.shells_mm) if inner else []
    for name, ring in zip(names_of_shells(wanted.shells_mm), rings, strict=False):
        part = _of_shell(image, ring, spacing_mm, wanted.config, inner)
        values |= {f"{name}_{key}": value for key, value in part.values.items()}
        missing |= {f"{name}_{key}": text for key, text in part.missing.items()}
        voxels[f"{name}_voxels"] = part.voxels or 0
    return Entry(values, missing, voxels)


def _of_shell(
    image: AnyArray,
    ring: AnyArray,
    spacing_mm: tuple[float, float, float],
    config: RadiomicsConfig,
    names: Sequence[str],
) -> Features:
    """A shell may lie outside of the image altogether; its features are then missing, and the lesion's stand."""
    if not ring.any():
        text = "the shell lies outside of the image"
        return Features(dict.fromkeys(names, float("nan")), dict.fromkeys(names, text), 0)
    return features(image, ring, spacing_mm=spacing_mm, config=config, names=names)


def _key(task: _Task, image: str, mask: str) -> str:
    wanted = task.measurement
    idle = wanted.change is None or wanted.change.does_nothing
    change = None if idle or wanted.change is None else {"version": CHANGES, **wanted.change.model_dump(mode="json")}
    return sha256_of(
        {
            "version": VERSION,
            "image": image,
            "mask": mask,
            "series_uid": task.series_uid,
            "config": wanted.config.model_dump(mode="json"),
            "names": list(names_of(wanted.names)),
            "shells_mm": [float(width) for width in wanted.shells_mm],
            "change": change,
            "seed": wanted.seed if change is not None else None,
        }
    )


def _problem(case_id: str, error: Exception) -> Problem:
    if isinstance(error, HounsfieldError):
        return Problem(f"case {case_id}", str(error))
    if isinstance(error, FileNotFoundError):
        name = Path(str(error.filename)).name
        return Problem(f"case {case_id}", f"{name}: no such file.", "Correct the path in the table.")
    what = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
    return Problem(f"case {case_id}", f"its files can't be read ({what}).", "Run `hounsfield check` on the table.")


def _assemble(cases: Sequence[Case], results: Sequence[Entry | Problem], wanted: Measurement) -> FeatureTable:
    import pandas as pd  # half a second that worker processes need not spend

    good = [(case, entry) for case, entry in zip(cases, results, strict=True) if isinstance(entry, Entry)]
    counts = list(dict.fromkeys(name for _, entry in good for name in entry.voxels))
    columns: dict[str, list[object]] = {
        "case_id": [case.case_id for case, _ in good],
        "patient_id": [case.patient_id for case, _ in good],
    }
    columns |= {name: [entry.voxels.get(name) for _, entry in good] for name in counts}
    columns |= {name: [entry.values[name] for _, entry in good] for name in wanted.columns()}
    gaps = [(case.case_id, name, text) for case, entry in good for name, text in entry.missing.items()]
    aside = tuple(problem for problem in results if isinstance(problem, Problem))
    return FeatureTable(pd.DataFrame(columns), pd.DataFrame(gaps, columns=["case_id", "feature", "reason"]), aside)
