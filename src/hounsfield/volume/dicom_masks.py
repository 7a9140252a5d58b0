"""Masks that come as DICOM objects. In: a Segmentation or an RT Structure Set, and the volume it belongs to; out:
booleans on its grid.

A Segmentation's frames are placed by their own positions, so they may cover a part of the series, in any order.
Contours of a structure set are filled slice by slice by the even-odd rule: a contour inside another is a hole, and so
is the channel of a "keyhole" contour.
Source: DICOM PS3.3 C.8.20 (Segmentation) and C.8.8.6 (ROI Contour).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom

from hounsfield.core.errors import HounsfieldError, ImageError, MaskError, SeriesError
from hounsfield.core.types import AnyArray, BoolArray, FloatArray
from hounsfield.volume.align import onto
from hounsfield.volume.dicom_files import UNREADABLE, quiet_pydicom, read_dataset
from hounsfield.volume.dicom_pixels import stored_values
from hounsfield.volume.volume import Volume

_SEG_CLASSES = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")  # Segmentation, Label Map Segmentation
_RTSTRUCT_CLASS = "1.2.840.10008.5.1.4.1.1.481.3"
_IN_SLICE = 0.2  # of a slice: farther off, a contour was drawn on other slices than these


def read_dicom_mask(path: Path | str, *, like: Volume, segment: int | str | None = None) -> Volume:
    """The mask in a DICOM Segmentation or RT Structure Set file, whichever it is.

    Raises: MaskError as `read_segmentation` and `read_rtstruct`, and for a DICOM object of another kind.
    """
    dataset = _open(Path(path))
    return _read(dataset, Path(path).name, like, segment)


def read_segmentation(file: Path | str, *, like: Volume, segment: int | str | None = None) -> Volume:
    """One segment of a DICOM Segmentation (BINARY, LABELMAP, or FRACTIONAL cut at half its maximum) on the grid of
    `like`.

    Args:
        segment: number or label; may be left out when there is only one.
    Raises: MaskError when there is no such segment, none chosen of several, it is empty, or its voxels are not those
        of `like`.
    """
    path = Path(file)
    dataset = _open(path)
    if str(dataset.SOPClassUID) not in _SEG_CLASSES:
        raise MaskError(f"{path.name}: this is no DICOM Segmentation but {_kind(dataset)}.")
    return _read(dataset, path.name, like, segment)


def read_rtstruct(file: Path | str, *, like: Volume, roi: int | str | None = None) -> Volume:
    """One region of an RT Structure Set, filled on the grid of `like`: voxels whose centre lies inside its closed
    contours.

    Args:
        roi: name or number; may be left out when there is only one.
    Raises: MaskError when there is no such region, none chosen of several, its contours don't lie in the slices of
        `like`, or none does.
    """
    path = Path(file)
    dataset = _open(path)
    if str(dataset.SOPClassUID) != _RTSTRUCT_CLASS:
        raise MaskError(f"{path.name}: this is no RT Structure Set but {_kind(dataset)}.")
    return _read(dataset, path.name, like, roi)


def fill_polygon(points: AnyArray, shape: tuple[int, int]) -> BoolArray:
    """Pixels (y, x) whose centre lies inside a closed polygon, by the even-odd rule.

    Args:
        points: (N, 2) corners as (y, x) in pixels, pixel centres at whole numbers.
    """
    inside = np.zeros(shape, dtype=bool)
    y, x = np.asarray(points, dtype=np.float64).T
    next_y, next_x = np.roll(y, -1), np.roll(x, -1)
    for row in range(max(int(np.ceil(y.min())), 0), min(int(np.floor(y.max())), shape[0] - 1) + 1):
        crossing = (y <= row) != (next_y <= row)  # half open: a corner on the line counts once
        share = (row - y[crossing]) / (next_y[crossing] - y[crossing])
        at = np.sort(x[crossing] + share * (next_x[crossing] - x[crossing]))
        ends = np.clip(np.ceil(at), 0, shape[1]).astype(int)
        for first, last in zip(ends[::2], ends[1::2], strict=True):
            inside[row, first:last] ^= True
    return inside


def _open(path: Path) -> pydicom.Dataset:
    try:
        return read_dataset(path, pixels=True)
    except Exception as error:  # pydicom raises many types on damaged files
        raise ImageError(f"{path.name}: the DICOM file is damaged or truncated. Export it again.") from error


def _read(dataset: pydicom.Dataset, name: str, like: Volume, wanted: int | str | None) -> Volume:
    with quiet_pydicom():
        try:
            return _mask(dataset, name, like, wanted)
        except HounsfieldError:
            raise
        except UNREADABLE as error:
            raise MaskError(f"{name}: its header is damaged ({type(error).__name__}). Export it again.") from error


def _mask(dataset: pydicom.Dataset, name: str, like: Volume, wanted: int | str | None) -> Volume:
    kind = str(dataset.get("SOPClassUID", ""))
    if kind in _SEG_CLASSES:
        mask = onto(_segment_volume(dataset, name, wanted, like), like, name, whole=False)
    elif kind == _RTSTRUCT_CLASS:
        mask = _region(dataset, name, like, wanted)
    else:
        raise MaskError(
            f"{name}: a mask is a DICOM Segmentation, an RT Structure Set or an image file; this is {_kind(dataset)}."
        )
    if not mask.array.any():
        raise MaskError(
            f"{name}: the mask is empty: no voxel is marked. Draw the lesion, or leave the mask's cell empty."
        )
    return mask


def _kind(dataset: pydicom.Dataset) -> str:
    uid = dataset.get("SOPClassUID")
    return "a file without a class" if uid is None else f"'{pydicom.uid.UID(uid).name}'"


def _choose(known: dict[int, str], wanted: int | str | None, name: str, what: str) -> int:
    """The number of the wanted segment or region; `known` maps numbers to labels."""
    text = ", ".join(f"{number} '{label}'" for number, label in known.items()) or "none"
    if wanted is None:
        if len(known) == 1:
            return next(iter(known))
        raise MaskError(f"{name}: expected one {what}, got {len(known)} ({text}). Choose one by its number or label.")
    found = [number for number, label in known.items() if wanted in (number, str(number), label)]
    if len(found) != 1:
        raise MaskError(f"{name}: no single {what} '{wanted}'. There are: {text}.")
    return found[0]


def _segment_volume(dataset: pydicom.Dataset, name: str, wanted: int | str | None, like: Volume) -> Volume:
    """The chosen segment on the Segmentation's own grid, which spans the slices it has frames of."""
    known = {int(item.SegmentNumber): str(item.get("SegmentLabel", "")) for item in dataset.get("SegmentSequence", [])}
    known = {number: label for number, label in known.items() if number != 0}  # 0 may name a label map's background
    number = _choose(known, wanted, name, "segment")
    try:
        frames = np.asarray(stored_values(dataset))
    except SeriesError as error:
        raise MaskError(f"{name}: {error}") from error
    frames = frames.reshape(-1, int(dataset.Rows), int(dataset.Columns))
    kind = str(dataset.get("SegmentationType", "BINARY"))
    if kind == "LABELMAP":
        marked = frames == number
    elif kind == "FRACTIONAL":
        marked = frames >= 0.5 * int(dataset.get("MaximumFractionalValue", 255))
    else:
        marked = frames > 0
    try:
        placed = [_frame(dataset, k) for k in range(len(frames))]
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise MaskError(
            f"{name}: its frames have no place in space (functional groups missing). Export it again."
        ) from error
    # A label map's frames hold all segments, so they have no segment number of their own.
    keep = [k for k, place in enumerate(placed) if kind == "LABELMAP" or place.segment == number]
    if not keep:
        raise MaskError(f"{name}: segment {number} has no frames: nothing is marked.")
    return _stack_frames(marked[keep], [placed[k] for k in keep], like, name)


