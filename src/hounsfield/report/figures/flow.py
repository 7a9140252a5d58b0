"""The flow of a cohort as papers print it: boxes from the catalog down to the classes, exclusions to the right.

In: a `catalog.cohort.flow.Flow`. Out: one picture. Steps without a heading share a box of exclusions with the next one.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from hounsfield.catalog.cohort.flow import Count, Flow, Step
from hounsfield.report.style import INK, PALETTE, Picture, page_style, picture

_LINE = 0.175  # inches, of one line of text at 9 points
_MARGIN = 0.11  # around the text of a box
_GAP = 0.34  # between boxes
_MAIN, _SIDE = 3.1, 3.9  # widths of the two columns
_BETWEEN = 0.45
_CHARACTERS = {_MAIN: 44, _SIDE: 56}  # that fit into a box's width at 9 points, DejaVu Sans being wide
_MOST_CLASSES = 6  # boxes side by side below the cohort; more are listed inside of it
_FILL, _EDGE, _SIDE_FILL = "#F4F7FA", "#8A94A3", "#FFFFFF"


@dataclass(frozen=True)
class _Box:
    """Lines of a box, the first one bold, and how many lines of the drawing they take."""

    heading: str
    lines: tuple[str, ...]
    width: float

    @property
    def rows(self) -> list[tuple[str, bool]]:
        limit = max(8, round(_CHARACTERS[_SIDE] / _SIDE * self.width))
        heading = [(row, True) for row in textwrap.wrap(self.heading, round(limit * 0.88))]
        return heading + [
            (row, False) for line in self.lines for row in textwrap.wrap(line, limit, subsequent_indent="   ")
        ]

    @property
    def height(self) -> float:
        return len(self.rows) * _LINE + 2 * _MARGIN


def flow_figure(flow: Flow, *, name: str = "flow") -> Picture:
    """The diagram.

    Args:
        name: of the files.
    """
    classes = _class_boxes(flow)
    main = [_main(flow.start_heading, flow.start)]
    sides = []
    for heading, steps in _stages(flow):
        sides.append(_excluded(steps))
        left = steps[-1].left
        extra = tuple(f"{one}: {_n(count)}" for one, count in flow.classes.items()) if not classes else ()
        main.append(_main(heading or flow.end_heading, left, extra if heading == "" else ()))
    height = _height(main, sides, classes)
    with page_style():
        figure = Figure(figsize=(_MAIN + _BETWEEN + _SIDE + 0.1, height))
        FigureCanvasAgg(figure)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, figure.get_size_inches()[0]), ylim=(-height, 0))
        axes.axis("off")
        bottom = _draw_column(axes, main, sides)
        _draw_classes(axes, classes, bottom)
        words = ". ".join(line.strip() for line in flow.lines())
        caption = "A patient is lost with the last of the series that were left."
        return picture(figure, name, flow.title, f"Flow of the cohort. {words}.", caption=caption)


def _stages(flow: Flow) -> list[tuple[str, tuple[Step, ...]]]:
    """Steps gathered up to the next heading; the last stage has none and leads to the cohort."""
    stages: list[tuple[str, tuple[Step, ...]]] = []
    waiting: list[Step] = []
    for place, step in enumerate(flow.steps):
        waiting.append(step)
        if step.then and place < len(flow.steps) - 1:
            stages.append((step.then, tuple(waiting)))
            waiting = []
    if waiting:
        stages.append(("", tuple(waiting)))
    return stages


def _main(heading: str, count: Count, extra: Sequence[str] = ()) -> _Box:
    patients, *rest = count.parts()
    return _Box(heading, (f"n = {patients}", ", ".join(rest), *extra), _MAIN)


def _excluded(steps: Sequence[Step]) -> _Box:
    units = ("patients", "studies", "series", "cases")
    lost = Count(*(sum(getattr(step.lost, unit) for step in steps) for unit in units))
    # A step that lost nothing stays: that nobody was excluded for it is a result too.
    lines = tuple(f"• {step.reason} ({_n(step.lost)})" for step in steps)
    return _Box(f"Excluded ({_n(lost)})", lines, _SIDE)


def _n(count: Count) -> str:
    """What was lost, units of which nothing was lost left out; no line is broken within a number and its unit."""
    some = [part for part in count.parts() if not part.startswith("0 ")]
    return ", ".join([f"n = {(some or ['0'])[0]}", *some[1:]]).replace(" ", "\u00a0").replace(",\u00a0", ", ")


def _class_boxes(flow: Flow) -> list[_Box]:
    if not 2 <= len(flow.classes) <= _MOST_CLASSES:
        return []
    whole = _MAIN + _BETWEEN + _SIDE
    width = min(2.4, (whole - _GAP * (len(flow.classes) - 1)) / len(flow.classes))
    return [_Box(one, (f"n = {count.parts()[0]}", *count.parts()[1:]), width) for one, count in flow.classes.items()]


def _height(main: Sequence[_Box], sides: Sequence[_Box], classes: Sequence[_Box]) -> float:
    total = main[0].height + 0.1
    for box, side in zip(main[1:], sides, strict=True):
        total += side.height + 2 * _GAP * 0.6 + box.height
    return total + (max(box.height for box in classes) + _GAP if classes else 0) + 0.1


def _draw_column(axes: Axes, main: Sequence[_Box], sides: Sequence[_Box]) -> float:
    """Draws boxes and exclusions from the top; returns the bottom edge of the last box."""
    top, middle = -0.05, 0.05 + _MAIN / 2
    _draw(axes, main[0], 0.05, top, fill=_FILL)
    bottom = top - main[0].height
    for box, side in zip(main[1:], sides, strict=True):
        side_top = bottom - _GAP * 0.6
        below = side_top - side.height - _GAP * 0.6
        _arrow(axes, (middle, bottom), (middle, below))
        branch = side_top - side.height / 2
        _arrow(axes, (middle, branch), (0.05 + _MAIN + _BETWEEN, branch))
        _draw(axes, side, 0.05 + _MAIN + _BETWEEN, side_top, fill=_SIDE_FILL)
        _draw(axes, box, 0.05, below, fill=_FILL)
        bottom = below - box.height
    return bottom


def _draw_classes(axes: Axes, boxes: Sequence[_Box], bottom: float) -> None:
    left, middle = 0.05, 0.05 + _MAIN / 2
    for number, box in enumerate(boxes):
        top = bottom - _GAP
        centre = left + box.width / 2
        axes.plot([middle, middle, centre], [bottom, bottom - _GAP / 2, bottom - _GAP / 2], color=_EDGE, linewidth=1)
        _arrow(axes, (centre, bottom - _GAP / 2), (centre, top))
        _draw(axes, box, left, top, fill=_FILL, edge=PALETTE[number % len(PALETTE)])
        left += box.width + _GAP


def _draw(axes: Axes, box: _Box, left: float, top: float, *, fill: str, edge: str = _EDGE) -> None:
    patch = FancyBboxPatch(
        (left, top - box.height),
        box.width,
        box.height,
        boxstyle="round,pad=0,rounding_size=0.05",
        facecolor=fill,
        edgecolor=edge,
        linewidth=1.0,
    )
    axes.add_patch(patch)
    for place, (text, bold) in enumerate(box.rows):
        axes.text(
            left + _MARGIN,
            top - _MARGIN - (place + 0.5) * _LINE,
            text.replace("$", r"\$"),  # else Matplotlib reads a formula
            va="center",
            color=INK,
            fontweight="bold" if bold else "normal",
        )


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    style = {"arrowstyle": "-|>", "color": _EDGE, "linewidth": 1.0, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 10}
    axes.annotate("", xy=end, xytext=start, arrowprops=style)
