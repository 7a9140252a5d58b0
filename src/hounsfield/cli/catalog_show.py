"""`hounsfield catalog show`: what a catalog holds, as tables in the terminal, a file, or an HTML overview."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import pandas as pd

    from hounsfield.catalog.look.overview import Overview


def show(
    catalog: Annotated[Path, typer.Argument(help="Catalog, as `hounsfield catalog build` writes it.")],
    where: Annotated[
        list[str] | None, typer.Option(help="Condition on a column: slices>=20, kernel~b30 (contains), kvp= (empty).")
    ] = None,
    label: Annotated[list[str] | None, typer.Option(help="Label of a series: view=axial; again for another.")] = None,
    excluded: Annotated[
        list[str] | None, typer.Option(help="Reason for which a series is excluded; any, or none for those used.")
    ] = None,
    columns: Annotated[str, typer.Option(help="Columns of the list, separated by commas, or all.")] = "",
    limit: Annotated[int, typer.Option(min=0, help="Rows of the list in the terminal; 0 shows counts alone.")] = 40,
    out: Annotated[Path | None, typer.Option(help="File for the whole list, .csv or .parquet.")] = None,
    html: Annotated[Path | None, typer.Option(help="Folder for the overview catalog.html.")] = None,
    thumbnails: Annotated[int, typer.Option(min=0, help="With --html: middle slices at most.")] = 200,
) -> None:
    """Show a catalog: series with their labels, counts by label and exclusion reason, files, what is odd."""
    from hounsfield.catalog.look.overview import overview
    from hounsfield.catalog.look.show import filter_of, frame_of, series_query, write_series
    from hounsfield.catalog.store import open_catalog

    wanted = filter_of(where or (), label or (), excluded or ())
    named = tuple(name.strip() for name in columns.split(",") if name.strip())
    with open_catalog(catalog) as connection:
        query = series_query(connection, wanted, named)
        counted = overview(connection, wanted)
        if limit:
            _print_series(frame_of(connection, query, limit=limit), int(counted.totals["series"].iloc[0]))
        _print_counts(counted)
        if out is not None:
            write_series(connection, query, out)
            typer.echo(f"written: {out}", err=True)
        if html is not None:
            from hounsfield.cli.progress import Bars
            from hounsfield.report.catalog_page import write_catalog_page

            words = ", ".join([*(where or ()), *(label or ()), *(f"excluded: {one}" for one in excluded or ())])
            page = write_catalog_page(connection, html, wanted, thumbnails=thumbnails, words=words, progress=Bars())
            typer.echo(f"overview: {page}")


def _print_series(rows: pd.DataFrame, total: int) -> None:
    if "series_uid" in rows:
        rows = rows.assign(series_uid=[f"…{uid[-8:]}" for uid in rows["series_uid"]])
    _print(_narrow(rows))
    if total > len(rows):
        typer.echo(f"{len(rows)} of {total} series; --limit shows more, --out writes all.\n")


def _narrow(rows: pd.DataFrame) -> pd.DataFrame:
    """The list as a terminal has room for: short names, the reason of exclusion in front, nothing said twice."""
    if "kind" in rows:
        rows = rows.drop(columns="label_kind", errors="ignore")  # the same
    if "excluded" in rows:
        rows.insert(min(3, rows.shape[1] - 1), "excluded", rows.pop("excluded"))
    names = {name: name.removeprefix("label_") for name in map(str, rows) if name.startswith("label_")}
    clash = {name: f"label {short}" for name, short in names.items() if short in rows}
    return rows.rename(columns=names | clash | {"series_uid": "series", "series_description": "description"})


def _print_counts(counted: Overview) -> None:
    totals = counted.totals.iloc[0]
    typer.echo(
        f"{totals['series']} series of {totals['patients']} patients in {totals['studies']} studies, "
        f"{totals['excluded']} excluded; {totals['objects']} objects, {totals['slices']} slices"
    )
    for title, table in (
        ("Labels", counted.labels),
        ("Exclusions (first: each series once; any: every reason)", counted.reasons),
        ("Irregular", counted.irregular),
        ("Files of the archive", counted.files.round({"gb": 3})),
        ("Remarks", counted.remarks),
    ):
        if len(table):
            _print(table, title)
    if len(counted.outliers):
        typer.echo(f"{len(counted.outliers)} sizes are odd for their modality; --html lists them.")


def _print(rows: pd.DataFrame, title: str = "") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # A log file or a pipe has no width: there every cell is written in full.
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=200)
    if title:
        console.print(Text(title, style="bold"))
    table = Table(box=None, header_style="bold", pad_edge=False)
    numbers = {name for name in rows if rows[name].dtype.kind in "iuf"}
    for name in rows:
        table.add_column(str(name), justify="right" if name in numbers else "left", overflow="fold")
    for row in rows.itertuples(index=False):
        table.add_row(*(Text(_cell(value)) for value in row))  # Text: a description may hold rich's own brackets
    console.print(table)
    console.print()


def _cell(value: Any) -> str:
    from pandas import isna
    from pandas.api.types import is_scalar

    if is_scalar(value) and isna(value):
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
