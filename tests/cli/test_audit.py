"""`hounsfield audit` from the outside."""

from __future__ import annotations

from pathlib import Path

import pytest

from hounsfield.cli import main


def test_a_table_that_ships(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["audit", "radnet", "--only", "impossible", "--out", str(tmp_path / "out")]) == 0
    out = capsys.readouterr().out
    assert "100 % of the data, mean" in out
    assert "CT. TP 117" not in out
    assert (tmp_path / "out" / "audit.md").is_file()


def test_strict_fails_on_an_impossible_number(tmp_path: Path) -> None:
    table = tmp_path / "mine.yaml"
    table.write_text("title: mine\nshares:\n  - {name: sensitivity, value: 0.730, of: 158}\n")
    assert main(["audit", str(table), "--strict"]) == 1
    assert main(["audit", str(table)]) == 0


def test_mistakes_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "radnett"]) == 1
    assert "radnet" in capsys.readouterr().err
    assert main(["audit"]) == 2
    assert main(["audit", "radnet", "--only", "wrong"]) == 2
