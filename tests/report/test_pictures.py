"""Which arms the curves show: those that the study asks about, whatever their AUC on the test part."""

from __future__ import annotations

import re

import pandas as pd

from hounsfield.report.content import ArmInfo, ReportContent
from hounsfield.report.evaluate import evaluate
from hounsfield.report.pictures import pictures_of

TARGETS = {"malignancy": ("benign", "malignant")}
ARMS = (
    ArmInfo("best", "Best"),
    ArmInfo("good", "Good"),
    ArmInfo("fair", "Fair"),
    ArmInfo("poor", "Poor"),
    ArmInfo("size", "Size", trivial=True),
)
SCORES = {  # of four benign and four malignant cases: 16, 15, 14, 8 and 12 of 16 pairs are in order
    "best": [0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9],
    "good": [0.1, 0.2, 0.3, 0.6, 0.5, 0.7, 0.8, 0.9],
    "fair": [0.1, 0.2, 0.5, 0.6, 0.4, 0.7, 0.8, 0.9],
    "poor": [0.1, 0.8, 0.2, 0.7, 0.15, 0.75, 0.3, 0.6],
    "size": [0.1, 0.2, 0.8, 0.3, 0.25, 0.4, 0.5, 0.9],
}


def shown(make_rows, comparisons: tuple[tuple[str, str], ...]) -> list[str]:
    table = pd.concat([make_rows(arm, [0, 0, 0, 0, 1, 1, 1, 1], score) for arm, score in SCORES.items()])
    content = ReportContent("T", "Q", "", TARGETS, ARMS, table, comparisons=comparisons)
    found = evaluate(table, TARGETS, arms=ARMS, seed=1, resamples=100, comparisons=comparisons)
    roc = pictures_of(content, found).curves["malignancy"][0]
    return re.findall(r"(\w+): AUC", roc.alt)


def test_without_a_question_those_of_highest_area_and_the_trivial_arm(make_rows):
    assert shown(make_rows, ()) == ["Best", "Good", "Fair", "Size"]


def test_arms_that_are_asked_about_come_first(make_rows):
    assert shown(make_rows, (("poor", "fair"), ("fair", "poor"))) == ["Poor", "Fair", "Best", "Size"]
    assert shown(make_rows, (("poor", "fair"), ("good", "best"))) == ["Poor", "Fair", "Good", "Size"]
    assert shown(make_rows, (("poor", "size"),)) == ["Poor", "Best", "Good", "Size"]
