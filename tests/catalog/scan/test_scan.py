"""The scan as a whole: complete, incremental, the same in any order and after any kill."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
from tests.catalog.dicom_made import made, series, write

from hounsfield.catalog.scan.scan import scan
from hounsfield.catalog.store import DERIVED, CatalogError, open_catalog

TABLES = (*DERIVED, "files", "remarks")


def content(catalog: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, sorted; times of files left out, which a copy of an archive does not share."""
    with open_catalog(catalog) as connection:
        found = {}
        for name in TABLES:
            rows = connection.execute(f"SELECT * FROM {name}").df()
            rows = rows.drop(columns=[column for column in ("mtime_ns",) if column in rows])
            found[name] = sorted((tuple(map(str, row)) for row in rows.itertuples(index=False)), key=str)
        return found


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three series of two patients, one in a zip, a copy, a clash, a broken file and a text."""
    folder = tmp_path_factory.mktemp("archive")
    series(folder / "a", 20, series="1.2.3.10")
    series(folder / "b", 18, series="1.2.3.20", PatientID="P2", ContrastBolusAgent="OMNIPAQUE")
    series(
        folder / "c", 3, series="1.2.3.30", SeriesDescription="TOPOGRAM", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]
    )
    with zipfile.ZipFile(folder / "c.zip", "w") as packed:
        for path in sorted((folder / "c").iterdir()):
            packed.write(path, f"export/{path.name}")
    shutil.rmtree(folder / "c")
    shutil.copy(folder / "a" / "0000", folder / "z-copy")
    write(made(0, series="1.2.3.10", ImagePositionPatient=[0, 0, 77]), folder / "z-clash")
    (folder / "notes.txt").write_text("hello")
    (folder / "cut").write_bytes((folder / "a" / "0001").read_bytes()[:300])
    return folder


def test_what_is_in_the_catalog(archive: Path, tmp_path: Path) -> None:
    out = tmp_path / "catalog.duckdb"
    found = scan(archive, out, workers=1)
    # 20 + 18 files, the zip, copy, clash, notes and the broken one: 43 files; three members in the zip.
    assert (found.read, found.unchanged, found.gone, found.series) == (43, 0, 0, 3)
    assert found.states == {"archive": 1, "broken": 1, "clash": 1, "copy": 1, "object": 41, "other": 1}
    with open_catalog(out) as connection:
        rows = connection.execute(
            "SELECT series_uid, patient_id, kind, slices, spacing_mm, regular, folder FROM series ORDER BY 1"
        ).fetchall()
        assert rows == [
            ("1.2.3.10", "P1", "original", 20, 2.5, True, "a"),
            ("1.2.3.20", "P2", "original", 18, 2.5, True, "b"),
            ("1.2.3.30", "P1", "localiser", 3, 2.5, True, "c.zip/export"),
        ]
        assert "Nobody" not in str(connection.execute("SELECT * FROM headers").fetchall())
        remarks = connection.execute("SELECT path, what FROM remarks").fetchall()
        assert remarks == [("z-clash", "a file has the UID of another object and other content")]


def test_a_second_scan_reads_nothing_and_changes_nothing(archive: Path, tmp_path: Path) -> None:
    out = tmp_path / "catalog.duckdb"
    scan(archive, out, workers=1)
    before = content(out)
    found = scan(archive, out, workers=1)
    assert (found.read, found.unchanged) == (0, 43)
    assert content(out) == before


def test_new_changed_and_gone_files(archive: Path, tmp_path: Path) -> None:
    mine = tmp_path / "archive"
    shutil.copytree(archive, mine)
    out = tmp_path / "catalog.duckdb"
    scan(mine, out, workers=1)
    series(mine / "d", 4, series="1.2.3.40")
    (mine / "a" / "0000").unlink()
    write(made(1, series="1.2.3.10", SliceThickness=9), mine / "a" / "0001")
    found = scan(mine, out, workers=1)
    assert (found.read, found.gone, found.series) == (5, 1, 4)
    fresh = tmp_path / "fresh.duckdb"
    scan(mine, fresh, workers=1)
    assert content(out) == content(fresh)
    with open_catalog(out) as connection:
        # The copy now stands for the object that is gone.
        assert connection.execute("SELECT path FROM objects WHERE sop_uid = '1.2.3.10.1'").fetchall() == [("z-clash",)]


def test_any_order_of_files_gives_the_same_catalog(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import hounsfield.catalog.scan.scan as module

    straight = tmp_path / "straight.duckdb"
    scan(archive, straight, workers=1)
    inner = module.walk
    for seed in range(3):

        def shuffled(folder: Path, seed: int = seed) -> Any:
            entries = list(inner(folder))
            random.Random(seed).shuffle(entries)
            return iter(entries)

        monkeypatch.setattr(module, "walk", shuffled)
        monkeypatch.setattr(module, "_BATCH", 1 + 3 * seed)
        out = tmp_path / f"{seed}.duckdb"
        scan(archive, out, workers=1)
        assert content(out) == content(straight)


@pytest.mark.slow
def test_a_killed_scan_goes_on_to_the_same_catalog(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    for number in range(12):
        series(archive / f"s{number}", 40, series=f"1.2.3.1{number}0")
    straight = tmp_path / "straight.duckdb"
    scan(archive, straight, workers=1)
    code = (
        "import sys, time\nfrom pathlib import Path\nimport hounsfield.catalog.scan.scan as s\ns._BATCH = 4\n"
        "inner = s._write\n"
        "def slow(*a):\n    time.sleep(0.05)\n    inner(*a)\n    print('.', flush=True)\n"
        "s._write = slow\n"
        "s.scan(Path(sys.argv[1]), Path(sys.argv[2]), workers=1)\n"
    )
    out = tmp_path / "killed.duckdb"
    for windows in (1, 4, 9):
        process = subprocess.Popen([sys.executable, "-c", code, str(archive), str(out)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        for _ in range(windows):
            process.stdout.readline()
        time.sleep(random.Random(windows).random() / 10)
        process.kill()
        process.wait()
        process.stdout.close()
    found = scan(archive, out, workers=1)
    assert found.unchanged > 0
    assert content(out) == content(straight)


def test_workers_and_engines_give_the_same(archive: Path, tmp_path: Path) -> None:
    straight, threads = tmp_path / "1.duckdb", tmp_path / "2.duckdb"
    scan(archive, straight, workers=1)
    scan(archive, threads, workers=2, engine="threads")
    assert content(straight) == content(threads)


def test_mistakes_in_words(archive: Path, tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="no folder nowhere"):
        scan(tmp_path / "nowhere", tmp_path / "c.duckdb")
    out = tmp_path / "c.duckdb"
    scan(archive, out, workers=1)
    (tmp_path / "other").mkdir()
    with pytest.raises(CatalogError, match="catalog of another folder"):
        scan(tmp_path / "other", out)
    (tmp_path / "text.duckdb").write_text("hello")
    with pytest.raises(CatalogError, match="no catalog, or damaged"):
        scan(archive, tmp_path / "text.duckdb")
    with pytest.raises(CatalogError, match="Make one"), open_catalog(tmp_path / "none.duckdb"):
        pass
    with duckdb.connect(str(tmp_path / "foreign.duckdb")) as connection:
        connection.execute("CREATE TABLE about (key VARCHAR, value VARCHAR)")
    with pytest.raises(CatalogError, match="version none"), open_catalog(tmp_path / "foreign.duckdb"):
        pass


def test_an_empty_archive(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    found = scan(tmp_path / "empty", tmp_path / "c.duckdb")
    assert (found.series, found.states) == (0, {})


def test_the_real_archive_has_the_truth_tables_geometry(shared_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "c.duckdb"
    found = scan(shared_data / "dicom", out, workers=2)
    truth = pd.read_csv(Path(__file__).parents[1] / "truth_series.csv").set_index("series_uid")
    with open_catalog(out) as connection:
        rows = connection.execute("SELECT * FROM series").df().set_index("series_uid")
        links = connection.execute("SELECT kind, count(*) FROM links GROUP BY 1 ORDER BY 1").fetchall()
    assert (found.series, found.states["copy"]) == (29, 12)
    assert set(rows.index) == set(truth.index)
    rows = rows.loc[truth.index]
    assert rows["volumes"].tolist() == truth["volumes"].tolist()
    known = truth["slice_spacing_mm"].notna()
    assert rows["spacing_mm"][known].tolist() == pytest.approx(truth["slice_spacing_mm"][known].tolist(), abs=0.01)
    regular = truth["regular"].map({"yes": True, "no": False})
    pixels = regular.notna()
    assert rows["regular"][pixels].tolist() == regular[pixels].tolist()
    # The segmentation, two structure sets and the map that was made from the dynamic series.
    assert links == [("MR", 1), ("RTSTRUCT", 2), ("SEG", 1)]
