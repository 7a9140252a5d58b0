"""Class balance of a split. In: counts of each class in each part. Out: one picture, a row of bars a part.

Each column that was balanced has a panel; each round of the split has its bars one below the other.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from hounsfield.report.style import INK, PALETTE, Picture, page_style, picture

_BAR, _PANEL, _HEAD = 0.3, 3.5, 0.85  # inches: a bar with its gap, a panel's width, title and legend
_NARROW = 0.07  # share below which a number does not fit into its bar
_HATCHES = ("", "////", "....", "xxxx", "\\\\\\\\", "++", "oo")  # a grey print still tells the classes apart


def split_balance_figure(balance: pd.DataFrame, *, name: str = "split-balance", title: str = "Split") -> Picture:
    """Share of each class in each part, with the number of cases in the bars.

    Args:
        balance: as `catalog.splits.columns.balance_of` gives it: split, part, column, class, cases, patients, share.
    """
    columns = list(dict.fromkeys(balance["column"]))
    bars = list(dict.fromkeys(zip(balance["split"], balance["part"], strict=True)))
    with page_style():
        most = max(balance[balance["column"] == column]["class"].nunique() for column in columns)
        height = _HEAD + 0.17 * ((most + 2) // 3) + _BAR * len(bars)
        figure = Figure(figsize=(1.5 + _PANEL * len(columns), height), layout="constrained")
        FigureCanvasAgg(figure)
        panels = figure.subplots(1, len(columns), squeeze=False)[0]
        for place, (axes, column) in enumerate(zip(panels, columns, strict=True)):
            _panel(axes, balance[balance["column"] == column], bars, with_names=place == 0)
            axes.set_title(_plain(column))
        caption = "Bars: share of the cases of each part; numbers: cases. Patients are on one side only."
        return picture(figure, name, title, _words(balance, columns), caption=caption)


def _panel(axes: Axes, rows: pd.DataFrame, bars: list[tuple[str, str]], *, with_names: bool) -> None:
    classes = [str(one) for one in dict.fromkeys(rows["class"])]
    cells = {
        (split, part, kind): (int(cases), float(share))
        for split, part, kind, cases, share in rows[["split", "part", "class", "cases", "share"]].to_numpy().tolist()
    }
    starts = np.zeros(len(bars))
    for number, one in enumerate(classes):
        found = [cells[(*bar, one)] for bar in bars]
        widths = np.array([share for _, share in found])
        hatch = _HATCHES[number % len(_HATCHES)]
        colour = PALETTE[number % len(PALETTE)]
        places = np.arange(len(bars))
        axes.barh(
            places, widths, 0.74, starts, color=colour, alpha=0.85, label=_plain(one), edgecolor="white", hatch=hatch
        )
        for place, (cases, share) in enumerate(found):
            if share >= _NARROW:
                _number(axes, float(starts[place]) + share / 2, place, cases)
        starts += widths
    several = len({split for split, _ in bars}) > 1
    names = [_plain(f"{split}: {part}" if several else part) for split, part in bars]
    axes.set_yticks(range(len(bars)), names if with_names else [""] * len(bars))
    axes.set(xlim=(0, 1), ylim=(len(bars) - 0.45, -0.55))
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 %"])
    axes.tick_params(axis="y", length=0)
    axes.legend(loc="upper left", bbox_to_anchor=(-0.02, -0.9 / (len(bars) + 1)), ncols=min(3, len(classes)))


def _number(axes: Axes, centre: float, place: int, cases: int) -> None:
    box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}
    axes.text(centre, place, f"{cases:,}", ha="center", va="center", fontsize=7.5, color=INK, bbox=box)


def _words(balance: pd.DataFrame, columns: list[str]) -> str:
    first = balance[balance["column"] == columns[0]]
    parts = [
        f"{split} {part}: " + ", ".join(f"{row['class']} {row['cases']}" for row in rows.to_dict("records"))
        for (split, part), rows in first.groupby(["split", "part"], sort=False)
    ]
    return f"Class balance of a split, {columns[0]}. {'; '.join(parts)}."


def _plain(text: str) -> str:
    """A name as it is: $ would start TeX, and a leading underscore hides an entry from Matplotlib's legend."""
    text = str(text).replace("$", r"\$")
    return "\u200b" + text if text.startswith("_") else text
