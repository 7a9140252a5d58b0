"""The phantom study: what its cubes hold, how parts are given, what is concluded from numbers, and one small run."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import ks_2samp

from hounsfield.core.errors import ProblemsError, StudyError
from hounsfield.core.progress import silent
from hounsfield.data.batches import Tensors
from hounsfield.fit.training import Training
from hounsfield.nets.nodule_classifier import NoduleClassifierConfig
from hounsfield.stats.estimate import Estimate
from hounsfield.studies import phantom_verdicts, phantoms, runner
from hounsfield.studies.cohort import Cohort, make_cohort
from hounsfield.studies.load import dump, load
from hounsfield.studies.paper_protocol import Optimism, choose_on_the_test_part
from hounsfield.studies.phantom_cases import (
    CLEAN,
    CONFOUNDER,
    NO_SIGNAL,
    PHANTOMS,
    SHAPE_LEAK,
    Sizes,
    aligned_test_set,
    draw_part,
    probe_set,
    write_phantom,
)
from hounsfield.studies.phantom_results import ArmResult, MaskValues, PhantomResult, mask_values, table_of
from hounsfield.studies.phantom_verdicts import MET, NOT_MET, UNCLEAR, judge, null_half_width
from hounsfield.volume.intensity import scale_hu

TINY = Sizes(12, 8, 10)


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cases table of a tiny confounder phantom."""
    return write_phantom(tmp_path_factory.mktemp("confounder"), CONFOUNDER, TINY, seed=1)


def cohort_of(cases: Path, cache: Path) -> Cohort:
    return make_cohort(load("phantoms"), cases, cache, workers=1, progress=silent)


# --- the parts are those of the table


def test_parts_are_those_of_the_column(cases, tmp_path):
    cohort = cohort_of(cases, tmp_path / "cache")
    table = pd.read_csv(cases).set_index("case_id")
    for part, count in (("train", 12), ("validation", 8), ("test", 10)):
        inside = {case.case_id for case, kept in zip(cohort.cases, cohort.part(0, 0, part), strict=True) if kept}
        assert inside == set(table.index[table["part"] == part])
        assert len(inside) == count
    assert cohort.units() == [(0, 0)]


def test_prepared_cubes_are_the_drawn_ones(cases, tmp_path):
    cohort = cohort_of(cases, tmp_path / "cache")
    test = cohort.part(0, 0, "test")
    drawn = draw_part(CONFOUNDER, "test", 10, seed=1)
    np.testing.assert_array_equal(cohort.prepared.masks[test] > 0, drawn.masks)
    np.testing.assert_allclose(cohort.prepared.images[test], scale_hu(drawn.images, (-1024, 400)), atol=1e-6)
    np.testing.assert_array_equal(cohort.labels["label"][test], drawn.labels)


def altered(cases: Path, column: str, row: int, value: str) -> Path:
    table = pd.read_csv(cases)
    table[column] = table[column].astype(object)
    table.loc[row, column] = value
    path = cases.parent / f"altered-{column}.csv"
    table.to_csv(path, index=False)
    return path


def test_a_patient_in_two_parts_is_refused(cases, tmp_path):
    table = pd.read_csv(cases)
    row = int(table.index[table["part"] == "test"][0])
    path = altered(cases, "patient_id", row, str(table["patient_id"][0]))
    with pytest.raises(StudyError, match="two sides"):
        cohort_of(path, tmp_path / "cache")


def test_an_unknown_part_is_named_with_its_case(cases, tmp_path):
    path = altered(cases, "part", 3, "tests")
    with pytest.raises(ProblemsError, match=r"train-00003.*'tests'.*train, validation, test"):
        cohort_of(path, tmp_path / "cache")


def test_a_table_without_the_column_is_refused(cases, tmp_path):
    path = cases.parent / "without.csv"
    pd.read_csv(cases).drop(columns="part").to_csv(path, index=False)
    with pytest.raises(ProblemsError, match="column part"):
        cohort_of(path, tmp_path / "cache")


@pytest.mark.parametrize("override", ["split.column=part", "split.kind=column"])
def test_kind_and_column_go_together(override):
    with pytest.raises(ProblemsError, match="kind: column needs the name"):
        load("demo", overrides=[override])


def test_a_study_without_the_column_resolves_to_the_text_it_always_had():
    # A run folder is claimed by this text: one begun before the key existed must go on.
    split = dump(load("demo")).split("\nsplit:\n")[1].split("\narms:")[0]
    assert [line.strip().split(":")[0] for line in split.splitlines()] == [
        "kind",
        "folds",
        "repetitions",
        "test",
        "validation",
        "stratify",
    ]


def test_the_column_survives_writing_and_reading(tmp_path):
    path = tmp_path / "again.yaml"
    path.write_text(dump(load("phantoms")), encoding="utf-8")
    assert load(str(path)) == load("phantoms")
    assert load(str(path)).split.column == "part"


