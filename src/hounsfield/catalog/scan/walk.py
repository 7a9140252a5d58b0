"""What lies in an archive, file by file: a folder in, batches of files out, in a steady order and without a full list.

Links are followed, but no folder twice, so links in circles end. A folder that can't be read is one entry with the
reason. Nothing is opened here.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_COUNTED = 1_000_000  # folders after which an estimate is good enough
_SKIPPED = frozenset({"Thumbs.db", ".DS_Store"})


@dataclass(frozen=True)
class Entry:
    """A file as the folder shows it.

    Attributes:
        path: relative to the archive, with forward slashes; bytes that are no UTF-8 as \\xNN.
        full: where to open it.
        size, mtime_ns: to see whether it changed.
        error: why it, or the folder, can't be read; else empty.
    """

    path: str
    full: str
    size: int
    mtime_ns: int
    error: str = ""


def walk(archive: Path) -> Iterator[Entry]:
    """Every file below `archive`, or the file itself, in the order of names."""
    root = os.fspath(archive)
    if not os.path.isdir(root):
        found = os.stat(root)
        yield Entry(shown(os.path.basename(root)), root, found.st_size, found.st_mtime_ns)
        return
    seen: set[tuple[int, int]] = set()
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        try:
            found = os.stat(folder)
            key = (found.st_dev, found.st_ino)
            if key in seen:
                continue
            seen.add(key)
            names = sorted(os.listdir(folder))
        except OSError as error:
            yield Entry(_relative(folder, root), folder, 0, 0, f"the folder can't be read ({error.strerror})")
            continue
        folders = []
        for name in names:
            full = os.path.join(folder, name)
            try:
                found = os.stat(full)
            except OSError as error:
                yield Entry(_relative(full, root), full, 0, 0, f"it can't be read ({error.strerror})")
                continue
            if stat.S_ISDIR(found.st_mode):
                folders.append(full)
            elif stat.S_ISREG(found.st_mode) and name not in _SKIPPED:
                yield Entry(_relative(full, root), full, found.st_size, found.st_mtime_ns)
        waiting.extend(reversed(folders))


def count_files(archive: Path) -> int:
    """About how many files there are, without looking at any: what an estimate of the time left needs."""
    waiting, count, folders = [os.fspath(archive)], 0, 0
    while waiting and folders < _COUNTED:
        folder = waiting.pop()
        folders += 1
        try:
            with os.scandir(folder) as found:
                for one in found:
                    if one.is_dir(follow_symlinks=False):
                        waiting.append(one.path)
                    else:
                        count += 1
        except OSError:
            count += 1
    return count


def shown(name: str) -> str:
    """A file name as text that a table can hold: bytes that are no UTF-8 as \\xNN."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _relative(full: str, root: str) -> str:
    # Not os.path.relpath, which asks for the working folder each time.
    inner = full[len(root) :].lstrip(os.sep) or os.path.basename(root)
    return shown(inner.replace(os.sep, "/") if os.sep != "/" else inner)


def batches(entries: Iterator[Entry], size: int) -> Iterator[list[Entry]]:
    """Lists of `size` entries, the last one shorter."""
    batch: list[Entry] = []
    for entry in entries:
        batch.append(entry)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
