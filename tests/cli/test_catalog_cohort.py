"""`hounsfield catalog cohort` and `split` from the outside: from DICOM files to a cases table with parts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.catalog.dicom_made import made, write
from typer.testing import CliRunner, Result

from hounsfield.catalog.scan.scan import scan
from hounsfield.catalog.store import CatalogError
from hounsfield.cli.app import app
from hounsfield.core.errors import ProblemsError, StudyError

RULES = """
title: Thin CT with a diagnosis
outcomes: {join: patient, key: MRN}
steps:
  - {join: true, reason: no diagnosis, then: Diagnosis known}
  - {keep: {series.modality: CT}, reason: not CT}
  - {drop: {spacing_mm: {above: 3}}, reason: thick slices}
columns: {diagnosis: outcome.diagnosis}
label: diagnosis
site: institution
"""


def call(*words: object) -> Result:
    return CliRunner().invoke(app, ["catalog", *map(str, words)])


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve patients with a CT of four slices, one with an MR, one with thick slices; and their catalog."""
    folder = tmp_path_factory.mktemp("archive")
    for number in range(14):
        rng = np.random.default_rng(number)
        gap = 5.0 if number == 13 else 2.5
        for place in range(4):
            dataset = made(
                place,
                series=f"1.2.{number + 1}",
                PatientID=f"{number:03d}",
                StudyInstanceUID=f"1.9.{number}",
                Modality="MR" if number == 12 else "CT",
                InstitutionName="East" if number % 3 else "West",
                ImagePositionPatient=[-10.0, -20.0, gap * place],
                RescaleSlope=1,
                RescaleIntercept=0,
                PixelData=rng.integers(0, 4000, (4, 4)).astype(np.uint16).tobytes(),
            )
            write(dataset, folder / "files" / f"{number}" / f"{place}.dcm")
    scan(folder / "files", folder / "c.duckdb", workers=1)
    (folder / "rules.yaml").write_text(RULES)
    rows = [f"{number};{'ab'[number % 2]}" for number in range(14)]
    (folder / "lost-zeros.csv").write_text("\n".join(["MRN;diagnosis", *rows]))
    rows = [f"{number:03d};{'ab'[number % 2]}" for number in range(14)]
    (folder / "outcomes.csv").write_bytes("\n".join(["\ufeffMRN;diagnosis", *rows, "", "999;a"]).encode())
    return folder


def test_from_files_to_parts(archive: Path, tmp_path: Path) -> None:
    out = tmp_path / "cases.csv"
    done = call(
        "cohort", archive / "c.duckdb", "--rules", archive / "rules.yaml", "--outcomes", archive / "outcomes.csv",
        "--out", out,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "not CT: 1 patient, 1 study, 1 series lost, 13 patients, 13 studies, 13 series left" in done.output
    assert "diagnosis: a: 6 patients" in done.output
    assert "3 row(s) of the spreadsheet without a case" in done.output
    assert pd.read_csv(tmp_path / "cases-unmatched-rows.csv")["row"].tolist() == [14, 15, 17]
    assert b"</svg>" in (tmp_path / "cases-flow.svg").read_bytes()
    frame = pd.read_csv(out, dtype=str)
    assert frame["patient_id"].tolist() == [f"{number:03d}" for number in range(12)]
    checked = CliRunner().invoke(app, ["check", str(out), "--label", "diagnosis", "--workers", "1"])
    assert checked.exit_code == 0, checked.output
    split = call(
        "split", out, "--out", tmp_path / "split.csv", "--label", "diagnosis", "--kind", "nested",
        "--shares", "2:1", "--folds", 2, "--near-duplicates", "--workers", 1, "--seed", 3,
    )  # fmt: skip
    assert split.exit_code == 0, split.output
    assert (
        "Patients in each of 2 splits: 4 in train, 4 in validation, 4 in test. Patients in two parts: 0."
        in split.output
    )
    assert "12 images compared: none looks like that of another patient." in split.output
    assert pd.read_csv(tmp_path / "split.csv")["split_fold1"].value_counts().to_dict() == {
        "train": 4, "validation": 4, "test": 4,
    }  # fmt: skip


def test_lost_zeros_end_with_an_answer(archive: Path, tmp_path: Path) -> None:
    words = ("cohort", archive / "c.duckdb", "--outcomes", archive / "lost-zeros.csv", "--out", tmp_path / "c.csv")
    done = call(*words, "--rules", archive / "rules.yaml")
    assert isinstance(done.exception, CatalogError)
    assert "step 1 (no diagnosis) took the last 14 patients" in str(done.exception)
    assert pd.read_csv(tmp_path / "c-unmatched-rows.csv", dtype=str)["did_you_mean"].tolist()[:2] == ["000", "001"]
    assert not (tmp_path / "c.csv").exists()
    ignoring = tmp_path / "rules.yaml"
    ignoring.write_text(RULES.replace("key: MRN", "key: MRN, zeros: ignore"))
    assert call(*words, "--rules", ignoring).exit_code == 0
    assert len(pd.read_csv(tmp_path / "c.csv")) == 12


def test_join_on_the_command_line(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "o.csv").write_text("uid,diagnosis\n1.2.1,a\n1.2.2,b\n")
    done = call(
        "cohort", archive / "c.duckdb", "--rules", archive / "rules.yaml", "--outcomes", tmp_path / "o.csv",
        "--join", "series", "--key", "uid", "--out", tmp_path / "c.parquet",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert pd.read_parquet(tmp_path / "c.parquet")["series_uid"].tolist() == ["1.2.1", "1.2.2"]


def test_mistakes_are_told(archive: Path, tmp_path: Path) -> None:
    catalog, out = archive / "c.duckdb", tmp_path / "c.csv"
    typo = tmp_path / "typo.yaml"
    typo.write_text(RULES.replace("spacing_mm", "spacin_mm"))
    done = call("cohort", catalog, "--rules", typo, "--outcomes", archive / "outcomes.csv", "--out", out)
    assert isinstance(done.exception, ProblemsError)
    assert "Did you mean 'spacing_mm'?" in str(done.exception)
    assert isinstance(call("cohort", catalog, "--rules", "lidc", "--out", out).exception, CatalogError)
    assert isinstance(
        call("cohort", tmp_path / "no.duckdb", "--rules", "tcia-radnet", "--out", out).exception, CatalogError
    )
    (tmp_path / "t.csv").write_text("case_id,patient_id,image,y\n1,a,x.nii,0\n2,b,x.nii,1\n")
    done = call("split", tmp_path / "t.csv", "--out", out, "--label", "y")
    assert isinstance(done.exception, StudyError)
    assert "at least 3 patients of every class" in str(done.exception)
    assert call("split", tmp_path / "t.csv", "--out", out).exit_code == 2  # no label
    assert call("split", tmp_path / "t.csv", "--out", out, "--label", "y", "--kind", "five").exit_code == 2
    assert not out.exists()
