"""What objects derived from a series need of it: its volume and headers go in, headers fit for deriving come out.

Real series leave out what the standard demands, and an object made from them would inherit the lapse. What must be
there but may be empty is filled in empty, and what must not be empty says that the source did not state it.
"""

from __future__ import annotations

import copy
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pydicom.valuerep import format_number_as_ds

from hounsfield.volume.finding import ModelIdentity
from hounsfield.volume.volume import Volume

MANUFACTURER = "Hounsfield"
CHARACTERS = "ISO_IR 192"  # UTF-8: class names and labels may be in any script, whatever the source was written in
_MAY_BE_EMPTY = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
)


class SourceSeries(Protocol):
    """What is needed of a series: its volume, and the headers of its slices in the order of axis 0."""

    @property
    def volume(self) -> Volume: ...

    @property
    def datasets(self) -> Sequence[Dataset]: ...


def source_headers(series: SourceSeries) -> list[Dataset]:
    """The headers of a series; the first, from which patient and study are taken, is a completed copy."""
    first = copy.deepcopy(series.datasets[0])
    for name in _MAY_BE_EMPTY:
        if name not in first:
            setattr(first, name, "")
    if first.PatientSex not in ("M", "F", "O"):
        first.PatientSex = ""
    if not re.fullmatch(r"\d{3}[DWMY]", str(first.get("PatientAge", "000Y"))):
        del first.PatientAge
    if not first.get("SliceThickness"):  # the segmentation's voxels are as thick as the slices lie apart
        first.SliceThickness = format_number_as_ds(series.volume.spacing_mm[0])
    stated = "DeidentificationMethod" in first or "DeidentificationMethodCodeSequence" in first
    if first.get("PatientIdentityRemoved") == "YES" and not stated:
        first.DeidentificationMethod = "Not stated in the source images"
    if "PerFrameFunctionalGroupsSequence" in first:
        _share_groups(first)
    return _with_frame_of_reference([first, *series.datasets[1:]])


def _with_frame_of_reference(headers: list[Dataset]) -> list[Dataset]:
    """Gives a series without a frame of reference one of its own, the same in every object derived from it."""
    if headers[0].get("FrameOfReferenceUID"):
        return headers
    uid = generate_uid(entropy_srcs=["frame of reference", str(headers[0].SeriesInstanceUID)])
    completed = [copy.deepcopy(header) for header in headers]
    for header in completed:
        header.FrameOfReferenceUID = uid
    return completed


def _share_groups(header: Dataset) -> None:
    """Puts pixel size and orientation, the same in all frames of a volume, where highdicom looks for them."""
    shared = header.get("SharedFunctionalGroupsSequence") or [Dataset()]
    for name in ("PixelMeasuresSequence", "PlaneOrientationSequence"):
        if name not in shared[0]:
            setattr(shared[0], name, header.PerFrameFunctionalGroupsSequence[0].get(name))
    header.SharedFunctionalGroupsSequence = list(shared)


def equipment(model: ModelIdentity, *, uids: Sequence[str], series_number: int, description: str) -> dict[str, Any]:
    """What every object made by a model says about itself, as highdicom's constructors take it.

    Args:
        uids: of the new series and of its one instance.
    """
    return {
        "series_instance_uid": uids[0],
        "series_number": series_number,
        "series_description": description[:64],
        "sop_instance_uid": uids[1],
        "instance_number": 1,
        "manufacturer": MANUFACTURER,
        "manufacturer_model_name": model.title[:64],
        "software_versions": model.version[:64],
        "device_serial_number": model.serial,
        "specific_character_set": CHARACTERS,
    }


@contextmanager
def no_names_in_warnings() -> Iterator[None]:
    """Silences highdicom's warning about unusual person names, which quotes the patient's name."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message='The string ".*" is unlikely to represent', category=UserWarning)
        yield
