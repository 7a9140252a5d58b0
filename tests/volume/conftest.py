"""Shared by the volume tests: series made with pydicom alone for readers; series and a validator for writers."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from hounsfield.volume.dicom_write import SeriesHeader, write_ct_series
from hounsfield.volume.volume import Volume

UID = "1.2.826.0.1.3680043.8.498.12345678"


def slice_dataset(
    stored: np.ndarray, position: np.ndarray, cosines: np.ndarray, pixel_mm: tuple[float, float]
) -> FileDataset:
    """One CT slice with slope 2 and intercept -1000."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = (
        UID + ".1",
        UID + ".2",
        UID + ".3",
    )
    dataset.Modality, dataset.PatientID, dataset.PatientName = "CT", "P1", "Secret^Name"
    dataset.PatientBirthDate = dataset.PatientSex = dataset.AccessionNumber = dataset.StudyID = ""
    dataset.StudyDate = dataset.StudyTime = dataset.ReferringPhysicianName = ""
    dataset.SeriesDescription = "Thorax 1.0"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.ImagePositionPatient = [f"{value:.6f}" for value in position]
    dataset.ImageOrientationPatient = [f"{value:.8f}" for value in cosines.ravel()]
    dataset.PixelSpacing = [f"{value:.6f}" for value in pixel_mm]
    dataset.SliceThickness = "9"  # a lie: the distance must come from the positions
    dataset.RescaleSlope, dataset.RescaleIntercept = "2", "-1000"
    dataset.Rows, dataset.Columns = stored.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 0
    dataset.PixelData = stored.astype("<u2").tobytes()
    return dataset


@pytest.fixture
def make_series(tmp_path: Path) -> Callable[..., tuple[Path, np.ndarray]]:
    """Writes a CT series in shuffled order without file endings; gives its folder and the stored values (z, y, x)."""

    def make(
        *,
        count: int = 5,
        step: float = 2.5,
        turn: np.ndarray | None = None,
        change: Callable[[int, pydicom.Dataset], bool | None] | None = None,
        name: str = "series",
    ) -> tuple[Path, np.ndarray]:
        rng = np.random.default_rng(5)
        stored = rng.integers(0, 2000, size=(count, 6, 7))
        axes = np.eye(3) if turn is None else turn
        folder = tmp_path / name
        folder.mkdir()
        for place, k in enumerate(rng.permutation(count)):
            position = np.array([-10.0, 20.0, -30.0]) + axes[:, 2] * k * step
            dataset = slice_dataset(stored[k], position, axes[:, :2].T, (0.8, 0.6))
            dataset.InstanceNumber = int(place)  # says nothing about the order
            if change is None or change(int(k), dataset) is not False:
                dataset.save_as(folder / f"IM{place:04d}", enforce_file_format=True)
        return folder, stored

    return make


@pytest.fixture(scope="session")
def dicom_errors() -> Callable[[Path], list[str]]:
    """A function that gives dciodvfy's error lines on a file; the test is skipped where it is not installed."""
    tool = shutil.which("dciodvfy")
    if tool is None:
        pytest.skip("dciodvfy (Debian package dicom3tools) is not installed")

    def errors(path: Path) -> list[str]:
        done = subprocess.run([tool, "-new", str(path)], capture_output=True, text=True, check=False, timeout=60)
        lines = (done.stdout + done.stderr).splitlines()
        # The first line names the object it was recognised as; without it the file was not looked at.
        assert lines, "dciodvfy said nothing at all"
        return [line for line in lines if line.startswith("Error")]

    return errors


@dataclass(frozen=True)
class Source:
    """A series as the writers need it, made without the package's own reader."""

    volume: Volume
    datasets: list[Dataset]
    folder: Path


@pytest.fixture
def make_source(tmp_path) -> Callable[..., Source]:
    """A function that writes a volume as a CT series and gives back what the writers of derived objects take."""

    def make(volume: Volume, *, name: str = "ct", **options: Any) -> Source:
        header = SeriesHeader(patient_id="phantom-007", seed=3, sex="F", age=61)
        files = write_ct_series(volume, tmp_path / name, header=header, **options)
        return Source(volume, [dcmread(file, stop_before_pixels=True) for file in files], tmp_path / name)

    return make


@pytest.fixture
def source(make_source) -> Source:
    """Twelve slices of 20 x 16 pixels, oblique, with slices numbered downwards."""
    turn = np.radians(15)
    direction = np.array([[1, 0, 0], [0, np.cos(turn), -np.sin(turn)], [0, np.sin(turn), np.cos(turn)]])
    array = np.random.default_rng(1).integers(-1000, 400, (12, 20, 16)).astype(np.int16)
    return make_source(Volume(array, (2.0, 0.7, 0.9), (-10.0, 5.5, 120.25), direction), slice_order="descending")
