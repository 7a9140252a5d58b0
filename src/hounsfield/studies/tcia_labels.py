"""The published label extraction on the public index: how many series each rule keeps, beside the paper's counts.

In: the index of the Imaging Data Commons inside the package idc-index-data. Out: `tcia-labels.md` (every number of the
study's page) and `tcia-labels.csv` (outcome of every CT and MR series). Source of the counts: Du and Vardhanabhuti,
3D-RADNet, MIDL 2020, section 3.1 and tables A1 and A2.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from hounsfield.catalog.idc.index import index_version
from hounsfield.catalog.idc.series import ABSENT, PrintedCollection, index_series, printed_collections
from hounsfield.catalog.labels.conditions import quoted
from hounsfield.catalog.labels.labels import ACCEPTED, apply_rules, outcomes
from hounsfield.catalog.labels.rules import RADNET, read_rules
from hounsfield.core.atomic import atomic_file, write_text

# Reason -> series, in the order of the paper (section 3.1); the others have no count there.
PRINTED = {"spacing": 14_575, "few_slices": 3_768, "no_description": 2_041, "sequence": 10_887, "time_series": 14_338}
PRINTED_SERIES, PRINTED_PATIENTS, PRINTED_KEPT = 63_276, 6_544, 17_667

_WORDS = {
    "modality": "neither CT nor MR",
    "spacing": "inconsistent or invalid slice position or spacing",
    "few_slices": "fewer than 16 slices",
    "no_description": "missing series description",
    "sequence": "excluded MRI sequence",
    "time_series": "time series",
    "stir": "STIR",
    "orientation": "neither axial, coronal nor sagittal",
    "effective_spacing": "effective slice spacing above 15 mm",
}
_STATES = {"pathology": "in the index without CT and MR", "absent": "not in the index"}
_IMAGES = "modality IN ('CT', 'MR')"


@dataclass(frozen=True)
class CollectionCount:
    """A printed collection, and its patients and series of CT and MR in the index."""

    printed: PrintedCollection
    patients: int
    ct: int
    mr: int


@dataclass(frozen=True)
class TciaLabels:
    """Everything that the page says.

    Attributes:
        release: of the index.
        collections: in the paper's order.
        modalities: (modality, series, patients) of all series of these collections, most first.
        first: series of CT and MR by first reason, with `accepted`; they add up to all of them.
        every: series of CT and MR to which a reason applies, first or not; rules: the same by (reason, rule).
        time_before_sequence: (time series, sequence) if time series were asked for before the sequence.
        labels: (label, value, series of CT and MR, of these accepted).
            silent: rules that the index can't answer, as "where / name".
        patients: of the CT and MR series; shared: of them in a training and in a test collection.
    """

    release: str
    collections: tuple[CollectionCount, ...]
    modalities: tuple[tuple[str, int, int], ...]
    first: dict[str, int]
    every: dict[str, int]
    rules: tuple[tuple[str, str, int], ...]
    time_before_sequence: tuple[int, int]
    labels: tuple[tuple[str, str, int, int], ...]
    silent: tuple[str, ...]
    patients: int
    shared: int

    @property
    def series(self) -> int:
        return sum(self.first.values())


def run_tcia_labels(out: Path, *, index: Path | None = None, rules: Path = RADNET) -> list[str]:
    """Labels the paper's collections from the index and writes the page.

    Args:
        out: folder for the page and the table.
        index: folder of idc_index.parquet; that of the installed package when None.
        rules: file of rules; the shipped ones by default.
    Returns: the main numbers, a line each. Raises: FetchError without the package, ProblemsError for bad rules.
    """
    connection = duckdb.connect()
    connection.execute("SET enable_progress_bar = false")
    try:
        result = gather(connection, index=index, rules=rules)
        write_text(out / "tcia-labels.md", page(result))
        with atomic_file(out / "tcia-labels.csv") as part:
            connection.execute(f"COPY ({_TABLE}) TO {quoted(str(part))} (HEADER)").fetchall()
    finally:
        connection.close()
    kept = result.first.get(ACCEPTED, 0)
    present = sum(1 for one in result.collections if one.ct + one.mr)
    return [
        f"{present} of {len(result.collections)} collections have CT or MR in release {result.release}: "
        f"{result.series} series of {result.patients} patients (printed {PRINTED_SERIES} of {PRINTED_PATIENTS})",
        f"left by the rules that the index can answer: {kept} (printed {PRINTED_KEPT})",
        f"page: {out / 'tcia-labels.md'}",
    ]


_TABLE = f"""
SELECT s.collection, s.patient_id, s.series_uid, s.modality, s.series_description, m.value AS sequence,
       m.rule AS sequence_rule, c.value AS coverage, e.reason AS first_reason, o.reasons AS other_reasons
