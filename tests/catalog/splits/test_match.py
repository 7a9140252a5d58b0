"""Matching on a line: hand-made pairs, the most that can be had, and no regard for the order of cases."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from hounsfield.catalog.splits.match import matched_pairs
from hounsfield.core.errors import StudyError


def test_pairs_by_hand():
    label = [0, 0, 0, 1, 1]
    value = [1.0, 2.0, 5.0, 2.05, 9.0]  # only 2.0 and 2.05 are alike
    assert matched_pairs(label, value, caliper=0.1).tolist() == [[1, 3]]


def test_the_caliper_is_inclusive_and_nothing_matches_beyond():
    assert len(matched_pairs([0, 1], [1.0, 1.5], caliper=0.5)) == 1
    assert len(matched_pairs([0, 1], [1.0, 1.5], caliper=0.49)) == 0


def most(label: np.ndarray, value: np.ndarray, caliper: float) -> int:
    """Size of the largest set of pairs, by trying every assignment."""
    zeros, ones = np.flatnonzero(label == 0), np.flatnonzero(label == 1)
    few, many = sorted((zeros, ones), key=len)
    fits = (
        sum(abs(value[a] - value[b]) <= caliper for a, b in zip(few, order, strict=False))
        for order in itertools.permutations(many, len(few))
    )
    return max(fits, default=0)


@pytest.mark.parametrize("seed", range(20))
def test_as_many_pairs_as_brute_force_finds(seed: int):
    rng = np.random.default_rng(seed)
    label, value = rng.integers(0, 2, 9), rng.uniform(0, 3, 9)
    assert len(matched_pairs(label, value, caliper=0.4)) == most(label, value, 0.4)


def test_order_does_not_matter_and_missing_values_are_passed_over():
    rng = np.random.default_rng(1)
    label, value = rng.integers(0, 2, 40), rng.normal(size=40)
    value[:3] = np.nan
    turned = rng.permutation(40)
    pairs = {tuple(pair) for pair in matched_pairs(label, value, caliper=0.2).tolist()}
    again = {tuple(turned[pair]) for pair in matched_pairs(label[turned], value[turned], caliper=0.2)}
    assert pairs == again
    assert not {0, 1, 2} & {index for pair in pairs for index in pair}


def test_wrong_input_is_named():
    with pytest.raises(StudyError, match="label 0 or 1"):
        matched_pairs([0, 2], [1.0, 1.0], caliper=0.1)
    assert matched_pairs([], [], caliper=0.1).shape == (0, 2)