@dataclass(frozen=True)
class _Frame:
    """Place of one frame: number of its segment (0 in a label map), position, direction cosines (2, 3), (row, column)
    mm."""

    segment: int
    position: FloatArray
    orientation: FloatArray
    pixel_mm: FloatArray


def _frame(dataset: pydicom.Dataset, number: int) -> _Frame:
    own, shared = dataset.PerFrameFunctionalGroupsSequence[number], dataset.SharedFunctionalGroupsSequence[0]

    def group(keyword: str) -> pydicom.Dataset:
        first: pydicom.Dataset = (own if own.get(keyword) else shared)[keyword][0]
        return first

    is_labelmap = str(dataset.get("SegmentationType", "")) == "LABELMAP"
    return _Frame(
        0 if is_labelmap else int(group("SegmentIdentificationSequence").ReferencedSegmentNumber),
        np.array(group("PlanePositionSequence").ImagePositionPatient, dtype=np.float64),
        np.array(group("PlaneOrientationSequence").ImageOrientationPatient, dtype=np.float64).reshape(2, 3),
        np.array(group("PixelMeasuresSequence").PixelSpacing, dtype=np.float64),
    )


def _stack_frames(marked: BoolArray, places: list[_Frame], like: Volume, name: str) -> Volume:
    """Frames stacked along their normal at the spacing that `like` has in that direction.

    The image's spacing is taken, because frames without a marked voxel may have been left out: their own distances and
    the header's SliceThickness don't tell the step.
    """
    orientation, pixel = places[0].orientation, places[0].pixel_mm
    if any(
        np.abs(place.orientation - orientation).max() > 1e-3 or np.abs(place.pixel_mm - pixel).max() > 1e-4
        for place in places
    ):
        raise MaskError(f"{name}: its frames have several orientations or pixel spacings. Export one file per series.")
    normal = np.cross(orientation[0], orientation[1])
    step = like.spacing_mm[2 - int(np.abs(like.direction.T @ normal).argmax())]
    along = np.array([place.position @ normal for place in places])
    place = (along - along.min()) / step
    index = np.rint(place).astype(int)
    if np.abs(place - index).max() > 0.1:
        raise MaskError(
            f"{name}: its frames are not {step:.3f} mm apart, or multiples of it, as the image's slices are. "
            "Give the series that it was drawn on."
        )
    array = np.zeros((int(index.max()) + 1, *marked.shape[1:]), dtype=bool)
    for k, frame in zip(index, marked, strict=True):
        array[k] |= frame
    x, y, z = (float(value) for value in places[int(along.argmin())].position)
    left, _, right = np.linalg.svd(np.column_stack([orientation[0], orientation[1], normal]))
    return Volume(array, (step, float(pixel[0]), float(pixel[1])), (x, y, z), left @ right)


