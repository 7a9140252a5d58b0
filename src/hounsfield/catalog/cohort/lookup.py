"""Every field that the rules name, looked up once. In: rules and `Fields`. Out: fields by column, or all mistakes.

All mistakes are named together, and afterwards `Fields` knows what the table `cohort` has to hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hounsfield.catalog.cohort.conditions import Asked, Field, compiled
from hounsfield.catalog.cohort.fields import Fields
from hounsfield.catalog.cohort.rules import CohortRules, StepRule
from hounsfield.core.errors import HounsfieldError, Problem, ProblemsError


@dataclass(frozen=True)
class Lookup:
    """Fields of the rules.

    Attributes:
        fields: which looked them up.
        columns: column of the cases table -> field; `site` and `case_id` among them when the rules name them.
        matches: column of the spreadsheet -> field that it must agree with.
    """

    fields: Fields
    columns: Mapping[str, Field]
    matches: Mapping[str, Field]


def looked_up(rules: CohortRules, fields: Fields) -> Lookup:
    """Looks up and compiles all that the rules hold.

    Raises: ProblemsError naming every field and condition that can't be used.
    """
    tries = _Tries(fields)
    for name in rules.values:
        tries.names(f"values {name}", [f"value.{name}"])
    for number, step in enumerate(rules.steps, start=1):
        _step(tries, number, step)
    for name, field in rules.columns.items():
        tries.names(f"columns {name}", [field])
    tries.names("site", [rules.site] if rules.site else [])
    tries.names("case", [rules.case] if rules.case else [])
    if rules.outcomes is not None:
        for name, field in rules.outcomes.match.items():
            tries.names(f"outcomes match {name}", [f"outcome.{name}", field])
        tries.key(rules.outcomes.column)
    tries.names("catalog", ["series.volumes", "series.kind"])
    if tries.problems:
        raise ProblemsError(f"the rules don't fit in {len(tries.problems)} place(s):", tries.problems)
    extra = {"site": rules.site, "case_id": rules.case}
    names = rules.columns | {name: field for name, field in extra.items() if field}
    matches = rules.outcomes.match if rules.outcomes else {}
    return Lookup(
        fields,
        {name: fields.look(field) for name, field in names.items()},
        {name: fields.look(field) for name, field in matches.items()},
    )


def _step(tries: _Tries, number: int, step: StepRule) -> None:
    where = f"step {number}"
    condition = step.keep if step.keep is not None else step.drop
    if condition is not None:
        tries.condition(where, condition)
    tries.names(where, [*step.before, *step.before.values()], kind="date")
    for preference in step.prefer:
        dates = [name for name in (preference.earliest, preference.latest) if name]
        numbers = [name for name in (preference.lowest, preference.highest) if name]
        tries.names(f"{where} prefer", dates, kind="date")
        tries.names(f"{where} prefer", numbers, kind="number")
        if preference.having is not None:
            tries.condition(f"{where} prefer", preference.having)


class _Tries:
    """Tries names and conditions and keeps what went wrong."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields
        self.problems: list[Problem] = []

    def names(self, where: str, names: Iterable[str], *, kind: Literal["number", "date"] | None = None) -> None:
        """Looks names up; their cells are taken for numbers or dates if `kind` says so."""
        for name in names:
            field = self._look(where, name)
            if field is not None and kind is not None:
                self._fields.note(Asked(name, field, kind))

    def key(self, column: str) -> None:
        try:
            self._fields.key_of(column)
        except HounsfieldError as error:
            self.problems.append(Problem("outcomes key", str(error)))

    def condition(self, where: str, condition: Any) -> None:
        # A name that is not there stands for an empty field, so that the next mistake of the condition is met too.
        try:
            compiled(condition, lambda name: self._look(where, name) or Field("NULL"), self._fields.note)
        except HounsfieldError as error:
            self.problems.append(Problem(where, str(error)))

    def _look(self, where: str, name: str) -> Field | None:
        try:
            return self._fields.look(name)
        except HounsfieldError as error:
            self.problems.append(Problem(where, str(error)))
            return None
