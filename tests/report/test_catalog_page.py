"""The overview of a catalog over a few DICOM files written here: what it shows, and what it must never show."""

from __future__ import annotations

import base64
import io
import re
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from hounsfield.catalog.look.show import filter_of
from hounsfield.catalog.look.thumbnail import NoPicture, Place, middle_planes, thumbnail
from hounsfield.catalog.store import open_catalog
from hounsfield.report.catalog_page import write_catalog_page

CT, SC = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.7"
NAME = "DOE^JANE"


def dicom(values: np.ndarray, **elements: Any) -> bytes:
    """A DICOM file of these values; several frames when they have three axes."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = CT
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    dataset = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.PatientName, dataset.PatientID = CT, "1.2.3", NAME, NAME
    dataset.Rows, dataset.Columns = values.shape[-2:]
    if values.ndim == 3:
        dataset.NumberOfFrames = values.shape[0]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelRepresentation = 1
    dataset.PixelData = values.astype("<i2").tobytes()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    stream = io.BytesIO()
    pydicom.dcmwrite(stream, dataset, enforce_file_format=True)
    return stream.getvalue()


def ramp(height: int = 20, width: int = 20) -> np.ndarray:
    """0 to 1000 from left to right."""
    return np.broadcast_to(np.linspace(0, 1000, width).astype(int), (height, width))


def place(path: str, *, member: str = "", frame: int = 0, pixel_mm: tuple[float, float] = (1.0, 1.0)) -> Place:
    return Place("1.2", "CT", "", "", path, member, frame, pixel_mm)


def test_windows_and_percentiles(tmp_path: Path):
    (tmp_path / "w.dcm").write_bytes(dicom(ramp(), WindowCenter=500, WindowWidth=200, RescaleIntercept=0))
    found = thumbnail(tmp_path, place("w.dcm"), edge=20)
    assert found[0, :7].tolist() == [0] * 7  # values up to 316 lie below 400
    assert found[0, 13:].tolist() == [255] * 7
    (tmp_path / "p.dcm").write_bytes(dicom(ramp(), WindowCenter=9000, WindowWidth=10))  # of another image
    found = thumbnail(tmp_path, place("p.dcm"), edge=20)
    assert (np.diff(found[0].astype(int)) >= 0).all()
    assert 100 < found[0, 10] < 155
    (tmp_path / "i.dcm").write_bytes(dicom(ramp(), PhotometricInterpretation="MONOCHROME1"))
    inverted = thumbnail(tmp_path, place("i.dcm"), edge=20)
    assert inverted[0, 0] > 250
    assert inverted[0, -1] < 5


def test_proportions_are_those_of_the_body(tmp_path: Path):
    (tmp_path / "c.dcm").write_bytes(dicom(ramp(10, 40)))  # 10 rows of 4 mm, 40 columns of 0.5 mm: 40 by 20 mm
    assert thumbnail(tmp_path, place("c.dcm", pixel_mm=(4.0, 0.5)), edge=100).shape == (100, 50)


def test_one_frame_of_many_and_members_of_archives(tmp_path: Path):
    frames = np.zeros((5, 8, 8), int)
    frames[2, :4] = 100  # the third frame alone has an upper half
    body = dicom(frames, WindowCenter=50, WindowWidth=100)
    (tmp_path / "m.dcm").write_bytes(body)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("inner/m.dcm", body)
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as packed_tar:
        packed_tar.add(tmp_path / "m.dcm", "inner/m.dcm")
    for path, member in (("m.dcm", ""), ("a.zip", "inner/m.dcm"), ("a.tar.gz", "inner/m.dcm")):
        found = thumbnail(tmp_path, place(path, member=member, frame=3), edge=8)
        assert found[0].tolist() == [255] * 8, path
        assert found[-1].tolist() == [0] * 8, path
    for path in ("a.zip", "a.tar.gz"):
        with pytest.raises(NoPicture, match="no longer holds it"):
            thumbnail(tmp_path, place(path, member="gone.dcm"))


def test_names_that_are_no_utf8(tmp_path: Path):
    folder = tmp_path / b"\xe9tude".decode("utf-8", "surrogateescape")
    folder.mkdir()
    (folder / "1.dcm").write_bytes(dicom(ramp()))
    assert thumbnail(tmp_path, place("\\xe9tude/1.dcm"), edge=20).shape == (20, 20)


def test_reasons_for_no_picture(tmp_path: Path):
    with pytest.raises(NoPicture, match="is gone"):
        thumbnail(tmp_path, place("nothing.dcm"))
    (tmp_path / "short.dcm").write_bytes(dicom(ramp())[:-300])
    with pytest.raises(NoPicture, match="can't be decoded"):
        thumbnail(tmp_path, place("short.dcm"))
    (tmp_path / "text.dcm").write_text("no DICOM")
    with pytest.raises(NoPicture, match="can't be decoded"):
        thumbnail(tmp_path, place("text.dcm"))
    (tmp_path / "folder.dcm").mkdir()
    with pytest.raises(NoPicture, match="can't be read"):
        thumbnail(tmp_path, place("folder.dcm"))


def add_series(
    connection: duckdb.DuckDBPyConnection, uid: str, files: list[str], *, reason: str = "", **columns: Any
) -> None:
    """A series of one-plane objects, its volume in the order of `files`."""
    sops = [f"{uid}.{at}" for at in range(len(files))]
    row = {"series_uid": uid, "patient_id": NAME, "modality": "CT", "kind": "original", "sop_class": CT}
    row |= {"row_mm": 1.0, "column_mm": 1.0, "spacing_mm": 2.0, "slices": len(files), "objects": len(files)}
    row |= {"folder": NAME, "collection": NAME, "series_description": f"series {uid}"} | columns
    marks = ", ".join("?" for _ in row)
    connection.execute(f"INSERT INTO series ({', '.join(row)}) VALUES ({marks})", list(row.values()))
    for sop, path in zip(sops, files, strict=True):
        connection.execute(
            "INSERT INTO objects (sop_uid, series_uid, path, member) VALUES (?, ?, ?, '')", [sop, uid, path]
        )
    connection.execute(
        "INSERT INTO volumes (series_uid, volume, slices, sop_uids, frames) VALUES (?, 1, ?, ?, ?)",
        [uid, len(files), sops, [0] * len(files)],
    )
    connection.execute("INSERT INTO labels VALUES (?, 'view', 'axial', 'r')", [uid])
    if reason:
        connection.execute("INSERT INTO exclusions VALUES (?, 0, ?, 'r')", [uid, reason])


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    archive = tmp_path / "archive"
    (archive / NAME).mkdir(parents=True)
    for at in range(5):
        (archive / NAME / f"{at}.dcm").write_bytes(dicom(np.full((6, 6), 100 * at), WindowCenter=200, WindowWidth=400))
    files = [f"{NAME}/{at}.dcm" for at in range(5)]
    with open_catalog(tmp_path / "c.duckdb", write=True) as found:
        found.execute("INSERT INTO about VALUES ('archive', ?)", [str(archive)])
        for at in range(12):
            add_series(found, f"1.1.{at:08d}", files, spacing_mm=20.0 if at == 7 else 2.0 + at / 100)
        add_series(found, "1.2.00000001", files[:1], modality="SC", sop_class=SC, reason="capture")
        add_series(found, "1.2.00000002", files[:1], modality="US", burned_in="NO")
        add_series(found, "1.2.00000003", files[:1], burned_in="YES")
        add_series(found, "1.2.00000004", ["gone.dcm"], series_description="<script>alert(1)</script>")
        add_series(found, "1.2.00000005", [], modality="SR", series_description="Doe, Jane")
        add_series(found, "1.2.00000006", files[:1], modality="PT", series_description=NAME, irregular="gaps")
        found.execute("INSERT INTO files VALUES (?, '', 1, 1, 'broken', 'it is empty (0 bytes)', NULL, NULL)", [NAME])
        found.execute("INSERT INTO remarks VALUES (NULL, ?, ?, 'look')", [NAME, f"a path leads out: {NAME}"])
        yield found


def test_the_middle_slice_is_taken(connection: duckdb.DuckDBPyConnection):
    places = {one.series_uid: one for one in middle_planes(connection, filter_of(), most=100)}
    assert len(places) == 18
    assert places["1.1.00000000"].path == f"{NAME}/2.dcm"  # third of five
    assert places["1.2.00000005"].why_not == "it has no image plane"
    assert "may be burned" in places["1.2.00000001"].why_not
    assert "is burned" in places["1.2.00000003"].why_not
    assert places["1.2.00000002"].why_not == ""
    few = middle_planes(connection, filter_of(), most=5)  # of every modality and reason one
    assert {one.modality for one in few} == {"CT", "SC", "US", "SR", "PT"}
    assert [one.modality for one in middle_planes(connection, filter_of(where=["modality=US"]), most=5)] == ["US"]


def test_without_a_volume_the_middle_comes_from_the_planes(connection: duckdb.DuckDBPyConnection):
    connection.execute("DELETE FROM volumes WHERE series_uid = '1.1.00000000'")
    for number, at in enumerate((4, 3, 2, 1, 0)):
        connection.execute(
            "INSERT INTO planes (sop_uid, series_uid, frame, instance_number) VALUES (?, '1.1.00000000', 0, ?)",
            [f"1.1.00000000.{at}", number],
        )
    places = {one.series_uid: one for one in middle_planes(connection, filter_of(), most=100)}
    assert places["1.1.00000000"].path == f"{NAME}/2.dcm"


def test_the_page(connection: duckdb.DuckDBPyConnection, tmp_path: Path):
    page = write_catalog_page(connection, tmp_path / "out", words="slices>=1").read_text()
    pictures = re.findall(r"data:image/jpeg;base64,([^\"]+)", page)
    assert len(pictures) == 14  # twelve CT, the ultrasound and the PET
    grey = np.asarray(Image.open(io.BytesIO(base64.b64decode(pictures[0]))))
    assert abs(int(grey.mean()) - 128) <= 2  # 200 in a window from 0 to 400
    for words in ("Series with slices&gt;=1.", "its file is gone", "text is burned into", "capture", "gaps", "axial"):
        assert words in page, words
    assert re.search(r"…00000007</code></th><td>CT</td>.*slice spacing, mm</td><td class=\"n\">20<", page)
    assert "<script>" not in page


def test_the_page_names_nobody(connection: duckdb.DuckDBPyConnection, tmp_path: Path):
    page = write_catalog_page(connection, tmp_path / "out").read_text()
    assert "DOE" not in page.upper().replace("DOES", "")
    assert "JANE" not in page.upper()
    assert "archive/" not in page
    assert "withheld" in page


def test_the_same_page_twice_and_no_pictures(connection: duckdb.DuckDBPyConnection, tmp_path: Path):
    first = write_catalog_page(connection, tmp_path / "a").read_bytes()
    assert first == write_catalog_page(connection, tmp_path / "b").read_bytes()
    none = write_catalog_page(connection, tmp_path / "n", thumbnails=0).read_text()
    assert "data:image" not in none
    assert "Middle slices" not in none


def test_a_filter_that_means_nobody(connection: duckdb.DuckDBPyConnection, tmp_path: Path):
    page = write_catalog_page(connection, tmp_path / "out", filter_of(where=["slices>1000"])).read_text()
    assert "No series is meant" in page
