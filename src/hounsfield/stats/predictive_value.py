"""Predictive values of a call: labels and calls in, PPV and NPV out, as in these cases or at a stated prevalence.

The share of malignant cases in a study is the study's choice; what a positive call means in a clinic depends on the
clinic's prevalence. So say which.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import special

from hounsfield.core.errors import HounsfieldError
from hounsfield.core.types import BoolArray, FloatArray
from hounsfield.stats.bootstrap import bootstrap_interval
from hounsfield.stats.estimate import Estimate, undefined
from hounsfield.stats.inputs import binary_labels, patient_codes
from hounsfield.stats.intervals import share_interval


def ppv(
    label: npt.ArrayLike,
    predicted: npt.ArrayLike,
    *,
    prevalence: float | None = None,
    patient_id: npt.ArrayLike | None = None,
    rng: np.random.Generator | None = None,
    level: float = 0.95,
) -> Estimate:
    """Share of the positive calls that are right.

    Args:
        label: (N,) 0 or 1.
        predicted: (N,) call, 0 or 1.
        prevalence: share of positives where the call is to be used; that of these cases when absent.
        patient_id: (N,) whose case it is.
        rng: of the bootstrap, needed only where patients repeat; seeded with 0 when absent.

    Returns: Wilson's interval without `prevalence` and one case a patient; with it Mercaldo's on the logit scale, or
        a patient bootstrap where patients repeat. NaN and UndefinedMetric without a positive call or without a class.

    Source: Mercaldo et al., Stat Med 2007;26:2170.
    """
    return _value("PPV", label, predicted, prevalence, patient_id, rng, level)


def npv(
    label: npt.ArrayLike,
    predicted: npt.ArrayLike,
    *,
    prevalence: float | None = None,
    patient_id: npt.ArrayLike | None = None,
    rng: np.random.Generator | None = None,
    level: float = 0.95,
) -> Estimate:
    """Share of the negative calls that are right; arguments and edges as `ppv`."""
    return _value("NPV", label, predicted, prevalence, patient_id, rng, level)


def at_prevalence(sensitivity: float, specificity: float, prevalence: float) -> tuple[float, float]:
    """PPV and NPV by Bayes' rule from two printed figures; NaN where nothing is called so."""
    for name, share in (("sensitivity", sensitivity), ("specificity", specificity), ("prevalence", prevalence)):
        if not 0 <= share <= 1:
            raise HounsfieldError(f"{name} is a share in [0, 1]; got {share}.")
    hit, false = sensitivity * prevalence, (1 - specificity) * (1 - prevalence)
    clear, missed = specificity * (1 - prevalence), (1 - sensitivity) * prevalence
    return (hit / (hit + false) if hit + false else math.nan, clear / (clear + missed) if clear + missed else math.nan)


def _value(
    name: str,
    label: npt.ArrayLike,
    predicted: npt.ArrayLike,
    prevalence: float | None,
    patient_id: npt.ArrayLike | None,
    rng: np.random.Generator | None,
    level: float,
) -> Estimate:
    positive, called = binary_labels(label), binary_labels(predicted, name="predicted")
    if positive.shape != called.shape:
        raise HounsfieldError(f"label and predicted have one value a case; got {len(positive)} and {len(called)}.")
    codes, patients = patient_codes(patient_id, cases=len(positive))
    chosen, right = (called, positive) if name == "PPV" else (~called, ~positive)
    draws = rng or np.random.default_rng(0)
    if prevalence is None:
        return share_interval(right[chosen], patient_id=codes[chosen], rng=draws, level=level)
    if not 0 < prevalence < 1:
        raise HounsfieldError(f"prevalence is a share between 0 and 1; got {prevalence}. Write 0.01 for 1 %.")
    unit = "patients" if patients < len(positive) else "cases"
    if positive.all() or not positive.any():
        value = undefined(name, "one class has no case")
        return Estimate(value, math.nan, math.nan, patients, unit, "Bayes' rule", level, "one class has no case")
    if patients < len(positive):
        return bootstrap_interval(
            lambda weights: _bayes(name, positive, called, weights, prevalence),
            cases=len(positive),
            rng=draws,
            patient_id=codes,
            level=level,
        )
    return _mercaldo(name, positive, called, prevalence, level)


def _mercaldo(name: str, positive: BoolArray, called: BoolArray, prevalence: float, level: float) -> Estimate:
    value = float(_bayes(name, positive, called, np.ones((1, len(positive))), prevalence)[0])
    method = f"Mercaldo, logit scale, prevalence {prevalence:g}"
    tail = (len(positive), "cases", method, level)
    if math.isnan(value):
        return Estimate(undefined(name, "no such call"), math.nan, math.nan, *tail, "no such call")
    ups, downs = int(positive.sum()), int((~positive).sum())
    sensitivity, specificity = float(called[positive].mean()), float((~called[~positive]).mean())
    if name == "PPV":
        pairs = ((sensitivity, 1 - sensitivity, ups), (1 - specificity, specificity, downs))
    else:
        pairs = ((1 - sensitivity, sensitivity, ups), (specificity, 1 - specificity, downs))
    if value in (0.0, 1.0) or any(share == 0 for share, _, _ in pairs):
        return Estimate(value, math.nan, math.nan, *tail, "no interval on the logit scale: a rate is 0")
    half = float(special.ndtri((1 + level) / 2)) * math.sqrt(sum(rest / (share * n) for share, rest, n in pairs))
    centre = float(special.logit(value))
    return Estimate(value, float(special.expit(centre - half)), float(special.expit(centre + half)), *tail)


def _bayes(name: str, positive: BoolArray, called: BoolArray, weights: FloatArray, prevalence: float) -> FloatArray:
    with np.errstate(invalid="ignore", divide="ignore"):
        sensitivity = weights @ (called & positive) / (weights @ positive)
        specificity = weights @ (~called & ~positive) / (weights @ ~positive)
        if name == "PPV":
            hit, false = sensitivity * prevalence, (1 - specificity) * (1 - prevalence)
        else:
            hit, false = specificity * (1 - prevalence), (1 - sensitivity) * prevalence
        return np.asarray(hit / (hit + false), dtype=np.float64)
