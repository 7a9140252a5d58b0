"""Rules that turn headers into labels and exclusions, as data. In: a YAML file. Out: frozen, checked `Rules`.

The rules of the published label extraction ship beside this file (`rules/radnet.yaml`); a user's own file extends them.
Everything that is wrong in a file is said at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hounsfield.catalog.labels.conditions import COLUMNS, Condition
from hounsfield.catalog.labels.layers import PARTS, SHIPPED, merged
from hounsfield.core.errors import Problem, ProblemsError
from hounsfield.core.registry import nearest

RADNET = SHIPPED / "radnet.yaml"
UNKNOWN = "unknown"
NO_RULE = "no-rule-matched"
_NAME = re.compile(r"[a-z][a-z0-9_-]*")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Rule(_Part):
    """A named condition; `needs` lists columns without which it must stay silent where a source has none of them."""

    name: str = Field(pattern=f"^{_NAME.pattern}$")
    when: Condition
    needs: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _known_columns(self) -> Self:
        unknown = [name for name in self.needs if name not in COLUMNS]
        wrong = [f"`series` has no column '{name}'.{nearest(name, COLUMNS)}" for name in unknown]
        if wrong:
            raise ValueError(" ".join(wrong))
        return self


class LabelRule(Rule):
    """A rule that gives a label its value: a text, several of them, or the number in a column."""

    value: str | tuple[str, ...] | None = None
    value_from: str | None = None

    @model_validator(mode="after")
    def _one_value(self) -> Self:
        if (self.value is None) == (self.value_from is None):
            raise ValueError("give either value or value_from.")
        if self.value_from is not None and self.value_from not in COLUMNS:
            raise ValueError(f"`series` has no column '{self.value_from}'.{nearest(self.value_from, COLUMNS)}")
        return self

    @property
    def text(self) -> str:
        """The value as it stands in the table; several are joined by ';'."""
        return ";".join(self.value) if isinstance(self.value, tuple) else self.value or ""


class Label(_Part):
    """A label and its rules, the first that matches gives the value; `unknown` where none does.

    Attributes:
        values: what the rules can say; empty where it is a number.
        several: whether any number of the values can hold at once (`none` where none of them does).
    """

    values: tuple[str, ...] = ()
    several: bool = False
    rules: tuple[LabelRule, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        known = {*self.values, UNKNOWN, *(("none",) if self.several else ())}
        wrong = []
        for rule in self.rules:
            given = rule.value if isinstance(rule.value, tuple) else () if rule.value is None else (rule.value,)
            if len(given) > 1 and not self.several:
                wrong.append(f"rule {rule.name} gives {len(given)} values; only a label with several: true takes them.")
            wrong += [f"rule {rule.name} gives '{one}'.{nearest(one, known)}" for one in given if one not in known]
        if wrong:
            raise ValueError(" ".join([*wrong, f"Values: {', '.join(sorted(known))}."]))
        return self

    @property
    def texts(self) -> tuple[str, ...]:
        """Value of each rule in order, and `unknown` at the end for none of them."""
        return (*(rule.text for rule in self.rules), UNKNOWN)


class Exclusion(_Part):
    """A reason to leave a series out; it applies when any of its rules does."""

    reason: str = Field(pattern=f"^{_NAME.pattern}$")
    rules: tuple[Rule, ...] = Field(min_length=1)


class Remark(Rule):
    """A rule for what deserves a look though it changes no label: the words of it, and what to do."""

    what: str = Field(min_length=1)
    remedy: str = ""


class Rules(_Part):
    """Labels and exclusions, both in the order in which they are tried, and remarks."""

    name: str
    source: str = ""
    words: dict[str, tuple[str, ...]] = {}
    conditions: dict[str, Condition] = {}
    labels: dict[str, Label] = Field(min_length=1)
    exclusions: tuple[Exclusion, ...] = ()
    remarks: tuple[Remark, ...] = ()

    def all_rules(self) -> Iterator[tuple[str, Rule]]:
        """(where it stands, rule) of every rule in order."""
        for label, content in self.labels.items():
            yield from ((f"labels / {label}", rule) for rule in content.rules)
        for exclusion in self.exclusions:
            yield from ((f"exclusions / {exclusion.reason}", rule) for rule in exclusion.rules)
        yield from (("remarks", rule) for rule in self.remarks)

    def mentions(self) -> dict[tuple[str, str], frozenset[tuple[str, str]]]:
        """What each condition (`use`, name) and each label (`label`, name) refers to."""
        found = {("use", name): condition.mentioned() for name, condition in self.conditions.items()}
        for name, label in self.labels.items():
            found["label", name] = frozenset().union(*(rule.when.mentioned() for rule in label.rules))
        return found

    def levels(self) -> list[list[tuple[str, str]]]:
        """Conditions and labels in the order in which they can be computed: each level needs earlier ones only.

        Raises: ValueError when they go round in a circle, naming those that do.
        """
        left, done = self.mentions(), set[tuple[str, str]]()
        found = []
        while left:
            ready = [one for one, others in left.items() if others <= done]
            if not ready:
                raise ValueError(", ".join(sorted(name for _, name in left)))
            found.append(ready)
            done.update(ready)
            left = {one: others for one, others in left.items() if one not in done}
        return found

    @property
    def reasons(self) -> tuple[str, ...]:
        """Reasons of exclusion in the order in which they are tried."""
        return tuple(dict.fromkeys(exclusion.reason for exclusion in self.exclusions))


def read_rules(path: Path = RADNET) -> Rules:
    """Reads a rule file, the files beside it that it includes, and the one that it extends.

    Raises: ProblemsError with everything that is wrong in them.
    """
    problems: list[Problem] = []
    content = merged(path, problems)
    found: Rules | None = None
    try:
        found = Rules.model_validate(content)
    except ValidationError as error:
        problems += [_problem(dict(one)) for one in error.errors()]
    except RecursionError:
        problems.append(Problem("file", "conditions are nested too deeply.", "Name some under `conditions`."))
    else:
        problems += _unlike(found)
    if not any(problem.where == "file" for problem in problems):
        problems += _references(content)
    if found is not None and not problems:
        problems += _circles(found)
    if problems or found is None:
        raise ProblemsError(f"{path.name} is no usable rule file:", problems)
    return found


def _problem(error: Mapping[str, Any]) -> Problem:
    where = " / ".join(str(part) for part in error["loc"]) or "file"
    if error["type"] == "extra_forbidden":
        models: tuple[type[BaseModel], ...] = (Condition, Exclusion, LabelRule, Label, Remark, Rules)
        known = {"not", *(name for model in models for name in model.model_fields)}
        word = str(error["loc"][-1])
        return Problem(where, f"there is no key '{word}'.", nearest(word, known).strip())
    return Problem(where, str(error["msg"]).removeprefix("Value error, "))


def _unlike(rules: Rules) -> list[Problem]:
    """Names given twice: a label must be traceable to one rule."""
    seen: dict[tuple[str, str], int] = {}
    for owner, rule in rules.all_rules():
        seen[owner, rule.name] = seen.get((owner, rule.name), 0) + 1
    return [
        Problem(f"{owner} / {name}", f"{count} rules have this name.", "Give each its own.")
        for (owner, name), count in seen.items()
        if count > 1
    ]


def _references(content: Mapping[str, Any]) -> list[Problem]:
    """Uses of words, conditions and labels that aren't there, and names that can't be used."""
    names = {part: _keys(content.get(part)) for part in PARTS}
    known = {"use": names["conditions"], "label": names["labels"], "words": names["words"]}
    problems = []
    for where, inside in _places(content):
        for key, word in _mentions(inside):
            if word not in known[key]:
                what = {"use": "condition", "label": "label", "words": "list of words"}[key]
                problems.append(Problem(where, f"there is no {what} '{word}' here.", nearest(word, known[key]).strip()))
    return problems + [
        Problem(f"{part} / {name}", "this name can't be used.", "Write it in a-z, 0-9, '_' and '-', a letter first.")
        for part in PARTS
        for name in names[part]
        if not _NAME.fullmatch(name)
    ]


def _circles(rules: Rules) -> list[Problem]:
    try:
        rules.levels()
    except ValueError as error:
        return [Problem("conditions", f"these need each other in a circle: {error}.", "Take one of them apart.")]
    return []


def _places(content: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every part of a file that can refer to something, with the words for where it is."""
    for part in ("conditions", "labels"):
        inside = content.get(part)
        yield from ((f"{part} / {name}", one) for name, one in inside.items()) if isinstance(inside, Mapping) else ()
    yield from ((part, content.get(part)) for part in ("exclusions", "remarks"))


def _keys(part: Any) -> list[str]:
    return [str(key) for key in part] if isinstance(part, Mapping) else []


def _mentions(content: Any) -> Iterator[tuple[str, str]]:
    """Every `use`, `label` and `words` in a piece of a file that is a name."""
    if isinstance(content, Mapping):
        for key, value in content.items():
            if key in ("use", "label", "words") and isinstance(value, str):
                yield str(key), value
            else:
                yield from _mentions(value)
    elif isinstance(content, list):
        for value in content:
            yield from _mentions(value)
