"""`hounsfield demo`: the whole path on simulated patients, from DICOM to a report and a DICOM SEG and SR."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the simulated archive and the run.")] = Path("runs/demo"),
    seed: Annotated[int, typer.Option(help="Of the simulated patients and the training.")] = 1,
    device: Annotated[str, typer.Option(help="Where networks run: auto, cpu, cuda, cuda:1, mps.")] = "auto",
    workers: Annotated[int, typer.Option(help="Processes; 0 takes all cores.")] = 0,
) -> None:
    """Try it all on simulated patients: from DICOM to a report, a DICOM SEG and SR, in some minutes."""
    from hounsfield.cli.progress import Bars
    from hounsfield.studies.demo import run_demo
    from hounsfield.studies.runner import Machine

    for line in run_demo(out, seed=seed, machine=Machine(device=device, workers=workers), progress=Bars()):
        typer.echo(line)
