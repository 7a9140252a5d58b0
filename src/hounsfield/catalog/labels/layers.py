"""Rule files and what they stand on: the files they include, the file they extend. In: a path. Out: one plain mapping.

include: [words.yaml]     lists, conditions and labels of files beside it, put before its own
extends: radnet           the shipped rules, or a file beside it, with these changes:
  words: {flair: {add: [ZIR], remove: [SPCIR]}}     a plain list takes the place of the one there
  conditions: {breast: ...}                         takes the place of the one there, or is new
  labels: {contrast: {rules: [...], remove: [...]}} rules are tried before the others; one with the name of a rule
                                                    that is there takes its place; values are added
  exclusions: [{reason: stir, rules: [...], remove: [...]}]   the same; a new reason comes last, or `before` another
  remarks: {rules: [...], remove: [...]}            the same
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from hounsfield.core.errors import Problem
from hounsfield.core.registry import nearest

SHIPPED = Path(__file__).parent / "rules"
PARTS = ("words", "conditions", "labels")
_LAYERS = 8  # files that extend each other; more is a circle
_DEPTH = 64  # brackets within brackets; the shipped rules need a dozen
# The safe loader in either case; the one in C is ten times as fast.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def merged(path: Path, problems: list[Problem], *, layers: int = 0) -> dict[str, Any]:
    """The content of a rule file as one mapping without `include` and `extends`; faults are added to `problems`."""
    content = _included(path, problems)
    base = content.pop("extends", None)
    if base is None:
        return content
    below = SHIPPED / f"{base}.yaml"
    if not isinstance(base, str) or Path(base).name != base:
        problems.append(Problem("extends", "it is no name.", "Write extends: radnet, or the name of a file beside it."))
        return content
    if base.endswith((".yaml", ".yml")):
        below = path.parent / base
    elif not below.is_file():
        known = [one.stem for one in SHIPPED.glob("*.yaml")]
        problems.append(Problem("extends", f"no rules '{base}' ship with the package.{nearest(base, known)}"))
        return content
    if layers >= _LAYERS:
        problems.append(Problem("extends", f"more than {_LAYERS} files extend each other; probably in a circle."))
        return content
    return _layered(merged(below, problems, layers=layers + 1), content, problems)


def _load(path: Path, problems: list[Problem]) -> dict[str, Any]:
    """The mapping in one file.

    Aliases are refused, since a few lines of them can stand for billions of rules; and so is what is nested so deeply
    that building it would end the process.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        fault = _fault(text)
        content: Any = {} if fault else yaml.load(text, Loader=_Loader)  # a safe loader: plain types only
    except OSError:
        problems.append(Problem("file", f"there is no readable file {path.name}.", "Other files lie beside it."))
        return {}
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        problems.append(Problem("file", f"{path.name} is no readable YAML ({' '.join(str(error).split())[:160]})."))
        return {}
    if fault:
        problems.append(fault)
    elif not isinstance(content, dict):
        problems.append(Problem("file", f"{path.name} holds no mapping.", "It begins with `name:`."))
    return content if isinstance(content, dict) else {}


def _fault(text: str) -> Problem | None:
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            return Problem("file", "it uses a YAML alias (*name).", "Name the condition and `use` it.")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEPTH:
            return Problem("file", f"it is nested more than {_DEPTH} deep.", "Name parts of it under `conditions`.")
    return None


def _included(path: Path, problems: list[Problem]) -> dict[str, Any]:
    """The file's content with that of its included files put before it."""
    content = _load(path, problems)
    included = content.pop("include", [])
    if not isinstance(included, list) or not all(isinstance(name, str) for name in included):
        problems.append(Problem("include", "it is no list of file names.", "Write include: [kinds.yaml]."))
        included = []
    for name in reversed(included):
        if Path(name).name != name:
            problems.append(Problem(f"include / {name}", "it lies in another folder.", "Put it beside the file."))
            continue
        other = _load(path.parent / name, problems)
        for key in [key for key in other if key not in PARTS]:
            problems.append(Problem(f"{name} / {key}", "an included file has words, conditions and labels only."))
        for part in PARTS:
            content[part] = _joined(name, part, other.get(part) or {}, content.get(part) or {}, problems)
    return content


def _joined(name: str, part: str, first: Any, second: Any, problems: list[Problem]) -> Any:
    if not isinstance(first, Mapping) or not isinstance(second, Mapping):
        return second if isinstance(first, Mapping) else first
    for key in first.keys() & second.keys():
        problems.append(Problem(f"{part} / {key}", f"{name} has it too.", "Give one of them another name."))
    return {**first, **second}