FROM series s
JOIN labels m ON m.series_uid = s.series_uid AND m.label = 'modality'
JOIN labels c ON c.series_uid = s.series_uid AND c.label = 'coverage'
LEFT JOIN exclusions e ON e.series_uid = s.series_uid AND e.place = 0
LEFT JOIN (SELECT series_uid, string_agg(reason, ';' ORDER BY place) AS reasons FROM exclusions WHERE place > 0
           GROUP BY 1) o ON o.series_uid = s.series_uid
WHERE s.{_IMAGES} ORDER BY s.collection, s.patient_id, s.series_uid
"""


def gather(connection: duckdb.DuckDBPyConnection, *, index: Path | None = None, rules: Path = RADNET) -> TciaLabels:
    """Fills `series`, `labels` and `exclusions` of the printed collections, and counts."""
    read = read_rules(rules)
    names = [one.collection_id for one in printed_collections() if one.collection_id]
    index_series(connection, collections=names, folder=index)
    apply_rules(connection, read, absent=ABSENT)
    connection.execute(f"CREATE OR REPLACE TEMP VIEW images AS SELECT * FROM series WHERE {_IMAGES}").fetchall()

    def ask(query: str) -> tuple[tuple[Any, ...], ...]:
        return tuple(connection.execute(query).fetchall())

    counted = {row[0]: row[1:] for row in ask(
        "SELECT collection, count(DISTINCT patient_id), count(*) FILTER (modality = 'CT'), "
        "count(*) FILTER (modality = 'MR') FROM images GROUP BY 1"
    )}  # fmt: skip
    there = "FROM exclusions JOIN images USING (series_uid)"
    test = [quoted(one.collection_id) for one in printed_collections() if one.collection_id and one.table == "test"]
    return TciaLabels(
        release=index_version() if index is None else "",
        collections=tuple(
            CollectionCount(one, *counted.get(one.collection_id, (0, 0, 0))) for one in printed_collections()
        ),
        modalities=ask(
            "SELECT modality, count(*), count(DISTINCT patient_id) FROM series GROUP BY 1 ORDER BY 2 DESC, 1"
        ),
        first=outcomes(connection, source="images"),
        every=dict(ask(f"SELECT reason, count(*) {there} GROUP BY 1")),
        rules=ask(
            f"SELECT reason, one, count(*) FROM (SELECT reason, unnest(string_split(rule, ';')) AS one {there}) "
            "GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2"
        ),
        time_before_sequence=ask(
            "SELECT count(*) FILTER (timed), count(*) FILTER (NOT timed AND reason = 'sequence') FROM ("
            f"SELECT reason, series_uid IN (SELECT series_uid {there} WHERE reason = 'time_series') AS timed "
            f"{there} WHERE place = 0 AND reason IN ('sequence', 'time_series'))"
        )[0],
        labels=ask(
            "SELECT label, value, count(*), count(*) FILTER (series_uid NOT IN (SELECT series_uid FROM exclusions)) "
            "FROM labels JOIN images USING (series_uid) GROUP BY 1, 2 ORDER BY 1, 3 DESC, 2"
        ),
        silent=tuple(f"{where} / {rule.name}" for where, rule in read.all_rules() if set(rule.needs) & ABSENT),
        patients=ask("SELECT count(DISTINCT patient_id) FROM images")[0][0],
        shared=ask(
            "SELECT count(*) FROM (SELECT patient_id FROM images GROUP BY 1 HAVING "
            f"count(DISTINCT collection IN ({', '.join(test)})) > 1)"
        )[0][0],
    )


def page(result: TciaLabels) -> str:
    """All measured numbers, in the order in which the page speaks of them."""
    parts = [*_collections(result), *_modalities(result), *_reasons(result), *_rules(result), *_labels(result)]
    return "\n".join(parts).rstrip() + "\n"


def _collections(result: TciaLabels) -> list[str]:
    rows = []
    for one in result.collections:
        state = _STATES.get(one.printed.state, "") if one.ct + one.mr == 0 else ""
        found = (f"{one.patients:,}", f"{one.ct:,}", f"{one.mr:,}") if not state else ("", "", "")
        printed = one.printed
        rows.append((printed.printed, printed.table, printed.modality, f"{printed.patients:,}", *found, state))
    present = sum(1 for one in result.collections if one.ct + one.mr)
    printed_patients = sum(one.printed.patients for one in result.collections)
    total = (
        "together",
        "",
        "",
        f"{printed_patients:,}",
        f"{result.patients:,}",
        *_both(result),
        f"{present} collections",
    )
    header = ("collection", "part", "printed modality", "printed patients", "patients", "CT series", "MR series", "")
    shared = f"Patients with CT or MR in a training and in a test collection: {result.shared}."
    return ["## Collections", "", *_grid(header, [*rows, total]), "", shared, ""]


def _both(result: TciaLabels) -> tuple[str, str]:
    return f"{sum(one.ct for one in result.collections):,}", f"{sum(one.mr for one in result.collections):,}"


def _modalities(result: TciaLabels) -> list[str]:
    rows = [(modality, f"{series:,}", f"{patients:,}") for modality, series, patients in result.modalities]
    return ["## Series per modality", "", *_grid(("modality", "series", "patients"), rows), ""]


def _reasons(result: TciaLabels) -> list[str]:
    rows = []
    for reason in (*PRINTED, *(name for name in _WORDS if name not in PRINTED and name != "modality")):
        printed = f"{PRINTED[reason]:,}" if reason in PRINTED else ""
        first, every = result.first.get(reason, 0), result.every.get(reason, 0)
        rows.append((_WORDS[reason], printed, f"{first:,}", f"{every:,}"))
    rows.append(("left", f"{PRINTED_KEPT:,}", f"{result.first.get(ACCEPTED, 0):,}", ""))
    rows.append(("together", f"{PRINTED_SERIES:,}", f"{result.series:,}", ""))
    times, sequences = result.time_before_sequence
    both = PRINTED["sequence"] + PRINTED["time_series"]
    return [
        "## CT and MR series per reason of exclusion",
        "",
        *_grid(("reason", "printed", "here, first reason", "here, any place"), rows),
        "",
        f"With time series asked for before the sequence: time series {times:,}, sequence {sequences:,} (printed "
        f"{PRINTED['time_series']:,} and {PRINTED['sequence']:,}); together {times + sequences:,} in either order, "
        f"printed {both:,}.",
        "",
    ]


def _rules(result: TciaLabels) -> list[str]:
    rows = [(reason, rule, f"{series:,}") for reason, rule, series in result.rules]
    said = f"Silent, since the index lacks what they need: {', '.join(result.silent)}." if result.silent else ""
    return ["## Series per rule", "", *_grid(("reason", "rule", "CT and MR series"), rows), "", said, ""]


def _labels(result: TciaLabels) -> list[str]:
    rows = [(label, value, f"{series:,}", f"{left:,}") for label, value, series, left in result.labels]
    return ["## Labels", "", *_grid(("label", "value", "CT and MR series", "of these left"), rows), ""]


def _grid(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]
