"""Headers that need the full reader: multi-frame objects, segmentations, structure sets, reports, odd encodings.

In: a file's bytes. Out: the same `ObjectHeader` as the quick way gives, a plane for every frame. Pixels are never read.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from typing import Any, BinaryIO

import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from hounsfield.catalog.scan.elements import Damaged, NoDicom
from hounsfield.catalog.scan.object_header import NUMBERS, PRESENT, TEXT, ObjectHeader
from hounsfield.volume.dicom_files import quiet_pydicom

_MOST = 2**29  # bytes of one value: functional groups of some hundred thousand frames

# Where enhanced objects keep what others have at the top.
_GROUPED = (
    *("RepetitionTime", "EchoTime", "EffectiveEchoTime", "InversionTimes", "InversionTime", "FlipAngle"),
    *("EchoTrainLength", "RFEchoTrainLength", "GradientEchoTrainLength", "EchoPulseSequence", "InversionRecovery"),
    *("ContrastBolusAgent", "SliceThickness", "KVP", "ConvolutionKernel", "GantryDetectorTilt", "ScanningSequence"),
    *("SpinEcho", "EchoPlanarPulseSequence", "SteadyStatePulseSequence", "TimeOfFlightContrast", "DiffusionBValue"),
)
_ALSO = ("AcquisitionContrast", "PulseSequenceName", "EchoPulseSequence", "SegmentationType", "NumberOfFrames")


class Bounded:
    """A stream that refuses to read an absurdly long value at once: its length comes from the file and may be a lie."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.seek, self.tell, self.close = stream.seek, stream.tell, stream.close

    def read(self, size: int = -1) -> bytes:
        """As a stream's `read`. Raises: Damaged for more than 512 MB."""
        if size > _MOST:
            raise Damaged(f"an element of its header says it is {size / 2**30:.1f} GB long")
        return self._stream.read(_MOST if size < 0 else size)


def read_full(stream: BinaryIO) -> ObjectHeader:
    """The header of any DICOM file, by pydicom.

    Raises: NoDicom, Damaged, or whatever pydicom raises for a damaged file.
    """
    bounded: Any = Bounded(stream)
    with quiet_pydicom():
        try:
            dataset = pydicom.dcmread(bounded, stop_before_pixels=True)
        except InvalidDicomError:
            stream.seek(0)
            dataset = pydicom.dcmread(bounded, stop_before_pixels=True, force=True)
            if "SOPClassUID" not in dataset or "SOPInstanceUID" not in dataset:
                raise NoDicom from None
        return _of_dataset(dataset)


def _of_dataset(dataset: Dataset) -> ObjectHeader:
    lacking = [name for name in ("SOPInstanceUID", "SeriesInstanceUID") if not str(dataset.get(name, "") or "")]
    if lacking:
        if "DirectoryRecordSequence" in dataset:
            raise NoDicom
        raise Damaged(f"it has no {' and no '.join(lacking)}")
    groups = list(dataset.get("PerFrameFunctionalGroupsSequence") or [])
    shared = next(iter(dataset.get("SharedFunctionalGroupsSequence") or []), Dataset())
    header = json.dumps(_series(dataset, shared, groups), ensure_ascii=False, sort_keys=True, allow_nan=False)
    if groups:
        planes = [_frame(dataset, shared, group, number) for number, group in enumerate(groups, start=1)]
    elif "Rows" in dataset:
        frames = int(dataset.get("NumberOfFrames", 1) or 1)
        planes = [_single(dataset, number if frames > 1 else 0) for number in range(1, frames + 1)]
    else:
        planes = []
    identity = repr((str(dataset.SOPInstanceUID), planes[:1], len(planes)))
    return ObjectHeader(
        str(dataset.SOPInstanceUID),
        str(dataset.SeriesInstanceUID),
        str(dataset.get("SOPClassUID", "") or ""),
        whole(dataset.get("InstanceNumber")),
        len(planes),
        hashlib.blake2b(header.encode(), digest_size=12).hexdigest(),
        hashlib.blake2b(identity.encode(), digest_size=12).hexdigest(),
        tuple(planes),
        tuple(dict.fromkeys(_references(dataset))),
        ready=header,
    )


def _series(dataset: Dataset, shared: Dataset, groups: list[Dataset]) -> dict[str, Any]:
    """The series' elements; of an enhanced object also those of its functional groups, from the first that has them."""
    found: dict[str, Any] = {"TransferSyntaxUID": str(getattr(dataset.file_meta, "TransferSyntaxUID", ""))}
    for name in (*TEXT, *NUMBERS, *_ALSO):
        value = dataset.get(name)
        if value is not None:
            found[name] = plain(value, number=name in NUMBERS)
    for name in PRESENT:
        if name in dataset:
            found[name] = bool(dataset.get(name))
    for holder in (shared, *groups[:1]):
        for item in _standard_items(holder):
            for name in _GROUPED:
                if name in item and found.get(name) in (None, ""):
                    found[name] = plain(item[name].value, number=name in NUMBERS)
    if not found.get("BodyPartExamined"):
        found["BodyPartExamined"] = _region(dataset, shared, *groups[:1])
    if "SegmentSequence" in dataset:
        found["Segments"] = len(dataset.SegmentSequence)
    return found


