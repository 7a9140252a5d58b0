"""A DICOM file with its pixels left where they are. In: a stream; out: the header, and a new file into which the pixels
run past in pieces.

A multi-frame object of tens of gigabytes never stands in memory, and compressed pixels are not touched. What follows
the pixels (padding, signatures, private elements: nothing that the profile keeps) is not taken over.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.errors import InvalidDicomError
from pydicom.pixels.utils import get_expected_length
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from hounsfield.catalog.deidentify.deidentify import NotDeidentified
from hounsfield.volume.dicom_files import UNREADABLE

_CHUNK = 1 << 20
_LARGEST_HEADER = 512 << 20  # bytes; of a deflated object the pixels count, too
_LARGEST_META = 1 << 20
_UNDEFINED = 0xFFFFFFFF
_PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_ITEM, _END = 0xFFFEE000, 0xFFFEE0DD
_NATIVE = frozenset({ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian})


def read_header(stream: BinaryIO) -> Dataset:
    """The data set up to its pixels, at which `stream` is left; a deflated one whole, since it can't be entered midway.

    Raises: InvalidDicomError when it is no DICOM object; NotDeidentified when it is made to burst; errors of pydicom
        when it is damaged.
    """
    start = stream.read(132)
    marked = start[128:] == b"DICM"
    if not marked and start[:2] not in (b"\x08\x00", b"\x02\x00"):
        raise InvalidDicomError
    deflated = marked and _is_deflated(stream)
    if deflated:
        _check_inflates(stream)
    stream.seek(0)
    reader: Any = stream if deflated else _Limited(stream)
    dataset = pydicom.dcmread(reader, stop_before_pixels=not deflated, force=not marked)
    if not marked and not ("SOPClassUID" in dataset and "SOPInstanceUID" in dataset):
        raise InvalidDicomError
    _state_syntax(dataset)
    return dataset


def write_object(dataset: Dataset, source: BinaryIO, path: Path) -> None:
    """Writes the new header, and behind it the pixels at which `read_header` left `source`.

    Args:
        dataset: with `file_meta`, of the same transfer syntax as the source.
    Raises: NotDeidentified when the pixels end too early; OSError when `path` can't be written.
    """
    dataset.preamble = bytes(128)  # a new one: in front of a data set anything can stand
    syntax = dataset.file_meta.TransferSyntaxUID
    with path.open("wb") as target:
        pydicom.dcmwrite(target, dataset, enforce_file_format=True)
        if syntax != DeflatedExplicitVRLittleEndian:
            _copy_pixels(dataset, source, target)


class _Limited:
    """A stream out of which no more is read than a header can hold, so that none can fill the memory."""

    def __init__(self, stream: BinaryIO) -> None:
        self.seek, self.tell, self._read, self._left = stream.seek, stream.tell, stream.read, _LARGEST_HEADER

    def read(self, size: int = -1) -> bytes:
        self._left -= size
        if size < 0 or self._left < 0:
            raise NotDeidentified("its header is damaged, or larger than 512 MB.")
        data = self._read(size)
        if len(data) < size and size != 8:  # the head of an element that may not come
            raise NotDeidentified("it ends in the middle of its header.")
        return data


def _copy_pixels(dataset: Dataset, source: BinaryIO, target: BinaryIO) -> None:
    syntax = dataset.file_meta.TransferSyntaxUID
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    head = _read(source, 8)
    if len(head) < 8:
        return
    group, element = struct.unpack(order + "HH", head[:4])
    if (group << 16 | element) not in _PIXELS:
        return
    if syntax == ImplicitVRLittleEndian:
        head, counted = head[:4], head[4:]
    elif head[4:6] in (b"OB", b"OW", b"OF", b"OD", b"UN"):
        counted = _read(source, 4)
    elif order == "<" and not head[4:6].isalpha():  # implicit against its transfer syntax, as pydicom read it
        head, counted = head[:4] + b"OW\0\0", head[4:]
    else:
        raise NotDeidentified("its pixels are of a representation that can't be.")
    if len(counted) < 4:
        raise NotDeidentified("it ends where its pixels begin.")
    length = struct.unpack(order + "I", counted)[0]
    if length == _UNDEFINED:
        target.write(head + counted)
        _copy_fragments(source, target)
        return
    kept = _needed(dataset, length) if syntax in _NATIVE else length
    target.write(head + struct.pack(order + "I", kept + kept % 2))
    _copy(source, target, kept)
    target.write(bytes(kept % 2))


def _needed(dataset: Dataset, length: int) -> int:
    """How much of native pixels is image: what stands behind the last pixel is none, and nobody looks at it."""
    try:
        expected = get_expected_length(dataset)
    except UNREADABLE:
        return length
    return min(length, expected) if expected > 0 else length


def _copy_fragments(source: BinaryIO, target: BinaryIO) -> None:
    while True:
        head = _read(source, 8)
        if len(head) < 8:
            raise NotDeidentified("its pixels end too early.")
        group, element, length = struct.unpack("<HHI", head)
        tag = group << 16 | element
        if tag not in (_ITEM, _END) or length == _UNDEFINED:
            raise NotDeidentified("its compressed pixels are no row of fragments.")
        target.write(head if tag == _ITEM else head[:4] + bytes(4))
        if tag == _END:
            return
        _copy(source, target, length)


def _copy(source: BinaryIO, target: BinaryIO, length: int) -> None:
    while length:
        piece = _read(source, min(length, _CHUNK))
        if not piece:
            raise NotDeidentified("its pixels end too early.")
        target.write(piece)
        length -= len(piece)


def _read(source: BinaryIO, size: int) -> bytes:
    try:
        return source.read(size)
    except (OSError, EOFError, zlib.error) as error:  # of the source; one of the target is no fault of this file
        raise NotDeidentified("it can't be read to its end.") from error


def _state_syntax(dataset: Dataset) -> None:
    """Makes the transfer syntax in the file meta the one in which the data set was in fact read."""
    implicit, little = dataset.original_encoding
    meta = getattr(dataset, "file_meta", None)
    if meta is None:
        meta = dataset.file_meta = FileMetaDataset()
    syntax = meta.get("TransferSyntaxUID")
    found = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian if little else ExplicitVRBigEndian
    if syntax is None or (syntax in _NATIVE and syntax != found):
        meta.TransferSyntaxUID = found


def _is_deflated(stream: BinaryIO) -> bool:
    """Whether the file meta, behind the mark of which `stream` stands, says so; `stream` is left behind the meta."""
    deflated, begin = False, stream.tell()
    while stream.tell() - begin < _LARGEST_META:
        head = stream.read(8)
        if len(head) < 8 or head[:2] != b"\x02\x00":
            stream.seek(-len(head), 1)
            return deflated
        length = struct.unpack("<H", head[6:])[0]
        if head[4:6] in (b"OB", b"UN", b"OW", b"UT", b"SQ"):
            length = struct.unpack("<I", stream.read(4).ljust(4, b"\0"))[0]
        if length > _LARGEST_META:
            break
        value = stream.read(length)
        if head[2:4] == b"\x10\x00":
            deflated = value.strip(b"\0 ") == DeflatedExplicitVRLittleEndian.encode()
    raise NotDeidentified("its file meta information is larger than 1 MB.")


def _check_inflates(stream: BinaryIO) -> None:
    engine, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
    while piece := stream.read(_CHUNK):
        while piece:
            size += len(engine.decompress(piece, _CHUNK))
            piece = engine.unconsumed_tail
            if size > _LARGEST_HEADER:
                raise NotDeidentified("it is deflated, and inflates to more than 512 MB.")
