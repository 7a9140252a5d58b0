"""Objects that hold every attribute of the removal list, each with a value of its own, at several depths."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import pydicom
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage

from hounsfield.catalog.deidentify.profile import table

NUMBERS = ("US", "AS")  # too short to be looked for in bytes


@dataclass(frozen=True)
class Marker:
    """A value, where it is (tags from the top), and the bytes by which it is found again."""

    name: str
    path: tuple[int, ...]
    vr: str
    data: bytes


class Markers:
    def __init__(self) -> None:
        self.number = self.days = 0
        self.all: list[Marker] = []

    def value(self, vr: str, name: str, *path: int) -> object:
        """A value never given before."""
        self.number += 1
        n = self.number
        self.days += vr in ("DA", "DT")  # fewer than the least shift: no moved date is another marker's
        day = date(1950, 1, 1) + timedelta(days=self.days % 360)
        made: dict[str, object] = {
            "UI": f"1.2.826.77.1{n:05d}.9",
            "DA": f"{day:%Y%m%d}",
            "DT": f"{day:%Y%m%d}111213.{n:06d}",
            "TM": f"141516.{n:06d}",
            "DS": f"7{n:05d}.25",
            "IS": f"87{n:06d}",
            "AS": f"{700 + n % 299:03d}D",
            "OB": f"MK{n:05d}Z".encode(),
            "UN": f"MK{n:05d}Z".encode(),
            "OW": f"MK{n:05d}Z".encode(),
            "US": 40000 + n,
        }
        value = made.get(vr, f"MK{n:05d}Z")
        if vr not in NUMBERS:
            data = value if isinstance(value, bytes) else str(value).encode()
            self.all.append(Marker(f"{name} ({vr}, {n})", path, vr, data))
        return value


def vr_of(tag: int) -> str:
    try:
        return dictionary_VR(tag)
    except KeyError:
        return "LO"  # of an edition later than pydicom's dictionary


def removal_list() -> Iterator[tuple[int, str]]:
    """(tag, keyword) of every row that names one element of a data set."""
    for rule in table():
        # Documents are refused whole; groups 0 and 2 are tried by themselves.
        if rule.tag[:4] not in ("0000", "0002") and "x" not in rule.tag and rule.tag not in ("private", "00420011"):
            yield int(rule.tag, 16), rule.keyword


def fill(markers: Markers, *above: int, undefined: bool = False) -> Dataset:
    """Every element of the removal list, curves, overlays and private elements.

    Args:
        undefined: whether its sequences and their items are of undefined length.
    """
    dataset = Dataset()
    for tag, keyword in removal_list():
        vr, path = vr_of(tag), (*above, tag)
        if vr != "SQ":
            dataset.add(DataElement(tag, vr, markers.value(vr, keyword, *path)))
            continue
        item = Dataset()
        for inner, kind in ((0x00081155, "UI"), (0x00100020, "LO"), (0x0040A160, "UT"), (0x0040A30A, "DS")):
            item.add_new(inner, kind, markers.value(kind, f"{keyword}.{inner:08X}", *path, inner))
        dataset.add(sequence(tag, item, undefined=undefined))
    for tag, vr in ((0x50003000, "OW"), (0x501E2500, "LO"), (0x60003000, "OW"), (0x60004000, "LO"), (0x601E0022, "LO")):
        dataset.add_new(tag, vr, markers.value(vr, f"{tag:08X}", *above, tag))
    block = dataset.private_block(0x0029, str(markers.value("LO", "creator", *above, 0x00290010)), create=True)
    block.add_new(0x10, "LO", markers.value("LO", "private", *above, 0x00291010))
    return dataset


def sequence(tag: int, item: Dataset, *, undefined: bool = False) -> DataElement:
    item.is_undefined_length_sequence_item = undefined
    element = DataElement(tag, "SQ", Sequence([item]))
    element.is_undefined_length = undefined
    return element


def marked() -> tuple[Dataset, Markers]:
    """An object with the whole list at the top, within a sequence of defined and one of undefined length, within a
    sequence in a sequence, and within a private sequence."""
    markers = Markers()
    dataset = fill(markers)
    dataset.SOPClassUID = CTImageStorage
    inner = fill(markers, 0x52009230)
    inner.add(sequence(0x00209111, fill(markers, 0x52009230, 0x00209111)))
    dataset.add(sequence(0x52009230, inner))
    deep = Dataset()
    deep.add(sequence(0x00209111, fill(markers, 0x52009229, 0x00209111, undefined=True), undefined=True))
    dataset.add(sequence(0x52009229, deep, undefined=True))
    private = fill(markers, 0x00291020)
    dataset.private_block(0x0029, str(dataset[0x00290010].value)).add_new(0x20, "SQ", Sequence([private]))
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, dataset.SOPInstanceUID
    for keyword, vr in (
        *(("SourceApplicationEntityTitle", "AE"), ("SendingApplicationEntityTitle", "AE")),
        *(("ImplementationVersionName", "SH"), ("PrivateInformationCreatorUID", "UI"), ("PrivateInformation", "OB")),
    ):
        setattr(meta, keyword, markers.value(vr, keyword, 0x00020000))
    dataset.file_meta = meta
    return dataset, markers


def as_bytes(dataset: Dataset, syntax: str) -> bytes:
    dataset.file_meta.TransferSyntaxUID = syntax
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()
