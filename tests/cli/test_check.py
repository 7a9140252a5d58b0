"""`hounsfield check` on good and bad cases: findings on standard output, the count on standard error."""

from __future__ import annotations

import shutil

import pydicom
import pytest
import SimpleITK as sitk

from hounsfield.cli import main
from hounsfield.phantom.archive import write_archive


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    folder = tmp_path_factory.mktemp("archive")
    write_archive(folder, patients=4, seed=3, matrix=64, length_mm=40.0, workers=1)
    return folder


def run(path, capsys, *options) -> tuple[int, str, str]:
    status = main(["check", str(path), "--workers", "1", *options])
    found = capsys.readouterr()
    assert "Traceback" not in found.err
    assert str(path.parent) not in found.out + found.err
    return status, found.out, found.err


def test_good_cases(finished_run, capsys):
    status, out, err = run(finished_run.cases, capsys, "--label", "malignant", "--classes", "0,1")
    assert (status, out) == (0, "")
    assert err.endswith("0 error(s), 0 warning(s).\n")


def test_classes_are_checked(finished_run, capsys):
    status, out, _ = run(finished_run.cases, capsys, "--label", "margin", "--classes", "1,2,3,4")
    assert status == 1
    assert "'5'" in out


def test_no_such_table(tmp_path, capsys):
    status, out, err = run(tmp_path / "none.csv", capsys)
    assert status == 1
    assert "none.csv" in out
    assert "1 error(s)" in err


def test_every_kind_of_damage_at_once(archive, tmp_path, capsys):
    data = tmp_path / "data"
    shutil.copytree(archive, data)
    patients = sorted((data / "images").iterdir())
    first = sorted(patients[0].iterdir())
    first[2].write_bytes(first[2].read_bytes()[:1500])  # truncated
    in_order = sorted(patients[1].iterdir(), key=lambda file: pydicom.dcmread(file).InstanceNumber)
    in_order[len(in_order) // 2].unlink()  # a slice is missing
    for number, file in enumerate(sorted(patients[3].iterdir())):
        shutil.copy(file, patients[2] / f"other{number}.dcm")  # two series in one folder
    sitk.WriteImage(sitk.Image([4, 4, 4, 2], sitk.sitkInt16), str(data / "four.nii.gz"))
    lines = (data / "cases.csv").read_text().splitlines()
    row = dict(zip(lines[0].split(","), lines[-1].split(","), strict=True))
    mask = sitk.ReadImage(str(data / row["mask"]))
    sitk.WriteImage(mask * 0, str(data / "zero.nii.gz"))
    for case, changes in (("four", {"image": "four.nii.gz", "mask": ""}), ("zero", {"mask": "zero.nii.gz"})):
        lines.append(",".join((row | {"case_id": case} | changes).values()))
    (data / "cases.csv").write_text("\n".join(lines) + "\n")
    status, out, _ = run(data / "cases.csv", capsys)
    assert status == 1
    for patient in patients[:3]:
        assert any(patient.name in line for line in out.splitlines()), patient.name
    assert any("four" in line for line in out.splitlines())
    assert any("zero" in line and "empty" in line for line in out.splitlines())
