"""Printed numbers that bind each other: Dice and IoU, parts and totals, changes in per cent, AUC and its interval.

In: printed numbers. Out: verdicts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from scipy import special

from hounsfield.audit.printed import Printed
from hounsfield.audit.verdict import DISAGREES, HOLDS, IMPOSSIBLE, UNEXPLAINED, Verdict
from hounsfield.stats.auc import hanley_mcneil_se

_STEPS = 41  # unrounded AUCs tried within the rounding of the printed one


def overlap_verdict(name: str, dice: Printed, iou: Printed, *, of: str) -> Verdict:
    """Whether a printed Dice and IoU can be of the same cases.

    Case by case IoU = D / (2 - D), which rises with D and is convex. So a median IoU is that of the median Dice, and a
    mean IoU lies between D / (2 - D) of the mean Dice and the mean Dice itself.

    Args:
        of: "mean", "median", or "case" for one case.
    """
    low, high = (float(d / (2 - d)) for d in (dice.low, dice.high))
    if of == "mean":
        fits = float(iou.high) >= low and iou.low <= dice.high
        reason = f"mean Dice {dice} needs a mean IoU of {low:.4f} or more and at most {float(dice.high):.4f}"
    else:
        fits = iou.admits_range(low, high)
        reason = f"{of} Dice {dice} is IoU {low:.4f} to {high:.4f}"
    # Of an even number of cases a median is the mean of two, so a median may miss by a little.
    bad = DISAGREES if of == "median" else IMPOSSIBLE
    return Verdict("overlap", name, HOLDS if fits else bad, f"{reason}; printed {iou}.")


def total_verdict(name: str, parts: Sequence[Printed], total: Printed) -> Verdict:
    """Whether parts add up to their total (a negative part is subtracted)."""
    exact = sum((part.value for part in parts), Fraction(0))
    slack = sum((part.half for part in parts if part.value.denominator > 1), Fraction(0))
    whole = all(number.value.denominator == 1 for number in (*parts, total))
    fits = exact == total.value if whole else abs(exact - total.value) <= slack + total.half
    shown = " + ".join(str(part) for part in parts).replace("+ -", "- ")
    return Verdict("total", name, HOLDS if fits else DISAGREES, f"{shown} = {float(exact):g}, printed {total}.")


def change_verdict(name: str, before: Printed, after: Printed, change: Printed) -> Verdict:
    """Whether a relative change follows from the two printed values, rounding allowed for."""
    if before.low <= 0:
        return Verdict("change", name, IMPOSSIBLE, f"a relative change from {before} has no meaning.")
    low = float(after.low / before.high - 1)
    high = float(after.high / before.low - 1)
    middle = float(after.value / before.value - 1)
    fits = change.admits_range(low, high)
    reason = f"{before} to {after} is {100 * middle:+.2f} % ({100 * low:+.2f} to {100 * high:+.2f} within rounding)"
    return Verdict("change", name, HOLDS if fits else DISAGREES, f"{reason}; printed {change}.")


def auc_ends(area: float, positives: int, negatives: int, *, level: float = 0.95) -> dict[str, tuple[float, float]]:
    """Intervals of an AUC that can be made from its value and the numbers of cases alone.

    The last three treat the area as a share of all cases, which it is not; they are here because programs do it.
    """
    z, n = float(special.ndtri((1 + level) / 2)), positives + negatives
    tail = (1 - level) / 2
    se = hanley_mcneil_se(area, positives=positives, negatives=negatives)
    found = {"Hanley-McNeil": (max(0.0, area - z * se), min(1.0, area + z * se))}
    if 0 < area < 1:
        centre, half = float(special.logit(area)), z * se / (area * (1 - area))
        found["Hanley-McNeil, logit scale"] = float(special.expit(centre - half)), float(special.expit(centre + half))
    k = area * n
    found["as a share, Clopper-Pearson"] = (
        float(special.betaincinv(k, n - k + 1, tail)) if k > 0 else 0.0,
        float(special.betaincinv(k + 1, n - k, 1 - tail)) if k < n else 1.0,
    )
    found["as a share, Wilson"] = _wilson(area, n, z)
    found["as a share, Wilson with continuity correction"] = _wilson_corrected(area, n, z)
    return found


def auc_verdict(name: str, value: Printed, low: Printed, high: Printed, *, positives: int, negatives: int) -> Verdict:
    """Which method gives a printed interval of an AUC, for any unrounded area behind the printed one."""
    fitting: dict[str, tuple[float, float]] = {}
    for area in np.linspace(max(0.0, float(value.low)), min(1.0, float(value.high)), _STEPS):
        for method, (a, b) in auc_ends(float(area), positives, negatives).items():
            if low.admits(a) and high.admits(b):
                first, _ = fitting.get(method, (float(area), float(area)))
                fitting[method] = first, float(area)
    shown = f"{value} ({low} to {high})"
    if fitting:
        words = "; ".join(f"{method}, unrounded {a:.4f} to {b:.4f}" for method, (a, b) in fitting.items())
        return Verdict("AUC interval", name, HOLDS, f"{shown} is {words}.", ", ".join(fitting))
    a, b = auc_ends(float(value), positives, negatives)["Hanley-McNeil"]
    reason = (
        f"{shown} follows from no method that needs the AUC and the counts alone (Hanley-McNeil {a:.3f} to {b:.3f}); "
        "DeLong's and a bootstrap need the scores."
    )
    return Verdict("AUC interval", name, UNEXPLAINED, reason)


def _wilson(p: float, n: int, z: float) -> tuple[float, float]:
    centre, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (centre - half) / (1 + z * z / n), (centre + half) / (1 + z * z / n)


def _wilson_corrected(p: float, n: int, z: float) -> tuple[float, float]:
    """Newcombe, Stat Med 1998;17:857, method 4, for any real p."""
    low = z * math.sqrt(max(0.0, z * z - 2 - 1 / n + 4 * p * (n * (1 - p) + 1)))
    high = z * math.sqrt(max(0.0, z * z + 2 - 1 / n + 4 * p * (n * (1 - p) - 1)))
    below = (2 * n * p + z * z - 1 - low) / (2 * (n + z * z)) if p > 0 else 0.0
    above = (2 * n * p + z * z + 1 + high) / (2 * (n + z * z)) if p < 1 else 1.0
    return max(0.0, below), min(1.0, above)
