"""Runs: what they leave behind, and that one stopped anywhere goes on to the same bytes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

from hounsfield.core.errors import ProblemsError, RunError, StudyError
from hounsfield.studies import load, runner
from hounsfield.studies.bundles import _operating_point
from hounsfield.studies.runner import Machine, run_study

CPU = Machine(device="cpu", workers=1)
ARMS = ("raw", "fusion_auto")  # with the trivial one and joint, on which the mix is built


@pytest.fixture
def no_report(monkeypatch):
    """The report has tests of its own; here it would only take time."""
    monkeypatch.setattr(runner, "report_run", lambda out, *args, **kwargs: (out / "report.html", []))


@pytest.fixture
def small(finished_run, tmp_path, tiny_study):
    """Some arms of the finished run's study, to be run on the same cases."""
    (tmp_path / "tiny.yaml").write_text(tiny_study)
    return load.load(str(tmp_path / "tiny.yaml"), arms=ARMS)


def rows(path: Path, arms) -> pd.DataFrame:
    frame = pd.read_parquet(path)
    return frame[frame["arm"].isin(list(arms))].reset_index(drop=True)


def test_a_run_leaves_what_it_promises(finished_run):
    out, arms = finished_run.out, list(finished_run.study.arms)
    assert finished_run.result.report == out / "report.html"
    assert "Is the ball large?" in (out / "report.html").read_text()
    assert sorted(item.name for item in (out / "bundles").iterdir()) == sorted(arms)
    assert not list((out / "training").iterdir())  # checkpoints have served
    manifest = json.loads((out / "manifest.json").read_text())
    assert (manifest["cases"], manifest["patients"]) == (20, 19)
    assert load.load(str(out / "study.yaml")) == finished_run.study
    assert [line.split()[1] for line in finished_run.result.summary] == arms


def test_every_case_of_validation_and_test_is_predicted_once_by_every_arm(finished_run):
    frame = pd.read_parquet(finished_run.out / "predictions.parquet")
    split = pd.read_csv(finished_run.out / "splits.csv", dtype=str)
    for name in ("validation", "test"):
        ids = sorted(split["case_id"][split["part"] == name])
        for arm in finished_run.study.arms:
            assert sorted(frame["case_id"][(frame["split"] == name) & (frame["arm"] == arm)]) == ids
    labels = pd.read_csv(finished_run.cases).set_index("case_id")["malignant"].map({0: "small", 1: "large"})
    assert (frame["label"] == frame["case_id"].map(labels)).all()
    assert frame[["prob_small", "prob_large"]].sum(axis=1).to_numpy() == pytest.approx(1)


def test_no_patient_is_on_two_sides(finished_run):
    split = pd.read_csv(finished_run.out / "splits.csv", dtype=str)
    assert split.groupby("patient_id")["part"].nunique().max() == 1
    assert split["patient_id"].duplicated().sum() == 1  # one patient has two cases


