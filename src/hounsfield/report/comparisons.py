"""Two arms on the same cases: difference, interval, p, Holm's correction within a stated family, verdict in words.

In: pairs of arms as lists of `Repeat`. Out: one dict a pair and metric. An arm's value is its mean over repetitions and
seeds; cases that only one of the two arms predicted in a repetition are left out.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from hounsfield.core.progress import Progress, silent
from hounsfield.core.seeds import generator
from hounsfield.core.types import AnyArray, FloatArray
from hounsfield.report.metrics import statistics_of
from hounsfield.report.repeats import Repeat, patient_numbers, rows_of
from hounsfield.report.resampling import LARGE, interval_of, sample_of, spread_of
from hounsfield.stats.auc import auc_covariance
from hounsfield.stats.compare import Comparison, compare_auc, compare_means, compare_right
from hounsfield.stats.estimate import Estimate, UndefinedMetric
from hounsfield.stats.multiplicity import holm

if TYPE_CHECKING:
    import pandas as pd

VERSUS_TRIVIAL = "arm against best trivial arm"
NAMED = "named by the study"
BEATS, BELOW, UNDECIDED, UNDEFINED = "beats", "falls below", "not distinguishable", "not defined"
LEVEL = 0.05
COMPARISON_COLUMNS = (
    *("family", "target", "metric", "first", "second", "difference", "low", "high", "p", "p_holm", "verdict"),
    *("n", "unit", "cases", "method", "note"),
)


@dataclass(frozen=True)
class Pair:
    """Two arms to compare, first minus second, within a family of comparisons."""

    family: str
    target: str
    first: Sequence[Repeat]
    second: Sequence[Repeat]


def compare_pairs(
    pairs: Sequence[Pair],
    *,
    seed: int,
    resamples: int,
    ranked: Collection[str] = (),
    progress: Progress = silent,
) -> list[dict[str, Any]]:
    """Compares AUC and accuracy of every pair, and Dice where both arms have it.

    Returns: one dict a pair and metric with the keys `COMPARISON_COLUMNS`; `p_holm` is corrected over all pairs and
        targets of one family and metric.
    """
    rows: list[dict[str, Any]] = []
    for pair in progress(pairs, len(pairs), "comparing"):
        found = _compared(_common(pair), seed=seed, resamples=resamples)
        # A rank has no most probable class, hence no accuracy.
        rows += [row for row in found if row["metric"] != "accuracy" or not {row["first"], row["second"]} & set(ranked)]
    groups = {(row["family"], row["metric"]) for row in rows}
    for group in groups:
        members = [row for row in rows if (row["family"], row["metric"]) == group]
        for row, p in zip(members, holm([row["p"] for row in members]), strict=True):
            row.update(p_holm=float(p), verdict=_verdict(row["difference"], float(p)))
    return rows


def family_words(comparisons: pd.DataFrame, targets: int) -> str:
    """Which comparisons were corrected together, and what the verdicts mean."""
    count = int(((comparisons["family"] == VERSUS_TRIVIAL) & (comparisons["metric"] == "auc")).sum())
    over = f"{targets} targets" if targets > 1 else "the one target"
    return (
        f"p-values are corrected by Holm's method over all {count} comparisons of an arm's AUC with the best "
        f"trivial arm, over {over}; other metrics and the pairs named by the study are families of their own. The best "
        f"trivial arm is the one of highest AUC on the test part, which can only raise the bar. "
        f"'{BEATS.capitalize()}' and '{BELOW}' need a corrected p below {LEVEL}; '{UNDECIDED}' is no proof of equality."
    )


def _verdict(difference: float, p: float) -> str:
    if math.isnan(p):
        return UNDEFINED
    if p >= LEVEL:
        return UNDECIDED
    return BEATS if difference > 0 else BELOW


def _compared(pair: Pair, *, seed: int, resamples: int) -> list[dict[str, Any]]:
    if not pair.first or not pair.second:
        return []
    tests: dict[str, Callable[[], Comparison]] = {
        "auc": lambda: _auc(pair, generator(seed, "compare", pair.target, "auc"), resamples),
        "accuracy": lambda: _accuracy(pair, generator(seed, "compare", pair.target, "accuracy")),
    }
    if all(np.isfinite(one.columns.get("dice", [])).any() for one in (*pair.first, *pair.second)):
        tests["dice"] = lambda: _dice(pair, generator(seed, "compare", pair.target, "dice"))
    cases = len({case for repeat in pair.first for case in repeat.case_id})
    rows = []
    for metric, test in tests.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UndefinedMetric)  # shown as 'not defined'
            found = test()
        gap = found.difference
        rows.append(
            {
                "family": pair.family,
                "target": pair.target,
                "metric": metric,
                "first": pair.first[0].arm,
                "second": pair.second[0].arm,
                "difference": gap.value,
                "low": gap.low,
                "high": gap.high,
                "p": found.p,
                "n": gap.n,
                "unit": gap.unit,
                "cases": cases,
                "method": found.test,
                "note": gap.note,
            }
        )
    return rows


def _common(pair: Pair) -> Pair:
    """The pair on the cases that both arms predicted in the same repetition (seeds need not agree)."""
    if _same_cases(pair) and {one.repetition for one in pair.first} == {one.repetition for one in pair.second}:
        return pair
    cases = [_cases_by_repetition(side) for side in (pair.first, pair.second)]
    both = {key: cases[0][key] & cases[1][key] for key in cases[0].keys() & cases[1].keys()}

    def kept(side: Sequence[Repeat]) -> list[Repeat]:
        chosen = [(one, np.isin(one.case_id, list(both.get(one.repetition, ())))) for one in side]
        return [rows_of(one, keep) for one, keep in chosen if keep.any()]

    return replace(pair, first=kept(pair.first), second=kept(pair.second))


def _same_cases(pair: Pair) -> bool:
    everyone = (*pair.first, *pair.second)
    return all(np.array_equal(everyone[0].case_id, other.case_id) for other in everyone[1:])


def _cases_by_repetition(repeats: Sequence[Repeat]) -> dict[int, set[str]]:
    # A case must be there for every seed of a repetition, else the seeds of an arm would differ in their cases.
    found: dict[int, set[str]] = {}
    for one in repeats:
        found[one.repetition] = found.get(one.repetition, set(one.case_id)) & set(one.case_id)
    return found


def _auc(pair: Pair, rng: np.random.Generator, resamples: int) -> Comparison:
    first, second = pair.first, pair.second
    one = first[0]
    if len(one.classes) > 2:
        return _by_bootstrap(pair, rng, resamples)
    if len(first) == len(second) == 1:
        patients = patient_numbers([one])[0]
        return compare_auc(one.label == 1, one.prob[:, 1], second[0].prob[:, 1], patient_id=patients)
    if not _same_cases(pair):
        return _by_bootstrap(pair, rng, resamples)
    return _auc_of_means(pair)


def _auc_of_means(pair: Pair) -> Comparison:
    """Difference of the mean AUCs of several repeats of the same cases: a contrast of DeLong's covariance."""
    sides = (pair.first, pair.second)
    one = pair.first[0]
    patients = len(set(one.patient_id))
    unit = "patients" if patients < len(one.label) else "cases"
    test = f"paired {'Obuchowski' if unit == 'patients' else 'DeLong'}, means over repeats"
    if one.label.min() == one.label.max():
        return Comparison(
            Estimate(math.nan, math.nan, math.nan, patients, unit, test, note="one class"), math.nan, test
        )
    probs = np.array([repeat.prob[:, 1] for side in sides for repeat in side])
    contrast = np.concatenate([np.full(len(sides[0]), 1 / len(sides[0])), np.full(len(sides[1]), -1 / len(sides[1]))])
    areas, covariance = auc_covariance(one.label == 1, probs, patient_id=patient_numbers([one])[0])
    value, variance = float(contrast @ areas), float(contrast @ covariance @ contrast)
    if not variance > 1e-14:
        note = "the difference shows no variance"
        p = 1.0 if abs(value) < 1e-12 else math.nan
        return Comparison(Estimate(value, math.nan, math.nan, patients, unit, test, note=note), p, test)
    se = math.sqrt(variance)
    half = float(special.ndtri(0.975)) * se
    estimate = Estimate(value, max(-1.0, value - half), min(1.0, value + half), patients, unit, test)
    return Comparison(estimate, math.erfc(abs(value) / se / math.sqrt(2)), test)


