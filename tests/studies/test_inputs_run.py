"""Arms that are fed more than a cube: radiomics, covariates, lungs; folds inside a hold-out; results of patients."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hounsfield.core.errors import ProblemsError, RunError
from hounsfield.infer.bundle import read_bundle
from hounsfield.infer.cases import predict_cases
from hounsfield.studies import runner
from hounsfield.studies.load import load
from hounsfield.studies.runner import Machine, averaged_over_folds, run_study
from hounsfield.volume.volume import Volume
from hounsfield.volume.write import write_volume

CPU = Machine(device="cpu", workers=1)
STUDY = """
name: fed
title: Balls in lungs
question: Is the ball large?
targets:
  large: {column: malignant, classes: {small: ["0"], large: ["1"]}}
preparation: {spacing_mm: [1, 1, 1], size: [16, 16, 16]}
inputs:
  lungs: {grid: [8, 8, 8]}
  radiomics: {names: first_order, shells_mm: [2.0], config: {spacing_mm: null}}
  covariates: {age: [], sex: [F, M]}
patient: {pooling: [mean, maximum, noisy_or, attention], arms: [age, both]}
split: {kind: nested, test: 0.3, folds: 2}
arms:
  age: {kind: features, trivial: true, title: age and sex, features: [case.age, case.sex]}
  radiomics: {kind: radiomics, title: radiomics, features: ["radiomics.*", "!radiomics.shell_*"]}
  forest: {kind: radiomics, title: shells, selection: {classifier: forest, most: 3}}
  cube: &cube
    kind: network
    title: cube
    network: resnet3d
    settings: {depth: 10, width: 2, dilated: false}
    training: &training
      epochs: 2
      batch_size: 6
      learning_rate: 5.0e-3
      schedule: constant
      sampler: two_class
      loss: pairwise_auc
      optimiser: adamw
      augmentation: {kind: affine}
      compile: "off"
      checkpoint_s: 0
  entropy:
    <<: *cube
    training: {<<: *training, loss: cross_entropy}
  both:
    kind: two_inputs
    title: cube and lungs
    network: dual_path
    settings: {local: {depth: 10, width: 2, dilated: false}, lungs: {depth: 10, width: 2, dilated: false}}
    training: *training
  shape:
    kind: two_inputs
    title: cube and shape of the lungs
    network: dual_path
    settings: {local: {depth: 10, width: 2, dilated: false}, lungs: {depth: 10, width: 2, dilated: false}}
    lungs: mask
    training: *training
