"""A DICOMDIR, the list on a disc of what it holds. In: its path. Out: how many files it names, and which are gone.

The scan finds the files by itself; the list tells what a half-copied disc lacks (DICOM PS3.3 F.2, PS3.10 8).
"""

from __future__ import annotations

import os
from pathlib import Path

import pydicom

from hounsfield.catalog.scan.elements import Damaged

NAME = "DICOMDIR"
_LARGEST = 2**28  # bytes: a list of about half a million files


def is_media_directory(path: str) -> bool:
    """Whether a file of this name is the list of a disc."""
    return path.rsplit("/", 1)[-1].upper() == NAME


def missing_files(path: str) -> tuple[int, tuple[str, ...]]:
    """Number of files that the DICOMDIR at `path` names, and those that are not there, as they are named.

    Raises: Damaged when it is no list that can be read.
    """
    if os.path.getsize(path) > _LARGEST:
        raise Damaged(f"it is larger than {_LARGEST // 2**20} MB; no list of a disc is")
    records = pydicom.dcmread(path).get("DirectoryRecordSequence")
    if records is None:
        raise Damaged("it holds no directory records")
    named = [_parts(record.ReferencedFileID) for record in records if record.get("ReferencedFileID")]
    folder = Path(path).parent
    return len(named), tuple("/".join(parts) for parts in named if not _there(folder, parts))


def _parts(value: object) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(str(part) for part in value)  # type: ignore[attr-defined]


def _there(folder: Path, parts: tuple[str, ...]) -> bool:
    # A name that leads out of the disc is not looked up. Some systems show the names of a disc in small letters.
    if any(part in ("", ".", "..") or "/" in part for part in parts):
        return False
    return folder.joinpath(*parts).is_file() or folder.joinpath(*(part.lower() for part in parts)).is_file()