# --- what the cubes hold


def test_vessels_go_with_the_class_in_training_and_against_it_in_test():
    for part, share in (("train", (0.1, 0.9)), ("validation", (0.1, 0.9)), ("test", (0.9, 0.1))):
        cubes = draw_part(CONFOUNDER, part, 200, seed=1)
        for label in (0, 1):
            touched = cubes.contact[cubes.labels == label].mean()
            assert abs(touched - share[label]) < 4 * math.sqrt(0.09 / 100), (part, label, touched)


def test_clean_and_confounder_phantom_are_the_same_under_the_outline():
    clean, other = (draw_part(phantom, "test", 40, seed=1) for phantom in (CLEAN, CONFOUNDER))
    np.testing.assert_array_equal(clean.masks, other.masks)
    np.testing.assert_array_equal(clean.images * clean.masks, other.images * other.masks)
    np.testing.assert_array_equal(clean.labels, other.labels)
    assert not np.array_equal(clean.images, other.images)


def test_aligned_and_probe_sets_hold_the_test_nodules():
    test, aligned, probe = (
        draw_part(CONFOUNDER, "test", 40, seed=1),
        aligned_test_set(40, seed=1),
        probe_set(40, seed=1),
    )
    np.testing.assert_array_equal(test.masks, aligned.masks)
    np.testing.assert_array_equal(test.masks, probe.masks)
    assert probe.contact.all()
    assert probe.vessels.any(axis=(1, 2, 3)).all()
    assert not (probe.vessels & probe.masks).any()


def test_labels_without_signal_are_unrelated_to_core_and_vessels():
    cubes = draw_part(NO_SIGNAL, "test", 300, seed=1)
    for truth in (cubes.core_fraction, cubes.contact, cubes.masks.sum(axis=(1, 2, 3))):
        assert abs(np.corrcoef(truth, cubes.labels)[0, 1]) < 3 / math.sqrt(300)


def test_shape_leak_has_one_distribution_of_voxels_and_volumes_and_two_of_outlines():
    cubes = draw_part(SHAPE_LEAK, "train", 60, seed=1)
    inside = [np.concatenate([i[m] for i, m in zip(cubes.images[k], cubes.masks[k], strict=True)])
              for k in (cubes.labels == 0, cubes.labels == 1)]  # fmt: skip
    assert ks_2samp(*inside).pvalue > 0.01
    volume = cubes.masks.sum(axis=(1, 2, 3))
    assert volume[cubes.labels == 0].mean() == pytest.approx(volume[cubes.labels == 1].mean(), rel=0.03)
    reach = np.array([np.ptp(np.argwhere(mask), axis=0).max() for mask in cubes.masks]) / np.cbrt(volume)
    assert (
        reach[cubes.labels == 0].max() < reach[cubes.labels == 1].min()
    )  # a ball is never as long as its stretched twin


def test_no_phantom_has_a_patient_in_two_parts(tmp_path):
    for phantom in PHANTOMS:
        table = pd.read_csv(write_phantom(tmp_path / phantom, phantom, Sizes(6, 4, 4), seed=1))
        assert (table.groupby("patient_id")["part"].nunique() == 1).all()
        assert table.groupby("part").size().to_dict() == {"train": 6, "validation": 4, "test": 4}


# --- what is concluded


def gap(value: float, low: float, high: float) -> Estimate:
    return Estimate(value, low, high, 100, "patients", "by hand")


@pytest.mark.parametrize(
    ("estimate", "expected"),
    [
        (gap(0.10, 0.02, 0.18), MET),
        (gap(0.00, -0.04, 0.04), MET),
        (gap(-0.02, -0.08, 0.04), UNCLEAR),
        (gap(-0.10, -0.18, -0.02), NOT_MET),
        (gap(0.0, math.nan, math.nan), MET),
    ],
)
def test_not_below(estimate, expected):
    assert phantom_verdicts.not_below(estimate) == expected


@pytest.mark.parametrize(
    ("estimate", "expected"),
    [
        (gap(0.02, 0.01, 0.04), MET),  # a difference, but too small to matter
        (gap(0.00, -0.08, 0.08), UNCLEAR),
        (gap(0.06, 0.02, 0.10), NOT_MET),
        (gap(0.0, math.nan, math.nan), MET),
        (gap(0.3, math.nan, math.nan), UNCLEAR),
    ],
)
def test_equal(estimate, expected):
    assert phantom_verdicts.equal(estimate) == expected


