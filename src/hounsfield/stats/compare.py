"""Two models on the same cases: labels and both models' predictions in, a `Comparison` out (difference, p-value, test).

Differences are the first model minus the second. The rule of `intervals` holds here too: DeLong, McNemar and
Newcombe when every patient has one case; Obuchowski's covariance and the exact sign-flip of patients when they repeat.
Correct several p-values of one question with `multiplicity.holm`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import special

from hounsfield.core.errors import HounsfieldError
from hounsfield.core.types import FloatArray
from hounsfield.stats.auc import auc_covariance
from hounsfield.stats.bootstrap import WeightedStatistic, bootstrap_interval
from hounsfield.stats.estimate import Estimate, undefined
from hounsfield.stats.inputs import binary_labels, checked_level, class_codes, patient_codes, scores
from hounsfield.stats.mcnemar import mcnemar, newcombe
from hounsfield.stats.sign_flip import sign_flip


@dataclass(frozen=True)
class Comparison:
    """A paired comparison of two models.

    Attributes:
        difference: first model minus second, with its interval.
        p: two-sided p-value of no difference; NaN when the test can't be made (see `difference.note`).
        test: which test gave `p`, in words for a report.
    """

    difference: Estimate
    p: float
    test: str


def compare_auc(
    label: npt.ArrayLike,
    prob_a: npt.ArrayLike,
    prob_b: npt.ArrayLike,
    *,
    patient_id: npt.ArrayLike | None = None,
    level: float = 0.95,
) -> Comparison:
    """Paired comparison of two AUCs.

    Args:
        label: (N,) 0 or 1.
        prob_a: (N,) score of the first model.
        prob_b: (N,) score of the second model, same cases.
        patient_id: (N,) whose case it is; where patients repeat the covariance is Obuchowski's.

    Returns: p = 1 when both scores rank all cases alike. NaN p and ends when the difference shows no variance
        otherwise, or a class has fewer than two patients. UndefinedMetric when a class has no case.

    Source: DeLong et al., Biometrics 1988;44:837; Obuchowski, Biometrics 1997;53:567.
    """
    checked_level(level)
    positive = binary_labels(label)
    both = np.array([scores(prob_a, cases=len(positive)), scores(prob_b, cases=len(positive))])
    codes, patients = patient_codes(patient_id, cases=len(positive))
    repeated = patients < len(positive)
    test = f"paired {'Obuchowski' if repeated else 'DeLong'}"
    tail = (patients, "patients" if repeated else "cases", test, level)
    if not positive.any() or positive.all():
        value = undefined("difference of AUCs", "a class has no case")
        return Comparison(Estimate(value, math.nan, math.nan, *tail), math.nan, test)
    areas, covariance = auc_covariance(positive, both, patient_id=codes)
    value = float(areas[0] - areas[1])
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    if math.isnan(variance) or variance <= 1e-14:
        note = "fewer than two patients of a class" if math.isnan(variance) else "the difference shows no variance"
        p = 1.0 if abs(value) < 1e-12 and not math.isnan(variance) else math.nan
        return Comparison(Estimate(value, math.nan, math.nan, *tail, note), p, test)
    se = math.sqrt(variance)
    half = float(special.ndtri((1 + level) / 2)) * se
    estimate = Estimate(value, max(-1.0, value - half), min(1.0, value + half), *tail)
    return Comparison(estimate, math.erfc(abs(value) / se / math.sqrt(2)), test)


def compare_accuracy(
    label: npt.ArrayLike,
    predicted_a: npt.ArrayLike,
    predicted_b: npt.ArrayLike,
    *,
    patient_id: npt.ArrayLike | None = None,
    rng: np.random.Generator | None = None,
    level: float = 0.95,
) -> Comparison:
    """Paired comparison of two accuracies.

    Args:
        label: (N,) reference class.
        predicted_a: (N,) class by the first model.
        predicted_b: (N,) class by the second model, same cases.
        patient_id: (N,) whose case it is.
        rng: for the bootstrap interval where patients repeat; without it that interval is the normal one from the
            spread of patients. The p-value is exact in either case and needs no `rng`.

    Returns: exact McNemar with Newcombe's interval, or the sign-flip of patients where they repeat.
    """
    rows, columns, _ = class_codes(label, predicted_a)
    right_a = rows == columns
    rows, columns, _ = class_codes(label, predicted_b)
    return compare_right(right_a, rows == columns, patient_id=patient_id, rng=rng, level=level)


def compare_right(
    right_a: npt.ArrayLike,
    right_b: npt.ArrayLike,
    *,
    patient_id: npt.ArrayLike | None = None,
    rng: np.random.Generator | None = None,
    level: float = 0.95,
) -> Comparison:
    """`compare_accuracy` from (N,) 0/1 of whether each model is right."""
    first, second = binary_labels(right_a, name="right_a"), binary_labels(right_b, name="right_b")
    codes, patients = patient_codes(patient_id, cases=len(first))
    if patients == len(first):
        return Comparison(newcombe(first, second, level=level), mcnemar(first, second), "exact McNemar")
    return compare_means(first.astype(float), second.astype(float), patient_id=codes, rng=rng, level=level)


def compare_means(
    value_a: npt.ArrayLike,
    value_b: npt.ArrayLike,
    *,
    patient_id: npt.ArrayLike | None = None,
    rng: np.random.Generator | None = None,
    level: float = 0.95,
) -> Comparison:
    """Paired comparison of two means of one number a case (Dice before and after), by patients.

    Args:
        value_a: (N,) of the first model.
        value_b: (N,) of the second; a case where either is NaN is left out.
        patient_id: (N,) whose case it is.
        rng: for the bootstrap interval, and for the permutation where it can't be exact (see `sign_flip`).

    Returns: the mean difference over cases; the p-value is that of the sign-flip over patients' summed differences.
    """
    checked_level(level)
    first, second = np.asarray(value_a, dtype=np.float64), np.asarray(value_b, dtype=np.float64)
    if first.ndim != 1 or first.shape != second.shape:
        raise HounsfieldError(f"both models have one value a case; got shapes {first.shape} and {second.shape}.")
    known = np.isfinite(first) & np.isfinite(second)
    everyone, _ = patient_codes(patient_id, cases=len(first))
    gap, codes = (first - second)[known], everyone[known]
    note = "" if known.all() else f"{int((~known).sum())} of {len(known)} cases have no finite value"
    if not len(gap):
        value = undefined("difference of means", "no case")
        return Comparison(Estimate(value, math.nan, math.nan, 0, "cases", "mean", level, note), math.nan, "none")
    p, test = sign_flip(gap, patient_id=codes, rng=rng)
    if rng is None:
        estimate = _t_interval(gap, codes, level)
    else:
        estimate = bootstrap_interval(
            lambda weights: _weighted_mean(gap, weights), cases=len(gap), rng=rng, patient_id=codes, level=level
        )
    return Comparison(replace(estimate, note="; ".join(filter(None, [estimate.note, note]))), p, test)


def compare_by_bootstrap(
    statistic_a: WeightedStatistic,
    statistic_b: WeightedStatistic,
    *,
    cases: int,
    rng: np.random.Generator,
    patient_id: npt.ArrayLike | None = None,
    resamples: int = 2000,
    level: float = 0.95,
) -> Comparison:
    """Difference of any statistic (F1, MCC, macro AUC) between two models on the same resamples of the patients.

    Args:
        statistic_a: (B, N) weights of the cases -> (B,) values of the first model.
        statistic_b: the same of the second model.
        cases: N.

    Returns: the difference with its BCa interval; no p-value (NaN), since a bootstrap does not sample the null. An
        interval without 0 is the claim.
    """

    def difference(weights: FloatArray) -> FloatArray:
        return statistic_a(weights) - statistic_b(weights)

    estimate = bootstrap_interval(
        difference, cases=cases, rng=rng, patient_id=patient_id, resamples=resamples, level=level
    )
    return Comparison(estimate, math.nan, "none")


def _t_interval(gap: FloatArray, patient_id: npt.ArrayLike, level: float) -> Estimate:
    """Mean over cases with Student's interval from the spread of the patients' sums (ratio estimator)."""
    codes, patients = patient_codes(patient_id, cases=len(gap))
    mean = float(gap.mean())
    excess = np.bincount(codes, weights=gap - mean, minlength=patients)
    spread = float(excess @ excess)
    unit = "patients" if patients < len(gap) else "cases"
    tail = (patients, unit, "Student's t over patients", level)
    if patients < 2 or spread <= 0:
        return Estimate(mean, math.nan, math.nan, *tail, "no spread between patients")
    half = (
        math.sqrt(patients / (patients - 1) * spread) / len(gap) * float(special.stdtrit(patients - 1, (1 + level) / 2))
    )
    return Estimate(mean, mean - half, mean + half, *tail)


def _weighted_mean(value: FloatArray, weights: FloatArray) -> FloatArray:
    return np.asarray((weights @ value) / weights.sum(axis=1))
