"""Performance of the model and of every reader, and the model against each: a `Panel` in, estimates and rows out."""

from __future__ import annotations

from typing import Any

import numpy as np

from hounsfield.core.types import BoolArray
from hounsfield.stats.auc import delong_interval
from hounsfield.stats.bootstrap import WeightedStatistic
from hounsfield.stats.estimate import Estimate
from hounsfield.stats.intervals import share_interval
from hounsfield.stats.mrmc import ReaderStudy, model_against_readers
from hounsfield.stats.multiplicity import holm
from hounsfield.stats.weighted import area, share
from hounsfield.studies.readers_panel import MEAN, Judged, Panel, columns

METRICS = ("auc", "fna_sensitivity", "fna_specificity", "follow_up_sensitivity", "follow_up_specificity")


def performance(panel: Panel) -> tuple[dict[tuple[str, str], Estimate], list[dict[str, Any]]]:
    """Every metric of everybody by (name, metric), and the model against each; Holm's p is among those of a metric."""
    estimates: dict[tuple[str, str], Estimate] = {}
    comparisons: list[dict[str, Any]] = []
    inside = [place for place, one in enumerate(panel.judged) if one.name in panel.members]
    for metric in METRICS:
        everyone = panel.resample([_statistic(metric, one, panel.label) for one in panel.judged])
        model = columns(everyone, [0])
        rows = []
        for place, one in enumerate(panel.judged):
            side = columns(everyone, [place])
            alone = panel.mean(side)
            estimates[one.name, metric] = alone if alone.has_interval else _without_spread(metric, one, panel)
            if place:
                rows.append({"metric": metric, **panel.compare(model, side, one.name)})
        if len(inside) > 1:
            group = columns(everyone, inside)
            estimates[MEAN, metric] = panel.mean(group)
            rows.append({"metric": metric, **panel.compare(model, group, MEAN)})
        for row, corrected in zip(rows, holm([row["p"] for row in rows]), strict=True):
            row["p_holm"] = float(corrected)
        comparisons += rows
    return estimates, comparisons


def at_large(panel: Panel) -> ReaderStudy | None:
    """The AUC of the model against that of readers in general by analysis of variance; None with fewer than two."""
    if len(panel.readers) < 2:
        return None
    scores = np.stack([one.score for one in panel.readers])
    return model_against_readers(panel.label, panel.model.score, scores, patient_id=panel.patients)


def _statistic(metric: str, one: Judged, up: BoolArray) -> WeightedStatistic:
    if metric == "auc":
        return area(up, one.score)
    right, among = _hits(metric, one, up)
    return share(right, among=among)


def _hits(metric: str, one: Judged, up: BoolArray) -> tuple[BoolArray, BoolArray]:
    """Which nodules are decided rightly, and which ones count."""
    called = one.fna if metric.startswith("fna") else one.follow_up
    return (called, up) if metric.endswith("sensitivity") else (~called, ~up)


def _without_spread(metric: str, one: Judged, panel: Panel) -> Estimate:
    """The interval where every resample gives the same: all of a class right or wrong, or classes apart."""
    codes = None if panel.patients is None else np.array(panel.patients)
    if metric == "auc":
        return delong_interval(panel.label, one.score, patient_id=codes)
    right, among = _hits(metric, one, panel.label)
    return share_interval(right[among], patient_id=None if codes is None else codes[among])