def test_a_run_stopped_by_hand_at_every_stage_goes_on_to_the_same_bytes(
    finished_run, small, tmp_path, monkeypatch, no_report
):
    stopped: set[str] = set()

    def stop_once(place: str) -> None:
        if place not in stopped:
            stopped.add(place)
            raise KeyboardInterrupt

    def progress(items, total, label):
        for number, item in enumerate(items):
            yield item
            if number == 0 or label == "preparing cases":
                stop_once(label)

    original = runner.predict_piece

    def predict_piece(bench, name, model):
        stop_once(f"predict {name}")
        return original(bench, name, model)

    store = runner.store_piece

    def store_piece(folder, trained, predictions):
        store(folder, trained, predictions)
        stop_once(f"stored {folder.name}")

    monkeypatch.setattr(runner, "predict_piece", predict_piece)
    monkeypatch.setattr(runner, "store_piece", store_piece)
    out = tmp_path / "run"
    for _attempt in range(40):
        try:
            run_study(small, finished_run.cases, out, machine=CPU, progress=progress)
        except KeyboardInterrupt:
            continue
        break
    stages = {"segmenter", "raw", "auto_mask", "joint"}
    assert {f"r0-f0-s1 {stage}" for stage in stages} | {"preparing cases"} <= stopped
    assert {f"{what} {arm}" for what in ("predict", "stored") for arm in small.arms} <= stopped
    expected = rows(finished_run.out / "predictions.parquet", small.arms)
    pd.testing.assert_frame_equal(pd.read_parquet(out / "predictions.parquet"), expected, check_exact=True)
    for arm in small.arms:
        one, other = (
            load_file(folder / "bundles" / arm / "members" / "0.safetensors") for folder in (out, finished_run.out)
        )
        assert one.keys() == other.keys()
        assert all((one[name] == other[name]).all() for name in one)


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_bytes(finished_run, small, tmp_path, no_report):
    script = (
        "import os, signal, sys; from pathlib import Path\n"
        "from hounsfield.studies.load import load; from hounsfield.studies.runner import Machine, run_study\n"
        "def progress(items, total, label):\n"
        "    for number, item in enumerate(items):\n"
        "        yield item\n"
        "        if label.endswith('raw') and number == 0: os.kill(os.getpid(), signal.SIGKILL)\n"
        "study, cases, out = sys.argv[1:]\n"
        "run_study(load(study, arms=['raw']), Path(cases), Path(out), "
        "machine=Machine(device='cpu', workers=1), progress=progress)"
    )
    out, file = tmp_path / "run", str(tmp_path / "tiny.yaml")
    done = subprocess.run(
        [sys.executable, "-c", script, file, str(finished_run.cases), str(out)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == -signal.SIGKILL
    assert (out / "pieces" / "r0-f0-s1" / "large" / "volume").is_dir()
    assert not (out / "pieces" / "r0-f0-s1" / "large" / "raw").exists()
    study = load.load(file, arms=["raw"])
    run_study(study, finished_run.cases, out, machine=CPU)
    expected = rows(finished_run.out / "predictions.parquet", study.arms).drop(columns=["dice", "asd_mm"])
    pd.testing.assert_frame_equal(pd.read_parquet(out / "predictions.parquet"), expected, check_exact=True)


def test_folds_in_two_goes_equal_one(finished_run, tmp_path, tiny_study, no_report):
    (tmp_path / "tiny.yaml").write_text(tiny_study)
    changes = ["split={kind: k_fold, folds: 2}", "training.classifier.epochs=1"]
    study = load.load(str(tmp_path / "tiny.yaml"), arms=["raw"], overrides=changes)
    first = run_study(study, finished_run.cases, tmp_path / "two", machine=CPU, folds=[1])
    assert first.report is None
    assert not (tmp_path / "two" / "predictions.parquet").exists()
    assert run_study(study, finished_run.cases, tmp_path / "two", machine=CPU, folds=[0]).report is not None
    run_study(study, finished_run.cases, tmp_path / "one", machine=CPU)
    one, two = (tmp_path / name / "predictions.parquet" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    frame = pd.read_parquet(one)
    assert sorted(frame["case_id"][(frame["split"] == "test") & (frame["arm"] == "raw")]) == [
        f"c{number:02d}" for number in range(20)
    ]
    card = json.loads((tmp_path / "one" / "bundles" / "raw" / "bundle.json").read_text())
    assert len(card["members"]) == 2
    with pytest.raises(StudyError, match="no fold 7"):
        run_study(study, finished_run.cases, tmp_path / "one", machine=CPU, folds=[0, 7])


def test_a_second_process_may_join_a_folder_that_is_just_being_begun(small, tmp_path):
    from hounsfield.studies.folder import claim

    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".study.0123456789ab.part.yaml").write_text("half")
    claim(tmp_path / "run", small)
    assert (tmp_path / "run" / "study.yaml").is_file()


def test_a_folder_of_another_study_is_refused_and_the_difference_named(finished_run, tiny_study, tmp_path):
    (tmp_path / "tiny.yaml").write_text(tiny_study)
    other = load.load(str(tmp_path / "tiny.yaml"), overrides=["training.classifier.epochs=9"])
    with pytest.raises(RunError, match=r"training\.classifier\.epochs was 2, is 9") as caught:
        run_study(other, finished_run.cases, finished_run.out, machine=CPU)
    assert str(finished_run.out) not in str(caught.value)
    with pytest.raises(RunError, match=r"arms\.density is gone"):
        run_study(load.choose_arms(other, ["raw"]), finished_run.cases, finished_run.out, machine=CPU)


def test_words_and_comparisons_may_change(finished_run, tmp_path, no_report):
    from hounsfield.studies.folder import claim

    out = tmp_path / "run"
    out.mkdir()
    for name in ("study.yaml", "manifest.json"):
        shutil.copy(finished_run.out / name, out)
    arms = {name: arm.model_copy(update={"title": "better"}) for name, arm in finished_run.study.arms.items()}
    better = finished_run.study.model_copy(update={"title": "Better", "arms": arms, "comparisons": []})
    claim(out, better)
    assert load.load(str(out / "study.yaml")) == better
    (out / "study.yaml").write_text("- not\n- ours\n")
    with pytest.raises(RunError, match="damaged"):
        claim(out, better)


def test_a_folder_that_holds_something_else_is_refused(finished_run, small, tmp_path):
    (tmp_path / "holiday").mkdir()
    (tmp_path / "holiday" / "photo.jpg").write_text("x")
    for out in (tmp_path / "holiday", tmp_path / "holiday" / "photo.jpg"):
        with pytest.raises(RunError, match="holds no run"):
            run_study(small, finished_run.cases, out, machine=CPU)


def test_before_anything_is_computed_a_study_may_be_corrected(finished_run, small, tmp_path, no_report):
    wrong = small.model_copy(
        update={"targets": {"large": small.targets["large"].model_copy(update={"column": "malign"})}}
    )
    with pytest.raises(ProblemsError, match="Did you mean 'malignant'"):
        run_study(wrong, finished_run.cases, tmp_path / "run", machine=CPU)
    run_study(load.choose_arms(small, ["volume"]), finished_run.cases, tmp_path / "run", machine=CPU)


def _change_pixel(folder: Path) -> None:
    import SimpleITK as sitk

    path = folder / "images" / "03.nii.gz"
    image = sitk.ReadImage(str(path))
    image[9, 9, 9] = 1000
    sitk.WriteImage(image, str(path))


def _edit(old: str, new: str):
    def change(folder: Path) -> None:
        text = (folder / "cases.csv").read_text()
        assert old in text
        (folder / "cases.csv").write_text(text.replace(old, new))

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_change_pixel, "images, masks or labels"),
        (_edit("masks/03.nii.gz,1", "masks/03.nii.gz,0"), "images, masks or labels"),
        (_edit("c07,p07", "c07,p08"), "patients"),
    ],
    ids=["pixel", "label", "patient"],
)
def test_changed_data_is_refused(finished_run, tmp_path, change, words):
    out, data = tmp_path / "run", tmp_path / "data"
    shutil.copytree(finished_run.cases.parent, data)
    out.mkdir()
    for name in ("study.yaml", "manifest.json", "splits.csv", "features.parquet"):
        shutil.copy(finished_run.out / name, out)
    shutil.copytree(finished_run.out / "cache", out / "cache")
    change(data)
    with pytest.raises(RunError, match=words):
        run_study(finished_run.study, data / "cases.csv", out, machine=CPU)


