"""Writes masks as one DICOM Segmentation: a series and labels on its grid go in, one file comes out.

Several segments go out as a LABELMAP (one plane a slice holds them all; in the standard since 2024d, Supplement 243),
one segment alone or overlapping ones as BINARY (one plane a segment and slice), which every viewer reads. Frames
without a marked voxel are left out. Each frame refers to the source image it lies on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Literal

import highdicom as hd
import numpy as np
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import generate_uid

from hounsfield.core.atomic import atomic_file
from hounsfield.core.errors import MaskError
from hounsfield.core.types import AnyArray, BoolArray, IntArray
from hounsfield.volume.dicom_source import MANUFACTURER, SourceSeries, equipment, no_names_in_warnings, source_headers
from hounsfield.volume.finding import ModelIdentity, tracking_uid

Representation = Literal["auto", "labelmap", "binary"]


@dataclass(frozen=True)
class Segment:
    """What one segment is; segment n of a file is the n-th of the list, its number in a label array.

    Args:
        label: shown to the reader.
        tracking_id: the lesion's id; the label when empty.
        tracking_uid: made from series and tracking id when empty.
        category, kind, region: (value, scheme, meaning); by default a nodule in the lung in SNOMED CT.
    """

    label: str
    tracking_id: str = ""
    tracking_uid: str = ""
    category: tuple[str, str, str] = ("49755003", "SCT", "Morphologically Abnormal Structure")
    kind: tuple[str, str, str] = ("27925004", "SCT", "Nodule")
    region: tuple[str, str, str] | None = ("39607008", "SCT", "Lung")


@dataclass(frozen=True)
class WrittenSegmentation:
    """What was written: `representation` as chosen, and in `reason` why; `dataset` is the file without its pixels."""

    path: Path
    representation: str
    reason: str
    dataset: Dataset


def write_segmentation(
    series: SourceSeries,
    labels: AnyArray | Sequence[BoolArray],
    segments: Sequence[Segment],
    path: Path,
    *,
    model: ModelIdentity,
    representation: Representation = "auto",
    series_number: int = 300,
    moment: datetime | None = None,
) -> WrittenSegmentation:
    """Writes labels on the grid of a series as one DICOM Segmentation.

    Args:
        labels: whole numbers (z, y, x), 0 for background and n for segment n; or one mask (z, y, x) a segment, which
            may overlap.
        representation: auto takes labelmap for several segments, binary for one or where segments overlap.
        moment: when it was made, now by default; given, the same call writes the same bytes.
    Raises: MaskError for another grid, an empty segment, labels without a segment, overlap in a labelmap.
    """
    name, reason, pixels = _pixels(series, labels, segments, representation)
    source_uid = str(series.datasets[0].SeriesInstanceUID)
    content = _digest(pixels, name, list(segments))
    uids = [
        str(generate_uid(entropy_srcs=[source_uid, model.digest, content, part])) for part in ("series", "instance")
    ]
    with no_names_in_warnings():
        segmentation = hd.seg.Segmentation(
            source_images=source_headers(series),
            pixel_array=_in_frame_order(pixels, series),
            segmentation_type=name.upper(),
            segment_descriptions=_descriptions(segments, source_uid, model),
            content_label="LESIONS",
            content_description=f"Automatic outline of {len(segments)} lesion(s)",
            **equipment(model, uids=uids, series_number=series_number, description=f"Lesions by {model.title}"),
        )
    if moment is not None:
        _make_repeatable(segmentation, moment)
    with atomic_file(path) as temporary:
        segmentation.save_as(temporary)
    del segmentation.PixelData
    return WrittenSegmentation(path, name, reason, segmentation)


def _make_repeatable(dataset: Dataset, moment: datetime) -> None:
    """Replaces what highdicom takes from the clock and from chance."""
    for item in dataset.get("ContributingEquipmentSequence", []):
        item.ContributionDateTime = moment.strftime("%Y%m%d%H%M%S")
    organization = generate_uid(entropy_srcs=[str(dataset.SOPInstanceUID), "dimensions"])
    for item in (*dataset.DimensionOrganizationSequence, *dataset.DimensionIndexSequence):
        item.DimensionOrganizationUID = organization
    for part in ("Content", "InstanceCreation", "Series"):
        if f"{part}Date" in dataset:
            setattr(dataset, f"{part}Date", moment.strftime("%Y%m%d"))
            setattr(dataset, f"{part}Time", moment.strftime("%H%M%S"))


def _in_frame_order(pixels: IntArray, series: SourceSeries) -> IntArray:
    """Planes in the order of the source's frames: those of a multi-frame object may run against the volume."""
    frames: Sequence[int] | None = getattr(series, "frames", None)
    if frames is None:
        return pixels
    return pixels[np.argsort(frames)]


