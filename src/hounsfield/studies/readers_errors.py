"""Which nodules are hard and who errs together: a `Panel` in, difficulty subsets, shared errors and agreement out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hounsfield.core.types import BoolArray
from hounsfield.stats.agreement import fleiss_kappa
from hounsfield.stats.auc import weighted_auc
from hounsfield.stats.bootstrap import WeightedStatistic
from hounsfield.stats.estimate import Estimate
from hounsfield.stats.kappa import PairsKappa, mean_kappa
from hounsfield.stats.weighted import area, share
from hounsfield.studies.readers_panel import MEAN, Judged, Panel, columns


@dataclass(frozen=True)
class Subset:
    """AUCs on the easy or the difficult nodules; the split is held fixed when patients are resampled.

    Attributes:
        estimates: of the model, the mean of readers and the consensus, as far as there are any, by name.
        comparisons: the model minus the other two.
        left_out: mean AUC of the readers, each on the subset that all the others make; NaN without others. Shows what
            one's own errors do to the split; errors that readers have in common still make it.
    """

    name: str
    malignant: int
    benign: int
    estimates: Mapping[str, Estimate]
    comparisons: tuple[Mapping[str, Any], ...]
    left_out: float


def subsets(panel: Panel) -> tuple[Subset, Subset]:
    """Easy and difficult; easy: all raters right on a cancer, six in ten and more on a benign nodule (FNA)."""
    easy = _easy(panel, panel.raters)
    apart = [(one, [other for other in panel.raters if other is not one]) for one in panel.readers]
    splits = [(one, _easy(panel, others)) for one, others in apart if others]
    return (
        _subset("easy", panel.only(easy), _mean_area(panel, splits)),
        _subset("difficult", panel.only(~easy), _mean_area(panel, [(one, ~chosen) for one, chosen in splits])),
    )


def overlap(panel: Panel) -> dict[str, Estimate]:
    """Shares of wrong FNA decisions, and of each side's wrong ones that the other got wrong, too.

    Means are over the readers, who are drawn anew as well; one who made no error has no share of them and is left out.
    """
    wrong = panel.model.fna != panel.label
    theirs = [one.fna != panel.label for one in panel.readers]
    every = np.ones_like(wrong)
    return {
        "model wrong": _mean_share(panel, [share(wrong, among=every)]),
        "readers wrong, mean": _mean_share(panel, [share(one, among=every) for one in theirs]),
        "readers wrong where the model is": _mean_share(
            panel, [share(one, among=wrong) for one in theirs if wrong.any()]
        ),
        "model wrong where a reader is": _mean_share(panel, [share(wrong, among=one) for one in theirs if one.any()]),
    }


def agreement(panel: Panel) -> dict[str, Estimate]:
    """Fleiss' kappa of the readers by what they decide; empty with fewer than two readers."""
    if len(panel.readers) < 2:
        return {}
    return {
        "FNA": fleiss_kappa([one.fna.tolist() for one in panel.readers], patient_id=panel.patients),
        "level": fleiss_kappa([one.level.tolist() for one in panel.readers], patient_id=panel.patients),
    }


def pairs(panel: Panel) -> dict[str, PairsKappa]:
    """Quadratically weighted kappa of the levels over pairs: readers among themselves, and each with the model.

    The model's lowest level stands for the table's two lowest, so these are one wherever the model is in the pair.
    """
    levels = [one.level for one in panel.readers]
    kinds = {
        "two readers": [(a, b) for place, a in enumerate(levels) for b in levels[place + 1 :]],
        f"{panel.plan.model} and a reader": [(panel.model.level, np.maximum(one, 1)) for one in levels],
    }
    # All levels in their order, used or not: steps are counted between them.
    classes = range(1 + max(int(one.level.max()) for one in panel.judged))
    return {
        name: mean_kappa(
            some, weights="quadratic", classes=classes, patient_id=panel.patients, resamples=panel.plan.resamples
        )
        for name, some in kinds.items()
        if some
    }


def _easy(panel: Panel, raters: Sequence[Judged]) -> BoolArray:
    right = np.stack([one.fna == panel.label for one in raters])
    return np.asarray(np.where(panel.label, right.all(axis=0), right.mean(axis=0) >= 0.6 - 1e-9))


def _mean_area(panel: Panel, subsets: Sequence[tuple[Judged, BoolArray]]) -> float:
    """Mean over readers of the AUC of each on nodules of its own."""
    areas = [float(weighted_auc(panel.label, one.score, chosen[None].astype(np.float64))[0]) for one, chosen in subsets]
    return float(np.mean(areas)) if areas else math.nan


def _subset(name: str, panel: Panel, left_out: float) -> Subset:
    sides = {panel.plan.model: [panel.model], MEAN: list(panel.readers)}
    if panel.consensus is not None:
        sides[panel.plan.consensus] = [panel.consensus]
    estimates: dict[str, Estimate] = {}
    rows = []
    order = [one for side in sides.values() for one in side]
    everyone = panel.resample([area(panel.label, one.score) for one in order])
    start = 0
    for who, side in sides.items():
        drawn = columns(everyone, range(start, start + len(side)))
        start += len(side)
        if side:
            estimates[who] = panel.mean(drawn)
        if side and who != panel.plan.model:
            rows.append(panel.compare(columns(everyone, [0]), drawn, who))
    up = int(panel.label.sum())
    return Subset(name, up, len(panel.label) - up, estimates, tuple(rows), left_out)


def _mean_share(panel: Panel, statistics: Sequence[WeightedStatistic]) -> Estimate:
    if not statistics:
        return Estimate(math.nan, math.nan, math.nan, 0, "cases", "none", note="no wrong decision, or no reader")
    return panel.mean(panel.resample(statistics))
