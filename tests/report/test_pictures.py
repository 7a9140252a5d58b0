"""Which arms the curves show: those that the study asks about, whatever their AUC on the test part."""

from __future__ import annotations

import re

import pandas as pd
import pytest
from matplotlib.figure import Figure

from hounsfield.report.content import ArmInfo, ReportContent
from hounsfield.report.evaluate import evaluate
from hounsfield.report.pictures import pictures_of
from hounsfield.report.style import Picture
from hounsfield.report.tables import headline_table

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


def roc_of(make_rows, comparisons: tuple[tuple[str, str], ...]) -> Picture:
    table = pd.concat([make_rows(arm, [0, 0, 0, 0, 1, 1, 1, 1], score) for arm, score in SCORES.items()])
    content = ReportContent("T", "Q", "", TARGETS, ARMS, table, comparisons=comparisons)
    found = evaluate(table, TARGETS, arms=ARMS, seed=1, resamples=100, comparisons=comparisons)
    return pictures_of(content, found).curves["malignancy"][0]


@pytest.fixture(autouse=True)
def _not_rendered(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a picture shows is asked here, not its bytes, which take most of the time."""
    monkeypatch.setattr(Figure, "savefig", lambda *_, **__: None)


def shown(make_rows, comparisons: tuple[tuple[str, str], ...]) -> list[str]:
    return re.findall(r"(\w+): AUC", roc_of(make_rows, comparisons).alt)


def test_without_a_question_those_of_highest_area_and_the_trivial_arm(make_rows):
    assert shown(make_rows, ()) == ["Best", "Good", "Fair", "Size"]


def test_arms_that_are_asked_about_come_first(make_rows):
    assert shown(make_rows, (("poor", "fair"), ("fair", "poor"))) == ["Poor", "Fair", "Best", "Size"]
    assert shown(make_rows, (("poor", "fair"), ("good", "best"))) == ["Poor", "Fair", "Good", "Size"]
    assert shown(make_rows, (("poor", "size"),)) == ["Poor", "Best", "Good", "Size"]


def test_the_caption_names_the_arms_without_a_curve_and_why(make_rows):
    said = " Left out, as more than four bands can't be told apart: "
    assert roc_of(make_rows, ()).caption.endswith(f"{said}Poor.")
    assert roc_of(make_rows, (("poor", "fair"),)).caption.endswith(f"{said}Good.")


def test_arms_pooled_by_patient_are_asked_about_in_their_own_target(make_rows):
    """Two targets with arms of their own: what is named for one takes no place in the other."""
    patients = "malignancy of the patient"
    arms = (*ARMS, *(ArmInfo(f"{one.name}, mean", f"{one.title}s", trivial=one.trivial) for one in ARMS))
    tables = [
        make_rows(f"{arm}{how}", [0, 0, 0, 0, 1, 1, 1, 1], score, target=target)
        for how, target in (("", "malignancy"), (", mean", patients))
        for arm, score in SCORES.items()
    ]
    pairs = (("fair", "best"), ("poor, mean", "fair, mean"))
    targets = {**TARGETS, patients: TARGETS["malignancy"]}
    table = pd.concat(tables)
    found = evaluate(table, targets, arms=arms, seed=1, resamples=100, comparisons=pairs)
    drawn = pictures_of(ReportContent("T", "Q", "", targets, arms, table, comparisons=pairs), found).curves
    titles = {target: re.findall(r"(\w+): AUC", one[0].alt) for target, one in drawn.items()}
    assert titles["malignancy"] == ["Fair", "Best", "Good", "Size"]
    assert titles[patients] == ["Poors", "Fairs", "Bests", "Sizes"]


def test_the_table_says_what_an_outline_is_for(make_rows):
    arms = (
        ArmInfo("best", "Best", placed=True),
        ArmInfo("good", "Good", needs_mask=True),
        ArmInfo("size", "Size", trivial=True),
    )
    table = pd.concat([make_rows(arm.name, [0, 0, 0, 0, 1, 1, 1, 1], SCORES[arm.name]) for arm in arms])
    found = evaluate(table, TARGETS, arms=arms, seed=1, resamples=100)
    rows = headline_table(ReportContent("T", "Q", "", TARGETS, arms, table), found, "malignancy")["rows"]
    assert [(row["title"], row["outline"]) for row in rows] == [
        ("Best", "places the cube"),
        ("Good", "needed"),
        ("Size", "no"),
    ]
