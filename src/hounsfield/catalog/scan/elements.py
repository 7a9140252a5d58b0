"""The elements of a DICOM header without a library's objects: bytes in, raw values by tag out.

Most of the time of a header scan goes into making objects of elements that nobody asks for. Here the bytes are walked
by their lengths and only wanted values are cut out. Little-endian, explicit or implicit, which is nearly every file;
all else raises `Unusual` and is left to pydicom.

Source: DICOM PS3.5, section 7 (data elements, sequences of undefined length) and PS3.10, section 7 (file format).
"""

from __future__ import annotations

import struct
from collections.abc import Callable

IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
DEFLATED, BIG_ENDIAN = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
_LONG = frozenset({b"OB", b"OW", b"OF", b"OD", b"OL", b"OV", b"SQ", b"UN", b"UC", b"UR", b"UT", b"SV", b"UV"})
_SHORT = frozenset(b"AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split())
_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_FIRST, _MOST = 16_384, 2**26  # bytes read at first, and at most: headers of images are some kilobytes
_DEEP = 32  # nested sequences; more is an attack or a damaged file

_TAG = struct.Struct("<HH")
_TAG_LENGTH = struct.Struct("<HHI")
_TAG_VR = struct.Struct("<HH2sH")
_LONG_LENGTH = struct.Struct("<I")


class NoDicom(Exception):
    """The bytes are no DICOM file."""


class Damaged(Exception):
    """They claim to be one and are not, in words."""


class Unusual(Exception):
    """A DICOM file that needs the full reader: deflated, big-endian, or with values that this walk can't skip."""


Read = Callable[[int], bytes]
"""Reads the next so many bytes of the file, fewer at its end."""


class Head:
    """The first bytes of a file, read on as they are needed."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self.data = read(_FIRST)
        self.whole = len(self.data) < _FIRST

    def need(self, end: int) -> None:
        """Makes `data` reach to `end`. Raises: Damaged where the file ends before, or a value is absurdly long."""
        if end > _MOST:
            raise Damaged(f"its header is longer than {_MOST // 2**20} MB")
        while len(self.data) < end and not self.whole:
            more = self._read(max(end - len(self.data), len(self.data)))
            self.data += more
            self.whole = not more
        if len(self.data) < end:
            raise Damaged("it ends in the middle of its header")


def wanted_elements(read: Read, wanted: frozenset[int], last: int) -> tuple[dict[int, bytes], str]:
    """Raw values of the wanted elements, and the transfer syntax.

    Args:
        read: of the file, at its start.
        wanted: tags as group << 16 | element, of the main data set.
        last: the walk ends behind this tag.

    Raises: NoDicom without the mark DICM; Unusual for what the full reader must read; Damaged when it ends too early.
    """
    head = Head(read)
    if head.data[128:132] != b"DICM":
        # Old files begin with their first element; group 2 or 8, little-endian, is all that can be known of them.
        raise Unusual if head.data[:2] in (b"\x02\x00", b"\x08\x00") else NoDicom
    position, syntax = _meta(head)
    if syntax in (DEFLATED, BIG_ENDIAN) or not syntax:
        raise Unusual
    found = _walk(head, position, wanted, last, explicit=syntax != IMPLICIT)
    return found, syntax


def _meta(head: Head) -> tuple[int, str]:
    """Position behind the file meta information, and the transfer syntax it names."""
    position, syntax = 132, ""
    while True:
        head.need(position + 8)
        group, element, vr, length = _TAG_VR.unpack_from(head.data, position)
        if group != 2:
            return position, syntax
        start = position + 8
        if vr in _LONG:
            head.need(start + 4)
            (length,) = _LONG_LENGTH.unpack_from(head.data, start)
            start += 4
        head.need(start + length)
        if element == 0x0010:
            syntax = head.data[start : start + length].rstrip(b"\0 ").decode("ascii", "replace")
        position = start + length


def _walk(head: Head, position: int, wanted: frozenset[int], last: int, *, explicit: bool) -> dict[int, bytes]:
    """The walk over the main data set; written out in one loop, since it is where the time of a scan goes."""
    found: dict[int, bytes] = {}
    data, size, before = head.data, len(head.data), -1
    while True:
        if position + 12 > size:
            _more(head, position + 12)
            data, size = head.data, len(head.data)
            if position >= size:
                return found
            head.need(position + 8)
        group, element, vr, length = _TAG_VR.unpack_from(data, position)
        tag = group << 16 | element
        if tag > last or tag >= 0x7FE00008:
            return found
        if tag <= before:
            raise Unusual  # elements rise; these don't, so a length was wrong or the file is odd
        before = tag
        start = position + 8
        if not explicit or vr not in _SHORT:
            start, length = _start(head, position, explicit)
        if length == _UNDEFINED:
            position = _skip_items(head, start, explicit, 0)
            data, size = head.data, len(head.data)
            if tag in wanted:
                found[tag] = data[start : position - 8]
            continue
        position = start + length
        if position > size:
            head.need(position)
            data, size = head.data, len(head.data)
        if tag in wanted:
            found[tag] = data[start:position]


def _more(head: Head, end: int) -> None:
    """Reads on if there is more; a data set may end here."""
    try:
        head.need(end)
    except Damaged:
        if not head.whole:
            raise


def _start(head: Head, position: int, explicit: bool) -> tuple[int, int]:
    """Where the value begins, and its length."""
    data = head.data
    if not explicit:
        return position + 8, _TAG_LENGTH.unpack_from(data, position)[2]
    _, _, vr, short = _TAG_VR.unpack_from(data, position)
    if vr in _LONG:
        head.need(position + 12)
        (length,) = _LONG_LENGTH.unpack_from(head.data, position + 8)
        if vr == b"UN" and length == _UNDEFINED:
            raise Unusual  # its items are implicit, whatever the file says (PS3.5, 6.2.2)
        return position + 12, length
    if not (65 <= vr[0] <= 90 and 65 <= vr[1] <= 90):
        raise Unusual  # a VR that is none: some writers put implicit elements into explicit files
    return position + 8, short


def _skip_items(head: Head, position: int, explicit: bool, depth: int) -> int:
    """End of a sequence of undefined length whose items begin at `position`."""
    if depth > _DEEP:
        raise Damaged(f"its sequences lie more than {_DEEP} deep in each other")
    while True:
        head.need(position + 8)
        group, element, length = _TAG_LENGTH.unpack_from(head.data, position)
        tag = group << 16 | element
        position += 8
        if tag == _SEQUENCE_END:
            return position
        if tag != _ITEM:
            raise Unusual
        if length != _UNDEFINED:
            position += length
            head.need(position)
            continue
        position = _skip_elements(head, position, explicit, depth)


def _skip_elements(head: Head, position: int, explicit: bool, depth: int) -> int:
    """End of an item of undefined length."""
    while True:
        head.need(position + 8)
        group, element = _TAG.unpack_from(head.data, position)
        if group << 16 | element == _ITEM_END:
            return position + 8
        start, length = _start(head, position, explicit)
        position = _skip_items(head, start, explicit, depth + 1) if length == _UNDEFINED else start + length
        head.need(position)
