"""One DICOM object as the scan sees it, and the elements that a series has in common. In: their bytes; out: JSON."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

from pydicom.charset import convert_encodings, decode_bytes
from pydicom.datadict import tag_for_keyword

# Elements of a series; those that differ between its slices (times, tube current, window) would make every slice a
# variant of its own and are left out.
TEXT = (
    *(
        "ImageType",
        "Modality",
        "SeriesDescription",
        "StudyDescription",
        "ProtocolName",
        "BodyPartExamined",
        "StudyDate",
    ),
    *("SeriesDate", "AccessionNumber", "PatientID", "PatientAge", "PatientSex", "PatientPosition", "Manufacturer"),
    *("ManufacturerModelName", "InstitutionName", "StationName", "ConvolutionKernel", "ScanningSequence"),
    *("SequenceVariant", "ScanOptions", "SequenceName", "PulseSequenceName", "MRAcquisitionType", "AngioFlag"),
    *("ContrastBolusAgent", "ContrastBolusRoute", "BurnedInAnnotation", "PresentationIntentType", "ViewPosition"),
    *("ImageLaterality", "Laterality", "FrameOfReferenceUID", "StudyInstanceUID", "SeriesInstanceUID", "SOPClassUID"),
    *("ConversionType", "SoftwareVersions", "AcquisitionContrast", "PatientIdentityRemoved"),
)
NUMBERS = (
    *("SeriesNumber", "RepetitionTime", "EchoTime", "InversionTime", "FlipAngle", "EchoTrainLength", "SliceThickness"),
    *("SpacingBetweenSlices", "MagneticFieldStrength", "KVP", "GantryDetectorTilt", "NumberOfTemporalPositions"),
    *("TemporalResolution", "CardiacNumberOfImages", "ReconstructionDiameter", "ContrastBolusVolume"),
)
PRESENT = ("ContrastBolusAgentSequence",)  # whether it holds anything
SERIES_ELEMENTS: dict[int, str] = {int(tag_for_keyword(name) or 0): name for name in (*TEXT, *NUMBERS, *PRESENT)}
CHARSET = 0x00080005


@dataclass(frozen=True)
class ObjectHeader:
    """One object, as rows of the catalog want it.

    Attributes:
        variant: digest of the series' elements; header: these elements as JSON, made only when `header` is called.
        digest: of all that identifies the object; the same for copies in another transfer syntax.
        planes: one tuple a plane, in the order of the table `scanned_planes` from `frame` on.
        refers_to: UIDs of series or objects that it was made from or speaks of.
    """

    sop_uid: str
    series_uid: str
    sop_class: str
    instance_number: int | None
    frames: int
    variant: str
    digest: str
    planes: tuple[tuple[Any, ...], ...]
    refers_to: tuple[str, ...]
    raw: dict[int, bytes] | None = None
    ready: str = ""
    syntax: str = ""

    def header(self) -> str:
        """The series' elements as JSON, {keyword: value or list}."""
        return self.ready or _json(self.raw or {}, self.syntax)


def ascii_text(value: bytes | None) -> str:
    return "" if value is None else value.rstrip(b"\0 ").decode("latin-1").strip()


def one_number(value: bytes | None) -> float | None:
    try:
        number = float((value or b"").split(b"\\")[0].strip(b"\0 "))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _json(raw: dict[int, bytes], syntax: str) -> str:
    """The series' elements in plain types; text in the file's own character set."""
    found: dict[str, Any] = {"TransferSyntaxUID": syntax}
    encodings = _encodings(raw.get(CHARSET))
    for tag, name in SERIES_ELEMENTS.items():
        if tag not in raw:
            continue
        value = raw[tag]
        if name in PRESENT:
            found[name] = len(value) > 8
        elif name in NUMBERS:
            found[name] = one_number(value)
        else:
            text = decode_bytes(value, encodings, {0x5C}).rstrip("\0 ")
            parts = [part.strip() for part in text.split("\\")]
            found[name] = parts if len(parts) > 1 else parts[0]
    return json.dumps(found, ensure_ascii=False, sort_keys=True, allow_nan=False, default=str)


def _encodings(value: bytes | None) -> list[str]:
    names = ascii_text(value).split("\\")
    try:
        return list(convert_encodings(names if len(names) > 1 else names[0]))
    except (LookupError, ValueError):
        return ["latin_1"]
