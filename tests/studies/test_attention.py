"""Which cases show where a network looked: the rule on made-up probabilities, and the views of a finished run."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hounsfield.studies.attention import attention_of, chosen_cases
from hounsfield.studies.cohort import make_cohort
from hounsfield.studies.pieces import Unit


def predictions(label: str, prob: list[float]) -> pd.DataFrame:
    names = [f"c{k}" for k in range(len(prob))]
    classes = ["up" if one == "1" else "down" for one in label]
    return pd.DataFrame({"case_id": names, "patient_id": names, "label": classes, "prob_up": prob, "split": "test"})


def test_highest_lowest_and_most_wrong_each_case_once():
    rows = predictions("10101001", [0.90, 0.80, 0.05, 0.10, 0.20, 0.45, 0.70, 0.40])
    extra = predictions("0", [0.99]).assign(split="validation")
    found = chosen_cases(pd.concat([rows, extra]), ["down", "up"])
    assert list(zip(found["case_id"], found["why"], strict=True)) == [
        ("c0", "highest"),
        ("c1", "highest"),  # wrong as well, and taken already
        ("c2", "lowest"),
        ("c3", "lowest"),
        ("c4", "most wrong"),  # off by 0.8; c6 by 0.7, c7 by 0.6
        ("c6", "most wrong"),
    ]


def test_series_of_one_patient_are_one_example():
    rows = predictions("1100", [0.9, 0.8, 0.7, 0.2]).assign(patient_id=["p0", "p0", "p2", "p3"])
    found = chosen_cases(rows, ["down", "up"])
    assert list(zip(found["case_id"], found["why"], strict=True)) == [
        ("c0", "highest"),
        ("c2", "highest"),  # c1 is another series of the same patient
        ("c3", "lowest"),
    ]


def test_few_cases_and_none_wrong():
    found = chosen_cases(predictions("101", [0.9, 0.2, 0.8]), ["down", "up"])
    assert found["why"].tolist() == ["highest", "highest", "lowest"]


def test_views_of_a_finished_run(finished_run, tmp_path):
    study = finished_run.study
    cohort = make_cohort(
        study, finished_run.cases, finished_run.out / "cache", workers=1, progress=lambda items, *_: items
    )
    views = attention_of(finished_run.out, study, cohort, [Unit(0, 0, 1)], device="cpu")
    # A U-Net with a branch has no map here, and a fusion's network is that of another arm.
    assert list(dict.fromkeys(one.arm for one in views)) == ["raw", "expert_mask", "auto_mask", "joint", "transfer"]
    test = (
        pd.read_parquet(finished_run.out / "predictions.parquet").query("split == 'test'").set_index(["arm", "case_id"])
    )
    for one in views:
        assert one.part == "lesion"
        assert one.heat.shape == one.image.shape == (16, 16, 16)
        assert one.heat.max() in (0.0, 1.0)
        assert one.heat.min() >= 0
        assert one.prob == test.loc[(one.arm, one.case_id), "prob_large"]
        assert one.label == test.loc[(one.arm, one.case_id), "label"]
        place = next(k for k, case in enumerate(cohort.cases) if case.case_id == one.case_id)
        np.testing.assert_array_equal(one.image, cohort.prepared.images[place])
        assert one.reference is not None
        assert one.reference.sum() == cohort.prepared.masks[place].sum()
