"""The rules of a cohort: a YAML text in, a checked `CohortRules` out, with every mistake named at once.

title: Thin contrast CT
outcomes: {join: patient, key: patient_id}
steps:
  - {join: true, reason: no row in the spreadsheet, then: Outcome known}
  - {keep: {series.modality: CT}, reason: not CT}
  - {drop: {spacing_mm: {above: 2}}, reason: slices further apart than 2 mm}
  - {one_per: patient, prefer: [{lowest: spacing_mm}, {latest: study_date}]}
values: {malignant: {1: {outcome.diagnosis: cancer}, 0: {outcome.diagnosis: cryptococcosis}}}
columns: {malignant: value.malignant, kernel: kernel}
label: malignant
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator, model_validator

from hounsfield.catalog.store import CatalogError
from hounsfield.core.errors import Problem, ProblemsError
from hounsfield.core.registry import nearest
from hounsfield.tables.structure import CENTRE, KNOWN, TEXT

JoinLevel = Literal["patient", "accession", "study", "series"]
KEYS: Mapping[str, str] = {
    "patient": "patient_id",
    "accession": "accession",
    "study": "study_uid",
    "series": "series_uid",
}
_ACTIONS = ("keep", "drop", "join", "one_per")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Outcomes(_Frozen):
    """How the spreadsheet of outcomes is joined.

    Attributes:
        join: what one row of it is about.
        key: its column that holds the identifier.
        match: further columns that must agree with a field, such as {View: value.view}.
        rows: `one` row for an identifier, or `several` (one a lesion): then a row is a case of its own.
        zeros: `ignore` lets 7 stand for 007, which a spreadsheet makes of it; refused where this could mean two.
    """

    join: JoinLevel = "patient"
    key: str = ""
    match: dict[str, str] = {}
    rows: Literal["one", "several"] = "one"
    zeros: Literal["keep", "ignore"] = "keep"

    @property
    def column(self) -> str:
        return self.key or KEYS[self.join]


class Preference(_Frozen):
    """One reason to take a volume before another; exactly one key."""

    lowest: str | None = None
    highest: str | None = None
    earliest: str | None = None
    latest: str | None = None
    having: Any = None

    @model_validator(mode="after")
    def _one(self) -> Preference:
        if len(self.model_fields_set) != 1:
            raise ValueError(
                "a preference is one of lowest, highest, earliest, latest (a field) or having (a condition)"
            )
        return self


class StepRule(_Frozen):
    """One step: keep, drop, join or one_per.

    Attributes:
        reason: why what is lost is excluded; printed in the flow.
        then: heading of a box in the drawing for what is left.
        whole: judge whole patients or studies: they stay (go) when any of their series fulfils `keep` (`drop`).
        prefer: of one_per, in order; equals are taken by series UID.
        before: of one_per: {field of a date: field of another}; only what is earlier can be taken.
    """

    reason: str = ""
    then: str = ""
    keep: Any = None
    drop: Any = None
    join: bool | None = None
    one_per: Literal["patient", "study", "series", "row"] | None = None
    whole: Literal["patient", "study"] | None = None
    prefer: list[Preference] = []
    before: dict[str, str] = {}

    @property
    def action(self) -> str:
        return next(name for name in _ACTIONS if name in self.model_fields_set)

    @model_validator(mode="after")
    def _sound(self) -> StepRule:
        actions = [name for name in _ACTIONS if name in self.model_fields_set]
        if len(actions) != 1:
            raise ValueError("a step has exactly one of keep, drop, join, one_per")
        if actions[0] in ("keep", "drop") and not self.reason.strip():
            raise ValueError("say the reason: what is excluded by this step, and why")
        if (self.prefer or self.before) and actions != ["one_per"]:
            raise ValueError("prefer and before belong to a step one_per")
        if self.whole and actions[0] not in ("keep", "drop"):
            raise ValueError("whole belongs to a step keep or drop")
        if len(self.before) > 1:
            raise ValueError("before takes one pair of dates: {study_date: outcome.surgery}")
        return self


class CohortRules(_Frozen):
    """The whole file.

    Attributes:
        source: where the rules come from.
        start, end: headings of the first and the last box of the flow.
        values: new fields `value.NAME`: {class: condition}, the first that holds.
        columns: column of the cases table -> field.
        label: the column of `columns` whose classes the flow ends with.
        case: field with an identifier of the case; made from patient and series where absent.
        site: field for the column `site`.
    """

    title: str
    source: str = ""
    start: str = "Catalog"
    end: str = "Cohort"
    outcomes: Outcomes | None = None
    steps: list[StepRule] = []
    values: dict[str, dict[str, Any]] = {}
    columns: dict[str, str] = {}
    label: str | None = None
    case: str | None = None
    site: str | None = None

    @field_validator("values", mode="before")
    @classmethod
    def _texts(cls, value: Any) -> Any:
        """Classes are texts; YAML reads 1 as a number and yes as a boolean."""
        if not isinstance(value, Mapping):
            return value
        for name, classes in value.items():
            if isinstance(classes, Mapping) and any(isinstance(one, bool) for one in classes):
                raise ValueError(f"{name}: put the classes yes, no, true, false in quotation marks")
        return {
            name: {str(one): condition for one, condition in classes.items()}
            if isinstance(classes, Mapping)
            else classes
            for name, classes in value.items()
        }

    @model_validator(mode="after")
    def _fits(self) -> CohortRules:
        taken = sorted({"case_id", "patient_id", "image", "site", "series_uid"} & set(self.columns))
        if taken:
            raise ValueError(f"columns: {', '.join(taken)} are filled by themselves; choose other names")
        if self.label is not None and self.label not in self.columns:
            raise ValueError(f"label: '{self.label}' is none of the columns.{nearest(self.label, self.columns)}")
        joins = [step for step in self.steps if step.action == "join"]
        if len(joins) > 1 or (joins and self.outcomes is None):
            raise ValueError("steps: one step join at most, and it needs outcomes: {join: ..., key: ...}")
        return self


def read_rules(text: str) -> CohortRules:
    """The rules in a YAML text.

    Raises: CatalogError when it is no YAML; ProblemsError naming every wrong key.
    """
    try:
        document = yaml.load(text, Loader=_LOADER)  # a safe loader: no tag makes an object of Python's own
    except (yaml.YAMLError, RecursionError) as error:
        raise CatalogError(f"the rules are no valid YAML: {' '.join(str(error).split())[:160]}.") from error
    if not isinstance(document, dict):
        raise CatalogError("the rules hold no keys; begin with title, steps and columns.")
    try:
        return CohortRules.model_validate(document)
    except ValidationError as error:
        problems = [_problem(item) for item in error.errors()]
        raise ProblemsError(f"the rules have {len(problems)} problem(s):", problems) from error


def _problem(item: Any) -> Problem:
    path = item["loc"]
    places = [f"{part + 1}" if isinstance(part, int) else str(part) for part in path]
    where = " ".join(places) or "rules"
    if item["type"] == "extra_forbidden":
        known: Mapping[str, Any] = CohortRules.model_fields
        if path[0] == "outcomes":
            known = Outcomes.model_fields
        elif path[0] == "steps":
            known = StepRule.model_fields if len(path) == 3 else Preference.model_fields
        return Problem(where, "there is no such key.", nearest(str(path[-1]), known).strip())
    return Problem(where, f"{item['msg'].removeprefix('Value error, ')}.")


__all__ = ["CENTRE", "KEYS", "KNOWN", "TEXT", "CohortRules", "Outcomes", "Preference", "StepRule", "read_rules"]
