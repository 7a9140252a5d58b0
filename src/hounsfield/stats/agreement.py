"""Agreement of several readers: their classes or numbers in, Fleiss' kappa or an intraclass correlation out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from hounsfield.core.errors import HounsfieldError
from hounsfield.core.types import FloatArray
from hounsfield.stats.bootstrap import bootstrap_interval
from hounsfield.stats.estimate import Estimate, undefined
from hounsfield.stats.inputs import checked_level, class_codes

ICC_FORMS = ("1,1", "2,1", "3,1", "1,k", "2,k", "3,k")


def fleiss_kappa(
    classes_read: Sequence[Sequence[Any]],
    *,
    patient_id: npt.ArrayLike | None = None,
    rng: np.random.Generator | None = None,
    level: float = 0.95,
    resamples: int = 2000,
) -> Estimate:
    """Agreement beyond chance of R readers on N cases, all classes alike.

    Args:
        classes_read: for each reader the (N,) classes of the same cases.
        patient_id: (N,) whose case it is; patients are resampled.
        rng: of the bootstrap; seeded with 0 when absent.

    Returns: NaN and UndefinedMetric without a case or when all readings are of one class (0/0).
    Raises: HounsfieldError with fewer than two readers or unequal numbers of cases.
    Source: Fleiss, Psychol Bull 1971;76:378.
    """
    readers = [list(one) for one in classes_read]
    if len(readers) < 2 or len({len(one) for one in readers}) > 1:
        raise HounsfieldError(f"expected two or more readers of the same cases; got {[len(one) for one in readers]}.")
    flat = [value for one in readers for value in one]
    codes, _, names = class_codes(flat, flat)
    table = codes.reshape(len(readers), -1)
    counts = np.stack([(table == k).sum(axis=0) for k in range(len(names))], axis=1) if flat else np.zeros((0, 1))
    return fleiss_kappa_of(counts, patient_id=patient_id, rng=rng, level=level, resamples=resamples)


def fleiss_kappa_of(
    counts: npt.ArrayLike,
    *,
    patient_id: npt.ArrayLike | None = None,
    rng: np.random.Generator | None = None,
    level: float = 0.95,
    resamples: int = 2000,
) -> Estimate:
    """The same from (N, C) numbers of readers who gave each class; every case has the same number of readers."""
    table = np.asarray(counts, dtype=np.float64)
    raters = table.sum(axis=1) if table.ndim == 2 else np.zeros(0)
    if table.ndim != 2 or (len(raters) and (raters.min() != raters.max() or raters.min() < 2)):
        raise HounsfieldError("counts are cases x classes with the same number of readers, two or more, in each row.")
    size = raters[0] if len(raters) else 2.0
    agreed = ((table**2).sum(axis=1) - size) / (size * (size - 1))

    def statistic(weights: FloatArray) -> FloatArray:
        total = weights.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            share = weights @ table / (total * size)[:, None]
            chance = (share**2).sum(axis=1)
            return np.asarray((weights @ agreed / total - chance) / (1 - chance))

    if not len(table) or math.isnan(float(statistic(np.ones((1, len(table))))[0])):
        value = undefined("Fleiss' kappa", "no case" if not len(table) else "all readings are of one class")
        return Estimate(value, math.nan, math.nan, len(table), "cases", "Fleiss' kappa", level, "undefined")
    return bootstrap_interval(
        statistic,
        cases=len(table),
        rng=rng or np.random.default_rng(0),
        patient_id=patient_id,
        resamples=resamples,
        level=level,
    )


def icc(value: npt.ArrayLike, *, form: str = "2,1", level: float = 0.95) -> Estimate:
    """Intraclass correlation of R readers' numbers on N cases.

    Args:
        value: (N, R), no value missing.
        form: Shrout and Fleiss' model and unit. "1": each case by other readers; "2": the same readers, a sample of
            all (absolute agreement); "3": these very readers (consistency). "1" after the comma for one reader's
            value, "k" for the mean of all.

    Returns: interval from F distributions; may be below 0. NaN and UndefinedMetric when the cases' means don't differ.
    Raises: HounsfieldError for another form, missing values, fewer than two cases or readers.
    Source: Shrout & Fleiss, Psychol Bull 1979;86:420; intervals also McGraw & Wong, Psychol Methods 1996;1:30.
    """
    checked_level(level)
    table = np.asarray(value, dtype=np.float64)
    if form not in ICC_FORMS:
        raise HounsfieldError(f"form is one of {'; '.join(ICC_FORMS)}; got {form!r}.")
    if table.ndim != 2 or min(table.shape) < 2 or not np.isfinite(table).all():
        raise HounsfieldError(f"value is cases x readers, 2 x 2 or more, none missing; got shape {table.shape}.")
    n, k = table.shape
    rows, columns, mean = table.mean(axis=1), table.mean(axis=0), table.mean()
    between = k * float(((rows - mean) ** 2).sum()) / (n - 1)
    judges = n * float(((columns - mean) ** 2).sum()) / (k - 1)
    within = float(((table - rows[:, None]) ** 2).sum()) / (n * (k - 1))
    error = float(((table - rows[:, None] - columns[None] + mean) ** 2).sum()) / ((n - 1) * (k - 1))
    model, unit = form.split(",")
    # Rounding leaves a trace of spread where there is none; the forms then divide by nothing or pass 1.
    if between <= 1e-12 * within or between + within == 0:
        reason = "the cases' means are all the same"
        return Estimate(undefined("ICC", reason), math.nan, math.nan, n, "cases", f"ICC({form})", level, reason)
    single, low, high = {
        "1": lambda: _one_way(between, within, n, k, level),
        "2": lambda: _two_way(between, judges, error, n, k, level),
        "3": lambda: _consistency(between, error, n, k, level),
    }[model]()
    values = [single, low, high]
    if unit == "k":
        values = [_spearman_brown(one, k) for one in values]
    return Estimate(values[0], values[1], values[2], n, "cases", f"ICC({form}), F distribution", level)


def _one_way(between: float, within: float, n: int, k: int, level: float) -> tuple[float, float, float]:
    if within == 0:
        return 1.0, math.nan, math.nan
    f, upper = between / within, (1 + level) / 2
    low = f / float(stats.f.ppf(upper, n - 1, n * (k - 1)))
    high = f * float(stats.f.ppf(upper, n * (k - 1), n - 1))
    return (f - 1) / (f + k - 1), (low - 1) / (low + k - 1), (high - 1) / (high + k - 1)


def _two_way(between: float, judges: float, error: float, n: int, k: int, level: float) -> tuple[float, float, float]:
    value = (between - error) / (between + (k - 1) * error + k * (judges - error) / n)
    if error == 0 and judges == 0:
        return value, math.nan, math.nan
    ratio = judges / error if error else math.inf
    if math.isinf(ratio):
        return value, math.nan, math.nan
    freedom = ((k - 1) * (n - 1) * (k * value * ratio + n * (1 + (k - 1) * value) - k * value) ** 2) / (
        (n - 1) * k**2 * value**2 * ratio**2 + (n * (1 + (k - 1) * value) - k * value) ** 2
    )
    upper = (1 + level) / 2
    f_low, f_high = float(stats.f.ppf(upper, n - 1, freedom)), float(stats.f.ppf(upper, freedom, n - 1))
    spread = k * judges + (k * n - k - n) * error
    low = n * (between - f_low * error) / (f_low * spread + n * between)
    high = n * (f_high * between - error) / (spread + n * f_high * between)
    return value, low, high


def _consistency(between: float, error: float, n: int, k: int, level: float) -> tuple[float, float, float]:
    if error == 0:
        return 1.0, math.nan, math.nan
    f, upper = between / error, (1 + level) / 2
    freedom = (n - 1) * (k - 1)
    low = f / float(stats.f.ppf(upper, n - 1, freedom))
    high = f * float(stats.f.ppf(upper, freedom, n - 1))
    return (f - 1) / (f + k - 1), (low - 1) / (low + k - 1), (high - 1) / (high + k - 1)


def _spearman_brown(single: float, k: int) -> float:
    return k * single / (1 + (k - 1) * single)
