"""Forest plots of differences and of subgroups: which rows they have, and the numbers in their words."""

from __future__ import annotations

import io
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from hounsfield.report.content import ArmInfo, ReportContent
from hounsfield.report.evaluate import Evaluation, evaluate
from hounsfield.report.figures.forest import ForestRow, difference_forest
from hounsfield.report.forests import difference_rows, subgroup_pictures
from hounsfield.report.subgroups import subgroups

TARGETS = {"malignancy": ("benign", "malignant")}
ARMS = (
    *(ArmInfo("a", "Arm A"), ArmInfo("b", "Arm B"), ArmInfo("c", "Arm C"), ArmInfo("d", "Arm D")),
    ArmInfo("volume", "Volume", trivial=True),
)
SITES = np.array(["North", "South", "East"])[np.arange(120) % 3]
SITES[117:] = "West"  # too few for an area


@pytest.fixture(scope="module")
def made(make_rows) -> tuple[ReportContent, Evaluation, pd.DataFrame]:
    rng = np.random.default_rng(6)
    label = rng.integers(2, size=120)
    table = pd.concat(
        [
            make_rows(arm, label, 1 / (1 + np.exp(-(signal * (label - 0.5) + rng.normal(0, 1, 120)))))
            for arm, signal in (("a", 3.0), ("b", 2.0), ("c", 1.2), ("d", -1.0), ("volume", 4.0))
        ]
    )
    cohort = pd.DataFrame({"case_id": [f"c{k:04d}" for k in range(120)], "site": SITES})
    pairs = (("a", "b"), ("b", "c"))
    settings = {"comparisons": pairs, "cohort": cohort, "subgroups": ("site",)}
    content = ReportContent("T", "Q", "", TARGETS, ARMS, table, **settings)
    evaluation = evaluate(table, TARGETS, arms=ARMS, seed=1, comparisons=pairs, resamples=100)
    return content, evaluation, subgroups(content, evaluation)


def test_differences_are_those_of_the_areas(made) -> None:
    content, evaluation, _ = made
    rows = difference_rows(content, evaluation, "malignancy")
    names = ["Arm A – Volume", "Arm A – Arm B", "Arm B – Volume", "Arm C – Volume", "Arm D – Volume", "Arm B – Arm C"]
    assert sorted(row.title for row in rows) == sorted(names)
    label = content.predictions["label"] == "malignant"
    scores = {arm.title: content.predictions["arm"] == arm.name for arm in ARMS}
    for row in rows:
        first, second = (
            roc_auc_score(label[scores[name]], content.predictions["prob_malignant"][scores[name]])
            for name in row.title.split(" – ")
        )
        assert row.value == pytest.approx(first - second)
        assert row.low < row.value < row.high


def test_a_difference_without_an_interval_has_no_row(made, make_rows) -> None:
    """Two arms of one score differ by nothing, without an interval."""
    content, _, _ = made
    table = pd.concat([make_rows(arm, [0, 1] * 20, np.linspace(0, 1, 40)) for arm in ("a", "b")])
    same = evaluate(table, TARGETS, arms=ARMS, seed=1, comparisons=(("a", "b"),), resamples=100)
    assert len(same.comparisons[same.comparisons["metric"] == "auc"]) == 1
    assert difference_rows(content, same, "malignancy") == []


def test_subgroups_of_the_three_best_arms_that_are_not_trivial(made) -> None:
    content, evaluation, table = made
    pictures = subgroup_pictures(content, evaluation, table)
    assert [one.title for one in pictures] == [f"Arm {name}: AUC by subgroup" for name in "ABC"]
    assert [one.name for one in pictures] == ["subgroups_1_1", "subgroups_1_2", "subgroups_1_3"]
    rows = content.predictions[content.predictions["arm"] == "a"]
    truth, prob = (rows["label"] == "malignant").to_numpy(), rows["prob_malignant"].to_numpy()
    words = pictures[0].alt
    assert f"all cases {roc_auc_score(truth, prob):.3f} (" in words
    for site in ("North", "South", "East"):
        own = np.equal(SITES, site)
        assert f"site: {site} ({own.sum()}) {roc_auc_score(truth[own], prob[own]):.3f} (" in words
    assert "West" not in words  # three cases
    assert "trivial" not in words


def test_nothing_to_draw(made) -> None:
    content, evaluation, table = made
    assert subgroup_pictures(content, evaluation, None) == []
    assert subgroup_pictures(content, evaluation, table.iloc[:0]) == []
    assert subgroup_pictures(content, evaluation, table[table["arm"] == "volume"]) == []
    assert subgroup_pictures(content, evaluation, table.assign(value=np.nan)) == []


def test_long_titles_leave_the_axis_room() -> None:
    title = (
        "A network on the lesion and on the lungs; patient by attention – lesion volume, age and sex; patient by mean"
    )
    rows = [ForestRow(title, 0.01, -0.02, 0.04, trivial=False, needs_mask=False)] * 13
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns when labels leave no room for the axis, and draws without it
        drawn = difference_forest(rows, name="long")
        short = difference_forest([replace(rows[0], title="A – B")] * 13, name="short")
    high, low = (Image.open(io.BytesIO(one.png)).size[1] for one in (drawn, short))
    assert high > 1.5 * low
    assert title in drawn.alt
