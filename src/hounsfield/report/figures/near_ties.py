"""Point tables of nearly equal AUC and where their biopsy decision lands. In: operating points. Out: one picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from hounsfield.report.figures.legends import legend_below, wrapped
from hounsfield.report.style import INK, PALETTE, TRIVIAL, Picture, page_style, picture


@dataclass(frozen=True)
class Operating:
    """One part of the data.

    Attributes:
        title: of the panel.
        malignant, benign: number of nodules.
        curve: (spared, found) of the start table with a constant added to every total.
        ties: (spared, found, runs) of every near tie.
        marks: (name, spared, found) of the tables to name.
    """

    title: str
    malignant: int
    benign: int
    curve: Sequence[tuple[int, int]]
    ties: Sequence[tuple[int, int, int]]
    marks: Sequence[tuple[str, int, int]]


def near_ties_figure(panels: Sequence[Operating], *, name: str, start: str) -> Picture:
    """Malignant nodules with FNA against benign nodules without, one panel a part.

    Args:
        start: name of the table whose totals are shifted along the grey line.
    """
    with page_style():
        figure = Figure(figsize=(3.9 * len(panels), 3.9), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots(1, len(panels), squeeze=False)[0]
        for one, panel in zip(axes, panels, strict=True):
            _panel(one, panel, start)
        legend_below(figure, axes[0], columns=len(panels))
        words = "; ".join(
            f"{panel.title}: {len(panel.ties)} tables, {_range([tie[1] for tie in panel.ties])} of {panel.malignant} "
            f"malignant with FNA, {_range([tie[0] for tie in panel.ties])} of {panel.benign} benign spared"
            for panel in panels
        )
        alt = f"Scatter of the biopsy decisions of tables with nearly equal AUC. {words}."
        caption = (
            f"Dots: tables, larger where more runs ended there. Grey: {start} with 1, 2, ... points added or taken."
        )
        return picture(figure, name, "Nearly equal AUC, unequal decisions", alt, caption=caption)


def _panel(axes: Axes, panel: Operating, start: str) -> None:
    shown = [point for point in panel.curve if point[1] >= 0.4 * panel.malignant]
    axes.plot(*zip(*shown, strict=True), "-", color=TRIVIAL, linewidth=1, marker=".", label=f"{start}, totals shifted")
    for place, (spared, found, runs) in enumerate(panel.ties):
        label = "tables found" if place == 0 else None
        size = 18 + 5 * runs
        axes.scatter(spared, found, s=size, color=PALETTE[0], alpha=0.45, linewidths=0, label=label, zorder=3)
    for place, (title, spared, found) in enumerate(panel.marks):
        marker, colour = "sD^v"[place % 4], (INK, PALETTE[1], PALETTE[2], PALETTE[3])[place % 4]
        axes.plot(spared, found, marker, color=colour, markersize=9, markeredgecolor="white", label=title, zorder=4)
    axes.set(xlabel=f"benign nodules spared, of {panel.benign}", ylabel=f"malignant with FNA, of {panel.malignant}")
    axes.set_title(wrapped(panel.title, points=190, size=11, most=2))  # bold at 10 points
    axes.grid(visible=True)
    axes.set_axisbelow(True)


def _range(values: Sequence[int]) -> str:
    return f"{min(values)} to {max(values)}" if values else "none"
