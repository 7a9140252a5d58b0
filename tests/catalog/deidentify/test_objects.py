"""Files of every encoding come through with their pixels untouched, of any size, and what would burst is refused."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.errors import InvalidDicomError
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
)
from tests.catalog.deidentify.archive_made import SECRET, ct_slice, objects, run, save

from hounsfield.catalog.deidentify import objects as module
from hounsfield.catalog.deidentify.deidentify import NotDeidentified, deidentify
from hounsfield.catalog.deidentify.objects import read_header, write_object


def file_in(folder: Path, syntax: str) -> Path:
    dataset = ct_slice("4711", "DOE^JANE", 0)
    save(dataset, folder / "plain.dcm")
    dataset.file_meta.TransferSyntaxUID = syntax
    if syntax == JPEG2000Lossless:
        dataset.PixelData = encapsulate([b"\xff\x4f\xff\x51" + bytes(range(60)), b"\xff\x4f\xff\x51" + bytes(40)])
        dataset["PixelData"].VR = "OB"
    if syntax == ExplicitVRBigEndian:
        dataset.PixelData = np.frombuffer(dataset.PixelData, "<i2").astype(">i2").tobytes()
    path = folder / "object.dcm"
    pydicom.dcmwrite(path, dataset, enforce_file_format=True)
    return path


def through(source: Path, target: Path) -> pydicom.Dataset:
    with source.open("rb") as stream:
        done = deidentify(read_header(stream), SECRET)
        write_object(done.dataset, stream, target)
    return pydicom.dcmread(target)


@pytest.mark.parametrize(
    "syntax",
    [
        ImplicitVRLittleEndian,
        ExplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
        JPEG2000Lossless,
    ],
)
def test_pixels_of_every_encoding_are_those_of_the_source(syntax: str, tmp_path: Path):
    path = file_in(tmp_path, syntax)
    before, after = pydicom.dcmread(path), through(path, tmp_path / "new.dcm")
    assert after.file_meta.TransferSyntaxUID == syntax
    assert after.PixelData == before.PixelData
    assert after["PixelData"].is_undefined_length == before["PixelData"].is_undefined_length
    assert after.PatientName == SECRET.patient("4711")
    assert b"DOE" not in (tmp_path / "new.dcm").read_bytes()


@pytest.mark.parametrize("implicit", [True, False])
def test_files_without_preamble_are_read_as_they_are(implicit: bool, tmp_path: Path):
    dataset = ct_slice("4711", "DOE^JANE", 0)
    bare = tmp_path / "bare"
    pydicom.dcmwrite(bare, dataset, implicit_vr=implicit, little_endian=True)
    after = through(bare, tmp_path / "new.dcm")
    assert after.file_meta.TransferSyntaxUID == (ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian)
    assert after.PixelData == dataset.PixelData


def test_a_transfer_syntax_that_lies_is_put_right(tmp_path: Path):
    path = file_in(tmp_path, ImplicitVRLittleEndian)
    path.write_bytes(path.read_bytes().replace(b"UI\x12\x001.2.840.10008.1.2\0", b"UI\x14\x001.2.840.10008.1.2.1\0"))
    done = through(path, tmp_path / "new.dcm")
    assert done.pixel_array.tolist() == pydicom.dcmread(tmp_path / "plain.dcm").pixel_array.tolist()


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, JPEG2000Lossless])
def test_pixels_that_end_too_early_are_refused(syntax: str, tmp_path: Path):
    path = file_in(tmp_path, syntax)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(NotDeidentified, match="too early"):
        through(path, tmp_path / "new.dcm")


def test_what_is_no_dicom_is_told_apart():
    for data in (b"", b"DOE" * 100, b"PK\3\4" + bytes(500)):
        with pytest.raises(InvalidDicomError):
            read_header(io.BytesIO(data))
    for data in (b"\x08\x00", b"\x08\x00" + bytes(500)):  # begins as a data set without preamble would
        with pytest.raises((InvalidDicomError, NotDeidentified)):
            read_header(io.BytesIO(data))


def test_headers_and_deflated_data_that_would_fill_the_memory_are_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_LARGEST_HEADER", 1 << 20)
    start = bytes(128) + b"DICM" + struct.pack("<HH2sHI", 2, 0, b"UL", 4, 34)
    deflated = start + struct.pack("<HH2sH", 2, 0x10, b"UI", 22) + b"1.2.840.10008.1.2.1.99"
    engine = zlib.compressobj(wbits=-15)
    bomb = engine.compress(bytes(50 << 20)) + engine.flush()
    with pytest.raises(NotDeidentified, match="inflates"):
        read_header(io.BytesIO(deflated + bomb))
    explicit = start + struct.pack("<HH2sH", 2, 0x10, b"UI", 20) + b"1.2.840.10008.1.2.1\0"
    value = struct.pack("<HH2sHI", 0x8, 0x16, b"UT", 0, 2 << 20) + bytes(2 << 20)
    with pytest.raises(NotDeidentified, match="header"):
        read_header(io.BytesIO(explicit + value))
    meta = start + struct.pack("<HH2sHI", 2, 0x102, b"OB", 0, 0x7FFFFFFF)
    with pytest.raises(NotDeidentified, match="file meta"):
        read_header(io.BytesIO(meta + bytes(100)))


CODE = """
import resource, sys
from pathlib import Path
from hounsfield.catalog.deidentify.run import deidentify_folder
from hounsfield.catalog.deidentify.secret import Secret
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
report = deidentify_folder(Path(sys.argv[1]), Path(sys.argv[2]), Secret(bytes(range(32))), workers=1).report
print(report["objects"], (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize("packed", [False, True], ids=["file", "zip"])
def test_a_large_object_does_not_stand_in_memory(packed: bool, tmp_path: Path):
    """A multi-frame secondary capture of 250 MB, whose frames are also looked through for text."""
    dataset = ct_slice("4711", "DOE^JANE", 0)
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7.3"
    dataset.Rows = dataset.Columns = 1024
    dataset.NumberOfFrames = 120
    dataset.PixelData = b""
    source = tmp_path / "source"
    path = save(dataset, source / "large.dcm")
    size = 120 * 1024 * 1024 * 2
    with path.open("r+b") as stream:
        stream.seek(-4, 2)
        stream.write(struct.pack("<I", size))
        if packed:
            stream.write(np.random.default_rng(0).integers(0, 9, 1 << 16, np.uint8).tobytes() * (size >> 16))
        stream.truncate(stream.seek(0, 1) + (0 if packed else size))
    if packed:
        with zipfile.ZipFile(source / "large.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.write(path, "large.dcm")
        path.unlink()
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(source), str(tmp_path / "out")], capture_output=True, text=True, check=True
    )
    objects_written, megabytes = map(int, done.stdout.split())
    assert objects_written == 1
    assert megabytes < 100
    assert next((tmp_path / "out").rglob("*.dcm")).stat().st_size > size


def test_a_bomb_in_a_zip_is_set_aside(tmp_path: Path):
    (tmp_path / "source").mkdir()
    with zipfile.ZipFile(tmp_path / "source" / "a.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.write(save(ct_slice("4711", "DOE^JANE", 0), tmp_path / "one.dcm"), "../../../one.dcm")
        packed.writestr("bomb.dcm", bytes(128) + b"DICM" + bytes(50_000_000))
    report = run(tmp_path / "source", tmp_path / "out").report
    assert report["objects"] == len(objects(tmp_path / "out")) == 1
    assert [reason[:20] for reason in report["set_aside"]] == ["it is in a zip file "]
    assert {path.name for path in tmp_path.iterdir()} == {"source", "out", "one.dcm"}
