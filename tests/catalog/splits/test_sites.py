"""Splits by site and several labels: patients apart for any cohort, and the proportions that papers print."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from tests.catalog.splits.frames import cohort, share, sides

from hounsfield.catalog.splits.sites import (
    assert_shares,
    balanced_hold_out,
    balanced_k_fold,
    balanced_nested,
    hold_out_sites,
    leave_one_site_out,
    shares,
    sites_of,
)
from hounsfield.core.errors import StudyError

Way = Callable[[pd.DataFrame, int], pd.DataFrame]
WAYS: dict[str, Way] = {
    "hold-out": lambda frame, seed: balanced_hold_out(frame, labels=["label", "grade"], site="site", seed=seed),
    "k-fold": lambda frame, seed: balanced_k_fold(frame, labels=["label", "grade"], site="site", seed=seed, folds=4),
    "nested": lambda frame, seed: balanced_nested(frame, labels=["label", "grade"], seed=seed, folds=4),
    "leave-one-site-out": lambda frame, seed: leave_one_site_out(frame, labels=["label"], site="site", seed=seed),
    "hold-out-sites": lambda frame, seed: hold_out_sites(
        frame, labels=["label"], site="site", seed=seed, test_sites=["B"]
    ),
}


def drawn(seed: int) -> pd.DataFrame:
    """A cohort of a size, number of classes, sites and cases a patient drawn from the seed, with a second label."""
    rng = np.random.default_rng(seed)
    patients = {name: int(rng.integers(12, 40)) for name in "abc"[: int(rng.integers(2, 4))]}
    frame = cohort(patients, cases=(1, 2, 5), sites=("A", "B", "C"), seed=seed)
    grade = {name: rng.choice(["low", "high"]) for name in sorted(set(frame["patient_id"]))}
    return frame.assign(grade=frame["patient_id"].map(grade))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("seed", range(8))
def test_patients_are_apart_and_the_order_of_rows_does_not_matter(way: str, seed: int) -> None:
    frame = drawn(seed)
    split = WAYS[way](frame, seed)
    assert sides(split) == 1
    rounds = split.groupby(["repetition", "fold"])
    assert all(sorted(one["case_id"]) == sorted(frame["case_id"]) for _, one in rounds)
    assert all({"train", "validation", "test"} == set(one["part"]) for _, one in rounds)
    for order in (1, 2):
        shuffled = frame.sample(frac=1, random_state=order)[["site", "grade", "label", "patient_id", "case_id"]]
        pd.testing.assert_frame_equal(WAYS[way](shuffled, seed), split)
    pd.testing.assert_frame_equal(WAYS[way](frame, seed), split)
    assert not WAYS[way](frame, seed + 1)["part"].equals(split["part"])


@pytest.mark.parametrize("seed", range(5))
def test_labels_and_sites_are_balanced_together(seed: int) -> None:
    frame = cohort({"a": 120, "b": 60}, cases=(1, 2), sites=("A", "B", "C"), seed=seed)
    rng = np.random.default_rng(seed)
    grade = {name: rng.choice(["low", "high"], p=[0.7, 0.3]) for name in sorted(set(frame["patient_id"]))}
    frame = frame.assign(grade=frame["patient_id"].map(grade))
    for split in (
        balanced_hold_out(frame, labels=["label", "grade"], site="site", seed=seed),
        balanced_k_fold(frame, labels=["label", "grade"], site="site", seed=seed),
        balanced_nested(frame, labels=["label", "grade"], site="site", seed=seed, folds=3),
    ):
        for column in ("label", "grade", "site"):
            found = share(split, frame, column)
            whole = frame[column].value_counts(normalize=True)
            assert (found - whole[found.columns]).abs().to_numpy().max() < 0.05


def test_printed_proportions() -> None:
    assert shares("56:14:30") == (0.30, 0.20)
    assert shares("4:1") == (0.2, 0.0)
    assert shares(" 80 / 10 / 10 ") == (0.1, pytest.approx(1 / 9))
    assert shares("0.7:0.15:0.15") == (0.15, pytest.approx(0.15 / 0.85))
    assert shares("4838:312:460") == (pytest.approx(460 / 5610), pytest.approx(312 / 5150))
    for wrong in ("4", "4:0", "1:2:3:4", "a:b", "-1:2", "", "4:1:0"):
        with pytest.raises(StudyError, match="two or three numbers above 0"):
            shares(wrong)


def parts_of(frame: pd.DataFrame, text: str) -> dict[str, int]:
    test, validation = shares(text)
    split = balanced_hold_out(frame, labels=["label"], seed=0, test=test, validation=validation)
    return {str(part): int(count) for part, count in split["part"].value_counts().items()}


def test_hold_outs_of_the_published_studies() -> None:
    # LiTS in 3D-RADNet: 131 scans 70:15:15 are 92, 19 and 20; 91.7, 19.65 and 19.65 can be rounded in two ways.
    liver = cohort({"liver": 131})
    found = parts_of(liver, "70:15:15")
    assert [found[part] for part in ("train", "validation", "test")] == pytest.approx([92, 19, 20], abs=1)
    assert parts_of(liver, "92:19:20") == {"train": 92, "validation": 19, "test": 20}
    # LIDC in Cai et al.: 430 malignant and 671 benign 8:2 are 344 + 536 and 86 + 135 (134.2).
    frame = cohort({"malignant": 430, "benign": 671})
    split = balanced_hold_out(frame, labels=["label"], seed=0, test=0.2, validation=0)
    counts = pd.crosstab(split["part"], split["case_id"].map(frame.set_index("case_id")["label"]))
    assert counts.loc["test", "malignant"] == 86
    assert counts.loc["test", "benign"] in (134, 135)
    # Tomosynthesis, Buda et al.: 4838, 312 and 460 of 5610 studies.
    found = parts_of(cohort({"normal": 5129, "actionable": 280, "benign": 112, "cancer": 89}), "4838:312:460")
    assert [found[part] for part in ("train", "validation", "test")] == pytest.approx([4838, 312, 460], abs=2)
    # Eighty, ten, ten.
    assert parts_of(cohort({"a": 50, "b": 50}), "80:10:10") == {"train": 80, "validation": 10, "test": 10}


def test_four_to_one_and_five_folds() -> None:
    """Guo and Yin: 295 patients (87 and 208) with 714 scans, 4:1, the training patients in five folds."""
    frame = cohort({"cryptococcosis": 87, "cancer": 208}, cases=(1, 2, 3, 4), seed=3)
    split = balanced_nested(frame, labels=["label"], seed=1)
    first = split[split["fold"] == 0].set_index("case_id")["part"]
    in_test = set(first[first == "test"].index)
    assert len(in_test) / len(frame) == pytest.approx(0.2, abs=0.005)
    assert split[split["part"] == "test"]["patient_id"].nunique() == pytest.approx(58, abs=6)  # the print has 58
    validated: list[str] = []
    for _, fold in split.groupby("fold"):
        assert set(fold.loc[fold["part"] == "test", "case_id"]) == in_test  # the same in all folds
        validation = fold.loc[fold["part"] == "validation", "case_id"].tolist()
        assert len(validation) == pytest.approx((len(frame) - len(in_test)) / 5, abs=3)
        validated += validation
    assert sorted(validated) == sorted(set(frame["case_id"]) - in_test)  # each once over the folds
    assert (split["fold"].nunique(), sides(split)) == (5, 1)


def test_twenty_two_folds_of_five_patients() -> None:
    """Brain tumours (Buda et al.): 110 patients in 22 folds of exactly five, no validation part."""
    frame = cohort({"1": 55, "2": 31, "3": 24})
    split = balanced_k_fold(frame, labels=["label"], seed=0, folds=22, validation=0)
    tested = split[split["part"] == "test"].groupby("fold")["patient_id"].nunique()
    assert tested.tolist() == [5] * 22
    assert set(split["part"]) == {"train", "test"}


def test_leave_one_site_out_and_named_sites() -> None:
    frame = cohort({"a": 40, "b": 40}, cases=(1, 2), sites=("A", "B", "C"), seed=1)
    split = leave_one_site_out(frame, labels=["label"], site="site", seed=0)
    site = frame.set_index("case_id")["site"]
    for fold, name in enumerate(sites_of(frame, "site")):
        one = split[split["fold"] == fold]
        assert set(one.loc[one["part"] == "test", "case_id"]) == set(site[site == name].index)
    named = hold_out_sites(frame, labels=["label"], site="site", seed=0, test_sites=["C", "A"])
    assert set(named.loc[named["part"] == "test", "case_id"]) == set(site[site != "B"].index)
    again = hold_out_sites(frame, labels=["label"], site="site", seed=0, test_sites=["A", "C"])
    pd.testing.assert_frame_equal(named, again)
    with pytest.raises(StudyError, match="no such site in column 'site': B-.* Did you mean 'B'"):
        hold_out_sites(frame, labels=["label"], site="site", seed=0, test_sites=["B-"])
    with pytest.raises(StudyError, match="none named"):
        hold_out_sites(frame, labels=["label"], site="site", seed=0, test_sites=[])
    with pytest.raises(StudyError, match="training on the other sites"):
        hold_out_sites(frame, labels=["label"], site="site", seed=0, test_sites=["A", "B", "C"])


def test_patients_of_several_sites() -> None:
    frame = cohort({"a": 30, "b": 30}, cases=(3,), sites=("A", "B"), seed=2)
    # One patient has one case at the other site, one has two there.
    for patient, moved in (("a0", 1), ("b0", 2)):
        rows = frame.index[frame["patient_id"] == patient][:moved]
        frame.loc[rows, "site"] = "B" if frame.loc[rows[0], "site"] == "A" else "A"
    with pytest.raises(StudyError, match="2 patients have cases at several sites"):
        leave_one_site_out(frame, labels=["label"], site="site", seed=0)
    split = leave_one_site_out(frame, labels=["label"], site="site", seed=0, shared="home")
    assert sides(split) == 1
    home = frame.groupby("patient_id")["site"].agg(lambda one: one.value_counts().idxmax())
    tested = split[(split["fold"] == 0) & (split["part"] == "test")]["patient_id"].unique()
    assert set(tested) == set(home[home == "A"].index)  # the site of most cases
    assert sides(balanced_hold_out(frame, labels=["label"], site="site", seed=0)) == 1


def test_what_cannot_be_split_is_said() -> None:
    frame = cohort({"a": 20, "b": 2}, sites=("A", "B"))
    with pytest.raises(StudyError, match="3 parts needs at least 3 patients of every class; 'b' has 2"):
        balanced_hold_out(frame, labels=["label"], seed=0)
    with pytest.raises(StudyError, match="a test part and 5 folds needs at least 6"):
        balanced_nested(frame, labels=["label"], seed=0)
    with pytest.raises(StudyError, match="two sites or more"):
        leave_one_site_out(frame.assign(site="one"), labels=["label"], site="site", seed=0)
    with pytest.raises(StudyError, match="column 'site' is empty in 1 cases"):
        balanced_hold_out(frame.assign(site=[None, *frame["site"][1:]]), labels=["label"], site="site", seed=0)
    with pytest.raises(StudyError, match="one label column or more"):
        balanced_k_fold(frame, labels=[], seed=0)
    with pytest.raises(StudyError, match="folds is 2 or more"):
        balanced_nested(frame, labels=["label"], seed=0, folds=1)
    # One patient has half of all cases: no thirds can be had.
    large = pd.concat([cohort({"a": 10}), pd.DataFrame({"case_id": [f"x{i}" for i in range(10)], "patient_id": "x",
                                                       "label": "a", "site": "only"})])  # fmt: skip
    split = balanced_hold_out(large, labels=["label"], seed=0, test=0.3, validation=0)
    assert sides(split) == 1
    with pytest.raises(StudyError, match=r"test 50\.0% \(wanted 5\.0%\)"):
        assert_shares(split.assign(part=["test"] * 10 + ["train"] * 10, patient_id=range(20)), {"test": 0.05})
