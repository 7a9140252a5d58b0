"""Files named on the command line. In: the file to write and those that are read; out: nothing, or a refusal."""

from __future__ import annotations

from pathlib import Path

import typer


def refuse_input(out: Path | None, *inputs: Path | None, option: str = "--out") -> None:
    """Refuses to write over what is read: the first thing a command does, since what is overwritten is gone.

    Raises: typer.BadParameter.
    """
    if out is not None and out.resolve() in {path.resolve() for path in inputs if path is not None}:
        raise typer.BadParameter(
            f"'{out.name}' is read by this command and would be overwritten; name another file.", param_hint=option
        )
