"""`hounsfield readers` from the outside, on a small study written here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hounsfield.cli import main

MAPPING = """
title: "<script>alert(1)</script>"
shared:
  features: &features
    label: {column: label, number: "true"}
    size_cm: {column: size, number: "true"}
    composition: {column: composition}
    echogenicity: {column: echogenicity}
    shape: {constant: wider}
    margin: {constant: smooth}
    foci: {constant: ""}
  common: &common
    case_id: case
    patient_id: {column: case, before: _}
    parts: {training: {file: training.csv, column: case}}
  score: &score {score: {column: score, number: "true"}, label: {column: label, number: "true"}}
sources:
  - {file: r1.csv, reader: "1", group: readers, columns: *features, <<: *common}
  - {file: r2.csv, reader: "2", group: readers, columns: *features, <<: *common}
  - {file: model.csv, reader: algorithm, columns: *score, <<: *common}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    cases = [f"{number // 2}_{number % 2}" for number in range(160)]
    label = rng.integers(2, size=160)
    for reader in ("r1", "r2"):
        solid, dark = rng.random((2, 160)) < np.where(label, 0.8, 0.4)
        pd.DataFrame(
            {
                "case": cases,
                "label": label,
                "size": np.round(rng.uniform(1, 3, 160), 1),
                "composition": np.where(solid, "solid", "mixed"),
                "echogenicity": np.where(dark, "hypoechoic", "isoechoic"),
            }
        ).to_csv(tmp_path / f"{reader}.csv", index=False)
    score = np.round(label + rng.normal(0, 1, 160), 3)
    pd.DataFrame({"case": cases, "label": label, "score": score}).to_csv(tmp_path / "model.csv", index=False)
    pd.DataFrame({"case": cases[:80]}).to_csv(tmp_path / "training.csv", index=False)
    (tmp_path / "map.yaml").write_text(MAPPING)
    return tmp_path


def test_a_study_of_two_readers(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = folder / "out"
    arguments = ["readers", str(folder / "map.yaml"), "--data", str(folder), "--out", str(out), "--resamples", "100"]
    assert main(arguments) == 0
    assert "algorithm at thresholds" in capsys.readouterr().out
    page = (out / "readers.html").read_text(encoding="utf-8")
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    performance = pd.read_parquet(out / "performance.parquet")
    assert set(performance["reader"]) == {"algorithm", "1", "2", "mean of readers"}
    assert (performance["n"] == 40).all()  # patients
    assert (out / "roc.svg").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--annotator", "7"], "no reader '7'"), (["--model", "net"], "needs a score"), (["--table", "arc"], "acr")],
)
def test_mistakes(arguments: list[str], message: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = ["readers", str(folder / "map.yaml"), "--data", str(folder), "--out", str(folder / "out")]
    assert main([*base, *arguments]) == 1
    assert message in capsys.readouterr().err


def test_a_missing_file_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "r2.csv").unlink()
    assert main(["readers", str(folder / "map.yaml"), "--data", str(folder), "--out", str(folder / "out")]) == 1
    assert "r2.csv" in capsys.readouterr().err
