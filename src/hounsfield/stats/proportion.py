"""Interval of a proportion: a count of successes among independent trials in, an `Estimate` out.

`wilson` is the default of this package; the others, all in `METHODS`, are there to read published tables. Several cases
of one patient are not independent trials: see `clustered_wilson`, and `classification.accuracy`, which chooses.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
from scipy import optimize, special, stats

from hounsfield.core.errors import HounsfieldError
from hounsfield.stats.estimate import Estimate, undefined
from hounsfield.stats.inputs import binary_labels, checked_level, patient_codes


def wilson(successes: int, n: int, *, level: float = 0.95) -> Estimate:
    """Wilson's score interval.

    Args:
        successes: how many of the trials succeeded.
        n: number of independent trials.

    Returns: the proportion; NaN with the warning UndefinedMetric when `n` is 0. Never of zero width.
    Raises: HounsfieldError unless 0 <= successes <= n.
    Source: Wilson, J Am Stat Assoc 1927;22:209; recommended in Newcombe, Stat Med 1998;17:857.
    """
    return _estimate(successes, n, level, "Wilson", lambda: _wilson_ends(successes / n, n, level))


def clopper_pearson(successes: int, n: int, *, level: float = 0.95) -> Estimate:
    """The exact binomial interval, which covers at least `level`. As `wilson` otherwise.

    Source: Clopper & Pearson, Biometrika 1934;26:404.
    """

    def ends() -> tuple[float, float]:
        tail = (1 - level) / 2
        low = float(special.betaincinv(successes, n - successes + 1, tail)) if successes else 0.0
        high = float(special.betaincinv(successes + 1, n - successes, 1 - tail)) if successes < n else 1.0
        return low, high

    return _estimate(successes, n, level, "Clopper-Pearson", ends)


def agresti_coull(successes: int, n: int, *, level: float = 0.95) -> Estimate:
    """Wald's interval around Wilson's centre, cut to [0, 1]. As `wilson` otherwise.

    Source: Agresti & Coull, Am Stat 1998;52:119.
    """

    def ends() -> tuple[float, float]:
        z = _z(level)
        centre = (successes + z * z / 2) / (n + z * z)
        half = z * math.sqrt(centre * (1 - centre) / (n + z * z))
        return max(0.0, centre - half), min(1.0, centre + half)

    return _estimate(successes, n, level, "Agresti-Coull", ends)


def jeffreys(successes: int, n: int, *, level: float = 0.95) -> Estimate:
    """Equal-tailed interval of the Beta(1/2, 1/2) prior; 0 and 1 are ends at no and all successes. As `wilson`.

    Source: Brown, Cai & DasGupta, Stat Sci 2001;16:101.
    """

    def ends() -> tuple[float, float]:
        tail = (1 - level) / 2
        a, b = successes + 0.5, n - successes + 0.5
        low = float(special.betaincinv(a, b, tail)) if successes else 0.0
        high = float(special.betaincinv(a, b, 1 - tail)) if successes < n else 1.0
        return low, high

    return _estimate(successes, n, level, "Jeffreys", ends)


def wald(successes: int, n: int, *, level: float = 0.95) -> Estimate:
    """The plain normal interval, cut to [0, 1]; covers far too little near 0 and 1. As `wilson` otherwise.

    Returns: NaN ends with a note at no and at all successes, where its width would be zero.
    """

    def ends() -> tuple[float, float]:
        p = successes / n
        half = _z(level) * math.sqrt(p * (1 - p) / n)
        return (max(0.0, p - half), min(1.0, p + half)) if half else (math.nan, math.nan)

    return _estimate(successes, n, level, "Wald", ends)


def wilson_corrected(successes: int, n: int, *, level: float = 0.95) -> Estimate:
    """Wilson's interval with continuity correction; 0 and 1 are ends at no and all successes. As `wilson` otherwise.

    Source: Newcombe, Stat Med 1998;17:857, method 4.
    """

    def ends() -> tuple[float, float]:
        z, p, q = _z(level), successes / n, 1 - successes / n
        below = z * math.sqrt(z * z - 2 - 1 / n + 4 * p * (n * q + 1)) if successes else 0.0
        above = z * math.sqrt(z * z + 2 - 1 / n + 4 * p * (n * q - 1)) if successes < n else 0.0
        low = (2 * successes + z * z - 1 - below) / (2 * (n + z * z)) if successes else 0.0
        high = (2 * successes + z * z + 1 + above) / (2 * (n + z * z)) if successes < n else 1.0
        return max(0.0, low), min(1.0, high)

    return _estimate(successes, n, level, "Wilson with continuity correction", ends)


def plus_four(successes: int, n: int, *, level: float = 0.95) -> Estimate:
    """Wald's interval after adding two successes and two failures, cut to [0, 1]. As `wilson` otherwise.

    The value stays the plain share. Source: Agresti & Caffo, Am Stat 2000;54:280.
    """

    def ends() -> tuple[float, float]:
        p = (successes + 2) / (n + 4)
        half = _z(level) * math.sqrt(p * (1 - p) / (n + 4))
        return max(0.0, p - half), min(1.0, p + half)

    return _estimate(successes, n, level, "plus-four", ends)


def mid_p(successes: int, n: int, *, level: float = 0.95) -> Estimate:
    """The exact interval that counts half the chance of the observed count: shorter than Clopper-Pearson's.

    As `wilson` otherwise. Source: Lancaster, Biometrics 1949;36:370; Newcombe, Stat Med 1998;17:857, method 6.
    """

    def ends() -> tuple[float, float]:
        tail = (1 - level) / 2

        def upper_tail(p: float) -> float:  # P(X > k) + P(X = k) / 2
            return float(special.bdtrc(successes, n, p) + stats.binom.pmf(successes, n, p) / 2)

        low = 0.0 if successes == 0 else float(optimize.brentq(lambda p: upper_tail(p) - tail, 0, 1, xtol=1e-14))
        high = 1.0 if successes == n else float(optimize.brentq(lambda p: upper_tail(p) - 1 + tail, 0, 1, xtol=1e-14))
        return low, high

    return _estimate(successes, n, level, "mid-P", ends)


def logit_wald(successes: int, n: int, *, level: float = 0.95) -> Estimate:
    """Wald's interval on the logit scale. As `wilson` otherwise.

    Returns: NaN ends with a note at no and at all successes, where the logit is infinite.
    Source: Brown, Cai & DasGupta, Stat Sci 2001;16:101, section 4.2.
    """

    def ends() -> tuple[float, float]:
        if successes in (0, n):
            return math.nan, math.nan
        centre = float(special.logit(successes / n))
        half = _z(level) * math.sqrt(n / (successes * (n - successes)))
        return float(special.expit(centre - half)), float(special.expit(centre + half))

    return _estimate(successes, n, level, "logit Wald", ends)


def clustered_wilson(success: npt.ArrayLike, *, patient_id: npt.ArrayLike, level: float = 0.95) -> Estimate:
    """Wilson's interval at the effective number of trials, for several trials of one patient.

    The effective number is n divided by the design effect: the variance of the ratio estimator over patients against
    the binomial one. It is never taken above n. With all or no successes there is no variance to estimate, and the
    number of patients is taken.

    Args:
        success: (N,) 0/1 for each trial.
        patient_id: (N,) whose trial it is.

    Returns: `n` counts patients. NaN and UndefinedMetric without trials; NaN ends with a single patient.
    Source: Rao & Scott, Biometrics 1992;48:577; effective number as in Korn & Graubard, Surv Methodol 1998;24:193.
    """
    checked_level(level)
    hit = binary_labels(success, name="success").astype(np.float64)
    codes, patients = patient_codes(patient_id, cases=len(hit))
    method = "Wilson at the effective number of cases"
    if not len(hit):
        return Estimate(undefined("proportion", "no trial"), math.nan, math.nan, 0, "patients", method, level)
    value = float(hit.mean())
    if patients < 2:
        return Estimate(value, math.nan, math.nan, patients, "patients", method, level, "a single patient")
    effective = float(patients)
    if 0 < value < 1:
        excess = np.bincount(codes, weights=hit - value, minlength=patients)
        variance = patients / (patients - 1) * float(excess @ excess) / len(hit) ** 2
        effective = min(float(len(hit)), value * (1 - value) / variance) if variance > 0 else float(patients)
    low, high = _wilson_ends(value, effective, level)
    return Estimate(value, low, high, patients, "patients", method, level)


def unpaired_p(successes_a: int, n_a: int, successes_b: int, n_b: int) -> float:
    """Two-sided p-value of equal shares in two separate groups (pooled normal test, no continuity correction).

    For printed counts only: two models on the same cases are compared by `compare`. NaN and UndefinedMetric when a
    group is empty; 1 when all, or none, succeed in both.
    """
    a, b = wilson(successes_a, n_a), wilson(successes_b, n_b)
    pooled = (successes_a + successes_b) / max(1, n_a + n_b)
    if pooled in (0.0, 1.0) and n_a and n_b:
        return 1.0
    if math.isnan(a.value - b.value):
        return math.nan
    return math.erfc(abs(a.value - b.value) / math.sqrt(2 * pooled * (1 - pooled) * (1 / n_a + 1 / n_b)))


def _wilson_ends(p: float, n: float, level: float) -> tuple[float, float]:
    z = _z(level)
    scale = 1 + z * z / n
    centre = (p + z * z / (2 * n)) / scale
    half = z / scale * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    # At p = 0 and 1 one end is exactly 0 or 1; rounding must not push it past, nor past the value itself.
    return max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half))


def _z(level: float) -> float:
    return float(special.ndtri((1 + level) / 2))


def _estimate(successes: int, n: int, level: float, method: str, ends: Callable[[], tuple[float, float]]) -> Estimate:
    checked_level(level)
    if int(successes) != successes or int(n) != n or not 0 <= successes <= n:
        raise HounsfieldError(f"expected whole numbers with 0 <= successes <= n; got {successes} of {n}.")
    if n == 0:
        return Estimate(undefined("proportion", "no trial"), math.nan, math.nan, 0, "cases", method, level)
    low, high = ends()
    note = "all trials alike: this method has no interval" if math.isnan(low) else ""
    return Estimate(successes / n, low, high, int(n), "cases", method, level, note)


METHODS: Mapping[str, Callable[..., Estimate]] = {
    "Wilson": wilson,
    "Wilson with continuity correction": wilson_corrected,
    "Clopper-Pearson": clopper_pearson,
    "Agresti-Coull": agresti_coull,
    "plus-four": plus_four,
    "Jeffreys": jeffreys,
    "mid-P": mid_p,
    "logit Wald": logit_wald,
    "Wald": wald,
}
