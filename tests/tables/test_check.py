"""The check of a cases table: each kind of mistake, made in files of SimpleITK, is named with its row and remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

from hounsfield.core.errors import ProblemsError
from hounsfield.tables.check import check_cases, has_errors
from hounsfield.tables.check_images import pixel_digest, pixel_digests
from hounsfield.tables.findings import Finding

SHAPE = (5, 6, 7)


def _image(path: Path, array: np.ndarray, *, spacing: tuple[float, ...] = (0.7, 0.8, 1.5), **geometry: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    image = sitk.GetImageFromArray(array, isVector=False)
    image.SetSpacing(spacing[: image.GetDimension()] + (1.0,) * (image.GetDimension() - 3))
    if "direction" in geometry:
        image.SetDirection(geometry["direction"])
    if "origin" in geometry:
        image.SetOrigin(geometry["origin"])
    sitk.WriteImage(image, str(path))


def _noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-900, 100, SHAPE).astype(np.int16)


def _lesion() -> np.ndarray:
    mask = np.zeros(SHAPE, np.uint8)
    mask[2, 2:4, 3:5] = 1
    return mask


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six sound cases of six patients, three of each class."""
    rows = []
    for i in range(6):
        _image(tmp_path / "images" / f"{i}.nii.gz", _noise(i))
        _image(tmp_path / "masks" / f"{i}.nii.gz", _lesion())
        one = {"case_id": f"c{i}", "patient_id": f"p{i}", "image": f"images/{i}.nii.gz", "mask": f"masks/{i}.nii.gz"}
        rows.append({**one, "malignant": i % 2, "sex": "FM"[i % 2], "age": 50 + i})
    pd.DataFrame(rows).to_csv(tmp_path / "cases.csv", index=False)
    return tmp_path


def _check(folder: Path, **arguments: Any) -> list[Finding]:
    found = check_cases(folder / "cases.csv", workers=1, **arguments)
    assert not any(str(folder) in str(one) for one in found)
    assert all(one.where and one.what.endswith((".", "mm.")) for one in found)
    return found


def _edit(folder: Path, row: int | None = None, /, **cells: Any) -> None:
    """Set cells of a spreadsheet row, or of a whole column."""
    frame = pd.read_csv(folder / "cases.csv", dtype=object)
    for column, value in cells.items():
        if row is None:
            frame[column] = value
        else:
            frame[column] = frame.get(column)
            frame.loc[row - 2, column] = value
    frame.to_csv(folder / "cases.csv", index=False)


def _only(found: list[Finding]) -> tuple[int | None, str | None, str, str]:
    assert len(found) == 1, [str(one) for one in found]
    return found[0].row, found[0].column, found[0].severity, f"{found[0].what} {found[0].remedy}"


def test_a_sound_table_has_no_findings(folder: Path) -> None:
    assert _check(folder, label="malignant", classes=["0", "1"]) == []


def _four_dimensional(folder: Path) -> None:
    _image(folder / "images" / "2.nii.gz", np.stack([_noise(2)] * 2))


def _cut_short(folder: Path) -> None:
    file = folder / "images" / "2.nii.gz"
    file.write_bytes(file.read_bytes()[:200])


def _no_image(folder: Path) -> None:
    (folder / "images" / "2.nii.gz").write_text("Dear colleague,")


def _not_a_number_spacing(folder: Path) -> None:
    _image(folder / "images" / "2.nii", _noise(2))
    data = bytearray((folder / "images" / "2.nii").read_bytes())
    data[80:84] = np.float32(np.nan).tobytes()  # pixdim[1] of the NIfTI-1 header
    (folder / "images" / "2.nii").write_bytes(data)
    _edit(folder, 4, image="images/2.nii")


def _not_a_number_voxel(folder: Path) -> None:
    array = _noise(2).astype(np.float32)
    array[0, 0, 0] = np.nan
    _image(folder / "images" / "2.nii.gz", array)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_four_dimensional, "3-D"),
        (_cut_short, ""),
        (_no_image, ""),
        (_not_a_number_spacing, "spacing"),
        (_not_a_number_voxel, "1 voxels are not a number"),
        (
            lambda folder: _image(folder / "images" / "2.nii.gz", np.zeros(SHAPE, np.int16)),
            "all voxels have the value 0",
        ),
    ],
)
def test_bad_image(folder: Path, spoil: Any, words: str) -> None:
    spoil(folder)
    row, column, severity, text = _only(_check(folder))
    assert (row, column, severity) == (4, "image", "error")
    assert words in text


def test_left_handed_image_is_a_warning(folder: Path) -> None:
    _image(folder / "images" / "2.nii.gz", _noise(2), direction=(1, 0, 0, 0, -1, 0, 0, 0, 1))
    _image(folder / "masks" / "2.nii.gz", _lesion(), direction=(1, 0, 0, 0, -1, 0, 0, 0, 1))
    row, column, severity, text = _only(_check(folder))
    assert (row, column, severity) == (4, "image", "warning")
    assert "left-handed" in text
    assert str(_check(folder)[0]).startswith("warning: row 4 (case c2), column image: 2.nii.gz: the direction is left")