@pytest.mark.parametrize(
    ("estimate", "expected"),
    [
        (gap(0.3, 0.2, 0.4), MET),
        (gap(0.12, 0.05, 0.19), UNCLEAR),
        (gap(0.05, 0.01, 0.09), NOT_MET),
        (gap(0.5, math.nan, math.nan), UNCLEAR),
    ],
)
def test_far_above(estimate, expected):
    assert phantom_verdicts.far_above(estimate) == expected


def test_null_interval_by_hand():
    label = np.array([0, 1] * 10)  # variance (20 + 1) / (12 * 10 * 10) = 0.0175
    assert null_half_width(label) == pytest.approx(1.959964 * math.sqrt(0.0175), rel=1e-6)
    assert null_half_width(label, tests=2) == pytest.approx(2.241403 * math.sqrt(0.0175), rel=1e-6)


def arm(label: np.ndarray, right: float, *, dice: float = math.nan, seed: int = 0) -> ArmResult:
    """Calls of which a share is right, wrong ones at random places."""
    wrong = np.random.default_rng(seed).permutation(len(label)) >= round(right * len(label))
    return ArmResult(np.where(wrong, 1 - label, label) * 0.8 + 0.1, np.full(len(label), dice))


def result(shares: dict[str, float], *, rule: float | None = None, dice: float = 0.95, bayes: float = 0.9):
    label = np.array([0, 1] * 200)
    arms = {name: arm(label, share, dice=dice, seed=index) for index, (name, share) in enumerate(shares.items())}
    best = None if rule is None else arm(label, rule, seed=99).called
    patients = tuple(f"p{index // 2}" for index in range(len(label)))
    return PhantomResult(label, patients, best, bayes, arms)


def as_theory_says() -> dict[str, PhantomResult]:
    even = {"volume": 0.5, "raw": 0.5, "expert_mask": 0.5, "auto_mask": 0.5, "joint": 0.5, "transfer": 0.5}
    clean = result(even | {"raw": 0.80, "expert_mask": 0.90, "auto_mask": 0.90, "joint": 0.90}, rule=0.9)
    twisted = result(even | {"raw": 0.40, "auto_mask": 0.90, "joint": 0.70}, rule=0.9)
    same = {"expert_mask": clean.arms["expert_mask"], "auto_mask": clean.arms["expert_mask"]}
    masks = {"auto_mask": MaskValues(0.01, 0.1, 0.1, 0.9), "joint": MaskValues(0.2, 0.5, 0.1, 0.9)}
    return {
        CLEAN: replace(clean, arms={**clean.arms, "auto_mask": clean.arms["expert_mask"]}, masks=masks),
        CONFOUNDER: replace(twisted, arms={**twisted.arms, **same}, masks=masks, aligned={"raw": 0.97}),
        NO_SIGNAL: result(even, bayes=0.5),
        SHAPE_LEAK: result(even | {"expert_mask": 0.95}, bayes=1.0),
    }


def verdicts_of(results: dict[str, PhantomResult]) -> dict[tuple[str, str], str]:
    return {(one.phantom, one.expectation): one.verdict for one in judge(results)}


def test_all_is_met_when_all_is_as_theory_says():
    found = verdicts_of(as_theory_says())
    assert found[CONFOUNDER, "(a) falls far below its clean accuracy"] == MET
    assert found[CONFOUNDER, "(b) unchanged"] == MET
    assert found[CONFOUNDER, "(c) equal to (b) where Dice is near 1"] == MET
    assert set(found.values()) == {MET, "finding"}


def test_what_contradicts_theory_is_said():
    results = as_theory_says()
    clean, twisted = results[CLEAN], results[CONFOUNDER]
    results[CLEAN] = replace(clean, arms={**clean.arms, "expert_mask": arm(clean.label, 0.6, seed=7)})
    results[CONFOUNDER] = replace(twisted, arms={**twisted.arms, "raw": clean.arms["raw"]})
    results[NO_SIGNAL] = replace(clean, best_rule=None)
    results[SHAPE_LEAK] = result(dict.fromkeys(clean.arms, 0.5))
    found = verdicts_of(results)
    assert found[CLEAN, "(b) not below (c)"] == NOT_MET
    assert found[CLEAN, "(b) near the Bayes rate"] == NOT_MET
    assert found[CONFOUNDER, "(a) falls far below its clean accuracy"] == NOT_MET
    assert found[SHAPE_LEAK, "(b) succeeds although no voxel differs"] == NOT_MET
    beyond = [one for one in judge(results) if one.phantom == NO_SIGNAL]
    assert [one.verdict for one in beyond] == [NOT_MET]
    assert "outside: raw" in beyond[0].found


def test_equality_of_masks_is_not_judged_at_a_poor_dice():
    results = as_theory_says()
    poor = {name: replace(one, dice=np.full(400, 0.7)) for name, one in results[CONFOUNDER].arms.items()}
    results[CONFOUNDER] = replace(results[CONFOUNDER], arms=poor)
    assert "not tested" in verdicts_of(results)[CONFOUNDER, "(c) equal to (b) where Dice is near 1"]


