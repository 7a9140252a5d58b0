"""Checklists: the sources' item numbers, answers only from facts, blanks for what no table can know."""

from __future__ import annotations

import pytest

from hounsfield.report.checklist import BLANK, FULL, LISTS, PART, filled, read_checklist
from hounsfield.report.checklist_facts import FACTS


def test_items_are_the_sources_own() -> None:
    # Collins et al. 2024: 27 items, 52 with their parts. Tejani et al. 2024: 44. Kocak et al. 2024: 30 in 9 categories.
    tripod, claim, metrics = (read_checklist(key).items for key in LISTS)
    assert (len(tripod), len({item.number.rstrip("abcdefg") for item in tripod})) == (52, 27)
    assert [item.number for item in claim] == [str(number) for number in range(1, 45)]
    assert [item.number for item in metrics] == [str(number) for number in range(1, 31)]
    assert len({item.section for item in metrics}) == 9
    # The published weights sum to 1; those of the reference standard and of eligibility are the largest.
    weights = {item.number: item.weight or 0.0 for item in metrics}
    assert sum(weights.values()) == pytest.approx(1, abs=1e-9)
    assert (weights["3"], weights["27"], weights["2"]) == (0.0919, 0.0749, 0.0735)


def test_nothing_known_leaves_every_item_to_the_authors() -> None:
    for one in filled(dict.fromkeys(FACTS, "")):
        assert (one.rows["state"] == BLANK).all()
        assert (one.rows["answer"] == "").all()


def test_an_item_is_full_only_with_all_its_facts() -> None:
    # CLAIM 29 asks for intervals and for the tests.
    facts = dict.fromkeys(FACTS, "")
    states = []
    for known in ({}, {"uncertainty": "Intervals."}, {"uncertainty": "Intervals.", "comparisons": "DeLong."}):
        rows = filled({**facts, **known})[1].rows.set_index("number")
        states.append(rows.loc["29", "state"])
    assert states == [BLANK, PART, FULL]
    assert rows.loc["29", "answer"] == "Intervals. DeLong."


def test_ethics_and_funding_are_never_answered() -> None:
    # No table knows them: whatever the facts say, these stay blank.
    tripod, claim, _ = filled(dict.fromkeys(FACTS, "something"))
    for number in ("17", "18a", "18b", "18c", "18d", "19"):
        assert tripod.rows.set_index("number").loc[number, "state"] == BLANK
    for number in ("11", "34", "44"):
        assert claim.rows.set_index("number").loc[number, "state"] == BLANK
