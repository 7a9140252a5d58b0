"""The audited table: a YAML file in, frozen and checked objects out; the tables that ship, by name.

Every scalar is read as text, because 0.730 and 0.73 are different printed numbers. Sections may be left out; a section
or key that is not known is an error, so that a slip of the pen does not pass for a clean bill.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hounsfield.audit.printed import PrintedNumber
from hounsfield.core.errors import HounsfieldError, Problem, ProblemsError, TableError
from hounsfield.core.registry import nearest

SHIPPED = Path(__file__).parent / "tables"
Ends = tuple[PrintedNumber, PrintedNumber]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    name: str


class Share(_Entry):
    """A share of `of` cases with its interval: `{name, value: "0.846", of: 221, interval: ["0.792", "0.888"]}`."""

    value: PrintedNumber
    of: int = Field(ge=1)
    count: int | None = Field(default=None, ge=0)
    interval: Ends | None = None
    level: float = 0.95
    among: int | None = None

    @model_validator(mode="after")
    def _count_within(self) -> Self:
        if self.count is not None and self.count > self.of:
            raise ValueError(f"count is at most `of`; got {self.count} of {self.of}.")
        if self.among is not None and not self.of <= self.among <= 5000:
            raise ValueError(f"among is all cases that were resampled, `of` and more, at most 5000; got {self.among}.")
        return self


class Confusion(_Entry):
    """Metrics of one two-class model: numbers of positives and negatives, metrics and their intervals by name."""

    positives: int = Field(ge=0)
    negatives: int = Field(ge=0)
    metrics: dict[str, PrintedNumber] = Field(min_length=1)
    intervals: dict[str, Ends] = Field(default_factory=dict)
    level: float = 0.95


class Matrix(_Entry):
    """A printed confusion matrix, reference in rows, and the metrics printed with it."""

    matrix: tuple[tuple[int, ...], ...]
    metrics: dict[str, PrintedNumber] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _square(self) -> Self:
        if not self.matrix or any(len(row) != len(self.matrix) for row in self.matrix):
            raise ValueError("matrix is square, one row a reference class.")
        return self


class Comparison(_Entry):
    """A p-value of two shares, each as [k, n]."""

    p: PrintedNumber
    first: tuple[int, int]
    second: tuple[int, int]
    paired: bool = False
    strata: tuple[tuple[int, int, int], ...] = ()
    one_way: bool = False
    among: int | None = Field(default=None, ge=1)


class GroupEntry(BaseModel):
    """Mean and SD of n cases."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    mean: PrintedNumber
    sd: PrintedNumber
    n: int = Field(ge=1)


class Means(_Entry):
    """Means with SDs of one or more groups, the p of two groups, the mean of all, limits that values must obey."""

    groups: tuple[GroupEntry, ...] = Field(min_length=1)
    p: PrintedNumber | None = None
    pooled: PrintedNumber | None = None
    limits: tuple[float, float] | None = None
    whole_numbers: bool = False


class Overlap(_Entry):
    """Dice and IoU of the same cases."""

    dice: PrintedNumber
    iou: PrintedNumber
    of: Literal["mean", "median", "case"] = "mean"


class Area(_Entry):
    """An AUC with its interval and the numbers of cases."""

    value: PrintedNumber
    interval: Ends
    positives: int = Field(ge=1)
    negatives: int = Field(ge=1)


class Total(_Entry):
    """Parts and their total."""

    parts: tuple[PrintedNumber, ...] = Field(min_length=1)
    total: PrintedNumber


class Change(_Entry):
    """A printed relative change."""

    before: PrintedNumber
    after: PrintedNumber
    change: PrintedNumber


class AuditTable(BaseModel):
    """Everything that is audited at once; see docs/tasks/audit.md for each section with an example."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    title: str
    source: str = ""
    note: str = ""
    shares: tuple[Share, ...] = ()
    confusions: tuple[Confusion, ...] = ()
    matrices: tuple[Matrix, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    means: tuple[Means, ...] = ()
    overlaps: tuple[Overlap, ...] = ()
    areas: tuple[Area, ...] = ()
    totals: tuple[Total, ...] = ()
    changes: tuple[Change, ...] = ()

    @cached_property
    def entries(self) -> int:
        """Number of entries in all sections."""
        values = (getattr(self, name) for name in type(self).model_fields)
        return sum(len(value) for value in values if isinstance(value, tuple))


def shipped() -> dict[str, Path]:
    """The tables that ship with the package, by name."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.yaml"))}


def find_table(name_or_path: str) -> Path:
    """The file of a table given by path, or by name among those that ship. Raises: TableError when there is neither."""
    path = Path(name_or_path)
    if path.is_file():
        return path
    known = shipped()
    if name_or_path in known:
        return known[name_or_path]
    hint = nearest(name_or_path, list(known))
    raise TableError(f"no table '{path.name}': neither a file nor one of {', '.join(known)}.{hint}")


def read_audit_table(path: Path) -> AuditTable:
    """Reads and checks a table.

    Raises: OSError; TableError when it is no YAML mapping; ProblemsError listing everything that is wrong in it.
    """
    try:
        # BaseLoader keeps every scalar as text and builds nothing but text, lists and mappings.
        content: Any = yaml.load(path.read_text(encoding="utf-8-sig"), Loader=yaml.BaseLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        first = str(error).splitlines()[0]
        raise TableError(f"{path.name} is no readable YAML ({first}). Save it as UTF-8 text.") from error
    if not isinstance(content, dict):
        raise TableError(f"{path.name} holds a mapping with a title and sections; got {type(content).__name__}.")
    try:
        table = AuditTable.model_validate(content)
    except ValidationError as error:
        problems = [_problem(one, content) for one in error.errors()]
        raise ProblemsError(f"{path.name} can't be audited:", problems) from None
    if not table.entries:
        raise HounsfieldError(f"{path.name} has no entries. Add a section, such as shares or confusions.")
    return table


def _problem(error: Any, content: dict[str, Any]) -> Problem:
    """One problem with the entry's own name in place of its number."""
    where, here = [], content
    for step in error["loc"]:
        here = here[step] if isinstance(here, list | dict) and _has(here, step) else {}
        own = here.get("name") if isinstance(here, dict) else None
        where.append(str(own) if own and isinstance(step, int) else str(step))
    what = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        what = "this key is not known here"
    return Problem(" / ".join(where) or "table", what, "Correct it; docs/tasks/audit.md shows every section.")


def _has(here: Any, step: Any) -> bool:
    return step in here if isinstance(here, dict) else isinstance(step, int) and step < len(here)
