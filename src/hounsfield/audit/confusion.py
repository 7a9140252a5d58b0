"""The counts behind several printed metrics of one model: which 2 x 2 table gives all of them, and if none, which of
the numbers does not belong.

In: number of positives and negatives and the printed metrics. Out: the tables of counts that fit, and verdicts. Every
possible table is tried, so "none" is a proof. A matrix of any size that is printed itself is simply computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hounsfield.audit.printed import Printed
from hounsfield.audit.proportions import PrintedInterval, counts_behind, matching_methods
from hounsfield.audit.verdict import DISAGREES, HOLDS, IMPOSSIBLE, OPEN, Verdict
from hounsfield.core.errors import HounsfieldError
from hounsfield.core.types import AnyArray, BoolArray, FloatArray
from hounsfield.stats.classification import accuracy_of, f1_of, mcc_of

METRICS = ("accuracy", "sensitivity", "specificity", "ppv", "npv", "f1", "mcc", "balanced_accuracy", "youden")
_LARGEST = 50_000_000  # tables tried; more would not fit into memory
_SLACK = 1e-12  # of floating point, on numbers whose rounding is 1e-5 at the finest


@dataclass(frozen=True)
class Counts:
    """One 2 x 2 table."""

    tp: int
    fn: int
    tn: int
    fp: int

    def __str__(self) -> str:
        return f"TP {self.tp}, FN {self.fn}, TN {self.tn}, FP {self.fp}"


@dataclass(frozen=True)
class Solution:
    """The tables that satisfy most of the printed metrics.

    Attributes:
        counts: these tables.
        satisfied: names of the metrics that the first of them gives as printed.
        violated: the others.
        alike: whether all these tables satisfy the same metrics; if not, which number is wrong can't be told.
    """

    counts: tuple[Counts, ...]
    satisfied: tuple[str, ...]
    violated: tuple[str, ...]
    alike: bool = True


def solve(
    positives: int,
    negatives: int,
    metrics: Mapping[str, Printed],
    *,
    intervals: Mapping[str, tuple[Printed, Printed]] | None = None,
    level: float = 0.95,
) -> Solution:
    """Tries all (positives + 1) x (negatives + 1) tables.

    Args:
        metrics: printed values by names of `METRICS`; an undefined one (0/0) fits nothing.
        intervals: printed intervals by metric. They decide between tables that satisfy equally many metrics: the one
            whose shares have the printed intervals, by any method, is the authors'.
        level: coverage of these intervals.

    Raises: HounsfieldError for an unknown metric, a negative count, or more than 5e7 tables.
    """
    unknown = sorted(set(metrics) - set(METRICS))
    if unknown:
        raise HounsfieldError(f"metrics of one 2 x 2 table are {', '.join(METRICS)}; got {', '.join(unknown)}.")
    if positives < 0 or negatives < 0 or (positives + 1) * (negatives + 1) > _LARGEST:
        raise HounsfieldError(f"expected counts that leave at most 5e7 tables; got {positives} and {negatives}.")
    values = _values(np.arange(positives + 1)[:, None], np.arange(negatives + 1)[None, :], positives, negatives)
    fits = {name: _fits(values[name], one) for name, one in metrics.items()}
    score = np.zeros((positives + 1, negatives + 1), dtype=np.int8)
    for fit in fits.values():
        score += fit
    best: AnyArray = np.argwhere(score == score.max())
    if intervals and len(best) > 1:
        best = _by_intervals(best, (positives, negatives), intervals, level)
    tables = tuple(Counts(int(tp), positives - int(tp), int(tn), negatives - int(tn)) for tp, tn in best)
    satisfied = tuple(name for name, fit in fits.items() if fit[tuple(best[0])])
    alike = len({tuple(bool(fit[tuple(one)]) for fit in fits.values()) for one in best}) <= 1
    return Solution(tables, satisfied, tuple(name for name in metrics if name not in satisfied), alike)


def metric_value(counts: Counts, metric: str) -> float:
    """One metric of one table; NaN where it is 0/0."""
    positives, negatives = counts.tp + counts.fn, counts.tn + counts.fp
    table = _values(np.array([[counts.tp]]), np.array([[counts.tn]]), positives, negatives)
    return float(np.broadcast_to(table[metric], (1, 1))[0, 0])


def confusion_verdicts(
    name: str,
    positives: int,
    negatives: int,
    metrics: Mapping[str, Printed],
    *,
    intervals: Mapping[str, tuple[Printed, Printed]] | None = None,
    level: float = 0.95,
) -> tuple[list[Verdict], Solution]:
    """What is to be said of the metrics of one model; arguments and errors as `solve`."""
    found = solve(positives, negatives, metrics, intervals=intervals, level=level)
    verdicts = []
    if not found.violated:
        if len(found.counts) == 1:
            reason = f"{found.counts[0]} is the only table with all {len(metrics)} printed metrics."
            verdicts.append(Verdict("confusion", name, HOLDS, reason))
        else:
            few = "; ".join(map(str, found.counts[:3]))
            reason = f"{len(found.counts)} tables have all {len(metrics)} printed metrics, such as {few}."
            verdicts.append(Verdict("confusion", name, OPEN, reason))
        return verdicts, found
    if not found.alike:
        reason = (
            f"no table has all {len(metrics)} printed metrics, at most {len(found.satisfied)}, and tables differ in "
            f"which: {found.counts[0]} has {', '.join(found.satisfied) or 'none'}."
        )
        return [Verdict("confusion", name, DISAGREES, reason)], found
    for metric in found.violated:
        verdicts.append(_violated(name, metric, metrics[metric], found, (positives, negatives)))
    return verdicts, found


def _by_intervals(
    tables: AnyArray, sizes: tuple[int, int], intervals: Mapping[str, tuple[Printed, Printed]], level: float
) -> AnyArray:
    """Of (T, 2) tables those whose shares explain most of the printed intervals."""
    explained = np.zeros(len(tables), dtype=np.int64)
    known: dict[tuple[str, int, int], bool] = {}
    for place, (tp, tn) in enumerate(tables.tolist()):
        counts = Counts(tp, sizes[0] - tp, tn, sizes[1] - tn)
        for metric, (low, high) in intervals.items():
            share = exact_share(counts, metric)
            if metric == "f1" or share is None or share[1] == 0:
                continue
            if (metric, *share) not in known:
                matched = matching_methods(PrintedInterval("", (share,), low, high, level))
                known[(metric, *share)] = any(all(ends) for rule in matched.values() for ends in rule.values())
            explained[place] += known[(metric, *share)]
    return np.asarray(tables[explained == explained.max()])


def _violated(name: str, metric: str, value: Printed, found: Solution, sizes: tuple[int, int]) -> Verdict:
    size = {"sensitivity": sizes[0], "specificity": sizes[1], "accuracy": sum(sizes)}.get(metric)
    right = metric_value(found.counts[0], metric)
    others = ", ".join(found.satisfied) or "no other metric"
    if len(found.counts) == 1:
        behind = f"{others} force {found.counts[0]}, hence {right:.4f}"
    else:
        behind = f"{len(found.counts)} tables fit the rest ({others}), the first with {right:.4f}"
    label = f"{name}, {metric}"
    if size and not counts_behind(value, size):
        return Verdict("confusion", label, IMPOSSIBLE, f"no count of {size} is {value}; {behind}.")
    return Verdict("confusion", label, DISAGREES, f"printed {value}; {behind}.")


def matrix_verdicts(name: str, matrix: Sequence[Sequence[int]], metrics: Mapping[str, Printed]) -> list[Verdict]:
    """Recomputes accuracy, F1 (weighted and macro) and R_K of a printed matrix, reference in rows.

    `f1` without further word is held against both averages, which tells which of them the authors meant.
    """
    counts = np.asarray(matrix, dtype=np.float64)
    exact = {
        "accuracy": float(accuracy_of(counts)),
        "f1_weighted": float(f1_of(counts, average="weighted")),
        "f1_macro": float(f1_of(counts, average="macro")),
        "mcc": float(mcc_of(counts)),
    }
    verdicts = []
    for metric, value in metrics.items():
        candidates = ("f1_weighted", "f1_macro") if metric == "f1" else (metric,)
        unknown = [one for one in candidates if one not in exact]
        if unknown:
            raise HounsfieldError(f"metrics of a matrix are {', '.join(exact)} and f1; got '{metric}'.")
        fitting = [one for one in candidates if value.rule_for(exact[one])]
        shown = ", ".join(f"{one} {exact[one]:.4f}" for one in candidates)
        status = HOLDS if fitting else DISAGREES
        verdicts.append(
            Verdict("matrix", f"{name}, {metric}", status, f"printed {value}; the matrix gives {shown}.", *fitting[:1])
        )
    return verdicts


def _fits(values: FloatArray, value: Printed) -> BoolArray:
    low, high = float(value.low) - _SLACK, float(value.high) + _SLACK
    with np.errstate(invalid="ignore"):
        return np.asarray((values >= low) & (values <= high))


def _values(tp: AnyArray, tn: AnyArray, positives: int, negatives: int) -> dict[str, FloatArray]:
    """Every metric over a grid of tables; 0/0 is NaN."""
    tp, tn = tp.astype(np.float64), tn.astype(np.float64)
    fn, fp = positives - tp, negatives - tn
    with np.errstate(invalid="ignore", divide="ignore"):
        sensitivity, specificity = tp / positives, tn / negatives
        spread = np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
        found = {
            "accuracy": (tp + tn) / (positives + negatives),
            "sensitivity": sensitivity + 0 * tn,
            "specificity": specificity + 0 * tp,
            "ppv": tp / (tp + fp),
            "npv": tn / (tn + fn),
            "f1": 2 * tp / (2 * tp + fp + fn),
            "mcc": (tp * tn - fp * fn) / spread,
            "balanced_accuracy": (sensitivity + specificity) / 2,
            "youden": sensitivity + specificity - 1,
        }
    return {name: np.asarray(values) for name, values in found.items()}


def exact_share(counts: Counts, metric: str) -> tuple[int, int] | None:
    """Numerator and denominator of a metric that is a share of cases; None for the others.

    F1 is given as 2 TP of 2 TP + FP + FN, which some papers treat as a share of that many cases (it isn't one).
    """
    tp, fn, tn, fp = counts.tp, counts.fn, counts.tn, counts.fp
    shares = {
        "accuracy": (tp + tn, tp + fn + tn + fp),
        "sensitivity": (tp, tp + fn),
        "specificity": (tn, tn + fp),
        "ppv": (tp, tp + fp),
        "npv": (tn, tn + fn),
        "f1": (2 * tp, 2 * tp + fp + fn),
    }
    return shares.get(metric)
