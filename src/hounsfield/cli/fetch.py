"""`hounsfield fetch`: public series of the Imaging Data Commons, chosen from its index and downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import pandas as pd

    from hounsfield.catalog.idc.buckets import Source
    from hounsfield.catalog.idc.fetch import Fetched

_NAMED = 10  # failures told one by one; all are in the manifest


def fetch(
    collection: Annotated[list[str], typer.Option(help="Collection of the commons (lidc_idri); again for another.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the series; not needed with --dry-run.")] = None,
    max_gb: Annotated[float | None, typer.Option(help="Whole patients, as many as fit into so many GB.")] = None,
    modality: Annotated[
        list[str] | None, typer.Option(help="CT, MR, SEG, ...; again for more; all if left out.")
    ] = None,
    patients: Annotated[int | None, typer.Option(min=1, help="At most so many patients.")] = None,
    seed: Annotated[int, typer.Option(help="Of the order in which patients are taken.")] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would come, without a network.")] = False,
    from_: Annotated[
        str, typer.Option("--from", help="Folder laid out like the bucket, or a mirror's http(s) address.")
    ] = "",
    workers: Annotated[int, typer.Option(min=1, help="Downloads at a time.")] = 16,
) -> None:
    """Fetch public series: whole patients of a collection, with licence, citation and a manifest beside them."""
    from hounsfield.catalog.idc.fetch import fetch as download
    from hounsfield.catalog.idc.index import read_index
    from hounsfield.catalog.idc.select import select
    from hounsfield.cli.progress import Bars

    if out is None and not dry_run:
        raise typer.BadParameter("give --out DIR, or --dry-run to see what would come")
    index = read_index(collection)
    chosen = select(index, modalities=modality or (), max_gb=max_gb, patients=patients, seed=seed)
    _tell(chosen)
    if dry_run or out is None:
        return
    done = download(chosen, out, _source(from_), workers=workers, progress=Bars())
    _tell_end(done, out)


def _source(from_: str) -> Source:
    from hounsfield.catalog.idc.buckets import Bucket, Mirror

    if not from_:
        return Bucket()
    return Bucket(from_) if from_.startswith(("http://", "https://")) else Mirror(Path(from_))


def _tell(chosen: pd.DataFrame) -> None:
    from hounsfield.catalog.idc.notices import commercial
    from hounsfield.catalog.idc.select import GB, patients_of, summary

    table = summary(chosen)
    width = max(12, *(len(name) for name in table["collection"]))
    typer.echo(f"{'collection':{width}}  modality  series  patients        GB  licence")
    for row in table.itertuples():
        line = f"{row.collection:{width}}  {row.modality:8}  {row.series:6d}  {row.patients:8d}  {row.gb:8.3f}"
        typer.echo(f"{line}  {row.license}{'' if commercial(str(row.license)) else ' (not for commercial use)'}")
    total = chosen["size_bytes"].sum() / GB
    typer.echo(f"{'total':{width}}  {'':8}  {len(chosen):6d}  {patients_of(chosen):8d}  {total:8.3f}")


def _tell_end(done: Fetched, out: Path) -> None:
    states = done.manifest["state"].value_counts()
    typer.echo(
        f"{states.get('complete', 0)} of {len(done.manifest)} series complete, {done.bytes_new / 1e9:.3f} GB new"
    )
    typer.echo(f"manifest: {out / 'manifest.csv'}")
    for uid, why in list(done.failures.items())[:_NAMED]:
        typer.echo(f"series ...{uid[-8:]}: {why}", err=True)
    if done.failures:
        typer.echo(f"{len(done.failures)} series failed; the same command goes on with them.", err=True)
        raise typer.Exit(1)
