"""What the bootstrap of a report draws from: repeats of an arm in, intervals and bands of any weighted statistic out.

Up to `LARGE` cases patients are drawn and every case is weighted. Beyond, 2000 resamples of millions of rows would take
hours for intervals that no one could draw. The patients then go into `BLOCKS` random blocks, which are drawn in their
place, and cases that agree in label, call and probability (to one part in `_BINS` of the cohort) are counted together:
a standard error from 1000 blocks is right to 2 %.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from hounsfield.core.types import FloatArray, IntArray
from hounsfield.report.repeats import Repeat, patient_numbers, rows_of
from hounsfield.stats.bootstrap import bootstrap_interval, bootstrap_table, bootstrap_values
from hounsfield.stats.estimate import Estimate

LARGE = 50_000
BLOCKS = 1000
_BINS = 1000

Statistic = Callable[[Sequence[Repeat], Sequence[FloatArray]], FloatArray]
"""Parts and for each the (B, N) weights of its cases -> (B,) or (B, columns) values."""


@dataclass(frozen=True)
class Sample:
    """Repeats of one or more arms, ready to be resampled together.

    Attributes:
        parts: the repeats themselves or, when there are too many cases, what stands for them: cells of equal cases
            (two classes) or the cases of some patients (three and more).
        units: how many things are drawn: cases, or blocks of patients.
        patient: (units,) number of each case's patient; None when units are drawn one by one.
        held: per part the (units, N) number of cases of each block in each cell; None when units are the cases.
        patients: how many there are in truth.
        repeated: whether a patient has several cases within a part.
        shrink: by which a spread among `parts` is multiplied to be that of all cases.
    """

    parts: tuple[Repeat, ...]
    units: int
    patient: IntArray | None
    held: tuple[FloatArray, ...] | None
    patients: int
    repeated: bool
    shrink: float = 1.0

    @property
    def large(self) -> bool:
        """Whether blocks, or some of the patients, stand for the cohort."""
        return self.held is not None or self.shrink < 1

    def weights(self, drawn: FloatArray) -> list[FloatArray]:
        """(B, N) weights of each part's cases for (B, units) weights of the units."""
        if self.held is not None:
            return [drawn @ held for held in self.held]
        ends = np.cumsum([0, *(len(one.label) for one in self.parts)])
        return [drawn[:, start:stop] for start, stop in pairwise(ends)]

    def ones(self) -> list[FloatArray]:
        """Weights of the cohort itself, as one row a part."""
        if self.held is not None:
            return [held.sum(axis=0, keepdims=True) for held in self.held]
        return [np.ones((1, len(one.label))) for one in self.parts]


def sample_of(repeats: Sequence[Repeat], *, seed: int) -> Sample:
    """The repeats as they are, or condensed when one of them has more than `LARGE` cases.

    Args:
        repeats: of one target; a patient who is drawn is drawn in all of them.
        seed: of the blocks.
    """
    codes = patient_numbers(repeats)
    patients = 1 + max(int(one.max(initial=-1)) for one in codes)
    repeated = any(len(np.unique(one)) < len(one) for one in codes)
    if max(len(one.label) for one in repeats) <= LARGE:
        everyone = np.concatenate(codes)
        return Sample(tuple(repeats), len(everyone), everyone, None, patients, repeated)
    mixed = np.random.default_rng(seed).permutation(patients)
    if len(repeats[0].classes) > 2:
        chosen = [mixed[one] < LARGE for one in codes]
        parts = tuple(rows_of(one, keep) for one, keep in zip(repeats, chosen, strict=True))
        everyone = np.unique(np.concatenate([one[keep] for one, keep in zip(codes, chosen, strict=True)]))
        numbers = [np.searchsorted(everyone, one[keep]) for one, keep in zip(codes, chosen, strict=True)]
        kept = len(everyone)
        shrink = math.sqrt(kept / patients)
        joined = np.concatenate(numbers)
        return Sample(parts, len(joined), joined, None, patients, repeated, shrink)
    cells = [_cells(one, mixed[code] % BLOCKS) for one, code in zip(repeats, codes, strict=True)]
    parts, held = tuple(cell for cell, _ in cells), tuple(count for _, count in cells)
    return Sample(parts, BLOCKS, None, held, patients, repeated)


