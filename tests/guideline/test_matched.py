"""Specificity at equal sensitivity: a curve drawn by hand, a table against itself, a table that only shifts."""

from __future__ import annotations

import numpy as np
import pytest

from hounsfield.core.errors import HounsfieldError
from hounsfield.guideline.features import Features
from hounsfield.guideline.matched import OFFSETS, matched_gain, shifted_calls
from hounsfield.guideline.point_table import PointTable
from hounsfield.guideline.population import every_combination
from hounsfield.guideline.score import manage

LABEL = np.array([1, 1, 1, 1, 0, 0, 0, 0])


def test_by_hand() -> None:
    """The table in use finds 3 of 4 and spares 2 of 4; the other spares 3 of 4 where it finds 3: a gain of 1/4."""
    base = np.array([1, 1, 1, 0, 1, 1, 0, 0.0])
    other = np.array([[1, 1, 0, 0, 0, 0, 0, 0], [1, 1, 1, 0, 1, 0, 0, 0], [1, 1, 1, 0, 1, 1, 0, 0], np.ones(8)])
    gain, p = matched_gain(LABEL, base, other, seed=0, resamples=200)
    assert gain.value == pytest.approx(0.25)
    assert gain.low <= 0.25 <= gain.high
    assert 0 < p <= 1


def test_between_two_offsets_on_a_straight_line() -> None:
    """3 of 4 lies midway between 2 of 4 (sparing all) and 4 of 4 (sparing 2): 3 of 4 spared."""
    base = np.array([1, 1, 1, 0, 1, 1, 1, 1.0])
    other = np.array([[1, 1, 0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1, 0, 0.0]])
    assert matched_gain(LABEL, base, other, seed=0, resamples=100)[0].value == pytest.approx(0.75)


def test_shifting_a_table_gains_nothing(acr: PointTable) -> None:
    everything = every_combination(acr)
    rng = np.random.default_rng(4)
    rows = rng.integers(4800, size=300)
    features = Features(everything.matrix[rows], everything.override[rows], np.arange(300))
    size, label = rng.uniform(0.4, 4.0, 300), rng.integers(2, size=300)
    calls = shifted_calls(features, size, acr)
    assert calls.shape == (len(OFFSETS), 300)
    assert (calls[OFFSETS.index(0)] == manage(features, size, acr).fna).all()
    assert calls[0].sum() == 0
    assert (calls[-1] == (~features.override & (size >= 1.0))).all()  # all the others are TR5
    for offset in (0, 1, -2):
        gain, p = matched_gain(label, calls[OFFSETS.index(offset)], calls, seed=0, resamples=100)
        # An offset beside it may find as many and spare more: never less.
        assert 0 <= gain.value < 0.02
        if gain.value == 0:
            assert p == 1


def test_what_is_refused() -> None:
    base = np.ones(8)
    with pytest.raises(HounsfieldError, match=r"expected \(N,\) and \(K, N\)"):
        matched_gain(LABEL, base[:4], np.ones((2, 8)), seed=0)
    with pytest.raises(HounsfieldError, match="rise with the offset"):
        matched_gain(LABEL, base, np.array([np.ones(8), np.zeros(8)]), seed=0)
