"""Legends of any titles: lines that fit, and axes that keep their room."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.legend import Legend

from hounsfield.report import style
from hounsfield.report.content import AttentionView
from hounsfield.report.figures import attention as attention_module
from hounsfield.report.figures import curves as curves_module
from hounsfield.report.figures import decision as decision_module
from hounsfield.report.figures import dice_boxes as boxes_module
from hounsfield.report.figures import forest as forest_module
from hounsfield.report.figures import near_ties as ties_module
from hounsfield.report.figures import split_balance as balance_module
from hounsfield.report.figures import training_curves as training_module
from hounsfield.report.figures.attention import attention_figure
from hounsfield.report.figures.curves import Curve, precision_recall_figure, roc_figure
from hounsfield.report.figures.decision import decision_figure
from hounsfield.report.figures.dice_boxes import dice_boxes
from hounsfield.report.figures.forest import ForestRow, difference_forest, forest
from hounsfield.report.figures.froc import froc_figure
from hounsfield.report.figures.legends import axis_words, broken_lines, legend_below, page_width, width_points
from hounsfield.report.figures.near_ties import Operating, near_ties_figure
from hounsfield.report.figures.split_balance import split_balance_figure
from hounsfield.report.figures.training_curves import training_curves
from hounsfield.report.style import page_style

TITLES = (
    "network on the lesion and on the lungs; patient by mean",
    "W" * 60,
    "a title of two hundred letters " * 7,
    "$x$ of _hidden",
    "_hidden",
)
ARMS = (*TITLES, *(f"arm {number} {TITLES[0]}" for number in range(7)))
LONG = TITLES[2]
X = np.linspace(0.01, 0.99, 40)


def curves() -> list[Curve]:
    return [Curve(title, X, np.sqrt(X), legend="AUC 0.912 (0.888 to 0.931)") for title in ARMS]


def balance() -> pd.DataFrame:
    names = ("split", "part", "column", "class")
    places = [
        (split, part, column, one)
        for split in ("first", LONG)
        for part in ("train", "test")
        for column in ("label", LONG)
        for one in TITLES
    ]
    return pd.DataFrame(places, columns=names).assign(cases=10, patients=8, share=1 / len(TITLES))


def views() -> list[AttentionView]:
    cube = np.zeros((8, 8, 8), np.float32)
    heat = cube.copy()
    heat[4, 4, 4] = 1
    words = {"label": LONG, "positive": "W" * 60, "prob": 0.5}
    return [
        AttentionView("t", "a", f"{case}{LONG}", LONG, part, cube, heat, None, **words)
        for case in "ab"
        for part in ("lesion", "lungs")
    ]


def ties() -> list[Operating]:
    return [Operating(one, 50, 60, [(0, 50), (10, 40)], [(5, 45, 3)], [(LONG, 4, 44)]) for one in TITLES[:2]]


def history() -> dict[str, list[dict[str, float]]]:
    metrics = {f"{number} {LONG}": 0.5 for number in range(3)} | {"auc": 0.7}
    return {f"fold{fold} joint": [{"epoch": epoch, "loss": 1.0, **metrics} for epoch in (0, 1)] for fold in (0, 1)}


# By kind: the module whose `picture` takes the figure, the least inches of a panel's side, and how it is drawn.
KINDS: dict[str, tuple[ModuleType, float, Callable[[], object]]] = {
    "roc": (curves_module, 2.9, lambda: roc_figure(curves(), name="a", positive=LONG)),
    "precision": (
        curves_module,
        2.9,
        lambda: precision_recall_figure(curves(), name="a", positive="W" * 60, prevalence=0.3),
    ),
    "decision": (
        decision_module,
        2.7,
        lambda: decision_figure(
            [Curve(one, X, 0.3 - 0.3 * X) for one in ARMS], name="a", positive=LONG, prevalence=0.3
        ),
    ),
    "forest": (
        forest_module,
        1.5,
        lambda: forest(
            [ForestRow(one, 0.8, 0.7, 0.9, False, True) for one in ARMS], name="a", metric="AUC", chance=0.5
        ),
    ),
    "boxes": (boxes_module, 1.8, lambda: dice_boxes(dict.fromkeys(ARMS, X), name="a", target=LONG)),
    "training": (training_module, 1.0, lambda: training_curves(history())),
    "balance": (balance_module, 1.2, lambda: split_balance_figure(balance())),
    "ties": (ties_module, 2.3, lambda: near_ties_figure(ties(), name="a", start=LONG)),
    "attention": (attention_module, 0.9, lambda: attention_figure(views(), name="a", title=LONG)),
}


def test_lines_hold_all_words_and_none_is_wider_than_asked():
    text = "radiomics of the lesion and of two shells around it; patient by noisy-or"
    whole = broken_lines(text, points=70, most=9)
    assert " ".join(whole) == text
    assert len(whole) > 3
    cut = broken_lines(text, points=70)
    assert cut[:2] == whole[:2]
    assert cut[2].endswith("…")
    assert whole[2].startswith(cut[2][:-2])
    assert broken_lines(text, points=2000) == [text]
    assert broken_lines("") == []


def test_a_word_too_long_for_a_line_is_broken():
    lines = broken_lines("W" * 30, points=80, most=9)
    assert "".join(lines) == "W" * 30
    # DejaVu Sans has a W of 0.989 em: ten of 8 points are 79.1 wide.
    assert [len(line) for line in lines] == [10, 10, 10]


@pytest.mark.parametrize("entries", [1, 5])
def test_axes_keep_their_size_under_any_titles(entries):
    with page_style():
        figure, axes = page_width()
        for title in TITLES[:entries]:
            axes.plot([0, 1], [0, 1], label=title.removeprefix("_"))
        legend_below(figure, axes)
        figure.canvas.draw()
    box = axes.get_window_extent().transformed(figure.dpi_scale_trans.inverted())
    assert (box.width, box.height) == (pytest.approx(3.15, abs=0.2), pytest.approx(3.15, abs=0.25))
    legend = figure.legends[0].get_window_extent().transformed(figure.dpi_scale_trans.inverted())
    label = axes.xaxis.get_tightbbox().transformed(figure.dpi_scale_trans.inverted())
    assert 0 <= legend.y0 < legend.y1 < label.y0
    assert 0 <= legend.x0 < legend.x1 <= figure.get_figwidth()


def test_a_text_of_any_length_is_cut_with_an_ellipsis():
    for endless in ("i" * 100_000, "i " * 100_000):
        (line,) = broken_lines(endless, points=2000, most=1)
        assert line.endswith("…")
        assert width_points(line) <= 2000


def test_a_legend_takes_one_column_when_its_words_ask_for_it():
    short, long = (
        legend_of([f"{word} {number}" for number in range(4)], columns=2) for word in ("loss", "a loss of the network")
    )
    assert (short._ncols, long._ncols) == (2, 1)


def legend_of(titles: Sequence[str], *, columns: int) -> Legend:
    with page_style():
        figure, axes = page_width()
        for title in titles:
            axes.plot([0, 1], [0, 1], label=title)
        legend_below(figure, axes, columns=columns)
    return figure.legends[0]


def test_axes_words_stay_on_the_sheet():
    for title in TITLES:
        lines = axis_words(f"predicted probability of {title}").split("\n")
        assert 1 <= len(lines) <= 2
        assert all(width_points(line.replace("\\$", "$"), 9.0) <= 215 for line in lines)
    assert axis_words("a $x$") == "a \\$x\\$"


@pytest.mark.parametrize("kind", [*KINDS])
def test_axes_keep_room_and_text_stays_on_the_sheet(monkeypatch, kind):
    """Each kind of figure with twelve arms or long names: the panel's inches, and where its words end."""
    kept: list[Figure] = []
    module, floor, draw = KINDS[kind]
    real = style.picture

    def keep(figure: Figure, *rest: Any, **more: Any) -> style.Picture:
        kept.append(figure)
        return real(figure, *rest, **more)

    monkeypatch.setattr(module, "picture", keep)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # what the layout says when axes have shrunk to nothing
        draw()
    (figure,) = kept
    scale = figure.dpi_scale_trans.inverted()
    assert figure.get_figheight() < 25
    for axes in figure.axes[: 1 if kind in ("roc", "decision") else 2]:
        box = axes.get_window_extent().transformed(scale)
        assert min(box.width, box.height) >= floor
    with page_style():
        figure.canvas.draw()  # letters are as wide as pixels allow: laid out anew at the resolution that is measured
        whole = figure.get_tightbbox()
    assert min(whole.x0, whole.y0) >= -0.02
    assert whole.x1 <= figure.get_figwidth() + 0.02
    assert whole.y1 <= figure.get_figheight() + 0.02


def test_no_figure_runs_out_of_room():
    x = np.linspace(0, 0.95, 40)
    curves = [Curve(title, x, np.sqrt(x), point=(0.2, 0.4), legend="AUC 0.912 (0.888 to 0.931)") for title in TITLES]
    rows = [ForestRow(title, 0.8, 0.7, 0.9, False, True, 0.75) for title in TITLES]
    pairs = [ForestRow(f"{one} – {other}", 0.1, -0.7, 0.2, False, True) for one in TITLES for other in TITLES[:2]]
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # what the layout says when axes have shrunk to nothing
        drawn = [
            roc_figure(curves, name="a", positive="cryptococcosis"),
            froc_figure([Curve(title, x + 0.1, np.sqrt(x)) for title in TITLES], name="b"),
            decision_figure(
                [Curve(title, x, 0.2 - x * 0.3) for title in TITLES], name="c", positive="x", prevalence=0.3
            ),
            forest(rows, name="d", metric="AUC", chance=0.5),
            difference_forest(pairs, name="e"),
        ]
    for one in drawn:
        image = matplotlib.image.imread(io.BytesIO(one.png))
        assert (image[..., :3].min(axis=2) < 0.5).mean() > 0.005  # something is drawn
