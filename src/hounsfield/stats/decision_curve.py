"""Decision curve: labels and probabilities in, the net benefit of acting on a model at each threshold out.

A reader who acts at a risk of t values a missed cancer (1 - t) / t times as much as a needless biopsy. The net benefit
counts true positives and takes off false ones at that rate, so models can be compared with biopsy for all and for none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hounsfield.core.errors import HounsfieldError
from hounsfield.core.types import BoolArray, FloatArray
from hounsfield.stats.bootstrap import bootstrap_table
from hounsfield.stats.estimate import undefined
from hounsfield.stats.inputs import binary_labels, patient_codes, probabilities


@dataclass(frozen=True)
class DecisionCurve:
    """Net benefit per case at T thresholds.

    Attributes:
        threshold: (T,) risk at which one acts.
        net_benefit: (T,) of acting where the probability reaches the threshold.
        low, high: (T,) pointwise interval.
        treat_all: (T,) of acting on everybody; acting on nobody has 0.
        n: how many units were resampled.
        unit: "cases" or "patients".
        method: in words for a report.
    """

    threshold: FloatArray
    net_benefit: FloatArray
    low: FloatArray
    high: FloatArray
    treat_all: FloatArray
    n: int
    unit: str
    method: str
    level: float = 0.95


def decision_curve(
    label: npt.ArrayLike,
    prob: npt.ArrayLike,
    *,
    thresholds: npt.ArrayLike | None = None,
    prevalence: float | None = None,
    patient_id: npt.ArrayLike | None = None,
    rng: np.random.Generator | None = None,
    resamples: int = 1000,
    level: float = 0.95,
) -> DecisionCurve:
    """Net benefit with a pointwise percentile band from a bootstrap over patients.

    Args:
        label: (N,) 0 or 1, both present.
        prob: (N,) calibrated probabilities; a decision curve of other scores has no meaning.
        thresholds: (T,) in (0, 1); 0.01 to 0.99 when absent.
        prevalence: share of positives where the model is to be used; that of these cases when absent.
        patient_id: (N,) whose case it is.
        rng: of the bootstrap; seeded with 0 when absent.

    Returns: NaN and UndefinedMetric when a class has no case.
    Source: Vickers & Elkin, Med Decis Making 2006;26:565.
    """
    positive = binary_labels(label)
    given = probabilities(prob, cases=len(positive))
    at = np.linspace(0.01, 0.99, 99) if thresholds is None else np.asarray(thresholds, dtype=np.float64)
    if at.ndim != 1 or not ((at > 0) & (at < 1)).all():
        raise HounsfieldError("thresholds are risks in (0, 1). Leave them out for 0.01, 0.02 ... 0.99.")
    if prevalence is not None and not 0 < prevalence < 1:
        raise HounsfieldError(f"prevalence is a share between 0 and 1; got {prevalence}.")
    if positive.all() or not positive.any():
        undefined("net benefit", "one class has no case")
        nothing = np.full(len(at), np.nan)
        return DecisionCurve(at, nothing, nothing, nothing, nothing, len(positive), "cases", "none", level)
    odds = at / (1 - at)

    def benefit(weights: FloatArray) -> FloatArray:
        return net_benefit(positive, given, at, weights, prevalence=prevalence)

    ones = np.ones((1, len(positive)))
    value = benefit(ones)[0]
    codes, patients = patient_codes(patient_id, cases=len(positive))
    drawn = bootstrap_table(
        benefit,
        cases=len(positive),
        rng=rng or np.random.default_rng(0),
        columns=len(at),
        patient_id=codes,
        resamples=resamples,
    )
    known = drawn[~np.isnan(drawn).any(axis=1)]
    ends = np.full((2, len(at)), np.nan)
    if len(known) and patients > 1:
        ends = np.quantile(known, [(1 - level) / 2, (1 + level) / 2], axis=0)
    share = prevalence if prevalence is not None else float(positive.mean())
    unit = "patients" if patients < len(positive) else "cases"
    method = f"pointwise patient bootstrap (percentile, {len(known)} of {resamples} resamples)"
    everybody = share - (1 - share) * odds
    return DecisionCurve(at, value, ends[0], ends[1], everybody, patients, unit, method, level)


def net_benefit(
    positive: BoolArray,
    prob: FloatArray,
    thresholds: FloatArray,
    weights: FloatArray,
    *,
    prevalence: float | None = None,
) -> FloatArray:
    """(B, T) net benefit for (B, N) weights of the cases: the statistic of a bootstrap; nan where a class has none."""
    order = np.argsort(prob, kind="stable")
    first = np.searchsorted(prob[order], thresholds, side="left")  # place of the lowest case that is acted on
    share = (weights @ positive / weights.sum(axis=1))[:, None] if prevalence is None else prevalence
    rates = []
    for chosen in (positive, ~positive):
        below = np.zeros((len(weights), len(prob) + 1))
        np.cumsum(weights[:, order] * chosen[order], axis=1, out=below[:, 1:])
        with np.errstate(invalid="ignore", divide="ignore"):
            rates.append(1 - below[:, first] / below[:, -1:])
    return np.asarray(rates[0] * share - rates[1] * (1 - share) * thresholds / (1 - thresholds))
