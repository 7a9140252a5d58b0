"""Prepared cases on disk, by content. In: digests of files and settings, a prepared case; out: its file, or the case
read back.

An entry's name is the hash of everything that went into it, so a changed file or setting is another entry and nothing
is ever stale. An entry holds its own checksum: a damaged one is treated as absent. Layout: 64 characters of SHA-256 of
the rest, 8 digits of the header's length, the header (JSON), the image (float32), the mask (uint8).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from hounsfield.core.content import sha256_of, sha256_of_file
from hounsfield.core.errors import RunError
from hounsfield.data.preparation import Preparation, PreparedCase

VERSION = 2  # to be raised whenever a change of code changes a prepared number


def content_digest(path: Path) -> str:
    """SHA-256 of an image's content: a file, a folder, or a header file together with the data file it names."""
    if path.suffix.lower() in (".mhd", ".nhdr"):
        named = re.search(r"^(?:ElementDataFile *=|data ?file *:) *(.+?) *$", path.read_text("latin-1"), re.M | re.I)
        data = path.parent / named[1] if named else path
        return sha256_of([sha256_of_file(path), sha256_of_file(data if data.is_file() else path.parent)])
    return sha256_of_file(path)


def entry_key(
    image: str,
    mask: str | None,
    config: Preparation,
    *,
    centre_mm: tuple[float, ...] | None = None,
    series_uid: str | None = None,
) -> str:
    """Name of the entry made of these digests, settings, point and series."""
    parts = {"version": VERSION, "image": image, "mask": mask, "centre_mm": centre_mm, "series_uid": series_uid}
    return sha256_of({**parts, "config": config.model_dump(mode="json")})


def store(cache: Path, key: str, prepared: PreparedCase) -> None:
    """Writes one entry, whole or not at all.

    Raises: RunError when the folder can't be written (disk full, no right); nothing half-written stays.
    """
    header: dict[str, Any] = {
        "shape": list(prepared.image.shape),
        "has_mask": prepared.mask is not None,
        "features": prepared.features,
        "origin_mm": prepared.origin_mm,
        "spacing_mm": prepared.spacing_mm,
        "direction": prepared.direction.ravel().tolist(),
        "mask_leaves_cube": prepared.mask_leaves_cube,
        "pixel_digest": prepared.pixel_digest,
    }
    text = json.dumps(header).encode()
    body = b"%08d" % len(text) + text + prepared.image.astype("<f4").tobytes()
    body += b"" if prepared.mask is None else prepared.mask.astype(np.uint8).tobytes()
    try:
        _write(entry_path(cache, key), hashlib.sha256(body).hexdigest().encode() + body)
    except OSError as error:
        raise RunError(
            f"the cache folder '{cache.name}' can't be written: {error.strerror}. Free some space or name another "
            "folder; "
            "what was prepared so far stays and is not made again."
        ) from error


def load(cache: Path, key: str) -> PreparedCase | None:
    """The entry of `key`, or None when there is none or it is damaged."""
    try:
        raw = entry_path(cache, key).read_bytes()
    except OSError:
        return None
    if len(raw) < 72 or hashlib.sha256(memoryview(raw)[64:]).hexdigest().encode() != raw[:64]:
        return None
    end = 72 + int(raw[64:72])
    header = json.loads(raw[72:end])
    shape = tuple(header["shape"])
    count = int(np.prod(shape))
    image = np.frombuffer(raw, "<f4", count, end).reshape(shape)
    mask = np.frombuffer(raw, np.uint8, count, end + 4 * count).reshape(shape) if header["has_mask"] else None
    return PreparedCase(
        image=image,
        mask=mask,
        features=header["features"],
        origin_mm=tuple(header["origin_mm"]),
        spacing_mm=tuple(header["spacing_mm"]),
        direction=np.asarray(header["direction"]).reshape(3, 3),
        mask_leaves_cube=header["mask_leaves_cube"],
        pixel_digest=header["pixel_digest"],
    )


def _write(path: Path, content: bytes) -> None:
    # Not core.atomic: flushing each file to disk takes longer than preparing it, and an entry that a power cut leaves
    # short fails its checksum and is made anew. The rename alone keeps a killed run from leaving half an entry.
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.stem[:8]}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def entry_path(cache: Path, key: str) -> Path:
    """Where the entry of `key` lies; spread over 256 folders, as one with 100 000 files is slow to list."""
    return cache / key[:2] / f"{key}.case"
