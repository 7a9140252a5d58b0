"""Made-up rows of the table `series`, and what the shipped rules say of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from hounsfield.catalog.labels.labels import apply_rules
from hounsfield.catalog.labels.rules import Rules, read_rules
from hounsfield.catalog.store import create

AXIAL, CORONAL, SAGITTAL = [1.0, 0, 0, 0, 1, 0], [1.0, 0, 0, 0, 0, -1], [0, 1.0, 0, 0, 0, -1]
_CT_CLASS, _MR_CLASS = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"


@dataclass(frozen=True)
class Outcome:
    """What the rules say of one series: value and rule of each label, reasons in order, remarks."""

    labels: dict[str, str]
    rules: dict[str, str]
    reasons: tuple[str, ...]
    remarks: tuple[str, ...]


def ct(description: str | None = "Serie 2", **more: Any) -> dict[str, Any]:
    """A sound CT: 100 axial slices of 3 mm, 350 mm wide."""
    row = {"modality": "CT", "sop_class": _CT_CLASS, "image_type": "ORIGINAL\\PRIMARY\\AXIAL", **_stack(100, 3.0)}
    return (
        row | {"rows": 512, "columns": 512, "row_mm": 0.7, "column_mm": 0.7, "series_description": description} | more
    )


def mr(description: str | None = "Serie 2", sequence: str | None = "SE", *times: float | None, **more: Any) -> Any:
    """A sound MR: 24 axial slices of 5 mm, 230 mm wide; `times` are TR, TE and TI in ms, T1-weighted if not given."""
    row = {"modality": "MR", "sop_class": _MR_CLASS, "image_type": "ORIGINAL\\PRIMARY\\M\\ND", **_stack(24, 5.0)}
    row |= {"rows": 256, "columns": 256, "row_mm": 0.9, "column_mm": 0.9, "series_description": description}
    row |= {"scanning_sequence": sequence, "sequence_variant": "SK"}
    row |= dict(zip(("repetition_time", "echo_time", "inversion_time"), times or (500.0, 12.0), strict=False))
    return row | more


def _stack(count: int, spacing: float) -> dict[str, Any]:
    counts = {"objects": count, "planes": count, "slices": count, "volumes": 1, "spacing_mm": spacing}
    facts = {"length_mm": count * spacing, "orientation": AXIAL, "regular": True, "repeated": False, "temporal": ""}
    return counts | facts


def outcomes_of(rows: Sequence[dict[str, Any]], rules: Rules | None = None) -> list[Outcome]:
    """The outcome of each row, in order; all in one go, as the rules work on whole tables."""
    connection = duckdb.connect()
    create(connection)
    for number, row in enumerate(rows):
        named = {**row, "series_uid": f"{number:05d}"}
        marks = ", ".join("?" * len(named))
        connection.execute(f"INSERT INTO series ({', '.join(named)}) VALUES ({marks})", list(named.values()))
    apply_rules(connection, rules or read_rules())
    labels = connection.execute("SELECT series_uid, label, value, rule FROM labels").fetchall()
    reasons = connection.execute("SELECT series_uid, reason FROM exclusions ORDER BY series_uid, place").fetchall()
    remarks = connection.execute("SELECT series_uid, what FROM remarks ORDER BY what").fetchall()
    return [
        Outcome(
            {label: value for one, label, value, _ in labels if one == uid},
            {label: rule for one, label, _, rule in labels if one == uid},
            tuple(reason for one, reason in reasons if one == uid),
            tuple(what for one, what in remarks if one == uid),
        )
        for uid in (f"{number:05d}" for number in range(len(rows)))
    ]
