"""What DICOM images lie in a folder. In: a folder or file, perhaps a series' UID; out: the headers of one image
series, or an error that lists the series to choose from."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
from pydicom.errors import BytesLengthException, InvalidDicomError

from hounsfield.core.errors import SeriesError

# Objects that refer to images (segmentations, doses, presentations) may lie in the same folder; they are no image
# series.
_NO_IMAGES = {"SEG", "RTDOSE", "RTSTRUCT", "RTPLAN", "SR", "PR", "KO", "REG", "DOC"}

# What pydicom raises, early or late, on headers whose bytes are damaged.
UNREADABLE = (
    AttributeError,
    BytesLengthException,
    EOFError,
    IndexError,
    KeyError,
    NotImplementedError,
    OverflowError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True)
class Header:
    """One DICOM file: its path and its data set without pixels."""

    path: Path
    dataset: pydicom.Dataset


def series_headers(path: Path, *, series_uid: str | None = None) -> tuple[list[Header], list[str]]:
    """Headers of the one image series at `path` (localisers left out), and names of DICOM files that can't be read.

    Args:
        path: a folder, searched with its subfolders, or one file.
        series_uid: the wanted SeriesInstanceUID or its last digits.
    Raises: SeriesError when there is no image series, more than one without `series_uid`, or none with it.
    """
    headers, damaged = _scan(path)
    groups: dict[str, list[Header]] = {}
    for header in headers:
        if "Rows" in header.dataset and str(header.dataset.get("Modality", "")) not in _NO_IMAGES:
            groups.setdefault(str(header.dataset.get("SeriesInstanceUID", "")), []).append(header)
    if not groups:
        raise SeriesError(_nothing(path, len(headers), damaged))
    if series_uid is not None:
        wanted = [uid for uid in groups if uid == series_uid] or [uid for uid in groups if uid.endswith(series_uid)]
        if len(wanted) != 1:
            which = "no series" if not wanted else f"{len(wanted)} series"
            raise SeriesError(
                f"{path.name}: {which} with series_uid ending in {series_uid[-8:]}. There are:\n{_list(groups)}"
            )
        chosen = groups[wanted[0]]
    elif len(groups) > 1:
        raise SeriesError(
            f"{path.name}: expected one series, got {len(groups)}. Pass series_uid (the last digits will do) or "
            f"separate them:\n{_list(groups)}"
        )
    else:
        chosen = next(iter(groups.values()))
    images = [header for header in chosen if "LOCALIZER" not in _image_type(header.dataset)]
    if not images:
        raise SeriesError(
            f"{path.name}: the series holds localisers (scout views) only, which are no volume. Choose the axial "
            "series."
        )
    return images, damaged


def read_dataset(path: Path, *, pixels: bool) -> pydicom.Dataset:
    """A DICOM file's data set; pydicom's warnings and log lines on irregular headers are kept off the terminal.

    Raises: InvalidDicomError when the file is no DICOM; other errors of pydicom when it is damaged.
    """
    with quiet_pydicom():
        try:
            return pydicom.dcmread(path, stop_before_pixels=not pixels)
        except InvalidDicomError:
            # Files without the 128-byte preamble exist in archives; a class and a UID tell one from any other file.
            dataset = pydicom.dcmread(path, stop_before_pixels=not pixels, force=True)
            if "SOPClassUID" in dataset and "SOPInstanceUID" in dataset:
                if not getattr(dataset, "file_meta", None) or "TransferSyntaxUID" not in dataset.file_meta:
                    dataset.file_meta = pydicom.dataset.FileMetaDataset()
                    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
                return dataset
            raise


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Silences pydicom's warnings and logger for a while; what matters is raised as an error of this package."""
    logger = logging.getLogger("pydicom")
    disabled = logger.disabled
    logger.disabled = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled = disabled


def _scan(path: Path) -> tuple[list[Header], list[str]]:
    files = (
        [path]
        if path.is_file()
        else sorted(file for file in path.rglob("*") if file.is_file() and file.name != "DICOMDIR")
    )
    headers, damaged = [], []
    for file in files:
        if file.name.startswith("."):
            continue
        marked = _has_mark(file)
        try:
            dataset = read_dataset(file, pixels=False)
            if "SOPClassUID" not in dataset:
                raise InvalidDicomError
            headers.append(Header(file, dataset))
        except (
            Exception
        ):  # pydicom raises many types on damaged files; what counts is whether the file claims to be DICOM
            if marked:
                damaged.append(file.name)
    return headers, damaged


def _has_mark(file: Path) -> bool:
    with file.open("rb") as stream:
        return stream.read(132)[128:] == b"DICM"


def _nothing(path: Path, count: int, damaged: list[str]) -> str:
    if damaged and not count:
        names = ", ".join(damaged[:5])
        return f"{path.name}: {len(damaged)} DICOM file(s) are damaged and can't be read ({names}). Export them again."
    if count:
        return (
            f"{path.name}: {count} DICOM file(s), but none is an image (only segmentations, reports, plans). "
            "Give the images' folder."
        )
    return f"{path.name}: no DICOM file found. Give the folder that holds the series' images."


def _list(groups: dict[str, list[Header]]) -> str:
    lines = []
    for uid, headers in sorted(groups.items(), key=lambda item: -len(item[1])):
        first: Any = headers[0].dataset
        text = str(first.get("SeriesDescription", "") or "no description")
        lines.append(
            f"  ...{uid[-8:]}  {first.get('Modality', '?')}  {len(headers)} image(s) {first.Columns} x {first.Rows}  "
            f"{text}"
        )
    return "\n".join(lines)


def _image_type(dataset: pydicom.Dataset) -> list[str]:
    value = dataset.get("ImageType", [])
    return [str(part).upper() for part in ([value] if isinstance(value, str) else value or [])]
