"""`hounsfield check`: everything that is wrong with a cases table and its images, at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def check(
    cases: Annotated[Path, typer.Argument(help="Cases table, CSV or Parquet: case_id, patient_id, image, mask, ...")],
    label: Annotated[str, typer.Option(help="Column to be predicted, e.g. malignant: checks its values, too.")] = "",
    classes: Annotated[str, typer.Option(help="With --label: the values allowed, separated by commas, e.g. 0,1.")] = "",
    workers: Annotated[int, typer.Option(help="Processes that read images; 0 takes all cores.")] = 0,
) -> None:
    """Check a cases table and the images it names: every problem at once, and what to do about it."""
    from hounsfield.cli.progress import Bars
    from hounsfield.tables.check import check_cases

    allowed = tuple(value.strip() for value in classes.split(",") if value.strip())
    findings = check_cases(cases, label=label or None, classes=allowed or None, workers=workers, progress=Bars())
    for finding in findings:
        typer.echo(str(finding))
    errors = sum(finding.severity == "error" for finding in findings)
    typer.echo(f"{errors} error(s), {len(findings) - errors} warning(s).", err=True)
    if errors:
        raise typer.Exit(1)
