"""Two point tables applied to the same readings: management by both in, performance, changes and p-values out.

The first table is the one in use, the second the one proposed; differences are second minus first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hounsfield.core.errors import HounsfieldError
from hounsfield.core.types import BoolArray, FloatArray, IntArray
from hounsfield.guideline.features import Features
from hounsfield.guideline.point_table import PointTable
from hounsfield.guideline.score import Management, level_of, manage, points_of, reaches
from hounsfield.stats.bootstrap import WeightedStatistic
from hounsfield.stats.estimate import Estimate
from hounsfield.stats.inputs import binary_labels
from hounsfield.stats.mcnemar import mcnemar
from hounsfield.stats.reader_average import Resampled, mean_difference, reader_mean, resample
from hounsfield.stats.weighted import area, share

METRICS = ("auc", "sensitivity", "specificity")  # of total points; of the FNA recommendation


@dataclass(frozen=True)
class Reading:
    """One reader's N nodules under both tables.

    Attributes:
        reader: name.
        first: management by the first table.
        second: by the second.
    """

    reader: str
    first: Management
    second: Management


@dataclass(frozen=True)
class Row:
    """One metric of one reader, or of the mean of a group, under both tables.

    Attributes:
        difference: second minus first.
        p: of the paired bootstrap.
        mcnemar: exact McNemar p of one reader's sensitivity or specificity; NaN otherwise.
    """

    reader: str
    metric: str
    first: Estimate
    second: Estimate
    difference: Estimate
    p: float
    mcnemar: float


@dataclass(frozen=True)
class Changes:
    """What changes for one reader's nodules, by class (0 benign, 1 malignant).

    Attributes:
        levels: (2, L, L) nodules by class, level under the first table and under the second.
        lost: (2,) nodules of each class whose FNA recommendation is lost.
        gained: (2,) whose is gained.
    """

    levels: IntArray
    lost: IntArray
    gained: IntArray

    @property
    def lower(self) -> int:
        """Nodules whose level falls."""
        return int(np.tril(self.levels.sum(axis=0), -1).sum())

    @property
    def higher(self) -> int:
        """Nodules whose level rises."""
        return int(np.triu(self.levels.sum(axis=0), 1).sum())


def compare(
    label: npt.ArrayLike,
    readings: Sequence[Reading],
    *,
    seed: int,
    patient_id: npt.ArrayLike | None = None,
    group: str = "mean of readers",
    resamples: int = 2000,
) -> list[Row]:
    """AUC of the points, sensitivity and specificity of the FNA recommendation, by reader and on average.

    Args:
        label: (N,) 1 malignant, 0 benign.
        readings: every reader's management of the same N nodules in the same order.
        seed: all metrics are computed on the same resamples.
        patient_id: (N,) whose nodule it is; None resamples nodules.
        group: name of the rows of the mean, which are made for two readers and more; readers are resampled, too.
    """
    positive = binary_labels(label)
    rows = []
    for metric in METRICS:
        sides = [
            resample(
                [_statistic(metric, positive, side) for side in column],
                cases=len(positive),
                rng=np.random.default_rng([seed, 1]),  # the same for both sides and all metrics: the same resamples
                patient_id=patient_id,
                resamples=resamples,
            )
            for column in ([one.first for one in readings], [one.second for one in readings])
        ]
        for place, reading in enumerate(readings):
            rows.append(_row(reading, metric, positive, (_only(sides[0], place), _only(sides[1], place))))
        if len(readings) > 1:
            means = [reader_mean(side, rng=np.random.default_rng([seed, 2])) for side in sides]
            gap, p = mean_difference(sides[1], sides[0], rng=np.random.default_rng([seed, 2]))
            rows.append(Row(group, metric, means[0], means[1], gap, p, np.nan))
    return rows


def changes(label: npt.ArrayLike, reading: Reading, levels: int) -> Changes:
    """Cross-table of levels, and the FNA recommendations that flip.

    Args:
        levels: number of levels of the tables.
    """
    positive = binary_labels(label).astype(np.int64)
    table = np.zeros((2, levels, levels), dtype=np.int64)
    np.add.at(table, (positive, reading.first.level, reading.second.level), 1)
    lost = reading.first.fna & ~reading.second.fna
    gained = ~reading.first.fna & reading.second.fna
    both = [np.bincount(positive[flips], minlength=2) for flips in (lost, gained)]
    return Changes(table, both[0], both[1])


@dataclass(frozen=True)
class Shifted:
    """A table's FNA decision when a constant is added to every total before the levels are read.

    Attributes:
        offset: what is added; 0 is the table itself.
        found: malignant nodules with FNA.
        spared: benign nodules without.
    """

    offset: int
    found: int
    spared: int


def shifted(label: npt.ArrayLike, features: Features, size_cm: FloatArray, table: PointTable) -> list[Shifted]:
    """The operating points that a table can reach without changing its ranking: most sensitive first.

    Nodules whose total is overridden stay at 0.
    """
    positive = binary_labels(label)
    points = points_of(features, table)
    rows = []
    for offset in range(table.levels[-1].points, -int(points.max(initial=0)) - 1, -1):
        total = np.where(features.override, 0, np.maximum(0, points + offset))
        fna = reaches(level_of(total, table), size_cm, [level.fna_cm for level in table.levels])
        rows.append(Shifted(offset, int(fna[positive].sum()), int((~fna[~positive]).sum())))
    return rows


def spared_at(rows: Sequence[Shifted], found: int) -> tuple[float, str]:
    """Benign nodules spared when a shifted table finds `found` malignant ones, between offsets by a straight line.

    Returns: the number and the offsets it lies between, in words.
    Raises: HounsfieldError when no offset finds so many.
    """
    enough = [row for row in rows if row.found >= found]
    if not enough:
        raise HounsfieldError(f"no offset of the points finds {found} malignant nodules.")
    # Ordered by falling offset: the last that finds enough spares most.
    above = enough[-1]
    fewer = [row for row in rows if row.found < found]
    if above.found == found or not fewer:
        return float(above.spared), f"offset {above.offset:+d}"
    below = fewer[0]
    part = (above.found - found) / (above.found - below.found)
    return above.spared + part * (
        below.spared - above.spared
    ), f"between offsets {above.offset:+d} and {below.offset:+d}"


def read_both(
    reader: str,
    features: Features,
    size_cm: FloatArray,
    first: PointTable,
    second: PointTable,
    *,
    override: bool = True,
) -> Reading:
    """One reader's nodules managed by both tables, which share their categories and options.

    Raises: HounsfieldError when their options differ, or as `score.manage`.
    """
    if first.option_names != second.option_names:
        raise HounsfieldError("two tables are compared on the same options in the same order; these differ.")
    return Reading(
        reader,
        manage(features, size_cm, first, override=override),
        manage(features, size_cm, second, override=override),
    )


def _statistic(metric: str, positive: BoolArray, side: Management) -> WeightedStatistic:
    if metric == "auc":
        return area(positive, side.points)
    return share(side.fna, among=positive) if metric == "sensitivity" else share(~side.fna, among=~positive)


def _only(found: Resampled, place: int) -> Resampled:
    return Resampled(found.value[[place]], found.drawn[:, [place]], found.n, found.unit)


def _row(reading: Reading, metric: str, positive: BoolArray, sides: tuple[Resampled, Resampled]) -> Row:
    gap, p = mean_difference(sides[1], sides[0])
    exact = np.nan
    if metric != "auc":
        among = positive if metric == "sensitivity" else ~positive
        exact = mcnemar(reading.first.fna[among] == positive[among], reading.second.fna[among] == positive[among])
    return Row(reading.reader, metric, reader_mean(sides[0]), reader_mean(sides[1]), gap, p, exact)
