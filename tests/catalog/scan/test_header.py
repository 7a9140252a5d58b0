"""Headers read without a library's objects equal those that pydicom reads, and hostile ones end in words."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian
from tests.catalog.dicom_made import made

from hounsfield.catalog.scan.elements import Damaged, NoDicom
from hounsfield.catalog.scan.header import read_header

POSITION, ORIENTATION, PIXEL = 3, 4, 5


def _bytes(dataset: Dataset) -> bytes:
    stream = io.BytesIO()
    pydicom.dcmwrite(stream, dataset, enforce_file_format=True)
    return stream.getvalue()


@pytest.mark.parametrize(
    "syntax", ["1.2.840.10008.1.2.1", ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian]
)
def test_every_encoding_gives_the_same(syntax: str) -> None:
    dataset = made(3, syntax=syntax)
    if syntax == ExplicitVRBigEndian:
        stream = io.BytesIO()
        pydicom.dcmwrite(stream, dataset, little_endian=False, implicit_vr=False, enforce_file_format=True)
        found = read_header(io.BytesIO(stream.getvalue()))
    else:
        found = read_header(io.BytesIO(_bytes(dataset)))
    assert (found.sop_uid, found.series_uid, found.instance_number) == ("1.2.3.4.4", "1.2.3.4", 4)
    plane = found.planes[0]
    assert plane[:3] == (0, 4, 4)
    assert plane[POSITION] == [-10.0, -20.0, 7.5]
    assert plane[ORIENTATION] == [1, 0, 0, 0, 1, 0]
    assert plane[PIXEL] == [0.7, 0.8]
    header = json.loads(found.header())
    assert header["SeriesDescription"] == "THORAX"
    assert header["ImageType"] == ["ORIGINAL", "PRIMARY", "AXIAL"]
    assert header["TransferSyntaxUID"] == str(syntax)


def test_no_patient_name_is_kept() -> None:
    found = read_header(io.BytesIO(_bytes(made())))
    assert "Nobody" not in found.header() + repr(found)


def test_slices_share_one_variant_and_another_kernel_makes_another() -> None:
    first, second, third = (
        read_header(io.BytesIO(_bytes(one))) for one in (made(0), made(1), made(2, ConvolutionKernel="B70f"))
    )
    assert first.variant == second.variant != third.variant


def test_copies_in_another_encoding_are_one_object() -> None:
    explicit, implicit = (
        read_header(io.BytesIO(_bytes(made(1, syntax=syntax))))
        for syntax in ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")
    )
    other = read_header(io.BytesIO(_bytes(made(1, ImagePositionPatient=[0, 0, 99]))))
    assert explicit.digest == implicit.digest != other.digest
    assert explicit.variant != implicit.variant


def test_sequences_of_undefined_length_and_private_elements_are_stepped_over() -> None:
    inner = Dataset()
    inner.CodeValue = "x" * 40
    inner.is_undefined_length_sequence_item = True
    outer = Dataset()
    outer.PurposeOfReferenceCodeSequence = Sequence([inner])
    outer["PurposeOfReferenceCodeSequence"].is_undefined_length = True
    dataset = made(2)
    dataset.ReferencedImageSequence = Sequence([outer, outer])
    dataset["ReferencedImageSequence"].is_undefined_length = True
    block = dataset.private_block(0x0019, "MAKER", create=True)
    block.add_new(0x10, "UN", b"\x00" * 300)
    found = read_header(io.BytesIO(_bytes(dataset)))
    assert found.planes[0][POSITION] == [-10.0, -20.0, 5.0]


@pytest.mark.parametrize("text", ["Müller", "胸部", "грудь"])
def test_text_in_the_files_own_characters(text: str) -> None:
    found = read_header(io.BytesIO(_bytes(made(SpecificCharacterSet="ISO_IR 192", SeriesDescription=text))))
    assert json.loads(found.header())["SeriesDescription"] == text


def test_latin_text() -> None:
    found = read_header(io.BytesIO(_bytes(made(SpecificCharacterSet="ISO_IR 100", SeriesDescription="Schädel"))))
    assert json.loads(found.header())["SeriesDescription"] == "Schädel"


def test_without_a_preamble(tmp_path: Path) -> None:
    path = tmp_path / "old"
    dataset = made(1, syntax=ImplicitVRLittleEndian)
    del dataset.file_meta
    pydicom.dcmwrite(path, dataset, implicit_vr=True, little_endian=True)
    with path.open("rb") as stream:
        assert read_header(stream).sop_uid == "1.2.3.4.2"


@pytest.mark.parametrize("data", [b"", b"hello", b"\0" * 200, b"PK\x03\x04" + b"\0" * 500])
def test_what_is_no_dicom(data: bytes) -> None:
    with pytest.raises(NoDicom):
        read_header(io.BytesIO(data))


def test_a_header_cut_short_is_damaged() -> None:
    data = _bytes(made())
    with pytest.raises(Damaged, match="ends in the middle"):
        read_header(io.BytesIO(data[:400]))


@given(st.integers(132, 700), st.binary(min_size=1, max_size=8))
def test_damaged_bytes_never_hang_nor_end_the_scan(place: int, noise: bytes) -> None:
    data = bytearray(_bytes(made()))
    data[place : place + len(noise)] = noise
    try:
        found = read_header(io.BytesIO(bytes(data)))
    except Exception:  # read.py turns each into words; what counts is that one comes
        return
    json.loads(found.header())


def test_numbers_that_are_none_and_dates_of_year_0() -> None:
    dataset = made()
    dataset.add_new(0x00180050, "LO", "nan")  # SliceThickness
    dataset.add_new(0x00080020, "LO", "00000000")
    header = json.loads(read_header(io.BytesIO(_bytes(dataset))).header())
    assert header["SliceThickness"] is None
    assert header["StudyDate"] == "00000000"


def test_real_files_equal_pydicom(shared_data: Path) -> None:
    count = 0
    for path in sorted((shared_data / "dicom").rglob("*")):
        if not path.is_file() or path.suffix == ".zip":
            continue
        dataset = pydicom.dcmread(path, stop_before_pixels=True)
        with path.open("rb") as stream:
            found = read_header(stream)
        assert (found.sop_uid, found.series_uid) == (dataset.SOPInstanceUID, dataset.SeriesInstanceUID)
        header = json.loads(found.header())
        for name in ("Manufacturer", "SeriesDescription", "PatientID", "ScanningSequence", "ContrastBolusAgent"):
            if name in dataset and found.frames == 1:
                value = dataset.get(name)
                wanted = "" if value is None else value if isinstance(value, str) else list(value)
                assert header[name] == (wanted.strip() if isinstance(wanted, str) else wanted), (path.name, name)
        for name in ("RepetitionTime", "EchoTime", "SliceThickness"):
            if dataset.get(name) is not None and found.frames == 1:
                assert header[name] == pytest.approx(float(dataset.get(name)))
        count += 1
    assert count > 300
