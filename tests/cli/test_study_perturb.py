"""`hounsfield study perturb`: its files, what it says, and what it refuses."""

from __future__ import annotations

import shutil

from typer.testing import CliRunner

from hounsfield.cli.app import app


def test_a_finished_run_gets_its_table(finished_run, tmp_path):
    shutil.copytree(finished_run.out, tmp_path / "run")
    done = CliRunner().invoke(
        app,
        [
            "study",
            "perturb",
            str(tmp_path / "run"),
            "--cases",
            str(finished_run.cases),
            "--device",
            "cpu",
            "--workers",
            "1",
        ],
    )
    assert done.exit_code == 0, done.output
    for name in ("mask_perturbation.md", "mask_perturbation.csv"):
        assert (tmp_path / "run" / name).is_file()
        assert name in done.stdout


def test_a_folder_without_a_run_is_refused(tmp_path, finished_run):
    done = CliRunner().invoke(app, ["study", "perturb", str(tmp_path), "--cases", str(finished_run.cases)])
    assert done.exit_code != 0
    assert not list(tmp_path.iterdir())
