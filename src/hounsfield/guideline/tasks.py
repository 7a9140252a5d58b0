"""What the commands do with a frame of readings: scored nodules, or two tables compared and written to a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hounsfield.core.atomic import atomic_file
from hounsfield.core.errors import Problem
from hounsfield.guideline.compare import Changes, Row, Shifted, changes, compare, read_both, shifted, spared_at
from hounsfield.guideline.nodules import Nodules, nodules_of, on_common_cases, with_truth
from hounsfield.guideline.point_table import PointTable
from hounsfield.guideline.score import level_of, manage, points_of
from hounsfield.stats.estimate import Estimate


def score_readings(
    frame: pd.DataFrame, table: PointTable, *, named_wins: bool = False
) -> tuple[pd.DataFrame, list[Problem]]:
    """Points, level and recommendation of every reading that can be used.

    Returns: `case_id, patient_id, reader, points, level, recommendation` (empty text where the size is missing), and
        the readings that were set aside.
    """
    readers, problems = nodules_of(frame, table, named_wins=named_wins)
    parts = []
    for one in readers:
        points = points_of(one.features, table)
        level = level_of(points, table)
        sized = np.isfinite(one.size_cm) & (one.size_cm > 0)
        # A size of 1 cm stands in where none is known; what it would recommend is not shown.
        words = manage(one.features, np.where(sized, one.size_cm, 1.0), table).recommendation()
        part = {
            "case_id": one.case_id,
            "patient_id": one.patient_id,
            "reader": one.reader,
            "points": points,
            "level": [table.levels[place].name for place in level],
            "recommendation": [word if known else "" for word, known in zip(words, sized, strict=True)],
        }
        parts.append(pd.DataFrame(part))
        for place in np.flatnonzero(~sized):
            where = f"case {one.case_id[place]}, reader {one.reader}"
            problems.append(Problem(where, "has no size above 0: no recommendation.", "Fill size_cm."))
    return pd.concat(parts, ignore_index=True), problems


@dataclass(frozen=True)
class Compared:
    """Two tables on the same readings.

    Attributes:
        rows: performance of every reader and, with two or more of a group, of their mean.
        changes: by reader.
        shifts: by reader, what each table reaches when a constant is added to its points.
    """

    first: PointTable
    second: PointTable
    rows: tuple[Row, ...]
    changes: dict[str, Changes]
    shifts: dict[str, tuple[list[Shifted], list[Shifted]]]
    malignant: dict[str, int]
    benign: dict[str, int]
    problems: list[Problem]

    def write(self, folder: Path) -> list[str]:
        """Writes `performance.csv`, `changes.csv`, `shifted.csv` and `compare.md`; returns the lines of the last."""
        folder.mkdir(parents=True, exist_ok=True)
        names = (self.first.name, self.second.name)
        for name, frame in (
            ("performance.csv", performance_table(self.rows, names)),
            ("changes.csv", _changes(self)),
            ("shifted.csv", _shifted(self)),
        ):
            with atomic_file(folder / name) as part:
                frame.to_csv(part, index=False)
        lines = _page(self)
        with atomic_file(folder / "compare.md") as part:
            part.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return lines


def compare_tables(
    frame: pd.DataFrame,
    first: PointTable,
    second: PointTable,
    *,
    seed: int,
    by_patient: bool = True,
    resamples: int = 2000,
    named_wins: bool = False,
) -> Compared:
    """Compares two tables on every reader of a frame; readers of one group also on average, on their common cases.

    Args:
        by_patient: resample patients; False resamples nodules, as the printed figures of the TI-RADS study did.

    Raises: TableError when a reader lacks a class or readers of a group share no case.
    """
    readers, problems = nodules_of(frame, first, named_wins=named_wins)
    readers = [with_truth(one) for one in readers]
    groups: dict[str, list[Nodules]] = {}
    for one in readers:
        groups.setdefault(one.group or one.reader, []).append(one)
    rows: list[Row] = []
    changed: dict[str, Changes] = {}
    shifts: dict[str, tuple[list[Shifted], list[Shifted]]] = {}
    for name, members in groups.items():
        common = on_common_cases(members) if len(members) > 1 else members
        label = common[0].label
        patients = list(common[0].patient_id) if by_patient else None
        both = [read_both(one.reader, one.features, one.size_cm, first, second) for one in common]
        title = f"mean of {len(members)} ({name})"
        rows += compare(label, both, seed=seed, patient_id=patients, group=title, resamples=resamples)
        for one, reading in zip(common, both, strict=True):
            changed[one.reader] = changes(label, reading, len(first.levels))
            shifts[one.reader] = (
                shifted(label, one.features, one.size_cm, first),
                shifted(label, one.features, one.size_cm, second),
            )
    malignant = {one.reader: int((one.label == 1).sum()) for one in readers}
    benign = {one.reader: int((one.label == 0).sum()) for one in readers}
    return Compared(first, second, tuple(rows), changed, shifts, malignant, benign, problems)


def performance_table(rows: Sequence[Row], names: tuple[str, str]) -> pd.DataFrame:
    """A row a reader and metric: value and interval under both tables, difference, p-values, what the interval is."""
    records = []
    for row in rows:
        record: dict[str, Any] = {"reader": row.reader, "metric": row.metric}
        for name, estimate in ((names[0], row.first), (names[1], row.second), ("difference", row.difference)):
            record |= {name: estimate.value, f"{name} low": estimate.low, f"{name} high": estimate.high}
        record |= {"p": row.p, "p_mcnemar": row.mcnemar, "n": row.first.n, "unit": row.first.unit}
        records.append(record | {"method": row.first.method})
    return pd.DataFrame(records)


def _changes(found: Compared) -> pd.DataFrame:
    names = [level.name for level in found.first.levels]
    records = []
    for reader, one in found.changes.items():
        for kind, word in enumerate(("benign", "malignant")):
            for before, line in zip(names, one.levels[kind], strict=True):
                cells = {f"to {after}": int(count) for after, count in zip(names, line, strict=True)}
                records.append({"reader": reader, "class": word, "from": before, **cells})
    return pd.DataFrame(records)


def _shifted(found: Compared) -> pd.DataFrame:
    records = []
    for reader, sides in found.shifts.items():
        for table, rows in zip((found.first, found.second), sides, strict=True):
            for row in rows:
                records.append(
                    {
                        "reader": reader,
                        "table": table.name,
                        "added to points": row.offset,
                        "malignant with FNA": row.found,
                        "malignant": found.malignant[reader],
                        "benign without FNA": row.spared,
                        "benign": found.benign[reader],
                    }
                )
    return pd.DataFrame(records)


def _page(found: Compared) -> list[str]:
    first, second = found.first.name, found.second.name
    lines = [f"# {second} against {first}", ""]
    lines += [
        f"| reader | metric | {first} | {second} | difference | p | exact McNemar p |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in found.rows:
        cells = [_cell(row.first), _cell(row.second), _cell(row.difference, sign=True)]
        exact = "" if np.isnan(row.mcnemar) else p_words(row.mcnemar)
        lines.append(f"| {row.reader} | {row.metric} | {' | '.join(cells)} | {p_words(row.p)} | {exact} |")
    one = found.rows[0].first
    lines += ["", f"95 % intervals and p: {one.method}; a p is 2 (hits + 1) / (resamples + 1) and not corrected.", ""]
    lines += [
        "| reader | level lower | higher | FNA lost: benign | malignant | gained: benign | malignant |",
        "|---" * 7 + "|",
    ]
    for reader, change in found.changes.items():
        flips = [*change.lost, *change.gained]
        lines.append(f"| {reader} | {change.lower} | {change.higher} | {' | '.join(map(str, flips))} |")
    lines += [
        "",
        f"At the sensitivity of {second}: benign nodules spared when a constant is added to all points of {first}",
        "",
    ]
    for reader, (before, after) in found.shifts.items():
        here = next(row for row in after if row.offset == 0)
        number, how = spared_at(before, here.found)
        lines.append(
            f"- {reader}: {here.found} of {found.malignant[reader]} found; {second} spares {here.spared} of "
            f"{found.benign[reader]}, {first} {number:.4g} ({how})"
        )
    return lines


def _cell(estimate: Estimate, *, sign: bool = False) -> str:
    mark = "+" if sign else ""
    return f"{estimate.value:{mark}.3f} ({estimate.low:{mark}.3f} to {estimate.high:{mark}.3f})"


def p_words(value: float) -> str:
    """A p-value as the pages write it."""
    return f"{value:.2g}" if value >= 0.001 else f"{value:.1e}"
