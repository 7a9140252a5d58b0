"""A point table as one page to hang up: categories with their points, the sum, and what follows from it.

In: a `PointTable` and, to mark what differs, the table in use. Out: a matplotlib figure of A4, landscape.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from hounsfield.guideline.point_table import Category, Level, PointTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, PALE, BLUE, CHANGED = "#1f2933", "#eef3f8", "#0b5a96", "#b34700"
_GROUNDS = ("#e8f3ec", "#eef4e1", "#fdf3d6", "#fbe3cf", "#f6d3cf")  # from benign to highly suspicious


def point_chart(table: PointTable, *, reference: PointTable | None = None) -> Figure:
    """Draws the chart.

    Args:
        reference: the table in use; options whose points differ from it are marked, with the old points in brackets.
    """
    figure = Figure(figsize=(11.69, 8.27), facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.axis("off")
    axes.text(0.03, 0.945, table.name, fontsize=23, weight="bold", color=INK, va="center")
    note = "Add the points of all categories."
    if table.overrides:
        names = [_title(table, name) for name in table.overrides]
        note += f" {' or '.join(names).capitalize()}: 0 points in total."
    axes.text(0.03, 0.895, note, fontsize=11.5, color=INK, va="center")
    old = {} if reference is None else dict(zip(reference.option_names, reference.points.tolist(), strict=True))
    count = len(table.categories)
    width = (0.94 - 0.012 * (count - 1)) / count
    deepest = max(len(category.options) for category in table.categories)
    for place, category in enumerate(table.categories):
        _category(axes, category, old, x=0.03 + place * (width + 0.012), width=width, rows=deepest)
    axes.text(0.5, 0.387, "Sum of points", fontsize=13, weight="bold", color=INK, ha="center", va="center")
    _levels(axes, table.levels)
    words = [table.source] if table.source else []
    if reference is not None:
        words.append(f"orange: differs from {reference.name}, whose points stand in brackets")
    if any(not option.data for category in table.categories for option in category.options):
        words.append("* no case in the data, points taken over")
    words.append("size: largest diameter; a threshold includes its value")
    axes.text(0.03, 0.032, _wrapped(";  ".join(words), 150), fontsize=8.5, color="#52606d", va="center")
    return figure


def _category(axes: Axes, category: Category, old: dict[str, int], *, x: float, width: float, rows: int) -> None:
    top, bottom = 0.855, 0.425
    axes.add_patch(_box(x, bottom, width, top - bottom, PALE))
    axes.add_patch(_box(x, top - 0.07, width, 0.07, BLUE))
    axes.text(
        x + width / 2, top - 0.026, category.title, fontsize=13, weight="bold", color="white", ha="center", va="center"
    )
    how = "choose one" if category.choose == "one" else "choose all that apply"
    axes.text(x + width / 2, top - 0.053, how, fontsize=9, color="white", ha="center", va="center")
    step = (top - 0.07 - bottom) / rows
    for row, option in enumerate(category.options):
        y = top - 0.07 - (row + 0.5) * step
        before = old.get(f"{category.key}/{option.key}", option.points)
        color = CHANGED if before != option.points else INK
        axes.text(x + 0.008, y, _wrapped(option.title), fontsize=9.5, color=INK, va="center", linespacing=1.15)
        points = f"{option.points}" + ("" if option.data else "*")
        axes.text(x + width - 0.010, y, points, fontsize=14, weight="bold", color=color, ha="right", va="center")
        if before != option.points:
            axes.text(x + width - 0.030, y, f"({before})", fontsize=9, color=color, ha="right", va="center")
        if row:
            axes.plot([x + 0.006, x + width - 0.006], [y + step / 2] * 2, color="#cbd2d9", linewidth=0.6)


def _levels(axes: Axes, levels: tuple[Level, ...]) -> None:
    count = len(levels)
    width = (0.94 - 0.012 * (count - 1)) / count
    for place, level in enumerate(levels):
        x = 0.03 + place * (width + 0.012)
        last = levels[place + 1].points - 1 if place + 1 < count else None
        span = f"{level.points} or more" if last is None else f"{level.points}" if last == level.points else None
        span = span or f"{level.points} {'to' if (last or 0) > level.points + 1 else 'or'} {last}"
        axes.add_patch(_box(x, 0.065, width, 0.295, _GROUNDS[min(place, len(_GROUNDS) - 1)]))
        axes.text(
            x + width / 2,
            0.328,
            f"{span} point{'' if span == '1' else 's'}",
            fontsize=12,
            color=INK,
            ha="center",
            va="center",
        )
        axes.text(x + width / 2, 0.280, level.name, fontsize=20, weight="bold", color=INK, ha="center", va="center")
        axes.text(x + width / 2, 0.243, level.title, fontsize=10.5, color=INK, ha="center", va="center")
        axes.text(
            x + width / 2,
            0.152,
            _management(level),
            fontsize=10.5,
            color=INK,
            ha="center",
            va="center",
            linespacing=1.5,
        )


def _management(level: Level) -> str:
    lines = []
    if level.fna_cm is not None:
        lines.append(f"FNA if ≥ {level.fna_cm:g} cm")
    if level.follow_up_cm is not None:
        lines.append(f"follow-up if ≥ {level.follow_up_cm:g} cm")
    if level.follow_up_years:
        years = level.follow_up_years
        yearly = years == tuple(range(1, len(years) + 1)) and len(years) > 3
        lines.append(f"every year to {years[-1]} years" if yearly else f"at {', '.join(map(str, years))} years")
    return "\n".join(lines) or "no FNA,\nno follow-up"


def _title(table: PointTable, name: str) -> str:
    category, _, key = name.partition("/")
    return next(option.title for option in table.category(category).options if option.key == key)


def _box(x: float, y: float, width: float, height: float, color: str) -> FancyBboxPatch:
    return FancyBboxPatch(
        (x, y), width, height, boxstyle="round,pad=0,rounding_size=0.006", facecolor=color, edgecolor="none"
    )


def _wrapped(text: str, width: int = 20) -> str:
    return "\n".join(textwrap.wrap(text, width))
