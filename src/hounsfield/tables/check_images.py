"""What the images of a cases table say: an image with the cases that use it goes in, findings and digests come out.

An image is read once for all its cases. What comes out is small, so that the reading can run in other processes.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hounsfield.core.content import sha256_of
from hounsfield.core.engine import each
from hounsfield.core.errors import HounsfieldError
from hounsfield.core.progress import Progress, silent
from hounsfield.core.types import AnyArray
from hounsfield.tables.cases import Case
from hounsfield.tables.findings import Finding, Severity, finding
from hounsfield.volume.read import read_mask, read_volume
from hounsfield.volume.volume import Volume

_OWN_GRID = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")  # masks in DICOM objects need their image


@dataclass(frozen=True)
class ImageTask:
    """One image and the cases in it, each with its row."""

    image: Path
    series_uid: str | None
    cases: tuple[tuple[int, Case], ...]


@dataclass(frozen=True)
class Look:
    """What was seen of one image.

    Attributes:
        digest: of the image's pixels; None when it can't be read.
        masks: row -> digest of the mask's voxels, for the masks that could be read.
    """

    digest: str | None = None
    masks: dict[int, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


def pixel_digest(array: AnyArray) -> str:
    """Digest of an image's values and shape, whatever number type they are stored in."""
    digest = hashlib.sha256(str(array.shape).encode())
    for plane in array:  # plane by plane: a whole chest CT as float32 in every process would fill the memory
        digest.update(np.asarray(plane, dtype=np.float32).tobytes())
    return digest.hexdigest()


def pixel_digests(
    cases: Sequence[Case], *, workers: int = 0, progress: Progress = silent, label: str = "comparing images"
) -> list[str]:
    """Pixel digest of the image of each case, in order; an image of several cases is read once.

    Raises: ImageError for an image that can't be read.
    """
    sources = list(dict.fromkeys((case.image, case.series_uid) for case in cases))
    found = dict(zip(sources, each(_digest, sources, workers=workers, progress=progress, label=label), strict=True))
    return [found[case.image, case.series_uid] for case in cases]


def tasks_of(rows: Sequence[tuple[int, Case]]) -> list[ImageTask]:
    """The rows gathered by image, in the order of their first use."""
    gathered: dict[tuple[Path, str | None], list[tuple[int, Case]]] = defaultdict(list)
    for row, case in rows:
        gathered[case.image, case.series_uid].append((row, case))
    return [ImageTask(image, uid, tuple(users)) for (image, uid), users in gathered.items()]


def look(task: ImageTask) -> Look:
    """Read one image and the masks of its cases; whatever is wrong becomes a finding, nothing is raised."""
    rows = [(row, case.case_id) for row, case in task.cases]
    found: list[Finding] = []
    volume = _image(task, rows, found) if task.image.exists() else None  # a missing one is named already
    if volume is None:
        for row, case in task.cases:
            _mask_alone(case, row, found)
        return Look(findings=tuple(found))
    found += _values(volume.array, task.image.name, rows)
    masks = {}
    for row, case in task.cases:
        mask = _mask(case, volume, row, found)
        if mask is not None:
            masks[row] = sha256_of(np.packbits(mask))
        if case.centre_mm is not None:
            found += _centre(case.centre_mm, volume, row, case.case_id)
    return Look(pixel_digest(volume.array), masks, tuple(found))


def _image(task: ImageTask, rows: Sequence[tuple[int, str]], found: list[Finding]) -> Volume | None:
    volume = _try(lambda: read_volume(task.image, series_uid=task.series_uid, left_handed="refuse"), "image", [], [])
    if volume is not None:
        return volume
    volume = _try(lambda: read_volume(task.image, series_uid=task.series_uid), "image", rows, found)
    if volume is not None:  # refused, yet readable: it is left-handed
        what = f"{task.image.name}: the direction is left-handed."
        remedy = "One axis is reversed when it is read, which moves no voxel in the patient; programs that ignore the "
        remedy += "direction will see it mirrored."
        found += _for_all(rows, "image", what, remedy, warn=True)
    return volume