def _by_bootstrap(pair: Pair, rng: np.random.Generator, resamples: int) -> Comparison:
    """Where no covariance is at hand: patients resampled, p from the normal law with the bootstrap's standard error."""
    sample = sample_of([*pair.first, *pair.second], seed=int(rng.integers(2**62)))
    statistics = [statistics_of(one)["auc"] for one in sample.parts]
    split = len(pair.first)

    def difference(_: Sequence[Repeat], weights: Sequence[FloatArray]) -> FloatArray:
        parts = np.array([one(weight) for one, weight in zip(statistics, weights, strict=True)])
        return np.asarray(parts[:split].mean(axis=0) - parts[split:].mean(axis=0))

    test = "patient bootstrap, normal p"
    inner = int(rng.integers(2**62))
    draws = [np.random.default_rng(inner) for _ in range(2)]  # the same draws for the interval and the standard error
    estimate = interval_of(sample, difference, rng=draws[0], resamples=resamples)
    se = spread_of(sample, difference, rng=draws[1], resamples=resamples)
    p = math.erfc(abs(estimate.value) / se / math.sqrt(2)) if se > 0 and estimate.has_interval else math.nan
    return Comparison(estimate, 1.0 if estimate.value == 0 else p, test)


def _accuracy(pair: Pair, rng: np.random.Generator) -> Comparison:
    one, other = pair.first[0], pair.second[0]
    if len(pair.first) == len(pair.second) == 1:
        right = [(repeat.predicted == repeat.label) for repeat in (one, other)]
        draws = rng if len(one.label) <= LARGE else None  # Student's interval in a large cohort
        return compare_right(*right, patient_id=patient_numbers([one])[0], rng=draws)
    sides = [_by_case(side, lambda repeat: (repeat.predicted == repeat.label).astype(float)) for side in _sides(pair)]
    return compare_means(sides[0][1], sides[1][1], patient_id=sides[0][0], rng=rng)


def _dice(pair: Pair, rng: np.random.Generator) -> Comparison:
    sides = [_by_case(side, lambda repeat: repeat.columns["dice"]) for side in _sides(pair)]
    return compare_means(sides[0][1], sides[1][1], patient_id=sides[0][0], rng=rng)


def _sides(pair: Pair) -> tuple[Sequence[Repeat], Sequence[Repeat]]:
    return pair.first, pair.second


def _by_case(repeats: Sequence[Repeat], value: Callable[[Repeat], FloatArray]) -> tuple[AnyArray, FloatArray]:
    """Patients and mean value over repeats of each case, in the order of case_id."""
    values: dict[str, list[float]] = {}
    patients: dict[str, str] = {}
    for repeat in repeats:
        for case, patient, number in zip(repeat.case_id, repeat.patient_id, value(repeat), strict=True):
            values.setdefault(str(case), []).append(float(number))
            patients[str(case)] = str(patient)
    order = sorted(values)
    return np.array([patients[case] for case in order], object), np.array([np.mean(values[case]) for case in order])
