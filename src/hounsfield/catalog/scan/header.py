"""What the catalog wants of one DICOM object: a file's bytes in; its place, its planes and its series' header out.

Elements that differ from slice to slice go into planes; those that a series has in common form a variant, which is
decoded once and stored once however many slices share it. The patient's name is never read.
"""

from __future__ import annotations

import hashlib
import re
import struct
from typing import Any, BinaryIO

from hounsfield.catalog.scan.elements import Unusual, wanted_elements
from hounsfield.catalog.scan.full_header import read_full
from hounsfield.catalog.scan.object_header import (
    CHARSET,
    SERIES_ELEMENTS,
    ObjectHeader,
    ascii_text,
    one_number,
)

SOP_CLASS, SOP_UID, SERIES = 0x00080016, 0x00080018, 0x0020000E
MODALITY, IMAGE_TYPE, FRAMES, SOURCES = 0x00080060, 0x00080008, 0x00280008, 0x00082112
POSITION, ORIENTATION, PIXEL, ROWS, COLUMNS = 0x00200032, 0x00200037, 0x00280030, 0x00280010, 0x00280011
INSTANCE, ACQUISITION, TEMPORAL, ECHO = 0x00200013, 0x00200012, 0x00200100, 0x00180086
ACQUISITION_TIME, CONTENT_TIME, TRIGGER, B_VALUE = 0x00080032, 0x00080033, 0x00181060, 0x00189087
MOSAIC = (0x0019100A, 0x00291010, 0x00291020)
_PLANE = (
    *(POSITION, ORIENTATION, PIXEL, ROWS, COLUMNS, INSTANCE, ACQUISITION, TEMPORAL, ECHO, ACQUISITION_TIME),
    *(CONTENT_TIME, TRIGGER, B_VALUE, IMAGE_TYPE),
)
WANTED = frozenset({*SERIES_ELEMENTS, *_PLANE, SOP_CLASS, SOP_UID, CHARSET, FRAMES, SOURCES, MOSAIC[0]})
LAST = 0x00280301  # behind it stands only what is read in full
_FULL = frozenset({"SEG", "RTSTRUCT", "SR", "RTDOSE", "RTPLAN", "PR", "KO", "REG", "DOC", "FID", "RWV", "M3D", "PLAN"})
_UID = re.compile(rb"\x08\x00\x55\x11(?:UI..|....)([0-9.]+)", re.DOTALL)  # ReferencedSOPInstanceUID in a sequence
_TILES = re.compile(rb"sSliceArray\.lSize\s*=\s*(\d+)|NumberOfImagesInMosaic.{0,120}?(\d+)", re.DOTALL)


def read_header(stream: BinaryIO) -> ObjectHeader:
    """The header of one file, from its start.

    Raises: `elements.NoDicom` for what is none, `elements.Damaged` for what claims to be one; whatever pydicom raises
        for files that need the full reader.
    """
    try:
        raw, syntax = wanted_elements(stream.read, WANTED, LAST)
    except Unusual:
        stream.seek(0)
        return read_full(stream)
    if b"MOSAIC" in raw.get(IMAGE_TYPE, b"") and MOSAIC[0] not in raw:
        stream.seek(0)
        raw, syntax = wanted_elements(stream.read, WANTED.union(MOSAIC), MOSAIC[-1])
    frames = _whole(raw.get(FRAMES))
    modality = ascii_text(raw.get(MODALITY))
    if (frames or 1) > 1 or modality in _FULL or SOP_UID not in raw or SERIES not in raw:
        stream.seek(0)
        return read_full(stream)
    return _of_raw(raw, syntax)


def _of_raw(raw: dict[int, bytes], syntax: str) -> ObjectHeader:
    series = [(tag, raw[tag]) for tag in SERIES_ELEMENTS if tag in raw]
    image_type = ascii_text(raw.get(IMAGE_TYPE))
    tiles = _tiles(raw) if "MOSAIC" in image_type else 0
    common = hashlib.blake2b(digest_size=12)
    for tag, value in series:
        common.update(struct.pack("<I", tag) + value.rstrip(b"\0 ") + b"\0")
    alike = common.copy()
    alike.update(b"".join(raw.get(tag, b"") + b"\0" for tag in (*_PLANE, SOP_UID)))
    common.update(syntax.encode())
    refers = tuple(dict.fromkeys(found.decode() for found in _UID.findall(raw[SOURCES]))) if SOURCES in raw else ()
    return ObjectHeader(
        ascii_text(raw[SOP_UID]),
        ascii_text(raw[SERIES]),
        ascii_text(raw.get(SOP_CLASS)),
        _whole(raw.get(INSTANCE)),
        1,
        common.hexdigest(),
        alike.hexdigest(),
        (_plane(raw, image_type, tiles),),
        refers if "DERIVED" in image_type else (),
        raw,
        syntax=syntax,
    )


def _plane(raw: dict[int, bytes], image_type: str, tiles: int) -> tuple[Any, ...]:
    return (
        0,
        _short(raw.get(ROWS)),
        _short(raw.get(COLUMNS)),
        _floats(raw.get(POSITION), 3),
        _floats(raw.get(ORIENTATION), 6),
        _floats(raw.get(PIXEL), 2),
        _whole(raw.get(INSTANCE)),
        _whole(raw.get(ACQUISITION)),
        _whole(raw.get(TEMPORAL)),
        ascii_text(raw.get(ACQUISITION_TIME)) or None,
        ascii_text(raw.get(CONTENT_TIME)) or None,
        one_number(raw.get(TRIGGER)),
        _whole(raw.get(ECHO)),
        _double(raw.get(B_VALUE)),
        None,
        image_type or None,
        tiles,
    )


def _whole(value: bytes | None) -> int | None:
    try:
        # The first of several values; some writers put 1.0 where a whole number belongs.
        number = float((value or b"").split(b"\\")[0].strip(b"\0 "))
        return int(number) if abs(number) < 2**62 else None
    except (ValueError, OverflowError):
        return None


def _floats(value: bytes | None, count: int) -> list[float] | None:
    """All numbers of a decimal string, or None when there are not `count` finite ones."""
    try:
        numbers = [float(part) for part in (value or b"").strip(b"\0 ").split(b"\\")]
    except ValueError:
        return None
    return numbers if len(numbers) == count and all(abs(one) < 1e12 for one in numbers) else None


def _short(value: bytes | None) -> int | None:
    return struct.unpack("<H", value[:2])[0] if value is not None and len(value) >= 2 else None


def _double(value: bytes | None) -> float | None:
    if value is None or len(value) != 8:
        return None
    number = float(struct.unpack("<d", value)[0])
    return number if abs(number) < 1e12 else None


def _tiles(raw: dict[int, bytes]) -> int:
    """How many slices a mosaic holds, as its vendor writes it; 0 when it does not say."""
    counted = raw.get(MOSAIC[0])
    if counted is not None and len(counted) == 2:
        return int(struct.unpack("<H", counted)[0])
    for tag in MOSAIC[1:]:
        found = _TILES.search(raw.get(tag, b""))
        if found:
            return int(found.group(1) or found.group(2))
    return 0
