"""The program: exit statuses, and words instead of tracebacks, paths and names."""

from __future__ import annotations

import errno

import pytest
import typer

from hounsfield import __version__
from hounsfield.cli import app, help_text, main
from hounsfield.cli import check as check_module
from hounsfield.core.errors import Problem, ProblemsError, StudyError


@pytest.fixture
def failing(monkeypatch, capsys):
    """Runs a command that raises what it is given; returns the status and what stands on standard error."""

    def run(error: BaseException) -> tuple[int, str]:
        def boom(*args, **kwargs):
            raise error

        monkeypatch.setattr("hounsfield.tables.check.check_cases", boom)
        status = main(["check", "cases.csv"])
        return status, capsys.readouterr().err

    return run


def test_help_names_every_command_in_plain_words():
    text = help_text()
    for command in ("check", "predict", "demo", "study"):
        assert command in text
    assert "Not a medical device" in " ".join(text.split())


@pytest.mark.parametrize("command", [["check"], ["predict"], ["demo"], ["study"], ["study", "run"], ["study", "show"]])
def test_every_command_has_help(command, capsys):
    assert main([*command, "--help"]) == 0
    assert "Usage" in capsys.readouterr().out


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"hounsfield {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [["chekc"], ["check"], ["check", "a.csv", "--wokers", "1"], ["study", "run", "ggn"], ["demo", "--seed", "x"]],
)
def test_wrong_arguments_are_2(arguments, capsys):
    assert main(arguments) == 2
    out = capsys.readouterr()
    assert out.out == ""
    assert "Traceback" not in out.err


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (StudyError("no study named 'x'."), 1, "hounsfield: no study named 'x'."),
        (ProblemsError("two things:", [Problem("row 3", "empty.", "Fill it.")]), 1, "row 3: empty. Fill it."),
        (OSError(errno.ENOSPC, "No space left on device", "/home/secret/x"), 1, "the disk is full"),
        (RuntimeError("I/O error: No space left on device (os error 28)"), 1, "the disk is full"),
        (
            PermissionError(errno.EACCES, "Permission denied", "/home/secret/name.csv"),
            1,
            "Permission denied 'name.csv'.",
        ),
        (MemoryError(), 1, "the memory is full"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), 1, "the memory is full"),
        (KeyboardInterrupt(), 130, "the same command goes on"),
        (typer.Abort(), 130, "stopped"),
        (typer.Exit(3), 3, ""),
    ],
)
def test_statuses_and_words(failing, error, status, words):
    found, text = failing(error)
    assert found == status
    assert words in text
    assert "Traceback" not in text
    assert "secret" not in text


def test_a_fault_of_the_program_is_not_hidden(failing):
    with pytest.raises(ZeroDivisionError):
        failing(ZeroDivisionError("division by zero"))


def test_commands_are_one_function_each():
    assert check_module.check.__module__ == "hounsfield.cli.check"
    assert {command.name or command.callback.__name__ for command in app.app.registered_commands} == {
        "check",
        "predict",
        "demo",
        "audit",
        "evaluate",
        "readers",
        "fetch",
        "lungs",
        "radiomics",
    }
