"""`hounsfield catalog show` from the outside, on a catalog of two made-up series."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from hounsfield.catalog.store import CatalogError, open_catalog
from hounsfield.cli import main
from hounsfield.cli.catalog_show import _cell, show

app = typer.Typer()
app.command()(show)


@pytest.fixture
def catalog(tmp_path: Path) -> str:
    path = tmp_path / "c.duckdb"
    with open_catalog(path, write=True) as connection:
        connection.execute("INSERT INTO about VALUES ('archive', '/nowhere')")
        for uid, slices in (("1.2.3", 50), ("1.2.4", 2)):
            connection.execute(
                "INSERT INTO series (series_uid, modality, slices, series_description) VALUES (?, 'CT', ?, ?)",
                [uid, slices, "[red]lung[/red]"],
            )
        connection.execute("INSERT INTO labels VALUES ('1.2.3', 'view', 'axial', 'r')")
        connection.execute("INSERT INTO exclusions VALUES ('1.2.4', 0, 'few_slices', 'r')")
    return str(path)


def test_tables_files_and_page(catalog: str, tmp_path: Path):
    out, html = tmp_path / "list.csv", tmp_path / "html"
    done = CliRunner().invoke(
        app, [catalog, "--out", str(out), "--html", str(html), "--columns", "series_uid,excluded"]
    )
    assert done.exit_code == 0, done.output
    assert "2 series of 0 patients" in done.output
    assert "few_slices" in done.output
    assert pd.read_csv(out)["excluded"].tolist()[1] == "few_slices"
    assert "few_slices" in (html / "catalog.html").read_text()


def test_filters_and_limit(catalog: str):
    done = CliRunner().invoke(app, [catalog, "--where", "slices>=10", "--label", "view=axial", "--excluded", "none"])
    assert "1 series of" in done.output
    assert "[red]lung[/red]" in done.output  # a header's text is no markup
    done = CliRunner().invoke(app, [catalog, "--limit", "1"])
    assert "1 of 2 series; --limit shows more" in done.output
    assert "lung" not in CliRunner().invoke(app, [catalog, "--limit", "0"]).output


def test_mistakes_are_told(catalog: str, tmp_path: Path):
    for words in ([catalog, "--where", "slice=3"], [catalog, "--out", "x.xlsx"], [str(tmp_path / "none.duckdb")]):
        assert isinstance(CliRunner().invoke(app, words).exception, CatalogError)


def test_nothing_is_shown_where_nothing_is_known():
    for value in (None, float("nan"), np.float64("nan"), pd.NA, pd.NaT):
        assert _cell(value) == ""
    assert (_cell(0.0), _cell(2.50000001), _cell(0), _cell("<b>")) == ("0", "2.5", "0", "<b>")


def test_the_real_archive_is_shown(shared_data: Path, tmp_path: Path, capsys):
    """Structure sets have no slices, which a made archive of images alone does not show."""
    assert (
        main(["catalog", "build", str(shared_data / "dicom"), "--out", str(tmp_path / "c.duckdb"), "--workers", "1"])
        == 0
    )
    assert main(["catalog", "show", str(tmp_path / "c.duckdb")]) == 0
    out = capsys.readouterr().out
    assert "29 series of 6 patients" in out
    assert "label modality" in out
    assert "label_kind" not in out
