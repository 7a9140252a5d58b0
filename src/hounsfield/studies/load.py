"""Study files: YAML in, a checked `Study` out. Every mistake is named at once, with the nearest right key.

A profile (quick, full) and `--set key=value` are applied to the YAML before it is checked, so that the resolved study,
which the run folder keeps, says everything that was done.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from hounsfield.core.errors import Problem, ProblemsError, StudyError
from hounsfield.core.registry import nearest
from hounsfield.studies.rules import problems_of
from hounsfield.studies.study import Study

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same in C, where it is there: ten times as fast


def names() -> list[str]:
    """Names of the studies that come with the package."""
    return sorted(Path(item.name).stem for item in _folder().iterdir() if item.name.endswith(".yaml"))


def source(name_or_path: str) -> str:
    """The YAML text of a study: one of the package's by name, or a file of one's own by path."""
    path = Path(name_or_path)
    if path.suffix in (".yaml", ".yml"):
        try:
            return path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise StudyError(f"'{path.name}' is no text in UTF-8; save it as such from your editor.") from error
        except OSError as error:
            raise StudyError(
                f"there is no study file '{path.name}' to be read. `hounsfield study list` names the package's own."
            ) from error
    if name_or_path not in names():
        known = ", ".join(names())
        raise StudyError(
            f"no study named '{path.name}'.{nearest(name_or_path, names())} Known: {known}; "
            "or give the path of a .yaml file."
        )
    return str((_folder() / f"{name_or_path}.yaml").read_text(encoding="utf-8"))


def load(
    name_or_path: str,
    *,
    profile: str = "full",
    overrides: Sequence[str] = (),
    targets: Sequence[str] = (),
    arms: Sequence[str] = (),
    seeds: Sequence[int] = (),
) -> Study:
    """A study resolved: its YAML, the profile, `key=value` overrides, then the choice of targets, arms and seeds.

    Raises: ProblemsError naming every wrong key with the nearest right one; StudyError for an unknown study, profile,
        target or arm.
    """
    document = _yaml(source(name_or_path), "the study file is no valid YAML")
    if not isinstance(document, dict):
        raise StudyError("the study file holds no keys; start from one that works: `hounsfield study show NAME`.")
    for key, value in _profile(document, profile).items():
        _set(document, str(key), value)
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals:
            raise StudyError(f"--set takes key=value, for example training.classifier.epochs=30; got '{override}'.")
        _set(document, key.strip(), _yaml(text, f"--set {key.strip()}: the value is no valid YAML"))
    if seeds:
        document["seeds"] = list(seeds)
    return _checked(document, targets, arms)


def choose_targets(study: Study, wanted: Sequence[str]) -> Study:
    """The study with the wanted targets only; an optional one that is wanted is optional no more."""
    _require_known("target", wanted, study.targets)
    targets = {
        name: target.model_copy(update={"optional": False}) for name, target in study.targets.items() if name in wanted
    }
    anchors = [row for row in study.anchors if row.target in targets]
    return study.model_copy(update={"targets": targets, "anchors": anchors})


def choose_arms(study: Study, wanted: Sequence[str]) -> Study:
    """The study with the wanted arms only, those they are built on, and every trivial one."""
    _require_known("arm", wanted, study.arms)
    keep = set(wanted) | {name for name, arm in study.arms.items() if arm.trivial}
    keep |= {study.arms[name].image for name in keep if study.arms[name].image}
    arms = {name: arm for name, arm in study.arms.items() if name in keep}
    comparisons = [pair for pair in study.comparisons if set(pair) <= keep]
    anchors = [row for row in study.anchors if row.arm in keep]
    return study.model_copy(update={"arms": arms, "comparisons": comparisons, "anchors": anchors})


def require_sound(study: Study) -> None:
    """Raises: ProblemsError naming every part of the study that does not fit the others."""
    problems = problems_of(study)
    if problems:
        raise ProblemsError(f"the study has {len(problems)} problem(s):", problems)


def dump(study: Study) -> str:
    """The resolved study as YAML that `load` reads again."""
    return yaml.safe_dump(study.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=110)


def _require_known(kind: str, wanted: Sequence[str], known: Iterable[str]) -> None:
    known = list(known)
    for name in wanted:
        if name not in known:
            raise StudyError(
                f"no {kind} named '{name}' in this study.{nearest(name, known)} Known: {', '.join(known)}."
            )


def _yaml(text: str, complaint: str) -> Any:
    try:
        return yaml.load(text, Loader=_LOADER)  # a safe loader: no tag makes an object of Python's own
    except (yaml.YAMLError, RecursionError) as error:
        raise StudyError(
            f"{complaint}: {' '.join(str(error).split())[:160]}. Mind indentation and brackets."
        ) from error


def _profile(document: dict[str, Any], wanted: str) -> Mapping[Any, Any]:
    """The changes of a profile; `profiles` is taken out of the document."""
    profiles = document.pop("profiles", None) or {"full": {}}
    if not isinstance(profiles, dict) or not all(isinstance(one or {}, dict) for one in profiles.values()):
        raise StudyError("profiles: give each profile a name and, below it, the keys it changes.")
    _require_known("profile", [wanted], map(str, profiles))
    return profiles[wanted] or {}


def _checked(document: Mapping[str, Any], targets: Sequence[str], arms: Sequence[str]) -> Study:
    """The document as a study; ProblemsError names all mistakes of keys and values, and of parts that don't fit.

    What is not chosen need not fit: a study of arms that see no lungs can do without lungs.
    """
    study: Study | None
    problems: list[Problem] = []
    try:
        study = Study.model_validate(document)
        study = choose_targets(study, targets) if targets else study
        study = choose_arms(study, arms) if arms else study
    except ValidationError as error:
        problems = [_problem(item) for item in error.errors()]
        study = _without(document, [item["loc"] for item in error.errors() if item["type"] == "extra_forbidden"])
    problems += problems_of(study) if study is not None else []
    if problems or study is None:
        raise ProblemsError(f"the study file has {len(problems)} problem(s):", problems)
    return study


def _problem(item: Any) -> Problem:
    where = ".".join(str(part) for part in item["loc"]) or "study"
    if item["type"] == "extra_forbidden":
        return Problem(where, "there is no such key.", nearest(str(item["loc"][-1]), _keys_beside(item["loc"])).strip())
    return Problem(where, item["msg"].removeprefix("Value error, "))


def _without(document: Mapping[str, Any], locations: Sequence[tuple[int | str, ...]]) -> Study | None:
    """The study without its unknown keys, so that the mistakes of the rest can be named too; None if it still fails."""
    rest = copy.deepcopy(dict(document))
    for *way, last in locations:
        place: Any = rest
        for part in way:
            place = place[part]
        del place[last]
    try:
        return Study.model_validate(rest)
    except ValidationError:
        return None


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
        if place.get(part) is None:
            place[part] = {}
        if not isinstance(place[part], dict):
            raise StudyError(f"{dotted}: '{part}' holds a value, no keys; `hounsfield study show NAME` shows the keys.")
        place = place[part]
    if isinstance(value, dict) and isinstance(place.get(last), dict):
        place[last] = copy.deepcopy(place[last]) | value
    else:
        place[last] = value


def _folder() -> Any:
    return resources.files("hounsfield.studies")
