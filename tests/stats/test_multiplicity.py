"""Adjusted p-values against statsmodels, a hand count and edges."""

from __future__ import annotations

import math

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from hounsfield.core.errors import HounsfieldError
from hounsfield.stats.multiplicity import benjamini_hochberg, holm


@pytest.mark.parametrize(("ours", "name"), [(holm, "holm"), (benjamini_hochberg, "fdr_bh")])
@pytest.mark.parametrize("seed", range(3))
def test_equals_statsmodels_with_ties(ours, name: str, seed: int) -> None:  # type: ignore[no-untyped-def]
    p = np.round(np.random.default_rng(seed).random(12) ** 3, 2)
    np.testing.assert_allclose(ours(p), multipletests(p, method=name)[1], atol=1e-12)


def test_holm_by_hand() -> None:  # 0.01 x 4, 0.02 x 3, 0.03 x 2 raised to the one before, 0.5 x 1
    assert holm([0.5, 0.01, 0.03, 0.02]).tolist() == pytest.approx([0.5, 0.04, 0.06, 0.06])


def test_a_test_that_was_not_made_does_not_count() -> None:
    adjusted = holm([0.02, math.nan, 0.01])
    assert adjusted[[0, 2]].tolist() == pytest.approx([0.02, 0.02])
    assert math.isnan(adjusted[1])
    assert benjamini_hochberg([]).size == 0


@pytest.mark.parametrize("p", [[1.2], [-0.1], [[0.1, 0.2]]])
def test_what_is_no_p_value_is_refused(p: list[float]) -> None:
    for correct in (holm, benjamini_hochberg):
        with pytest.raises(HounsfieldError, match="p-values in"):
            correct(p)