def _region(*holders: Dataset) -> str:
    """The coded part of the body (PS3.3, 10.5 and C.7.6.16.2.8), which enhanced objects give in place of its name."""
    for holder in holders:
        for item in (holder, *(holder.get("FrameAnatomySequence") or [])):
            for code in item.get("AnatomicRegionSequence") or []:
                if code.get("CodeMeaning"):
                    return str(code.CodeMeaning)
    return ""


def _standard_items(group: Dataset) -> Iterator[Dataset]:
    """The items of the public functional groups; private ones repeat elements with other meanings."""
    for element in group:
        if element.VR == "SQ" and not element.tag.is_private:
            yield from element.value or []


def _frame(dataset: Dataset, shared: Dataset, group: Dataset, number: int) -> tuple[Any, ...]:
    content = _item(group, shared, "FrameContentSequence")
    position = _item(group, shared, "PlanePositionSequence")
    orientation = _item(group, shared, "PlaneOrientationSequence")
    measures = _item(group, shared, "PixelMeasuresSequence")
    diffusion = _item(group, shared, "MRDiffusionSequence")
    kind = _item(group, shared, "MRImageFrameTypeSequence", "CTImageFrameTypeSequence")
    timing = _item(group, shared, "CardiacSynchronizationSequence", "CardiacTriggerSequence")
    return (
        number,
        whole(dataset.get("Rows")),
        whole(dataset.get("Columns")),
        floats(position.get("ImagePositionPatient"), 3),
        floats(orientation.get("ImageOrientationPatient"), 6),
        floats(measures.get("PixelSpacing"), 2),
        number,
        whole(content.get("FrameAcquisitionNumber")),
        whole(content.get("TemporalPositionIndex")),
        _time(content.get("FrameAcquisitionDateTime")),
        None,
        one_float(timing.get("NominalCardiacTriggerDelayTime")),
        None,
        one_float(diffusion.get("DiffusionBValue")),
        str(content.get("StackID", "") or "") or None,
        _joined(kind.get("FrameType") or dataset.get("ImageType")),
        0,
    )


def _single(dataset: Dataset, number: int) -> tuple[Any, ...]:
    return (
        number,
        whole(dataset.get("Rows")),
        whole(dataset.get("Columns")),
        floats(dataset.get("ImagePositionPatient"), 3),
        floats(dataset.get("ImageOrientationPatient"), 6),
        floats(dataset.get("PixelSpacing"), 2),
        whole(dataset.get("InstanceNumber")),
        whole(dataset.get("AcquisitionNumber")),
        whole(dataset.get("TemporalPositionIdentifier")),
        str(dataset.get("AcquisitionTime", "") or "") or None,
        str(dataset.get("ContentTime", "") or "") or None,
        one_float(dataset.get("TriggerTime")),
        whole(dataset.get("EchoNumbers")),
        one_float(dataset.get("DiffusionBValue")),
        None,
        _joined(dataset.get("ImageType")),
        0,
    )


def _item(group: Dataset, shared: Dataset, *names: str) -> Dataset:
    """A functional group of the frame, or else the one that all frames share, or nothing."""
    for holder in (group, shared):
        for name in names:
            items = holder.get(name)
            if items:
                first: Dataset = items[0]
                return first
    return Dataset()


def _references(dataset: Dataset) -> Iterator[str]:
    """UIDs of the series, or where none is named of the objects, that this one speaks of."""
    for item in dataset.get("ReferencedSeriesSequence") or []:
        yield str(item.get("SeriesInstanceUID", ""))
    for frame in dataset.get("ReferencedFrameOfReferenceSequence") or []:
        for study in frame.get("RTReferencedStudySequence") or []:
            for item in study.get("RTReferencedSeriesSequence") or []:
                yield str(item.get("SeriesInstanceUID", ""))
    for name in ("CurrentRequestedProcedureEvidenceSequence", "PertinentOtherEvidenceSequence"):
        for study in dataset.get(name) or []:
            for item in study.get("ReferencedSeriesSequence") or []:
                yield str(item.get("SeriesInstanceUID", ""))
    for item in dataset.get("SourceImageSequence") or []:
        yield str(item.get("ReferencedSOPInstanceUID", ""))


def plain(value: Any, *, number: bool) -> Any:
    """A value as JSON has it; numbers that are none become None."""
    if number:
        return one_float(value)
    if isinstance(value, (list, tuple)) or type(value).__name__ == "MultiValue":
        return [str(one).strip() for one in value]
    return value if isinstance(value, int) else one_float(value) if isinstance(value, float) else str(value).strip()


def one_float(value: Any) -> float | None:
    """The first number of a value, or None."""
    try:
        first = value[0] if isinstance(value, (list, tuple)) or type(value).__name__ == "MultiValue" else value
        number = float(first)
    except (TypeError, ValueError, IndexError):
        return None
    return number if math.isfinite(number) and abs(number) < 1e12 else None


def floats(value: Any, count: int) -> list[float] | None:
    """`count` finite numbers, or None."""
    try:
        numbers = [float(one) for one in value]
    except (TypeError, ValueError):
        return None
    return numbers if len(numbers) == count and all(abs(one) < 1e12 for one in numbers) else None


def whole(value: Any) -> int | None:
    """A whole number, or None."""
    number = one_float(value)
    return None if number is None else int(number)


def _joined(value: Any) -> str | None:
    if value is None:
        return None
    return "\\".join(str(one) for one in value) if not isinstance(value, str) else value or None


def _time(value: Any) -> str | None:
    text = str(value or "")
    return text[8:] or None if len(text) > 8 else None
