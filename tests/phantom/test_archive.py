"""The archive on disk: tables and files agree, the truth stands apart, and a second run gives the same bytes."""

from __future__ import annotations

import csv
import hashlib
import shutil
import subprocess
from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pytest
import SimpleITK

from hounsfield.core.errors import StudyError
from hounsfield.phantom.archive import write_archive


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def digests(folder: Path) -> dict[str, str]:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    return write_archive(folder, patients=5, seed=11, matrix=96, length_mm=40.0, workers=1).parent


def test_tables_and_files_agree(archive):
    cases, truth = rows_of(archive / "cases.csv"), rows_of(archive / "truth.csv")
    assert [row["case_id"] for row in cases] == [row["case_id"] for row in truth]
    assert len({row["patient_id"] for row in cases}) == 5
    assert not set(cases[0]) & {"core_fraction", "core_voxels", "volume_mm3", "centre_x_mm"}
    for case in cases:
        assert (archive / case["mask"]).is_file()
        assert len(list((archive / case["image"]).glob("*.dcm"))) >= 20
        assert case["malignant"] == str(int(case["subtype"] in ("MIA", "IAC")))
    for patient in {row["patient_id"] for row in cases}:
        own = [(row["sex"], row["age"], row["site"]) for row in cases if row["patient_id"] == patient]
        assert len(set(own)) == 1


def test_mask_lies_on_the_lesion_by_simpleitk(archive):
    for case, truth in zip(rows_of(archive / "cases.csv"), rows_of(archive / "truth.csv"), strict=True):
        reader = SimpleITK.ImageSeriesReader()
        reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(archive / case["image"])))
        image, mask = reader.Execute(), SimpleITK.ReadImage(str(archive / case["mask"]))
        assert image.GetSize() == mask.GetSize()
        assert np.allclose(image.GetOrigin(), mask.GetOrigin(), atol=1e-3)
        inside = SimpleITK.GetArrayFromImage(mask) == 1
        assert inside.sum() == int(truth["mask_voxels"])
        middle = np.argwhere(inside).mean(0)[::-1].tolist()
        centre = [float(truth[f"centre_{axis}_mm"]) for axis in "xyz"]
        assert mask.TransformContinuousIndexToPhysicalPoint(middle) == pytest.approx(centre, abs=1e-3)
        hu = SimpleITK.GetArrayFromImage(image)[inside].mean()
        assert -750 < hu < 50  # ground glass to solid, neither lung nor bone


def test_unseen_patient_is_in_no_table(archive):
    lesion = rows_of(archive / "unseen" / "lesions.csv")[0]
    assert list(lesion) == ["lesion_id", "x_mm", "y_mm", "z_mm"]
    dataset = pydicom.dcmread(next((archive / "unseen" / "ct").glob("*.dcm")))
    assert dataset.PatientID not in {row["patient_id"] for row in rows_of(archive / "cases.csv")}
    mask = SimpleITK.ReadImage(str(archive / "unseen" / "masks" / f"{lesion['lesion_id']}.nii.gz"))
    point = [float(lesion[f"{axis}_mm"]) for axis in "xyz"]
    assert mask[mask.TransformPhysicalPointToIndex(point)] == 1


def test_dciodvfy_finds_no_error(archive):
    tool = shutil.which("dciodvfy")
    if tool is None:
        pytest.skip("dciodvfy (Debian package dicom3tools) is not installed")
    for file in [next(folder.glob("*.dcm")) for folder in (archive / "images").iterdir()]:
        done = subprocess.run([tool, "-new", str(file)], capture_output=True, text=True, check=False, timeout=60)
        assert "CTImage" in done.stderr + done.stdout
        assert "Error" not in done.stderr + done.stdout


def test_second_run_gives_the_same_bytes_whatever_lay_there(archive, tmp_path):
    (tmp_path / "SIMULATED.txt").write_text("an earlier run, killed")
    stale = tmp_path / "images" / "phantom-001" / "IM00999.dcm"
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"left over")
    again = write_archive(tmp_path, patients=5, seed=11, matrix=96, length_mm=40.0, workers=2).parent
    assert digests(again) == digests(archive)


def test_masks_as_dicom_segmentations(tmp_path):
    for folder in (tmp_path, again := tmp_path.with_name("again")):
        write_archive(folder, patients=2, seed=3, masks="mixed", matrix=64, length_mm=30.0, workers=1)
    assert digests(tmp_path) == digests(again)
    kinds = set()
    for case, truth in zip(rows_of(tmp_path / "cases.csv"), rows_of(tmp_path / "truth.csv"), strict=True):
        kinds.add(Path(case["mask"]).suffix)
        if not case["mask"].endswith(".dcm"):
            continue
        volume = highdicom.seg.segread(tmp_path / case["mask"]).get_volume(combine_segments=True)
        indices = np.argwhere(volume.array == 1)
        assert len(indices) == int(truth["mask_voxels"])
        centre = volume.map_indices_to_reference(indices).mean(0)
        assert centre == pytest.approx([float(truth[f"centre_{axis}_mm"]) for axis in "xyz"], abs=2e-3)
    assert kinds == {".gz", ".dcm"}


def test_folder_with_other_files_is_left_alone(tmp_path):
    own = tmp_path / "images" / "mine.dcm"
    own.parent.mkdir()
    own.write_bytes(b"a user's own image")
    with pytest.raises(StudyError, match="new or empty folder"):
        write_archive(tmp_path, patients=1, seed=1)
    assert own.read_bytes() == b"a user's own image"


def test_killed_run_leaves_no_table(tmp_path):
    def interrupted(items, total, label):
        for index, item in enumerate(items):
            if index == 1:
                raise KeyboardInterrupt
            yield item

    write_archive(tmp_path, patients=1, seed=1, matrix=64, length_mm=30.0, workers=1)
    with pytest.raises(KeyboardInterrupt):
        write_archive(tmp_path, patients=3, seed=1, matrix=64, length_mm=30.0, workers=1, progress=interrupted)
    assert not (tmp_path / "cases.csv").exists()


@pytest.mark.parametrize("wrong", [{"patients": 0}, {"masks": "png"}])
def test_bad_input(wrong, tmp_path):
    with pytest.raises(StudyError, match="got"):
        write_archive(tmp_path, **{"seed": 1, **wrong})
