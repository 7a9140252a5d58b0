"""A point table searched on readings and written down with what it is worth: a frame of readings in, a folder out."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from hounsfield.core.errors import Problem, TableError
from hounsfield.core.progress import Progress, silent
from hounsfield.guideline.hold_out import HeldOut, HoldOut, evaluate, hold_out
from hounsfield.guideline.nodules import Nodules, nodules_of, with_truth
from hounsfield.guideline.out_of_fold import OutOfFold, out_of_fold
from hounsfield.guideline.point_table import PointTable
from hounsfield.guideline.size_term import size_classes, with_size
from hounsfield.guideline.way import Made, Way, make_table, maker
from hounsfield.studies.optimisation_page import lines_of, write_folder


@dataclass(frozen=True)
class Plan:
    """How a search is made and tried out.

    Attributes:
        seed: of the first run, the others count up; of the folds and of what is held out.
        way: how the table is made.
        size_term: the size classes become a category.
        folds: of the cross-validation; 0 leaves it out.
        repetitions: of the cross-validation.
        hold_out_part: readings of this part are held out; empty for none.
        hold_out_share: share of the patients held out at random; 0 for none.
    """

    seed: int
    way: Way = field(default_factory=Way)
    size_term: bool = False
    folds: int = 10
    repetitions: int = 5
    hold_out_part: str = ""
    hold_out_share: float = 0.0


@dataclass(frozen=True)
class Optimised:
    """What a search left behind.

    Attributes:
        table: the chosen one.
        made: the searches and all tables found.
        honest: what the way is worth on patients left out; None without folds.
        held: the chosen table on what was held out; None when nothing was.
        lines: all of it in words.
        problems: readings set aside.
    """

    table: PointTable
    made: Made
    honest: OutOfFold | None
    held: HeldOut | None
    lines: tuple[str, ...]
    problems: list[Problem]


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

    What the plan holds out is split off first and looked at once, when the table is made.

    Raises: TableError when the frame has several readers, or one class only on either side.
    """
    if plan.size_term:
        start = with_size(start)
        frame = frame.assign(size_class=size_classes(frame["size_cm"].tolist()) if "size_cm" in frame else "")
    split = None
    if plan.hold_out_part or plan.hold_out_share:
        split = hold_out(frame, part=plan.hold_out_part, share=plan.hold_out_share, seed=plan.seed)
    nodules, problems = _nodules(split.search if split else frame, start, named_wins)
    aside = None
    if split:
        aside, more = _held_nodules(split, start, named_wins)
        problems += more
    known = (nodules.features, nodules.label, nodules.size_cm)
    seeds = range(plan.seed, plan.seed + plan.way.runs)
    made = make_table(plan.way, start, *known, seeds=seeds, progress=progress)
    honest = _out_of_fold(nodules, start, plan, progress)
    points = dict(zip(start.option_names, made.chosen.points.tolist(), strict=True))
    source = f"searched from {start.name} on {len(nodules.case_id)} nodules, seeds {seeds[0]} to {seeds[-1]}"
    table = start.with_points(points, name=f"{start.name}, optimised", source=source)
    held = evaluate(aside, start, table, split=split, seed=plan.seed) if split and aside else None
    lines = lines_of(nodules, made, honest, held, folds=plan.folds, repetitions=plan.repetitions)
    write_folder(folder, table, start, made, held, lines, way=plan.way, seed=plan.seed)
    return Optimised(table, made, honest, held, tuple(lines), problems)


def _nodules(frame: pd.DataFrame, start: PointTable, named_wins: bool) -> tuple[Nodules, list[Problem]]:
    readers, problems = nodules_of(frame, start, named_wins=named_wins)
    if len(readers) != 1:
        names = ", ".join(one.reader for one in readers)
        raise TableError(f"a search needs the readings of one reader; got {names or 'none'}. Choose with --reader.")
    return with_truth(readers[0]), problems


def _held_nodules(split: HoldOut, start: PointTable, named_wins: bool) -> tuple[Nodules, list[Problem]]:
    try:
        return _nodules(split.held, start, named_wins)
    except TableError as error:
        raise TableError(f"held out ({split.how}): {error}") from error


def _out_of_fold(nodules: Nodules, start: PointTable, plan: Plan, progress: Progress) -> OutOfFold | None:
    if not plan.folds:
        return None
    return out_of_fold(
        nodules.features,
        nodules.label,
        nodules.size_cm,
        nodules.patient_id,
        table=start,
        make=maker(plan.way, start),
        seed=plan.seed,
        folds=plan.folds,
        repetitions=plan.repetitions,
        progress=progress,
    )
