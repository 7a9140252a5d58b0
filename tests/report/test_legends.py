"""Legends of any titles: lines that fit, and axes that keep their room."""

from __future__ import annotations

import io
import warnings

import matplotlib.image
import numpy as np
import pytest

from hounsfield.report.figures.curves import Curve, roc_figure
from hounsfield.report.figures.decision import decision_figure
from hounsfield.report.figures.forest import ForestRow, difference_forest, forest
from hounsfield.report.figures.froc import froc_figure
from hounsfield.report.figures.legends import broken_lines, legend_below, page_width
from hounsfield.report.style import page_style

TITLES = (
    "network on the lesion and on the lungs; patient by mean",
    "W" * 60,
    "a title of two hundred letters " * 7,
    "$x$ of _hidden",
    "_hidden",
)


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
    legend = axes.get_legend().get_window_extent().transformed(figure.dpi_scale_trans.inverted())
    assert legend.y0 >= 0
    assert legend.x1 <= figure.get_figwidth()


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
