"""Numbers printed by Wang et al., Comput Med Imaging Graph 2021;88:101814, or recomputed from what they print.

Figure 4 holds the confusion matrices of five arrangements for three classes; the intervals and p-values are those that
its counts imply.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from hounsfield.stats.auc import hanley_mcneil_se
from hounsfield.stats.classification import accuracy, accuracy_of, f1, f1_of, mcc, mcc_of
from hounsfield.stats.proportion import unpaired_p, wilson

# Rows truth, columns prediction: AAH+AIS, MIA, IAC.
FIGURE_4 = {
    "raw": [[26, 43, 0], [18, 77, 6], [3, 30, 22]],
    "expert mask": [[39, 28, 2], [21, 68, 12], [7, 22, 26]],
    "auto mask": [[32, 34, 3], [14, 73, 14], [5, 25, 25]],
    "joint": [[27, 41, 1], [12, 78, 11], [4, 24, 27]],
    "multi-task": [[41, 26, 2], [22, 67, 12], [7, 27, 21]],
}
# correct, accuracy, weighted F1, macro F1, R_K
EXPECTED = {
    "raw": (125, 0.5556, 0.5425, 0.5306, 0.2860),
    "expert mask": (133, 0.5911, 0.5884, 0.5806, 0.3538),
    "auto mask": (130, 0.5778, 0.5708, 0.5585, 0.3289),
    "joint": (132, 0.5867, 0.5753, 0.5653, 0.3430),
    "multi-task": (129, 0.5733, 0.5672, 0.5543, 0.3238),
}


@pytest.mark.parametrize("arm", FIGURE_4)
def test_metrics_of_figure_4(arm: str) -> None:
    matrix = np.array(FIGURE_4[arm])
    correct, *expected = EXPECTED[arm]
    assert matrix.sum(axis=1).tolist() == [69, 101, 55]
    assert np.trace(matrix) == correct
    ours = [accuracy_of(matrix), f1_of(matrix, average="weighted"), f1_of(matrix, average="macro"), mcc_of(matrix)]
    assert [float(v) for v in ours] == pytest.approx(expected, abs=5.1e-5)


def test_the_same_from_one_row_a_case() -> None:
    matrix = np.array(FIGURE_4["joint"])
    label = np.repeat(np.arange(3), matrix.sum(axis=1))
    predicted = np.concatenate([np.repeat(np.arange(3), row) for row in matrix])
    assert accuracy(label, predicted) == pytest.approx(0.5867, abs=5e-5)
    assert f1(label, predicted, average="weighted") == pytest.approx(0.5753, abs=5.1e-5)
    assert mcc(label, predicted) == pytest.approx(0.3430, abs=5e-5)


@pytest.mark.parametrize(
    ("counts", "percent"), [((69, 101, 55), 44.89), ((69, 156), 69.33), ((170, 55), 75.56), ((58, 101), 63.52)]
)
def test_accuracy_of_the_majority_class(counts: tuple[int, ...], percent: float) -> None:
    label = np.repeat(np.arange(len(counts)), counts)
    majority = np.full(len(label), int(np.argmax(counts)))
    assert 100 * accuracy(label, majority) == pytest.approx(percent, abs=0.005)
    assert mcc(label, majority) == 0


@pytest.mark.parametrize(("correct", "n", "low", "high"), [(176, 225, 72.4, 83.1), (115, 159, 64.9, 78.7)])
def test_wilson_intervals_of_the_joint_arrangement(correct: int, n: int, low: float, high: float) -> None:
    estimate = wilson(correct, n)
    assert 100 * estimate.low == pytest.approx(low, abs=0.05)
    assert 100 * estimate.high == pytest.approx(high, abs=0.05)


@pytest.mark.parametrize(
    ("raw", "joint", "n", "p"),
    [(125, 132, 225, 0.51), (167, 176, 225, 0.32), (107, 115, 159, 0.33), (185, 186, 225, 0.90)],
)
def test_unpaired_p_of_raw_against_joint(raw: int, joint: int, n: int, p: float) -> None:
    # The first is 0.5049 by the pooled normal test and was rounded up.
    assert unpaired_p(raw, n, joint, n) == pytest.approx(p, abs=0.0055)


@pytest.mark.parametrize(("area", "se"), [(0.744, 0.033), (0.813, 0.028)])
def test_standard_errors_of_the_areas(area: float, se: float) -> None:
    assert hanley_mcneil_se(area, positives=156, negatives=69) == pytest.approx(se, abs=5e-4)


@pytest.mark.parametrize(("correlation", "p"), [(0.0, 0.11), (0.5, 0.026)])
def test_raw_against_joint_area(correlation: float, p: float) -> None:
    a, b = (hanley_mcneil_se(area, positives=156, negatives=69) for area in (0.7441, 0.8129))
    z = (0.8129 - 0.7441) / math.sqrt(a * a + b * b - 2 * correlation * a * b)
    assert math.erfc(z / math.sqrt(2)) == pytest.approx(p, abs=0.005 if correlation == 0 else 5e-4)
