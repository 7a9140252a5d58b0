"""`hounsfield catalog deidentify`: DICOM objects without their patients, by PS3.15 Annex E."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from hounsfield.catalog.deidentify.run import Result

_KEEP = ("descriptors", "structured", "patient", "device", "institution", "private", "uids")


def deidentify(
    source: Annotated[Path, typer.Argument(help="Folder (with its subfolders) or zip file of DICOM objects.")],
    out: Annotated[Path, typer.Option(help="Folder for the new objects and the report.")],
    key: Annotated[
        Path,
        typer.Option(help="File of the secret key; made when it is not there. Not in OUT, nor in the same folder."),
    ],
    dates: Annotated[
        Literal["shifted", "removed", "kept"], typer.Option(help="Shifted by days, per patient; or removed; or kept.")
    ] = "shifted",
    keep: Annotated[
        list[str] | None, typer.Option(help=f"An option of the standard: {', '.join(_KEEP)}; again for more.")
    ] = None,
    burned_in: Annotated[
        Literal["warn", "leave-out"], typer.Option(help="What becomes of objects with text in their pixels.")
    ] = "warn",
    set_aside: Annotated[
        Path | None, typer.Option(help="File for the paths of what was set aside; they may name patients.")
    ] = None,
    workers: Annotated[int, typer.Option(min=0, help="Processes; 0 takes all cores.")] = 0,
    engine: Annotated[str, typer.Option(help="Where the work runs: local, threads, serial, ray or dask.")] = "local",
) -> None:
    """De-identify SOURCE by the basic profile of DICOM PS3.15 Annex E: new UIDs, shifted dates, no private elements."""
    from hounsfield.catalog.deidentify.profile import Options
    from hounsfield.catalog.deidentify.run import deidentify_folder
    from hounsfield.catalog.deidentify.secret import read_key
    from hounsfield.cli.progress import Bars

    for name in keep or ():  # typer takes no list of literals
        if name not in _KEEP:
            raise typer.BadParameter(f"--keep takes {', '.join(_KEEP)}; got '{name}'")
    if set_aside is not None and set_aside.resolve().is_relative_to(out.resolve()):
        raise typer.BadParameter("--set-aside lies in OUT: its paths may name patients")
    settings: dict[str, Any] = {"dates": dates, **dict.fromkeys(keep or (), True)}
    result = deidentify_folder(
        source,
        out,
        read_key(key, apart_from=out),
        Options(**settings),
        burned_in=burned_in,
        workers=workers,
        engine=engine,
        progress=Bars(),
    )
    if set_aside is not None:
        _write_set_aside(set_aside, result)
    for line in _lines(result):
        typer.echo(line)
    typer.echo(f"report: {out / 'deidentification.json'}")


def _lines(result: Result) -> list[str]:
    report = result.report
    lines = [
        f"{report['objects']} objects of {report['series']} series and {report['patients']} patients, "
        f"{result.written} written now; {report['repeated']} repeated, {report['no_dicom']} files no DICOM"
    ]
    lines += [f"set aside: {count}: {reason}" for reason, count in report["set_aside"].items()]
    if report["look_at"]:
        lines.append(f"look at {len(report['look_at'])} series by eye before they are given away:")
        lines += [
            f"  {name[-8:]}: {'; '.join(f'{reason} ({count})' for reason, count in seen.items())}"
            for name, seen in report["look_at"].items()
        ]
    return lines


def _write_set_aside(path: Path, result: Result) -> None:
    from hounsfield.core.atomic import write_text

    rows = [f"{place.path}\t{place.member}\t{reason}" for place, reason in result.aside]
    write_text(path, "\n".join(["path\tmember\treason", *rows]) + "\n")
