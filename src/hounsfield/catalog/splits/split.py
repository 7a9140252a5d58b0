"""Splits: a frame of cases with patients and classes goes in, a frame that gives every case its part comes out.

Always by patient (no patient is on two sides), stratified (every class has its share in every part, as nearly as whole
patients allow), seeded, and independent of the order of rows. What comes out has one row per case, repetition and
fold: `case_id, patient_id, repetition, fold, part`, part being train, validation or test.

The test part is dealt before and apart from the validation part: another share for validation leaves it as it is.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from hounsfield.catalog.splits.balance import deal, shortage
from hounsfield.core.errors import StudyError
from hounsfield.core.seeds import generator
from hounsfield.core.types import IntArray

TRAIN, VALIDATION, TEST = PARTS = ("train", "validation", "test")
COLUMNS = ("case_id", "patient_id", "repetition", "fold", "part")

_TRIALS = 20  # starts from which the dealing may try to give every part every class


def hold_out(
    frame: pd.DataFrame,
    *,
    label: str,
    seed: int,
    test: float = 0.30,
    validation: float = 0.20,
    repetitions: int = 1,
) -> pd.DataFrame:
    """One split into three parts per repetition, by default 56 / 14 / 30 % of the cases of every class.

    Args:
        frame: one row a case with `case_id`, `patient_id` and the column `label`; nothing missing in them.
        label: column of the classes to stratify by; take the finest grouping that any task of the study uses.
        test: share of the cases in the test part.
        validation: share of the rest in the validation part; 0 for none.
        repetitions: independent splits; repetition r is the same however many there are.
    Returns: frame with the columns `COLUMNS`, sorted by repetition and case_id; `fold` is 0.
    Raises: StudyError for missing values and when a class has too few patients to be in every part.
    Source: shares of Wang et al., Comput Med Imaging Graph 2021;88:101814, section on the data.
    """
    _fraction("test", test, zero=False)
    _fraction("validation", validation, zero=True)
    people = _People(frame, label)
    least = np.array([2 if validation else 1, 1])
    people.require(int(least.sum()), f"a split into {'3' if validation else '2'} parts")
    rounds = []
    for repetition in range(repetitions):
        rng = generator(seed, "hold_out", repetition)
        in_test = people.deal(np.array([1 - test, test]), least, rng, np.arange(len(people.ids))) == 1
        part = people.cut_validation(in_test, validation, generator(seed, "hold_out", repetition, "validation"))
        rounds.append(people.rows(part, repetition, 0))
    return _checked(rounds)


def k_fold(
    frame: pd.DataFrame, *, label: str, seed: int, folds: int = 5, validation: float = 0.20, repetitions: int = 1
) -> pd.DataFrame:
    """Cross-validation: every case is in the test part of exactly one fold per repetition.

    Args:
        frame, label, validation, repetitions: see `hold_out`; the validation part is cut from each training part.
        folds: number of folds, 2 or more.
    Returns: frame with the columns `COLUMNS`, sorted by repetition, fold and case_id.
    Raises: StudyError for missing values and when a class has too few patients to be in every part of every fold.
    """
    if folds < 2:
        raise StudyError(f"folds is 2 or more; got {folds}. For a single split take hold_out.")
    _fraction("validation", validation, zero=True)
    people = _People(frame, label)
    # Two patients of a class are needed outside of every fold, one to train and one to validate on.
    least = np.full(folds, 2 if validation and folds == 2 else 1)
    people.require(int(least.sum()), f"{folds} folds" + (" with a validation part" if validation else ""))
    rounds = []
    for repetition in range(repetitions):
        rng = generator(seed, "k_fold", repetition)
        fold_of = people.deal(np.full(folds, 1 / folds), least, rng, np.arange(len(people.ids)))
        for fold in range(folds):
            own = generator(seed, "k_fold", repetition, "validation", fold)
            rounds.append(people.rows(people.cut_validation(fold_of == fold, validation, own), repetition, fold))
    return _checked(rounds)


def assert_patients_apart(split: pd.DataFrame) -> None:
    """Check that within each repetition and fold every case stands once and no patient stands in two parts.

    Raises: StudyError when not, naming repetition, fold and the number of patients or cases.
    """
    missing = [column for column in COLUMNS if column not in split]
    if missing:
        raise StudyError(f"a split has the columns {', '.join(COLUMNS)}; missing: {', '.join(missing)}.")
    unknown = sorted(set(split["part"].astype(str)) - set(PARTS))
    if unknown:
        raise StudyError(f"a part is one of {', '.join(PARTS)}; got {', '.join(unknown)}.")
    keys = ["repetition", "fold"]
    twice = split[split.duplicated([*keys, "case_id"])]
    if len(twice):
        raise StudyError(f"{len(twice)} cases stand more than once in a split: {_place(twice)}. Give each one part.")
    parts = split.groupby([*keys, "patient_id"])["part"].nunique()
    both = parts[parts > 1].reset_index()
    if len(both):
        raise StudyError(
            f"{len(both)} patients stand on two sides of a split: {_place(both)}. "
            "Put all cases of a patient in one part."
        )


def part_counts(split: pd.DataFrame, frame: pd.DataFrame, *, label: str) -> pd.DataFrame:
    """Cases and patients per repetition, fold, part and class, with the share of the class's cases.

    Returns: columns repetition, fold, part, class, cases, patients, share.
    """
    classes = pd.Series(frame[label].astype(str).to_numpy(), index=frame["case_id"].astype(str).to_numpy())
    table = split.assign(**{"class": classes.loc[split["case_id"].to_numpy()].to_numpy()})
    keys = ["repetition", "fold", "part", "class"]
    counts = table.groupby(keys).agg(cases=("case_id", "size"), patients=("patient_id", "nunique")).reset_index()
    of_class = counts.groupby(["repetition", "fold", "class"])["cases"].transform("sum")
    return counts.assign(share=counts["cases"] / of_class)


class _People:
    """The patients of a cohort in a fixed order, with their cases and the count of each class."""

    def __init__(self, frame: pd.DataFrame, label: str) -> None:
        for column in ("case_id", "patient_id", label):
            if column not in frame:
                raise StudyError(
                    f"the cases have no column '{column}'; a split needs case_id, patient_id and the label."
                )
            if frame[column].isna().any():
                count = int(frame[column].isna().sum())
                raise StudyError(f"column '{column}' is empty in {count} cases. Leave these out before splitting.")
        if not len(frame):
            raise StudyError("there are no cases to split.")
        # Sorted: the split must not depend on the order in which a spreadsheet happens to be.
        table = pd.DataFrame({name: frame[name].map(str) for name in ("patient_id", "case_id")})
        table = table.assign(label=frame[label].map(str)).sort_values(["patient_id", "case_id"], ignore_index=True)
        if table["case_id"].duplicated().any():
            raise StudyError("a case_id stands twice. Give every case its own before splitting.")
        self.cases = table
        self.ids, self.of_case = np.unique(table["patient_id"].to_numpy(dtype=str), return_inverse=True)
        self.classes, class_of_case = np.unique(table["label"].to_numpy(dtype=str), return_inverse=True)
        self.counts: IntArray = np.zeros((len(self.ids), len(self.classes)), dtype=np.int64)
        np.add.at(self.counts, (self.of_case, class_of_case), 1)

    def require(self, patients: int, purpose: str) -> None:
        """Raises: StudyError naming each class with fewer patients than `patients`."""
        found = (self.counts > 0).sum(axis=0)
        few = [f"'{name}' has {n}" for name, n in zip(self.classes, found, strict=True) if n < patients]
        if few:
            raise StudyError(
                f"too few patients: {purpose} needs at least {patients} patients of every class; {', '.join(few)}. "
                "Add patients, merge classes or take fewer parts."
            )

    def deal(self, shares: np.ndarray, least: IntArray, rng: np.random.Generator, who: IntArray) -> IntArray:
        """Part of each of the patients `who`, each part with every class."""
        for _ in range(_TRIALS):
            part = deal(self.counts[who], shares, least, rng)
            if not shortage(part, self.counts[who], least).any():
                return part
        short = self.classes[shortage(part, self.counts[who], least).any(axis=0)]
        raise StudyError(
            f"the patients can't be dealt out so that every part has every class; short of: {', '.join(short)}. "
            "Add patients of these classes, merge classes or take fewer parts."
        )

    def cut_validation(self, in_test: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
        """Name of the part of each patient, the validation part being cut from those not in the test part."""
        part = np.where(in_test, TEST, TRAIN).astype(object)
        rest = np.flatnonzero(~in_test)
        if share:
            cut = self.deal(np.array([1 - share, share]), np.array([1, 1]), rng, rest)
            part[rest[cut == 1]] = VALIDATION
        return part

    def rows(self, part: np.ndarray, repetition: int, fold: int) -> pd.DataFrame:
        table = self.cases[["case_id", "patient_id"]].assign(repetition=repetition, fold=fold, part=part[self.of_case])
        return table.sort_values("case_id", ignore_index=True)


def _checked(rounds: list[pd.DataFrame]) -> pd.DataFrame:
    if not rounds:
        raise StudyError("repetitions is 1 or more.")
    split = pd.concat(rounds, ignore_index=True)[list(COLUMNS)]
    assert_patients_apart(split)
    return split


def _fraction(name: str, value: float, *, zero: bool) -> None:
    if not (0 < value < 1 or (zero and value == 0)):
        raise StudyError(f"{name} is a share between 0 and 1{' (or 0 for none)' if zero else ''}; got {value}.")


def _place(rows: pd.DataFrame) -> str:
    first = rows.iloc[0]
    return f"first in repetition {first['repetition']}, fold {first['fold']}"
