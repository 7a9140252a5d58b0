"""The 2 x 2 table behind printed metrics: by brute force, and the tables of a published study."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from sklearn import metrics as peer

from hounsfield.audit.confusion import METRICS, Counts, confusion_verdicts, matrix_verdicts, metric_value, solve
from hounsfield.audit.printed import printed
from hounsfield.audit.verdict import DISAGREES, HOLDS, IMPOSSIBLE, OPEN
from hounsfield.core.errors import HounsfieldError


def test_metrics_equal_scikit_learn() -> None:
    counts = Counts(tp=7, fn=3, tn=11, fp=2)
    label = np.repeat([1, 1, 0, 0], [7, 3, 11, 2])
    called = np.repeat([1, 0, 0, 1], [7, 3, 11, 2])
    assert metric_value(counts, "accuracy") == pytest.approx(peer.accuracy_score(label, called), abs=1e-12)
    assert metric_value(counts, "ppv") == pytest.approx(peer.precision_score(label, called), abs=1e-12)
    assert metric_value(counts, "f1") == pytest.approx(peer.f1_score(label, called), abs=1e-12)
    assert metric_value(counts, "mcc") == pytest.approx(peer.matthews_corrcoef(label, called), abs=1e-12)
    assert metric_value(counts, "npv") == pytest.approx(11 / 14, abs=1e-12)
    assert metric_value(counts, "balanced_accuracy") == pytest.approx(peer.balanced_accuracy_score(label, called))
    assert metric_value(counts, "youden") == pytest.approx(7 / 10 + 11 / 13 - 1, abs=1e-12)
    assert math.isnan(metric_value(Counts(0, 3, 4, 0), "ppv"))  # nothing was called positive


def test_solving_finds_what_brute_force_finds() -> None:
    sizes = (9, 14)
    asked = {"accuracy": printed("0.78"), "f1": printed("0.7"), "ppv": printed("0.7")}
    by_hand = [
        Counts(tp, 9 - tp, tn, 14 - tn)
        for tp, tn in itertools.product(range(10), range(15))
        if all(asked[name].admits(metric_value(Counts(tp, 9 - tp, tn, 14 - tn), name)) for name in asked)
    ]
    found = solve(*sizes, asked)
    assert by_hand
    assert list(found.counts) == by_hand
    assert found.violated == ()


def test_a_unique_table_holds() -> None:
    asked = {"accuracy": printed("0.846"), "sensitivity": printed("0.837"), "specificity": printed("0.852")}
    (verdict,), solution = confusion_verdicts("LIDC", 86, 135, asked)
    assert solution.counts == (Counts(72, 14, 115, 20),)
    assert verdict.status == HOLDS


def test_few_digits_leave_it_open() -> None:
    (verdict,), solution = confusion_verdicts("coarse", 300, 300, {"accuracy": printed("0.8")})
    assert verdict.status == OPEN
    assert len(solution.counts) > 100


def test_the_impossible_specificity_and_the_f1_that_disagrees() -> None:
    """MHB of the fine-tuning study: the printed intervals tell that accuracy and sensitivity are right."""
    asked = {
        name: printed(text)
        for name, text in {"accuracy": "0.813", "sensitivity": "0.849", "specificity": "0.730", "f1": "0.852"}.items()
    }
    ends = {
        "accuracy": (printed("0.777"), printed("0.844")),
        "sensitivity": (printed("0.809"), printed("0.883")),
        "specificity": (printed("0.654"), printed("0.791")),
    }
    verdicts, solution = confusion_verdicts("MHB", 365, 158, asked, intervals=ends)
    assert solution.counts == (Counts(310, 55, 115, 43),)
    assert [(one.name, one.status) for one in verdicts] == [
        ("MHB, specificity", IMPOSSIBLE),
        ("MHB, f1", DISAGREES),
    ]


def test_without_intervals_it_can_not_be_told_which_is_wrong() -> None:
    asked = {"accuracy": printed("0.50"), "sensitivity": printed("0.90"), "specificity": printed("0.90")}
    (verdict,), solution = confusion_verdicts("odd", 50, 50, asked)
    assert verdict.status == DISAGREES
    assert "tables differ in which" in verdict.reason
    assert not solution.alike


def test_unknown_metrics_and_sizes_are_refused() -> None:
    with pytest.raises(HounsfieldError, match=METRICS[0]):
        solve(3, 3, {"kappa": printed("0.5")})
    with pytest.raises(HounsfieldError, match="5e7"):
        solve(100_000, 100_000, {"f1": printed("0.5")})


def test_a_printed_matrix_tells_which_average_was_meant() -> None:
    """Model (e) of the ground-glass study, figure 4: weighted F1 56.72 %, R_K 0.3238."""
    matrix = [[41, 26, 2], [22, 67, 12], [7, 27, 21]]
    asked = {"accuracy": printed("57.33 %"), "f1": printed("56.72 %"), "mcc": printed("0.3238")}
    verdicts = matrix_verdicts("(e)", matrix, asked)
    assert [one.status for one in verdicts] == [HOLDS] * 3
    assert verdicts[1].method == "f1_weighted"
    (wrong,) = matrix_verdicts("(a)", [[26, 43, 0], [18, 77, 6], [3, 30, 22]], {"mcc": printed("0.3259")})
    assert wrong.status == DISAGREES
    with pytest.raises(HounsfieldError, match="got 'auc'"):
        matrix_verdicts("(a)", matrix, {"auc": printed("0.8")})
