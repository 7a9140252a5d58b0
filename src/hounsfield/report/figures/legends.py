"""A legend below a panel that never takes the panel's room. In: axes with labelled lines. Out: the legend, its labels
broken into lines that fit, on a sheet as high as they need.

A label that is wider than the sheet would make the layout shrink the axes to nothing.
"""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextToPath

from hounsfield.report.style import sheet

_WIDTH, _PANEL = 3.7, 3.75  # inches; three such figures stand side by side on a wide screen
_POINTS = 8.0  # size of the letters
_ROOM = 185.0  # points beside the handles
_LINE, _GAP = 0.13, 0.05  # inches of a line, and between two entries
_MOST = 3  # lines of one part of a label
_CUT = "…"


def page_width() -> tuple[Figure, Axes]:
    """A panel as wide as all curves of a report; `legend_below` adds what the legend needs."""
    return sheet(_WIDTH, _PANEL)


def legend_below(figure: Figure, axes: Axes) -> None:
    """Adds the legend under the axis, and its height to the figure of `page_width`."""
    handles, labels = axes.get_legend_handles_labels()
    parts = [[broken_lines(part) for part in label.split("\n")] for label in labels]
    broken = ["\n".join(line for part in label for line in part).replace("$", r"\$") for label in parts]  # no TeX
    lines = sum(label.count("\n") + 1 for label in broken)
    figure.set_size_inches(_WIDTH, _PANEL + _LINE * lines + _GAP * len(broken))
    # Below the panel, not on it: a legend over a curve hides just the corner that readers look at.
    place = (-0.03, -0.16)
    axes.legend(handles, broken, loc="upper left", bbox_to_anchor=place, labelspacing=0.45, handlelength=3.2)


def broken_lines(text: str, *, points: float = _ROOM, size: float = _POINTS, most: int = _MOST) -> list[str]:
    """The text in lines of at most that width, cut with an ellipsis; a word too long for a line is broken.

    Args:
        points: width; size: of the letters, in points as well.
        most: how many lines.
    """
    lines: list[str] = []
    for word in text.split():
        if lines and _width(f"{lines[-1]} {word}", size) <= points:
            lines[-1] += f" {word}"
            continue
        while _width(word, size) > points:
            fitting = next(n for n in range(len(word) - 1, 0, -1) if n == 1 or _width(word[:n], size) <= points)
            lines.append(word[:fitting])
            word = word[fitting:]
        lines.append(word)
    if len(lines) > most:
        last = lines[most - 1]
        while last and _width(last + _CUT, size) > points:
            last = last[:-1]
        lines = [*lines[: most - 1], last.rstrip() + _CUT]
    return lines


def _width(text: str, size: float) -> float:
    """Points that a line takes."""
    font = FontProperties(family="DejaVu Sans", size=size)
    width, _, _ = TextToPath().get_text_width_height_descent(text, font, False)
    return float(width)
