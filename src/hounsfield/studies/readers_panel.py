"""Who answered what on the same test nodules: what the parts of the reader study share; answers in, resamples out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hounsfield.core.types import BoolArray, FloatArray, IntArray
from hounsfield.stats.bootstrap import WeightedStatistic
from hounsfield.stats.estimate import Estimate
from hounsfield.stats.reader_average import Resampled, mean_difference, reader_mean, resample

MEAN = "mean of readers"


@dataclass(frozen=True)
class Plan:
    """Who is who in the readings, and how they are judged.

    Attributes:
        model: the reader that is the model, with a `score` in place of features.
        annotator: whose levels on the training part the model's levels are matched to.
        consensus: the expert consensus, or empty.
        group: readers who are averaged.
        sizes: "own", each reader's own measurement as the article used; "common", the annotator's for everybody; or the
            name of the reader whose measurements count for everybody.
        by_patient: resample patients; False resamples nodules, as the article did.
    """

    seed: int
    model: str = "algorithm"
    annotator: str = "1"
    consensus: str = "consensus"
    group: str = "readers"
    sizes: str = "common"
    by_patient: bool = True
    resamples: int = 2000


@dataclass(frozen=True)
class Judged:
    """One reader's, or the model's, answers on the N test nodules."""

    name: str
    score: FloatArray
    level: IntArray
    fna: BoolArray
    follow_up: BoolArray


@dataclass(frozen=True)
class Panel:
    """Everybody's answers on the same N nodules.

    Attributes:
        judged: the model first.
        label: (N,) malignant or not.
        patients: (N,) the unit that is resampled; None where that is the nodule.
        members: names of the readers who are averaged.
    """

    judged: tuple[Judged, ...]
    label: BoolArray
    patients: tuple[str, ...] | None
    members: tuple[str, ...]
    plan: Plan

    @property
    def model(self) -> Judged:
        """The model's answers."""
        return self.judged[0]

    @property
    def raters(self) -> tuple[Judged, ...]:
        """Everybody but the model."""
        return self.judged[1:]

    @property
    def readers(self) -> tuple[Judged, ...]:
        """The readers who are averaged."""
        return tuple(one for one in self.raters if one.name in self.members)

    @property
    def consensus(self) -> Judged | None:
        """The consensus, where there is one."""
        return next((one for one in self.raters if one.name == self.plan.consensus), None)

    def only(self, chosen: BoolArray) -> Panel:
        """The same on some of the nodules."""
        judged = tuple(
            Judged(one.name, one.score[chosen], one.level[chosen], one.fna[chosen], one.follow_up[chosen])
            for one in self.judged
        )
        patients = None
        if self.patients is not None:
            patients = tuple(one for one, there in zip(self.patients, chosen, strict=True) if there)
        return replace(self, judged=judged, label=self.label[chosen], patients=patients)

    def resample(self, statistics: Sequence[WeightedStatistic]) -> Resampled:
        """Values on the plan's resamples, which are the same in every call for the same nodules."""
        return resample(
            statistics,
            cases=len(self.label),
            rng=np.random.default_rng([self.plan.seed, 1]),
            patient_id=self.patients,
            resamples=self.plan.resamples,
        )

    def mean(self, group: Resampled) -> Estimate:
        """Mean over readers in general: several are drawn anew as well. No interval where all resamples agree."""
        found = reader_mean(group, rng=self._draw() if len(group.value) > 1 else None)
        if found.high > found.low:
            return found
        # 15 of 15 in every resample: an interval of zero width would claim certainty.
        return replace(found, low=math.nan, high=math.nan, note=found.note or "all resamples give the same value")

    def compare(self, model: Resampled, other: Resampled, second: str) -> dict[str, Any]:
        """One row for a table: the model minus another; several readers on a side are drawn anew."""
        gap, p = mean_difference(model, other, rng=self._draw() if len(other.value) > 1 else None)
        # Two who never differ have no interval: [0, 0] would claim that they never will.
        low, high = (gap.low, gap.high) if gap.high > gap.low else (math.nan, math.nan)
        ends = {"difference": gap.value, "low": low, "high": high, "p": p}
        return {"first": self.plan.model, "second": second, **ends, "n": gap.n, "unit": gap.unit, "method": gap.method}

    def _draw(self) -> np.random.Generator:
        return np.random.default_rng([self.plan.seed, 2])


def columns(found: Resampled, places: Sequence[int]) -> Resampled:
    """Some of the statistics of a `Resampled`, in this order."""
    return Resampled(found.value[list(places)], found.drawn[:, list(places)], found.n, found.unit)
