"""Files and folders that are there whole or not at all, so that a killed run leaves nothing half-written.

Everything is written beside its place under a temporary name, flushed to disk and renamed; POSIX renames are atomic.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside `path`; renamed to it when the block ends well, removed when it does not.

    The suffix is kept, because writers such as SimpleITK choose the format by it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    suffix = ".nii.gz" if path.name.endswith(".nii.gz") else path.suffix
    temporary = _beside(path, f"part{suffix}")
    try:
        yield temporary
        _flush(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yields a temporary folder beside `path` that takes its place (an older one goes) when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(path, "part")
    temporary.mkdir()
    try:
        yield temporary
        for file in temporary.rglob("*"):
            if file.is_file():
                _flush(file)
        if path.exists():
            # A non-empty folder can't be renamed over: the old one steps aside first.
            old = _beside(path, "old")
            os.replace(path, old)
            os.replace(temporary, path)
            shutil.rmtree(old, ignore_errors=True)
        else:
            os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8 text atomically."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Writes JSON atomically, keys in the given order, numbers in full precision; NaN is refused (it is no JSON)."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _flush(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def _beside(path: Path, ending: str) -> Path:
    # Not tempfile: its files are readable by their owner alone, and a run folder is often shared in a department.
    return path.parent / f".{path.name.split('.')[0]}.{uuid.uuid4().hex[:12]}.{ending}"
