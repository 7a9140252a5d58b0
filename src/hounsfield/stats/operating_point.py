"""The threshold at which a probability becomes a call: chosen on one part of the data, applied unchanged to another.

In: labels and scores of the validation part. Out: a frozen `OperatingPoint`, which then calls the cases of any part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from hounsfield.core.errors import HounsfieldError
from hounsfield.core.types import BoolArray, FloatArray, IntArray
from hounsfield.stats.inputs import binary_labels, scores
from hounsfield.stats.roc import RocCurve, roc_curve

DIAGNOSTIC = "diagnostic only, chosen on the test part"


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold with the rule that chose it.

    Attributes:
        threshold: a case is called positive when its score is at least this; always finite.
        rule: how it was chosen, in words for a report.
        sensitivity: on the part it was chosen on, hence flattering; measure it again on another part.
        specificity: likewise.
        n: how many cases it was chosen on.
    """

    threshold: float
    rule: str
    sensitivity: float
    specificity: float
    n: int

    def call(self, prob: npt.ArrayLike) -> BoolArray:
        """(N,) whether each score reaches the threshold. Raises: HounsfieldError on NaN or infinite scores."""
        given = np.asarray(prob, dtype=np.float64)
        return np.asarray(scores(given, cases=given.size) >= self.threshold)


def youden(label: npt.ArrayLike, prob: npt.ArrayLike) -> OperatingPoint:
    """The threshold with the largest sensitivity + specificity - 1.

    Args:
        label: (N,) 0 or 1, both present.
        prob: (N,) score.

    Returns: among equally good ones that of the highest specificity. The threshold lies midway between the lowest
        score called positive and the next one below, so that it doesn't hang on one case.

    Raises: HounsfieldError when a class has no case. Source: Youden, Cancer 1950;3:32.
    """
    curve = _curve(label, prob)
    # Counts, not rates, would tie exactly; rounding keeps equal sums of rates equal.
    gain = np.round(curve.sensitivity - curve.false_positive_rate, 12)
    return _point(curve, int(np.argmax(gain)), "largest Youden index", prob)


def at_sensitivity(label: npt.ArrayLike, prob: npt.ArrayLike, *, sensitivity: float) -> OperatingPoint:
    """The highest threshold whose sensitivity is at least the wanted one; arguments and errors as `youden`."""
    curve = _curve(label, prob)
    reached = curve.sensitivity >= _share(sensitivity, "sensitivity") - 1e-12
    return _point(curve, int(np.argmax(reached)), f"sensitivity of at least {sensitivity:g}", prob)


def at_specificity(label: npt.ArrayLike, prob: npt.ArrayLike, *, specificity: float) -> OperatingPoint:
    """The lowest threshold whose specificity is at least the wanted one; arguments and errors as `youden`.

    Where no score allows it the threshold lies just above all scores of this part: nothing is called.
    """
    curve = _curve(label, prob)
    allowed = 1 - curve.false_positive_rate >= _share(specificity, "specificity") - 1e-12
    best = int(np.flatnonzero(allowed)[-1])
    return _point(curve, best, f"specificity of at least {specificity:g}", prob)


def matched_to(points: npt.ArrayLike, scores_of_model: npt.ArrayLike, *, starts: Sequence[float]) -> FloatArray:
    """Thresholds that cut a model's scores into levels as large as a reader's, for example those of TI-RADS.

    A reader's points fall into levels that begin at `starts`. Each threshold is the quantile of the model's scores at
    the share of cases below that start, both on the part where the thresholds are chosen.

    Args:
        points: (N,) the reader's total of each case.
        scores_of_model: (M,) the model's scores of the cases of the same part.
        starts: fewest points of each level but the lowest, rising: (3, 4, 7) for TR3, TR4 and TR5.

    Returns: (len(starts),) thresholds, linear between scores; `level_among` applies them.
    Raises: HounsfieldError without cases or when the starts do not rise.
    Source: recomputed from the tables of Buda et al., Radiology 2019;292:695.
    """
    given = np.asarray(points, dtype=np.float64)
    model = np.asarray(scores_of_model, dtype=np.float64)
    scores(given, cases=given.size, name="points")
    scores(model, cases=model.size, name="scores_of_model")
    begin = np.asarray(starts, dtype=np.float64)
    if not given.size or not model.size or begin.ndim != 1 or not (np.diff(begin) > 0).all():
        raise HounsfieldError(f"expected cases and rising starts of levels; got {given.size} cases, {list(starts)}.")
    return np.asarray(np.quantile(model, [float((given < start).mean()) for start in begin]))


def level_among(prob: npt.ArrayLike, thresholds: npt.ArrayLike) -> IntArray:
    """(N,) number of thresholds that each score exceeds; a score equal to a threshold stays in the lower level."""
    given = np.asarray(prob, dtype=np.float64)
    scores(given, cases=given.size)
    return np.asarray(np.searchsorted(np.asarray(thresholds, dtype=np.float64), given, side="left"), dtype=np.int64)


def diagnostic(label: npt.ArrayLike, prob: npt.ArrayLike) -> OperatingPoint:
    """Youden's threshold on the very cases that are reported: a diagnostic, never a result.

    Its `rule` says so wherever it is shown. What it gains over a threshold chosen elsewhere is optimism.
    """
    return replace(youden(label, prob), rule=f"{DIAGNOSTIC}: largest Youden index on the cases reported")


def _curve(label: npt.ArrayLike, prob: npt.ArrayLike) -> RocCurve:
    positive = binary_labels(label)
    if not positive.any() or positive.all():
        raise HounsfieldError(
            f"an operating point needs cases of both classes; got {int(positive.sum())} positive of {len(positive)}. "
            "Choose it on a part that has both."
        )
    return roc_curve(positive, prob)


def _point(curve: RocCurve, chosen: int, rule: str, prob: npt.ArrayLike) -> OperatingPoint:
    return OperatingPoint(
        threshold=_midway(curve.threshold, chosen),
        rule=rule,
        sensitivity=float(curve.sensitivity[chosen]),
        specificity=float(1 - curve.false_positive_rate[chosen]),
        n=len(np.asarray(prob)),
    )


def _midway(threshold: FloatArray, chosen: int) -> float:
    if chosen == 0:
        return float(np.nextafter(threshold[1], np.inf))
    lowest_called = float(threshold[chosen])
    if chosen == len(threshold) - 1:
        return lowest_called
    below = float(threshold[chosen + 1])
    middle = below + (lowest_called - below) / 2
    return middle if middle > below else lowest_called  # neighbours in floating point have no middle


def _share(value: float, name: str) -> float:
    if not 0 <= value <= 1:
        raise HounsfieldError(f"{name} is a share in [0, 1]; got {value}. Write 0.9 for 90 %.")
    return value
