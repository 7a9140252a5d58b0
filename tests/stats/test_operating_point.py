"""Thresholds chosen on one part, by hand and by trying all of them."""

from __future__ import annotations

import numpy as np
import pytest

from hounsfield.core.errors import HounsfieldError
from hounsfield.stats.operating_point import at_sensitivity, at_specificity, youden

LABEL = [1, 1, 1, 0, 1, 0, 0, 0]
PROB = [0.95, 0.9, 0.8, 0.7, 0.6, 0.4, 0.2, 0.1]  # J: 3/4 - 0 at 0.8; 4/4 - 1/4 at 0.6


def test_youden_prefers_specificity_among_equals() -> None:
    point = youden(LABEL, PROB)
    assert (point.sensitivity, point.specificity) == (0.75, 1.0)
    assert point.threshold == pytest.approx(0.75)  # midway between 0.8 and 0.7
    assert point.n == 8


def test_wanted_sensitivity_and_specificity_by_hand() -> None:
    sensitive = at_sensitivity(LABEL, PROB, sensitivity=0.9)
    assert (sensitive.sensitivity, sensitive.specificity) == (1.0, 0.75)
    assert sensitive.threshold == pytest.approx(0.5)
    specific = at_specificity(LABEL, PROB, specificity=0.7)
    assert (specific.sensitivity, specific.specificity) == (1.0, 0.75)
    assert at_specificity(LABEL, PROB, specificity=1.0).sensitivity == 0.75
    assert at_sensitivity(LABEL, PROB, sensitivity=0.75).threshold == pytest.approx(0.75)


@pytest.mark.parametrize("seed", range(5))
def test_youden_by_trying_all_thresholds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    label = np.r_[0, 1, rng.integers(0, 2, 40)]
    prob = np.round(rng.random(42) + 0.3 * label, 2)
    best = max(np.mean(prob[label == 1] >= t) - np.mean(prob[label == 0] >= t) for t in prob)
    point = youden(label, prob)
    called = point.call(prob)
    assert called[label == 1].mean() - called[label == 0].mean() == pytest.approx(max(best, 0))
    assert called[label == 1].mean() == pytest.approx(point.sensitivity)
    assert (~called[label == 0]).mean() == pytest.approx(point.specificity)


def test_applied_unchanged_to_another_part() -> None:
    point = youden(LABEL, PROB)
    assert point.call([0.74, 0.75, 0.76]).tolist() == [False, True, True]
    with pytest.raises(HounsfieldError, match="finite"):
        point.call([0.5, np.nan])


def test_specificity_that_no_score_allows_calls_nothing() -> None:
    point = at_specificity([0, 1], [0.9, 0.1], specificity=1.0)
    assert point.sensitivity == 0
    assert np.isfinite(point.threshold)
    assert not point.call([0.9, 0.1]).any()


def test_everything_called_when_the_lowest_is_positive() -> None:
    point = at_sensitivity([0, 1], [0.9, 0.1], sensitivity=1.0)
    assert point.call([0.9, 0.1]).all()
    assert point.specificity == 0


def test_neighbouring_floats_have_no_middle() -> None:
    below = 0.5
    above = float(np.nextafter(below, 1))
    point = youden([0, 1], [below, above])
    assert point.call([below, above]).tolist() == [False, True]


def test_bad_input() -> None:
    with pytest.raises(HounsfieldError, match="both classes"):
        youden([1, 1], [0.2, 0.3])
    with pytest.raises(HounsfieldError, match="both classes"):
        youden([], [])
    with pytest.raises(HounsfieldError, match="90 %"):
        at_sensitivity(LABEL, PROB, sensitivity=90)
