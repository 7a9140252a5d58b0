"""Arms compared in pairs: the verdict's words, Holm's family, and differences against independent computations."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hounsfield.report.comparisons import BEATS, BELOW, NAMED, UNDECIDED, UNDEFINED, VERSUS_TRIVIAL
from hounsfield.report.content import ArmInfo
from hounsfield.report.evaluate import Evaluation, evaluate
from hounsfield.report.wording import interval, number, p_value, verdict_of
from hounsfield.stats.compare import compare_accuracy, compare_auc

TARGETS = {"malignancy": ("benign", "malignant")}
VOLUME = ArmInfo("volume", "Lesion volume", trivial=True, needs_mask=True)
GOOD, FAIR, NOISE = ArmInfo("good", "Good"), ArmInfo("fair", "Fair"), ArmInfo("noise", "Noise")
ARMS = (GOOD, FAIR, NOISE, VOLUME)


def run(table: pd.DataFrame, arms: tuple[ArmInfo, ...] = ARMS, named: tuple[tuple[str, str], ...] = ()) -> Evaluation:
    return evaluate(table, TARGETS, arms=arms, seed=1, comparisons=named, resamples=200)


def compared(found: Evaluation, first: str, metric: str = "auc", family: str = VERSUS_TRIVIAL) -> pd.Series:
    table = found.comparisons
    rows = table[(table["first"] == first) & (table["metric"] == metric) & (table["family"] == family)]
    assert len(rows) == 1
    return rows.iloc[0]


def test_the_three_verdicts(cohort):
    found = run(cohort)
    assert found.best_trivial["malignancy"] == "volume"
    assert compared(found, "good")["verdict"] == BEATS
    assert compared(found, "fair")["verdict"] == UNDECIDED
    assert compared(found, "noise")["verdict"] == BELOW


def test_holm_by_hand(cohort):
    # Three networks: the smallest p counts three times, the next twice, the last once, never falling.
    found = run(cohort)
    rows = found.comparisons[(found.comparisons["metric"] == "auc")].sort_values("p")
    p = rows["p"].to_numpy()
    expected = np.minimum(np.maximum.accumulate(p * [3, 2, 1]), 1)
    assert rows["p_holm"].to_numpy() == pytest.approx(expected)


def test_one_seed_each_is_the_stats_rooms_test(cohort):
    one = cohort[(cohort["seed"] == 0)]
    found = run(one, named=(("good", "fair"),))
    test = one[one["split"] == "test"].sort_values("case_id")
    label, patients = (test[test["arm"] == "good"]["label"] == "malignant").to_numpy(), None
    prob = {arm: test[test["arm"] == arm]["prob_malignant"].to_numpy() for arm in ("good", "fair")}
    patients = test[test["arm"] == "good"]["patient_id"].to_numpy()
    expected = compare_auc(label, prob["good"], prob["fair"], patient_id=patients)
    row = compared(found, "good", family=NAMED)
    assert (row["difference"], row["p"]) == pytest.approx((expected.difference.value, expected.p))
    exact = compare_accuracy(label, prob["good"] > 0.5, prob["fair"] > 0.5, patient_id=patients)
    row = compared(found, "good", "accuracy", NAMED)
    assert (row["difference"], row["p"]) == pytest.approx((exact.difference.value, exact.p))


def test_mean_over_seeds_by_contrast_agrees_with_the_bootstrap(cohort):
    # Independent: patients drawn one by one, AUCs by counting pairs of ranks.
    found = run(cohort, named=(("good", "volume"),))
    row = compared(found, "good", family=NAMED)
    test = cohort[cohort["split"] == "test"].sort_values("case_id")
    parts = [
        test[(test["arm"] == arm) & (test["seed"] == seed)] for arm, seed in (("good", 0), ("good", 1), ("volume", 0))
    ]
    label = (parts[0]["label"] == "malignant").to_numpy()
    scores = [part["prob_malignant"].to_numpy() for part in parts]
    patients = parts[0]["patient_id"].to_numpy()
    names = np.unique(patients)
    places = {name: np.flatnonzero(patients == name) for name in names}
    rng = np.random.default_rng(0)

    def area(rows: np.ndarray, score: np.ndarray) -> float:
        up, down = score[rows][label[rows]], score[rows][~label[rows]]
        return float((up[:, None] > down[None]).mean() + 0.5 * (up[:, None] == down[None]).mean())

    def gap(rows: np.ndarray) -> float:
        return (area(rows, scores[0]) + area(rows, scores[1])) / 2 - area(rows, scores[2])

    drawn = [gap(np.concatenate([places[name] for name in rng.choice(names, len(names))])) for _ in range(800)]
    assert row["difference"] == pytest.approx(gap(np.arange(len(label))))
    assert (row["high"] - row["low"]) / 3.92 == pytest.approx(np.std(drawn), rel=0.12)


def test_only_common_cases_are_compared(make_rows):
    net = make_rows("good", [1, 1, 0, 0, 1, 0], [0.9, 0.8, 0.2, 0.1, 0.1, 0.9])
    volume = make_rows("volume", [1, 1, 0, 0], [0.9, 0.3, 0.4, 0.1])  # lacks the last two, which the network gets wrong
    row = compared(run(pd.concat([net, volume], ignore_index=True), (GOOD, VOLUME)), "good")
    assert row["cases"] == 4
    assert row["difference"] == pytest.approx(1 - 0.75)


def test_hold_out_repetitions_with_different_cases_are_resampled(make_rows):
    rng = np.random.default_rng(1)
    tables = []
    for repetition in range(3):
        label = (rng.random(60) < 0.5).astype(int)
        for arm, signal in (("good", 3.0), ("volume", 0.3)):
            score = 1 / (1 + np.exp(-(signal * (label - 0.5) + rng.normal(0, 1, 60))))
            tables.append(make_rows(arm, label, score, repetition=repetition, prefix=f"r{repetition}-"))
    row = compared(run(pd.concat(tables, ignore_index=True), (GOOD, VOLUME)), "good")
    assert row["method"] == "patient bootstrap, normal p"
    assert row["verdict"] == BEATS
    assert 0 < row["low"] < row["difference"] < row["high"]


def test_an_arm_against_its_own_copy_is_not_distinguishable(make_rows):
    table = pd.concat([make_rows(arm, [1, 0, 1, 0], [0.9, 0.3, 0.2, 0.4]) for arm in ("good", "volume")])
    row = compared(run(table.reset_index(drop=True), (GOOD, VOLUME)), "good")
    assert (row["difference"], row["p"], row["verdict"]) == (0, 1, UNDECIDED)


def test_one_class_leaves_the_verdict_undefined(make_rows):
    table = pd.concat([make_rows(arm, [1, 1, 1], [0.9, 0.3, 0.2]) for arm in ("good", "volume")], ignore_index=True)
    found = run(table, (GOOD, VOLUME))
    assert found.best_trivial["malignancy"] is None
    assert verdict_of(found, (GOOD, VOLUME), "malignancy").kind == "open"


def test_words_of_the_first_page(cohort):
    found = run(cohort)
    verdict = verdict_of(found, ARMS, "malignancy")
    assert verdict.kind == "yes"
    assert verdict.answer.startswith("Yes. 1 of 3 networks beats the best trivial arm, Lesion volume (AUC 0.")
    assert verdict.detail == "1 not distinguishable from it; 1 below it."
    assert [line.title for line in verdict.lines] == ["Good", "Fair", "Noise"]

    lesser = cohort[cohort["arm"] != "good"].reset_index(drop=True)
    verdict = verdict_of(run(lesser, (FAIR, NOISE, VOLUME)), (FAIR, NOISE, VOLUME), "malignancy")
    assert verdict.kind == "no"
    assert verdict.answer.startswith("No. No network beats the best trivial arm")


def test_a_winner_that_needs_an_expert_is_said_to(cohort):
    arms = (ArmInfo("good", "Good", needs_mask=True), FAIR, NOISE, VOLUME)
    verdict = verdict_of(run(cohort, arms), arms, "malignancy")
    assert "needs an expert's outline" in verdict.detail


def test_a_winner_whose_cube_an_expert_placed_is_said_to(cohort):
    fair = ArmInfo("fair", "Fair", needs_mask=True)
    for placed, words in ((True, ", though one placed the cubes."), (False, ".")):
        arms = (ArmInfo("good", "Good", placed=placed), fair, NOISE, VOLUME)
        verdict = verdict_of(run(cohort, arms), arms, "malignancy")
        assert verdict.detail.startswith(f"It does not read an expert's outline at test time{words}")


def test_without_a_trivial_arm_the_question_stays_open(cohort):
    table = cohort[cohort["arm"] == "good"].reset_index(drop=True)
    verdict = verdict_of(run(table, (GOOD,)), (GOOD,), "malignancy")
    assert verdict.answer == "Not known: no trivial arm was evaluated."


@pytest.mark.parametrize(
    ("p", "words"),
    [(0.00002, "p < 0.001"), (0.0123, "p = 0.012"), (0.31, "p = 0.31"), (float("nan"), "p not defined")],
)
def test_p_in_words(p, words):
    assert p_value(p) == words


def test_numbers_in_words():
    assert number(-0.0001, sign=True) == "0.000"
    assert number(-0.0123) == "−0.012"
    assert number(float("nan")) == "–"
    assert number(float("inf")) == "∞"
    assert interval({"low": 0.1, "high": float("nan")}) == ""
    assert UNDEFINED == "not defined"
