"""Predictions in, two tidy tables out: every metric of every arm with its interval, and arms compared in pairs.

The headline of an arm is the mean over its repetitions and seeds, all of them; its interval resamples patients. An arm
with one repetition and seed follows the rule of `stats.intervals` (closed forms where each patient has one case).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hounsfield.core.errors import ProblemsError, TableError
from hounsfield.core.progress import Progress, silent
from hounsfield.core.seeds import generator
from hounsfield.core.types import FloatArray
from hounsfield.report.comparisons import COMPARISON_COLUMNS, NAMED, VERSUS_TRIVIAL, Pair, compare_pairs
from hounsfield.report.metrics import METRICS, NEED_PROBABILITY, statistics_of
from hounsfield.report.repeats import Repeat, cases_of, patient_numbers, repeats_of
from hounsfield.report.resampling import Sample, interval_of, sample_of
from hounsfield.stats.auc import auc
from hounsfield.stats.bootstrap import WeightedStatistic
from hounsfield.stats.estimate import Estimate, UndefinedMetric
from hounsfield.stats.intervals import mean_interval, share_interval
from hounsfield.tables.prediction_rules import prediction_problems

if TYPE_CHECKING:
    from hounsfield.report.content import ArmInfo

ALL = "all"
_FACTS = ("majority_accuracy", "threshold")  # properties of the parts, not estimates
METRIC_COLUMNS = (
    *("target", "arm", "metric", "value", "low", "high", "n", "unit", "method", "note"),
    *("repetition", "seed", "cases", "repeats", "sd"),
)


@dataclass(frozen=True)
class Evaluation:
    """What was computed from a predictions table.

    Args:
        metrics: one row a target, arm, metric and repeat; repetition and seed are "all" in headline rows, whose `sd`
            is the standard deviation over `repeats` repetitions and seeds.
        comparisons: one row a pair and metric: difference (first minus second), interval, p, p_holm, verdict.
        repeats: the arrays behind, by target and arm.
        best_trivial: by target, the trivial arm of the highest AUC; None when there is none.
    """

    metrics: pd.DataFrame
    comparisons: pd.DataFrame
    repeats: Mapping[str, Mapping[str, Sequence[Repeat]]]
    best_trivial: Mapping[str, str | None]
    resamples: int
    seed: int

    def headline(self, target: str, arm: str, metric: str) -> Mapping[str, Any] | None:
        """The headline row of one metric, or None when it was not computed."""
        table = self.metrics
        rows = table[
            (table["target"] == target) & (table["arm"] == arm) & (table["metric"] == metric) & (table["seed"] == ALL)
        ]
        return None if rows.empty else {str(key): value for key, value in rows.iloc[0].items()}


def evaluate(
    predictions: pd.DataFrame,
    targets: Mapping[str, tuple[str, ...]],
    *,
    arms: Sequence[ArmInfo],
    seed: int,
    comparisons: Sequence[tuple[str, str]] = (),
    resamples: int = 2000,
    ranked: Collection[str] = (),
    progress: Progress = silent,
) -> Evaluation:
    """Computes every metric, interval and comparison.

    Args:
        predictions: schema of `tables.predictions`, rows of split "validation" and "test".
        targets: ordered classes of each target.
        arms: which arms, and which of them are trivial; others in the table are an error.
        comparisons: pairs the study asks about, beside every network against the best trivial arm.
        resamples: of the bootstrap; 2000 is usual.
        ranked: arms without probabilities; metrics that need one are left out for them.
    Raises: ProblemsError listing every broken rule of the table, the patient rule included; TableError for a target
        without test rows or an arm that `arms` lacks.
    """
    problems = prediction_problems(predictions[predictions["target"].isin(list(targets))], targets) if targets else []
    if problems:
        raise ProblemsError("the predictions can't be evaluated:", problems)
    repeats = {target: repeats_of(predictions, target, classes) for target, classes in targets.items()}
    _check(repeats, arms)
    work = [(target, arm.name) for target in targets for arm in arms if arm.name in repeats[target]]
    rows: list[dict[str, Any]] = []
    for target, arm_name in progress(work, len(work), "evaluating"):
        left_out = NEED_PROBABILITY if arm_name in ranked else ()
        rows.extend(_arm_rows(repeats[target][arm_name], seed=seed, resamples=resamples, left_out=left_out))
    metrics = pd.DataFrame(rows, columns=list(METRIC_COLUMNS))
    best = {target: _best_trivial(metrics, target, arms) for target in targets}
    pairs = _pairs(repeats, arms, best, comparisons)
    compared = compare_pairs(pairs, seed=seed, resamples=resamples, ranked=ranked, progress=progress)
    return Evaluation(metrics, pd.DataFrame(compared, columns=list(COMPARISON_COLUMNS)), repeats, best, resamples, seed)


def _check(repeats: Mapping[str, Mapping[str, Sequence[Repeat]]], arms: Sequence[ArmInfo]) -> None:
    known = {arm.name for arm in arms}
    unknown = sorted({name for by_arm in repeats.values() for name in by_arm} - known)
    if unknown:
        raise TableError(f"predictions of arms that the report does not know: {', '.join(unknown)}. Describe or drop.")
    empty = [target for target, by_arm in repeats.items() if not by_arm]
    if empty:
        raise TableError(f"no test rows for target {', '.join(empty)}. Run its arms, or drop the target.")


def _arm_rows(
    repeats: Sequence[Repeat], *, seed: int, resamples: int, left_out: Collection[str] = ()
) -> list[dict[str, Any]]:
    """Headline rows, then one row a repeat, of every metric that the arm has."""
    statistics = [statistics_of(repeat) for repeat in repeats]
    sample = sample_of(repeats, seed=seed)
    parts = [statistics_of(part) for part in sample.parts] if sample.large else statistics
    headline: list[dict[str, Any]] = []
    single: list[dict[str, Any]] = []
    for metric in METRICS:
        having = [place for place, found in enumerate(statistics) if metric in found]
        if not having or metric in left_out:
            continue
        chosen = [repeats[place] for place in having]
        ones = [float(statistics[place][metric](np.ones((1, len(repeats[place].label))))[0]) for place in having]
        # The same name for all arms: they then see the same patients drawn.
        rng = generator(seed, "metrics", repeats[0].target, metric)
        if metric in _FACTS:
            estimate = _fact(float(np.mean(ones)), chosen)
        elif len(chosen) == len(repeats) == 1 and (known := _by_rule(repeats[0], sample, metric, rng, resamples)):
            estimate = known
        else:
            whole = sample if len(chosen) == len(repeats) else sample_of(chosen, seed=seed)
            own = [parts[place][metric] for place in having]
            estimate = _resampled(whole, own, rng, resamples, value=float(np.mean(ones)))
        spread = float(np.std(ones, ddof=1)) if len(ones) > 1 and np.isfinite(ones).all() else math.nan
        headline.append(_row(chosen, metric, estimate, spread=spread))
        single.extend(_row([one], metric, _fact(value, [one])) for one, value in zip(chosen, ones, strict=True))
    return headline + single


def _by_rule(repeat: Repeat, sample: Sample, metric: str, rng: np.random.Generator, resamples: int) -> Estimate | None:
    """The interval of `stats.intervals` where that rule knows the metric; closed forms alone in a large cohort."""
    patients = patient_numbers([repeat])[0]
    settings: dict[str, Any] = {"rng": None if sample.large else rng, "resamples": resamples}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetric)  # an undefined metric is shown as such in the report
        if metric == "auc" and len(repeat.classes) == 2:
            return auc(repeat.label == 1, repeat.prob[:, 1], patient_id=patients, **settings)
        if metric == "accuracy":
            return share_interval(repeat.label == repeat.predicted, patient_id=patients, **settings)
        if metric in ("sensitivity", "specificity") and repeat.called is not None:
            wanted = repeat.label == (1 if metric == "sensitivity" else 0)
            hit = repeat.called[wanted] if metric == "sensitivity" else ~repeat.called[wanted]
            return share_interval(hit, patient_id=patients[wanted], **settings)
        if metric in repeat.columns and not sample.large:
            return mean_interval(repeat.columns[metric], patient_id=patients, **settings)
    return None


def _resampled(
    sample: Sample, statistics: Sequence[WeightedStatistic], rng: np.random.Generator, resamples: int, *, value: float
) -> Estimate:
    """Mean over repeats; a patient who is drawn is drawn in all of them."""

    def mean(_: Sequence[Repeat], weights: Sequence[FloatArray]) -> FloatArray:
        parts = [one(weight) for one, weight in zip(statistics, weights, strict=True)]
        return np.asarray(np.mean(parts, axis=0), dtype=np.float64)

    return interval_of(sample, mean, rng=rng, resamples=resamples, value=value)


def _fact(value: float, repeats: Sequence[Repeat]) -> Estimate:
    return Estimate(value, math.nan, math.nan, cases_of(repeats), "cases", "value alone")


def _row(repeats: Sequence[Repeat], metric: str, estimate: Estimate, *, spread: float | None = None) -> dict[str, Any]:
    first, headline = repeats[0], spread is not None
    return {
        "target": first.target,
        "arm": first.arm,
        "metric": metric,
        "value": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "n": estimate.n,
        "unit": estimate.unit,
        "method": estimate.method,
        "note": estimate.note,
        "repetition": ALL if headline else str(first.repetition),
        "seed": ALL if headline else str(first.seed),
        "cases": cases_of(repeats),
        "repeats": len(repeats),
        "sd": math.nan if spread is None else spread,
    }


def _best_trivial(metrics: pd.DataFrame, target: str, arms: Sequence[ArmInfo]) -> str | None:
    # Chosen on the test part: this can only raise the bar that the networks have to pass.
    trivial = [arm.name for arm in arms if arm.trivial]
    rows = metrics[(metrics["target"] == target) & (metrics["metric"] == "auc") & (metrics["seed"] == ALL)].dropna(
        subset=["value"]
    )
    rows = rows[rows["arm"].isin(trivial)]
    return None if rows.empty else str(rows["arm"].iloc[int(rows["value"].argmax())])


def _pairs(
    repeats: Mapping[str, Mapping[str, Sequence[Repeat]]],
    arms: Sequence[ArmInfo],
    best: Mapping[str, str | None],
    named: Sequence[tuple[str, str]],
) -> list[Pair]:
    pairs = []
    for target, by_arm in repeats.items():
        bar = best[target]
        for arm in arms:
            if bar is not None and not arm.trivial and arm.name in by_arm:
                pairs.append(Pair(VERSUS_TRIVIAL, target, by_arm[arm.name], by_arm[bar]))
        for first, second in named:
            if first in by_arm and second in by_arm:
                pairs.append(Pair(NAMED, target, by_arm[first], by_arm[second]))
    return pairs
