"""Files read by a worker: entries of an archive in, rows for the catalog out. Whatever a file holds, this goes on.

Members of zip and tar files are read without unpacking: a header's bytes are taken from the stream, so that what a
small file would blow up to is never made, and no path of a member is ever written to.
"""

from __future__ import annotations

import os
import stat
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from hounsfield.catalog.scan.elements import Damaged, NoDicom
from hounsfield.catalog.scan.header import read_header
from hounsfield.catalog.scan.media import is_media_directory, missing_files
from hounsfield.catalog.scan.object_header import ObjectHeader
from hounsfield.catalog.scan.walk import Entry, shown
from hounsfield.volume.dicom_files import UNREADABLE

_ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")
_UNPACKED = 2**38  # bytes of a compressed tar that are read through at most: 256 GB


@dataclass
class Rows:
    """Rows of the tables `files`, `scanned`, `scanned_planes` and `variants`."""

    files: list[tuple[Any, ...]] = field(default_factory=list)
    objects: list[tuple[Any, ...]] = field(default_factory=list)
    planes: list[tuple[Any, ...]] = field(default_factory=list)
    variants: dict[str, str] = field(default_factory=dict)

    def add(self, other: Rows) -> None:
        """Takes up another's rows."""
        self.files += other.files
        self.objects += other.objects
        self.planes += other.planes
        self.variants |= other.variants


def read_entries(entries: Sequence[Entry]) -> Rows:
    """Reads each file, and of archives each member."""
    rows = Rows()
    for entry in entries:
        if entry.error:
            rows.files.append((entry.path, "", entry.size, entry.mtime_ns, "unreadable", entry.error, None, None))
        elif entry.path.lower().endswith(_ARCHIVES):
            _archive(entry, rows)
        elif is_media_directory(entry.path):
            rows.files.append(_directory(entry))
        else:
            _file(entry, rows)
    return rows


def _directory(entry: Entry) -> tuple[Any, ...]:
    """The row of a DICOMDIR; one that names absent files has no time, so that the next scan looks again."""
    try:
        named, missing = missing_files(entry.full)
    except Damaged as error:
        return (entry.path, "", entry.size, entry.mtime_ns, "broken", str(error), None, None)
    except Exception as error:  # as for any header: whatever its bytes make pydicom raise
        why = f"it is damaged ({type(error).__name__}); the files beside it were found without it"
        return (entry.path, "", entry.size, entry.mtime_ns, "broken", why, None, None)
    if not missing:
        return (entry.path, "", entry.size, entry.mtime_ns, "directory", None, None, None)
    why = f"{len(missing)} of the {named} files that it names are not there; copy the disc again"
    return (entry.path, "", entry.size, 0, "directory", why, None, None)


def _file(entry: Entry, rows: Rows) -> None:
    try:
        with open(entry.full, "rb", buffering=0) as stream:
            before = os.fstat(stream.fileno())
            if not stat.S_ISREG(before.st_mode):
                raise OSError(0, "it is no regular file")
            _object(entry, "", stream, rows)
            after = os.fstat(stream.fileno())
        if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
            raise OSError(0, "it changed while it was read; the next scan reads it again")
    except OSError as error:
        _drop(entry, rows)
        reason = f"it can't be read ({error.strerror})" if error.errno else str(error.strerror)
        # Without its time, so that the next scan tries it again.
        rows.files.append((entry.path, "", entry.size, 0, "unreadable", reason, None, None))


def _drop(entry: Entry, rows: Rows) -> None:
    for table in (rows.files, rows.objects, rows.planes):
        while table and table[-1][0] == entry.path:
            table.pop()


def _object(entry: Entry, member: str, stream: BinaryIO, rows: Rows, size: int | None = None) -> None:
    """One file or member: its rows, or the reason why there are none."""
    state, reason = "object", ""
    found: ObjectHeader | None = None
    try:
        found = read_header(stream)
        if found.variant not in rows.variants:
            rows.variants[found.variant] = found.header()
    except NoDicom:
        state = "other"
    except Damaged as error:
        state, reason = "broken", str(error)
    except OSError:
        raise
    except (*UNREADABLE, RecursionError, zipfile.BadZipFile) as error:
        state, reason = "broken", f"its header is damaged ({type(error).__name__})"
    except Exception as error:  # pydicom raises types of its own; a scan of a million files must not end with one
        state, reason = "broken", f"its header is damaged ({type(error).__name__})"
    if entry.size == 0 and not member:
        state, reason = "broken", "it is empty (0 bytes)"
    uid, digest = (None, None) if found is None or state != "object" else (found.sop_uid, found.digest)
    bytes_ = entry.size if size is None else size
    rows.files.append((entry.path, member, bytes_, entry.mtime_ns, state, reason or None, uid, digest))
    if found is None or state != "object":
        return
    where = (entry.path, member, found.sop_uid, found.series_uid, found.sop_class, found.instance_number)
    rows.objects.append((*where, found.frames, found.variant, found.digest, list(found.refers_to)))
    rows.planes += [(*where[:4], *plane) for plane in found.planes]


def _archive(entry: Entry, rows: Rows) -> None:
    inner = Rows()
    state, reason = "archive", ""
    try:
        members = _zip_members if entry.path.lower().endswith(".zip") else _tar_members
        for name, size, stream in members(entry):
            if name.lower().endswith(_ARCHIVES):
                why = "an archive within an archive is not opened; unpack the outer one"
                inner.files.append((entry.path, name, size, entry.mtime_ns, "unreadable", why, None, None))
            elif is_media_directory(name):
                inner.files.append((entry.path, name, size, entry.mtime_ns, "directory", None, None, None))
            else:
                _object(entry, name, stream, inner, size)
    except (OSError, EOFError, zipfile.BadZipFile, tarfile.TarError, NotImplementedError, RuntimeError) as error:
        # RuntimeError is zipfile's word for a member that needs a password.
        locked = "password" in str(error).lower() or "encrypted" in str(error).lower()
        state = "unreadable"
        reason = (
            "it is locked with a password"
            if locked
            else f"it is damaged ({type(error).__name__}); what came before counts"
        )
    except Exception as error:  # decompressors raise their own types on damaged bytes
        state, reason = "unreadable", f"it is damaged ({type(error).__name__}); what came before counts"
    rows.add(inner)
    rows.files.append((entry.path, "", entry.size, entry.mtime_ns, state, reason or None, None, None))


def _zip_members(entry: Entry) -> Iterator[tuple[str, int, BinaryIO]]:
    with zipfile.ZipFile(entry.full) as archive:
        for info in sorted(archive.infolist(), key=lambda one: one.filename):
            if not info.is_dir():
                with archive.open(info) as stream:
                    yield shown(info.filename), info.file_size, stream  # type: ignore[misc]


def _tar_members(entry: Entry) -> Iterator[tuple[str, int, BinaryIO]]:
    read = 0
    with tarfile.open(entry.full, "r:*") as archive:
        for info in archive:
            read += info.size
            if read > _UNPACKED:
                raise tarfile.TarError(f"more than {_UNPACKED // 2**30} GB unpacked")
            stream = archive.extractfile(info) if info.isreg() else None
            if stream is not None:
                yield shown(info.name), info.size, stream  # type: ignore[misc]
