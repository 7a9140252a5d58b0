"""`hounsfield catalog`: what a DICOM archive holds, which of it may be used, and cohorts made of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hounsfield.cli import catalog_cohort, catalog_deidentify, catalog_show

app = typer.Typer(help="Index a DICOM archive, look at it, make cohorts and splits, de-identify.", no_args_is_help=True)

_WORDS = {
    "object": "DICOM objects",
    "copy": "copies of objects that are there already",
    "clash": "files with the UID of another object",
    "other": "files that are no DICOM, passed over",
    "broken": "broken files, set aside",
    "unreadable": "files or folders that can't be read",
    "archive": "zip and tar files looked into",
    "directory": "lists of discs (DICOMDIR)",
}


@app.command()
def build(
    archive: Annotated[Path, typer.Argument(help="Folder of DICOM files, zip and tar files, or one such file.")],
    out: Annotated[Path, typer.Option(help="The catalog, such as catalog.duckdb; brought up to date if it is there.")],
    workers: Annotated[int, typer.Option(min=0, help="Processes; 0 for all cores.")] = 0,
    engine: Annotated[str, typer.Option(help="Where readers run: local, threads, serial, ray, dask.")] = "local",
) -> None:
    """Scan ARCHIVE: headers only, every series with its volumes, labels and reasons not to use it."""
    from hounsfield.catalog.scan.scan import scan
    from hounsfield.cli.progress import Bars

    found = scan(archive, out, workers=workers, engine=engine, progress=Bars())
    typer.echo(f"{found.series} series; {found.read} files read, {found.unchanged} unchanged, {found.gone} gone.")
    for state, words in _WORDS.items():
        if found.states.get(state):
            typer.echo(f"{found.states[state]:>9} {words}")
    if found.states.get("broken") or found.states.get("unreadable") or found.states.get("clash"):
        typer.echo(f"Which and why: hounsfield catalog show {out.name}")
    typer.echo(f"catalog: {out}")


app.command()(catalog_show.show)
app.command()(catalog_cohort.cohort)
app.command()(catalog_cohort.split)
app.command()(catalog_deidentify.deidentify)
