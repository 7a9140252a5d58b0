"""From a catalog to a cohort. In: an open catalog, rules and a spreadsheet. Out: cases, and the count at each step.

Every row of the table `cohort` is a series (a volume of it, a row of the spreadsheet) that is still in, or carries the
step that excluded it. Nothing is written here: see `cohort_files`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from hounsfield.catalog.cohort.cells import unknown_values, unreadable_cells
from hounsfield.catalog.cohort.conditions import Sql, as_number
from hounsfield.catalog.cohort.fields import Fields
from hounsfield.catalog.cohort.flow import Count, Flow
from hounsfield.catalog.cohort.join import require_unmistakable, unmatched_rows, unmatched_series
from hounsfield.catalog.cohort.lookup import Lookup, looked_up
from hounsfield.catalog.cohort.readable import folder_of
from hounsfield.catalog.cohort.rules import CohortRules, StepRule
from hounsfield.catalog.cohort.sheet import Sheet
from hounsfield.catalog.cohort.steps import Walk
from hounsfield.catalog.store import CatalogError
from hounsfield.core.errors import ProblemsError


@dataclass(frozen=True, eq=False)
class Cohort:
    """What the rules left, and what became of the rest.

    Attributes:
        cases: cases table, `image` relative to the archive (`archive`).
        flow: counts at each step.
        excluded: series_uid, study_uid, patient_id, step, reason, detail of every series that was lost.
        unmatched_rows: rows of the spreadsheet without a case: row, key, why, did_you_mean; None without one.
        unmatched_series: series that reached the join and found no row; None without one.
        notes: what a person should know, in sentences.
    """

    cases: pd.DataFrame
    archive: Path | None
    flow: Flow
    excluded: pd.DataFrame
    unmatched_rows: pd.DataFrame | None
    unmatched_series: pd.DataFrame | None
    notes: tuple[str, ...] = ()


def select_cohort(
    connection: duckdb.DuckDBPyConnection, rules: CohortRules, *, outcomes: Sheet | None = None
) -> Cohort:
    """Applies the rules.

    Args:
        connection: an open catalog (`store.open_catalog`), which is not changed.
        outcomes: the spreadsheet, one row an identifier or, with `rows: several`, one a lesion.
    Raises: CatalogError or ProblemsError naming every field and condition that can't be used.
    """
    rules = _complete(rules, outcomes)
    fields = Fields(connection, outcomes=outcomes, values=rules.values)
    found = looked_up(rules, fields)
    fields.build(rules.outcomes, found.matches)
    notes = _judged(connection, rules, fields)
    walk = Walk(connection, rules, fields)
    walk.all()
    reasons = [step.reason for step in walk.steps]
    rows = None if rules.outcomes is None else unmatched_rows(connection, reasons, rules.outcomes)
    lost_at_join = None if walk.join_step is None else unmatched_series(connection, walk.join_step, rules)
    cases, studies = _cases(connection, rules, found)
    return Cohort(
        cases=cases,
        archive=_archive(connection),
        flow=Flow(rules.title, walk.start, tuple(walk.steps), rules.start, rules.end, _classes(cases, studies, rules)),
        excluded=walk.excluded(),
        unmatched_rows=rows,
        unmatched_series=lost_at_join,
        notes=(*notes, *walk.notes, *_spread(connection, rules), *_at_several_sites(cases)),
    )


def _judged(connection: duckdb.DuckDBPyConnection, rules: CohortRules, fields: Fields) -> list[str]:
    """Notes on what the rules meet in the cells.

    Raises: ProblemsError for cells of the spreadsheet that a rule can't read; CatalogError for mistakable identifiers.
    """
    if rules.outcomes is not None:
        require_unmistakable(connection, rules.outcomes)
    problems, notes = unreadable_cells(connection, fields)
    if problems:
        raise ProblemsError("the spreadsheet has cells that the rules can't read:", problems)
    return [*notes, *unknown_values(connection, fields)]


def _spread(connection: duckdb.DuckDBPyConnection, rules: CohortRules) -> list[str]:
    """A note where one row of the spreadsheet became several cases, which may not be meant."""
    rows, cases = connection.execute(
        "SELECT count(*), sum(cases) FROM (SELECT count(*) AS cases FROM cohort WHERE step IS NULL AND outcome_row "
        "IS NOT NULL GROUP BY outcome_row HAVING count(*) > 1)"
    ).fetchone() or (0, 0)
    if not rows:
        return []
    unit = "row" if rules.outcomes and rules.outcomes.rows == "several" else "patient"
    return [
        f"{rows} row(s) of the spreadsheet stand behind {int(cases)} cases, one for each series. If one is meant, add "
        f"a step {{one_per: {unit}, prefer: [...]}}."
    ]


def _at_several_sites(cases: pd.DataFrame) -> list[str]:
    if "site" not in cases or not len(cases):
        return []
    several = int((cases.groupby("patient_id")["site"].nunique() > 1).sum())
    return [f"{several} patient(s) have cases at several sites; a split keeps each on one side."] if several else []


def _complete(rules: CohortRules, outcomes: Sheet | None) -> CohortRules:
    """The rules with a join first, where a spreadsheet is to be joined and no step says when."""
    if rules.outcomes is None:
        if outcomes is not None:
            raise CatalogError(
                "a spreadsheet was given, and the rules don't say how to join it: add outcomes: or --join."
            )
        return rules
    if outcomes is None:
        raise CatalogError("these rules need the spreadsheet of outcomes: give it with --outcomes.")
    if any(step.action == "join" for step in rules.steps):
        return rules
    join = StepRule(join=True, reason="no row in the spreadsheet of outcomes")
    return rules.model_copy(update={"steps": [join, *rules.steps]})


def _cases(connection: duckdb.DuckDBPyConnection, rules: CohortRules, found: Lookup) -> tuple[pd.DataFrame, Any]:
    """One row for each row of `cohort` that is still in, and the study of each."""
    # An age as the header writes it, 045Y, is of no use to a table; as years it is a covariate.
    shown = [as_number(field) if field.age else field for field in found.columns.values()]
    parts = [Sql(f', {field.text} AS "k{place}"', field.values) for place, field in enumerate(shown)]
    frame = connection.execute(
        "WITH places AS (SELECT series_uid, min(path) AS low, max(path) AS high, count(*) AS objects FROM objects "
        "GROUP BY 1) SELECT patient_id, study_uid, series_uid, volume, outcome_row, folder, low, high, objects"
        + "".join(part.text for part in parts)
        + " FROM cohort LEFT JOIN places USING (series_uid) WHERE step IS NULL ORDER BY patient_id, id",
        [value for part in parts for value in part.values],
    ).df()
    columns = {name: frame[f"k{place}"] for place, name in enumerate(found.columns)}
    identifier = columns.pop("case_id", None)
    out = {
        "case_id": identifier if identifier is not None else _case_ids(frame, rules),
        "patient_id": frame["patient_id"],
        "image": [
            folder_of(low, high, int(objects)) if isinstance(low, str) else str(folder or ".")
            for folder, low, high, objects in frame[["folder", "low", "high", "objects"]].to_numpy().tolist()
        ],
        "series_uid": frame["series_uid"],
    }
    return pd.DataFrame(out | columns), frame["study_uid"]


def _case_ids(frame: pd.DataFrame, rules: CohortRules) -> list[str]:
    """Identifiers that stay when other cases come or go: the patient where there is one case a patient."""
    chosen = [step.one_per for step in rules.steps if step.one_per]
    if chosen and chosen[-1] == "patient":
        return [str(value) for value in frame["patient_id"]]
    several = rules.outcomes is not None and rules.outcomes.rows == "several"
    ids = []
    for row in frame[["patient_id", "series_uid", "volume", "outcome_row"]].astype(object).to_dict("records"):
        parts = [str(row["series_uid"]), *([str(int(row["volume"]))] if pd.notna(row["volume"]) else [])]
        tail = f"_row{int(row['outcome_row'])}" if several else ""
        ids.append(f"{row['patient_id']}_{hashlib.sha256('|'.join(parts).encode()).hexdigest()[:8]}{tail}")
    return ids


def _archive(connection: duckdb.DuckDBPyConnection) -> Path | None:
    found = connection.execute("SELECT value FROM about WHERE key = 'archive'").fetchone()
    return Path(str(found[0])) if found else None


def _classes(cases: pd.DataFrame, studies: Any, rules: CohortRules) -> dict[str, Count]:
    """Counts of each class of the label, in the order of `values` or of the alphabet."""
    if rules.label is None or not len(cases):
        return {}
    kind = cases[rules.label].map(lambda value: "unknown" if pd.isna(value) else str(value))
    order = list(rules.values.get(rules.columns[rules.label].removeprefix("value."), {}))
    names = [name for name in order if (kind == name).any()]
    names += sorted(set(kind) - set(names))
    return {
        f"{rules.label}: {name}": Count(
            cases.loc[kind == name, "patient_id"].nunique(),
            studies[kind == name].nunique(),
            cases.loc[kind == name, "series_uid"].nunique(),
            int((kind == name).sum()),
        )
        for name in names
    }
