"""The drawing of a split's balance: bars are the shares, numbers the cases, of every part and class."""

from __future__ import annotations

import pandas as pd
import pytest
from matplotlib.patches import Rectangle
from tests.catalog.splits.frames import cohort

from hounsfield.catalog.splits.columns import balance_of, with_split
from hounsfield.catalog.splits.sites import balanced_k_fold
from hounsfield.report.figures import split_balance as module
from hounsfield.report.figures.split_balance import split_balance_figure

BALANCE = pd.DataFrame(
    [
        ("split", "train", "y", "0", 60, 50, 0.75),
        ("split", "train", "y", "1", 20, 20, 0.25),
        ("split", "test", "y", "0", 1200, 10, 0.6),
        ("split", "test", "y", "1", 800, 8, 0.4),
        ("split", "train", "site", "_A $x$", 80, 70, 1.0),
        ("split", "train", "site", "B", 0, 0, 0.0),
        ("split", "test", "site", "_A $x$", 20, 18, 0.01),
        ("split", "test", "site", "B", 1980, 18, 0.99),
    ],
    columns=["split", "part", "column", "class", "cases", "patients", "share"],
)


@pytest.fixture
def panels(monkeypatch):
    kept = []
    monkeypatch.setattr(module, "picture", lambda figure, *rest, **more: kept.append(figure))
    split_balance_figure(BALANCE)
    return kept[0].axes


def test_bars_are_the_shares(panels) -> None:
    bars = [patch for patch in panels[0].patches if isinstance(patch, Rectangle)]
    spans = [(round(bar.get_x(), 6), round(bar.get_width(), 6)) for bar in bars]
    assert spans == [(0, 0.75), (0, 0.6), (0.75, 0.25), (0.6, 0.4)]  # class by class, train above test
    assert [text.get_text() for text in panels[0].texts] == ["60", "1,200", "20", "800"]
    assert [tick.get_text() for tick in panels[0].get_yticklabels()] == ["train", "test"]
    # A share of 1 % has no room for its number; a class without cases none to show.
    assert [text.get_text() for text in panels[1].texts] == ["80", "1,980"]


def test_names_are_shown_as_they_are(panels) -> None:
    labels = [text.get_text() for text in panels[1].get_legend().get_texts()]
    assert labels == ["\u200b_A \\$x\\$", "B"]


def test_many_rounds_and_classes_have_room_and_equal_bytes() -> None:
    frame = cohort({str(number): 12 for number in range(9)})
    split = balanced_k_fold(frame, labels=["label"], seed=0, folds=10)
    out = with_split(frame, split)
    balance = balance_of(out, [f"split_fold{fold}" for fold in range(10)], ["label"])
    one, two = split_balance_figure(balance), split_balance_figure(balance)
    assert (one.svg, one.png) == (two.svg, two.png)
    # 9 classes of 12 patients in 10 folds: each fold tests on one or two of each class.
    tested = dict(pair.split() for pair in one.alt.partition("split_fold9 test: ")[2].rstrip(".").split(", "))
    assert set(tested) == {str(number) for number in range(9)}
    assert set(tested.values()) <= {"1", "2"}
