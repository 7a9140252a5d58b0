"""Changed outlines: what every arm then predicts, held against masks changed by brute force and models read by hand."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from hounsfield.core.errors import MaskError, RunError
from hounsfield.data.preparation import Preparation
from hounsfield.infer.model import FEATURES
from hounsfield.radiomics.perturb import Perturbation, perturbed
from hounsfield.stats.compare import compare_auc
from hounsfield.studies.mask_perturbation import changes_of, leans_on_masks, perturb_run
from hounsfield.studies.piece_files import load_piece
from hounsfield.studies.study import Arm
from hounsfield.tables.cases import read_cases
from hounsfield.volume.read import read_mask, read_volume


@pytest.fixture(scope="module")
def run(finished_run, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("perturbed") / "run"
    shutil.copytree(finished_run.out, folder)
    perturb_run(folder, finished_run.cases, device="cpu", workers=1)
    return folder


@pytest.fixture(scope="module")
def table(run) -> pd.DataFrame:
    return pd.read_csv(run / "mask_perturbation.csv")


def test_the_changes_are_in_voxels_of_the_study_and_in_mm(finished_run):
    changes = changes_of(finished_run.study)  # voxels of 1 mm
    assert [one.grow_mm for one in changes] == pytest.approx([0, -1, -2, 1, 2, 0, 0, 0])
    assert [one.shift_mm for one in changes[5:]] == [(3, 0, 0), (0, 3, 0), (0, 0, 3)]
    coarse = finished_run.study.model_copy(update={"preparation": Preparation(spacing_mm=(1.0, 0.7, 0.7))})
    assert changes_of(coarse)[1].grow_mm == pytest.approx(-(0.49 ** (1 / 3)))


def test_outlines_as_drawn_give_the_areas_of_the_run(table, run, finished_run):
    drawn = table[table["change"] == "as drawn"].set_index("arm")
    predictions = pd.read_parquet(run / "predictions.parquet")
    test = predictions[predictions["split"] == "test"]
    assert set(drawn.index) == set(finished_run.study.arms)
    for arm, rows in test.groupby("arm"):
        area = roc_auc_score(rows["label"] == "large", rows["prob_large"])
        assert drawn.loc[arm, ["auc", "auc_as_drawn"]].tolist() == pytest.approx([area, area])
    assert (drawn["mean_change"] == 0).all()
    assert (drawn["lost"] == 0).all()


def changed_mask(mask: np.ndarray, change: Perturbation) -> np.ndarray:
    """A shift by whole voxels done by slices; growing as `perturbed` does, which its own tests hold against balls."""
    if any(change.shift_mm):
        axis = int(np.argmax(change.shift_mm))
        moved = np.zeros_like(mask)
        to, since = [slice(None)] * 3, [slice(None)] * 3
        to[axis], since[axis] = slice(3, None), slice(None, -3)
        moved[tuple(to)] = mask[tuple(since)]
        return moved
    try:
        rng = np.random.default_rng(0)
        return perturbed(mask, mask, spacing_mm=(1.0, 1.0, 1.0), change=change, rng=rng)[1]
    except MaskError:
        return np.zeros_like(mask)


def test_the_volume_arm_predicts_the_changed_volume(table, run, finished_run):
    study = finished_run.study
    model = load_piece(run / "pieces" / "r0-f0-s1" / "large" / "volume", study, "large", study.arms["volume"])
    predictions = pd.read_parquet(run / "predictions.parquet")
    tested = set(predictions.loc[predictions["split"] == "test", "case_id"])
    cases = [case for case in read_cases(finished_run.cases).cases() if case.case_id in tested]
    masks = [read_mask(case.mask, like=read_volume(case.image)).array > 0 for case in cases]
    label = np.array([int(case.values["malignant"]) for case in cases])

    def prob(volumes: list[int]) -> np.ndarray:
        return model.features[FEATURES].prob({"volume_mm3": np.array(volumes, dtype=float)})[:, 1]

    rows = table[table["arm"] == "volume"].set_index("change")
    assert len(rows) == 8
    for change in changes_of(study):
        row = rows.loc[change.name]
        made = [changed_mask(mask, change) for mask in masks]
        sizes = [int(mask.sum()) for mask in made]
        same = sum(np.array_equal(mask, other) for mask, other in zip(masks, made, strict=True))
        assert row["unchanged"] == (0 if change.does_nothing else same)
        left = np.array(sizes) > 0
        assert (row["cases"], row["lost"]) == (left.sum(), (~left).sum())
        now = prob([size for size in sizes if size])
        before = prob([int(mask.sum()) for mask, there in zip(masks, left, strict=True) if there])
        assert row["mean_change"] == pytest.approx(np.abs(now - before).mean())
        if len(set(label[left])) < 2:  # every small ball is gone
            assert np.isnan(row["auc"])
            continue
        assert row["auc"] == pytest.approx(roc_auc_score(label[left], now))
        assert row["auc_as_drawn"] == pytest.approx(roc_auc_score(label[left], before))
        gap = compare_auc(label[left], now, before).difference  # each of these patients has one case
        assert row[["auc_change", "auc_change_low", "auc_change_high"]].tolist() == pytest.approx(
            [row["auc"] - row["auc_as_drawn"], gap.low, gap.high], nan_ok=True
        )
    assert rows.loc["eroded by 1 voxel (1 mm)", "mean_change"] > 0


def test_a_network_sees_another_cube_when_the_outline_moves(table):
    raw = table[table["arm"] == "raw"].set_index("change")["mean_change"]
    assert (raw[[name for name in raw.index if str(name).startswith("shifted")]] > 0).all()


def test_the_page_has_a_table_an_arm_and_names_what_was_lost(run, table):
    page = (run / "mask_perturbation.md").read_text(encoding="utf-8")
    assert page.count("| as drawn |") == table["arm"].nunique()
    if table["lost"].any():
        assert "## Left out" in page


@pytest.mark.parametrize(
    ("arm", "leans"),
    [
        ({"kind": "features", "features": ["log field_z_mm", "case.age"]}, False),
        ({"kind": "features", "features": ["log volume_mm3", "case.age"]}, True),
        ({"kind": "features", "features": ["field_z_mm"], "mask": "auto"}, True),
        ({"kind": "raw"}, True),
        ({"kind": "radiomics"}, True),
    ],
)
def test_which_arms_an_outline_decides_anything_for(arm, leans):
    assert leans_on_masks(Arm(title="a", **arm)) is leans


def test_other_cases_or_no_run_are_refused(run, finished_run, tmp_path):
    with pytest.raises(RunError, match="holds no finished run"):
        perturb_run(tmp_path, finished_run.cases)
    frame = pd.read_csv(finished_run.cases, dtype=str)
    for name in ("image", "mask"):
        frame[name] = [str(finished_run.cases.parent / one) for one in frame[name]]
    frame.drop(index=5).to_csv(tmp_path / "fewer.csv", index=False)
    with pytest.raises(RunError, match="changed since"):
        perturb_run(run, tmp_path / "fewer.csv", workers=1)
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "manifest.json").write_text(json.dumps({}))
    (bare / "predictions.parquet").write_bytes(b"")
    with pytest.raises(RunError, match="with it the models"):
        perturb_run(bare, finished_run.cases)
