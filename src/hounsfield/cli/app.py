"""The program `hounsfield`: its verbs, and how an error reaches a person.

Exit status: 0 done, 1 failed (the message says what to do), 2 wrong arguments, 130 stopped by the user.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path

import typer
from typer.main import get_command

from hounsfield import __version__
from hounsfield.cli import (
    audit,
    catalog,
    check,
    demo,
    evaluate,
    fetch,
    guideline,
    lungs,
    predict,
    radiomics,
    readers,
    study,
    weights,
)
from hounsfield.core.errors import HounsfieldError

_STOPPED = 130  # what shells report of a program ended by Ctrl-C

app = typer.Typer(
    name="hounsfield",
    help="From a folder of DICOM to a validated CAD model, and its findings back in DICOM. Not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(check.check)
app.command()(predict.predict)
app.command()(demo.demo)
app.command()(evaluate.evaluate)
app.command()(audit.audit)
app.command()(readers.readers)
app.command()(fetch.fetch)
app.command()(lungs.lungs)
app.command()(radiomics.radiomics)
app.add_typer(catalog.app, name="catalog")
app.add_typer(study.app, name="study")
app.add_typer(guideline.app, name="guideline")
app.add_typer(weights.app, name="weights")


@app.callback(invoke_without_command=True)
def _version(version: bool = typer.Option(False, "--version", help="Print the version and stop.")) -> None:
    if version:
        typer.echo(f"hounsfield {__version__}")
        raise typer.Exit()


def help_text() -> str:
    """What `hounsfield --help` prints."""
    command = get_command(app)
    with redirect_stdout(io.StringIO()) as printed:  # with its rich formatting the library prints, and returns nothing
        text = command.get_help(command.make_context("hounsfield", [], resilient_parsing=True))
    return text or printed.getvalue()


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program; the exit status is returned when called with arguments, and ends the process otherwise."""
    status = _run(arguments)
    if arguments is None:
        sys.exit(status)
    return status


def _run(arguments: Sequence[str] | None) -> int:
    try:
        given = list(arguments) if arguments is not None else None
        status = int(app(args=given, prog_name="hounsfield", standalone_mode=False) or 0)
        # The command-line library turns Ctrl-C within a command into this status, without a word.
        return _stopped() if status == _STOPPED else status
    except (KeyboardInterrupt, typer.Abort):
        return _stopped()
    except HounsfieldError as error:
        return _fail(str(error), 1)
    except Exception as error:
        if hasattr(error, "show") and hasattr(error, "exit_code"):  # a usage error of the command-line library
            error.show()
            return int(error.exit_code)
        message = _message(error)
        if message is None:
            raise
        return _fail(message, 1)


def _message(error: Exception) -> str | None:
    """What to tell a person about an error of the machine; None for a fault of this program."""
    text = str(error)
    # Not every library raises OSError when a write fails: some wrap the system's words in an error of their own.
    if getattr(error, "errno", None) == errno.ENOSPC or os.strerror(errno.ENOSPC) in text:
        return "the disk is full. Free some space; the same command goes on from where it stopped."
    if isinstance(error, MemoryError) or "allocate memory" in text or type(error).__name__ == "OutOfMemoryError":
        return "the memory is full. Fewer workers (--workers 1) or a smaller batch (batch_size) need less."
    if isinstance(error, OSError):
        name = f" '{Path(str(error.filename)).name}'" if error.filename else ""
        return f"{(error.strerror or text).rstrip('.')}{name}."
    return None


def _stopped() -> int:
    return _fail("stopped. What was finished is kept: the same command goes on from there.", _STOPPED)


def _fail(message: str, status: int) -> int:
    sys.stderr.write(f"hounsfield: {message}\n")
    return status