@pytest.mark.parametrize(
    ("array", "geometry", "words"),
    [
        (_lesion(), {"spacing": (0.7, 0.8, 2.5)}, "grid"),
        (_lesion(), {"origin": (0.0, 0.0, 1.5)}, "grid"),
        (_lesion()[:, :, :-1], {}, "grid"),
        (np.zeros(SHAPE, np.uint8), {}, "empty"),
        (_lesion().astype(np.float32) / 2, {}, "whole numbers"),
    ],
)
def test_bad_mask(folder: Path, array: np.ndarray, geometry: dict[str, Any], words: str) -> None:
    _image(folder / "masks" / "3.nii.gz", array, **geometry)
    row, column, severity, text = _only(_check(folder))
    assert (row, column, severity) == (5, "mask", "error")
    assert words in text


def test_mask_of_ones_is_a_warning(folder: Path) -> None:
    _image(folder / "masks" / "3.nii.gz", np.ones(SHAPE, np.uint8))
    assert _only(_check(folder))[:3] == (5, "mask", "warning")


def test_missing_files_propose_the_nearest(folder: Path) -> None:
    _edit(folder, 2, image="images/0.nii", mask="mask/0.nii.gz")
    found = _check(folder)
    assert [(one.row, one.column) for one in found] == [(2, "image"), (2, "mask")]
    assert found[0].remedy == "Did you mean 0.nii.gz?"
    assert found[1].remedy == "Paths are relative to the folder of the table."


def test_centre_outside_of_the_image(folder: Path) -> None:
    # Index (z, y, x) = (2, 3, 4) lies at (2.8, 2.4, 3.0) mm; the far corner at (4.2, 4.0, 6.0) mm.
    _edit(folder, 2, mask=None, centre_x_mm=2.8, centre_y_mm=2.4, centre_z_mm=3.0)
    assert _check(folder) == []
    _edit(folder, 2, centre_x_mm=-2.8)
    row, column, _, text = _only(_check(folder))
    assert (row, column) == (2, "centre_x_mm")
    assert "from (0, 0, 0) to (4, 4, 6) mm" in text


def test_one_image_under_two_patients(folder: Path) -> None:
    _image(folder / "images" / "5.nii.gz", _noise(1).astype(np.float32), spacing=(1.0, 1.0, 1.0))
    _image(folder / "masks" / "5.nii.gz", _lesion(), spacing=(1.0, 1.0, 1.0))
    row, column, severity, text = _only(_check(folder))  # same pixels, other type, spacing and file
    assert (row, column, severity) == (7, "image", "error")
    assert "that of row 3, which is another patient's" in text


def test_two_lesions_in_one_image_are_fine_and_one_twice_is_not(folder: Path) -> None:
    other = np.zeros(SHAPE, np.uint8)
    other[4, 5, 6] = 1
    _image(folder / "masks" / "1.nii.gz", other)
    _edit(folder, 3, image="images/0.nii.gz", patient_id="p0", sex="F", age=50)
    assert _check(folder) == []
    _edit(folder, 3, mask="masks/0.nii.gz")
    row, _, severity, text = _only(_check(folder))
    assert (row, severity) == (3, "warning")
    assert "same lesion as that of row 2" in text


def test_labels(folder: Path) -> None:
    _edit(folder, 2, malignant=None)
    _edit(folder, 3, malignant="malignent")
    found = _check(folder, label="malignant", classes=["0", "1"], images=False)
    assert [(one.row, one.what.split()[0]) for one in found] == [(None, "a"), (2, "the"), (3, "'malignent'")]
    assert "'0' has 2, '1' has 2" in found[0].what
    _edit(folder, malignant=["benign", "Benign", "malignant", "benign", "benign", "malignat"])
    found = _check(folder, label="malignant", classes=["benign", "malignant"], images=False)
    assert [one.remedy for one in found if one.row] == ["Did you mean 'benign'?", "Did you mean 'malignant'?"]
    found = _check(folder, label="malignant", images=False)
    assert "upper and lower case alone: benign, Benign" in " ".join(one.what for one in found)
    assert (
        _only(_check(folder, label="malign", images=False))[3] == "there is no such column. Did you mean 'malignant'?"
    )


def test_one_class_and_one_patient(folder: Path) -> None:
    _edit(folder, malignant="1")
    assert "of one class, '1'" in _only(_check(folder, label="malignant", images=False))[3]
    _edit(folder, patient_id="p0", sex="F", age=50)
    assert _only(_check(folder, label="malignant", images=False))[1:3] == ("patient_id", "error")
    assert _only(_check(folder, images=False))[2] == "warning"