def _pixels(
    series: SourceSeries, labels: AnyArray | Sequence[BoolArray], segments: Sequence[Segment], representation: str
) -> tuple[str, str, IntArray]:
    """Representation, its reason, and labels (z, y, x) or, where masks overlap, planes (z, y, x, segment)."""
    if representation not in ("auto", "labelmap", "binary"):
        raise MaskError(f"representation is auto, labelmap or binary; got '{representation}'.")
    if not segments:
        raise MaskError("a segmentation needs one segment or more; got none. Write nothing where no lesion was found.")
    shape = series.volume.shape
    stack, overlap = (labels, "") if isinstance(labels, np.ndarray) else _merge(labels, segments, shape)
    if stack.shape[:3] != shape:
        raise MaskError(f"labels must lie on the series' grid {shape}; got {stack.shape[:3]}. Resample them like it.")
    _check_filled(stack, segments)
    if overlap and representation == "labelmap":
        raise MaskError(f"a labelmap holds one label a voxel, but {overlap}. Use representation='binary'.")
    depth = np.uint8 if len(segments) < 256 else np.uint16
    if overlap:
        return "binary", f"{overlap}, which a labelmap cannot hold", stack.astype(np.uint8, copy=False)
    if representation != "auto":
        return representation, "as asked for", stack.astype(depth, copy=False)
    if len(segments) == 1:
        return (
            "binary",
            "one segment: as small as a labelmap, and every viewer reads it",
            stack.astype(depth, copy=False),
        )
    return "labelmap", f"{len(segments)} segments that do not overlap", stack.astype(depth, copy=False)


def _merge(masks: Sequence[BoolArray], segments: Sequence[Segment], shape: tuple[int, ...]) -> tuple[AnyArray, str]:
    if len(masks) != len(segments):
        raise MaskError(f"one mask a segment is needed: got {len(masks)} masks for {len(segments)} segments.")
    merged = np.zeros(shape, dtype=np.uint8 if len(masks) < 256 else np.uint16)
    for number, mask in enumerate(masks, start=1):
        if mask.shape != shape:
            raise MaskError(f"masks must lie on the series' grid {shape}; mask {number} has {mask.shape}.")
        inside = np.asarray(mask, dtype=bool)
        if merged[inside].any():
            other = int(merged[inside].max())
            return np.stack(masks, axis=-1).astype(np.uint8), f"segments {other} and {number} overlap"
        merged[inside] = number
    return merged, ""


def _check_filled(stack: AnyArray, segments: Sequence[Segment]) -> None:
    if stack.ndim == 4:
        present = {number for number in range(1, stack.shape[3] + 1) if stack[..., number - 1].any()}
    else:
        if stack.dtype.kind not in "iub":
            raise MaskError(f"labels are whole numbers, 0 for background; got an array of {stack.dtype}.")
        present = _values(stack) - {0}
    unknown = sorted(present - set(range(1, len(segments) + 1)))
    if unknown:
        raise MaskError(f"labels run from 1 to {len(segments)}, one for each segment; found {unknown} as well.")
    for number, segment in enumerate(segments, start=1):
        if number not in present:
            raise MaskError(f"segment {number} ('{segment.label}') marks no voxel. Leave it out of the list.")


def _values(labels: AnyArray) -> set[int]:
    """The values in an array; by marking, which takes a tenth of the time of sorting a large series."""
    if labels.dtype != np.uint8:
        return {int(value) for value in np.unique(labels)}
    marked = np.zeros(256, dtype=bool)
    for plane in labels:
        marked[plane] = True
    return set(np.flatnonzero(marked).tolist())


def _digest(pixels: IntArray, *names: object) -> str:
    digest = sha256(repr(names).encode())
    for plane in pixels:
        digest.update(plane.tobytes())
    return digest.hexdigest()


def _descriptions(
    segments: Sequence[Segment], source_uid: str, model: ModelIdentity
) -> list[hd.seg.SegmentDescription]:
    algorithm = hd.AlgorithmIdentificationSequence(
        name=model.title[:64],
        version=model.version[:64],
        family=codes.cid7162.ArtificialIntelligence,
        source=MANUFACTURER,
        parameters={"bundle": model.digest} if model.digest else None,
    )
    descriptions = []
    for number, segment in enumerate(segments, start=1):
        tracking_id = segment.tracking_id or segment.label
        descriptions.append(
            hd.seg.SegmentDescription(
                segment_number=number,
                segment_label=segment.label[:64],
                segmented_property_category=Code(*segment.category),
                segmented_property_type=Code(*segment.kind),
                algorithm_type=hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
                algorithm_identification=algorithm,
                tracking_uid=segment.tracking_uid or tracking_uid(source_uid, tracking_id),
                tracking_id=tracking_id,
                anatomic_regions=[Code(*segment.region)] if segment.region else None,
            )
        )
    return descriptions