def test_table_by_hand():
    label = np.array([0, 0, 1, 1])
    # Called 0 1 1 1: three of four right. Of the four pairs all but (.6, .6) are won, that one is tied: 3.5 / 4.
    arms = {"raw": ArmResult(np.array([0.1, 0.6, 0.6, 0.9]), np.array([0.5, 0.7, 0.9, 0.7]))}
    row = table_of(PhantomResult(label, ("a", "b", "c", "d"), None, 0.5, arms)).iloc[0]
    assert (row["accuracy"], row["auc"], row["cubes"]) == (0.75, 0.875, 4)
    assert row["dice"] == pytest.approx(0.7)
    assert (row["accuracy_low"], row["accuracy_high"]) == pytest.approx((0.3006, 0.9544), abs=1e-4)  # Wilson, 3 of 4
    assert math.isnan(row["vessel"])


def test_mask_values_by_hand():
    probe = probe_set(3, seed=1)
    open_to_all = mask_values(np.ones(probe.masks.shape, dtype=np.float32), probe)
    exact = mask_values(probe.masks.astype(np.float32), probe)
    assert (open_to_all.vessel, open_to_all.near_vessel, open_to_all.near_lung) == (1, 1, 1)
    assert (exact.vessel, exact.near_vessel, exact.near_lung, exact.nodule) == (0, 0, 0, 1)


# --- the paper's protocol


def test_optimism_is_that_of_the_best_run():
    found = Optimism((0.55, 0.61, 0.58), (0.52, 0.49, 0.51), (0.5, 0.5, 0.5), 100, 100, 20)
    assert (found.best, found.best_fresh) == (0.61, 0.49)
    assert found.gap == pytest.approx(0.11)


def test_halves_hold_both_classes_equally_often():
    label = np.array([0, 1, 1, 1, 0, 0, 0, 1, 0, 1])
    test = np.array([True] * 8 + [False] * 2)
    shown, fresh = phantoms.halves(label, test, most=5)
    assert (shown.tolist(), fresh.tolist()) == ([0, 4, 1, 2], [5, 6, 3, 7])
    assert len(phantoms.halves(label, test, most=225)[0]) == 4  # never more than half of a class


def noise(count: int, seed: int) -> Tensors:
    generator = torch.Generator().manual_seed(seed)
    return Tensors(torch.randn(count, 1, 8, 8, 8, generator=generator), label=torch.arange(count) % 2)


def test_choosing_on_the_test_part_never_reports_less_than_its_last_epoch():
    how = Training(epochs=3, batch_size=8, learning_rate=1e-3, schedule="constant", compile="off", device="cpu")
    network = NoduleClassifierConfig(grid=(8, 8, 8), widths=(2, 2, 2, 2), hidden=4)
    found = choose_on_the_test_part(noise(16, 1), noise(11, 2), noise(13, 3), network=network, how=how, runs=2, seed=1)
    assert len(found.reported) == len(found.fresh) == 2
    assert all(best >= last for best, last in zip(found.reported, found.last, strict=True))
    assert (found.test_cubes, found.fresh_cubes, found.epochs) == (11, 13, 3)


# --- the whole


@pytest.mark.slow
def test_the_study_runs_and_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(phantoms, "QUICK", dict.fromkeys(PHANTOMS, TINY))
    monkeypatch.setattr(runner, "report_run", lambda out, *rest, **options: (out / "report.html", []))
    machine = runner.Machine(device="cpu", workers=1)
    lines = phantoms.run_phantoms(tmp_path / "study", quick=True, machine=machine)
    table = pd.read_csv(tmp_path / "study" / "phantoms.csv")
    assert table.groupby("phantom").size().to_dict() == dict.fromkeys(PHANTOMS, 7)
    masked = table["arm"].isin(["auto_mask", "joint"]) & table["phantom"].isin([CLEAN, CONFOUNDER])
    assert table.loc[masked, "vessel"].between(0, 1).all()
    assert table.loc[~masked, "vessel"].isna().all()
    page = (tmp_path / "study" / "phantoms.md").read_text(encoding="utf-8")
    assert all(word in page for word in ("## Verdicts", "Bayes rate", "vessels reversed", "points** to the truth"))
    # (b) sees nothing of the vessels: its training and its calls are the same in both phantoms, to the byte.
    calls = table[table["arm"] == "expert_mask"].set_index("phantom")
    assert calls.loc[CLEAN, "auc"] == calls.loc[CONFOUNDER, "auc"]
    assert any("(b) unchanged: clean run minus this run +0.0 points" in line for line in lines)
    assert phantoms.run_phantoms(tmp_path / "study", quick=True, machine=machine) == lines
