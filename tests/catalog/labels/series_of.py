"""Rows of the table `series` from real headers, read with pydicom alone: a second, slow and obvious way for tests.

Spacing and regularity come from the truth table, so that the rules are tested apart from the package's own geometry.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

TRUTH = Path(__file__).parents[1] / "truth_series.csv"
TEXTS = {
    "study_uid": "StudyInstanceUID",
    "patient_id": "PatientID",
    "modality": "Modality",
    "sop_class": "SOPClassUID",
    "image_type": "ImageType",
    "series_description": "SeriesDescription",
    "study_description": "StudyDescription",
    "protocol_name": "ProtocolName",
    "body_part": "BodyPartExamined",
    "manufacturer": "Manufacturer",
    "scanning_sequence": "ScanningSequence",
    "sequence_name": "SequenceName",
    "angio_flag": "AngioFlag",
    "contrast_agent": "ContrastBolusAgent",
}
NUMBERS = {
    "repetition_time": "RepetitionTime",
    "echo_time": "EchoTime",
    "inversion_time": "InversionTime",
    "temporal_positions": "NumberOfTemporalPositions",
}


def truth() -> list[dict[str, str]]:
    with TRUTH.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def headers(folder: Path) -> Iterator[Dataset]:
    """Header of every DICOM file of a folder and of the zips in it."""
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                for name in sorted(archive.namelist()):
                    yield from _header(io.BytesIO(archive.read(name)))
        elif path.is_file():
            yield from _header(path)


def _header(file: Any) -> Iterator[Dataset]:
    try:
        yield pydicom.dcmread(file, stop_before_pixels=True)
    except InvalidDicomError:
        return


def series_rows(folder: Path) -> list[dict[str, Any]]:
    """One row a series of the folder, columns as in the table `series`."""
    objects: dict[str, dict[str, Dataset]] = defaultdict(dict)
    for header in headers(folder):
        objects[header.SeriesInstanceUID].setdefault(header.SOPInstanceUID, header)
    known = {row["series_uid"]: row for row in truth()}
    return [_row(uid, list(each.values()), known.get(uid)) for uid, each in sorted(objects.items())]


def _row(uid: str, found: list[Dataset], known: dict[str, str] | None) -> dict[str, Any]:
    first = found[0]
    row: dict[str, Any] = {"series_uid": uid, "objects": len(found)}
    row |= {name: _text(first.get(keyword)) for name, keyword in TEXTS.items()}
    row |= {name: _number(first.get(keyword)) for name, keyword in NUMBERS.items()}
    values = [float(one.DiffusionBValue) for one in found if "DiffusionBValue" in one]
    row["b_value"] = max(values, default=None)
    frames = [frame for one in found for frame in _frames(one)]
    row["planes"] = len(frames)
    _groups(first, row)
    _places(row, found, frames)
    row["spacing_mm"] = float(known["slice_spacing_mm"]) if known and known["slice_spacing_mm"] else None
    row["regular"] = {"yes": True, "no": False, "": None}[known["regular"]] if known else None
    if row["spacing_mm"] and row.get("slices"):
        row["length_mm"] = row["spacing_mm"] * row["slices"]
    return row


def _text(value: Any) -> str | None:
    if value is None:
        return None
    parts = value if isinstance(value, (list, pydicom.multival.MultiValue)) else [value]
    return "\\".join(str(part) for part in parts).strip()


def _number(value: Any) -> float | None:
    if isinstance(value, (list, pydicom.multival.MultiValue)):
        value = value[0] if value else None
    return None if value in (None, "") else float(value)


def _frames(one: Dataset) -> list[Dataset]:
    """What holds position and orientation: the object itself, or each frame's functional groups."""
    if "Rows" not in one:
        return []
    if "PerFrameFunctionalGroupsSequence" not in one:
        return [one]
    return list(one.PerFrameFunctionalGroupsSequence)


def _groups(one: Dataset, row: dict[str, Any]) -> None:
    """What an enhanced object says in its functional groups: sequence and part of the body."""
    if "PerFrameFunctionalGroupsSequence" not in one:
        return
    for group in (*one.get("SharedFunctionalGroupsSequence", []), one.PerFrameFunctionalGroupsSequence[0]):
        for timing in group.get("MRTimingAndRelatedParametersSequence", []):
            row["repetition_time"] = _number(timing.get("RepetitionTime"))
            gradient = _number(timing.get("GradientEchoTrainLength")) or 0
            refocused = _number(timing.get("RFEchoTrainLength")) or 0
            row["pulse_sequence"] = "GRADIENT" if gradient and not refocused else "SPIN" if refocused else None
        for echo in group.get("MREchoSequence", []):
            row["echo_time"] = _number(echo.get("EffectiveEchoTime"))
        for anatomy in group.get("FrameAnatomySequence", []):
            row["body_part"] = anatomy.AnatomicRegionSequence[0].CodeMeaning


def _places(row: dict[str, Any], found: list[Dataset], frames: list[Dataset]) -> None:
    positions = [value for frame in frames if (value := _deep(frame, "ImagePositionPatient")) is not None]
    if not positions:
        row["slices"] = len(frames) or None
        return
    shared = found[0].get("SharedFunctionalGroupsSequence", [Dataset()])[0]
    orientation = _deep(frames[0], "ImageOrientationPatient") or _deep(shared, "ImageOrientationPatient")
    pixel = _deep(frames[0], "PixelSpacing") or _deep(shared, "PixelSpacing") or [None, None]
    cosines = np.array(orientation, dtype=float)
    normal = np.cross(cosines[:3], cosines[3:])
    at = np.round(np.array(positions, dtype=float) @ normal, 2)
    tiles = _mosaic_tiles(found[0])
    row["slices"] = tiles or len(np.unique(at))
    row["repeated"] = len(np.unique(at)) < len(at)
    row["orientation"] = cosines.tolist()
    row["rows"], row["columns"] = int(found[0].Rows), int(found[0].Columns)
    row["row_mm"], row["column_mm"] = _number(pixel[0]), _number(pixel[1])
    row["temporal"] = _time(found, at) if len(found) == len(at) else None


def _deep(data: Dataset, keyword: str) -> Any:
    """The value in a data set or in the sequences of it, private ones left out."""
    if keyword in data:
        return data[keyword].value
    for element in data:
        if element.VR == "SQ" and not element.tag.is_private:
            for item in element.value:
                if (value := _deep(item, keyword)) is not None:
                    return value
    return None


def _mosaic_tiles(one: Dataset) -> int | None:
    if "MOSAIC" not in (_text(one.get("ImageType")) or ""):
        return None
    blob = b"".join(element.value for element in one if element.tag.group == 0x29 and isinstance(element.value, bytes))
    found = re.search(rb"sSliceArray\.lSize\s*=\s*(\d+)", blob)  # the protocol in the private header, as text
    return int(found[1]) if found else None


def _time(found: list[Dataset], at: np.ndarray) -> str | None:
    """The first attribute of time that differs between images of one position."""
    for keyword in ("TemporalPositionIdentifier", "AcquisitionTime", "ContentTime"):
        times: dict[float, set[str]] = defaultdict(set)
        for one, place in zip(found, at.tolist(), strict=True):
            times[place].add(str(one.get(keyword)))
        if all(len(values) > 1 for values in times.values()):
            return keyword
    return None