comparisons: [[both, age], [both, cube]]
bootstrap: 100
"""


@pytest.fixture(scope="module")
def cases(tmp_path_factory, write_balls) -> Path:
    """24 cases of 18 patients with age, sex and a lung mask; the first is of unknown age."""
    folder = tmp_path_factory.mktemp("fed")
    path = write_balls(folder, cases=24)
    frame = pd.read_csv(path, dtype=str)
    frame["patient_id"] = [f"p{max(0, number - 6):02d}" for number in range(24)]
    frame["malignant"] = [
        frame["malignant"][max(0, number - 6)] if number < 7 else frame["malignant"][number] for number in range(24)
    ]
    frame["age"] = ["", *[str(50 + number) for number in range(1, 24)]]
    frame["sex"] = ["F", " m "] * 12
    lungs = np.zeros((18, 18, 18), np.uint8)
    lungs[2:16, 2:16, 2:16] = 1
    write_volume(Volume(lungs, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), np.eye(3)), folder / "lungs.nii.gz")
    frame["lungs"] = "lungs.nii.gz"
    frame["contrast"] = ["yes"] * 20 + ["no"] * 4
    frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    file = tmp_path_factory.mktemp("study") / "fed.yaml"
    file.write_text(STUDY)
    return load(str(file))


@pytest.fixture(scope="module")
def run(study, cases, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("run") / "run"
    run_study(study, cases, out, machine=CPU)
    return out


def test_every_test_case_has_the_mean_of_its_fold_models(run, study):
    frame = pd.read_parquet(run / "predictions.parquet")
    own = frame[(frame["arm"] == "both") & (frame["target"] == "large") & (frame["split"] == "test")]
    assert own["case_id"].is_unique
    pieces = [
        pd.read_parquet(run / "pieces" / f"r0-f{fold}-s1" / "large" / "both" / "predictions.parquet") for fold in (0, 1)
    ]
    parts = [piece[piece["split"] == "test"].set_index("case_id")["prob_large"] for piece in pieces]
    expected = (parts[0] + parts[1].loc[parts[0].index]) / 2
    np.testing.assert_allclose(own.set_index("case_id")["prob_large"].loc[expected.index], expected, rtol=1e-6)
    held = frame[(frame["arm"] == "both") & (frame["target"] == "large") & (frame["split"] == "validation")]
    assert held["case_id"].is_unique
    assert not set(held["patient_id"]) & set(own["patient_id"])
    assert len(held) + len(own) == 24


def test_patients_are_pooled_as_their_cases_say(run):
    frame = pd.read_parquet(run / "predictions.parquet")
    lesions = frame[(frame["arm"] == "both") & (frame["target"] == "large")]
    patients = frame[frame["target"] == "large of the patient"]
    assert set(patients["arm"]) == {
        f"{arm}, {how}" for arm in ("age", "both") for how in ("mean", "maximum", "noisy-or", "attention")
    }
    for how, function in (("maximum", "max"), ("mean", "mean")):
        one = patients[patients["arm"] == f"both, {how}"].set_index(["split", "case_id"])["prob_large"].sort_index()
        expected = lesions.groupby(["split", "patient_id"])["prob_large"].agg(function)
        np.testing.assert_allclose(one, expected.loc[one.index], rtol=1e-6)
    labels = patients[patients["arm"] == "both, maximum"].set_index("case_id")["label"]
    assert labels.to_dict() == {
        patient: "large" if (rows["label"] == "large").any() else "small"
        for patient, rows in lesions.groupby("patient_id")
    }
    assert patients[["prob_small", "prob_large"]].sum(axis=1).to_numpy() == pytest.approx(1)


@pytest.mark.parametrize("arm", ["age", "radiomics", "forest", "cube", "both", "shape"])
def test_a_bundle_predicts_what_the_run_reported(run, cases, tmp_path, arm):
    bundle = read_bundle(run / "bundles" / arm)
    found = pd.read_parquet(predict_cases(bundle, cases, tmp_path / arm, device="cpu", workers=1))
    assert len(found) == 24
    reported = pd.read_parquet(run / "predictions.parquet")
    test = reported[(reported["arm"] == arm) & (reported["target"] == "large") & (reported["split"] == "test")]
    expected = test.set_index("case_id")["prob_large"]
    np.testing.assert_allclose(found.set_index("case_id")["prob_large"].loc[expected.index], expected, atol=1e-5)


def test_a_bundle_asks_for_nothing_that_its_model_never_sees(run):
    needs = {arm: read_bundle(run / "bundles" / arm).card for arm in ("age", "radiomics", "cube", "both", "shape")}
    assert (needs["cube"].inputs.lungs, needs["cube"].inputs.radiomics, needs["cube"].needs_mask) == (None, None, False)
    assert needs["age"].inputs.covariates == {"age": [], "sex": ["F", "M"]}
    assert not needs["age"].needs_mask
    assert needs["radiomics"].needs_mask
    assert needs["radiomics"].inputs.lungs is None
    assert needs["both"].inputs.lungs is not None
    assert (needs["both"].lungs, needs["shape"].lungs) == ("image", "mask")


def test_what_radiomics_chose_is_written_down(run):
    chosen = json.loads((run / "pieces" / "r0-f0-s1" / "large" / "radiomics" / "features.json").read_text())
    assert chosen
    assert all(row["feature"].startswith("radiomics.first_order_") for row in chosen)
    assert all(np.isfinite(row["weight"]) for row in chosen)
    forest = json.loads((run / "pieces" / "r0-f0-s1" / "large" / "forest" / "features.json").read_text())
    assert len(forest) <= 3


def test_the_report_shows_lesions_and_patients(run):
    text = (run / "report.html").read_text(encoding="utf-8")
    assert "large of the patient" in text
    assert "patient by noisy-or" in text
    assert "Contrast differs within the cohort (20 yes, 4 no)" in text


def test_named_pairs_are_compared_for_patients_too(run):
    pairs = pd.read_parquet(run / "comparisons.parquet")
    named = pairs[(pairs["family"] == "named by the study") & (pairs["metric"] == "auc")]
    found = {(row["target"], row["first"], row["second"]) for row in named.to_dict("records")}
    assert found == {("large", "both", "age"), ("large", "both", "cube")} | {
        ("large of the patient", f"both, {how}", f"age, {how}") for how in ("mean", "maximum", "noisy-or", "attention")
    }  # 'cube' is not pooled


def test_a_killed_run_goes_on_to_the_same_predictions(run, study, cases, tmp_path, monkeypatch):
    out = tmp_path / "run"
    code = (
        "import sys, os, signal\nfrom pathlib import Path\nfrom hounsfield.studies import runner\n"
        "from hounsfield.studies.load import load\nstore = runner.store_piece\n"
        "def stop(folder, *rest):\n    store(folder, *rest)\n"
        "    if folder.name == 'entropy': os.kill(os.getpid(), signal.SIGKILL)\n"
        "runner.store_piece = stop\n"
        "runner.run_study(load(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), "
        "machine=runner.Machine(device='cpu', workers=1))\n"
    )
    arguments = [str(run / "study.yaml"), str(cases), str(out)]
    killed = subprocess.run([sys.executable, "-c", code, *arguments], env=dict(os.environ), capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-500:]
    monkeypatch.setattr(runner, "report_run", lambda out, *rest, **options: (out / "report.html", []))
    run_study(study, cases, out, machine=CPU)
    one, other = (pd.read_parquet(folder / "predictions.parquet") for folder in (run, out))
    pd.testing.assert_frame_equal(one, other)


def test_another_covariate_is_another_run(run, study, cases, tmp_path):
    frame = pd.read_csv(cases, dtype=str)
    frame.loc[3, "age"] = "99"
    frame["image"] = [str(cases.parent / name) for name in frame["image"]]
    frame["mask"] = [str(cases.parent / name) for name in frame["mask"]]
    frame["lungs"] = str(cases.parent / "lungs.nii.gz")
    frame.to_csv(tmp_path / "other.csv", index=False)
    with pytest.raises(RunError, match="changed since"):
        run_study(study, tmp_path / "other.csv", run, machine=CPU)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("network: resnet3d", "network: resnet3", "no network 'resnet3'"),
        (
            "depth: 10, width: 2, dilated: false}\n    training: &training",
            "depth: 11}\n    training: &training",
            "settings.depth",
        ),
        ("lungs: {grid: [8, 8, 8]}", "", "no lungs are prepared"),
        ("names: first_order", "names: first_ordr", "first_ordr"),
        ('"radiomics.*", "!radiomics.shell_*"', '"radiomic.*"', "no radiomic feature is named"),
        ("sex: [F, M]", "sex: [F]", "one of two words"),
        ("features: [case.age, case.sex]", "features: [case.aeg]", "case.age"),
        ("arms: [age, both]", "arms: [age, bth]", "no arm 'bth'"),
        (
            "kind: two_inputs\n    title: cube and lungs",
            "kind: network\n    title: cube and lungs",
            "kind two_inputs goes with",
        ),
        ("loss: pairwise_auc", "loss: pairwise_acu", "pairwise_acu"),
        (
            "title: radiomics, features",
            "title: radiomics, network: resnet3d, features",
            "kind radiomics has no such key",
        ),
    ],
)
def test_mistakes_in_a_study_are_named(tmp_path, before, after, words):
    assert before in STUDY
    (tmp_path / "wrong.yaml").write_text(STUDY.replace(before, after, 1))
    with pytest.raises(ProblemsError) as caught:
        load(str(tmp_path / "wrong.yaml"))
    assert words in str(caught.value)


def test_rows_of_one_fold_stay_as_they_are():
    frame = pd.DataFrame(
        {
            "case_id": ["a", "a", "b"],
            "split": ["test", "test", "validation"],
            "fold": [0, 1, 0],
            "prob_x": [0.2, 0.4, 0.9],
            "site": [None, None, None],
        }
    )
    found = averaged_over_folds(frame).sort_values("case_id", ignore_index=True)
    assert found["prob_x"].tolist() == pytest.approx([0.3, 0.9])
    assert found["fold"].tolist() == [0, 0]