def test_the_operating_point_comes_from_the_validation_part_alone(finished_run):
    frame = pd.read_parquet(finished_run.out / "predictions.parquet")
    frame = frame[frame["arm"] == "raw"].reset_index(drop=True)
    stored = json.loads((finished_run.out / "bundles" / "raw" / "bundle.json").read_text())["operating_point"]
    turned = frame.copy()
    test = turned["split"] == "test"
    turned.loc[test, "label"] = turned.loc[test, "label"].map({"small": "large", "large": "small"})
    turned.loc[test, "prob_large"] = 0.5
    found = _operating_point(turned, ["small", "large"])
    assert found is not None
    assert found.threshold == stored["threshold"]
    held = frame[frame["split"] == "validation"]
    positive, prob = (held["label"] == "large").to_numpy(), held["prob_large"].to_numpy()

    def youden(threshold: float) -> float:
        return float((prob[positive] >= threshold).mean() + (prob[~positive] < threshold).mean() - 1)

    assert youden(found.threshold) == pytest.approx(max(youden(value) for value in [*prob, 2.0]))


def test_bundles_say_how_many_cases_they_learnt_from(finished_run):
    split = pd.read_csv(finished_run.out / "splits.csv", dtype=str)
    train = split[split["part"] == "train"]
    card = json.loads((finished_run.out / "bundles" / "joint" / "bundle.json").read_text())
    assert card["trained_on"] == {"cases": len(train), "patients": train["patient_id"].nunique()}
    assert np.isfinite(card["operating_point"]["threshold"])


def test_a_device_that_is_not_there_is_said_at_once(finished_run, small, tmp_path):
    for device, words in (("gpu", "no kind of device"), ("cuda:97", "sees none")):
        with pytest.raises(RunError, match=words):
            run_study(small, finished_run.cases, tmp_path / "run", machine=Machine(device=device))
    assert not (tmp_path / "run").exists()
