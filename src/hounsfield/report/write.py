"""The report's folder: content in; report.html, metrics, comparisons and more as tables, checklists/, figures/ out.

The page is one file with its figures inside. Each file appears whole or not at all, the page last, so that a page that
is there belongs to the tables beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from hounsfield.core.atomic import atomic_file, atomic_folder, write_text
from hounsfield.core.errors import TableError
from hounsfield.core.progress import Progress, silent
from hounsfield.report.checklist import facts_of, filled
from hounsfield.report.chosen_features import chosen_table
from hounsfield.report.cohort_table import cohort_table
from hounsfield.report.content import ReportContent
from hounsfield.report.detections import evaluate_detections
from hounsfield.report.evaluate import Evaluation, evaluate
from hounsfield.report.extra import Extra
from hounsfield.report.filled import Filled
from hounsfield.report.page import page_context
from hounsfield.report.pictures import Pictures, pictures_of
from hounsfield.report.reading import evaluate_readings
from hounsfield.report.subgroups import subgroups
from hounsfield.report.validation import validation_table


def write_report(
    content: ReportContent,
    out: Path,
    progress: Progress = silent,
    *,
    evaluation: Evaluation | None = None,
    seed: int = 0,
    resamples: int = 2000,
) -> Path:
    """Evaluates the predictions and writes the report into `out`.

    Args:
        evaluation: of these predictions, if it has been made already; `seed` and `resamples` are not used then.
        seed: of the bootstrap; the same seed and content give the same bytes.
        resamples: of the bootstrap.
    Returns: path of report.html.
    Raises: ProblemsError or TableError for predictions that can't be evaluated.
    """
    evaluation = evaluation or evaluate(
        content.predictions,
        content.targets,
        arms=content.arms,
        seed=seed,
        comparisons=content.comparisons,
        resamples=resamples,
        ranked=content.ranked,
        progress=progress,
    )
    extra = _extra(content, evaluation, evaluation.seed, evaluation.resamples)
    pictures = pictures_of(content, evaluation, extra=extra, progress=progress)
    _write_tables(evaluation, out)
    _write_extra(extra.tables(), out)
    _write_checklists(extra.checklists, out / "checklists")
    _write_figures(pictures, out / "figures")
    page = out / "report.html"
    write_text(page, render(page_context(content, evaluation, pictures, extra)))
    return page


def _extra(content: ReportContent, evaluation: Evaluation, seed: int, resamples: int) -> Extra:
    """What only some reports have."""
    detected = None
    if content.detections is not None:
        pairs = content.comparisons
        detected = evaluate_detections(content.detections, seed=seed, resamples=resamples, pairs=pairs)
    read = None
    if content.readings is not None:
        target = next((name for name, classes in content.targets.items() if len(classes) == 2), None)
        if target is None:
            raise TableError("readings need a target of two classes to be held against. Give its predictions.")
        read = evaluate_readings(content.readings, evaluation.repeats[target], seed=seed, resamples=resamples)
    cohort = cohort_table(content) if content.targets else None
    held = validation_table(content, seed=seed, resamples=resamples)
    found = Extra(cohort, subgroups(content, evaluation), detected, read, chosen_table(content), validation=held)
    return replace(found, checklists=filled(facts_of(content, evaluation, found)))


def _write_checklists(lists: Sequence[Filled], folder: Path) -> None:
    with atomic_folder(folder) as temporary:
        for one in lists:
            # With a byte order mark, since authors open these in a spreadsheet.
            one.rows.to_csv(temporary / f"{one.key}.csv", index=False, encoding="utf-8-sig")


def render(context: dict[str, Any]) -> str:
    """The page; every value is escaped, since class names and case ids come from users' tables."""
    environment = Environment(
        loader=PackageLoader("hounsfield.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(context) + "\n"


def _write_tables(evaluation: Evaluation, out: Path) -> None:
    for name, table in (("metrics", evaluation.metrics), ("comparisons", evaluation.comparisons)):
        with atomic_file(out / f"{name}.csv") as temporary:
            table.to_csv(temporary, index=False)
        with atomic_file(out / f"{name}.parquet") as temporary:
            table.to_parquet(temporary, index=False)


def _write_extra(tables: Mapping[str, pd.DataFrame], out: Path) -> None:
    """Tables that only some reports have; one of an earlier report must not stay beside this page."""
    for name, table in tables.items():
        for ending in ("csv", "parquet"):
            (out / f"{name}.{ending}").unlink(missing_ok=True)
        if not table.empty:
            with atomic_file(out / f"{name}.csv") as temporary:
                table.to_csv(temporary, index=False)
            with atomic_file(out / f"{name}.parquet") as temporary:
                table.to_parquet(temporary, index=False)


def _write_figures(pictures: Pictures, folder: Path) -> None:
    with atomic_folder(folder) as temporary:
        for picture in pictures.all():
            (temporary / f"{picture.name}.svg").write_bytes(picture.svg)
            (temporary / f"{picture.name}.png").write_bytes(picture.png)
