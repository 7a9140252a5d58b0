"""`hounsfield radiomics` from the outside."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from hounsfield.cli.radiomics import radiomics

app = typer.Typer()
app.command()(radiomics)


def run(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(word) for word in words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


@pytest.fixture(scope="module")
def balls(tmp_path_factory: pytest.TempPathFactory, write_balls: Callable[..., Path]) -> Path:
    return write_balls(tmp_path_factory.mktemp("balls"), cases=6)


def test_a_table_and_its_settings(balls: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "features.parquet"
    words = (balls, "--out", out, "--bins", 16, "--spacing", "1,0.8,0.8", "--shells", 2, "--workers", 1)
    status, said = run(*words)
    assert status == 0
    assert "6 case(s), 200 feature(s), 0 value(s) missing" in said
    table = pd.read_parquet(out)
    assert table.shape == (6, 2 + 2 + 107 + 93)
    settings = json.loads((out.parent / "features.settings.json").read_text())
    assert settings["config"]["bin_count"] == 16
    assert settings["config"]["spacing_mm"] == [1.0, 0.8, 0.8]
    assert sorted(path.name for path in out.parent.iterdir()) == [
        "features-cache",
        "features.parquet",
        "features.settings.json",
    ]


def test_bad_cases_are_named_and_the_others_stay(balls: Path, tmp_path: Path) -> None:
    rows = pd.read_csv(balls, dtype=str)
    rows["image"] = [str(balls.parent / name) for name in rows["image"]]
    rows["mask"] = [str(balls.parent / name) for name in rows["mask"]]
    rows.loc[2, "mask"] = None
    rows.to_csv(tmp_path / "cases.csv", index=False)
    status, said = run(tmp_path / "cases.csv", "--out", tmp_path / "f.csv", "--set", "shape", "--workers", 1)
    assert status == 0
    assert "set aside: case c02: there is no mask" in said
    assert pd.read_csv(tmp_path / "f.csv")["case_id"].tolist() == ["c00", "c01", "c03", "c04", "c05"]
    assert pd.read_csv(tmp_path / "f.set_aside.csv")["where"].tolist() == ["case c02"]


def test_only_stable_features_are_kept(balls: Path, tmp_path: Path) -> None:
    out = tmp_path / "f.csv"
    assert run(balls, "--out", out, "--set", "first_order", "--stable", 0.5, "--workers", 1)[0] == 0
    icc = pd.read_csv(tmp_path / "f.robustness.csv").set_index("feature")
    kept = [name for name in icc.index if icc["low"].fillna(icc["icc"])[name] >= 0.5]
    assert 0 < len(kept) < 18
    assert list(pd.read_csv(out).columns) == ["case_id", "patient_id", "voxels", *kept]


def test_none_is_stable_and_a_later_run_leaves_no_old_table(balls: Path, tmp_path: Path) -> None:
    two = tmp_path / "two.csv"
    rows = pd.read_csv(balls, dtype=str).head(2)
    rows["image"], rows["mask"] = ([str(balls.parent / one) for one in rows[name]] for name in ("image", "mask"))
    rows.to_csv(two, index=False)
    out = tmp_path / "f.csv"
    status, text = run(two, "--out", out, "--set", "first_order", "--stable", 0.9, "--workers", 1)
    assert status == 0
    assert "no feature is surely above 0.9 over 2 lesion(s)" in text
    assert "0 feature(s), 0 value(s) missing" in text
    assert json.loads((tmp_path / "f.settings.json").read_text())["stable"] == 0.9
    run(two, "--out", out, "--set", "first_order", "--workers", 1)
    assert not (tmp_path / "f.robustness.csv").exists()


def test_the_cases_are_not_written_over(balls: Path) -> None:
    before = balls.read_bytes()
    assert run(balls, "--out", balls)[0] == 2
    assert balls.read_bytes() == before


@pytest.mark.parametrize(
    "words",
    [
        ("--out", "f.xlsx"),
        ("--out", "f.csv", "--spacing", "1,2"),
        ("--out", "f.csv", "--spacing", "wide"),
        ("--out", "f.csv", "--spacing", "-1"),
        ("--out", "f.csv", "--range", "400,-1000"),
        ("--out", "f.csv", "--bin-width", "0"),
        ("--out", "f.csv", "--range", "nan,nan"),
        ("--out", "f.csv", "--shells", "nan"),
        ("--out", "f.csv", "--stable", "2"),
    ],
)
def test_mistakes_are_told(
    balls: Path, words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(balls, *words)[0] == 2
    assert not list(tmp_path.iterdir())