def _region(dataset: pydicom.Dataset, name: str, like: Volume, wanted: int | str | None) -> Volume:
    known = {int(item.ROINumber): str(item.get("ROIName", "")) for item in dataset.get("StructureSetROISequence", [])}
    number = _choose(known, wanted, name, "region")
    mask = np.zeros(like.shape, dtype=bool)
    contours = [
        contour
        for item in dataset.get("ROIContourSequence", [])
        if int(item.get("ReferencedROINumber", -1)) == number
        for contour in item.get("ContourSequence", [])
        if str(contour.get("ContourGeometricType", "")).startswith(("CLOSED_PLANAR", "CLOSEDPLANAR"))
    ]
    outside = 0
    for contour in contours:
        points = like.to_index(np.array(contour.ContourData, dtype=np.float64).reshape(-1, 3))
        k = int(np.rint(points[:, 0].mean()))
        if np.abs(points[:, 0] - k).max() > _IN_SLICE:
            raise MaskError(
                f"{name}: the contours of region '{known[number]}' don't lie in the image's slices. "
                "Give the series that it was drawn on."
            )
        if 0 <= k < like.shape[0]:
            mask[k] ^= fill_polygon(points[:, 1:], (like.shape[1], like.shape[2]))
        else:
            outside += 1
    if contours and outside == len(contours):
        raise MaskError(
            f"{name}: region '{known[number]}' lies wholly outside the image. Give the series it was drawn on."
        )
    return like.with_array(mask)
