"""Small DICOM files with chosen headers, for the tests of the scan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

CT = "1.2.840.10008.5.1.4.1.1.2"


def made(number: int = 0, *, series: str = "1.2.3.4", syntax: str = ExplicitVRLittleEndian, **more: Any) -> Dataset:
    """A CT slice of 4 x 4 pixels at z = 2.5 mm times `number`; `more` sets further elements by keyword."""
    dataset = Dataset()
    dataset.SOPClassUID = CT
    dataset.SOPInstanceUID = f"{series}.{number + 1}"
    dataset.StudyInstanceUID = "1.2.3"
    dataset.SeriesInstanceUID = series
    dataset.Modality = "CT"
    dataset.PatientID = "P1"
    dataset.PatientName = "Nobody^Known"
    dataset.SeriesDescription = "THORAX"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.InstanceNumber = number + 1
    dataset.ImagePositionPatient = [-10.0, -20.0, 2.5 * number]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing = [0.7, 0.8]
    dataset.Rows = dataset.Columns = 4
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 0
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.PixelData = np.full((4, 4), number, np.uint16).tobytes()
    for name, value in more.items():
        setattr(dataset, name, value)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    return dataset


def write(dataset: Dataset, path: Path) -> Path:
    """Writes a file as PACS do, with preamble and file meta information."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pydicom.dcmwrite(path, dataset, enforce_file_format=True)
    return path


def series(folder: Path, count: int = 20, **more: Any) -> str:
    """A series of `count` slices in a folder; returns its UID."""
    uid = str(more.pop("series", generate_uid(entropy_srcs=[str(folder)])))
    for number in range(count):
        write(made(number, series=uid, **more), folder / f"{number:04d}")
    return uid
