"""Loss and validation metrics by epoch, one picture for each kind of training piece. In: histories. Out: pictures."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from hounsfield.report.figures.legends import legend_below
from hounsfield.report.style import PALETTE, Picture, page_style, picture

_NO_METRIC = ("epoch", "loss", "learning_rate", "rate", "gain", "seconds")
# What tells one piece from another of the same kind: their curves share a panel.
_COUNTED = re.compile(r"(?:^|[-_/ .])(?:repetition|fold|seed|r|f|s)[-_= ]?\d+(?=$|[-_/ .])", re.IGNORECASE)


def training_curves(histories: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Picture]:
    """One picture a kind of piece: its name without fold, seed and repetition numbers.

    Each line is one piece; a dot marks the best epoch of the validation metric (highest, or lowest for a loss).
    """
    kinds: dict[str, list[Sequence[Mapping[str, Any]]]] = {}
    for piece, history in histories.items():
        if history:
            kinds.setdefault(_COUNTED.sub("", piece).strip("/-_. ") or "training", []).append(history)
    return [_kind(kind, pieces) for kind, pieces in kinds.items()]


def _kind(kind: str, pieces: list[Sequence[Mapping[str, Any]]]) -> Picture:
    names = [name for name in pieces[0][0] if name not in _NO_METRIC and _number(pieces[0][0][name])]
    with page_style():
        figure = Figure(figsize=(3.7, 1.5 + 1.4 * bool(names)), layout="constrained")
        FigureCanvasAgg(figure)
        panels = figure.subplots(2 if names else 1, 1, sharex=True, squeeze=False)[:, 0]
        _panel(panels[0], pieces, ["loss"])
        panels[0].set_ylabel("training loss")
        if names:
            _panel(panels[1], pieces, names)
            panels[1].set_ylabel("validation")
        panels[-1].set_xlabel("epoch")
        legend_below(figure, panels[-1], columns=2)
        longest = max(len(piece) for piece in pieces)
        shown = ", ".join(["loss", *names])
        alt = f"Training of {kind}: {len(pieces)} pieces, up to {longest} epochs; {shown} by epoch."
        slug = re.sub(r"[^a-z0-9]+", "_", kind.lower()).strip("_")
        caption = f"{len(pieces)} training piece{'s' if len(pieces) > 1 else ''} (folds, seeds), one line each."
        return picture(figure, f"training_{slug}", kind, alt, caption=caption)


def _panel(axes: Axes, pieces: list[Sequence[Mapping[str, Any]]], names: list[str]) -> None:
    for index, name in enumerate(names):
        colour = PALETTE[index % len(PALETTE)]
        for count, piece in enumerate(pieces):
            points = [(row.get("epoch", at), row[name]) for at, row in enumerate(piece) if _number(row.get(name))]
            if not points:
                continue
            label = name.replace("_", " ") if count == 0 else None
            axes.plot(*zip(*points, strict=True), color=colour, alpha=0.75, linewidth=1.1, label=label)
    axes.grid(visible=True)


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == value
