"""The granuloma phantoms: what is concluded from results made by hand, and the whole way from DICOM to the page."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hounsfield.core.errors import StudyError
from hounsfield.phantom import solitary, solitary_archive
from hounsfield.phantom.solitary import KINDS
from hounsfield.stats.auc import auc
from hounsfield.studies import granuloma_phantoms, runner
from hounsfield.studies.granuloma_phantom_cases import Sizes, phantom_cases, scan_level, unmasked
from hounsfield.studies.granuloma_phantom_verdicts import (
    BLIND,
    DUAL,
    FINGERPRINT,
    GLOBAL,
    LEAK,
    LOCAL,
    MET,
    NOT_MET,
    RADIOMICS,
    SCANS,
    SEEING,
    SHAPE,
    SINGLE,
    TRIVIAL,
    UNMASKED,
    ArmResult,
    judge,
    null_interval,
    results_of,
    table_of,
)
from hounsfield.studies.load import load
from hounsfield.tables.cases import read_cases
from hounsfield.volume.read import read_mask, read_volume

ARMS = (TRIVIAL, RADIOMICS, SINGLE, DUAL, SHAPE)


def one_a_patient(label, prob) -> ArmResult:
    return ArmResult(np.array(label), np.array(prob, dtype=float), np.array([f"p{n}" for n in range(len(label))]))


# --- the null interval


def test_null_interval_is_that_of_mann_and_whitney():
    # Three against three: U is 0 to 9 in 1, 1, 2, 3, 3, 3, 3, 2, 1, 1 of the 20 ways, so that 15 % lie below U = 2
    # or at it (4 of 20) but not below U = 1 (2 of 20).
    one = one_a_patient([1, 1, 1, 0, 0, 0], [0.1, 0.5, 0.3, 0.7, 0.2, 0.9])
    low, high = null_interval(one, rng=np.random.default_rng(0), level=0.7)
    assert (low, high) == (pytest.approx(2 / 9), pytest.approx(7 / 9))


def test_null_interval_at_size_agrees_with_its_normal_form():
    rng = np.random.default_rng(1)
    one = one_a_patient([0, 1] * 36, rng.random(72))
    low, high = null_interval(one, rng=rng)
    half = 1.959964 * math.sqrt(73 / (12 * 36 * 36))  # variance of U under the null: mn (m + n + 1) / 12
    assert (low, high) == (pytest.approx(0.5 - half, abs=0.006), pytest.approx(0.5 + half, abs=0.006))
    wide = null_interval(one, rng=rng, tests=5)
    assert wide[1] - 0.5 == pytest.approx(half * 2.575829 / 1.959964, abs=0.012)  # 0.5 % on each side


def test_scans_of_one_patient_narrow_nothing():
    rng = np.random.default_rng(2)
    single = one_a_patient([0, 1] * 15, rng.random(30))
    tripled = ArmResult(*(np.repeat(part, 3) for part in (single.label, single.prob, single.patient_id)))
    one, other = (null_interval(each, rng=np.random.default_rng(3)) for each in (single, tripled))
    assert one == pytest.approx(other)


# --- what is concluded


def arm(phantom: str, name: str, *, found: bool) -> ArmResult:
    """Forty patients in order of their class, or with scores that have nothing to do with it."""
    label = np.array([0, 1] * 20)
    rng = np.random.default_rng([KINDS.index(phantom) if phantom in KINDS else 9, ARMS.index(name)])
    prob = label * 0.5 + rng.random(40) * 0.4 if found else np.linspace(0, 1, 40) % 0.5 + rng.random(40) * 0.01
    return one_a_patient(label, prob)


def as_theory_says() -> dict[str, dict[str, ArmResult]]:
    runs = {}
    for phantom in (GLOBAL, LOCAL, LEAK, UNMASKED, FINGERPRINT, SCANS):
        seeing = (SINGLE, DUAL) if phantom == SCANS else SEEING[phantom]
        names = {UNMASKED: (TRIVIAL, DUAL), SCANS: (TRIVIAL, SINGLE, DUAL)}.get(phantom, ARMS)
        runs[phantom] = {name: arm(phantom, name, found=name in seeing) for name in names}
    return runs


def verdicts_of(runs: Mapping[str, Mapping[str, ArmResult]]) -> dict[tuple[str, str], str]:
    table = pd.concat([table_of(phantom, results) for phantom, results in runs.items()], ignore_index=True)
    return {(one.phantom, one.expectation): one.verdict for one in judge(runs, table)}


def test_all_is_met_when_all_is_as_theory_says():
    found = verdicts_of(as_theory_says())
    assert set(found.values()) == {MET}
    assert len(found) == 13


@pytest.mark.parametrize(
    ("phantom", "name", "sees", "expectation"),
    [
        (GLOBAL, SINGLE, True, "nothing is found"),
        (GLOBAL, SHAPE, True, "nothing is found"),
        (GLOBAL, DUAL, False, "dual_path reaches 0.95"),
        (LOCAL, RADIOMICS, False, "radiomics reaches 0.95"),
        (LOCAL, DUAL, False, "dual_path not below single_path"),
        (LEAK, DUAL, True, "nothing is found"),
        (UNMASKED, DUAL, False, "dual_path reaches 0.95"),
        (FINGERPRINT, SINGLE, True, "nothing is found"),
        (SCANS, SINGLE, False, "single_path above chance"),
    ],
)
def test_what_contradicts_theory_is_said(phantom, name, sees, expectation):
    runs = as_theory_says()
    runs[phantom][name] = arm(phantom, name, found=sees)
    assert verdicts_of(runs)[phantom, expectation] == NOT_MET


def test_table_by_hand():
    one = one_a_patient([0, 0, 1, 1], [0.1, 0.6, 0.6, 0.9])  # four pairs: three won and one tied
    row = table_of(GLOBAL, {SINGLE: one}).iloc[0]
    assert (row["auc"], row["patients"], row["rows"], row["positive"]) == (0.875, 4, 4, 2)
    assert row["expected"] == "blind"
    assert row["null_low_all"] <= row["null_low"] < 0.5 < row["null_high"] <= row["null_high_all"]
    assert row["auc_low"] == pytest.approx(auc([0, 0, 1, 1], [0.1, 0.6, 0.6, 0.9]).low)


def test_every_expectation_names_an_arm_of_the_study():
    assert set(load("granuloma-phantoms").arms) == set(ARMS)
    for phantom, arms in (*BLIND.items(), *SEEING.items()):
        assert set(arms) <= set(ARMS), phantom
    assert not any(set(BLIND[phantom]) & set(SEEING[phantom]) for phantom in BLIND)


def predictions() -> pd.DataFrame:
    rows = [
        ("s1", "p1", "dual_path", "test", "c", "cancer", 0.2),
        ("s2", "p1", "dual_path", "test", "c", "cancer", 0.4),
        ("s3", "p2", "dual_path", "test", "c", "cryptococcosis", 0.9),
        ("s4", "p3", "dual_path", "validation", "c", "cancer", 0.0),
        ("p1", "p1", "dual_path, mean", "test", "c of the patient", "cancer", 0.3),
        ("p2", "p2", "dual_path, mean", "test", "c of the patient", "cryptococcosis", 0.9),
    ]
    names = ["case_id", "patient_id", "arm", "split", "target", "label", "prob_cryptococcosis"]
    return pd.DataFrame(rows, columns=names)


def test_results_are_those_of_patients_or_of_series_with_their_true_patient():
    one = results_of(predictions())["dual_path"]
    assert (one.label.tolist(), one.prob.tolist(), one.patient_id.tolist()) == ([0, 1], [0.3, 0.9], ["p1", "p2"])
    true = pd.Series({"s1": "a", "s2": "b", "s3": "b"})
    other = results_of(predictions(), patients=true)["dual_path"]
    assert (other.prob.tolist(), other.patient_id.tolist()) == ([0.2, 0.4, 0.9], ["a", "b", "b"])


# --- the way to the table


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    return phantom_cases(tmp_path_factory.mktemp("made"), "fingerprint", 3, seed=5, workers=1)


def test_every_series_of_the_archive_becomes_a_case(made):
    cases = read_cases(made).cases()
    folders = [path for path in (made.parent / "archive").glob("*/*") if path.is_dir()]
    assert len(cases) == len(folders)
    assert {case.image.name for case in cases} <= {"MEDIUM", "SOFT", "SHARP"}
    outcomes = pd.read_csv(made.parent / "outcomes.csv", dtype=str).set_index("patient_id")["diagnosis"]
    assert all(case.values["diagnosis"] == outcomes[case.patient_id] for case in cases)
    assert all(read_mask(case.mask, like=read_volume(case.image)).array.any() for case in cases[:1])


def test_the_wrong_way_hides_who_is_who_from_the_split_alone(made):
    frame, wrong = (pd.read_csv(path, dtype=str) for path in (made, scan_level(made)))
    assert wrong["patient_id"].is_unique
    assert (wrong["true_patient"] == frame["patient_id"]).all()
    pd.testing.assert_frame_equal(wrong.drop(columns="true_patient")[frame.columns.drop("patient_id")],
                                  frame.drop(columns="patient_id"))  # fmt: skip


def test_nothing_is_masked_where_all_is_lung(made):
    case = read_cases(unmasked(made, workers=1)).cases()[0]
    assert read_mask(case.lungs, like=read_volume(case.image)).array.all()


def test_an_unknown_phantom_is_refused(tmp_path):
    with pytest.raises(StudyError, match="no phantom 'globl_only'"):
        granuloma_phantoms.run_granuloma_phantoms(tmp_path, only=["globl_only"])


def test_two_phantoms_are_trained_in_another_way():
    plain, longer = (granuloma_phantoms.study_of(kind, quick=False, seed=1) for kind in ("leak", "local_only"))
    assert plain == granuloma_phantoms.study_of("global_only", quick=False, seed=1)
    for name in (SINGLE, DUAL, SHAPE):
        assert (plain.arms[name].training.epochs, longer.arms[name].training.epochs) == (20, 40)
    assert granuloma_phantoms.study_of("local_only", quick=True, seed=1).arms[DUAL].training.epochs == 1


def test_the_fingerprint_is_learnt_without_mirror_images():
    plain, by_heart = (granuloma_phantoms.study_of(kind, quick=False, seed=1) for kind in ("leak", "fingerprint"))
    for name in (SINGLE, DUAL, SHAPE):
        assert plain.arms[name].training.augmentation.flip_probability == 0.5
        assert by_heart.arms[name].training.augmentation.flip_probability == 0
    assert by_heart.model_copy(update={"arms": plain.arms}) == plain


# --- the whole


@pytest.mark.slow
def test_the_study_runs_from_dicom_to_the_page_and_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(granuloma_phantoms, "QUICK", Sizes(6, 6, 6, 6))
    monkeypatch.setattr(runner, "report_run", lambda out, *rest, **options: (out / "report.html", []))
    for module in (solitary, solitary_archive):  # voxels of 6 mm in place of 3: an eighth of the work
        monkeypatch.setattr(module, "SHAPE", (44, 56, 56))
        monkeypatch.setattr(module, "SPACING_MM", (6.0, 6.0, 6.0))
    machine = runner.Machine(device="cpu", workers=1)  # no other process, which would draw at full size
    first = granuloma_phantoms.run_granuloma_phantoms(tmp_path, quick=True, only=KINDS[:1], machine=machine)
    assert first == ["These phantoms are done; the page is written when local_only, leak, fingerprint are too."]
    pieces = sorted((tmp_path / GLOBAL / "run" / "pieces").rglob("predictions.parquet"))
    times = [piece.stat().st_mtime_ns for piece in pieces]
    lines = granuloma_phantoms.run_granuloma_phantoms(tmp_path, quick=True, machine=machine)
    assert [piece.stat().st_mtime_ns for piece in pieces] == times  # what was done is not done again
    assert len(lines) == 14
    table = pd.read_csv(tmp_path / "granuloma-phantoms.csv")
    wanted = {GLOBAL: 5, LOCAL: 5, LEAK: 5, UNMASKED: 2, FINGERPRINT: 5, SCANS: 3}
    assert table.groupby("phantom").size().to_dict() == wanted
    assert table["auc"].between(0, 1).all()
    page = (tmp_path / "granuloma-phantoms.md").read_text(encoding="utf-8")
    assert page.startswith("## Phantoms")
    assert page.count("\n| ") >= 13 + sum(wanted.values())
    assert (tmp_path / "granuloma-phantoms.png").stat().st_size > 10_000
