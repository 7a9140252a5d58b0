"""Cells of a workbook are read as Excel shows them; the expected values are by hand."""

from __future__ import annotations

import zipfile
from pathlib import Path

import openpyxl
import pytest
from tests.catalog.cohort.workbook_made import number, text, write_workbook

from hounsfield.catalog.cohort.workbook import NEVER_COMPUTED, read_workbook
from hounsfield.core.errors import TableError


def cells_of(tmp_path: Path, *cells: str, **more: str) -> list[str]:
    path = write_workbook(tmp_path / "b.xlsx", {"One": {1: cells}}, **more)
    return list(read_workbook(path).rows[0][1])


def test_numbers_dates_and_leading_zeros(tmp_path: Path) -> None:
    found = cells_of(
        tmp_path,
        number("A1", "7", style=2),  # shown as 000007
        number("B1", "43131", style=1),  # 31 January 2018
        number("C1", "43131", style=3),
        number("D1", "43131.573263888888", style=5),
        number("E1", "43131"),
        number("F1", "1.5", style=4),
        number("G1", "123456789012345680"),  # Excel keeps 15 digits
        number("H1", "59", style=1),
        number("I1", "61", style=1),
        number("J1", "0.35416666666666669", style=5),
    )
    assert found == [
        "000007", "2018-01-31", "2018-01-31", "2018-01-31 13:45:30", "43131", "1.5", "1.23456789012346E+17",
        "1900-02-28", "1900-03-01", "08:30:00",
    ]  # fmt: skip


def test_the_epoch_of_1904(tmp_path: Path) -> None:
    # 1462 days lie between the two systems.
    book = {"properties": '<workbookPr date1904="1"/>'}
    assert cells_of(tmp_path, number("A1", str(43131 - 1462), style=1), **book) == ["2018-01-31"]


def test_texts_booleans_errors_and_formulas(tmp_path: Path) -> None:
    shared = (
        "<si><t xml:space='preserve'> a &amp; b </t></si><si><r><t>bo</t></r><r><t>ld</t></r>"
        "<rPh sb='0' eb='1'><t>hint</t></rPh></si>"
    )
    found = cells_of(
        tmp_path,
        '<c r="A1" t="s"><v>0</v></c>',
        '<c r="B1" t="s"><v>1</v></c>',
        '<c r="C1" t="b"><v>1</v></c>',
        '<c r="D1" t="e"><v>#REF!</v></c>',
        '<c r="E1" t="str"><f>A1&amp;"x"</f><v>ax</v></c>',
        '<c r="F1"><f>1+1</f></c>',
        '<c r="G1" t="d"><v>2018-01-31T00:00:00</v></c>',
        '<c r="I1"><v>2</v></c>',  # H1 is absent
        "<c><v>3</v></c>",  # without a reference: the next place
        shared=shared,
    )
    assert found == ["a & b", "bold", "true", "#REF!", "ax", NEVER_COMPUTED, "2018-01-31", "", "2", "3"]


def test_rows_keep_their_numbers_and_the_first_filled_visible_sheet_counts(tmp_path: Path) -> None:
    sheets = {
        "Hidden": {1: [text("A1", "no")]},
        "Empty": {},
        "Data": {2: [text("A2", "id")], 5: [text("B5", "x")]},
        "Legend": {1: [text("A1", "l")]},
    }
    book = read_workbook(write_workbook(tmp_path / "b.xlsx", sheets, hidden=["Hidden"]))
    assert book.rows == ((2, ("id",)), (5, ("", "x")))
    assert book.others == ("Hidden", "Legend")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"no workbook", "no readable"),
        (b"\xd0\xcf\x11\xe0rest", "password"),
        (b"PK\x05\x06" + b"\0" * 18, "no readable"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "b.xlsx"
    path.write_bytes(content)
    with pytest.raises(TableError, match=words):
        read_workbook(path)


def test_entities_and_damage_are_refused(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE l [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><worksheet>&b;</worksheet>'
    for content, words in ((bomb, "document type"), ("<worksheet><row", "no readable")):
        path = write_workbook(tmp_path / "b.xlsx", {"One": {1: [text("A1", "x")]}})
        with zipfile.ZipFile(path) as old:
            parts = {name: old.read(name) for name in old.namelist()}
        with zipfile.ZipFile(path, "w") as new:
            for name, data in parts.items():
                new.writestr(name, content if name.endswith("sheet1.xml") else data)
        with pytest.raises(TableError, match=words):
            read_workbook(path)


def test_a_workbook_of_openpyxl(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["id", 7, 1.25, True])
    book.active["B1"].number_format = "0000"
    book.save(tmp_path / "b.xlsx")
    assert read_workbook(tmp_path / "b.xlsx").rows == ((1, ("id", "0007", "1.25", "true")),)