def test_contradicting_covariates(folder: Path) -> None:
    _edit(folder, 4, patient_id="p0", sex="M", age=51)
    _edit(folder, 7, patient_id="p0", sex="F", age=50)
    _edit(folder, birth_date=["1950-01-01", "x", "1951-01-01", "x", "x", "1950-01-01"], side=list("lrrrrl"))
    found = _check(folder, per_patient=["side", "weight"], images=False)
    places = [(one.row, one.column, one.severity) for one in found]
    assert places == [
        (None, "weight", "error"),
        (4, "age", "warning"),
        (4, "birth_date", "error"),
        (4, "sex", "error"),
        (4, "side", "error"),
    ]
    assert "1951" not in " ".join(str(one) for one in found)


def test_names_paths_sites_and_places(folder: Path) -> None:
    _edit(folder, 3, patient_id="DOE^JANE")
    _edit(folder, 4, case_id="Doe, John")
    _edit(folder, 5, site="Bern")
    _edit(folder, 6, image=str(folder / "images" / "4.nii.gz"))
    _edit(folder, 7, mask=None)
    _image(folder / "masks" / "2.nii.gz", np.zeros(SHAPE, np.uint8))
    found = _check(folder)
    assert [(one.row, one.column, one.severity) for one in found] == [
        (None, None, "warning"),  # neither mask nor centre
        (None, "image", "warning"),  # absolute
        (None, "site", "warning"),
        (3, "patient_id", "error"),
        (4, "case_id", "error"),
        (4, "mask", "error"),
    ]
    assert "doe" not in " ".join(str(one) for one in found).lower()
    assert "missing in 5 of 6 rows (rows: 2, 3, 4, 6, 7)" in found[2].what


def test_everything_at_once(folder: Path) -> None:
    _edit(folder, 2, image="images/none.nii.gz", case_id="c1")
    _image(folder / "masks" / "0.nii.gz", np.zeros(SHAPE, np.uint8))  # seen although its image is missing
    _edit(folder, 4, patient_id=None)
    _image(folder / "masks" / "2.nii.gz", np.zeros(SHAPE, np.uint8))
    (folder / "images" / "5.nii.gz").write_bytes(b"")
    (folder / "masks" / "5.nii.gz").write_bytes(b"")
    found = _check(folder)
    assert [(one.row, one.column) for one in found] == [
        (2, "image"),
        (2, "mask"),
        (3, "case_id"),
        (4, "mask"),
        (4, "patient_id"),
        (7, "image"),
        (7, "mask"),
    ]
    assert has_errors(found)
    assert not has_errors([])
    assert len(str(ProblemsError("cases.csv:", found)).splitlines()) == 8


def test_unreadable_tables_are_findings_too(folder: Path) -> None:
    assert "there is no file case.csv" in check_cases(folder / "case.csv")[0].what
    (folder / "cases.csv").write_text("case,patient,picture\n1,2,3\n")
    assert {one.column for one in _check(folder) if one.severity == "error"} == {"case_id", "patient_id", "image"}


def test_two_processes_find_the_same(folder: Path) -> None:
    _image(folder / "masks" / "3.nii.gz", np.zeros(SHAPE, np.uint8))
    _cut_short(folder)
    seen: list[tuple[int, str]] = []

    def progress(items: Any, total: int, label: str) -> Any:
        seen.append((total, label))
        return items

    found = check_cases(folder / "cases.csv", workers=2, progress=progress)
    assert found == _check(folder)
    assert seen == [(6, "reading images")]


def test_digests_depend_on_pixels_alone(folder: Path) -> None:
    from hounsfield.tables.cases import read_cases

    assert pixel_digest(_noise(0)) == pixel_digest(_noise(0).astype(np.float64))
    assert pixel_digest(_noise(0)) != pixel_digest(_noise(0).reshape(SHAPE[::-1]))
    _image(folder / "images" / "5.nii.gz", _noise(1).astype(np.float32))
    digests = pixel_digests(read_cases(folder / "cases.csv").cases(), workers=1)
    assert digests[5] == digests[1]
    assert len(set(digests)) == 5


@pytest.mark.slow
def test_lidc_nodules_are_sound(shared_data: Path) -> None:
    found = check_cases(shared_data / "lidc-nodules" / "cases.csv", label="malignant", classes=["0", "1"], workers=2)
    assert [str(one) for one in found] == []


def test_dicom_folders_of_vendors(shared_data: Path, tmp_path: Path) -> None:
    # The folders' own names say what they hold: one image in several transfer syntaxes, and series that are no volume.
    names = ["compressed_jpeg", "compressed_jpegls", "compressed_rle", "gantrytilting", "sliceincrement"]
    folders = [next((shared_data / "dicom" / "vendors").glob(f"*_{name}_001")) for name in names]
    frame = pd.DataFrame({"case_id": names, "patient_id": names, "image": folders})
    frame.to_csv(tmp_path / "cases.csv", index=False)
    found = [one for one in check_cases(tmp_path / "cases.csv", workers=1) if one.row]
    assert [(one.row, one.column) for one in found] == [(3, "image"), (4, "image"), (5, "image"), (6, "image")]
    words = ("another patient's", "another patient's", "tilt", "missing")
    assert all(word in one.what for word, one in zip(words, found, strict=True))
