"""Names on figures that never take the panel's room. In: names of any length, axes with labelled lines. Out: lines that
fit, and a legend below the panel on a sheet as high as it needs.

A label that is wider than the sheet would make the layout shrink the axes to nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextToPath

from hounsfield.report.style import sheet

_WIDTH, _PANEL = 3.7, 3.75  # inches; three such figures stand side by side on a wide screen
_AXIS = 215.0  # points of such a panel's axis
_INCH = 72  # points
_POINTS = 8.0  # size of a legend's letters
_HANDLE = 3.2  # length of a line in a legend, in letters
_BESIDE = 56.0  # points of an entry that are not its words
_ROOM = 200.0  # points beside the handles
_MOST = 3  # lines of one part of a label
_CUT = "…"
_READ = 600  # letters looked at: more than any place holds, few enough to be measured one by one


def page_width() -> tuple[Figure, Axes]:
    """A panel as wide as all curves of a report; `legend_below` adds what the legend needs."""
    return sheet(_WIDTH, _PANEL)


def legend_below(figure: Figure, axes: Axes, *, columns: int = 1) -> None:
    """Adds the legend of the axes under them, and its height to the figure.

    Args:
        columns: how many at most; one when the words do not fit.
    """
    handles, labels = axes.get_legend_handles_labels()
    if not handles:
        return
    width, height = figure.get_size_inches()
    parts = [label.split("\n") for label in labels]
    room = width * _INCH / columns - _BESIDE
    if any(width_points(part) > room for label in parts for part in label):
        columns, room = 1, max(_ROOM, width * _INCH - _BESIDE)
    broken = [_plain([line for part in label for line in broken_lines(part, points=room)]) for label in parts]
    # Below the panel, not on it: a legend over a curve hides just the corner that readers look at. A legend of the
    # figure takes height alone; one of the axes would also take width from them.
    legend = figure.legend(
        handles, broken, loc="outside lower left", ncols=columns, labelspacing=0.45, handlelength=_HANDLE
    )
    needed = legend.get_window_extent().height / figure.dpi
    figure.set_size_inches(width, height + needed)


def axis_words(text: str) -> str:
    """Words for an axis of `page_width`, in two lines at most."""
    return _plain(broken_lines(text, points=_AXIS, size=9.0, most=2))


def wrapped(text: str, *, points: float, size: float, most: int) -> str:
    """`broken_lines` as one text to draw, which is no formula."""
    return _plain(broken_lines(text, points=points, size=size, most=most))


def broken_lines(text: str, *, points: float = _ROOM, size: float = _POINTS, most: int = _MOST) -> list[str]:
    """The text in lines of at most that width, cut with an ellipsis; a word too long for a line is broken.

    Args:
        points: width; size: of the letters, in points as well.
        most: how many lines.
    """
    lines: list[str] = []
    for word in (text if len(text) <= _READ else text[:_READ] + _CUT).split():
        if lines and width_points(f"{lines[-1]} {word}", size) <= points:
            lines[-1] += f" {word}"
            continue
        while width_points(word, size) > points:
            sizes = range(len(word) - 1, 0, -1)
            fitting = next((n for n in sizes if n == 1 or width_points(word[:n], size) <= points), 0)
            if not fitting:
                break
            lines.append(word[:fitting])
            word = word[fitting:]
        lines.append(word)
    if len(lines) > most:
        last = lines[most - 1]
        while last and width_points(last + _CUT, size) > points:
            last = last[:-1]
        lines = [*lines[: most - 1], last.rstrip() + _CUT]
    return lines


def width_points(text: str, size: float = _POINTS) -> float:
    """Points that a line takes."""
    font = FontProperties(family="DejaVu Sans", size=size)
    width, _, _ = TextToPath().get_text_width_height_descent(text, font, False)
    return float(width)


def _plain(lines: Sequence[str]) -> str:
    return "\n".join(lines).replace("$", r"\$")  # else Matplotlib reads a formula
