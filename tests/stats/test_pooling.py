"""Pooling by hand counts and by what the formulas promise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from hounsfield.core.errors import HounsfieldError
from hounsfield.stats.auc import auc
from hounsfield.stats.pooling import Attention, fit_attention, pool

PROB = np.array([0.5, 0.2, 0.9, 0.5, 0.1])
GROUP = np.array(["b", "a", "a", "b", "c"])


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("mean", [0.55, 0.5, 0.1]),
        ("maximum", [0.9, 0.5, 0.1]),
        ("noisy_or", [1 - 0.8 * 0.1, 0.75, 0.1]),
    ],
)
def test_by_hand(how, expected):
    names, pooled = pool(PROB, GROUP, how=how)
    assert names.tolist() == ["a", "b", "c"]
    np.testing.assert_allclose(pooled, expected, rtol=1e-12)


def test_a_patient_with_one_lesion_is_that_lesion():
    prob = np.linspace(0, 1, 11)
    for how in ("mean", "maximum", "noisy_or"):
        np.testing.assert_allclose(pool(prob, np.arange(11), how=how)[1], prob, atol=1e-15)


def test_noisy_or_of_many_and_of_a_certain_one():
    assert pool(np.full(1000, 1e-5), np.zeros(1000), how="noisy_or")[1][0] == pytest.approx(1 - (1 - 1e-5) ** 1000)
    assert pool(np.array([1.0, 0.3]), np.zeros(2), how="noisy_or")[1][0] == 1.0


def test_attention_goes_from_the_mean_of_log_odds_to_the_maximum():
    prob = np.array([0.2, 0.8, 0.9])
    group = np.zeros(3)
    mean = expit(np.log(prob / (1 - prob)).mean())
    assert Attention(0.0, 1.0, 0.0).pool(prob, group)[1][0] == pytest.approx(mean)
    assert Attention(50.0, 1.0, 0.0).pool(prob, group)[1][0] == pytest.approx(0.9, abs=1e-3)


def test_attention_learns_that_one_lesion_decides():
    # 1 of 1 to 8 lesions decides: the maximum is right, the mean thins it out.
    rng = np.random.default_rng(4)
    count = rng.integers(1, 9, 600)
    group = np.repeat(np.arange(600), count)
    positive = rng.integers(0, 2, 600) == 1
    first = np.concatenate([[0], np.cumsum(count)[:-1]])
    label = np.zeros(len(group), int)
    label[first[positive]] = 1
    prob = expit(rng.normal(-2, 1, len(group)) + 3 * label)
    half = group < 300
    fitted = fit_attention(prob[half], group[half], label[half])
    assert fitted.preference > 0.5
    found = {how: pool(prob[~half], group[~half], how=how)[1] for how in ("mean", "maximum", "noisy_or")}
    found["attention"] = fitted.pool(prob[~half], group[~half])[1]
    area = {how: auc(positive[300:].astype(int), values).value for how, values in found.items()}
    assert area["attention"] > area["mean"] + 0.05
    assert area["attention"] > area["maximum"] - 0.02
    # Its slope and offset make it a probability: as many positive patients as it expects.
    assert found["attention"].mean() == pytest.approx(positive[300:].mean(), abs=0.06)


def test_mistakes_in_words():
    with pytest.raises(HounsfieldError, match="got 'median'"):
        pool(PROB, GROUP, how="median")
    with pytest.raises(HounsfieldError, match="5 probabilities and 4 groups"):
        pool(PROB, GROUP[:4], how="mean")
    with pytest.raises(HounsfieldError, match=r"probability in \[0, 1\]"):
        pool(PROB + 1, GROUP, how="mean")
    with pytest.raises(HounsfieldError, match="one only"):
        fit_attention(PROB, GROUP, np.zeros(5, int))
