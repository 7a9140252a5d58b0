"""Patients counted in many classes at once, and dealt out to parts that are even in all of them.

In: a frame of cases, its label columns and its site. Out: the part of each patient, as `splits.split` has parts. The
classes of each column, and each combination of all columns, are to get their share of every part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hounsfield.catalog.splits.balance import deal, shortage
from hounsfield.catalog.splits.split import TEST, TRAIN, VALIDATION
from hounsfield.core.errors import StudyError
from hounsfield.core.types import AnyArray, FloatArray, IntArray
from hounsfield.tables.cells import as_text
from hounsfield.tables.findings import some

_TRIALS = 20  # starts from which the dealing may try to give every part every class


@dataclass(frozen=True, eq=False)
class Strata:
    """Patients in a fixed order with their counts in every class, site and combination.

    Attributes:
        cases: case_id and patient_id, sorted: the split must not depend on the order of a spreadsheet.
        ids: (P,) patients; `of_case` (N,) the patient of each case.
        counts: (P, C) cases in each class of each label first (`names`), then in each site and each combination.
        names: words for the classes of the labels.
    """

    cases: pd.DataFrame
    ids: AnyArray
    of_case: IntArray
    counts: IntArray
    names: tuple[str, ...]

    @staticmethod
    def of(frame: pd.DataFrame, labels: Sequence[str], site: str | None) -> Strata:
        if not labels:
            raise StudyError("a split needs one label column or more to be balanced by.")
        columns = list(dict.fromkeys([*labels, *([site] if site else [])]))
        table = texts(frame, ["patient_id", "case_id", *columns]).sort_values(
            ["patient_id", "case_id"], ignore_index=True
        )
        if table["case_id"].duplicated().any():
            raise StudyError("a case_id stands twice. Give every case its own before splitting.")
        ids, of_case = np.unique(table["patient_id"].to_numpy(dtype=str), return_inverse=True)
        blocks, names = [], []
        for column in columns:
            classes, kind = np.unique(table[column].to_numpy(dtype=str), return_inverse=True)
            blocks.append(_counts(of_case, kind, len(ids), len(classes)))
            names += [f"'{one}' of {column}" if len(labels) > 1 else f"'{one}'" for one in classes if column in labels]
        if len(columns) > 1:
            joint = table.groupby(columns, sort=True).ngroup().to_numpy()
            blocks.append(_counts(of_case, joint, len(ids), int(joint.max()) + 1))
        return Strata(table[["case_id", "patient_id"]], ids, of_case, np.concatenate(blocks, axis=1), tuple(names))

    def require(self, patients: int, purpose: str, *, who: IntArray | None = None) -> None:
        """Raises: StudyError naming each class of a label with fewer patients than `patients`."""
        counts = self.counts if who is None else self.counts[who]
        found = (counts[:, : len(self.names)] > 0).sum(axis=0)
        few = [f"{name} has {n}" for name, n in zip(self.names, found, strict=True) if n < patients]
        if few:
            raise StudyError(
                f"too few patients: {purpose} needs at least {patients} patients of every class; {', '.join(few)}. "
                "Add patients, merge classes or take fewer parts."
            )

    def deal(self, part_shares: FloatArray, least: IntArray, rng: np.random.Generator, who: IntArray) -> IntArray:
        """Part of each of the patients `who`, each part with every class of every label."""
        counts = self.counts[who]
        counts = counts[:, counts.sum(axis=0) > 0]
        labels = self.counts[who][:, : len(self.names)]
        for _ in range(_TRIALS):
            part = deal(counts, part_shares, least, rng)
            if not shortage(part, labels, least).any():
                return part
        short = np.flatnonzero(shortage(part, labels, least).any(axis=0))
        raise StudyError(
            "the patients can't be dealt out so that every part has every class; short of: "
            f"{', '.join(self.names[i] for i in short)}. Add patients, merge classes or take fewer parts."
        )

    def cut_validation(self, in_test: AnyArray, share: float, rng: np.random.Generator) -> AnyArray:
        """Name of the part of each patient, the validation part being cut from those not in the test part."""
        part = np.where(in_test, TEST, TRAIN).astype(object)
        rest = np.flatnonzero(~in_test)
        if share:
            cut = self.deal(np.array([1 - share, share]), np.array([1, 1]), rng, rest)
            part[rest[cut == 1]] = VALIDATION
        return part

    def rows(self, part: AnyArray, repetition: int, fold: int) -> pd.DataFrame:
        table = self.cases.assign(repetition=repetition, fold=fold, part=part[self.of_case])
        return table.sort_values("case_id", ignore_index=True)


def texts(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    if not len(frame):
        raise StudyError("there are no cases to split.")
    out = {}
    for column in columns:
        if column not in frame:
            raise StudyError(f"the cases have no column '{column}'. Columns: {some(frame.columns, limit=20)}.")
        out[column] = [as_text(value) for value in frame[column]]
        empty = sum(value is None for value in out[column])
        if empty:
            raise StudyError(f"column '{column}' is empty in {empty} cases. Leave these out before splitting.")
    return pd.DataFrame(out)


def _counts(patient: IntArray, kind: IntArray, patients: int, kinds: int) -> IntArray:
    counts = np.zeros((patients, kinds), dtype=np.int64)
    np.add.at(counts, (patient, kind), 1)
    return counts
