"""`hounsfield lungs` from the outside: the labels, the numbers, the remarks, the picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import typer
from tests.volume.chest_made import Made, make_chest
from typer.testing import CliRunner

from hounsfield.cli.lungs import lungs
from hounsfield.core.errors import MaskError
from hounsfield.volume.lung_labels import NoLungs
from hounsfield.volume.read import read_volume
from hounsfield.volume.volume import Volume
from hounsfield.volume.write import write_volume

app = typer.Typer()
app.command()(lungs)


@pytest.fixture(scope="module")
def chest() -> Made:
    return make_chest(spacing=(6.0, 4.0, 4.0), shape=(50, 75, 95))


@pytest.fixture
def ct(chest: Made, tmp_path: Path) -> Path:
    write_volume(chest.ct, tmp_path / "ct.nii.gz")
    return tmp_path / "ct.nii.gz"


def run(*words: object) -> tuple[str, str]:
    done = CliRunner().invoke(app, [str(word) for word in words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout, done.stderr


def test_labels_numbers_and_picture(chest: Made, ct: Path, tmp_path: Path):
    out, picture = tmp_path / "lungs.nii.gz", tmp_path / "lungs.png"
    printed, remarks = run(ct, "--out", out, "--picture", picture)
    labels = read_volume(out)
    assert labels.same_grid(chest.ct)
    right, left = ((labels.array == side).sum() * 0.096 for side in (1, 2))  # 6 x 4 x 4 mm
    assert printed == f"right {right:.0f} ml, left {left:.0f} ml, together {right + left:.0f} ml\n"
    assert remarks == ""
    assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    run(ct, "--out", out, "--picture", tmp_path / "lungs.svg")
    assert b"<svg" in (tmp_path / "lungs.svg").read_bytes()


def test_nodule_and_given_mask(chest: Made, ct: Path, tmp_path: Path):
    nodule = np.zeros(chest.ct.shape, dtype=np.uint8)
    nodule[25:28, 34:40, 49:60] = 1
    write_volume(chest.ct.with_array(nodule), tmp_path / "nodule.nii.gz")
    write_volume(chest.ct.with_array(chest.truth), tmp_path / "mine.nii.gz")
    out = tmp_path / "lungs.nii.gz"
    _, remarks = run(ct, "--out", out, "--mask", tmp_path / "mine.nii.gz", "--nodule", tmp_path / "nodule.nii.gz")
    labels = read_volume(out).array
    np.testing.assert_array_equal(labels[nodule == 0], chest.truth[nodule == 0])
    assert (labels[nodule == 1] == 2).all()
    assert remarks.startswith("remark: ")
    assert "of the nodule lies outside the lung mask" in remarks


def test_mistakes_are_told(chest: Made, ct: Path, tmp_path: Path):
    out = tmp_path / "lungs.nii.gz"
    assert (
        "is a .png or .svg file" in CliRunner().invoke(app, [str(ct), "--out", str(out), "--picture", "a.jpg"]).output
    )
    write_volume(chest.ct.with_array(chest.ct.array + 1024), tmp_path / "raw.nii.gz")
    with pytest.raises(NoLungs, match="no air is seen"):
        run(tmp_path / "raw.nii.gz", "--out", out)
    write_volume(chest.ct.with_array(np.full(chest.ct.shape, 7, dtype=np.uint8)), tmp_path / "lobes.nii.gz")
    with pytest.raises(MaskError, match="Join lobes"):
        run(ct, "--out", out, "--mask", tmp_path / "lobes.nii.gz")
    assert not out.exists()


def test_what_is_read_is_not_written_over(chest: Made, ct: Path, tmp_path: Path):
    before = ct.read_bytes()
    for words in ((ct, "--out", ct), (ct, "--out", tmp_path / "x" / ".." / "ct.nii.gz")):
        done = CliRunner().invoke(app, [str(word) for word in words])
        assert done.exit_code == 2
        assert "overwritten" in done.output
    assert ct.read_bytes() == before


def test_one_slice_has_a_picture(chest: Made, tmp_path: Path):
    write_volume(Volume(chest.ct.array[25:26], chest.ct.spacing_mm, chest.ct.origin_mm), tmp_path / "one.nii.gz")
    run(tmp_path / "one.nii.gz", "--out", tmp_path / "lungs.nii.gz", "--picture", tmp_path / "lungs.png")
    assert (tmp_path / "lungs.png").stat().st_size > 1000
