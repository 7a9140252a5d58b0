"""Warnings of text burned into pixels. In: a data set or an image; out: reasons to look at it, or rows of text seen.

A header says little: BurnedInAnnotation is absent from most objects. So kinds of image that usually carry text
(ultrasound, secondary captures, screen shots) are named for what they are, and their pixels are looked through for rows
of glyphs. That finds the clean, constant lettering that machines write, of some 9 to 32 pixels; smaller and much larger
letters, handwriting and text over a restless background it misses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from pydicom.pixels.utils import pixel_array
from scipy import ndimage

from hounsfield.core.types import AnyArray, BoolArray, FloatArray
from hounsfield.volume.dicom_files import quiet_pydicom

_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"  # secondary capture, and as a prefix its multi-frame forms
_ULTRASOUND = frozenset(f"1.2.840.10008.5.1.4.1.1.{number}" for number in ("3", "3.1", "6", "6.1", "6.2"))
_LOOKED_AT = 3  # frames of a multi-frame object: the first, the middle, the last; lettering rarely comes and goes
_STROKE = 7  # pixels; wider structures are no strokes of lettering
_HEIGHT = (6, 48)
_GLYPHS = 4  # in a row, to be called text


@dataclass(frozen=True)
class Glyphs:
    """Candidates: (N,) top, bottom, left, right (half-open), level (grey value of the strokes) and area in pixels."""

    top: AnyArray
    bottom: AnyArray
    left: AnyArray
    right: AnyArray
    level: AnyArray
    area: AnyArray


def suspicions(dataset: pydicom.Dataset) -> tuple[str, ...]:
    """What in the header makes burned-in text likely; empty when nothing does."""
    found = []
    if str(dataset.get("BurnedInAnnotation", "")).strip().upper() == "YES":
        found.append("the header says so (BurnedInAnnotation is YES)")
    if _is_ultrasound(dataset):
        found.append("it is ultrasound")
    if _is_capture(dataset):
        found.append("it is a secondary capture or screen shot")
    return tuple(found)


def text_in_pixels(dataset: pydicom.Dataset, file: Path | None = None) -> int | None:
    """Rows of text in the pixels of ultrasound and captures; None when they were not, or could not be, looked at.

    Args:
        file: where the pixels lie when `dataset` is without them; only the frames looked at are read.
    """
    if not (_is_ultrasound(dataset) or _is_capture(dataset)):
        return None
    frames = int(dataset.get("NumberOfFrames", 1) or 1)
    rows = 0
    for number in sorted({0, frames // 2, frames - 1} if frames > _LOOKED_AT else set(range(frames))):
        try:
            with quiet_pydicom():
                image = pixel_array(file or dataset, index=number)
        except Exception:  # decoders raise whatever their library raises
            return None
        rows = max(rows, text_rows(np.asarray(image)))
    return rows


def text_rows(image: AnyArray) -> int:
    """Rows of at least four glyphs in an image (rows, columns), in grey or with colours in a third axis."""
    grey = image.astype(np.float32)
    grey = grey.max(axis=2) if grey.ndim == 3 else grey
    low, high = float(grey.min()), float(grey.max())
    if high <= low:
        return 0
    grey = (grey - low) / (high - low)
    return max(_rows(_glyphs(grey)), _rows(_glyphs(1 - grey)))  # bright lettering, and dark


def _glyphs(grey: FloatArray) -> Glyphs:
    strokes: BoolArray = ndimage.white_tophat(grey, size=(_STROKE, _STROKE)) > 0.3
    labels, _ = ndimage.label(strokes, structure=np.ones((3, 3)))
    boxes = ndimage.find_objects(labels)
    kept = []
    for number, box in enumerate(boxes, start=1):
        height, width = (part.stop - part.start for part in box)
        if not (_HEIGHT[0] <= height <= _HEIGHT[1] and 2 <= width <= 2 * height):
            continue
        mask = labels[box] == number
        ring = tuple(slice(max(part.start - 2, 0), part.stop + 2) for part in box)
        around = grey[ring][(labels[ring] == 0)]
        level = float(np.percentile(grey[box][mask], 90))
        # Lettering stands on a flat ground, at one clear distance from it; speckle and anatomy do neither.
        if around.size and _spread(around) < 0.12 and level - float(np.median(around)) > 0.3:
            area = int(mask.sum())
            if 0.08 * height * width <= area <= 0.85 * height * width:
                kept.append((box[0].start, box[0].stop, box[1].start, box[1].stop, level, area))
    columns = np.array(kept, dtype=float).reshape(-1, 6).T
    return Glyphs(*columns)


def _spread(values: AnyArray) -> float:
    # The rim of smoothed strokes lies in the ring too: the tails are left out.
    low, high = np.percentile(values, (10, 75))
    return float(high - low)


def _rows(glyphs: Glyphs) -> int:
    order = np.argsort(glyphs.left)
    free = dict.fromkeys(order.tolist())
    rows = 0
    while free:
        row = [next(iter(free))]
        del free[row[0]]
        for other in list(free):
            if _follows(glyphs, row[-1], other):
                row.append(other)
                del free[other]
        rows += _is_text(glyphs, row)
    return rows


def _follows(glyphs: Glyphs, one: int, other: int) -> bool:
    """Whether `other` stands right of `one` on the same line, of like height and brightness."""
    heights = [float(glyphs.bottom[number] - glyphs.top[number]) for number in (one, other)]
    shared = min(glyphs.bottom[one], glyphs.bottom[other]) - max(glyphs.top[one], glyphs.top[other])
    gap = glyphs.left[other] - glyphs.right[one]
    return bool(
        shared > 0.5 * min(heights)
        and max(heights) <= 2 * min(heights)
        and -0.2 * max(heights) <= gap <= 1.2 * max(heights)
        and abs(glyphs.level[one] - glyphs.level[other]) < 0.15
    )


def _is_text(glyphs: Glyphs, row: Sequence[int]) -> bool:
    # The marks of a ruler are alike; letters are not.
    area = glyphs.area[list(row)]
    return len(row) >= _GLYPHS and float(area.std()) > 0.1 * float(area.mean())


def _is_ultrasound(dataset: pydicom.Dataset) -> bool:
    return str(dataset.get("Modality", "")) in ("US", "IVUS") or str(dataset.get("SOPClassUID", "")) in _ULTRASOUND


def _is_capture(dataset: pydicom.Dataset) -> bool:
    sop_class = str(dataset.get("SOPClassUID", ""))
    image_type = str(dataset.get("ImageType", "")).upper()
    return (
        sop_class == _CAPTURE
        or sop_class.startswith(f"{_CAPTURE}.")
        or "SCREEN" in image_type
        or str(dataset.get("Modality", "")) in ("SC", "OT")
        or bool(dataset.get("ConversionType"))
    )