def _mask_alone(case: Case, row: int, found: list[Finding]) -> None:
    """Judge a mask whose image is missing or damaged, so that its own faults show in the same check."""
    path = case.mask
    if path is not None and path.name.lower().endswith(_OWN_GRID) and path.exists():
        _try(lambda: read_mask(path, like=read_volume(path)), "mask", [(row, case.case_id)], found)


def _digest(source: tuple[Path, str | None]) -> str:
    return pixel_digest(read_volume(source[0], series_uid=source[1]).array)


def _values(array: AnyArray, name: str, rows: Sequence[tuple[int, str]]) -> list[Finding]:
    if np.issubdtype(array.dtype, np.floating) and not np.isfinite(array).all():
        count = int((~np.isfinite(array)).sum())
        what = f"{name}: {count} voxels are not a number or infinite."
        return _for_all(rows, "image", what, "Export the image again, with air in their place.")
    if array.min() == array.max():
        what = f"{name}: all voxels have the value {array.min():g}."
        return _for_all(rows, "image", what, "Export the image again.")
    return []


def _mask(case: Case, volume: Volume, row: int, found: list[Finding]) -> AnyArray | None:
    path = case.mask
    if path is None or not path.exists():  # named already where files are looked for
        return None
    rows = [(row, case.case_id)]
    mask = _try(lambda: read_mask(path, like=volume), "mask", rows, found)
    if mask is None:
        return None
    if not mask.array.any():
        what = f"{path.name}: no voxel of the image is marked."
        found += _for_all(rows, "mask", what, "Draw the lesion in this image, or leave the mask's cell empty.")
    elif mask.array.all():
        what = f"{path.name}: every voxel of the image is marked."
        found += _for_all(rows, "mask", what, "Is it inverted, or the image cut to the lesion?", warn=True)
    return mask.array


def _centre(centre: tuple[float, float, float], volume: Volume, row: int, case_id: str) -> list[Finding]:
    index = volume.to_index(np.asarray([centre]))[0]
    if np.all((index > -0.5) & (index < np.asarray(volume.array.shape) - 0.5)):
        return []
    low, high = (volume.to_world(np.asarray([end]))[0] for end in ((0, 0, 0), np.asarray(volume.array.shape) - 1))
    corners = " to ".join("(" + ", ".join(f"{value:.0f}" for value in corner) + ")" for corner in (low, high))
    what = f"the centre lies outside of the image, which reaches from {corners} mm."
    remedy = "Centres are x, y, z in mm in patient coordinates (LPS); NIfTI viewers show x and y with the other sign."
    return [finding(what, remedy, row=row, column="centre_x_mm", case_id=case_id)]


def _try(
    read: Callable[[], Volume], column: str, rows: Sequence[tuple[int, str]], found: list[Finding]
) -> Volume | None:
    try:
        return read()
    except HounsfieldError as error:
        # Messages of this package are "what. what to do"; several problems at once stay together.
        what, dot, remedy = str(error).partition(". ") if "\n" not in str(error) else (str(error), "", "")
        found += _for_all(rows, column, what + dot.strip(), remedy)
    except Exception as error:  # a damaged file can raise anything in its reader, and the other images must go on
        # The reader's own words are left out: they hold full paths.
        what = f"the {column} can't be read ({type(error).__name__})."
        found += _for_all(rows, column, what, "Open it in a viewer; export it again if that fails too.")
    return None


def _for_all(
    rows: Sequence[tuple[int, str]], column: str, what: str, remedy: str, *, warn: bool = False
) -> list[Finding]:
    severity: Severity = "warning" if warn else "error"
    return [finding(what, remedy, row=row, column=column, case_id=case, severity=severity) for row, case in rows]
