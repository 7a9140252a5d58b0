"""The package's exceptions. Each message says what was expected, what came and what to do; none holds a patient's name.

All derive from ValueError, so that a caller who knows nothing of this package can still catch bad input.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


class HounsfieldError(ValueError):
    """Base of every error that this package raises on purpose."""


class ImageError(HounsfieldError):
    """An image file that can't be read as one 3-D volume."""


class SeriesError(ImageError):
    """A DICOM series that is no regular volume: slices missing, doubled, tilted, truncated, mixed."""


class MaskError(HounsfieldError):
    """A mask that is empty, on another grid, or holds no such segment."""


class TableError(HounsfieldError):
    """A cases or predictions table that breaks its schema or the patient rule."""


class StudyError(HounsfieldError):
    """A study file that can't be run: unknown key, unknown arm, too few patients."""


class BundleError(HounsfieldError):
    """A model bundle that is incomplete, altered or of an unknown version."""


class RunError(HounsfieldError):
    """A computation that can't go on: a loss that is not a number, a folder of another run."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with an input: where it is, what it is, what to do about it."""

    where: str
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" + (f" {self.remedy}" if self.remedy else "")


class ProblemsError(HounsfieldError):
    """Several problems at once, so that a user mends them in one go."""

    def __init__(self, title: str, problems: Iterable[Problem]) -> None:
        self.title = title
        self.problems = tuple(problems)
        super().__init__("\n".join([title, *(f"  {problem}" for problem in self.problems)]))

    def __reduce__(self) -> tuple[type[ProblemsError], tuple[str, tuple[Problem, ...]]]:
        # An exception raised in a worker process travels by pickle; the default rebuilds it from the message alone.
        return type(self), (self.title, self.problems)
