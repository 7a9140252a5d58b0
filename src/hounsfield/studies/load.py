"""Study files: YAML in, a checked `Study` out. Every mistake is named at once, with the nearest right key.

A profile (quick, full) and `--set key=value` are applied to the YAML before it is checked, so that the resolved study,
which the run folder keeps, says everything that was done.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from hounsfield.core.errors import Problem, ProblemsError, StudyError
from hounsfield.core.registry import nearest
from hounsfield.studies.study import Study


def names() -> list[str]:
    """Names of the studies that come with the package."""
    return sorted(Path(item.name).stem for item in _folder().iterdir() if item.name.endswith(".yaml"))


def source(name_or_path: str) -> str:
    """The YAML text of a study: one of the package's by name, or a file of one's own by path."""
    path = Path(name_or_path)
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise StudyError(f"no study file '{path.name}' there. `hounsfield study list` names the package's own.")
        return path.read_text(encoding="utf-8")
    if name_or_path not in names():
        known = ", ".join(names())
        raise StudyError(
            f"no study named '{name_or_path}'.{nearest(name_or_path, names())} Known: {known}; "
            "or give the path of a .yaml file."
        )
    return str((_folder() / f"{name_or_path}.yaml").read_text(encoding="utf-8"))


def load(
    name_or_path: str,
    *,
    profile: str = "full",
    overrides: Sequence[str] = (),
    arms: Sequence[str] = (),
    seeds: Sequence[int] = (),
) -> Study:
    """A study resolved: its YAML, then the profile, then `key=value` overrides, then the choice of arms and seeds.

    Raises: ProblemsError naming every wrong key with the nearest right one; StudyError for an unknown study or profile.
    """
    try:
        document = yaml.safe_load(source(name_or_path))
    except yaml.YAMLError as error:
        raise StudyError(f"the study file is no valid YAML: {_first_line(error)}. Mind the indentation.") from error
    if not isinstance(document, dict):
        raise StudyError("the study file holds no keys; start from one that works: `hounsfield study show NAME`.")
    profiles = document.pop("profiles", None) or {"full": {}}
    if profile not in profiles:
        known = ", ".join(profiles)
        raise StudyError(f"no profile named '{profile}' in this study.{nearest(profile, profiles)} Known: {known}.")
    for key, value in (profiles[profile] or {}).items():
        _set(document, key, value)
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals:
            raise StudyError(f"--set takes key=value, for example training.classifier.epochs=30; got '{override}'.")
        _set(document, key.strip(), yaml.safe_load(value))
    if seeds:
        document["seeds"] = list(seeds)
    study = _checked(document)
    return choose_arms(study, arms) if arms else study


def choose_arms(study: Study, wanted: Sequence[str]) -> Study:
    """The study with the wanted arms only, those they are built on, and every trivial one."""
    unknown = [name for name in wanted if name not in study.arms]
    if unknown:
        hint = nearest(unknown[0], study.arms)
        raise StudyError(f"no arm named '{unknown[0]}' in this study.{hint} Known: {', '.join(study.arms)}.")
    keep = set(wanted) | {name for name, arm in study.arms.items() if arm.trivial}
    keep |= {study.arms[name].image for name in keep if study.arms[name].image}
    arms = {name: arm for name, arm in study.arms.items() if name in keep}
    comparisons = [pair for pair in study.comparisons if set(pair) <= keep]
    return study.model_copy(update={"arms": arms, "comparisons": comparisons})


def dump(study: Study) -> str:
    """The resolved study as YAML that `load` reads again."""
    return yaml.safe_dump(study.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=110)


def _checked(document: Mapping[str, Any]) -> Study:
    try:
        return Study.model_validate(document)
    except ValidationError as error:
        problems = []
        for item in error.errors():
            where = ".".join(str(part) for part in item["loc"]) or "study"
            what = item["msg"].removeprefix("Value error, ")
            remedy = ""
            if item["type"] == "extra_forbidden":
                what = "there is no such key."
                remedy = nearest(str(item["loc"][-1]), _keys_beside(item["loc"])).strip()
            problems.append(Problem(where, what, remedy))
        raise ProblemsError(f"the study file has {len(problems)} problem(s):", problems) from error


def _keys_beside(location: tuple[int | str, ...]) -> list[str]:
    """The keys that are allowed where an unknown one was found."""
    model: Any = Study
    for part in location[:-1]:
        field = getattr(model, "model_fields", {}).get(part)
        if field is not None:
            model = field.annotation
        inner = [kind for kind in getattr(model, "__args__", ()) if hasattr(kind, "model_fields")]
        model = inner[0] if inner else model
    return list(getattr(model, "model_fields", {}))


def _set(document: dict[str, Any], dotted: str, value: Any) -> None:
    """Puts `value` at a dotted key, making the keys on the way; a mapping is merged, anything else replaced."""
    *way, last = dotted.split(".")
    place = document
    for part in way:
        step = place.setdefault(part, {})
        if not isinstance(step, dict):
            raise StudyError(f"--set {dotted}: '{part}' holds a value, no keys.")
        place = step
    if isinstance(value, dict) and isinstance(place.get(last), dict):
        place[last] = copy.deepcopy(place[last]) | value
    else:
        place[last] = value


def _folder() -> Any:
    return resources.files("hounsfield.studies")


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:160]