def interval_of(
    sample: Sample,
    statistic: Statistic,
    *,
    rng: np.random.Generator,
    resamples: int,
    value: float | None = None,
) -> Estimate:
    """The patient bootstrap (BCa) of a statistic.

    Args:
        value: of the cases themselves; where cells stand for them the interval is moved by the difference, which is
            the rounding of the cells.
    """
    found = bootstrap_interval(
        lambda drawn: statistic(sample.parts, sample.weights(drawn)),
        cases=sample.units,
        rng=rng,
        patient_id=sample.patient,
        resamples=resamples,
    )
    if not sample.large:
        return found
    centre = found.value if value is None else value
    low, high = (centre + sample.shrink * (end - found.value) for end in (found.low, found.high))
    unit = "patients" if sample.repeated else "cases"
    how = f"in {BLOCKS} random blocks" if sample.held is not None else f"of {LARGE} random patients, scaled"
    method = f"{found.method}, {how}"
    return Estimate(centre, low, high, sample.patients, unit, method, found.level, found.note)


def spread_of(sample: Sample, statistic: Statistic, *, rng: np.random.Generator, resamples: int) -> float:
    """Standard error of a statistic: standard deviation over resamples; nan when fewer than two have a value."""
    drawn = bootstrap_values(
        lambda weights: statistic(sample.parts, sample.weights(weights)),
        cases=sample.units,
        rng=rng,
        patient_id=sample.patient,
        resamples=resamples,
    )
    known = drawn[np.isfinite(drawn)]
    return sample.shrink * float(np.std(known, ddof=1)) if len(known) > 1 else math.nan


def band_of(
    sample: Sample, curves: Statistic, *, columns: int, rng: np.random.Generator, resamples: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """A curve and its pointwise 95 % band.

    Args:
        curves: gives (B, columns) points of the curve.
    Returns: (line, low, high), each (columns,); the band is nan where fewer than 100 resamples have the curve.
    """
    line = np.asarray(curves(sample.parts, sample.ones()))[0]
    drawn = bootstrap_table(
        lambda weights: curves(sample.parts, sample.weights(weights)),
        cases=sample.units,
        rng=rng,
        columns=columns,
        patient_id=sample.patient,
        resamples=resamples,
    )
    drawn = drawn[np.isfinite(drawn).all(axis=1)]
    if len(drawn) < 100 or not np.isfinite(line).all():
        return line, np.full_like(line, np.nan), np.full_like(line, np.nan)
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    return line, line + sample.shrink * (low - line), line + sample.shrink * (high - line)


def _cells(one: Repeat, block: IntArray) -> tuple[Repeat, FloatArray]:
    """Cells that stand for the cases of two classes, and how many cases of each block fall into each."""
    score = one.prob[:, 1]
    # Tenths, so that no cell lies across two bins of the calibration error.
    edges = np.unique(np.r_[np.quantile(score, np.linspace(0, 1, _BINS + 1)[1:-1]), np.linspace(0.1, 0.9, 9)])
    place = np.searchsorted(edges, score, side="right")
    called = np.zeros(len(score), dtype=np.int64) if one.called is None else one.called.astype(np.int64)
    key = ((one.label * 2 + called) * 2 + one.predicted) * (len(edges) + 1) + place
    kinds, cell = np.unique(key, return_inverse=True)
    count = np.bincount(cell, minlength=len(kinds))
    held = np.bincount(block * len(kinds) + cell, minlength=BLOCKS * len(kinds)).reshape(BLOCKS, len(kinds))
    mean = np.bincount(cell, weights=score, minlength=len(kinds)) / count
    flags = kinds // (len(edges) + 1)
    names = np.array([str(number) for number in range(len(kinds))], dtype=object)
    columns = {name: _cell_means(values, cell, len(kinds)) for name, values in one.columns.items()}
    cells = replace(
        one,
        case_id=names,
        patient_id=names,
        label=flags // 4,
        prob=np.column_stack([1 - mean, mean]),
        called=None if one.called is None else flags // 2 % 2 == 1,
        columns=columns,
    )
    return cells, held.astype(np.float64)


def _cell_means(values: FloatArray, cell: IntArray, cells: int) -> FloatArray:
    known = ~np.isnan(values)
    total = np.bincount(cell[known], weights=values[known], minlength=cells)
    with np.errstate(invalid="ignore"):
        return np.asarray(total / np.bincount(cell[known], minlength=cells))
