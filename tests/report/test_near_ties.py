"""The figure of nearly equal tables: what it says in words, and that equal input gives equal bytes."""

from __future__ import annotations

from hounsfield.report.figures.near_ties import Operating, near_ties_figure


def test_words_and_bytes() -> None:
    panel = Operating(
        "100 test nodules",
        15,
        85,
        curve=[(10, 15), (40, 14), (54, 13), (80, 3)],
        ties=[(38, 14, 4), (70, 11, 2), (55, 14, 38)],
        marks=[("ACR", 40, 14), ("AI", 55, 14)],
    )
    one, other = (near_ties_figure([panel, panel], name="ties", start="ACR") for _ in range(2))
    assert "3 tables, 11 to 14 of 15 malignant with FNA, 38 to 70 of 85 benign spared" in one.alt
    assert one.svg == other.svg
    assert one.png == other.png
    assert "ACR with 1, 2, ... points" in one.caption


def test_a_part_without_ties() -> None:
    panel = Operating("none", 2, 3, curve=[(0, 2), (3, 1)], ties=[], marks=[])
    assert "0 tables, none of 2 malignant" in near_ties_figure([panel], name="ties", start="ACR").alt
