"""`hounsfield catalog cohort` and `hounsfield catalog split`: from a catalog to a cases table, and its parts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    import pandas as pd

    from hounsfield.studies.splitting import SplitPlan


def cohort(
    catalog: Annotated[Path, typer.Argument(help="Catalog of the archive (.duckdb).")],
    rules: Annotated[str, typer.Option(help="Rules (.yaml), or the name of a cohort of the package.")],
    out: Annotated[Path, typer.Option(help="Cases table to write, .csv or .parquet; lists and drawing lie beside it.")],
    outcomes: Annotated[
        Path | None, typer.Option(help="Spreadsheet of outcomes, CSV, Parquet or Excel, that the rules join.")
    ] = None,
    join: Annotated[
        str, typer.Option(help="What a row of it is about: patient, accession, study or series; else the rules say.")
    ] = "",
    key: Annotated[str, typer.Option(help="Its column with that identifier; else the rules say.")] = "",
    archive: Annotated[Path | None, typer.Option(help="Folder of the archive, if it has moved since the scan.")] = None,
) -> None:
    """Select the cases of a study from CATALOG by rules, counted step by step, and draw the flow."""
    from hounsfield.studies.catalog_cohort import load_rules, write_catalog_cohort

    found, files = write_catalog_cohort(
        catalog, load_rules(rules), out, outcomes=outcomes, join=join, key=key, archive=archive
    )
    for line in found.flow.lines():
        typer.echo(line)
    if found.unmatched_rows is not None and len(found.unmatched_rows):
        typer.echo(
            f"{len(found.unmatched_rows)} row(s) of the spreadsheet without a case: {_beside(out, 'rows')}", err=True
        )
    if found.unmatched_series is not None and len(found.unmatched_series):
        typer.echo(f"{len(found.unmatched_series)} series without a row: {_beside(out, 'series')}", err=True)
    for note in found.notes:
        typer.echo(note, err=True)
    typer.echo(f"flow: {files[0]}")
    typer.echo(f"cases: {files[-1]}")


def split(
    cases: Annotated[Path, typer.Argument(help="Cases table, CSV or Parquet.")],
    out: Annotated[Path, typer.Option(help="Cases table to write with the parts in columns of their own.")],
    label: Annotated[list[str], typer.Option(help="Label to balance; again for another.")],
    site: Annotated[str, typer.Option(help="Column of the site: balanced too, or left out one by one.")] = "",
    kind: Annotated[
        Literal["hold-out", "k-fold", "nested", "leave-one-site-out", "hold-out-sites"],
        typer.Option(help="Which split."),
    ] = "hold-out",
    shares: Annotated[
        str, typer.Option(help="Hold-out: training:validation:test or training:test, e.g. 70:15:15, 4:1.")
    ] = "56:14:30",
    folds: Annotated[int, typer.Option(min=2, help="k-fold: how many.")] = 5,
    validation: Annotated[
        float, typer.Option(min=0, max=0.9, help="k-fold and by site: share of the rest to validate on.")
    ] = 0.20,
    repetitions: Annotated[int, typer.Option(min=1, help="Independent splits.")] = 1,
    test_site: Annotated[list[str] | None, typer.Option(help="hold-out-sites: one to test on; again for more.")] = None,
    shared_patients: Annotated[
        Literal["refuse", "home"], typer.Option(help="Patients of several sites: refuse, or the site of most cases.")
    ] = "refuse",
    column: Annotated[
        str, typer.Option(help="Name of the new column, and beginning of it where there are several.")
    ] = "split",
    replace: Annotated[bool, typer.Option(help="Write over columns of that name.")] = False,
    near_duplicates: Annotated[
        bool, typer.Option(help="Open the images and look for one image under two patients.")
    ] = False,
    threshold: Annotated[float, typer.Option(help="With --near-duplicates: largest share of differing bits.")] = 0.20,
    workers: Annotated[int, typer.Option(min=0, help="Processes that read images; 0 takes all cores.")] = 0,
    seed: Annotated[int, typer.Option(help="Of the split.")] = 0,
) -> None:
    """Split CASES by patient, balanced in labels and site, and draw the balance."""
    from hounsfield.cli.progress import Bars
    from hounsfield.studies.splitting import SplitPlan, compare_images, split_cases

    plan = SplitPlan(
        labels=tuple(dict.fromkeys(label)),
        seed=seed,
        kind=kind,
        site=site,
        shares=shares,
        folds=folds,
        validation=validation,
        repetitions=repetitions,
        test_sites=tuple(test_site or ()),
        shared_patients=shared_patients,
        column=column,
        replace=replace,
    )
    made = split_cases(cases, plan, out)
    for line in _balance_lines(made.balance, plan):
        typer.echo(line)
    typer.echo(made.proof.words())
    if near_duplicates:
        for line in compare_images(out, made.columns, threshold=threshold, workers=workers, progress=Bars()):
            typer.echo(line, err=True)
    typer.echo(f"cases: {out}")


def _balance_lines(balance: pd.DataFrame, plan: SplitPlan) -> list[str]:
    first = balance[balance["column"] == plan.labels[0]]
    return [
        f"{name} {part}: " + ", ".join(f"{row['class']} {row['cases']}" for row in rows.to_dict("records"))
        for (name, part), rows in first.groupby(["split", "part"], sort=False)
    ]


def _beside(out: Path, what: str) -> Path:
    return out.with_name(f"{out.stem}-unmatched-{what}.csv")
