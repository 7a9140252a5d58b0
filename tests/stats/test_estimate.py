"""How an estimate is written down, and what it refuses."""

from __future__ import annotations

import math

import pytest

from hounsfield.core.errors import HounsfieldError
from hounsfield.stats.estimate import Estimate


def test_text_of_an_estimate() -> None:
    estimate = Estimate(0.8129, 0.7521, 0.8616, 225, "cases", "DeLong, logit scale")
    assert str(estimate) == "0.813 (95 % CI 0.752 to 0.862; 225 cases)"
    assert f"{estimate:.1%}" == "81.3% (95 % CI 75.2% to 86.2%; 225 cases)"


def test_text_without_interval_or_value() -> None:
    assert str(Estimate(1.0, math.nan, math.nan, 4, "patients", "none")) == "1.000 (no interval; 4 patients)"
    assert str(Estimate(math.nan, math.nan, math.nan, 0, "cases", "none")) == "undefined (no interval; 0 cases)"


def test_frozen_and_checked() -> None:
    with pytest.raises(HounsfieldError, match="low to high"):
        Estimate(0.5, 0.6, 0.4, 3, "cases", "none")
    with pytest.raises(HounsfieldError, match="level"):
        Estimate(0.5, 0.4, 0.6, 3, "cases", "none", level=95)
    with pytest.raises(AttributeError):
        Estimate(0.5, 0.4, 0.6, 3, "cases", "none").value = 1.0  # type: ignore[misc]
