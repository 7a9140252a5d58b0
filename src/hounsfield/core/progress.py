"""Progress as a function: what is handed in wraps an iterable. The command line passes a bar, tests pass nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol


class Progress(Protocol):
    """Wraps `items` of known number `total`, named `label`, and yields them unchanged."""

    def __call__(self, items: Iterable[Any], total: int, label: str) -> Iterator[Any]: ...


def silent(items: Iterable[Any], total: int, label: str) -> Iterator[Any]:
    """Shows nothing; the default everywhere below the command line."""
    yield from items
