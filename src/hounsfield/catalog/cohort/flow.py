"""How a cohort came about: what was left and what was lost at each step. Counts in; a table and words out.

`report.figures.flow` draws it as papers print it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd


@dataclass(frozen=True)
class Count:
    """Patients, studies and series, and the cases that they would make."""

    patients: int
    studies: int
    series: int
    cases: int

    def minus(self, other: Count) -> Count:
        """What is lost from this to `other`."""
        return Count(
            self.patients - other.patients,
            self.studies - other.studies,
            self.series - other.series,
            self.cases - other.cases,
        )

    def parts(self) -> list[str]:
        """Patients, studies, series in words; cases too where they are not the series."""
        parts = [_number(self.patients, "patient", "patients"), _number(self.studies, "study", "studies")]
        parts.append(_number(self.series, "series", "series"))
        return parts + ([_number(self.cases, "case", "cases")] if self.cases != self.series else [])

    def words(self) -> str:
        """Such as "295 patients, 310 studies, 714 series"."""
        return ", ".join(self.parts())


@dataclass(frozen=True)
class Step:
    """One rule applied.

    Attributes:
        reason: why what was lost is excluded.
        lost: what went with this step; a patient is lost with the last of its series.
        left: what stayed.
        then: heading of a box for what stayed, in the drawing; empty for none.
    """

    reason: str
    lost: Count
    left: Count
    then: str = ""


@dataclass(frozen=True)
class Flow:
    """The way from the catalog to the cohort.

    Attributes:
        start: what there was; `start_heading` names it.
        end_heading: names the cohort.
        classes: class of the label -> what it has; empty when no label was stated.
    """

    title: str
    start: Count
    steps: tuple[Step, ...]
    start_heading: str = "Catalog"
    end_heading: str = "Cohort"
    classes: Mapping[str, Count] = field(default_factory=dict, hash=False)

    @property
    def end(self) -> Count:
        return self.steps[-1].left if self.steps else self.start

    def emptied(self) -> str:
        """Which step left nothing, in words; empty when something is left."""
        if not self.start.series:
            return "the catalog holds no series"
        before = self.start
        for number, step in enumerate(self.steps, start=1):
            if not step.left.cases:
                return f"step {number} ({step.reason}) took the last {before.words()}"
            before = step.left
        return ""

    def table(self) -> pd.DataFrame:
        """One row a step, the start first: step, reason, and of each unit the number lost and left."""
        rows = [(0, self.start_heading, Count(0, 0, 0, 0), self.start)]
        rows += [(number, step.reason, step.lost, step.left) for number, step in enumerate(self.steps, start=1)]
        units = ("patients", "studies", "series", "cases")
        return pd.DataFrame(
            [
                {
                    "step": number,
                    "reason": reason,
                    **{f"{unit}_lost": getattr(lost, unit) for unit in units},
                    **{f"{unit}_left": getattr(left, unit) for unit in units},
                }
                for number, reason, lost, left in rows
            ]
        )

    def lines(self) -> list[str]:
        """The flow in words, one line a step."""
        lines = [f"{self.start_heading}: {self.start.words()}"]
        lines += [f"  {step.reason}: {step.lost.words()} lost, {step.left.words()} left" for step in self.steps]
        lines.append(f"{self.end_heading}: {self.end.words()}")
        lines += [f"  {name}: {count.words()}" for name, count in self.classes.items()]
        return lines


def _number(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"
