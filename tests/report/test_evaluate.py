"""Metrics, headline rows and operating points of made-up predictions whose answers are counted by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sklearn_metrics

from hounsfield.core.errors import ProblemsError, TableError
from hounsfield.report.checklist import facts_of
from hounsfield.report.content import ArmInfo, ReportContent
from hounsfield.report.evaluate import Evaluation, evaluate
from hounsfield.report.extra import Extra
from hounsfield.report.metrics import statistics_of
from hounsfield.report.repeats import repeats_of
from hounsfield.stats.calibration import calibration_error, calibration_fit

TARGETS = {"malignancy": ("benign", "malignant")}
ARMS = (ArmInfo("net", "Network"), ArmInfo("volume", "Volume", trivial=True))


def run(table: pd.DataFrame, arms: tuple[ArmInfo, ...] = ARMS[:1], **more: object) -> Evaluation:
    settings: dict[str, object] = {"arms": arms, "seed": 1, "resamples": 200, **more}
    return evaluate(table, TARGETS, **settings)  # type: ignore[arg-type]


def value(evaluation: Evaluation, metric: str, arm: str = "net") -> float:
    row = evaluation.headline("malignancy", arm, metric)
    assert row is not None
    return float(row["value"])


def test_hand_counts_of_six_cases(make_rows):
    # malignant .9 .6 .3, benign .4 .2 .1: the pairs .3 < .4 is the one of 9 in the wrong order.
    # At 0.5: 2 of 3 malignant and 3 of 3 benign right, so 5 of 6.
    table = make_rows("net", [1, 1, 1, 0, 0, 0], [0.9, 0.6, 0.3, 0.4, 0.2, 0.1])
    found = run(table)
    assert value(found, "auc") == pytest.approx(8 / 9)
    assert value(found, "accuracy") == pytest.approx(5 / 6)
    assert value(found, "majority_accuracy") == pytest.approx(0.5)
    # F1 benign 2*3/(3+4) = 6/7, malignant 2*2/(3+2) = 4/5; equal class sizes, so both means agree.
    assert value(found, "f1_macro") == pytest.approx((6 / 7 + 4 / 5) / 2)
    assert value(found, "f1_weighted") == pytest.approx((6 / 7 + 4 / 5) / 2)
    # TP 2, TN 3, FP 0, FN 1: 6 / sqrt(2 * 3 * 3 * 4)
    assert value(found, "mcc") == pytest.approx(6 / np.sqrt(72))
    # (.01 + .16 + .49 + .16 + .04 + .01) / 6
    assert value(found, "brier") == pytest.approx(0.87 / 6)


def test_wilson_where_every_patient_has_one_case(make_rows):
    table = make_rows("net", [1] * 50 + [0] * 50, [0.9] * 45 + [0.1] * 5 + [0.1] * 45 + [0.9] * 5)
    row = run(table).headline("malignancy", "net", "accuracy")
    # Wilson's interval of 90 in 100, as printed in Newcombe-type tables: 0.8256 to 0.9448.
    assert (row["low"], row["high"]) == pytest.approx((0.8256, 0.9448), abs=5e-5)
    assert row["method"] == "Wilson"


def test_operating_point_comes_from_the_validation_part_of_the_same_fold(make_rows):
    # Fold 0 is cut between .2 and .3, fold 1 between .7 and .8; test scores of .5 are then called in fold 0 alone.
    validation = [
        make_rows("net", [0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4], split="validation", fold=0, prefix="v"),
        make_rows("net", [0, 0, 1, 1], [0.6, 0.7, 0.8, 0.9], split="validation", fold=1, prefix="v"),
    ]
    test = make_rows("net", [1, 0, 1, 0], [0.5, 0.5, 0.5, 0.5], fold=[0, 0, 1, 1])
    found = run(pd.concat([*validation, test], ignore_index=True))
    repeat = found.repeats["malignancy"]["net"][0]
    assert dict(repeat.thresholds) == pytest.approx({0: 0.25, 1: 0.75})
    assert value(found, "sensitivity") == pytest.approx(0.5)  # one of two, the one of fold 0
    assert value(found, "specificity") == pytest.approx(0.5)
    assert value(found, "threshold") == pytest.approx(0.5)  # mean of both folds


def two_folds(make_rows, **more: object) -> list[pd.DataFrame]:
    """Fold 0 alone is best cut between .2 and .3, fold 1 between .7 and .8; all eight together between .7 and .8.

    Together: malignant .3 .4 .8 .9, benign .1 .2 .6 .7. At .25 sensitivity is 1 and specificity 1/2, at .75 1/2 and 1:
    a tie, of which the higher specificity is taken.
    """
    first = make_rows("net", [0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4], split="validation", fold=0, prefix="v", **more)
    second = make_rows("net", [0, 0, 1, 1], [0.6, 0.7, 0.8, 0.9], split="validation", fold=1, prefix="w", **more)
    return [first, second]


def test_folds_that_share_one_test_part_choose_the_operating_point_together(make_rows):
    test = make_rows("net", [1, 1, 0, 0], [0.85, 0.5, 0.5, 0.1])
    found = run(pd.concat([*two_folds(make_rows), test], ignore_index=True))
    repeat = found.repeats["malignancy"]["net"][0]
    assert dict(repeat.thresholds) == pytest.approx({0: 0.75})  # fold 0 alone would say .25
    assert repeat.pooled
    assert value(found, "sensitivity") == pytest.approx(0.5)  # at .25 both malignant cases would be called
    assert value(found, "specificity") == pytest.approx(1.0)  # and one of two benign ones


def test_each_seed_has_the_operating_point_of_its_own_folds(make_rows):
    # The second seed's scores are a tenth higher, its threshold too.
    tables = []
    for seed, shift in ((0, 0.0), (1, 0.1)):
        test = make_rows("net", [1, 1, 0, 0], [0.85, 0.5, 0.5, 0.1], seed=seed)
        moved = [table.assign(prob_malignant=table["prob_malignant"] + shift) for table in two_folds(make_rows)]
        moved = [table.assign(prob_benign=1 - table["prob_malignant"], seed=seed) for table in moved]
        tables += [*moved, test]
    found = run(pd.concat(tables, ignore_index=True))
    cuts = [one.thresholds[0] for one in found.repeats["malignancy"]["net"]]
    assert cuts == pytest.approx([0.75, 0.85])


def test_a_part_of_a_k_fold_is_not_taken_for_a_shared_test_part(make_rows):
    # One fold's test rows alone are there; the other fold validated the same patients, who may not choose their cut.
    mine, other = two_folds(make_rows)
    test = make_rows("net", [1, 1, 0, 0], [0.85, 0.5, 0.5, 0.1], patients=other["patient_id"].tolist(), prefix="w")
    test["label"] = other["label"].to_numpy()
    found = run(pd.concat([mine, other, test], ignore_index=True))
    repeat = found.repeats["malignancy"]["net"][0]
    assert dict(repeat.thresholds) == pytest.approx({0: 0.25})
    assert not repeat.pooled


def test_a_hold_out_has_nothing_to_pool(make_rows):
    # Repetitions of a hold-out have one fold each: each has its own part's point, as ever.
    first, second = two_folds(make_rows)
    tests = [make_rows("net", [1, 1, 0, 0], [0.85, 0.5, 0.5, 0.1], repetition=k) for k in range(2)]
    found = run(pd.concat([first, second.assign(fold=0, repetition=1), *tests], ignore_index=True))
    repeats = found.repeats["malignancy"]["net"]
    assert [dict(one.thresholds) for one in repeats] == [{0: pytest.approx(0.25)}, {0: pytest.approx(0.75)}]
    assert not any(one.pooled for one in repeats)


@pytest.mark.parametrize(
    ("fold", "words"), [(0, "out-of-fold predictions of all folds"), ([0, 0, 1, 1], "validation part of the same fold")]
)
def test_the_checklist_says_where_the_threshold_comes_from(make_rows, fold, words):
    test = make_rows("net", [1, 0, 1, 0], [0.85, 0.5, 0.5, 0.1], fold=fold)
    table = pd.concat([*two_folds(make_rows), test], ignore_index=True)
    content = ReportContent("T", "Q", "", TARGETS, ARMS[:1], table)
    fact = facts_of(content, run(table), Extra())["threshold"]
    assert words in fact
    assert fact.startswith("Threshold of largest Youden index on the ")


def test_without_validation_rows_there_is_no_operating_point(make_rows):
    found = run(make_rows("net", [1, 0, 1, 0], [0.9, 0.2, 0.8, 0.3]))
    assert found.headline("malignancy", "net", "sensitivity") is None


def test_headline_is_the_mean_over_seeds_with_their_sd(make_rows):
    label = [1, 1, 0, 0] * 5
    right, wrong = [0.9, 0.8, 0.2, 0.1] * 5, [0.9, 0.2, 0.8, 0.1] * 5  # accuracy 1 and 1/2, AUC 1 and 3/4
    tables = [make_rows("net", label, right, seed=0), make_rows("net", label, wrong, seed=1)]
    found = run(pd.concat(tables, ignore_index=True))
    row = found.headline("malignancy", "net", "accuracy")
    assert row["value"] == pytest.approx(0.75)
    assert row["sd"] == pytest.approx(np.std([1.0, 0.5], ddof=1))
    assert row["repeats"] == 2
    assert row["cases"] == 20
    assert value(found, "auc") == pytest.approx((1 + 0.75) / 2)
    single = found.metrics[(found.metrics["metric"] == "auc") & (found.metrics["seed"] != "all")]
    assert sorted(single["value"]) == pytest.approx([0.75, 1.0])


def test_interval_of_a_mean_over_seeds_counts_patients_not_rows(make_rows):
    # Ten equal seeds are no new patients: the interval must be that of one seed, up to the draw.
    rng = np.random.default_rng(0)
    label = (rng.random(80) < 0.5).astype(int)
    score = np.clip(0.5 + 0.2 * (label - 0.5) + rng.normal(0, 0.2, 80), 0.01, 0.99)
    one = run(make_rows("net", label, score), resamples=2000).headline("malignancy", "net", "brier")
    ten = pd.concat([make_rows("net", label, score, seed=k) for k in range(10)], ignore_index=True)
    many = run(ten, resamples=2000).headline("malignancy", "net", "brier")
    assert many["high"] - many["low"] == pytest.approx(one["high"] - one["low"], rel=0.08)


def test_one_class_in_the_test_part_is_undefined_not_zero(make_rows):
    found = run(make_rows("net", [1, 1, 1], [0.9, 0.8, 0.3]))
    assert np.isnan(value(found, "auc"))
    assert value(found, "accuracy") == pytest.approx(2 / 3)
    assert np.isnan(value(found, "calibration_slope"))


def test_missing_dice_is_left_out_and_an_arm_without_any_has_no_row(make_rows):
    dice = [0.8, np.nan, 0.6, np.nan]
    table = pd.concat(
        [make_rows("net", [1, 0, 1, 0], [0.9, 0.2, 0.8, 0.3], dice=dice), make_rows("volume", [1, 0, 1, 0], [0.5] * 4)],
        ignore_index=True,
    )
    found = run(table, ARMS)
    assert value(found, "dice") == pytest.approx(0.7)
    assert found.headline("malignancy", "volume", "dice") is None


def test_an_empty_automatic_mask_is_not_hidden_in_the_mean_distance(make_rows):
    tables = [make_rows("net", [1, 0, 1, 0], [0.9, 0.2, 0.8, 0.3], seed=seed) for seed in range(2)]
    table = pd.concat(tables, ignore_index=True).assign(asd_mm=[1.0, 2.0, np.inf, 1.0, 1.0, 1.0, 1.0, 1.0])
    row = run(table).headline("malignancy", "net", "asd_mm")
    assert row["value"] == np.inf
    assert np.isnan(row["low"])
    assert np.isnan(row["sd"])


def test_three_classes_against_scikit_learn():
    rng = np.random.default_rng(3)
    classes = ("AAH+AIS", "MIA", "IAC")
    label, prob = rng.integers(0, 3, 60), rng.dirichlet([1, 1, 1], 60)
    table = pd.DataFrame(
        {
            "case_id": [f"c{k}" for k in range(60)],
            "patient_id": [f"p{k // 2}" for k in range(60)],
            "arm": "net",
            "split": "test",
            "repetition": 0,
            "fold": 0,
            "seed": 0,
            "target": "task1",
            "label": [classes[k] for k in label],
            **{f"prob_{name}": prob[:, k] for k, name in enumerate(classes)},
        }
    )
    found = evaluate(table, {"task1": classes}, arms=ARMS[:1], seed=0, resamples=100)
    expected = {
        "auc": sklearn_metrics.roc_auc_score(label, prob, multi_class="ovr", average="macro"),
        "mcc": sklearn_metrics.matthews_corrcoef(label, prob.argmax(axis=1)),
        "f1_weighted": sklearn_metrics.f1_score(label, prob.argmax(axis=1), average="weighted"),
        "f1_macro": sklearn_metrics.f1_score(label, prob.argmax(axis=1), average="macro"),
    }
    for metric, number in expected.items():
        row = found.headline("task1", "net", metric)
        assert row["value"] == pytest.approx(number), metric
        assert row["low"] < number < row["high"], metric
    assert found.headline("task1", "net", "calibration_slope") is None


def test_calibration_statistics_agree_with_the_stats_room(cohort):
    repeat = repeats_of(cohort, "malignancy", TARGETS["malignancy"])["fair"][0]
    found = statistics_of(repeat)
    ones = np.ones((1, len(repeat.label)))
    fit = calibration_fit(repeat.label, repeat.prob[:, 1])
    assert found["calibration_slope"](ones)[0] == pytest.approx(fit.slope.value, abs=1e-8)
    assert found["calibration_intercept"](ones)[0] == pytest.approx(fit.in_the_large.value, abs=1e-8)
    assert found["ece"](ones)[0] == pytest.approx(calibration_error(repeat.label, repeat.prob[:, 1]))


def test_weights_mean_repeating_cases(cohort):
    repeat = repeats_of(cohort, "malignancy", TARGETS["malignancy"])["fair"][0]
    weights = np.random.default_rng(0).integers(0, 3, (1, len(repeat.label))).astype(float)
    rows = np.repeat(np.arange(len(repeat.label)), weights[0].astype(int))
    label, prob = repeat.label[rows], repeat.prob[rows, 1]
    found = statistics_of(repeat)
    assert found["auc"](weights)[0] == pytest.approx(sklearn_metrics.roc_auc_score(label, prob))
    assert found["brier"](weights)[0] == pytest.approx(sklearn_metrics.brier_score_loss(label, prob))
    assert found["calibration_slope"](weights)[0] == pytest.approx(calibration_fit(label, prob).slope.value, abs=1e-6)
    assert found["sensitivity"](weights)[0] == pytest.approx(repeat.called[rows][label == 1].mean())


def test_separated_classes_have_no_calibration_slope(make_rows):
    found = run(make_rows("net", [1, 1, 0, 0], [0.9, 0.8, 0.2, 0.1]))
    assert np.isnan(value(found, "calibration_slope"))


def test_same_seed_same_numbers(cohort):
    arms = (*(ArmInfo(name, name) for name in ("good", "fair", "noise")), ArmInfo("volume", "Volume", trivial=True))
    first = run(cohort, arms, resamples=100)
    again = run(cohort.sample(frac=1, random_state=1), arms, resamples=100)
    key = ["target", "arm", "metric", "repetition", "seed"]
    pd.testing.assert_frame_equal(
        first.metrics.sort_values(key, ignore_index=True), again.metrics.sort_values(key, ignore_index=True)
    )


def test_a_patient_on_both_sides_is_refused(make_rows):
    test = make_rows("net", [1, 0], [0.9, 0.1], patients=["A", "B"])
    validation = make_rows("net", [1, 0], [0.9, 0.1], patients=["A", "C"], split="validation", prefix="v")
    with pytest.raises(ProblemsError, match="validation and test"):
        run(pd.concat([test, validation], ignore_index=True))


def test_a_case_tested_in_two_folds_is_refused(make_rows):
    table = pd.concat(
        [make_rows("net", [1, 0], [0.9, 0.1], fold=0), make_rows("net", [1, 0], [0.9, 0.1], fold=1)], ignore_index=True
    )
    with pytest.raises(TableError, match="2 cases occur more than once"):
        run(table)


def test_an_arm_nobody_described_is_refused(make_rows):
    with pytest.raises(TableError, match="volume"):
        run(make_rows("volume", [1, 0], [0.9, 0.1]))


def test_cases_of_unknown_truth_are_left_out(make_rows):
    table = make_rows("net", [1, 1, 0, 0], [0.9, 0.4, 0.2, 0.1])
    table.loc[1, "label"] = None
    found = run(table)
    assert value(found, "accuracy") == 1.0
    assert found.headline("malignancy", "net", "accuracy")["cases"] == 3
