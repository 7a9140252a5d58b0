"""The proof that a split leaks nothing: a split goes in (with a digest of each case's pixels, where known), patients of
each part come out, and the patients and the images that stand on two sides; both of these must be 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import pandas as pd

from hounsfield.catalog.splits.split import COLUMNS, PARTS
from hounsfield.core.errors import StudyError

_ROUND = ["repetition", "fold"]


@dataclass(frozen=True)
class Leakage:
    """What a split was looked through for; see `leakage_of`.

    Attributes:
        rounds: number of pairs of repetition and fold.
        patients: part -> (fewest, most) patients over the rounds.
        cases: part -> (fewest, most) cases over the rounds.
        patient_overlaps: patients in two parts of one round, summed over the rounds.
        pixel_overlaps: images whose very pixels stand in two parts of one round, summed; None when not looked at.
        without_digest: cases whose pixels were not compared.
    """

    rounds: int
    patients: Mapping[str, tuple[int, int]]
    cases: Mapping[str, tuple[int, int]]
    patient_overlaps: int
    pixel_overlaps: int | None
    without_digest: int

    def __reduce__(self) -> tuple[type[Leakage], tuple[object, ...]]:
        # Read-only mappings can't be pickled.
        state = (self.rounds, dict(self.patients), dict(self.cases))
        return type(self), (*state, self.patient_overlaps, self.pixel_overlaps, self.without_digest)

    @property
    def clean(self) -> bool:
        """True when no patient and, of the images compared, none stands on two sides."""
        return self.patient_overlaps == 0 and not self.pixel_overlaps

    def words(self) -> str:
        """The proof in sentences for the first page of a report."""
        parts = ", ".join(f"{_span(self.patients[part])} in {part}" for part in PARTS if part in self.patients)
        where = "the split" if self.rounds == 1 else f"each of {self.rounds} splits"
        pixels = (
            "Pixels of the images were not compared."
            if self.pixel_overlaps is None
            else f"Images with identical pixels in two parts: {self.pixel_overlaps}."
        )
        if self.pixel_overlaps is not None and self.without_digest:
            pixels += f" {self.without_digest} cases could not be compared."
        verdict = "" if self.clean else " This split leaks: results on its test part are too good to be true."
        return f"Patients in {where}: {parts}. Patients in two parts: {self.patient_overlaps}. {pixels}{verdict}"


def leakage_of(split: pd.DataFrame, *, digests: Mapping[str, str] | None = None, digest: str | None = None) -> Leakage:
    """Look a split through for patients and images on two sides.

    Nothing is raised for a leak: a report must be able to show one, also of a split made elsewhere.

    Args:
        split: columns case_id, patient_id, repetition, fold, part, as `catalog.split` makes them.
        digests: case_id -> digest of the image's pixels (`tables.check_images.pixel_digests`).
        digest: instead, the column of `split` that holds them.
    Raises: StudyError for missing columns or an empty split.
    """
    missing = [column for column in (*COLUMNS, *([digest] if digest else [])) if column not in split]
    if missing:
        raise StudyError(
            f"the proof needs a split with the columns {', '.join(COLUMNS)}; missing: {', '.join(missing)}."
        )
    if not len(split):
        raise StudyError("the split is empty; there is nothing to prove.")
    pixels = split["case_id"].map(dict(digests)) if digests is not None else split[digest] if digest else None
    unseen = pixels.isna() if pixels is not None else pd.Series(True, index=split.index)
    return Leakage(
        rounds=int(split.groupby(_ROUND).ngroups),
        patients=_spans(split, "patient_id"),
        cases=_spans(split, "case_id"),
        patient_overlaps=_on_two_sides(split, "patient_id"),
        pixel_overlaps=None if pixels is None else _on_two_sides(split.assign(_pixels=pixels), "_pixels"),
        without_digest=int(split["case_id"][unseen].nunique()),
    )


def _on_two_sides(split: pd.DataFrame, column: str) -> int:
    known = split[split[column].notna()]
    return int((known.groupby([*_ROUND, column])["part"].nunique() > 1).sum())


def _spans(split: pd.DataFrame, column: str) -> Mapping[str, tuple[int, int]]:
    counts = split.groupby([*_ROUND, "part"])[column].nunique().unstack(fill_value=0)
    return MappingProxyType({str(part): (int(counts[part].min()), int(counts[part].max())) for part in counts})


def _span(ends: tuple[int, int]) -> str:
    return str(ends[0]) if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"
