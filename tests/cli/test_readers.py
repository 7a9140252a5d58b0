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
    details = pd.read_csv(out / "details.csv").set_index(["section", "what"])
    assert details.loc[("readers at large", "AUC, algorithm minus mean of readers"), "p"] <= 1
    assert details.loc[("shared errors", "model wrong"), "unit"] == "patients"
    kappa = [
        details.loc[("agreement", f"{kind} weighted kappa, two readers"), "value"] for kind in ("mean", "smallest")
    ]
    assert kappa[0] == kappa[1]  # two readers are one pair
    assert "degrees of freedom" in page


def test_the_size_of_one_reader_for_all(folder: Path) -> None:
    """Reader 2 sees nodules of half the size: fewer reach a threshold, whoever is judged by it."""
    theirs = pd.read_csv(folder / "r2.csv")
    theirs["size"] /= 2
    theirs.to_csv(folder / "r2.csv", index=False)
    spared = {}
    for sizes in ("own", "common", "2"):
        out = folder / f"out-{sizes}"
        arguments = ["readers", str(folder / "map.yaml"), "--data", str(folder), "--out", str(out), "--sizes", sizes]
        assert main([*arguments, "--resamples", "100"]) == 0
        table = pd.read_csv(out / "performance.csv")
        spared[sizes] = table[table["metric"] == "fna_specificity"].set_index("reader")["right"]
    assert spared["own"]["algorithm"] == spared["common"]["algorithm"] < spared["2"]["algorithm"]
    assert spared["common"]["2"] < spared["own"]["2"] == spared["2"]["2"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--annotator", "7"], "no reader '7'"),
        (["--model", "net"], "needs a score"),
        (["--table", "arc"], "acr"),
        (["--sizes", "ours"], "'own', 'common' or a reader: 1, 2"),
    ],
)
def test_mistakes(arguments: list[str], message: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = ["readers", str(folder / "map.yaml"), "--data", str(folder), "--out", str(folder / "out")]
    assert main([*base, *arguments]) == 1
    assert message in capsys.readouterr().err


def test_a_missing_file_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "r2.csv").unlink()
    assert main(["readers", str(folder / "map.yaml"), "--data", str(folder), "--out", str(folder / "out")]) == 1
    assert "r2.csv" in capsys.readouterr().err
