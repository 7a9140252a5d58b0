"""Writes a CT volume as a DICOM series: a volume in HU goes in, a folder of valid CT Image Storage files comes out.

Values are stored as unsigned 16-bit numbers with a rescale intercept, uncompressed, explicit VR little endian. Any
orientation is written as it is: rows and columns become Image Orientation, each slice has its own Image Position.
Identifiers come from a seed, dates are fixed, so the same call writes the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from pydicom.valuerep import format_number_as_ds

from hounsfield.core.atomic import atomic_folder
from hounsfield.core.errors import ImageError
from hounsfield.core.seeds import generator
from hounsfield.core.types import AnyArray, IntArray
from hounsfield.volume.volume import Volume

SliceOrder = Literal["ascending", "descending"]
FileOrder = Literal["instance", "reversed", "shuffled"]


@dataclass(frozen=True)
class SeriesHeader:
    """What a series says about itself besides geometry; the defaults describe an invented scanner.

    Args:
        patient_id: identifier without meaning; the patient's name is made from it.
        sex: M, F, O or empty.
        age: years, None to leave it out.
        date: YYYYMMDD of study and series.
        kernel: name of the reconstruction kernel.
    """

    patient_id: str
    seed: int = 0
    sex: str = ""
    age: int | None = None
    date: str = "20200101"
    series_number: int = 1
    series_description: str = "Phantom thorax"
    manufacturer: str = "Hounsfield"
    model: str = "Phantom"
    site: str = ""
    kernel: str = "STANDARD"
    body_part: str = "CHEST"


def write_ct_series(
    volume: Volume,
    folder: Path,
    *,
    header: SeriesHeader,
    slice_order: SliceOrder = "ascending",
    file_order: FileOrder = "instance",
) -> list[Path]:
    """Writes one file a slice into `folder`, which is replaced as a whole.

    Args:
        volume: CT numbers in HU; fractions are rounded.
        slice_order: whether instance numbers rise or fall along axis 0 of the array.
        file_order: how file names follow instance numbers; a reader must not depend on either.
    Returns: the files in the order of axis 0.
    Raises: ImageError when values do not fit 16 bits.
    """
    stored, intercept = _stored(volume.array)
    count = len(stored)
    instance = np.arange(1, count + 1) if slice_order == "ascending" else np.arange(count, 0, -1)
    place = _file_places(count, file_order, header.seed)
    base = _series_dataset(volume, header, intercept)
    positions = volume.to_world(np.column_stack([np.arange(count), np.zeros(count), np.zeros(count)]))
    names = [f"IM{place[number - 1] + 1:05d}.dcm" for number in instance]
    with atomic_folder(folder) as temporary:
        for k in range(count):
            base.SOPInstanceUID = _uid(header, "instance", int(instance[k]))
            base.file_meta.MediaStorageSOPInstanceUID = base.SOPInstanceUID
            base.InstanceNumber = int(instance[k])
            base.ImagePositionPatient = [_decimal(value) for value in positions[k]]
            base.SliceLocation = _decimal(float(positions[k] @ volume.direction[:, 2]))
            base.PixelData = stored[k].tobytes()
            base.save_as(temporary / names[k], enforce_file_format=True)
    return [folder / name for name in names]


def _stored(array: AnyArray) -> tuple[IntArray, int]:
    if not np.isfinite(array).all():
        raise ImageError("CT numbers must be finite; the volume holds NaN or infinity. Fill them, for air with -1024.")
    hu = np.rint(array).astype(np.int64) if array.dtype.kind == "f" else array.astype(np.int64)
    # -1024 is what scanners use; a lower one is needed only where padding lies below it.
    intercept = min(-1024, int(hu.min()))
    if hu.max() - intercept > 65535:
        raise ImageError(
            f"CT numbers span {hu.min()} to {hu.max()} HU, more than 16 bits hold. Clip them, for example to -1024 "
            "to 3071."
        )
    return (hu - intercept).astype("<u2"), intercept


def _file_places(count: int, file_order: FileOrder, seed: int) -> IntArray:
    if file_order == "reversed":
        return np.arange(count)[::-1]
    if file_order == "shuffled":
        return generator(seed, "file order").permutation(count)
    return np.arange(count)


def _series_dataset(volume: Volume, header: SeriesHeader, intercept: int) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
    dataset.SOPClassUID = CTImageStorage
    _add_patient_and_study(dataset, header)
    _add_equipment(dataset, header)
    _add_geometry(dataset, volume)
    _add_pixels(dataset, volume, intercept)
    return dataset


def _add_patient_and_study(dataset: Dataset, header: SeriesHeader) -> None:
    digits = "".join(character for character in header.patient_id if character.isdigit())
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName = f"Phantom^{digits or '0'}"
    dataset.PatientID = header.patient_id
    dataset.PatientBirthDate = ""
    dataset.PatientSex = header.sex
    if header.age is not None:
        dataset.PatientAge = f"{header.age:03d}Y"
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = "Simulated: there is no such person"
    dataset.StudyInstanceUID = _uid(header, "study")
    dataset.StudyID = "1"
    dataset.StudyDescription = "Simulated CT"
    dataset.AccessionNumber = ""
    dataset.ReferringPhysicianName = ""
    dataset.SeriesInstanceUID = _uid(header, "series", header.series_number)
    dataset.FrameOfReferenceUID = _uid(header, "frame of reference")
    dataset.PositionReferenceIndicator = ""
    dataset.SeriesNumber = header.series_number
    dataset.SeriesDescription = header.series_description
    dataset.Modality = "CT"
    dataset.BodyPartExamined = header.body_part
    dataset.PatientPosition = "HFS"
    dataset.AcquisitionNumber = 1
    for part in ("Study", "Series", "Acquisition", "Content"):
        setattr(dataset, f"{part}Date", header.date)
        setattr(dataset, f"{part}Time", "120000")


def _add_equipment(dataset: Dataset, header: SeriesHeader) -> None:
    dataset.Manufacturer = header.manufacturer
    dataset.ManufacturerModelName = header.model
    dataset.InstitutionName = header.site
    dataset.DeviceSerialNumber = "0"
    dataset.SoftwareVersions = "1"
    dataset.KVP = "120"
    dataset.XRayTubeCurrent = 150
    dataset.ExposureTime = 500
    dataset.ConvolutionKernel = header.kernel
    dataset.ScanOptions = ""


def _add_geometry(dataset: Dataset, volume: Volume) -> None:
    # Value 3 of the image type says whether slices run along the body's axis; a reformatted one is derived.
    axial = abs(volume.direction[2, 2]) > 0.9
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"] if axial else ["DERIVED", "SECONDARY", "REFORMATTED"]
    cosines = [*volume.direction[:, 0], *volume.direction[:, 1]]
    dataset.ImageOrientationPatient = [_decimal(float(value)) for value in cosines]
    dataset.PixelSpacing = [_decimal(volume.spacing_mm[1]), _decimal(volume.spacing_mm[2])]
    dataset.SliceThickness = _decimal(volume.spacing_mm[0])


def _add_pixels(dataset: Dataset, volume: Volume, intercept: int) -> None:
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = volume.shape[1:]
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = 0
    dataset.RescaleIntercept = str(intercept)
    dataset.RescaleSlope = "1"
    dataset.RescaleType = "HU"
    dataset.WindowCenter = "-600"
    dataset.WindowWidth = "1500"
    dataset.BurnedInAnnotation = "NO"


def _uid(header: SeriesHeader, *names: str | int) -> str:
    parts = [header.patient_id, str(header.seed), header.date, *(str(name) for name in names)]
    if names[0] == "instance":
        parts.append(str(header.series_number))
    return str(generate_uid(entropy_srcs=["hounsfield", *parts]))


def _decimal(value: float) -> str:
    """Decimal string of at most 16 characters, the most that DICOM allows; -0 becomes 0."""
    return format_number_as_ds(float(value) + 0.0)