def _layered(below: dict[str, Any], above: dict[str, Any], problems: list[Problem]) -> dict[str, Any]:
    """`below` with the changes of `above`; what has an odd shape is passed on, and the check of the whole complains."""
    content = {**below, **{name: part for name, part in above.items() if part is not None}}
    for part in PARTS:
        first, second = below.get(part) or {}, above.get(part) or {}
        if not isinstance(first, Mapping) or not isinstance(second, Mapping):
            continue
        content[part] = {**first, **second}
        for name in first.keys() & second.keys():
            where = f"{part} / {name}"
            if part == "words":
                content[part][name] = _words(where, first[name], second[name], problems)
            elif part == "labels":
                content[part][name] = _rules(where, first[name], second[name], problems)
    if isinstance(below.get("exclusions"), list) and isinstance(above.get("exclusions"), list):
        content["exclusions"] = _exclusions(below["exclusions"], above["exclusions"], problems)
    if isinstance(below.get("remarks"), list) and isinstance(above.get("remarks"), Mapping):
        changed = _rules("remarks", {"rules": below["remarks"]}, above["remarks"], problems)
        content["remarks"] = changed["rules"]
    return content


def _words(where: str, first: Any, second: Any, problems: list[Problem]) -> Any:
    if not isinstance(second, Mapping) or not isinstance(first, list) or not set(second) <= {"add", "remove"}:
        return second
    added, removed = second.get("add") or [], second.get("remove") or []
    if not isinstance(added, list) or not isinstance(removed, list):
        return second
    _absent(where, removed, first, problems)
    return [*(word for word in first if word not in removed), *added]


def _rules(where: str, first: Any, second: Any, problems: list[Problem]) -> Any:
    """A label or a reason with its rules changed: own ones first, or in the place of one with the same name."""
    if not isinstance(first, Mapping) or not isinstance(second, Mapping):
        return second
    own, there = second.get("rules") or [], first.get("rules") or []
    removed = second.get("remove") or []
    if not all(isinstance(part, list) for part in (own, there, removed)):
        return {**first, **second}
    known = [_name(rule) for rule in there]
    _absent(where, removed, known, problems)
    instead = {_name(rule): rule for rule in own if _name(rule) in known}
    kept = [instead.get(_name(rule), rule) for rule in there if _name(rule) not in removed]
    content = {**first, **second, "rules": [*(rule for rule in own if _name(rule) not in known), *kept]}
    content.pop("remove", None)
    values, more = first.get("values"), second.get("values")
    if isinstance(values, list) and isinstance(more, list):
        content["values"] = [*values, *(one for one in more if one not in values)]
    return content


def _exclusions(first: list[Any], second: list[Any], problems: list[Problem]) -> list[Any]:
    found = list(first)
    for own in second:
        reasons = [one.get("reason") if isinstance(one, Mapping) else None for one in found]
        if not isinstance(own, Mapping):
            found.append(own)
        elif own.get("reason") in reasons:
            found = _changed_reason(found, own, problems)
        else:
            before = own.get("before")
            if before is not None:
                _absent(
                    f"exclusions / {own.get('reason')} / before", [before], [one for one in reasons if one], problems
                )
            place = reasons.index(before) if before in reasons else len(found)
            found.insert(place, {key: value for key, value in own.items() if key != "before"})
    there = [one.get("reason") for one in first if isinstance(one, Mapping)]
    emptied = [one for one in found if isinstance(one, Mapping) and one.get("rules") == [] and one["reason"] in there]
    return [one for one in found if one not in emptied]


def _changed_reason(found: list[Any], own: Mapping[str, Any], problems: list[Problem]) -> list[Any]:
    """A reason may stand at several places: new rules go to the first, all others where their names are."""
    spots = [n for n, one in enumerate(found) if isinstance(one, Mapping) and one.get("reason") == own["reason"]]
    names = {spot: [_name(rule) for rule in found[spot].get("rules") or []] for spot in spots}
    known = [name for each in names.values() for name in each]
    removed = own.get("remove") or []
    if not isinstance(removed, list) or not isinstance(own.get("rules") or [], list):
        return [*found, own]
    _absent(f"exclusions / {own['reason']}", removed, known, problems)
    changed = list(found)
    for spot in spots:
        rules = [
            rule
            for rule in own.get("rules") or []
            if _name(rule) in names[spot] or (spot == spots[0] and _name(rule) not in known)
        ]
        mine = {**own, "rules": rules, "remove": [name for name in removed if name in names[spot]]}
        changed[spot] = _rules("exclusions", found[spot], mine, problems)
    return changed


def _name(rule: Any) -> Any:
    return rule.get("name") if isinstance(rule, Mapping) else None


def _absent(where: str, names: Iterable[Any], known: Iterable[Any], problems: list[Problem]) -> None:
    there = [str(one) for one in known]
    for name in names:
        if str(name) not in there:
            problems.append(Problem(where, f"there is no '{name}' to change.", nearest(str(name), there).strip()))
