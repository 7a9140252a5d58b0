"""A small archive of two made-up patients, and what came of it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, ExplicitVRLittleEndian, SegmentationStorage

from hounsfield.catalog.deidentify.run import Result, deidentify_folder
from hounsfield.catalog.deidentify.secret import Secret

SECRET = Secret(bytes(range(32)))
NAMES = ("DOE", "JANE", "ROE", "4711", "4712", "ward7")


def save(dataset: Dataset, path: Path) -> Path:
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.preamble = b"DOE^JANE".ljust(128)
    pydicom.dcmwrite(path, dataset, enforce_file_format=True)
    return path


def common(patient: str, name: str, uid: str, *, sop_class: str = CTImageStorage, series: int = 1) -> Dataset:
    dataset = Dataset()
    dataset.PatientID, dataset.PatientName, dataset.Modality = patient, name, "CT"
    dataset.StudyDate, dataset.StudyDescription = "20150312", f"Thorax {name.split('^')[0]}"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"1.2.{patient}", f"1.2.{patient}.{series}"
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, uid
    dataset.Rows = dataset.Columns = 8
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 1
    return dataset


def ct_slice(patient: str, name: str, number: int) -> Dataset:
    dataset = common(patient, name, f"1.2.{patient}.1.{number + 1}")
    dataset.ImagePositionPatient, dataset.ImageOrientationPatient = [0, 0, 2 * number], [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing, dataset.RescaleSlope, dataset.RescaleIntercept = [1, 1], 1, -1024
    dataset.PixelData = (np.arange(64, dtype=np.int16) + 100 * number).tobytes()
    return dataset


def enhanced(patient: str, name: str) -> Dataset:
    dataset = common(patient, name, f"1.2.{patient}.3.1", sop_class=EnhancedCTImageStorage, series=3)
    dataset.NumberOfFrames = 3
    groups = []
    for number in range(3):
        position, content, group = Dataset(), Dataset(), Dataset()
        position.ImagePositionPatient = [0, 0, 3 * number]
        content.FrameAcquisitionDateTime, content.FrameComments = f"2015031210111{number}", f"for {name}"
        group.PlanePositionSequence, group.FrameContentSequence = Sequence([position]), Sequence([content])
        groups.append(group)
    measures, orientation, shared = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, orientation.ImageOrientationPatient = [1, 1], [1, 0, 0, 0, 1, 0]
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = Sequence([measures]), Sequence([orientation])
    dataset.PerFrameFunctionalGroupsSequence, dataset.SharedFunctionalGroupsSequence = groups, [shared]
    dataset.PixelData = np.arange(192, dtype=np.int16).tobytes()
    return dataset


def segmentation(patient: str, name: str) -> Dataset:
    dataset = common(patient, name, f"1.2.{patient}.2.1", sop_class=SegmentationStorage, series=2)
    image, series = Dataset(), Dataset()
    image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID = CTImageStorage, f"1.2.{patient}.1.1"
    series.SeriesInstanceUID, series.ReferencedInstanceSequence = f"1.2.{patient}.1", Sequence([image])
    dataset.Modality, dataset.ReferencedSeriesSequence = "SEG", Sequence([series])
    dataset.PixelData = bytes(128)
    return dataset


def archive_in(folder: Path) -> Path:
    """Two patients: slices, a segmentation and an enhanced object each; a second copy, and files that are no object."""
    for patient, name in (("4711", "DOE^JANE"), ("4712", "ROE^RIK")):
        for number in range(4):
            save(ct_slice(patient, name, number), folder / name / f"{name}{number}.dcm")
        save(segmentation(patient, name), folder / name / "seg")
        save(enhanced(patient, name), folder / name / "enhanced.dcm")
    shutil.copy(folder / "DOE^JANE" / "seg", folder / "copy of seg")
    (folder / "DICOMDIR").write_bytes(b"DOE")
    (folder / "letter to DOE.txt").write_text("DOE")
    (folder / "cut.dcm").write_bytes((folder / "DOE^JANE" / "DOE^JANE0.dcm").read_bytes()[:300])
    return folder


def tree(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def objects(folder: Path) -> dict[str, bytes]:
    return {name: data for name, data in tree(folder).items() if name.endswith(".dcm")}


def run(source: Path, out: Path, **more: Any) -> Result:
    return deidentify_folder(source, out, SECRET, more.pop("options", None), workers=1, **more)
