"""Geometry of a whole catalog: the same as series by series, whatever the chunks and the order of rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from tests.catalog.geometry.stacks_of import CORONAL, both, stack

from hounsfield.catalog.geometry.planes import planes_of
from hounsfield.catalog.geometry.series import COLUMNS, series_geometry
from hounsfield.catalog.geometry.table import compute_geometry
from hounsfield.catalog.store import create

SERIES = {
    "1.regular": stack([0, 5, 10]),
    "1.gap": stack([0, 5, 15, 20]),
    "1.phases": both(*(stack([0, 5], first=1 + 9 * k, content_time=f"10{k}", echo=3, temporal=None) for k in range(3))),
    "1.views": both(stack([0, 5]), stack([0, 5], orientation=CORONAL, along=(0, 1, 0), first=11)),
    "1.partly": both(stack([0, 5]), stack([0], position=None, pixel_mm=None, instance_number=None, first=11)),
    "1.nowhere": stack([0, 5], orientation=None),
    "1.mosaic": stack([0, 0], tiles=9, rows=30, columns=30),
    "1.frames": stack([10, 5, 0], sop_uid="1.7", frame=[1, 2, 3], stack="A", trigger_time=1.5, b_value=0.0),
}


@pytest.fixture
def catalog() -> Iterator[duckdb.DuckDBPyConnection]:
    """An archive of `SERIES`, whose rows lie mixed as those of a scan by several workers, and of a structure set."""
    connection = duckdb.connect()
    create(connection)
    planes = both(*(frame.assign(series_uid=uid, sop_uid=uid + frame.sop_uid) for uid, frame in SERIES.items()))
    planes = planes.sample(frac=1, random_state=1)
    marks = ", ".join("?" * len(planes.columns))
    rows = [[None if one is None or one is np.nan else one for one in row] for row in planes.itertuples(index=False)]
    connection.executemany(f"INSERT INTO planes ({', '.join(planes.columns)}) VALUES ({marks})", rows)
    connection.execute("INSERT INTO objects (sop_uid, series_uid) SELECT DISTINCT sop_uid, series_uid FROM planes")
    connection.execute("INSERT INTO objects (sop_uid, series_uid) VALUES ('2.1', '2.structures')")
    connection.execute("""INSERT INTO headers VALUES ('1.mosaic', 'a', '{"SpacingBetweenSlices": "9"}', 1)""")
    connection.execute("""INSERT INTO headers VALUES ('1.mosaic', 'b', '{"SpacingBetweenSlices": 3.08}', 2)""")
    yield connection
    connection.close()


def _rows(connection: duckdb.DuckDBPyConnection, table: str, order: str) -> list[dict[str, Any]]:
    result = connection.execute(f"SELECT * FROM {table} ORDER BY {order}")
    names = [column[0] for column in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


@pytest.mark.parametrize("at_once", [1, 7, 1000])
def test_tables_hold_what_each_series_gives(catalog: duckdb.DuckDBPyConnection, at_once: int) -> None:
    done: list[int] = []
    catalog.begin()  # as the scan does: rows of the same transaction are read
    for _ in range(2):  # made anew, not added to
        assert compute_geometry(catalog, planes_at_once=at_once, progress=done.append) == len(SERIES) + 1
    catalog.commit()
    assert sum(done) == 2 * len(SERIES)
    series = {row["series_uid"]: row for row in _rows(catalog, "geometry", "series_uid")}
    volumes = _rows(catalog, "volumes", "series_uid, volume")
    for uid, frame in SERIES.items():
        planes = planes_of(frame)
        expected = series_geometry(planes, {"SpacingBetweenSlices": 3.08})
        for name in COLUMNS:
            assert series[uid][name] == getattr(expected, name), (uid, name)
        mine = [row for row in volumes if row["series_uid"] == uid]
        assert [row["volume"] for row in mine] == list(range(len(expected.stacks)))
        for row, stacked in zip(mine, expected.stacks, strict=True):
            for name in set(row) - {"series_uid", "volume", "sop_uids", "frames"}:
                assert row[name] == getattr(stacked, name), (uid, name)
            assert row["sop_uids"] == [uid + one for one in planes.other["sop_uid"][stacked.members]]
            assert row["frames"] == planes.other["frame"][stacked.members].tolist()


def test_hand_count_of_the_archive(catalog: duckdb.DuckDBPyConnection) -> None:
    compute_geometry(catalog)
    found = {row["series_uid"][2:]: row for row in _rows(catalog, "geometry", "series_uid")}
    assert {name: row["volumes"] for name, row in found.items()} == {
        "regular": 1,
        "gap": 1,
        "phases": 3,
        "views": 2,
        "partly": 1,
        "nowhere": 0,
        "mosaic": 2,
        "frames": 1,
        "structures": 0,
    }
    assert {name for name, row in found.items() if row["regular"]} == {"regular", "frames"}
    assert found["structures"]["regular"] is None
    assert found["structures"]["planes"] == 0
    assert found["phases"]["temporal"] == "content time"
    assert found["mosaic"]["length_mm"] == pytest.approx(27.72)  # 9 tiles of 3.08 mm, as most objects say


def test_an_empty_catalog_has_no_geometry() -> None:
    with duckdb.connect() as connection:
        create(connection)
        assert compute_geometry(connection) == 0
        assert connection.execute("SELECT count(*) FROM volumes").fetchone() == (0,)


def test_columns_are_those_of_the_series() -> None:
    with duckdb.connect() as connection:
        create(connection)
        compute_geometry(connection)
        kinds = {
            table: dict(row[:2] for row in connection.execute(f"DESCRIBE {table}").fetchall())
            for table in ("geometry", "series")
        }
    assert set(kinds["geometry"]) == {"series_uid", *COLUMNS}
    assert kinds["geometry"].items() <= kinds["series"].items()


def test_pandas_and_the_table_agree_on_empty_cells() -> None:
    assert planes_of(SERIES["1.partly"]).other["sop_uid"].tolist() == ["1.1", "1.2", "1.11"]  # no number: last
    assert pd.isna(planes_of(SERIES["1.partly"]).pixel_mm[2]).all()
