"""How a search went: fitness by generation, one line a run. In: records of runs. Out: a matplotlib figure."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from hounsfield.core.types import FloatArray


def ga_history(
    records: Sequence[FloatArray], *, chosen: int = 0, name: str = "AUC on the nodules searched on"
) -> Figure:
    """Best fitness seen up to each generation.

    Args:
        records: one (G + 1,) array a run, the start first.
        chosen: place of the run to draw in front.
        name: what the fitness is.
    """
    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    axes = figure.add_subplot()
    for place, record in enumerate(records):
        if place != chosen:
            axes.step(range(len(record)), record, where="post", color="#9aa5b1", linewidth=0.7, alpha=0.6)
    front = records[chosen]
    axes.step(range(len(front)), front, where="post", color="#0072B2", linewidth=2.2)
    axes.axhline(front[0], color="#1f2933", linewidth=1, linestyle="--")
    axes.annotate("start table", (len(front) - 1, front[0]), xytext=(0, 4), textcoords="offset points", ha="right")
    axes.set(xlabel="Generation", ylabel=name, xlim=(0, max(1, len(front) - 1)))
    if len(records) > 1:
        axes.set_title(f"{len(records)} runs; the first in blue", fontsize=10, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    return figure
