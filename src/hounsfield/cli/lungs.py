"""`hounsfield lungs`: right and left lung of a chest CT, as a mask and in ml."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def lungs(
    series: Annotated[Path, typer.Argument(help="Chest CT in HU: DICOM folder, .nii.gz, .nrrd or .mha.")],
    out: Annotated[Path, typer.Option(help="File for the labels, e.g. lungs.nii.gz: 1 right lung, 2 left lung.")],
    nodule: Annotated[
        Path | None, typer.Option(help="Mask of a nodule: the lungs are united with it, which keeps it inside.")
    ] = None,
    mask: Annotated[
        Path | None, typer.Option(help="Lung mask made elsewhere, which wins: 1 right and 2 left, or 1 for both.")
    ] = None,
    series_uid: Annotated[str, typer.Option(help="Which series, if the folder holds several.")] = "",
    picture: Annotated[Path | None, typer.Option(help="File for slices with contours, .png or .svg.")] = None,
) -> None:
    """Find the lungs of a chest CT without a trained model; prints their volumes, and remarks on what is unusual."""
    from hounsfield.cli.paths import refuse_input
    from hounsfield.volume.lung_given import read_lungs, with_nodule
    from hounsfield.volume.lungs import lung_masks
    from hounsfield.volume.read import read_mask, read_volume
    from hounsfield.volume.write import write_volume

    if picture is not None and picture.suffix.lower() not in (".png", ".svg"):
        raise typer.BadParameter("the picture is a .png or .svg file", param_hint="--picture")
    refuse_input(out, series, nodule, mask, picture)
    refuse_input(picture, series, nodule, mask, option="--picture")
    volume = read_volume(series, series_uid=series_uid or None)
    given = None if mask is None else read_lungs(mask, like=volume)
    found = lung_masks(volume, given=given)
    if nodule is not None:
        found = with_nodule(found, volume, read_mask(nodule, like=volume))
    write_volume(volume.with_array(found.labels), out)
    if picture is not None:
        from hounsfield.core.atomic import atomic_file
        from hounsfield.report.figures.lung_contours import lung_contours

        drawn = lung_contours(volume, found)
        with atomic_file(picture) as temporary:
            temporary.write_bytes(drawn.svg if picture.suffix.lower() == ".svg" else drawn.png)
    typer.echo(f"right {found.right_ml:.0f} ml, left {found.left_ml:.0f} ml, together {found.total_ml:.0f} ml")
    for remark in found.remarks:
        typer.echo(f"remark: {remark}", err=True)
