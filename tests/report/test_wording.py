"""Who beats whom, in words: a model of features that wins is named, and never counted as a network."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hounsfield.report.content import ArmInfo
from hounsfield.report.evaluate import evaluate
from hounsfield.report.wording import verdict_of


@pytest.fixture(scope="module")
def predictions(make_rows) -> pd.DataFrame:
    """300 cases: volume says little, features nearly all, the network nothing."""
    rng = np.random.default_rng(3)
    label = np.tile([0, 1], 150)
    noise = rng.normal(size=(3, 300))
    probs = {name: 1 / (1 + np.exp(-(gain * (2 * label - 1) + one))) for name, gain, one in
             zip(("volume", "features", "network"), (0.3, 2.0, 0.0), noise, strict=True)}  # fmt: skip
    frame = pd.concat([make_rows(arm, label, prob) for arm, prob in probs.items()], ignore_index=True)
    return frame


def verdict(predictions: pd.DataFrame, *, counts_as_network: bool):
    arms = (
        ArmInfo("volume", "lesion volume", trivial=True),
        ArmInfo("features", "seven features", network=counts_as_network),
        ArmInfo("network", "a network"),
    )
    targets = {"malignancy": ("benign", "malignant")}
    evaluation = evaluate(predictions, targets, arms=arms, seed=0, resamples=200)
    return verdict_of(evaluation, arms, "malignancy")


def test_features_that_win_are_no_network(predictions: pd.DataFrame):
    found = verdict(predictions, counts_as_network=False)
    assert found.answer.startswith("No. No network beats")
    assert "Without a network, seven features beats it too." in found.detail
    assert [line.network for line in found.lines] == [False, True]


def test_the_same_numbers_of_a_network_are_a_yes(predictions: pd.DataFrame):
    found = verdict(predictions, counts_as_network=True)
    assert found.answer.startswith("Yes. 1 of 2 networks beats")
    assert "Without a network" not in found.detail


def test_a_trivial_arm_below_chance_is_a_low_bar(predictions: pd.DataFrame):
    assert "below chance" not in verdict(predictions, counts_as_network=True).detail
    turned = predictions.copy()
    own = turned["arm"] == "volume"
    names = ["prob_benign", "prob_malignant"]
    turned.loc[own, names] = turned.loc[own, names[::-1]].to_numpy()
    found = verdict(turned, counts_as_network=True)
    assert found.answer.startswith("Yes.")
    assert "the trivial arm lies below chance (0.5)" in found.detail
