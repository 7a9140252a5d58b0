"""The page of the published label extraction on the public index."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from hounsfield.catalog.labels.labels import ACCEPTED
from hounsfield.studies.tcia_labels import PRINTED, PRINTED_KEPT, PRINTED_SERIES, run_tcia_labels


def test_the_printed_counts_add_up():
    assert sum(PRINTED.values()) == 45_609
    assert PRINTED_SERIES - sum(PRINTED.values()) == PRINTED_KEPT


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("idc_index_data")
    out = tmp_path_factory.mktemp("tcia")
    run_tcia_labels(out)
    return out


@pytest.mark.slow
def test_the_table_holds_every_series_once_and_the_page_its_counts(made: Path):
    with (made / "tcia-labels.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({row["series_uid"] for row in rows}) == len(rows)
    assert {row["modality"] for row in rows} == {"CT", "MR"}
    text = (made / "tcia-labels.md").read_text(encoding="utf-8")
    left = sum(not row["first_reason"] for row in rows)
    stir = sum(row["first_reason"] == "stir" for row in rows)
    assert f"| left | 17,667 | {left:,} |  |" in text
    assert f"| together | 63,276 | {len(rows):,} |  |" in text
    assert f"| STIR |  | {stir:,} |" in text
    # A collection with its counts as The Cancer Imaging Archive gives them, and one that the index lacks.
    assert "| CT COLONOGRAPHY | training | CT | 825 | 825 | 3,451 | 0 |  |" in text
    assert "| REMBRANDT | training | MRI | 130 |  |  |  | not in the index |" in text
    assert ACCEPTED not in text


@pytest.mark.slow
def test_the_same_again(made: Path, tmp_path: Path):
    lines = run_tcia_labels(tmp_path)
    assert len(lines) == 3
    for name in ("tcia-labels.md", "tcia-labels.csv"):
        assert (tmp_path / name).read_bytes() == (made / name).read_bytes()
