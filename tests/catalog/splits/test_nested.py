"""Folds inside a hold-out: the published shares, and every patient on one side."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hounsfield.catalog.splits.nested import nested
from hounsfield.catalog.splits.split import assert_patients_apart
from hounsfield.core.errors import StudyError


def cohort(seed: int = 0) -> pd.DataFrame:
    """295 patients, 87 of them positive, with 1 to 4 series each: the paper's counts of patients."""
    rng = np.random.default_rng(seed)
    count = rng.integers(1, 5, 295)
    patient = np.repeat(np.arange(295), count)
    label = np.where(patient < 87, "cryptococcosis", "cancer")
    return pd.DataFrame(
        {
            "case_id": [f"c{number}" for number in range(len(patient))],
            "patient_id": [f"p{one}" for one in patient],
            "y": label,
        }
    )


def test_shares_are_those_of_the_paper():
    frame = cohort()
    split = nested(frame, label="y", seed=0, test=0.2, folds=5)
    assert_patients_apart(split)
    one = split[split["fold"] == 0]
    # Printed: 58 of 295 patients and 147 of 714 scans in the test part.
    assert one[one["part"] == "test"]["patient_id"].nunique() == pytest.approx(59, abs=4)
    assert (one["part"] == "test").mean() == pytest.approx(0.2, abs=0.02)
    assert (one["part"] == "validation").mean() == pytest.approx(0.16, abs=0.02)
    shares = one.merge(frame[["case_id", "y"]]).groupby("part")["y"].apply(lambda y: (y == "cryptococcosis").mean())
    assert np.ptp(shares) < 0.03


def test_one_test_part_for_all_folds_and_each_other_case_is_validated_once():
    frame = cohort()
    split = nested(frame, label="y", seed=3, test=0.2, folds=4, repetitions=2)
    for _, part in split.groupby("repetition"):
        tests = [set(rows["case_id"]) for _, rows in part[part["part"] == "test"].groupby("fold")]
        assert len(tests) == 4
        assert all(one == tests[0] for one in tests)
        validated = part[part["part"] == "validation"]["case_id"]
        assert validated.is_unique
        assert set(validated) | tests[0] == set(frame["case_id"])
        assert not set(validated) & tests[0]
        for _, rows in part.groupby("fold"):
            assert set(rows["case_id"]) == set(frame["case_id"])


def test_order_of_rows_changes_nothing_and_repetitions_differ():
    frame = cohort()
    split = nested(frame, label="y", seed=1, repetitions=2)
    again = nested(frame.sample(frac=1, random_state=4), label="y", seed=1, repetitions=2)
    pd.testing.assert_frame_equal(split, again)
    first, second = (
        set(split[(split["repetition"] == number) & (split["part"] == "test")]["case_id"]) for number in (0, 1)
    )
    assert first != second


def test_too_few_patients_is_said():
    frame = cohort()[lambda table: (table["y"] == "cancer") | (table["patient_id"] == "p0")]
    with pytest.raises(StudyError, match="cryptococcosis"):
        nested(frame, label="y", seed=0)
