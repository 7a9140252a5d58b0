"""Near-duplicates: one image under two patient ids, also after a new export. In: cases. Out: pairs of cases, and words.

An exact digest sees the same pixels only. Fingerprints survive a change of grey scale, noise, a slice or a rim cut off
and resampling. They do not see a copy that was mirrored, turned, inverted or cropped to another region, nor one whose
grey scale was cut down to a small part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from hounsfield.catalog.splits.fingerprint import Fingerprint, agreement, differing, fingerprint
from hounsfield.core.engine import each
from hounsfield.core.errors import HounsfieldError, Problem, StudyError
from hounsfield.core.progress import Progress, silent
from hounsfield.core.types import AnyArray, IntArray
from hounsfield.tables.cases import Case
from hounsfield.tables.check_images import pixel_digest
from hounsfield.tables.findings import some
from hounsfield.volume.read import read_volume

# Measured on 441 cut-outs of LIDC-IDRI and 208 of the Medical Segmentation Decathlon's hippocampus, one a patient: the
# 118,548 pairs of different patients differ in 0.268 of the bits or more, 780 pairs of simulated chests, which share
# their anatomy, in 0.226. Of 63 cut-outs, copies with 8 bits, clipped at 5 and 95 %, blurred, with noise of 5 %, scaled
# by 0.8 or without the first slice differ in 0.17 or less; with a row and a column, or a rim of one voxel, cut off all
# but one each differ in 0.20 or less.
THRESHOLD = 0.20
# The same cut-outs inside a ball on a flat background agree in nearly all bits: the detail decides there. Of the
# 237,096 pairs none agrees better than 0.849. Of the copies with 8 bits or a rim cut off 62 to 100 % agree better.
FLAT, AGREEMENT = 0.25, 0.85
_PROMISING = 0.45  # agreement without a shift, below which none of a cell reaches AGREEMENT


@dataclass(frozen=True)
class NearPair:
    """Two images of different patients that look like one.

    Attributes:
        first, second: positions in the list of cases, first < second.
        difference: share of the bits that differ.
        exact: True when the very pixels are the same.
    """

    first: int
    second: int
    difference: float
    exact: bool


@dataclass(frozen=True, eq=False)
class NearDuplicates:
    """What was found in a cohort.

    Attributes:
        pairs: case_id, patient_id, other_case_id, other_patient_id, difference, exact; one row a pair of images.
        compared: number of images that were compared.
        unread: cases whose image could not be read and was not compared.
    """

    pairs: pd.DataFrame
    compared: int
    unread: tuple[Problem, ...]


def near_pairs(
    prints: Sequence[Fingerprint],
    patient_id: Sequence[str],
    *,
    digests: Sequence[str] | None = None,
    threshold: float = THRESHOLD,
) -> list[NearPair]:
    """All pairs of images of two patients that look like one image.

    Args:
        digests: digest of the exact pixels of each image, which tells a copy from a likeness.
        threshold: largest share of differing bits.
    Returns: pairs in ascending difference, then in the order of the cases.
    Raises: StudyError for a threshold outside of 0 to 0.5.
    """
    if not 0 <= threshold < 0.5:
        raise StudyError(
            f"the threshold is a share of differing bits from 0 to below 0.5; got {threshold}. Images that have "
            f"nothing in common differ in half of them; {THRESHOLD} is the measured choice."
        )
    if len(prints) < 2:
        return []
    owners = np.asarray(patient_id, dtype=str)
    same = np.asarray(digests if digests is not None else range(len(prints)), dtype=str)
    bits = np.array([one.bits for one in prints])
    details = np.array([one.detail for one in prints])
    flat = np.array([one.flat >= FLAT for one in prints])
    found = []
    for first in range(len(prints) - 1):
        others = np.arange(first + 1, len(prints))
        others = others[owners[others] != owners[first]]
        share = differing(bits[first], bits[others]) if len(others) else np.zeros(0)
        exact = same[others] == same[first]
        near = share <= threshold
        doubtful = near & ~exact & (flat[others] | flat[first])
        near[doubtful] = _agree(details[first], details, others[doubtful])
        for place in np.flatnonzero(near | exact):
            found.append(NearPair(first, int(others[place]), float(share[place]), bool(exact[place])))
    return sorted(found, key=lambda pair: (pair.difference, pair.first, pair.second))


def near_duplicates(
    cases: Sequence[Case], *, threshold: float = THRESHOLD, workers: int = 0, progress: Progress = silent
) -> NearDuplicates:
    """The images of a cohort that look like those of another patient.

    An image of several cases is read and compared once; one that can't be read is named, and the others go on.
    """
    first_of: dict[tuple[Path, str | None, str], Case] = {}
    for case in cases:
        first_of.setdefault((case.image, case.series_uid, case.patient_id), case)
    sources = [(case.image, case.series_uid) for case in first_of.values()]
    seen = each(_look, sources, workers=workers, progress=progress, label="comparing images")
    read = [(case, one) for case, one in zip(first_of.values(), seen, strict=True) if not isinstance(one, str)]
    unread = [
        Problem(f"case {case.case_id}", one, "It was not compared.")
        for case, one in zip(first_of.values(), seen, strict=True)
        if isinstance(one, str)
    ]
    pairs = near_pairs(
        [one for _, (_, one) in read],
        [case.patient_id for case, _ in read],
        digests=[digest for _, (digest, _) in read],
        threshold=threshold,
    )
    rows = [
        (*_named(read[pair.first][0]), *_named(read[pair.second][0]), round(pair.difference, 4), pair.exact)
        for pair in pairs
    ]
    columns = ["case_id", "patient_id", "other_case_id", "other_patient_id", "difference", "exact"]
    return NearDuplicates(pd.DataFrame(rows, columns=columns), len(read), tuple(unread))


def warning_of(pairs: pd.DataFrame, parts: Mapping[str, str] | None = None) -> str | None:
    """What to tell a person about such pairs; None when there is none.

    Args:
        pairs: as `near_duplicates` gives them.
        parts: case_id -> part of a split; pairs on two sides are then counted.
    """
    if not len(pairs):
        return None
    exact = int(pairs["exact"].sum())
    named = some((f"{row.case_id} and {row.other_case_id}" for row in pairs.itertuples()), limit=5)
    text = f"{len(pairs)} pair(s) of images of two patients look like one image ({exact} with the very same pixels): "
    text += f"{named}. One patient under two ids on two sides of a split makes results too good."
    if parts is not None:
        both = zip(pairs["case_id"], pairs["other_case_id"], strict=True)
        apart = sum(parts[one] != parts[other] for one, other in both)
        text += f" {apart} of the pairs stand on two sides of this split."
    return text + " Look at both, correct the patient_id or remove one."


def _named(case: Case) -> tuple[str, str]:
    return case.case_id, case.patient_id


def _agree(detail: AnyArray, details: AnyArray, others: IntArray) -> AnyArray:
    """Which of the others agree in detail; (N,) True or False."""
    if not len(others):
        return np.zeros(0, dtype=bool)
    own = detail.ravel().astype(np.float32)
    theirs = details[others].reshape(len(others), -1).astype(np.float32)
    norms = np.linalg.norm(own) * np.linalg.norm(theirs, axis=1)
    promising = theirs @ own >= np.maximum(_PROMISING * norms, 1e-9)
    found = [
        bool(one) and agreement(detail, details[place]) >= AGREEMENT
        for one, place in zip(promising, others, strict=True)
    ]
    return np.array(found, dtype=bool)


def _look(source: tuple[Path, str | None]) -> tuple[str, Fingerprint] | str:
    try:
        array = read_volume(source[0], series_uid=source[1]).array
        if not np.isfinite(array).all():
            return "its image holds values that are not a number."
    except HounsfieldError as error:
        return f"its image can't be read: {str(error).splitlines()[0]}"
    except Exception as error:  # a damaged file can raise anything in its reader; its words hold full paths
        return f"its image can't be read ({type(error).__name__})."
    return pixel_digest(array), fingerprint(array)
