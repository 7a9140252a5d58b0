"""Files found and read: archives within, links in circles, what is broken, what changes, what is no DICOM."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from pathlib import Path

import pydicom
import pytest
from tests.catalog.dicom_made import made, series, write

from hounsfield.catalog.scan.read import Rows, read_entries
from hounsfield.catalog.scan.walk import walk


def _states(folder: Path) -> dict[str, str]:
    rows = read_entries(list(walk(folder)))
    return {(f"{row[0]}!{row[1]}" if row[1] else row[0]): row[4] for row in rows.files}


def _bytes(number: int = 0) -> bytes:
    stream = io.BytesIO()
    pydicom.dcmwrite(stream, made(number), enforce_file_format=True)
    return stream.getvalue()


def test_names_order_and_endings_do_not_matter(tmp_path: Path) -> None:
    for name in ("b/IM1", "a.dcm", "c.img"):
        write(made(), tmp_path / name)
    (tmp_path / "readme.txt").write_text("hello")
    (tmp_path / "Thumbs.db").write_bytes(b"x")
    assert [entry.path for entry in walk(tmp_path)] == ["a.dcm", "c.img", "readme.txt", "b/IM1"]
    assert _states(tmp_path) == {"a.dcm": "object", "c.img": "object", "b/IM1": "object", "readme.txt": "other"}


def test_links_in_circles_end_and_a_folder_counts_once(tmp_path: Path) -> None:
    write(made(), tmp_path / "a" / "one")
    (tmp_path / "a" / "up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "again").symlink_to(tmp_path / "a", target_is_directory=True)
    (tmp_path / "dead").symlink_to(tmp_path / "nowhere")
    found = {entry.path: entry.error for entry in walk(tmp_path)}
    assert found["a/one"] == ""
    assert "No such file" in found["dead"]
    assert len(found) == 2


def test_zip_and_tar_members(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "pacs.ZIP", "w") as archive:
        archive.writestr("x/1", _bytes(0))
        archive.writestr("x/2", _bytes(1))
        archive.writestr("note.txt", "hello")
        archive.writestr("inner.zip", b"PK")
    with tarfile.open(tmp_path / "t.tar.gz", "w:gz") as archive:
        data = _bytes(2)
        info = tarfile.TarInfo("y/3")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    assert _states(tmp_path) == {
        "pacs.ZIP": "archive",
        "pacs.ZIP!x/1": "object",
        "pacs.ZIP!x/2": "object",
        "pacs.ZIP!note.txt": "other",
        "pacs.ZIP!inner.zip": "unreadable",
        "t.tar.gz": "archive",
        "t.tar.gz!y/3": "object",
    }


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("zeros", "w", force_zip64=True) as member:
            for _ in range(300):
                member.write(b"\0" * 2**20)
        with archive.open("header", "w", force_zip64=True) as member:
            # Claims an element of 4 GB in the header: the walk must not read on for ever.
            data = _bytes()
            member.write(data[: data.index(b"\x08\x00\x16\x00")] + b"\x08\x00\x14\x00UN\0\0\xf0\xff\xff\xff")
            for _ in range(200):
                member.write(b"\0" * 2**20)
    rows = read_entries(list(walk(tmp_path)))
    states = {row[1]: (row[4], row[5]) for row in rows.files}
    assert states["zeros"][0] == "other"
    assert states["header"] == ("broken", "its header is longer than 64 MB")


def test_members_that_lead_out_are_read_and_never_written(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with zipfile.ZipFile(tmp_path / "in" / "evil.zip", "w") as archive:
        archive.writestr("../../escaped", _bytes())
    assert _states(tmp_path / "in")["evil.zip!../../escaped"] == "object"
    assert not (tmp_path.parent / "escaped").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]


def test_broken_empty_and_cut_files(tmp_path: Path) -> None:
    data = _bytes()
    (tmp_path / "cut").write_bytes(data[:500])
    (tmp_path / "empty").touch()
    (tmp_path / "short.zip").write_bytes(b"PK\x03\x04 nonsense")
    rows = read_entries(list(walk(tmp_path)))
    reasons = {row[0]: (row[4], row[5]) for row in rows.files}
    assert reasons["cut"] == ("broken", "it ends in the middle of its header")
    assert reasons["empty"] == ("broken", "it is empty (0 bytes)")
    assert reasons["short.zip"][0] == "unreadable"


@pytest.mark.skipif(os.name != "posix", reason="file names of any bytes exist on POSIX alone")
def test_names_that_are_no_text(tmp_path: Path) -> None:
    name = os.path.join(os.fsencode(tmp_path), b"na\xffme")
    with open(name, "wb") as stream:
        stream.write(_bytes())
    assert _states(tmp_path) == {r"na\xffme": "object"}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read everything")
def test_folders_that_may_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0)
    assert _states(tmp_path) == {"closed": "unreadable"}


def test_a_multi_frame_file_of_40_gigabytes_is_never_loaded(tmp_path: Path) -> None:
    # A sparse file: as long as announced, without taking the space.
    dataset = made(NumberOfFrames=80_000)
    del dataset.PixelData
    stream = io.BytesIO()
    pydicom.dcmwrite(stream, dataset, enforce_file_format=True)
    with (tmp_path / "huge").open("wb") as file:
        file.write(stream.getvalue() + b"\xe0\x7f\x10\x00OW\0\0\xff\xff\xff\xf0")
        file.truncate(40 * 2**30)
    rows = read_entries(list(walk(tmp_path)))
    assert rows.objects[0][6] == 80_000
    assert rows.files[0][2] == 40 * 2**30


def test_a_file_that_changes_meanwhile_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(made(), tmp_path / "a")
    import hounsfield.catalog.scan.read as module

    inner = module._object

    def touched(entry: object, member: str, stream: object, rows: Rows, size: int | None = None) -> None:
        inner(entry, member, stream, rows, size)  # type: ignore[arg-type]
        with path.open("ab") as more:
            more.write(b"more")

    monkeypatch.setattr(module, "_object", touched)
    rows = read_entries(list(walk(tmp_path)))
    assert [(row[3], row[4]) for row in rows.files] == [(0, "unreadable")]
    assert not rows.objects
    assert not rows.planes


def test_series_share_their_header(tmp_path: Path) -> None:
    series(tmp_path, 5)
    rows = read_entries(list(walk(tmp_path)))
    assert (len(rows.objects), len(rows.planes), len(rows.variants)) == (5, 5, 1)
