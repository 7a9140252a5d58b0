"""Two separate groups of patients compared: values, or printed means and SDs, in; difference, interval and p out."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy import stats

from hounsfield.core.errors import HounsfieldError
from hounsfield.core.types import FloatArray
from hounsfield.stats.compare import Comparison
from hounsfield.stats.estimate import Estimate, undefined
from hounsfield.stats.inputs import checked_level, patient_codes


def t_test_from_summary(
    first: tuple[float, float, int],
    second: tuple[float, float, int],
    *,
    equal_variance: bool = False,
    level: float = 0.95,
) -> Comparison:
    """Welch's, or Student's, t test from means, SDs (over n - 1) and numbers of cases, as a paper prints them.

    Args:
        first, second: (mean, sd, n) of each group.
        equal_variance: True for Student's test, which supposes it.

    Returns: first minus second; p = 1 when both SDs are 0 and the means equal, NaN when they differ then.
    Raises: HounsfieldError with fewer than two cases a group or a negative SD.
    Source: Welch, Biometrika 1947;34:28.
    """
    checked_level(level)
    (mean_a, sd_a, n_a), (mean_b, sd_b, n_b) = first, second
    numbers = (mean_a, sd_a, mean_b, sd_b)
    if min(n_a, n_b) < 2 or min(sd_a, sd_b) < 0 or not all(map(math.isfinite, numbers)):
        raise HounsfieldError(f"expected (mean, sd, n) with n of 2 or more and sd of 0 or more; got {first}, {second}.")
    gap, name = mean_a - mean_b, "Student's t test" if equal_variance else "Welch's t test"
    tail = (n_a + n_b, "cases", name, level)
    a, b = sd_a**2 / n_a, sd_b**2 / n_b
    if equal_variance:
        freedom = float(n_a + n_b - 2)
        pooled = ((n_a - 1) * sd_a**2 + (n_b - 1) * sd_b**2) / freedom
        variance = pooled * (1 / n_a + 1 / n_b)
    else:
        variance = a + b
        freedom = variance**2 / (a**2 / (n_a - 1) + b**2 / (n_b - 1)) if variance else math.nan
    if not variance:
        note = "both groups show no spread"
        return Comparison(Estimate(gap, math.nan, math.nan, *tail, note), 1.0 if gap == 0 else math.nan, name)
    se = math.sqrt(variance)
    half = se * float(stats.t.ppf((1 + level) / 2, freedom))
    p = 2 * float(stats.t.sf(abs(gap) / se, freedom))
    return Comparison(Estimate(gap, gap - half, gap + half, *tail), p, name)


def t_test(
    first: npt.ArrayLike, second: npt.ArrayLike, *, equal_variance: bool = False, level: float = 0.95
) -> Comparison:
    """The same from the (N,) values of each group; NaN values are left out and counted in the note.

    NaN and UndefinedMetric with fewer than two values a group.
    """
    (a, lost_a), (b, lost_b) = _known(first), _known(second)
    name = "Student's t test" if equal_variance else "Welch's t test"
    if min(len(a), len(b)) < 2:
        value = undefined("difference of means", "fewer than two values in a group")
        return Comparison(Estimate(value, math.nan, math.nan, len(a) + len(b), "cases", name, level), math.nan, name)
    sides = [(float(x.mean()), float(x.std(ddof=1)), len(x)) for x in (a, b)]
    found = t_test_from_summary(sides[0], sides[1], equal_variance=equal_variance, level=level)
    return _with_note(found, lost_a + lost_b)


def rank_sum(first: npt.ArrayLike, second: npt.ArrayLike) -> Comparison:
    """Mann-Whitney's rank-sum test of two groups; ties by midranks, exact for small groups without ties (SciPy).

    Returns: the difference of the medians, without an interval; NaN values are left out and counted. NaN and
        UndefinedMetric when a group is empty.
    """
    (a, lost_a), (b, lost_b) = _known(first), _known(second)
    name = "Mann-Whitney rank-sum test"
    if not len(a) or not len(b):
        value = undefined("difference of medians", "an empty group")
        return Comparison(Estimate(value, math.nan, math.nan, 0, "cases", name), math.nan, name)
    gap = float(np.median(a) - np.median(b))
    p = float(stats.mannwhitneyu(a, b, alternative="two-sided").pvalue)
    estimate = Estimate(gap, math.nan, math.nan, len(a) + len(b), "cases", name, note="difference of medians")
    return _with_note(Comparison(estimate, p, name), lost_a + lost_b)


def signed_rank(
    value_a: npt.ArrayLike, value_b: npt.ArrayLike, *, patient_id: npt.ArrayLike | None = None
) -> Comparison:
    """Wilcoxon's signed-rank test of two models' values on the same cases (Dice before and after).

    Args:
        value_a, value_b: (N,) of each model; a case where either is not finite is left out and counted.
        patient_id: (N,); a patient with several cases enters with the mean difference, since the test supposes
            independent differences.

    Returns: the median difference of the patients, first minus second, without an interval; zero differences are
        dropped as Wilcoxon did, and p = 1 when all are zero. NaN and UndefinedMetric without a case.

    Source: Wilcoxon, Biometrics Bull 1945;1:80; exact up to 50 untied differences (SciPy).
    """
    a, b = np.asarray(value_a, dtype=np.float64), np.asarray(value_b, dtype=np.float64)
    if a.ndim != 1 or a.shape != b.shape:
        raise HounsfieldError(f"both models have one value a case; got shapes {a.shape} and {b.shape}.")
    codes, patients = patient_codes(patient_id, cases=len(a))
    known = np.isfinite(a) & np.isfinite(b)
    name = "Wilcoxon signed-rank test"
    if not known.any():
        value = undefined("median difference", "no case")
        return Comparison(Estimate(value, math.nan, math.nan, 0, "cases", name), math.nan, name)
    sums = np.bincount(codes[known], weights=(a - b)[known], minlength=patients)
    sizes = np.bincount(codes[known], minlength=patients)
    gaps = sums[sizes > 0] / sizes[sizes > 0]
    repeated = patients < len(a)
    unit = "patients" if repeated else "cases"
    estimate = Estimate(
        float(np.median(gaps)), math.nan, math.nan, len(gaps), unit, name, note="median of the differences"
    )
    p = float(stats.wilcoxon(gaps).pvalue) if np.any(gaps) else 1.0
    return _with_note(Comparison(estimate, p, name + (" of patients' means" if repeated else "")), int((~known).sum()))


def _known(values: npt.ArrayLike) -> tuple[FloatArray, int]:
    given = np.asarray(values, dtype=np.float64).ravel()
    kept = given[np.isfinite(given)]
    return kept, len(given) - len(kept)


def _with_note(found: Comparison, lost: int) -> Comparison:
    if not lost:
        return found
    note = "; ".join(filter(None, [found.difference.note, f"{lost} without a finite value left out"]))
    return replace(found, difference=replace(found.difference, note=note))
