"""`hounsfield predict`: cases and series by the command line, and what it says when something is wrong."""

from __future__ import annotations

import shutil

import pandas as pd
import pytest

from hounsfield.cli import main
from hounsfield.phantom.archive import write_archive


@pytest.fixture
def command(tmp_path, capsys):
    def run(bundle, *options) -> tuple[int, str, str]:
        status = main(["predict", str(bundle), "--out", str(tmp_path / "out"), *map(str, options)])
        found = capsys.readouterr()
        assert "Traceback" not in found.err
        assert str(tmp_path) not in found.err
        return status, found.out, found.err

    return run


@pytest.fixture
def bundles(finished_run):
    return finished_run.out / "bundles"


def test_cases(command, bundles, finished_run, tmp_path):
    status, out, _ = command(bundles / "volume", "--cases", finished_run.cases, "--workers", 1, "--csv")
    assert status == 0
    assert out == f"predictions: {tmp_path / 'out' / 'predictions.parquet'}\n"
    assert len(pd.read_csv(tmp_path / "out" / "predictions.csv")) == 20


def test_a_series(command, bundles, tmp_path):
    write_archive(tmp_path / "archive", patients=1, seed=5, matrix=64, length_mm=40.0, workers=1)
    unseen = tmp_path / "archive" / "unseen"
    status, out, _ = command(bundles / "auto_mask", "--series", unseen / "ct", "--lesions", unseen / "lesions.csv")
    assert status == 0
    assert [line.split(":")[0] for line in out.splitlines()] == ["findings", "masks", "segmentation", "report"]
    assert all((tmp_path / "out" / line.split("/")[-1]).is_file() for line in out.splitlines())


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--cases", "a.csv", "--series", "ct"],
        ["--series", "ct"],
        ["--cases", "a.csv", "--lesions", "b.csv"],
        ["--series", "ct", "--lesions", "b.csv", "--representation", "holographic"],
    ],
)
def test_wrong_arguments(command, bundles, options):
    assert command(bundles / "raw", *options)[0] == 2


def test_mistakes_in_words(command, bundles, finished_run, tmp_path):
    for arguments, words in (
        ((bundles, "--cases", finished_run.cases), "It holds bundles: auto_mask"),
        ((tmp_path / "none", "--cases", finished_run.cases), "is no bundle"),
        ((bundles / "raw", "--cases", tmp_path / "none.csv"), "there is no file none.csv"),
        ((bundles / "raw", "--cases", finished_run.cases, "--device", "gpu"), "no kind of device"),
        ((bundles / "raw", "--series", tmp_path, "--lesions", tmp_path / "none.csv"), "none.csv"),
        ((bundles / "volume", "--series", tmp_path, "--lesions", tmp_path / "none.csv"), "auto_mask, joint"),
    ):
        status, out, err = command(*arguments)
        assert (status, out) == (1, "")
        assert words in err


def test_an_altered_bundle(command, bundles, finished_run, tmp_path):
    folder = shutil.copytree(bundles / "raw", tmp_path / "raw")
    path = folder / "members" / "0.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    status, _, err = command(folder, "--cases", finished_run.cases)
    assert status == 1
    assert "copy the bundle anew" in err


def test_stopped_by_hand(command, bundles, finished_run, monkeypatch):
    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("hounsfield.infer.cases.predict_prepared", stop)
    status, _, err = command(bundles / "raw", "--cases", finished_run.cases, "--workers", 1)
    assert status == 130
    assert "stopped" in err
