"""Confusion matrices at the operating point, counted by hand."""

from __future__ import annotations

import pandas as pd

from hounsfield.report.content import ArmInfo, ReportContent
from hounsfield.report.evaluate import evaluate
from hounsfield.report.tables import confusion_tables

TARGETS = {"malignancy": ("benign", "malignant")}
ARMS = (ArmInfo("net", "Network"), ArmInfo("ranks", "Points"), ArmInfo("none", "Without validation"))


def matrices(table: pd.DataFrame, *, called: bool, **more: object) -> tuple[dict[str, list[list[str]]], str]:
    content = ReportContent("T", "Q", "", TARGETS, ARMS, table, **more)  # type: ignore[arg-type]
    found = evaluate(table, TARGETS, arms=ARMS, seed=1, resamples=100)
    tables, note = confusion_tables(content, found, "malignancy", called=called)
    return {one["title"]: [[cell["count"] for cell in row["cells"]] for row in one["rows"]] for one in tables}, note


def cut_at_a_quarter(make_rows, arm: str, **more: object) -> pd.DataFrame:
    """Validation rows whose best threshold lies between 0.2 and 0.3."""
    return make_rows(arm, [0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4], split="validation", prefix="v", **more)


def test_calls_at_the_operating_point_by_hand(make_rows) -> None:
    """At 0.25: malignant .9 .4 called, .1 not; benign .3 called, .2 .1 .05 not. At 0.5 only .9 is called."""
    score = [0.9, 0.4, 0.1, 0.3, 0.2, 0.1, 0.05]
    test = [make_rows(arm, [1, 1, 1, 0, 0, 0, 0], score) for arm in ("net", "none")]
    table = pd.concat([*test, cut_at_a_quarter(make_rows, "net")], ignore_index=True)
    called, note = matrices(table, called=True)
    assert called == {"Network": [["3", "1"], ["1", "2"]]}  # the arm without validation rows has no operating point
    assert note == ""
    probable, _ = matrices(table, called=False)
    assert list(probable) == ["Network", "Without validation"]
    assert list(probable.values()) == [[["4", "0"], ["2", "1"]]] * 2


def test_ranks_have_calls_and_no_most_probable_class(make_rows) -> None:
    table = pd.concat([make_rows("ranks", [1, 0, 0], [0.9, 0.3, 0.1]), cut_at_a_quarter(make_rows, "ranks")])
    ranked = {"ranked": frozenset({"ranks"})}
    assert matrices(table, called=True, **ranked)[0] == {"Points": [["1", "1"], ["0", "1"]]}
    assert matrices(table, called=False, **ranked)[0] == {}


def test_counts_are_means_over_seeds(make_rows) -> None:
    """Seed 0 calls both malignant cases, seed 1 one of them; seed 0 calls no benign case, seed 1 one of two."""
    parts = [
        make_rows("net", [1, 1, 0, 0], [0.9, 0.8, 0.1, 0.2], seed=0),
        make_rows("net", [1, 1, 0, 0], [0.9, 0.1, 0.1, 0.8], seed=1),
        *(cut_at_a_quarter(make_rows, "net", seed=seed) for seed in (0, 1)),
    ]
    called, note = matrices(pd.concat(parts), called=True)
    assert called == {"Network": [["1.5", "0.5"], ["0.5", "1.5"]]}
    assert note == "Counts are means over repetitions and seeds."
