"""The program `hounsfield`: its verbs, and how an error reaches a person.

Exit status: 0 done, 1 failed (the message says what to do), 2 wrong arguments, 130 stopped by the user.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Sequence

import typer
from typer.main import get_command

from hounsfield import __version__
from hounsfield.cli import check, demo, predict, study
from hounsfield.core.errors import HounsfieldError

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
app.add_typer(study.app, name="study")


@app.callback(invoke_without_command=True)
def _version(
    context: typer.Context, version: bool = typer.Option(False, "--version", help="Print the version and stop.")
) -> None:
    if version:
        typer.echo(f"hounsfield {__version__}")
        raise typer.Exit()


def help_text() -> str:
    """What `hounsfield --help` prints."""
    command = get_command(app)
    return command.get_help(command.make_context("hounsfield", [], resilient_parsing=True))


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program; the exit status is returned when called with arguments, and ends the process otherwise."""
    status = _run(arguments)
    if arguments is None:
        sys.exit(status)
    return status


def _run(arguments: Sequence[str] | None) -> int:
    try:
        done = app(args=list(arguments) if arguments is not None else None, standalone_mode=False)
        return int(done or 0)
    except (KeyboardInterrupt, typer.Abort):
        return _fail("stopped. What was finished is kept: the same command goes on from there.", 130)
    except HounsfieldError as error:
        return _fail(str(error), 1)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            return _fail("the disk is full. Free some space; the same command goes on from where it stopped.", 1)
        name = f" '{error.filename}'" if error.filename else ""
        return _fail(f"{error.strerror or error}{name}.", 1)
    except MemoryError:
        return _fail("the memory is full. Fewer workers (--workers 1) or a smaller batch need less.", 1)
    except Exception as error:
        if hasattr(error, "show") and hasattr(error, "exit_code"):  # a usage error of the command-line library
            error.show()
            return int(error.exit_code)
        raise


def _fail(message: str, status: int) -> int:
    sys.stderr.write(f"hounsfield: {message}\n")
    return status
