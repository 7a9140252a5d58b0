"""`hounsfield weights`: published checkpoints made into weights that a study can start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Published weights: make safetensors of them.", no_args_is_help=True)


@app.callback()
def _weights() -> None:
    """Published weights: make safetensors of them."""


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="Checkpoint of a 3-D ResNet as saved by PyTorch, e.g. resnet_50.pth.")],
    out: Annotated[
        Path | None, typer.Option(help="Safetensors file to write; FILE with that ending if left out.")
    ] = None,
    depth: Annotated[
        int | None, typer.Option(help="What it must be: 10, 18, 34, 50 or 101; what it looks like if left out.")
    ] = None,
) -> None:
    """Make safetensors of a published 3-D ResNet checkpoint, and report its keys."""
    from hounsfield.cli.paths import refuse_input
    from hounsfield.infer.weights import import_weights

    if depth is not None and depth not in (10, 18, 34, 50, 101):
        raise typer.BadParameter(f"--depth is 10, 18, 34, 50 or 101; got {depth}")
    out = out or file.with_suffix(".safetensors")
    refuse_input(out, file)
    done = import_weights(file, out, depth=depth)
    typer.echo(f"{file.name} looks like {done.look.words}")
    for line in done.report.lines():
        typer.echo(line)
    typer.echo(f"weights: {done.path}")
