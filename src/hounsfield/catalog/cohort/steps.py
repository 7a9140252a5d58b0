"""The steps of a cohort, one after the other. In: the table `cohort` and the rules. Out: each row's step, and counts.

A row that is excluded keeps the number of the step that did it; nothing is deleted, so every loss can be listed.
"""

from __future__ import annotations

from collections.abc import Callable

import duckdb
import pandas as pd

from hounsfield.catalog.cohort.conditions import Field, Look, Sql, as_date, as_number, compiled
from hounsfield.catalog.cohort.fields import Fields
from hounsfield.catalog.cohort.flow import Count, Step
from hounsfield.catalog.cohort.readable import unreadable_series
from hounsfield.catalog.cohort.rules import CohortRules, Preference, StepRule
from hounsfield.catalog.store import CatalogError
from hounsfield.tables.findings import some

_UNITS = {"patient": "patient_id", "study": "study_uid", "series": "series_uid", "row": "outcome_row"}
_SHOWN = 5  # series whose fault is told; all are in the list of what was excluded
_COUNT = "count(DISTINCT patient_id), count(DISTINCT study_uid), count(DISTINCT series_uid)"


class Walk:
    """Runs the steps in order and keeps what they left and lost.

    Attributes:
        start: before the first step.
        steps: what each did; steps of the package's own (`_last`) are there only when they lost something.
        join_step: number of the join, or None.
        notes: what a person should know.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, rules: CohortRules, fields: Fields) -> None:
        self._connection = connection
        self._rules = rules
        self._look: Look = fields.look
        self.start = self._count()
        self.steps: list[Step] = []
        self.join_step: int | None = None
        self.notes: list[str] = []
        self._details: dict[str, str] = {}

    def all(self) -> None:
        """Runs every step, and then sets aside what no image can be read from."""
        actions: dict[str, Callable[[StepRule], None]] = {
            "keep": self._keep,
            "drop": self._drop,
            "join": self._join,
            "one_per": self._one_per,
        }
        for rule in self._rules.steps:
            actions[rule.action](rule)
        self._last()

    def excluded(self) -> pd.DataFrame:
        """series_uid, study_uid, patient_id, step, reason, detail of each series of which nothing is left."""
        frame = self._connection.execute(
            "SELECT series_uid, any_value(study_uid) AS study_uid, any_value(patient_id) AS patient_id, "
            "max(step) AS step FROM cohort GROUP BY series_uid HAVING count(step) = count(*) ORDER BY step, series_uid"
        ).df()
        reasons = [step.reason for step in self.steps]
        return frame.assign(
            reason=[reasons[int(number) - 1] for number in frame["step"]],
            detail=[self._details.get(uid, "") for uid in frame["series_uid"]],
        )

    def _keep(self, rule: StepRule) -> None:
        test = compiled(rule.keep, self._look)
        if rule.whole:
            unit = f"coalesce({_UNITS[rule.whole]}, '')"
            test = Sql(f"({unit} IN (SELECT {unit} FROM cohort WHERE step IS NULL AND {test.text}))", test.values)
        self._lose(Sql(f"NOT {test.text}", test.values), rule.reason, rule.then)

    def _drop(self, rule: StepRule) -> None:
        test = compiled(rule.drop, self._look)
        if rule.whole:
            unit = f"coalesce({_UNITS[rule.whole]}, '')"
            test = Sql(f"({unit} IN (SELECT {unit} FROM cohort WHERE step IS NULL AND {test.text}))", test.values)
        self._lose(test, rule.reason, rule.then)

    def _join(self, rule: StepRule) -> None:
        self.join_step = len(self.steps) + 1
        self._lose(Sql("outcome_row IS NULL"), rule.reason or "no row in the spreadsheet of outcomes", rule.then)

    def _one_per(self, rule: StepRule) -> None:
        unit = str(rule.one_per)
        if unit == "row" and self._rules.outcomes is None:
            raise CatalogError("one_per: row means a row of the spreadsheet, and the rules have no outcomes.")
        for early, late in rule.before.items():
            first, second = self._date(early), self._date(late)
            reason = f"{_plain(early)} not before {_plain(late)}"
            self._lose(
                Sql(f"NOT coalesce({first.text} < {second.text}, false)", (*first.values, *second.values)), reason, ""
            )
        self._require_one_row()
        orders = [self._order(one) for one in rule.prefer]
        order = "".join(f"{one.text}, " for one in orders)
        # Beyond what is preferred the identifiers decide, so that no order of files does.
        self._connection.execute(
            f"CREATE OR REPLACE TEMP TABLE chosen AS SELECT id, row_number() OVER (PARTITION BY {_UNITS[unit]} "
            f"ORDER BY {order}series_uid, volume, outcome_row) AS place FROM cohort WHERE step IS NULL",
            [value for one in orders for value in one.values],
        )
        reason = rule.reason or f"another series of the same {'lesion' if unit == 'row' else unit} was preferred"
        self._lose(Sql("id IN (SELECT id FROM chosen WHERE place > 1)"), reason, rule.then)

    def _order(self, preference: Preference) -> Sql:
        if preference.having is not None:
            test = compiled(preference.having, self._look)
            return Sql(f"{test.text} DESC", test.values)
        for name, direction in ((preference.lowest, "ASC"), (preference.highest, "DESC")):
            if name is not None:
                number = as_number(self._look(name))
                return Sql(f"{number.text} {direction} NULLS LAST", number.values)
        earliest = preference.earliest is not None
        date = self._date(str(preference.earliest or preference.latest))
        return Sql(f"{date.text} {'ASC' if earliest else 'DESC'} NULLS LAST", date.values)

    def _date(self, name: str) -> Sql:
        """A field as a date; cells that are none stop the work, since leaving them out would change who is chosen."""
        field: Field = self._look(name)
        date = as_date(field)
        (bad,) = self._connection.execute(
            f"SELECT count(*) FROM cohort WHERE step IS NULL AND {date.text} IS NULL "
            f"AND nullif(trim(CAST({field.text} AS VARCHAR)), '') IS NOT NULL",
            [*date.values, *field.values],
        ).fetchone() or (0,)
        if bad:
            raise CatalogError(
                f"{bad} cells of '{name}' are no dates. Write them as 2018-01-31, 20180131 or 31.01.2018."
            )
        return date

    def _require_one_row(self) -> None:
        """Several rows for one identifier are a mistake unless the rules say that they are cases of their own."""
        outcomes = self._rules.outcomes
        if outcomes is None or outcomes.rows == "several":
            return
        found = self._connection.execute(
            "SELECT DISTINCT rows FROM (SELECT string_agg(DISTINCT outcome_row, ' and ' ORDER BY outcome_row) AS rows "
            "FROM cohort WHERE step IS NULL GROUP BY series_uid HAVING count(DISTINCT outcome_row) > 1) ORDER BY ALL"
        ).fetchall()
        if found:
            raise CatalogError(
                f"{len(found)} identifier(s) in column '{outcomes.column}' of the spreadsheet stand in several rows "
                f"({some((rows for (rows,) in found), limit=6)}), and taking any would be a guess. Remove all but one, "
                "add a step that leaves one, or write rows: several under outcomes when each is a case of its own."
            )

    def _last(self) -> None:
        """What can't be a case: no patient, no image of its own to read."""
        self._require_one_row()
        archived = "series_uid IN (SELECT series_uid FROM objects WHERE coalesce(member, '') != '')"
        several = self._look("series.volumes").text
        self._set_aside("patient_id IS NULL", "no patient ID in the header")
        self._set_aside(archived, "inside a zip or tar file; unpack it to use it")
        self._set_aside(
            f"coalesce({self._look('series.kind').text}, '') IN ('segmentation', 'rtstruct', 'sr', 'other')",
            "no image of its own: a segmentation, structure set or report",
        )
        self._set_aside(f"coalesce({several}, 1) != 1", "not one volume; keep such series out by a rule, or split them")
        reasons = unreadable_series(self._connection)
        self._connection.execute(
            "CREATE OR REPLACE TEMP TABLE unreadable AS SELECT unnest(?) AS series_uid", [[*reasons]]
        )
        lost = self._set_aside(
            "series_uid IN (SELECT series_uid FROM unreadable)", "no regular volume can be read from the files"
        )
        self._details = {uid: reasons[uid] for uid in lost}
        self.notes += [f"series ...{uid[-8:]}: {reasons[uid]}." for uid in lost[:_SHOWN]]
        if len(lost) > _SHOWN:
            self.notes.append(f"and {len(lost) - _SHOWN} more such series.")

    def _set_aside(self, test: str, reason: str) -> list[str]:
        """Excludes what fulfils the test, as a step and with a note when there is any; the series."""
        rows = self._connection.execute(
            f"SELECT DISTINCT series_uid FROM cohort WHERE step IS NULL AND {test} ORDER BY series_uid"
        ).fetchall()
        if rows:
            self._lose(Sql(test), reason, "")
            self.notes.append(f"{len(rows)} series set aside: {reason}.")
        return [str(uid) for (uid,) in rows]

    def _lose(self, test: Sql, reason: str, then: str) -> None:
        before = self.steps[-1].left if self.steps else self.start
        number = len(self.steps) + 1
        self._connection.execute(
            f"UPDATE cohort SET step = {number} WHERE step IS NULL AND {test.text}", list(test.values)
        )
        left = self._count()
        self.steps.append(Step(reason.strip(), before.minus(left), left, then))

    def _count(self) -> Count:
        row = self._connection.execute(f"SELECT {_COUNT}, count(*) FROM cohort WHERE step IS NULL").fetchone()
        return Count(*(int(value) for value in row or (0, 0, 0, 0)))


def _plain(name: str) -> str:
    return name.rpartition(".")[2].replace("_", " ")
