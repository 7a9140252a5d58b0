"""Patients set aside before a search and looked at once after it: readings in, two frames, and later the result out.

The frame that is searched holds no nodule of a patient who is held out, so nothing of them can reach the search, the
choice among near ties or the cross-validation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.core.errors import HounsfieldError, TableError
from hounsfield.core.types import BoolArray
from hounsfield.guideline.compare import Row, compare, read_both
from hounsfield.guideline.matched import matched_gain, shifted_calls
from hounsfield.guideline.nodules import Nodules
from hounsfield.guideline.point_table import PointTable
from hounsfield.guideline.score import Management, manage
from hounsfield.stats.auc import auc
from hounsfield.stats.estimate import Estimate
from hounsfield.stats.intervals import share_interval

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class HoldOut:
    """Readings split by patient.

    Attributes:
        search: readings to search on.
        held: readings held out.
        dropped: readings left out of both: their patient is held out, they themselves are not.
        how: what was held out, in words.
    """

    search: pd.DataFrame
    held: pd.DataFrame
    dropped: int
    how: str


@dataclass(frozen=True)
class HeldOut:
    """A table on nodules that played no part in its making; differences are the new table minus the start table.

    Attributes:
        patients, malignant, benign: patients, and nodules of each class, that were held out.
        dropped, how: as in `HoldOut`.
        rows: AUC, sensitivity and specificity of FNA.
        matched: gain in specificity of FNA at the start table's sensitivity, see `matched.matched_gain`.
        p_matched: its bootstrap p.
    """

    patients: int
    malignant: int
    benign: int
    dropped: int
    how: str
    rows: tuple[Row, ...]
    matched: Estimate
    p_matched: float


def hold_out(frame: pd.DataFrame, *, part: str = "", share: float = 0.0, seed: int = 0) -> HoldOut:
    """Splits readings by patient into those to search on and those held out.

    Args:
        frame: tidy readings with `case_id, patient_id, part` and, for equal shares of malignant patients, `label`.
        part: hold out the readings of this part. Other readings of its patients are dropped: in neither frame.
        share: hold out this share of the patients, drawn with `seed` among those with and those without a malignant
            nodule alike. With `part`, of the patients that it leaves, in addition.

    Raises: HounsfieldError for a share outside [0, 1) or neither choice; TableError for an unknown part, a reading
        without a patient, or when no reading is left on one side.
    """
    if not 0 <= share < 1 or not (part or share):
        raise HounsfieldError(f"hold out a part, or a share of the patients between 0 and 1; got '{part}', {share:g}.")
    patient = frame["patient_id"].fillna("").astype(str)
    if (patient == "").any():
        raise TableError(f"{int((patient == '').sum())} readings have no patient_id. Fill it, to hold out patients.")
    inside = np.asarray(frame["part"] == part) if part else np.zeros(len(frame), dtype=bool)
    if part and not inside.any():
        raise TableError(f"no reading has part '{part}'; there are: {', '.join(sorted(set(frame['part'])))}.")
    theirs = np.asarray(patient.isin(set(patient[inside])))
    drawn = _drawn(frame[~theirs], share, seed)
    held = inside | np.asarray(patient.isin(drawn))
    search = ~held & ~theirs
    if not held.any() or not search.any():
        raise TableError(f"held out are {int(held.sum())} readings, searched on {int(search.sum())}; both need some.")
    words = [f"part {part}"] if part else []
    words += [f"{share:.0%} of {'the other ' if part else ''}patients, seed {seed}"] if share else []
    return HoldOut(
        frame[search].reset_index(drop=True),
        frame[held].reset_index(drop=True),
        int((theirs & ~inside).sum()),
        " and ".join(words),
    )


def evaluate(
    nodules: Nodules, start: PointTable, table: PointTable, *, split: HoldOut, seed: int, resamples: int = 2000
) -> HeldOut:
    """`table` against `start` on the nodules held out, whose labels and sizes are known.

    Intervals of one table are those of `stats.intervals` by patient; differences and p come from a paired bootstrap of
    patients, beside the exact McNemar p. Where every resample gives the same difference there is no interval.
    """
    label, patients = nodules.label, list(nodules.patient_id)
    both = read_both(nodules.reader, nodules.features, nodules.size_cm, start, table)
    compared = compare(label, [both], seed=seed, patient_id=patients, resamples=resamples)
    rows = tuple(
        replace(
            row,
            first=_one(row.metric, nodules, both.first, seed),
            second=_one(row.metric, nodules, both.second, seed),
            difference=_with_width(row.difference),
        )
        for row in compared
    )
    gain, p = matched_gain(
        label,
        manage(nodules.features, nodules.size_cm, start).fna.astype(np.float64),
        shifted_calls(nodules.features, nodules.size_cm, table),
        seed=seed,
        patient_id=patients,
        resamples=resamples,
    )
    classes = (int((label == 1).sum()), int((label == 0).sum()))
    return HeldOut(len(set(patients)), *classes, split.dropped, split.how, rows, _with_width(gain), p)


def _drawn(frame: pd.DataFrame, share: float, seed: int) -> set[str]:
    """A share of the patients, of those with and without a malignant nodule alike."""
    if not share:
        return set()
    ill = np.asarray(frame["label"] == 1) if "label" in frame else np.zeros(len(frame), dtype=bool)
    patient = frame["patient_id"].astype(str)
    malignant = set(patient[ill])
    rng = np.random.default_rng([seed, 3])
    drawn: set[str] = set()
    # Sorted: the order of a set changes from run to run, the split must not.
    for group in (sorted(malignant), sorted(set(patient) - malignant)):
        drawn |= set(rng.permutation(np.array(group, dtype=object))[: round(share * len(group))].tolist())
    return drawn


def _one(metric: str, nodules: Nodules, side: Management, seed: int) -> Estimate:
    positive: BoolArray = nodules.label == 1
    patients, rng = np.array(nodules.patient_id, dtype=object), np.random.default_rng([seed, 4])
    if metric == "auc":
        return auc(positive, side.points, patient_id=patients, rng=rng)
    among = positive if metric == "sensitivity" else ~positive
    right = side.fna if metric == "sensitivity" else ~side.fna
    return share_interval(right[among], patient_id=patients[among], rng=rng)


def _with_width(estimate: Estimate) -> Estimate:
    """Two tables that decide alike on few nodules are not thereby known to be equal: no interval of zero width."""
    if estimate.low < estimate.high:
        return estimate
    note = "no interval: all resamples give the same value"
    return replace(estimate, low=math.nan, high=math.nan, note=note)
