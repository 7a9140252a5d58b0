"""Joins with spreadsheets as they come: lost zeros, doubled rows, several series a row, slips in rules and cells."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from tests.catalog.cohort.catalog_made import make_catalog, select

from hounsfield.catalog.cohort.sheet import Sheet, read_outcomes
from hounsfield.catalog.store import CatalogError
from hounsfield.core.errors import ProblemsError

JOIN = "title: t\noutcomes: {join: patient, key: id%s}\n"


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    rows = [
        {"patient_id": "007", "accession": "A1", "patient_age": "056Y", "modality": "CT", "study_date": "20180110"},
        {"patient_id": "007", "accession": "A1", "patient_age": "056Y", "modality": "CT", "study_date": "20180110"},
        {"patient_id": "0012", "accession": "A2", "patient_age": "006M", "modality": "CT", "study_date": "20190110"},
        {"patient_id": "X-3", "accession": "A3", "patient_age": "old", "modality": "MR", "study_date": "20200110"},
    ]
    return make_catalog(tmp_path / "c.duckdb", rows)


def test_lost_zeros_are_hinted_at_and_ignored_only_when_asked(catalog: Path) -> None:
    outcomes = pd.DataFrame({"id": [7, 12, 99], "y": ["a", "b", "c"]})
    kept = select(catalog, JOIN % "", outcomes)
    assert len(kept.cases) == 0
    assert kept.unmatched_rows is not None
    assert kept.unmatched_rows["did_you_mean"].tolist() == ["007", "0012", ""]
    joined = select(catalog, JOIN % ", zeros: ignore" + "columns: {y: outcome.y}", outcomes)
    assert joined.cases[["patient_id", "y"]].to_numpy().tolist() == [["0012", "b"], ["007", "a"], ["007", "a"]]
    assert joined.unmatched_rows is not None
    assert joined.unmatched_rows[["row", "key", "why"]].to_numpy().tolist() == [
        [4, "99", "no series of the catalog has this identifier"]
    ]


def test_zeros_are_not_ignored_where_two_would_become_one(tmp_path: Path) -> None:
    both = make_catalog(tmp_path / "b.duckdb", [{"patient_id": "007"}, {"patient_id": "07"}])
    with pytest.raises(CatalogError, match="one of several identifiers of the catalog: 007 and 07"):
        select(both, JOIN % ", zeros: ignore", pd.DataFrame({"id": ["7"]}))
    one = make_catalog(tmp_path / "o.duckdb", [{"patient_id": "007"}])
    with pytest.raises(CatalogError, match="of the spreadsheet: 007 and 7"):
        select(one, JOIN % ", zeros: ignore", pd.DataFrame({"id": ["7", "007"]}))
    # 000 is no empty identifier, and letters keep their zeros.
    odd = make_catalog(tmp_path / "z.duckdb", [{"patient_id": "000"}, {"patient_id": "0a"}])
    assert len(select(odd, JOIN % ", zeros: ignore", pd.DataFrame({"id": ["0", "a"]})).cases) == 1


def test_rounded_and_empty_identifiers_stop_the_work(catalog: Path, tmp_path: Path) -> None:
    path = tmp_path / "o.csv"
    path.write_text("id,empty\n1.23457E+11,\n7,\n")
    with pytest.raises(ProblemsError, match=r"1 identifiers .* \(rows 2\); their digits are lost"):
        select(catalog, JOIN % "", read_outcomes(path))
    with pytest.raises(ProblemsError, match="column 'empty', to join by, is empty"):
        select(catalog, JOIN.replace("key: id", "key: empty") % "", read_outcomes(path))


def test_doubled_rows_are_refused_by_their_numbers(catalog: Path) -> None:
    outcomes = pd.DataFrame({"id": ["007", "0012", "007"], "y": [1, 2, 3]})
    with pytest.raises(CatalogError, match=r"1 identifier\(s\) in column 'id' .* several rows \(2 and 4\)"):
        select(catalog, JOIN % "", outcomes)
    # A rule that leaves one of them is an answer, too.
    rules = JOIN % "" + "steps: [{drop: {outcome.y: {above: 2}}, reason: later finding}]"
    assert select(catalog, rules, outcomes).cases["patient_id"].tolist() == ["0012", "007", "007"]


def test_a_row_behind_several_series_is_said(catalog: Path) -> None:
    outcomes = pd.DataFrame({"id": ["007", "0012"]})
    notes = select(catalog, JOIN % "", outcomes).notes
    assert [note for note in notes if "stand behind" in note] == [
        "1 row(s) of the spreadsheet stand behind 2 cases, one for each series. If one is meant, add a step "
        "{one_per: patient, prefer: [...]}."
    ]
    once = select(catalog, JOIN % "" + "steps: [{one_per: patient}]", outcomes)
    assert len(once.cases) == 2
    assert not [note for note in once.notes if "stand behind" in note]


def test_joining_by_accession_and_study(catalog: Path) -> None:
    outcomes = pd.DataFrame({"acc": [" A1 ", "A2", "A9"], "y": [1, 2, 3]})
    cohort = select(catalog, "title: t\noutcomes: {join: accession, key: acc}\ncolumns: {y: y}", outcomes)
    assert cohort.cases["y"].tolist() == [2, 1, 1]
    assert cohort.unmatched_series is not None
    assert cohort.unmatched_series["accession"].tolist() == ["A3"]


def test_cells_that_a_rule_cannot_read_are_named(catalog: Path) -> None:
    outcomes = pd.DataFrame(
        {"id": ["007", "0012", "X-3"], "mm": ["15 mm", "20", "?"], "day": ["43131", "2018-01-31", ""]}
    )
    rules = JOIN % "" + (
        "steps: [{keep: {outcome.mm: {at_least: 10}}, reason: small},"
        " {drop: {outcome.day: {above: 2018-01-01}}, reason: late}]"
    )
    with pytest.raises(ProblemsError) as error:
        select(catalog, rules, outcomes)
    words = str(error.value)
    assert "column mm: 2 cells are no numbers ('15 mm', '?'), and a rule compares them. Correct rows 2, 4" in words
    assert "column day: 1 cells are no dates ('43131')" in words
    assert "days as Excel counts them" in words


def test_ages_are_years_and_odd_ones_are_noted(catalog: Path) -> None:
    rules = "title: t\nsteps: [{keep: {patient_age: {below: 18}}, reason: adult}]\ncolumns: {age: patient_age}"
    cohort = select(catalog, rules)
    assert cohort.cases[["patient_id", "age"]].to_numpy().tolist() == [["0012", 0.5]]
    assert cohort.notes == ("1 series have no number in patient_age but 'old'; they fail its test.",)


def test_a_slip_in_a_value_is_noted(catalog: Path) -> None:
    outcomes = pd.DataFrame({"id": ["007", "X-3"], "finding": ["cryptococcosis", "cancer"]})
    rules = JOIN % "" + "steps: [{keep: {outcome.finding: [cryptococcossis, cancer, sarcoidosis]}, reason: other}]"
    notes = select(catalog, rules, outcomes).notes
    assert notes == (
        "no cell of outcome.finding is 'cryptococcossis', some are 'cryptococcosis': is it a slip in the rules?",
    )


def test_every_mistake_comes_at_once(catalog: Path) -> None:
    rules = """
