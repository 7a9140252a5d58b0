"""`hounsfield predict`: a bundle on new cases, or on a DICOM series with findings back in DICOM."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer


def predict(
    bundle: Annotated[Path, typer.Argument(help="Bundle folder, e.g. RUN/bundles/auto_mask.")],
    out: Annotated[Path, typer.Option(help="Folder for what comes out.")],
    cases: Annotated[Path | None, typer.Option(help="Cases table: writes OUT/predictions.parquet.")] = None,
    series: Annotated[Path | None, typer.Option(help="DICOM folder: writes masks, DICOM SEG and SR.")] = None,
    lesions: Annotated[
        Path | None, typer.Option(help="With --series: CSV of lesion_id, x_mm, y_mm, z_mm (LPS).")
    ] = None,
    series_uid: Annotated[str, typer.Option(help="With --series: which one, if the folder holds several.")] = "",
    representation: Annotated[Literal["auto", "labelmap", "binary"], typer.Option(help="Kind of DICOM SEG.")] = "auto",
    device: Annotated[str, typer.Option(help="Where networks run: auto, cpu, cuda, cuda:1, mps.")] = "auto",
    workers: Annotated[int, typer.Option(help="Processes that prepare cases; 0 takes all cores.")] = 0,
    csv: Annotated[bool, typer.Option("--csv", help="With --cases: write predictions.csv, too.")] = False,
) -> None:
    """Apply a trained bundle to a cases table, or to lesions of one DICOM series."""
    from hounsfield.cli.progress import Bars
    from hounsfield.infer.bundle import read_bundle

    if (cases is None) == (series is None):
        raise typer.BadParameter("give either --cases TABLE or --series FOLDER with --lesions POINTS.csv")
    if (series is None) != (lesions is None):
        raise typer.BadParameter(
            "--series FOLDER and --lesions POINTS.csv (lesion_id, x_mm, y_mm, z_mm in patient coordinates) go together"
        )
    model = read_bundle(bundle)
    if cases is not None:
        from hounsfield.infer.cases import predict_cases

        path = predict_cases(model, cases, out, device=device, workers=workers, csv=csv, progress=Bars())
        typer.echo(f"predictions: {path}")
        return
    from hounsfield.infer.series import predict_series

    if series is None or lesions is None:  # ruled out above; the type checker can't know
        return
    written = predict_series(
        model, series, lesions, out, series_uid=series_uid or None, representation=representation, device=device
    )
    for name, path in written.items():
        typer.echo(f"{name}: {path}")
