"""Theory against outcome: the results of all phantoms in, one verdict in plain words for each expectation out.

The margins were set before the run: 5 points of accuracy count as equal, 10 points as a wide margin. "Met" and "not
met" need an interval that settles it; all else is "not distinguishable".
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from hounsfield.core.types import IntArray
from hounsfield.stats.auc import auc
from hounsfield.stats.classification import accuracy
from hounsfield.stats.compare import compare_accuracy
from hounsfield.stats.estimate import Estimate
from hounsfield.studies.phantom_cases import CLEAN, CONFOUNDER, NO_SIGNAL, SHAPE_LEAK
from hounsfield.studies.phantom_results import PhantomResult

MET, NOT_MET, UNCLEAR, FINDING = "met", "not met", "not distinguishable", "finding"
EQUAL, WIDE = 0.05, 0.10
_NEAR_ONE = 0.9  # Dice from which an automatic mask counts as near the expert's
LETTER = {"raw": "(a)", "expert_mask": "(b)", "auto_mask": "(c)", "joint": "(d)", "transfer": "(f)"}


@dataclass(frozen=True)
class Verdict:
    """What theory expects of a phantom, what was found, and whether they agree."""

    phantom: str
    expectation: str
    found: str
    verdict: str


def judge(results: Mapping[str, PhantomResult]) -> list[Verdict]:
    """Every expectation of the published system's phantoms, judged."""
    clean, confounder = results[CLEAN], results[CONFOUNDER]
    return [
        *_clean(clean),
        *_confounder(clean, confounder),
        _chance(NO_SIGNAL, results[NO_SIGNAL], list(results[NO_SIGNAL].arms)),
        _leak(results[SHAPE_LEAK]),
        _chance(SHAPE_LEAK, results[SHAPE_LEAK], [n for n in results[SHAPE_LEAK].arms if n not in _BY_SHAPE]),
    ]


# Arms that are shown the expert's outline through the network; the measured features hold nothing of shape.
_BY_SHAPE = ("expert_mask",)


def not_below(gap: Estimate) -> str:
    """Verdict on "the first is not below the second", from the interval of first minus second."""
    if not gap.has_interval:
        return MET if gap.value >= 0 else UNCLEAR
    if gap.high < 0:
        return NOT_MET
    return MET if gap.low > -EQUAL else UNCLEAR


def equal(gap: Estimate) -> str:
    """Verdict on "both are equal": the interval lies within the margin of equality."""
    if not gap.has_interval:
        return MET if gap.value == 0 else UNCLEAR
    if gap.low > -EQUAL and gap.high < EQUAL:
        return MET
    return NOT_MET if gap.low > 0 or gap.high < 0 else UNCLEAR


def far_above(gap: Estimate) -> str:
    """Verdict on "the first exceeds the second by a wide margin"."""
    if not gap.has_interval:
        return NOT_MET if gap.value == 0 else UNCLEAR
    if gap.low > WIDE:
        return MET
    return NOT_MET if gap.high < WIDE else UNCLEAR


def null_half_width(label: IntArray, *, tests: int = 1, level: float = 0.95) -> float:
    """Half width of the interval around 0.5 that holds the AUCs of `tests` scores unrelated to the label, all at once.

    Source: variance of the Mann-Whitney statistic under the null, (m + n + 1) / (12 m n); Bonferroni over tests.
    """
    positives = int((label == 1).sum())
    negatives = len(label) - positives
    spread = math.sqrt((len(label) + 1) / (12 * positives * negatives))
    return float(ndtri(1 - (1 - level) / (2 * tests))) * spread


def _clean(clean: PhantomResult) -> list[Verdict]:
    found = []
    for first, second in (
        ("expert_mask", "auto_mask"),
        ("expert_mask", "joint"),
        ("auto_mask", "raw"),
        ("joint", "raw"),
    ):
        gap = _gap(clean, first, clean, second)
        text = f"{LETTER[first]} not below {LETTER[second]}"
        found.append(Verdict(CLEAN, text, _points(gap), not_below(gap)))
    if clean.best_rule is not None:
        called = clean.arms["expert_mask"].called
        gap = compare_accuracy(clean.label, called, clean.best_rule, patient_id=clean.patient_id).difference
        reached = accuracy(clean.label, clean.best_rule, patient_id=clean.patient_id)
        text = (
            f"{_points(gap)} from the best rule on the same cubes ({reached.value:.1%}; Bayes rate {clean.bayes:.1%})"
        )
        found.append(Verdict(CLEAN, "(b) near the Bayes rate", text, equal(gap)))
    return found


