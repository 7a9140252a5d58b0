"""`hounsfield catalog deidentify` from the outside: what it prints names no one, and wrong use is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.catalog.deidentify.archive_made import NAMES, archive_in, ct_slice, objects, save, tree
from typer.testing import CliRunner

from hounsfield.cli.app import app
from hounsfield.cli.app import main as run_main


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return archive_in(tmp_path / "archive")


def command(archive: Path, tmp_path: Path, *more: str) -> list[str]:
    key = tmp_path / "keys" / "key"
    paths = ["--out", str(tmp_path / "out"), "--key", str(key), "--workers", "1"]
    return ["catalog", "deidentify", str(archive), *paths, *more]


def test_it_says_what_was_done_and_names_no_one(archive: Path, tmp_path: Path):
    aside = tmp_path / "aside.tsv"
    words = command(archive, tmp_path, "--keep", "descriptors", "--keep", "patient", "--set-aside", str(aside))
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "12 objects of 6 series and 2 patients, 12 written now; 1 repeated, 2 files no DICOM" in done.output
    assert "set aside: 1: it ends in the middle of its header." in done.output
    assert not [word for word in NAMES if word in done.output]
    assert "cut.dcm" in aside.read_text()
    report = json.loads((tmp_path / "out" / "deidentification.json").read_text())
    assert report["options"]["descriptors"]
    assert not report["options"]["device"]
    again = CliRunner().invoke(app, words)
    assert "12 objects of 6 series and 2 patients, 0 written now" in again.output
    key = (tmp_path / "keys" / "key").read_bytes().strip()
    assert not [name for name, data in tree(tmp_path / "out").items() if key in data]


def test_what_to_look_at_is_listed_by_series(archive: Path, tmp_path: Path):
    shot = ct_slice("4711", "DOE^JANE", 8)
    shot.SOPClassUID, shot.Modality, shot.BurnedInAnnotation = "1.2.840.10008.5.1.4.1.1.7", "OT", "YES"
    save(shot, archive / "shot.dcm")
    done = CliRunner().invoke(app, command(archive, tmp_path))
    assert "look at 1 series by eye" in done.output
    assert "it is a secondary capture or screen shot (1)" in done.output
    left = CliRunner().invoke(app, command(archive, tmp_path / "b", "--burned-in", "leave-out"))
    assert "set aside: 1: text may be burned into its pixels." in left.output
    assert len(objects(tmp_path / "b" / "out")) == len(objects(tmp_path / "out")) - 1


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--dates", "moved"], "'moved' is not one of 'shifted', 'removed', 'kept'"),
        (["--keep", "names"], "--keep takes descriptors, structured"),
        (["--burned-in", "erase"], "'erase' is not one of 'warn', 'leave-out'"),
    ],
)
def test_unknown_choices_are_wrong_arguments(more: list[str], message: str, archive: Path, tmp_path: Path):
    done = CliRunner().invoke(app, command(archive, tmp_path, *more), env={"COLUMNS": "300"})
    assert done.exit_code == 2
    assert message in done.output
    assert not (tmp_path / "out").exists()


def test_the_list_of_what_was_set_aside_does_not_go_with_the_results(archive: Path, tmp_path: Path):
    words = command(archive, tmp_path, "--set-aside", str(tmp_path / "out" / "aside.tsv"))
    assert CliRunner().invoke(app, words).exit_code == 2


@pytest.mark.parametrize("key", ["out/key", "key"])
def test_a_key_in_or_beside_the_results_is_refused(
    key: str, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    words = ["catalog", "deidentify", str(archive), "--out", str(tmp_path / "out"), "--key", str(tmp_path / key)]
    monkeypatch.setattr("sys.argv", ["hounsfield", *words])
    with pytest.raises(SystemExit) as ended:
        run_main()
    assert ended.value.code == 1
    assert "the folder of the results" in capsys.readouterr().err
    assert not (tmp_path / key).exists()
