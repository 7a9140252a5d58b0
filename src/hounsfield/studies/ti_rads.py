"""What the revision of ACR TI-RADS by a genetic algorithm is worth, on the readings released with it.

In: the folder of the released tables (mapping `ti-rads`). Out: `ti-rads.md` (every number of the study's page),
`tables.csv` and two figures. Source of the question: Wildman-Tobriner et al., Radiology 2019;292:112-119.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from hounsfield.core.atomic import atomic_file, write_text
from hounsfield.core.progress import Progress, silent
from hounsfield.guideline.genetic import AucFitness, Search
from hounsfield.guideline.nodules import Nodules, find_map, nodules_of
from hounsfield.guideline.point_table import PointTable, read_point_table
from hounsfield.guideline.search import free_options, run_many
from hounsfield.report.figures.ga_history import ga_history
from hounsfield.report.figures.near_ties import Operating, near_ties_figure
from hounsfield.studies.ti_rads_numbers import PARTS, TableRow, TiRadsResult, gather, near_ties, side
from hounsfield.studies.ti_rads_page import page
from hounsfield.tables.readings import read_reading_map, read_readings


def run_ti_rads(
    data: Path,
    out: Path,
    *,
    seed: int = 0,
    runs: int = 100,
    folds: int = 10,
    repetitions: int = 5,
    progress: Progress = silent,
) -> list[str]:
    """Makes the study in `out`; the same seed gives the same numbers.

    Args:
        data: folder of the released tables.
        runs: searches, with the seeds from `seed` on.
        folds, repetitions: of every nested cross-validation.

    Returns: the main numbers, a line each. Raises: as `read_readings`.
    """
    acr, ai = read_point_table("acr"), read_point_table("ai")
    train, test = nodules_by_part(data, acr)
    free = free_options(acr, train.features)
    area = AucFitness(train.features.matrix, train.features.override, train.label)
    searches = run_many(area, acr, free, seeds=range(seed, seed + runs), progress=progress)
    result = gather(
        (train, test), (acr, ai), searches, seed=seed, folds=folds, repetitions=repetitions, progress=progress
    )
    _write(out, result, searches)
    return [*_lines(result), f"page: {out / 'ti-rads.md'}"]


def nodules_by_part(data: Path, table: PointTable) -> tuple[Nodules, Nodules]:
    """The single expert's training and test nodules, from the folder of the released tables."""
    frame = read_readings(read_reading_map(find_map("ti-rads")), data)
    frame = frame[frame["reader"] == "expert"]
    parts = [nodules_of(frame[frame["part"] == part], table, named_wins=True)[0][0] for part in PARTS]
    return parts[0], parts[1]


def _lines(result: TiRadsResult) -> list[str]:
    honest, near = result.honest["as published"], near_ties(result)
    acr, ai = result.given
    found, spared = [one.test_found for one in near], [one.test_spared for one in near]
    return [
        f"training AUC: ACR {acr.training_auc:.6f}, AI {ai.training_auc:.6f}, best of {len(result.ends)} runs "
        f"{result.ends.max():.6f} ({result.ends_after.max():.6f} after the subtraction)",
        f"gain in AUC: apparent {honest.apparent:+.4f}, out of fold {honest.auc:.4f} (p {honest.p[0]:.3f})",
        f"{len(result.searched)} distinct tables, {len(near)} of them near ties; their FNA finds {min(found)} to "
        f"{max(found)} of {result.counts['test'][0]} malignant test nodules and spares {min(spared)} to {max(spared)} "
        f"of {result.counts['test'][1]} benign ones",
    ]


def _write(out: Path, result: TiRadsResult, searches: Sequence[Search]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    named = [*result.given, *result.searched, *result.picks.values()]
    with atomic_file(out / "tables.csv") as part:
        pd.DataFrame([row.flat(result.options) for row in named]).to_csv(part, index=False)
    drawn = near_ties_figure([_panel(result, part) for part in PARTS], name="ti-rads-near-ties", start="ACR")
    for ending, content in (("svg", drawn.svg), ("png", drawn.png)):
        with atomic_file(out / f"{drawn.name}.{ending}") as path:
            path.write_bytes(content)
    history = ga_history([one.record for one in searches])
    for ending in ("svg", "png"):
        with atomic_file(out / f"ti-rads-history.{ending}") as path:
            history.savefig(path, format=ending, dpi=130)
    write_text(out / "ti-rads.md", page(result))


def _panel(result: TiRadsResult, part: str) -> Operating:
    malignant, benign = result.counts[part]

    def at(row: TableRow) -> tuple[int, int]:
        _, found, spared = side(row, part)
        return spared, found

    marks = [*result.given, result.picks["declared rule"]]
    return Operating(
        f"{malignant + benign} {part} nodules",
        malignant,
        benign,
        [(one.spared, one.found) for one in result.shifts[part, "ACR"]],
        [(*at(row), row.runs) for row in result.searched],
        [(row.name, *at(row)) for row in marks],
    )
