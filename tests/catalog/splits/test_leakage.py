"""The proof of no leakage counts what was put there by hand."""

from __future__ import annotations

import pickle

import pandas as pd
import pytest

from hounsfield.catalog.splits.leakage import leakage_of
from hounsfield.catalog.splits.split import k_fold
from hounsfield.core.errors import StudyError


def _split() -> pd.DataFrame:
    """Two folds of four cases; patient p has two of them."""
    rows = [
        (0, "1", "p", "train"), (0, "2", "p", "train"), (0, "3", "q", "validation"), (0, "4", "r", "test"),
        (1, "1", "p", "test"), (1, "2", "p", "test"), (1, "3", "q", "train"), (1, "4", "r", "validation"),
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["fold", "case_id", "patient_id", "part"]).assign(repetition=0)


def test_clean_split() -> None:
    proof = leakage_of(_split(), digests={"1": "a", "2": "a", "3": "b", "4": "c"})
    assert proof.clean
    assert proof.words() == (
        "Patients in each of 2 splits: 1 in train, 1 in validation, 1 in test. Patients in two parts: 0. "
        "Images with identical pixels in two parts: 0."
    )
    assert proof.cases == {"train": (1, 2), "validation": (1, 1), "test": (1, 2)}
    assert pickle.loads(pickle.dumps(proof)) == proof


def test_patient_on_two_sides_is_counted_per_fold() -> None:
    split = _split()
    split.loc[3, "patient_id"] = "p"  # train and test of fold 0
    split.loc[6, "patient_id"] = "r"  # train and validation of fold 1
    proof = leakage_of(split)
    assert (proof.patient_overlaps, proof.pixel_overlaps, proof.clean) == (2, None, False)
    assert "Patients in two parts: 2. Pixels of the images were not compared. This split leaks" in proof.words()


def test_same_pixels_under_two_patients_are_found() -> None:
    # Cases 3 and 4 share their pixels: on two sides in fold 0 and in fold 1.
    split = _split().assign(digest=["a", "b", "c", "c"] * 2)
    proof = leakage_of(split, digest="digest")
    assert (proof.patient_overlaps, proof.pixel_overlaps, proof.without_digest, proof.clean) == (0, 2, 0, False)
    # Cases 1 and 2 share theirs on the same side.
    assert leakage_of(_split().assign(digest=["a", "a", "b", "c"] * 2), digest="digest").clean


def test_cases_without_digest_are_said() -> None:
    proof = leakage_of(_split(), digests={"1": "a", "2": "b"})
    assert (proof.pixel_overlaps, proof.without_digest) == (0, 2)
    assert proof.words().endswith("2 cases could not be compared.")


def test_spans_over_uneven_folds() -> None:
    frame = pd.DataFrame({"case_id": list("abcdefg"), "patient_id": list("abcdefg"), "label": ["x"] * 7})
    proof = leakage_of(k_fold(frame, label="label", seed=0, folds=3))
    assert proof.rounds == 3
    assert proof.patients["test"] == (2, 3)  # 7 patients in 3 folds
    assert "2 to 3 in test" in proof.words()


def test_bad_input() -> None:
    with pytest.raises(StudyError, match="missing: fold, digest"):
        leakage_of(_split().drop(columns="fold"), digest="digest")
    with pytest.raises(StudyError, match="empty"):
        leakage_of(_split()[:0])
