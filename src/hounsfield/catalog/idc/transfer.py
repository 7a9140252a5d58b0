"""One object from a bucket to a file: resumed, checked, repeated after a failure that may pass, whole or not there.

In: what the bucket's listing says of the object. Out: the file. What has come of it so far stands beside it as
`.NAME.part`, which the next call goes on with.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from hounsfield.catalog.idc.buckets import Source, Stored, TryAgain
from hounsfield.catalog.idc.index import FetchError

TRIES = 6  # in a row without a new byte; waits of 1, 2, 4, 8 and 16 s lie between them
_LONGEST_S = 60.0
_Result = TypeVar("_Result")
_BROKEN = 2  # whole objects with a wrong digest before it is given up


@dataclass(frozen=True)
class Retry:
    """How often to try again: `tries` in a row without progress; `pause` is called with the seconds to wait."""

    tries: int = TRIES
    pause: Callable[[float], None] = time.sleep


def again(function: Callable[[], _Result], retry: Retry) -> _Result:
    """What `function` returns, called again while it raises TryAgain.

    Raises: FetchError with the last reason when the tries are used up.
    """
    for failed in range(1, retry.tries + 1):
        try:
            return function()
        except TryAgain as error:
            if failed == retry.tries:
                raise FetchError(f"{error}; tried {failed} times") from error
            retry.pause(_wait(error, failed))
    raise FetchError("no try was allowed")


def transfer(source: Source, bucket: str, stored: Stored, path: Path, retry: Retry) -> None:
    """Brings one object to `path`; whatever stands there is replaced.

    Raises: FetchError when it can't be had; OSError when it can't be written.
    """
    part = path.parent / f".{path.name}.part"
    path.parent.mkdir(parents=True, exist_ok=True)
    failed = broken = 0
    while True:
        before = _size(part)
        try:
            _append(source, bucket, stored, part)
            _check(stored, part)
        except TryAgain as error:
            broken += isinstance(error, _Broken)
            failed = 0 if _size(part) > before else failed + 1
            if error.restart:
                part.unlink(missing_ok=True)
            if failed >= retry.tries or broken >= _BROKEN:
                raise FetchError(f"{error}; tried {max(failed, broken)} times") from error
            retry.pause(_wait(error, max(failed, 1)))
        else:
            os.replace(part, path)
            return


class _Broken(TryAgain):
    """The object came whole, but is not what the listing says."""


def _append(source: Source, bucket: str, stored: Stored, part: Path) -> None:
    have = _size(part)
    if have > stored.size:
        part.unlink()
        have = 0
    if have == stored.size and part.exists():
        return  # a run was stopped between the last byte and the check
    start, blocks = source.read(bucket, stored, have)
    with part.open("ab" if start else "wb") as stream:
        got = start
        for block in blocks:
            stream.write(block)
            got += len(block)
            if got > stored.size:  # e.g. a proxy's page; the rest need not be waited for
                break
        stream.flush()
        os.fsync(stream.fileno())


def _check(stored: Stored, part: Path) -> None:
    size = _size(part)
    if size < stored.size:
        raise TryAgain(f"it ended after {size} of {stored.size} bytes")
    if size > stored.size:
        raise _Broken(f"it has more than the {stored.size} bytes that the bucket lists", restart=True)
    if stored.md5:
        digest = hashlib.md5(usedforsecurity=False)  # the bucket's own tag; a guard against damage, not against malice
        with part.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
        if digest.hexdigest() != stored.md5:
            raise _Broken("its MD5 is not the one that the bucket lists", restart=True)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _wait(error: TryAgain, failed: int) -> float:
    return min(error.wait_s if error.wait_s is not None else 2.0 ** (failed - 1), _LONGEST_S)
