"""Cells of tables: identifiers stay identifiers."""

from __future__ import annotations

from hounsfield.tables.cells import typed_column


def test_whole_numbers_that_a_float_cannot_hold_are_identifiers() -> None:
    column = typed_column(["123456789012345678", "123456789012345679"])
    assert column.tolist() == ["123456789012345678", "123456789012345679"]
