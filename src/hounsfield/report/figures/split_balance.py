"""Class balance of a split. In: counts of each class in each part. Out: one picture, a row of bars a part.

Each column that was balanced has a panel; each round of the split has its bars one below the other.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from hounsfield.report.figures.legends import width_points, wrapped
from hounsfield.report.style import INK, PALETTE, Picture, page_style, picture

_BAR, _PANEL, _HEAD = 0.3, 3.5, 0.85  # inches: a bar with its gap, a panel's width, title and legend
_NAMES, _KEYS = 95.0, 215.0  # points of the names of bars, and of a panel's legend
_BESIDE = 38.0  # points of an entry of the legend that are not its words
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
        keys = {column: _keys(balance[balance["column"] == column]) for column in columns}
        height = _HEAD + 0.17 * max(_rows(*one) for one in keys.values()) + _BAR * len(bars)
        figure = Figure(figsize=(1.5 + _PANEL * len(columns), height), layout="constrained")
        FigureCanvasAgg(figure)
        panels = figure.subplots(1, len(columns), squeeze=False)[0]
        for place, (axes, column) in enumerate(zip(panels, columns, strict=True)):
            _panel(axes, balance[balance["column"] == column], bars, keys[column], with_names=place == 0)
            axes.set_title(wrapped(str(column), points=_KEYS, size=11.0, most=2))  # bold at 10 points
        caption = "Bars: share of the cases of each part; numbers: cases. Patients are on one side only."
        return picture(figure, name, title, _words(balance, columns), caption=caption)


def _keys(rows: pd.DataFrame) -> tuple[list[str], int]:
    """Entries of a panel's legend in lines that fit, and in how many columns they stand."""
    names = [_plain(str(one)) for one in dict.fromkeys(rows["class"])]
    widest = max(width_points(name) for name in names) + _BESIDE
    columns = max(1, min(3, len(names), int(_KEYS // widest)))
    return [wrapped(name, points=_KEYS / columns - _BESIDE, size=8.0, most=2) for name in names], columns


def _rows(names: list[str], columns: int) -> int:
    """Lines that a legend takes."""
    tallest = max(name.count("\n") + 1 for name in names)
    return -(-len(names) // columns) * tallest


def _panel(
    axes: Axes, rows: pd.DataFrame, bars: list[tuple[str, str]], keys: tuple[list[str], int], *, with_names: bool
) -> None:
    classes = list(dict.fromkeys(rows["class"]))
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
            places,
            widths,
            0.74,
            starts,
            color=colour,
            alpha=0.85,
            label=keys[0][number],
            edgecolor="white",
            hatch=hatch,
        )
        for place, (cases, share) in enumerate(found):
            if share >= _NARROW:
                _number(axes, float(starts[place]) + share / 2, place, cases)
        starts += widths
    several = len({split for split, _ in bars}) > 1
    names = [_bar_name(split, part) if several else _fit(part) for split, part in bars]
    axes.set_yticks(range(len(bars)), names if with_names else [""] * len(bars))
    axes.set(xlim=(0, 1), ylim=(len(bars) - 0.45, -0.55))
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 %"])
    axes.tick_params(axis="y", length=0)
    axes.legend(loc="upper left", bbox_to_anchor=(-0.02, -0.9 / (len(bars) + 1)), ncols=keys[1])


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


def _bar_name(split: str, part: str) -> str:
    """The round and the part, one below the other where both do not fit into a line."""
    whole = f"{split}: {part}"
    return _fit(whole) if width_points(whole, 9.0) <= _NAMES else f"{_fit(f'{split}')}:\n{_fit(part)}"


def _fit(text: str) -> str:
    return wrapped(str(text), points=_NAMES, size=9.0, most=1)


def _plain(text: str) -> str:
    """A name as it is: a leading underscore hides an entry from Matplotlib's legend."""
    return "\u200b" + text if text.startswith("_") else text
