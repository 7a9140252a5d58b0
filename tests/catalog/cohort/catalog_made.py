"""A catalog of made-up series, one dictionary each, for the tests of cohorts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from hounsfield.catalog.cohort.cohort import Cohort, select_cohort
from hounsfield.catalog.cohort.rules import read_rules
from hounsfield.catalog.cohort.sheet import Sheet
from hounsfield.catalog.store import open_catalog


def make_catalog(path: Path, series: Iterable[Mapping[str, Any]]) -> Path:
    """Columns of the table `series` by name; `labels` and `excluded` (the reasons, in order) go to theirs."""
    with open_catalog(path, write=True) as connection:
        connection.execute("INSERT INTO about VALUES ('archive', ?)", [str(path.parent)])
        for number, given in enumerate(series):
            row = {"series_uid": f"1.2.{number}", "volumes": 1, "folder": f"f{number}"} | dict(given)
            labels, reasons = row.pop("labels", {}), row.pop("excluded", ())
            names = ", ".join(row)
            connection.execute(f"INSERT INTO series ({names}) VALUES ({', '.join('?' * len(row))})", list(row.values()))
            uid = row["series_uid"]
            for label, value in labels.items():
                connection.execute("INSERT INTO labels VALUES (?, ?, ?, 'r')", [uid, label, value])
            for place, reason in enumerate(reasons):
                connection.execute("INSERT INTO exclusions VALUES (?, ?, ?, 'r')", [uid, place, reason])
    return path


def select(catalog: Path, rules: str, outcomes: pd.DataFrame | Sheet | None = None) -> Cohort:
    sheet = Sheet.of(outcomes) if isinstance(outcomes, pd.DataFrame) else outcomes
    with open_catalog(catalog) as connection:
        return select_cohort(connection, read_rules(rules), outcomes=sheet)


def losses(cohort: Cohort) -> dict[str, int]:
    """Reason -> cases lost."""
    return {step.reason: step.lost.cases for step in cohort.flow.steps}
