"""A point table searched on readings and written down with what it is worth: a frame of readings in, a folder out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from hounsfield.core.atomic import atomic_file
from hounsfield.core.errors import Problem, TableError
from hounsfield.core.progress import Progress, silent
from hounsfield.guideline.genetic import AucFitness, Fitness, Search, Settings
from hounsfield.guideline.nodules import Nodules, nodules_of, with_truth
from hounsfield.guideline.point_table import Category, Option, PointTable, write_point_table
from hounsfield.guideline.search import (
    TI_RADS_ORDER,
    DecisionFitness,
    Found,
    Nested,
    chosen,
    decision,
    free_options,
    in_order,
    nested,
    run_many,
    tables_found,
)
from hounsfield.report.figures.ga_history import ga_history
from hounsfield.report.figures.point_chart import point_chart

_SIZES = (("below_1_cm", "below 1 cm", 0.0), ("from_1_cm", "1 to 1.4 cm", 1.0), ("from_1_5_cm", "1.5 to 2.4 cm", 1.5))
SIZE_CLASSES = (*_SIZES, ("from_2_5_cm", "2.5 cm and more", 2.5))


@dataclass(frozen=True)
class Plan:
    """How a search is made; the defaults are the published algorithm, twenty times, and an honest estimate of its gain.

    Attributes:
        ordered: points never fall along `search.TI_RADS_ORDER`.
        strict: reference options are held at 0.
        fitness: "auc", or "fna" (specificity at the start table's sensitivity).
        size_term: the size classes become a category.
        folds: of the nested cross-validation; 0 leaves it out.
    """

    seed: int
    runs: int = 20
    settings: Settings = field(default_factory=Settings)
    ordered: bool = False
    strict: bool = False
    fitness: str = "auc"
    size_term: bool = False
    folds: int = 10
    repetitions: int = 5


@dataclass(frozen=True)
class Optimised:
    """What a search left behind."""

    table: PointTable
    start: Found
    chosen: Found
    near_ties: tuple[Found, ...]
    nested: Nested | None
    lines: tuple[str, ...]
    problems: list[Problem]


def with_size(table: PointTable) -> PointTable:
    """The table with a category of size classes, all at 0 points, so that a search may weigh the size itself."""
    options = tuple(Option(key=key, title=title, points=0) for key, title, _ in SIZE_CLASSES)
    size = Category(key="size_class", title="Size", options=options)
    return PointTable(
        name=f"{table.name} with size",
        source=table.source,
        categories=(*table.categories, size),
        overrides=table.overrides,
        levels=table.levels,
    )


def size_classes(size_cm: Sequence[float]) -> list[str]:
    """The key of each size's class; empty where the size is missing, which sets the reading aside."""
    starts = [start for _, _, start in SIZE_CLASSES]
    places = np.searchsorted(starts, np.asarray(size_cm, dtype=np.float64) + 1e-8, side="right") - 1
    known = np.isfinite(np.asarray(size_cm, dtype=np.float64))
    return [SIZE_CLASSES[place][0] if there else "" for place, there in zip(places, known, strict=True)]


def optimise_table(
    frame: pd.DataFrame,
    start: PointTable,
    plan: Plan,
    folder: Path,
    *,
    named_wins: bool = False,
    progress: Progress = silent,
) -> Optimised:
    """Searches, chooses by the declared rule, writes `table.yaml`, its chart, tables and figures into `folder`.

    Raises: TableError when the frame has several readers, or one class only.
    """
    if plan.size_term:
        start = with_size(start)
        frame = frame.assign(size_class=size_classes(frame["size_cm"].tolist()) if "size_cm" in frame else "")
    readers, problems = nodules_of(frame, start, named_wins=named_wins)
    if len(readers) != 1:
        names = ", ".join(one.reader for one in readers)
        raise TableError(f"a search needs the readings of one reader; got {names or 'none'}. Choose with --reader.")
    nodules = with_truth(readers[0])
    free = free_options(start, nodules.features, strict=plan.strict)
    repair = in_order(start, TI_RADS_ORDER, free) if plan.ordered else None
    base = decision(start.points, start, nodules.features, nodules.label, nodules.size_cm)
    fitness: Fitness = AucFitness(nodules.features.matrix, nodules.features.override, nodules.label)
    start_auc = float(fitness(start.points[None])[0])
    if plan.fitness == "fna":
        fitness = DecisionFitness(nodules.features, nodules.label, nodules.size_cm, table=start, floor=base[0])
    searches = run_many(
        fitness,
        start,
        free,
        seeds=range(plan.seed, plan.seed + plan.runs),
        settings=plan.settings,
        repair=repair,
        progress=progress,
    )
    found = tables_found(searches, start, free, nodules.features, nodules.label, nodules.size_cm)
    begin = Found(start.points, start.points, start_auc, *base, 0, 0)
    pick = _choice(found, plan, base)
    points = dict(zip(start.option_names, pick.points.tolist(), strict=True))
    seeds = f"seeds {plan.seed} to {plan.seed + plan.runs - 1}"
    source = f"searched from {start.name} on {len(nodules.case_id)} nodules, {seeds}"
    table = start.with_points(points, name=f"{start.name}, optimised", source=source)
    honest = _nested(nodules, start, plan, progress)
    lines = _lines(nodules, begin, pick, found, honest, plan)
    _write(folder, table, start, searches, found, lines, plan)
    return Optimised(table, begin, pick, tuple(found), honest, tuple(lines), problems)


def _choice(found: Sequence[Found], plan: Plan, base: tuple[float, float]) -> Found:
    if plan.fitness == "fna":
        return max(found, key=lambda one: (one.sensitivity >= base[0] - 1e-12, one.specificity, one.auc))
    return chosen(found, sensitivity=base[0])


def _nested(nodules: Nodules, start: PointTable, plan: Plan, progress: Progress) -> Nested | None:
    if not plan.folds or plan.fitness != "auc":
        return None
    return nested(
        nodules.features,
        nodules.label,
        nodules.patient_id,
        start,
        seed=plan.seed,
        folds=plan.folds,
        repetitions=plan.repetitions,
        settings=plan.settings,
        chains=TI_RADS_ORDER if plan.ordered else (),
        strict=plan.strict,
        progress=progress,
    )


def _lines(
    nodules: Nodules, begin: Found, pick: Found, found: Sequence[Found], honest: Nested | None, plan: Plan
) -> list[str]:
    positives, negatives = int((nodules.label == 1).sum()), int((nodules.label == 0).sum())
    best = found[0]

    def words(one: Found) -> str:
        return (
            f"AUC {one.auc:.4f}, FNA for {one.sensitivity * positives:.0f} of {positives} malignant, "
            f"spared {one.specificity * negatives:.0f} of {negatives} benign, {one.changed} options changed"
        )

    lines = [
        f"{positives} malignant and {negatives} benign nodules; {plan.runs} runs ended at {len(found)} distinct tables",
        f"start: {words(begin)}",
        f"highest AUC: {words(best)}",
        f"chosen: {words(pick)}",
    ]
    if honest is not None:
        lines.append(
            f"gain in AUC: {pick.auc - begin.auc:+.4f} on the nodules searched on, {honest.gain:+.4f} on held-out "
            f"patients ({honest.start.mean():.4f} to {honest.found.mean():.4f}; "
            f"{plan.folds} folds, {plan.repetitions} repetitions)"
        )
    lines.append("What is searched on flatters. Test the chosen table on other patients before anyone uses it.")
    return lines


def _write(
    folder: Path,
    table: PointTable,
    start: PointTable,
    searches: Sequence[Search],
    found: Sequence[Found],
    lines: Sequence[str],
    plan: Plan,
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_point_table(table, folder / "table.yaml")
    history = [
        {"run": plan.seed + run, "generation": generation, "record": record, "best": best, "mean": mean}
        for run, one in enumerate(searches)
        for generation, (record, best, mean) in enumerate(zip(one.record, one.best, one.mean, strict=True))
    ]
    ties = [
        {
            "auc": one.auc,
            "fna_sensitivity": one.sensitivity,
            "fna_specificity": one.specificity,
            "changed": one.changed,
            "runs": one.runs,
            **dict(zip(start.option_names, one.points.tolist(), strict=True)),
        }
        for one in found
    ]
    for name, records in (("history.csv", history), ("near_ties.csv", ties)):
        with atomic_file(folder / name) as part:
            pd.DataFrame(records).to_csv(part, index=False)
    figures = {
        "chart": point_chart(table, reference=start),
        "history": ga_history([one.record for one in searches], name=_FITNESS[plan.fitness]),
    }
    for name, figure in figures.items():
        for ending in ("svg", "png", *(("pdf",) if name == "chart" else ())):
            with atomic_file(folder / f"{name}.{ending}") as part:
                figure.savefig(part, format=ending, dpi=150)
    with atomic_file(folder / "optimise.md") as part:
        part.write_text("\n".join([f"# {table.name}", "", *(f"- {line}" for line in lines)]) + "\n", encoding="utf-8")


_FITNESS = {"auc": "AUC on the nodules searched on", "fna": "Specificity of FNA on the nodules searched on"}
