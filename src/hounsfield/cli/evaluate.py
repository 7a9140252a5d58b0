"""`hounsfield evaluate`: the report of any model from its predictions, or from a table of labels and scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from hounsfield.report.content import ReportContent


def evaluate(
    out: Annotated[Path, typer.Option(help="Folder for report.html, metrics, comparisons and figures.")],
    predictions: Annotated[
        list[Path] | None, typer.Argument(help="Predictions tables, or tables of scores, CSV or Parquet.")
    ] = None,
    label: Annotated[str, typer.Option(help="Tables of scores: column of the reference class.")] = "",
    score: Annotated[list[str] | None, typer.Option(help="Column of a score; again for another arm.")] = None,
    patient: Annotated[str, typer.Option(help="Column of the patient; none when each row is another patient.")] = "",
    case: Annotated[str, typer.Option(help="Column of the case; the row number when absent.")] = "",
    positive: Annotated[str, typer.Option(help="Value of the label that is the positive class.")] = "",
    split: Annotated[str, typer.Option(help="Column with train, validation, test; operating points need it.")] = "",
    site: Annotated[str, typer.Option(help="Column of the site.")] = "",
    cases: Annotated[
        Path | None, typer.Option(help="Covariates by case_id: a cohort table, and columns to group by.")
    ] = None,
    subgroup: Annotated[
        list[str] | None, typer.Option(help="Covariate to split the AUC by; again for another.")
    ] = None,
    trivial: Annotated[list[str] | None, typer.Option(help="Arm that is trivial (size, age): the bar to pass.")] = None,
    compare: Annotated[
        list[str] | None, typer.Option(help="Two arms to compare, FIRST:SECOND; again for more.")
    ] = None,
    detections: Annotated[
        list[Path] | None, typer.Option(help="Marks of a detector: case_id, score, z_mm, y_mm, x_mm; again for more.")
    ] = None,
    lesions: Annotated[Path | None, typer.Option(help="Lesions to be found: case_id, position, diameter_mm.")] = None,
    volumes: Annotated[Path | None, typer.Option(help="Every volume searched: case_id, patient_id.")] = None,
    hit: Annotated[str, typer.Option(help="What a hit is: radius, distance:MM, iou:SHARE or inside.")] = "radius",
    readings: Annotated[
        Path | None, typer.Option(help="Readers' ratings of the cases: case_id, reader, rating; modality, call.")
    ] = None,
    title: Annotated[str, typer.Option(help="Of the report.")] = "",
    resamples: Annotated[int, typer.Option(min=100, help="Of the bootstrap.")] = 2000,
    seed: Annotated[int, typer.Option(help="Of the bootstrap.")] = 0,
) -> None:
    """Evaluate PREDICTIONS: every metric with its interval, paired comparisons, subgroups, one HTML report."""
    from hounsfield.cli.progress import Bars
    from hounsfield.report.write import write_report
    from hounsfield.studies.evaluation import Request, content_of

    request = Request(
        paths=tuple(predictions or ()),
        label=label,
        scores=tuple(score or ()),
        patient=patient,
        case=case,
        positive=positive,
        split=split,
        site=site,
        cases=cases,
        subgroups=tuple(subgroup or ()),
        trivial=tuple(trivial or ()),
        comparisons=tuple(_pair(text) for text in compare or ()),
        title=title,
        detections=tuple(detections or ()),
        lesions=lesions,
        volumes=volumes,
        hit=hit,
        readings=readings,
    )
    content, notes = content_of(request)
    page = write_report(content, out, progress=Bars(), seed=seed, resamples=resamples)
    for line in [*_headlines(out, content), *notes]:
        typer.echo(line)
    typer.echo(f"report: {page}")


def _headlines(out: Path, content: ReportContent) -> Sequence[str]:
    import pandas as pd

    table = pd.read_parquet(out / "metrics.parquet")
    rows = table[(table["metric"] == "auc") & (table["seed"].astype(str) == "all")]
    lines = []
    for row in rows.to_dict("records"):
        name = f"{row['target']}, {row['arm']}" if len(content.targets) > 1 else row["arm"]
        lines.append(f"{name}: AUC {row['value']:.3f} ({_span(row)}; {row['n']} {row['unit']})")
    if content.detections is not None:
        table = pd.read_parquet(out / "detections.parquet")
        for row in table[table["metric"] == "CPM"].to_dict("records"):
            lines.append(f"{row['arm']}: CPM {row['value']:.3f} ({_span(row)})")
    return lines


def _span(row: Mapping[Any, Any]) -> str:
    return "no interval" if row["low"] != row["low"] else f"95 % CI {row['low']:.3f} to {row['high']:.3f}"


def _pair(text: str) -> tuple[str, str]:
    first, colon, second = text.partition(":")
    if not colon or not first or not second:
        raise typer.BadParameter(f"--compare takes FIRST:SECOND; got '{text}'")
    return first, second
