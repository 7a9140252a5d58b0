"""Rows of the catalog's table `planes` from DICOM files by pydicom alone: nothing of the scan's parser is used."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError


def series_in(folder: Path, *, unpacked: Path) -> dict[str, tuple[pd.DataFrame, dict[str, Any]]]:
    """{SeriesInstanceUID: (rows of `planes`, header)} of all DICOM files in a folder and its zip files.

    Args:
        unpacked: where zip files are unpacked to.
    """
    for archive in sorted(folder.rglob("*.zip")):
        with zipfile.ZipFile(archive) as members:
            members.extractall(unpacked)
    rows: dict[str, list[dict[str, Any]]] = {}
    headers: dict[str, dict[str, Any]] = {}
    for dataset in _datasets(folder, unpacked):
        uid = str(dataset.SeriesInstanceUID)
        rows.setdefault(uid, []).extend(_rows(dataset))
        headers.setdefault(uid, {"SpacingBetweenSlices": dataset.get("SpacingBetweenSlices")})
    return {uid: (pd.DataFrame(rows[uid], columns=COLUMNS), headers[uid]) for uid in rows}


def _datasets(*folders: Path) -> Iterator[Dataset]:
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix != ".zip":
                try:
                    yield pydicom.dcmread(path, stop_before_pixels=True)
                except InvalidDicomError:
                    continue


COLUMNS = (
    *("sop_uid", "series_uid", "frame", "rows", "columns", "position", "orientation", "pixel_mm", "instance_number"),
    *("acquisition", "temporal", "acquisition_time", "content_time", "trigger_time", "echo", "b_value", "stack"),
    *("image_type", "tiles"),
)


def _rows(dataset: Dataset) -> Iterator[dict[str, Any]]:
    if "Rows" not in dataset:
        return
    frames = dataset.get("PerFrameFunctionalGroupsSequence")
    shared = (dataset.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]
    for number, groups in enumerate(frames or [None], start=1 if frames else 0):
        flat = dataset if groups is None else _flat(groups, shared)
        yield {
            "sop_uid": str(dataset.SOPInstanceUID),
            "series_uid": str(dataset.SeriesInstanceUID),
            "frame": number,
            "rows": int(dataset.Rows),
            "columns": int(dataset.Columns),
            "position": _floats(flat.get("ImagePositionPatient")),
            "orientation": _floats(flat.get("ImageOrientationPatient")),
            "pixel_mm": _floats(flat.get("PixelSpacing")),
            "instance_number": number or dataset.get("InstanceNumber"),
            "acquisition": flat.get("AcquisitionNumber"),
            "temporal": flat.get("TemporalPositionIdentifier", flat.get("TemporalPositionIndex")),
            "acquisition_time": flat.get("AcquisitionTime", flat.get("FrameAcquisitionDateTime")),
            "content_time": flat.get("ContentTime"),
            "trigger_time": flat.get("TriggerTime"),
            "echo": flat.get("EchoNumbers"),
            "b_value": flat.get("DiffusionBValue"),
            "stack": flat.get("StackID"),
            "image_type": "\\".join(dataset.get("ImageType") or []),
            "tiles": _tiles(dataset),
        }


def _flat(*groups: Dataset) -> Dataset:
    """The elements of the public functional groups, the first ones winning."""
    found = Dataset()
    for group in groups:
        for element in group:
            if element.VR == "SQ" and not element.tag.is_private and element.value:
                for inner in element.value[0]:
                    if inner.tag not in found:
                        found.add(inner)
    return found


def _floats(value: Any) -> list[float] | None:
    return [float(one) for one in value] if value else None


def _tiles(dataset: Dataset) -> int:
    if "MOSAIC" not in (dataset.get("ImageType") or []):
        return 0
    protocol = dataset.get((0x0029, 0x1020))  # Siemens writes its protocol, an ASCII text, into this element
    found = re.search(rb"sSliceArray\.lSize\s*=\s*(\d+)", protocol.value if protocol is not None else b"")
    return int(found.group(1)) if found else 0
