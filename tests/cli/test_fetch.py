"""`hounsfield fetch` from the outside, on an index and a mirror made here; no network."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from hounsfield.catalog.idc.index import FetchError
from hounsfield.cli.fetch import fetch

app = typer.Typer()
app.command()(fetch)


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three patients of one CT series of 1000 bytes each, and an index that names them."""
    folder = tmp_path / "index"
    folder.mkdir()
    rows = []
    for at in range(3):
        file = tmp_path / "mirror/pub" / f"uuid-{at}" / "0.dcm"
        file.parent.mkdir(parents=True)
        file.write_bytes(bytes([at]) * 1000)
        rows.append(
            {
                "collection_id": "made_up",
                "PatientID": f"P{at}",
                "StudyInstanceUID": "1",
                "Modality": "CT",
                "SeriesInstanceUID": f"1.{at}",
                "SeriesDescription": "",
                "instanceCount": 1,
                "source_DOI": "10.1/A",
                "license_short_name": "CC BY-NC 3.0",
                "series_aws_url": f"s3://pub/uuid-{at}/*",
                "series_size_MB": 0.001,
            }
        )
    pd.DataFrame(rows).to_parquet(folder / "idc_index.parquet")
    monkeypatch.setattr("hounsfield.catalog.idc.index.index_folder", lambda: folder)
    return tmp_path / "mirror"


def test_a_dry_run_writes_nothing(mirror: Path, tmp_path: Path):
    before = sorted(tmp_path.rglob("*"))
    done = CliRunner().invoke(app, ["--collection", "Made-Up", "--dry-run", "--out", str(tmp_path / "out")])
    assert done.exit_code == 0
    assert "CC BY-NC 3.0 (not for commercial use)" in done.output
    assert done.output.splitlines()[-1].split() == ["total", "3", "3", "0.000"]
    assert sorted(tmp_path.rglob("*")) == before


def test_a_mirror_is_copied_and_a_gap_is_told(mirror: Path, tmp_path: Path):
    words = ["--collection", "made_up", "--from", str(mirror), "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(app, [*words, "--max-gb", "0.000002"])  # two patients of 1000 bytes
    assert done.exit_code == 0
    assert "2 of 2 series complete" in done.output
    assert len(list((tmp_path / "out").rglob("*.dcm"))) == 2
    assert "Not for commercial use" in (tmp_path / "out/made_up/LICENSE.txt").read_text()
    (mirror / "pub/uuid-2/0.dcm").unlink()
    (mirror / "pub/uuid-1/0.dcm").unlink()
    (mirror / "pub/uuid-0/0.dcm").unlink()
    done = CliRunner().invoke(app, words)  # two are there already, the third has nothing to come from
    assert done.exit_code == 1
    assert "2 of 3 series complete" in done.output
    assert "1 series failed" in done.output


def test_mistakes_are_told(mirror: Path):
    assert CliRunner().invoke(app, ["--collection", "made_up"]).exit_code == 2  # neither --out nor --dry-run
    wrong = CliRunner().invoke(app, ["--collection", "made_upp", "--dry-run"])
    assert isinstance(wrong.exception, FetchError)
    assert "Did you mean made_up?" in str(wrong.exception)
