"""`hounsfield study`: list, show, run; user's mistakes in words; stopped or out of disk, the same command goes on."""

from __future__ import annotations

import errno
import os

import pandas as pd
import pytest
import yaml
from safetensors import SafetensorError

from hounsfield.cli import main
from hounsfield.core import atomic
from hounsfield.infer import model
from hounsfield.studies import piece_files, runner

ARMS = "raw,auto_mask"


@pytest.fixture
def study_file(tmp_path, tiny_study):
    (tmp_path / "tiny.yaml").write_text(tiny_study)
    return tmp_path / "tiny.yaml"


@pytest.fixture
def command(study_file, finished_run, tmp_path, capsys):
    """Runs some arms of the small study into tmp_path/run; returns status, standard output and error."""

    def run(*options: str, arms: str = ARMS) -> tuple[int, str, str]:
        arguments = [str(study_file), "--cases", str(finished_run.cases), "--out", str(tmp_path / "run")]
        chosen = [] if arms is None else ["--arms", arms]
        status = main(["study", "run", *arguments, *chosen, "--device", "cpu", "--workers", "1", *options])
        found = capsys.readouterr()
        assert "Traceback" not in found.err
        assert str(tmp_path) not in found.err
        return status, found.out, found.err

    return run


@pytest.fixture
def no_report(monkeypatch):
    monkeypatch.setattr(runner, "report_run", lambda out, *args, **kwargs: (out / "report.html", ["well done"]))


def test_list_and_show(capsys):
    assert main(["study", "list"]) == 0
    out = capsys.readouterr().out
    assert "nodule-malignancy" in out
    assert out.count("?") >= 3
    assert main(["study", "show", "ggn"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["name"] == "ggn"
    assert main(["study", "show", "gnn"]) == 1
    assert "Did you mean 'ggn'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        (["--set", "training.classifier.epohcs=3"], 1, "Did you mean 'epochs'"),
        (["--arms", "jiont"], 1, "Did you mean 'joint'"),
        (["--targets", "lagre"], 1, "Did you mean 'large'"),
        (["--profile", "quick"], 1, "no profile named 'quick'"),
        (["--folds", "one"], 2, "numbers separated by commas"),
        (["--folds", "3"], 1, "no fold 3"),
        (["--seed", "x"], 2, "valid integer"),
        (["--device", "gpu"], 1, "no kind of device"),
        (["--engine", "slurm"], 1, "engine is one of"),
        (["--cases", "none.csv"], 1, "there is no file none.csv"),
    ],
)
def test_mistakes_in_words(command, options, status, words):
    found, out, err = command(*options)
    assert found == status
    assert words in " ".join(err.split())
    assert out == ""


def test_targets_of_a_study(command, study_file, tmp_path, no_report):
    document = yaml.safe_load(study_file.read_text())
    document["targets"]["rated"] = {
        "column": "margin",
        "optional": True,
        "classes": {"low": ["1", "2"], "high": ["3", "4", "5"]},
    }
    study_file.write_text(yaml.safe_dump(document, sort_keys=False))
    assert command("--targets", "large,rated", arms="volume")[0] == 0
    frame = pd.read_parquet(tmp_path / "run" / "predictions.parquet")
    assert set(frame["target"]) == {"large", "rated"}
    assert sorted(item.name for item in (tmp_path / "run" / "bundles").iterdir()) == ["volume--large", "volume--rated"]
    status, _, err = command(arms="volume")  # without the option the optional one does not run: another study
    assert status == 1
    assert "targets.rated is gone" in err


def test_stopped_by_hand_in_every_stage(command, monkeypatch, finished_run, tmp_path):
    stopped: set[str] = set()

    def stop_once(place: str) -> None:
        if place not in stopped:
            stopped.add(place)
            raise KeyboardInterrupt

    class Stopping:
        def __call__(self, items, total, label):
            for item in items:
                yield item
                stop_once(label)

    predict = model.Model.predict

    def predicting(self, *args, **kwargs):
        stop_once("prediction")
        return predict(self, *args, **kwargs)

    def reporting(out, *args, **kwargs):
        stop_once("report")
        return out / "report.html", ["well done"]

    monkeypatch.setattr("hounsfield.cli.progress.Bars", Stopping)
    monkeypatch.setattr(model.Model, "predict", predicting)
    monkeypatch.setattr(runner, "report_run", reporting)
    while (done := command())[0] == 130:
        assert "the same command goes on from there" in done[2]
    assert (done[0], done[1].splitlines()[0]) == (0, "well done")
    training = {f"r0-f0-s1 {stage}" for stage in ("segmenter", "raw", "auto_mask")}
    assert stopped == {"preparing cases", "prediction", "report"} | training
    own = pd.read_parquet(tmp_path / "run" / "predictions.parquet")
    expected = pd.read_parquet(finished_run.out / "predictions.parquet")
    expected = expected[expected["arm"].isin(["volume", "raw", "auto_mask"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(own, expected, check_exact=True)


def test_a_full_disk_loses_nothing(command, monkeypatch, tmp_path, no_report):
    replace, writes = os.replace, []

    def full(source, target):
        writes.append(str(target))
        if len(writes) in (3, 30):
            raise OSError(errno.ENOSPC, "No space left on device", str(target))
        return replace(source, target)

    monkeypatch.setattr(atomic.os, "replace", full)
    save, saved = piece_files.save_file, []

    def full_too(flat, path):
        saved.append(path)
        if len(saved) == 1:
            raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")
        save(flat, path)

    monkeypatch.setattr(piece_files, "save_file", full_too)
    statuses = []
    for _attempt in range(5):
        status, _, err = command(arms="volume")
        statuses.append(status)
        if status == 0:
            break
        assert "ree some space" in err  # in words of the cache or of the program
    assert statuses == [1, 1, 1, 0]
    left = [path for path in (tmp_path / "run").rglob("*") if ".part" in path.name or ".old" in path.name]
    assert left == []
