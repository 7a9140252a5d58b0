"""Measured cases on disk, by content. In: digests of files and settings, what was measured; out: its file, or the
numbers read back.

As in `data.cache`: an entry's name is the hash of everything that went into it, so nothing is ever stale, and an entry
holds its own checksum, so a damaged one counts as absent. An entry is a line of SHA-256 and a line of JSON.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from math import nan
from pathlib import Path

from hounsfield.core.errors import RunError

VERSION = 1  # to be raised whenever a change of code changes a measured number


@dataclass(frozen=True)
class Entry:
    """The numbers of one case: values with NaN where missing, the reasons, and voxels of lesion and shells."""

    values: Mapping[str, float]
    missing: Mapping[str, str]
    voxels: Mapping[str, int]


def load(cache: Path, key: str) -> Entry | None:
    """The entry of `key`, or None when there is none or it is damaged."""
    try:
        checksum, _, body = _path(cache, key).read_bytes().partition(b"\n")
    except OSError:
        return None
    if hashlib.sha256(body).hexdigest().encode() != checksum:
        return None
    found = json.loads(body)
    values = {name: nan if value is None else float(value) for name, value in found["values"].items()}
    return Entry(values, found["missing"], found["voxels"])


def store(cache: Path, key: str, entry: Entry) -> None:
    """Writes one entry, whole or not at all.

    Raises: RunError when the folder can't be written.
    """
    values = {name: value if value == value else None for name, value in entry.values.items()}  # JSON has no NaN
    content = {"values": values, "missing": dict(entry.missing), "voxels": dict(entry.voxels)}
    body = json.dumps(content, allow_nan=False).encode()
    path = _path(cache, key)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{key[:8]}.", suffix=".part", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
            os.replace(temporary, path)
        finally:
            Path(temporary).unlink(missing_ok=True)
    except OSError as error:
        raise RunError(
            f"the cache folder '{cache.name}' can't be written: {error.strerror}. Free some space or name another "
            "folder; what was measured so far stays."
        ) from error


def _path(cache: Path, key: str) -> Path:
    return cache / key[:2] / f"{key}.features"