def _confounder(clean: PhantomResult, confounder: PhantomResult) -> list[Verdict]:
    loss = {name: _gap(clean, name, confounder, name) for name in LETTER if name in clean.arms}
    lost = {name: f"clean run minus this run {_points(gap)}" for name, gap in loss.items()}
    below = _gap(confounder, "auto_mask", confounder, "raw")
    above = _gap(confounder, "expert_mask", confounder, "auto_mask")
    between = _both(not_below(below), not_below(above))
    dice = float(confounder.arms["auto_mask"].dice.mean())
    verdicts = [
        Verdict(CONFOUNDER, "(a) falls far below its clean accuracy", lost["raw"], far_above(loss["raw"])),
        Verdict(CONFOUNDER, "(b) unchanged", lost["expert_mask"], equal(loss["expert_mask"])),
        Verdict(
            CONFOUNDER,
            "(c) between (a) and (b)",
            f"(c) - (a) {_points(below)}, (b) - (c) {_points(above)}; {lost['auto_mask']}",
            between,
        ),
        Verdict(
            CONFOUNDER,
            "(c) equal to (b) where Dice is near 1",
            f"Dice {dice:.3f}; (b) - (c) {_points(above)}",
            equal(above) if dice >= _NEAR_ONE else f"not tested: Dice below {_NEAR_ONE}",
        ),
        Verdict(
            CONFOUNDER, "(d) may take the confounder in again", _reimport(lost["joint"], clean, confounder), FINDING
        ),
    ]
    if "transfer" in lost:
        verdicts.append(Verdict(CONFOUNDER, "(f), no expectation", lost["transfer"], FINDING))
    return verdicts


def _reimport(lost: str, clean: PhantomResult, confounder: PhantomResult) -> str:
    text = lost
    for name in ("auto_mask", "joint"):
        if name in clean.masks and name in confounder.masks:
            before, after = clean.masks[name].vessel, confounder.masks[name].vessel
            text += f"; mask on the vessel {LETTER[name]} {after:.3f}, clean run {before:.3f}"
    return text


def _chance(phantom: str, result: PhantomResult, names: list[str]) -> Verdict:
    areas = {name: auc(result.label, result.arms[name].prob) for name in names}
    half = null_half_width(result.label, tests=len(names))
    outside = {name: area for name, area in areas.items() if abs(area - 0.5) > half}
    low, high = min(areas.values()), max(areas.values())
    found = (
        f"AUC {low:.3f} to {high:.3f}, null interval {0.5 - half:.3f} to {0.5 + half:.3f} for all {len(names)} at once"
    )
    if outside:
        found += "; outside: " + ", ".join(f"{name} {area:.3f}" for name, area in outside.items())
    expectation = f"no AUC beyond chance ({', '.join(LETTER.get(name, name) for name in names)})"
    return Verdict(phantom, expectation, found, NOT_MET if outside else MET)


def _leak(result: PhantomResult) -> Verdict:
    reached = accuracy(result.label, result.arms["expert_mask"].called, patient_id=result.patient_id)
    verdict = MET if reached.low > 0.5 + WIDE else NOT_MET if reached.high < 0.5 + WIDE else UNCLEAR
    return Verdict(SHAPE_LEAK, "(b) succeeds although no voxel differs", f"accuracy {_share(reached)}", verdict)


def _gap(one: PhantomResult, first: str, other: PhantomResult, second: str) -> Estimate:
    """Accuracy of an arm minus that of an arm of another or the same phantom, on the same nodules."""
    a, b = one.arms[first].called, other.arms[second].called
    if np.array_equal(a, b):
        return Estimate(0.0, math.nan, math.nan, len(a), "cases", "identical", note="the same calls on every cube")
    return compare_accuracy(one.label, a, b, patient_id=one.patient_id).difference


def _both(first: str, second: str) -> str:
    if NOT_MET in (first, second):
        return NOT_MET
    return UNCLEAR if UNCLEAR in (first, second) else MET


def _points(gap: Estimate) -> str:
    """A difference of accuracies in points with its interval."""
    if not gap.has_interval:
        return f"{100 * gap.value:+.1f} points ({gap.note or 'no interval'})"
    return f"{100 * gap.value:+.1f} points ({100 * gap.low:+.1f} to {100 * gap.high:+.1f})"


def _share(estimate: Estimate) -> str:
    return f"{estimate.value:.1%} ({estimate.low:.1%} to {estimate.high:.1%})"
