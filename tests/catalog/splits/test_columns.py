"""A split kept in columns of the cases table, and back."""

from __future__ import annotations

import pandas as pd
import pytest
from tests.catalog.splits.frames import cohort

from hounsfield.catalog.splits.columns import balance_of, split_columns, split_of, with_split
from hounsfield.catalog.splits.sites import balanced_hold_out, balanced_k_fold, leave_one_site_out, sites_of
from hounsfield.core.errors import StudyError

FRAME = cohort({"a": 20, "b": 20}, cases=(1, 2), sites=("St. Mary", "North"), seed=1)


def test_there_and_back() -> None:
    split = balanced_k_fold(FRAME, labels=["label"], seed=0, folds=3, repetitions=2)
    out = with_split(FRAME, split, column="part")
    names = [f"part_r{r}_fold{f}" for r in range(2) for f in range(3)]
    assert [name for name in out if name not in FRAME] == names == split_columns(split, column="part")
    back = split_of(out, names)
    for number, (_, one) in enumerate(split.groupby(["repetition", "fold"])):
        parts = dict(zip(one["case_id"], one["part"], strict=True))
        mine = back[back["fold"] == number]
        assert dict(zip(mine["case_id"], mine["part"], strict=True)) == parts
    assert out[list(FRAME)].equals(FRAME)  # the order of rows and all else stay


def test_names_of_columns() -> None:
    hold = balanced_hold_out(FRAME, labels=["label"], seed=0)
    assert split_columns(hold) == ["split"]
    assert split_columns(balanced_hold_out(FRAME, labels=["label"], seed=0, repetitions=2)) == ["split_r0", "split_r1"]
    sites = sites_of(FRAME, "site")
    by_site = leave_one_site_out(FRAME, labels=["label"], site="site", seed=0)
    assert split_columns(by_site, sites=sites) == ["split_site_North", "split_site_St_Mary"]
    with pytest.raises(StudyError, match="two sites give the column"):
        split_columns(by_site, sites=["A.", "A!"])


def test_columns_are_not_written_over_unless_asked() -> None:
    ten = with_split(FRAME, balanced_k_fold(FRAME, labels=["label"], seed=0, folds=10))
    three = balanced_k_fold(FRAME, labels=["label"], seed=0, folds=3)
    with pytest.raises(StudyError, match="already"):
        with_split(ten, three)
    replaced = with_split(ten, three, replace=True)
    # No fold of the old ten is left beside the new three.
    assert [name for name in replaced if name not in FRAME] == ["split_fold0", "split_fold1", "split_fold2"]
    # What only has the name of a split is nobody's to take away.
    own = FRAME.assign(split="a word of mine")
    with pytest.raises(StudyError, match="Choose another name"):
        with_split(own, balanced_hold_out(FRAME, labels=["label"], seed=0), replace=True)


def test_balance_counts_cases_and_patients() -> None:
    frame = pd.DataFrame(
        {
            "patient_id": ["p", "p", "q", "r"],
            "label": [1, 1, 0, 1],
            "split": ["train", "train", "train", "test"],
        }
    )
    rows = balance_of(frame, ["split"], ["label"]).to_numpy().tolist()
    assert rows == [
        ["split", "train", "label", "0", 1, 1, pytest.approx(1 / 3)],
        ["split", "train", "label", "1", 2, 1, pytest.approx(2 / 3)],
        ["split", "test", "label", "0", 0, 0, 0.0],
        ["split", "test", "label", "1", 1, 1, 1.0],
    ]


def test_bad_columns() -> None:
    split = balanced_hold_out(FRAME, labels=["label"], seed=0)
    with pytest.raises(StudyError, match="1 cases have no part"):
        with_split(FRAME, split[1:])
    out = with_split(FRAME, split)
    with pytest.raises(StudyError, match="no column 'part'"):
        split_of(out, ["part"])
    with pytest.raises(StudyError, match="other words"):
        split_of(out.assign(split="Test"), ["split"])
    leaking = out.assign(patient_id="one")
    with pytest.raises(StudyError, match="1 patients stand on two sides"):
        split_of(leaking, ["split"])
