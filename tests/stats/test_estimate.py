"""How an estimate is written down, and what it refuses."""

from __future__ import annotations

import dataclasses
import json
import math
import pickle

import numpy as np
import pytest

from hounsfield.core.errors import HounsfieldError
from hounsfield.stats.auc import auc
from hounsfield.stats.average_precision import average_precision
from hounsfield.stats.calibration import calibration_error
from hounsfield.stats.classification import accuracy, brier, f1, mcc, sensitivity, specificity
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


def test_an_estimate_is_a_number() -> None:
    estimate = Estimate(0.8129, 0.7521, 0.8616, 225, "cases", "DeLong, logit scale")
    assert estimate == 0.8129
    assert estimate + 1 == pytest.approx(1.8129)
    assert np.mean([estimate, estimate]) == pytest.approx(0.8129)
    assert json.dumps({"auc": estimate}) == '{"auc": 0.8129}'
    assert f"{float(estimate):.3f}" == "0.813"
    again = pickle.loads(pickle.dumps(estimate))
    assert (again, again.low, again.high, again.n) == (0.8129, 0.7521, 0.8616, 225)
    other = dataclasses.replace(estimate, note="seen")
    assert (other.note, other.high, float(other)) == ("seen", 0.8616, 0.8129)


def test_a_metric_comes_with_its_interval() -> None:
    label, prob, called = [0, 1, 1, 0, 1, 0], [0.1, 0.9, 0.4, 0.5, 0.7, 0.2], [0, 1, 0, 1, 1, 0]
    for found in (
        auc(label, prob),
        average_precision(label, prob),
        calibration_error(label, prob),
        accuracy(label, called),
        sensitivity(label, called),
        specificity(label, called),
        f1(label, called, average="macro"),
        mcc(label, called),
        brier(label, prob),
    ):
        assert isinstance(found, Estimate)
        assert found.low <= found <= found.high
        assert found.n > 0
        assert found.unit == "cases"
        assert found.method
