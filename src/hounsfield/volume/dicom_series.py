"""A DICOM series as a volume. In: a folder of slices, or one enhanced multi-frame file; out: the volume in HU with the
headers it came from, or one error that lists everything that is wrong.

Slices are ordered by their position along the slice normal, whatever the files are called; the distance between slices
comes from the positions, never from SliceThickness. Nothing is repaired or guessed: a missing slice, a doubled
position, a tilted gantry are errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom

from hounsfield.core.errors import HounsfieldError, ImageError, SeriesError
from hounsfield.core.types import AnyArray
from hounsfield.volume.dicom_files import UNREADABLE, Header, quiet_pydicom, read_dataset, series_headers
from hounsfield.volume.dicom_pixels import compact, hu_of_slice, rescale_of, stored_values
from hounsfield.volume.dicom_planes import Plane, Stack, arrange, some
from hounsfield.volume.volume import Volume


@dataclass(frozen=True, eq=False)
class Series:
    """A volume and the DICOM headers it came from.

    Attributes:
        volume: CT in HU.
        datasets: headers without pixels; datasets[k] is the slice volume.array[k]. Of a multi-frame object the one
            header.
        frames: of a multi-frame object the frame (from 1) of each slice k, else None.
    """

    volume: Volume
    datasets: tuple[pydicom.Dataset, ...]
    frames: tuple[int, ...] | None = None

    @property
    def series_uid(self) -> str:
        """SeriesInstanceUID."""
        return str(self.datasets[0].SeriesInstanceUID)


def read_series(folder: Path | str, *, series_uid: str | None = None) -> Series:
    """The one image series in a folder (searched with its subfolders), or in an enhanced multi-frame file.

    Args:
        series_uid: SeriesInstanceUID, or its last digits, when there are several.
    Raises: SeriesError listing every problem: files damaged, slices missing, doubled, tilted, mixed, pixels truncated.
    """
    path = Path(folder)
    if not path.exists():
        raise SeriesError(f"{path.name}: no such file or folder. Check the path.")
    with quiet_pydicom():
        try:
            return _read(path, series_uid)
        except HounsfieldError:
            raise
        except UNREADABLE as error:
            raise SeriesError(f"{path.name}: a header is damaged ({type(error).__name__}). Export it again.") from error


def _read(path: Path, series_uid: str | None) -> Series:
    headers, damaged = series_headers(path, series_uid=series_uid)
    many = [header for header in headers if int(header.dataset.get("NumberOfFrames", 1) or 1) > 1]
    if len(many) == 1 and len(headers) == 1:
        return _multi_frame(many[0])
    problems = (
        [f"{len(damaged)} DICOM file(s) are damaged and can't be read ({some(damaged)}). Export them again."]
        if damaged
        else []
    )
    if many:
        names = [header.path.name for header in many]
        problems.append(
            f"{len(headers)} files, of which {len(many)} hold several frames ({some(names)}). Give one such file by "
            "itself."
        )
    mosaics = [header.path.name for header in headers if "MOSAIC" in str(header.dataset.get("ImageType", ""))]
    if mosaics:
        problems.append(
            f"{len(mosaics)} images are mosaics of many slices ({some(mosaics)}). Convert them with dcm2niix first."
        )
    stack, found = arrange([_plane(header) for header in headers])
    slices, broken = _slices(headers, stack)
    problems += found + broken
    if problems or stack is None:
        raise _error(headers[0], problems)
    volume = Volume(compact(np.stack(slices)), stack.spacing_mm, stack.origin_mm, stack.direction)
    return Series(volume, tuple(headers[number].dataset for number in stack.order))


def _slices(headers: Sequence[Header], stack: Stack | None) -> tuple[list[AnyArray], list[str]]:
    """The slices in order (in any order when there is none), and what is wrong with single files."""
    order = range(len(headers)) if stack is None else stack.order
    slices: list[AnyArray] = []
    broken: dict[str, list[str]] = {}
    for number in order:
        header = headers[number]
        try:
            values = hu_of_slice(read_dataset(header.path, pixels=True), header.path)
            if stack is not None:  # else the pixels are read only to find what else is wrong
                slices.append(compact(values))
        except SeriesError as error:
            broken.setdefault(str(error), []).append(header.path.name)
        except Exception:  # pydicom raises many types on files cut short
            broken.setdefault("it is damaged or truncated. Export it again.", []).append(header.path.name)
    return slices, [f"{some(names)}: {what}" for what, names in broken.items()]


def _multi_frame(header: Header) -> Series:
    dataset = header.dataset
    groups = dataset.get("PerFrameFunctionalGroupsSequence")
    if not groups:
        raise _error(
            header, ["it holds several frames without a place for each (no functional groups); it is no volume."]
        )
    shared = dataset.get("SharedFunctionalGroupsSequence") or [pydicom.Dataset()]
    planes = [_frame_plane(dataset, shared[0], group, number) for number, group in enumerate(groups, start=1)]
    stack, problems = arrange(planes)
    pixels: AnyArray | None = None
    try:
        pixels = stored_values(read_dataset(header.path, pixels=True))
        if len(pixels) != len(planes):
            problems.append(f"it announces {len(planes)} frames and holds {len(pixels)}. Export it again.")
    except SeriesError as error:
        problems.append(str(error))
    if problems or stack is None or pixels is None:
        raise _error(header, problems)
    slices = []
    for number in stack.order:
        mapping = _group(groups[number], shared[0], "PixelValueTransformationSequence")
        slope, intercept = rescale_of(dataset if mapping is None else mapping)
        slices.append(pixels[number].astype(np.float64) * slope + intercept)
    volume = Volume(compact(np.stack(slices)), stack.spacing_mm, stack.origin_mm, stack.direction)
    return Series(volume, (dataset,), tuple(number + 1 for number in stack.order))


def _plane(header: Header) -> Plane:
    dataset = header.dataset
    return Plane(
        header.path.name,
        int(dataset.Rows),
        int(dataset.Columns),
        _floats(dataset.get("ImagePositionPatient")),
        _floats(dataset.get("ImageOrientationPatient")),
        _floats(dataset.get("PixelSpacing")),
    )


def _frame_plane(dataset: pydicom.Dataset, shared: pydicom.Dataset, group: pydicom.Dataset, number: int) -> Plane:
    position = _group(group, shared, "PlanePositionSequence")
    orientation = _group(group, shared, "PlaneOrientationSequence")
    measures = _group(group, shared, "PixelMeasuresSequence")
    return Plane(
        f"frame {number}",
        int(dataset.Rows),
        int(dataset.Columns),
        None if position is None else _floats(position.get("ImagePositionPatient")),
        None if orientation is None else _floats(orientation.get("ImageOrientationPatient")),
        None if measures is None else _floats(measures.get("PixelSpacing")),
    )


def _group(group: pydicom.Dataset, shared: pydicom.Dataset, name: str) -> pydicom.Dataset | None:
    """A functional group of one frame, or else the one shared by all."""
    for holder in (group, shared):
        items = holder.get(name)
        if items:
            first: pydicom.Dataset = items[0]
            return first
    return None


def _floats(value: Any) -> tuple[float, ...] | None:
    try:
        return None if value is None else tuple(float(one) for one in value)
    except (TypeError, ValueError):
        return None


def _error(header: Header, problems: list[str]) -> ImageError:
    uid = str(header.dataset.get("SeriesInstanceUID", ""))
    text = "\n".join(f"  {problem}" for problem in problems)
    return SeriesError(f"series ...{uid[-8:]} is no regular volume:\n{text}")
