"""The pages tell the truth: their commands and options exist, their links lead somewhere."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from hounsfield.cli.app import app

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


def commands(page: Path) -> Iterator[list[str]]:
    """Words of every call of the program in a code block, comments cut off."""
    for block in re.findall(r"```[a-z]*\n(.*?)```", page.read_text(encoding="utf-8"), re.S):
        for line in block.replace("\\\n", " ").splitlines():
            found = re.match(r"(?:\w+=\S+ )*(?:\S*/)?hounsfield ([a-z].*)", line.strip())
            if found:
                yield shlex.split(found[1].split(" &")[0].split(" > ")[0], comments=True)


def options_of(words: list[str]) -> tuple[set[str], list[str]]:
    """The options that a (sub)command knows, and the words after its name."""
    command: Any = get_command(app)
    rest = list(words)
    while hasattr(command, "commands"):
        name = rest.pop(0)
        assert name in command.commands, f"there is no command '{name}'"
        command = command.commands[name]
    known = {option for parameter in command.params for option in parameter.opts}
    return known | {"--help"}, rest


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_and_options_exist(page: Path):
    for words in commands(page):
        known, rest = options_of(words)
        unknown = [word for word in rest if word.startswith("--") and word.split("=")[0] not in known]
        assert not unknown, f"{' '.join(words)}: no option {unknown}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path):
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if not link.startswith(("http:", "https:")):
            assert (page.parent / link).exists(), f"{page.name} links to {link}"


def test_the_readme_has_commands_to_check():
    assert len(list(commands(ROOT / "README.md"))) == 5


def test_the_makefile_knows_the_readmes_two_commands():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)", (ROOT / "README.md").read_text(encoding="utf-8"), re.M):
        assert re.search(rf"^{target}:", makefile, re.M)
