"""A DICOMDIR: what it names against what is there."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom.fileset import FileSet
from tests.catalog.dicom_made import made

from hounsfield.catalog.scan.elements import Damaged
from hounsfield.catalog.scan.media import missing_files
from hounsfield.catalog.scan.scan import scan


@pytest.fixture
def disc(tmp_path: Path) -> Path:
    """A disc of 5 slices, written by pydicom."""
    files = FileSet()
    for number in range(5):
        files.add(made(number, StudyDate="20200101", StudyTime="10", StudyID="1", AccessionNumber="A", SeriesNumber=1))
    files.write(tmp_path / "disc")
    return tmp_path / "disc"


def _images(disc: Path) -> list[Path]:
    return sorted(path for path in disc.rglob("*") if path.is_file() and path.name != "DICOMDIR")


def test_a_whole_disc(disc: Path):
    assert missing_files(str(disc / "DICOMDIR")) == (5, ())
    found = scan(disc, disc.parent / "c.duckdb", workers=1, engine="serial")
    assert found.states == {"directory": 1, "object": 5}


def test_the_list_itself_may_be_given_for_its_folder(disc: Path):
    found = scan(disc / "DICOMDIR", disc.parent / "c.duckdb", workers=1, engine="serial")
    assert found.states == {"directory": 1, "object": 5}


def test_small_letters_are_the_same_file(disc: Path):
    last = _images(disc)[-1]
    named = last.relative_to(disc).as_posix()
    inner = disc / Path(named.lower())
    inner.parent.mkdir(parents=True, exist_ok=True)
    last.rename(inner)
    assert missing_files(str(disc / "DICOMDIR")) == (5, ())


def test_what_was_not_copied_is_said_until_it_is_there(disc: Path):
    images = _images(disc)
    kept = images[0].read_bytes()
    images[0].unlink()
    assert missing_files(str(disc / "DICOMDIR")) == (5, (images[0].relative_to(disc).as_posix(),))
    out = disc.parent / "c.duckdb"
    assert scan(disc, out, workers=1, engine="serial").states == {"directory": 1, "object": 4}
    assert _reason(out) == "1 of the 5 files that it names are not there; copy the disc again"
    images[0].write_bytes(kept)
    assert scan(disc, out, workers=1, engine="serial").states == {"directory": 1, "object": 5}
    assert _reason(out) is None


def test_no_list(tmp_path: Path):
    (tmp_path / "DICOMDIR").write_bytes(b"x")
    found = scan(tmp_path, tmp_path / "c.duckdb", workers=1, engine="serial")
    assert found.states == {"broken": 1}
    image = tmp_path / "image"
    made().save_as(image, enforce_file_format=True)
    with pytest.raises(Damaged, match="no directory records"):
        missing_files(str(image))


def _reason(catalog: Path) -> str | None:
    from hounsfield.catalog.store import open_catalog

    with open_catalog(catalog) as connection:
        rows = connection.execute("SELECT reason FROM files WHERE state = 'directory'").fetchall()
    assert len(rows) == 1
    return rows[0][0]
