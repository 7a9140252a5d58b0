"""Features chosen by five models, counted by hand: how often, with which mean weight, in which direction."""

from __future__ import annotations

import numpy as np
import pytest

from hounsfield.core.errors import StudyError
from hounsfield.report.chosen_features import chosen_section, chosen_table, direction
from hounsfield.report.content import ArmInfo, Choice, ReportContent

CLASSES = ("cancer", "cryptococcosis")
CHOSEN = (
    {"radiomics.a": 1.0, "radiomics.b": -2.0},
    {"radiomics.a": 2.0, "radiomics.c": 0.5},
    {"radiomics.a": 3.0, "radiomics.b": -4.0, "radiomics.c": -0.25},
)


def content(make_rows, *, own: bool = True, chosen=CHOSEN) -> ReportContent:
    choices = tuple(Choice("kind", "few", f"f{k}", weights, own) for k, weights in enumerate(chosen))
    arms = (ArmInfo("few", "Few features", network=False),)
    rows = make_rows("few", [0, 1], [0.1, 0.9], target="kind")
    return ReportContent("T", "Q", "", {"kind": CLASSES}, arms, rows, choices=choices)


def test_counts_means_and_ranges(make_rows):
    table = chosen_table(content(make_rows)).set_index("feature")
    assert table.index.tolist() == ["radiomics.a", "radiomics.b", "radiomics.c"]  # by times, then by size of the mean
    assert table["times"].tolist() == [3, 2, 2]
    assert set(table["models"]) == {3}
    assert table["weight"].tolist() == pytest.approx([2.0, -3.0, 0.125])
    assert table[["low", "high"]].to_numpy().tolist() == [[1.0, 3.0], [-4.0, -2.0], [-0.25, 0.5]]
    assert table["direction"].tolist() == [
        "larger speaks for cryptococcosis",
        "larger speaks for cancer",
        "not steady: larger speaks for cryptococcosis in 1, for cancer in 1",
    ]


def test_of_three_classes_a_weight_is_of_the_last():
    classes = ("a", "b", "c")
    assert direction(np.array([0.5]), classes) == "larger speaks for c"
    assert direction(np.array([-0.5]), classes) == "larger speaks for a class other than c"
    assert direction(np.array([0.0]), classes) == "says nothing of c"


def test_the_page_says_whose_weights_they_are(make_rows):
    own, other = (content(make_rows, own=one) for one in (True, False))
    block = chosen_section(own, chosen_table(own))["blocks"][0]
    assert block["title"] == "Few features"
    assert block["words"] == "3 models chose 3 features in all, 1 of them every time."
    first = {"feature": "a", "times": "3 of 3", "weight": "+2.00", "span": "+1.00 to +3.00"}
    assert block["rows"][0] == {**first, "direction": "larger speaks for cryptococcosis"}
    assert "L1-penalised" in chosen_section(other, chosen_table(other))["blocks"][0]["words"]


def test_one_model_has_no_range_and_many_features_are_cut_off(make_rows):
    many = content(make_rows, chosen=({f"radiomics.f{k:02d}": 1.0 + k for k in range(20)},))
    block = chosen_section(many, chosen_table(many))["blocks"][0]
    assert block["words"] == "The one model chose 20 features. 5 more are in chosen_features.csv."
    assert [row["feature"] for row in block["rows"]] == [f"f{k:02d}" for k in range(19, 4, -1)]
    assert {row["span"] for row in block["rows"]} == {""}


def test_without_choices_there_is_no_section(make_rows):
    none = content(make_rows, chosen=())
    assert chosen_section(none, chosen_table(none)) == {"blocks": [], "note": ""}
    with pytest.raises(StudyError, match="no arm 'fwe'.*Did you mean 'few'"):
        ReportContent(
            "T", "Q", "", {"kind": CLASSES}, none.arms, none.predictions, choices=(Choice("kind", "fwe", "", {}),)
        )
