"""What lies in a folder or zip file. In: its path; out: places of files, and streams of their bytes.

Names inside an archive are never used as paths, so none can lead out of the target; members are read as they are
unpacked, and one that grows out of proportion is refused.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, cast

from hounsfield.catalog.deidentify.deidentify import NotDeidentified
from hounsfield.core.errors import RunError

_RATIO = 1000  # unpacked to packed; deflate itself can't do more than 1032
_PASSWORD = 1  # flag of a zip's member


@dataclass(frozen=True, order=True)
class Place:
    """A file, or a member of a zip file."""

    path: Path
    member: str = ""


def places(source: Path) -> list[Place]:
    """Every file of a folder (searched with its subfolders, links not followed), zip files opened, in a fixed order.

    Links, and folders that can't be listed, are places too: opening them says what is wrong.
    Raises: RunError when there is nothing.
    """
    if not source.exists():
        raise RunError(f"{source.name}: no such file or folder. Check the path.")
    files = [source] if source.is_file() else sorted(_files(source))
    found = [place for file in files for place in _members(file)]
    if not found:
        raise RunError(f"{source.name} holds no file. Give the folder or zip file of the DICOM objects.")
    return found


@contextmanager
def opened(place: Place) -> Iterator[BinaryIO]:
    """A stream of the bytes of a file or member.

    Raises: NotDeidentified when it is a link or a member that must not be unpacked; OSError when it can't be read.
    """
    if place.path.is_symlink():
        raise NotDeidentified("it is a link, which is not followed.")
    if not place.member:
        if place.path.suffix.lower() == ".zip":
            raise NotDeidentified("it is a zip file that can't be opened, or holds a name twice.")
        with place.path.open("rb") as stream:
            yield stream
        return
    info = _archive(place.path).getinfo(place.member)
    if info.flag_bits & _PASSWORD:
        raise NotDeidentified("it is in a zip file with a password.")
    if info.file_size > _RATIO * max(info.compress_size, 1):
        raise NotDeidentified("it is in a zip file and unpacks to more than a thousand times its size.")
    with _archive(place.path).open(info) as member:  # zipfile itself stops at the size announced
        yield cast(BinaryIO, member)


def digest_of(place: Place) -> bytes:
    """SHA-256 of a file's bytes."""
    with opened(place) as stream:
        return hashlib.file_digest(cast(Any, stream), "sha256").digest()


@lru_cache(maxsize=2)
def _archive(path: Path) -> zipfile.ZipFile:
    # Kept open: its list of members would be read again for each of them.
    return zipfile.ZipFile(path)


def _files(folder: Path) -> Iterator[Path]:
    closed: list[Path] = []
    for root, folders, files in os.walk(folder, onerror=lambda error: closed.append(Path(str(error.filename)))):
        yield from (Path(root) / name for name in files)
        yield from (path for name in folders if (path := Path(root) / name).is_symlink())
    yield from closed


def _members(file: Path) -> Iterator[Place]:
    if file.suffix.lower() != ".zip" or file.is_symlink() or not zipfile.is_zipfile(file):
        yield Place(file)
        return
    with zipfile.ZipFile(file) as archive:
        names = sorted(info.filename for info in archive.infolist() if not info.is_dir())
    if len(set(names)) < len(names):
        yield Place(file)  # of two members of one name only one can be reached
        return
    yield from (Place(file, name) for name in names)
