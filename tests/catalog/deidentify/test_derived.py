"""Objects that refer to others: segmentations, reports and structure sets are read back as they were, and are valid."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from tests.catalog.deidentify.archive_made import SECRET, run
from tests.catalog.deidentify.test_real import errors_of

from hounsfield.catalog.deidentify.profile import Options
from hounsfield.volume.dicom_masks import read_rtstruct, read_segmentation
from hounsfield.volume.dicom_seg import Segment, write_segmentation
from hounsfield.volume.dicom_series import read_series
from hounsfield.volume.dicom_sr import read_measurement_report, write_measurement_report
from hounsfield.volume.dicom_write import SeriesHeader, write_ct_series
from hounsfield.volume.finding import Finding, ModelIdentity
from hounsfield.volume.volume import Volume

MODEL = ModelIdentity(name="ggn", version="0.1.0", digest="cd" * 32, arm="joint")
FINDING = Finding("L1", 1, 12.25, 345.5, (1.5, -2.25, 100.0), {"benign": 0.3, "malignant": 0.7}, "malignant", 9.125)
CHOICES = {
    "basic": Options(),
    "removed": Options(dates="removed"),
    "texts": Options(descriptors=True, structured=True),
    "everything": Options(
        dates="kept", descriptors=True, structured=True, patient=True, device=True, institution=True, private=True
    ),
}


@dataclass(frozen=True)
class Series:
    volume: Volume
    datasets: list[Dataset]


@pytest.fixture
def derived(tmp_path: Path) -> tuple[Path, np.ndarray]:
    """A CT series, a segmentation of it and a report on that; and the segmented voxels."""
    folder = tmp_path / "source"
    volume = Volume(np.random.default_rng(1).integers(-1000, 400, (8, 20, 16)).astype(np.int16), (2.0, 0.7, 0.9))
    header = SeriesHeader(patient_id="Doe-Jane-4711", seed=3, sex="F", age=61)
    files = write_ct_series(volume, folder / "ct", header=header)
    series = Series(volume, [dcmread(file, stop_before_pixels=True) for file in files])
    labels = np.zeros(volume.shape, dtype=np.uint8)
    labels[2:5, 3:9, 4:11] = 1
    written = write_segmentation(
        series,
        labels,
        [Segment("Nodule 1", tracking_id="L1")],
        folder / "seg.dcm",
        model=MODEL,
        representation="binary",
    )
    write_measurement_report(series, written, [FINDING], folder / "sr.dcm", model=MODEL)
    return folder, labels


@pytest.mark.parametrize("choice", CHOICES)
def test_valid_objects_stay_valid(choice: str, derived: tuple[Path, np.ndarray], tmp_path: Path):
    run(derived[0], tmp_path / "out", options=CHOICES[choice])
    before = {SECRET.uid(dcmread(file).SOPInstanceUID): file for file in derived[0].rglob("*.dcm")}
    after = {file.stem: file for file in (tmp_path / "out").rglob("*.dcm")}
    assert before.keys() == after.keys()
    kinds = {str(dcmread(file).Modality): uid for uid, file in before.items()}
    assert kinds.keys() == {"CT", "SEG", "SR"}
    for uid in kinds.values():
        assert not errors_of(before[uid])
        assert not errors_of(after[uid])


def test_segmentations_and_reports_are_read_back(derived: tuple[Path, np.ndarray], tmp_path: Path):
    run(derived[0], tmp_path / "out", options=CHOICES["texts"])
    files = {str(dcmread(file).Modality): file for file in (tmp_path / "out").rglob("*.dcm")}
    like = read_series(files["CT"].parent).volume
    mask = read_segmentation(files["SEG"], like=like)
    np.testing.assert_array_equal(mask.array, derived[1])
    (finding,) = read_measurement_report(files["SR"])
    assert (finding.diameter_mm, finding.decision, finding.lesion_id) == (12.25, "malignant", "L1")
    report, images = dcmread(files["SR"]), {file.stem for file in files["CT"].parent.iterdir()}
    pointed = {str(one.value) for one in report.iterall() if one.keyword == "ReferencedSOPInstanceUID"}
    assert pointed & images
    assert pointed <= images | {files["SEG"].stem}
    assert b"4711" not in files["SR"].read_bytes()


@pytest.mark.slow
def test_a_real_structure_set_marks_the_same_voxels(shared_data: Path, tmp_path: Path):
    with zipfile.ZipFile(shared_data / "dicom" / "extremity-STS_001.zip") as archive:
        archive.extractall(tmp_path, [name for name in archive.namelist() if "/MR_T2/" in name])
    folder = tmp_path / "extremity-STS_001" / "MR_T2"
    run(folder, tmp_path / "out", options=Options(descriptors=True))
    old = next(file for file in (folder / "mask").iterdir() if file.is_file())
    new = next(file for file in (tmp_path / "out").rglob("*.dcm") if pydicom.dcmread(file).Modality == "RTSTRUCT")
    name = str(dcmread(old).StructureSetROISequence[0].ROIName)
    after = read_series(tmp_path / "out")
    before = read_series(folder / "image")
    np.testing.assert_array_equal(after.volume.array, before.volume.array)
    np.testing.assert_array_equal(
        read_rtstruct(new, like=after.volume, roi=name).array, read_rtstruct(old, like=before.volume, roi=name).array
    )
