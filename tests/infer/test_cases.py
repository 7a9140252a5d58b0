"""Prediction of a cases table by a bundle: the study's own numbers again, labels, cases set aside."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hounsfield.core.errors import BundleError, ProblemsError
from hounsfield.data.prepare import prepare_cases
from hounsfield.infer.cases import decisions, predict_cases, predict_prepared
from hounsfield.tables.cases import read_cases
from hounsfield.tables.predictions import read_predictions


def part_of(finished_run, folder, *, masks: bool = True, change=None):
    """A table of the finished run's test cases, its paths kept by a link to the data."""
    own = pd.read_parquet(finished_run.out / "predictions.parquet")
    ids = sorted(set(own["case_id"][own["split"] == "test"]))
    frame = pd.read_csv(finished_run.cases, dtype=str)
    frame = frame[frame["case_id"].isin(ids)].reset_index(drop=True)
    for name in ("images", "masks"):
        (folder / name).symlink_to(finished_run.cases.parent / name)
    if not masks:
        frame = frame.drop(columns="mask")
    if change is not None:
        change(frame)
    frame.to_csv(folder / "cases.csv", index=False)
    return folder / "cases.csv"


def test_bundles_give_the_numbers_of_the_study(finished_run, bundle_of):
    own = pd.read_parquet(finished_run.out / "predictions.parquet")
    own = own[own["split"] == "test"]
    ids = set(own["case_id"])
    cases = [case for case in read_cases(finished_run.cases).cases() if case.case_id in ids]
    prepared = prepare_cases(cases, finished_run.study.preparation, finished_run.out / "cache", workers=1)
    for arm in finished_run.study.arms:
        found = predict_prepared(bundle_of(arm), prepared).prob[:, 1]
        expected = own[own["arm"] == arm].set_index("case_id").loc[[case.case_id for case in cases], "prob_large"]
        assert found == pytest.approx(expected.to_numpy(), abs=1e-6), arm


def test_a_table_with_masks(finished_run, bundle_of, tmp_path):
    path = predict_cases(bundle_of("joint"), part_of(finished_run, tmp_path), tmp_path / "out", workers=1, csv=True)
    found = read_predictions(path).set_index("case_id")
    own = pd.read_parquet(finished_run.out / "predictions.parquet")
    own = own[(own["arm"] == "joint") & (own["split"] == "test")].set_index("case_id").loc[found.index]
    assert found["prob_large"].to_numpy() == pytest.approx(own["prob_large"].to_numpy(), abs=1e-6)
    assert (found["label"] == own["label"]).all()
    assert len(pd.read_csv(path.with_suffix(".csv"))) == len(found)
    threshold = bundle_of("joint").card.operating_point.threshold
    assert (found["decision"] == np.where(found["prob_large"] >= threshold, "large", "small")).all()
    assert not (tmp_path / "out" / "set_aside.csv").exists()


def test_a_table_without_masks_and_labels(finished_run, bundle_of, tmp_path):
    # Points in the middle of the images stand for the outlines; nothing is known of the truth.
    def change(frame):
        del frame["malignant"]
        for axis in "xyz":
            frame[f"centre_{axis}_mm"] = 8.5

    cases = part_of(finished_run, tmp_path, masks=False, change=change)
    found = read_predictions(predict_cases(bundle_of("auto_mask"), cases, tmp_path / "out", workers=1))
    assert found["label"].isna().all()
    assert found["dice"].isna().all()
    assert (found["predicted_volume_mm3"] > 0).all()
    for arm in ("expert_mask", "volume", "fusion"):
        with pytest.raises(BundleError, match=r"needs an expert's outline.*auto_mask, joint"):
            predict_cases(bundle_of(arm), cases, tmp_path / "none", workers=1)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("column", ["malignant", "large"])
def test_labels_may_be_values_or_names_of_classes(finished_run, bundle_of, tmp_path, column):
    def change(frame):
        words = [("0", "small"), ("1", "large")]
        values = [words[int(value)][number % 2] for number, value in enumerate(frame["malignant"])]
        values[0] = "who knows"
        del frame["malignant"]
        frame[column] = values

    cases = part_of(finished_run, tmp_path, change=change)
    found = read_predictions(predict_cases(bundle_of("volume"), cases, tmp_path / "out", workers=1))
    own = pd.read_csv(finished_run.cases).set_index("case_id")["malignant"].map({0: "small", 1: "large"})
    assert pd.isna(found["label"][0])
    assert (found["label"][1:] == found["case_id"][1:].map(own)).all()


def test_cases_set_aside_are_named_and_forgotten_when_mended(finished_run, bundle_of, tmp_path):
    def change(frame):
        frame.loc[0, "image"] = "images/nowhere.nii.gz"
        frame.loc[1, "mask"] = ""

    cases = part_of(finished_run, tmp_path, change=change)
    good = pd.read_csv(finished_run.cases, dtype=str)
    found = read_predictions(predict_cases(bundle_of("expert_mask"), cases, tmp_path / "out", workers=1))
    aside = pd.read_csv(tmp_path / "out" / "set_aside.csv")
    table = pd.read_csv(cases, dtype=str)
    assert sorted(aside["where"]) == sorted(f"case {name}" for name in table["case_id"][:2])
    assert sorted(found["case_id"]) == sorted(table["case_id"][2:])
    assert str(tmp_path) not in (tmp_path / "out" / "set_aside.csv").read_text()
    good[good["case_id"].isin(table["case_id"])].to_csv(cases, index=False)
    predict_cases(bundle_of("expert_mask"), cases, tmp_path / "out", workers=1)
    assert not (tmp_path / "out" / "set_aside.csv").exists()


def test_no_case_at_all(finished_run, bundle_of, tmp_path):
    def change(frame):
        frame["image"] = "images/nowhere.nii.gz"

    with pytest.raises(ProblemsError, match="no case could be prepared"):
        predict_cases(bundle_of("raw"), part_of(finished_run, tmp_path, change=change), tmp_path / "out", workers=1)


def test_decisions_at_the_operating_point_and_without_one(bundle_of):
    card = bundle_of("raw").card
    point = card.operating_point.model_copy(update={"threshold": 0.3})
    prob = np.array([[0.7, 0.3], [0.71, 0.29]])
    assert decisions(card.model_copy(update={"operating_point": point}), prob) == ["large", "small"]
    assert decisions(card.model_copy(update={"operating_point": None}), prob) == ["small", "small"]