title: t
outcomes: {join: patient, key: ID}
steps:
  - {keep: {modalty: CT, outcome.diagnose: cancer}, reason: r}
  - {one_per: patient, prefer: [{lowest: spacingmm}, {latest: Study Date}]}
columns: {y: outcome.Y, kernel: header.Convolution Kernel}
site: institute
"""
    with pytest.raises(ProblemsError) as error:
        select(catalog, rules, pd.DataFrame({"id": ["007"], "y": [1], "diagnosis": ["x"]}))
    words = str(error.value)
    for hint in ("'modality'", "'diagnosis'", "'spacing_mm'", "'study_date'", "'y'", "'institution'", "'id'"):
        assert f"Did you mean {hint}?" in words
    assert "8 place(s)" in words


def test_further_sheets_are_named_when_the_key_is_missing(catalog: Path) -> None:
    sheet = Sheet(pd.DataFrame({"a": ["1"]}), (2,), {}, ("Patients",))
    with pytest.raises(ProblemsError, match="only the first sheet is read, not Patients"):
        select(catalog, JOIN % "", sheet)


def test_patients_at_several_sites_are_noted(tmp_path: Path) -> None:
    rows = [{"patient_id": "a", "institution": "X"}, {"patient_id": "a", "institution": "Y"}, {"patient_id": "b"}]
    cohort = select(make_catalog(tmp_path / "c.duckdb", rows), "title: t\nsite: institution")
    assert cohort.notes == ("1 patient(s) have cases at several sites; a split keeps each on one side.",)
