"""How figures look: one palette safe for colour-blind readers, one page style, and saving as bytes that never change.

In: Matplotlib figures. Out: SVG and PNG bytes. Lines differ by dash and marker too, so that a grey print still reads.
"""

from __future__ import annotations

import io
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

# Okabe and Ito, Color Universal Design (2008): told apart with any common colour vision deficiency.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.2)), (0, (6, 2, 1, 2)), (0, (3, 1)), (0, (8, 3)), (0, (2, 3)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
TRIVIAL = "#6B7280"
INK = "#1F2933"
FAINT = "#D5DAE1"


@dataclass(frozen=True)
class Picture:
    """One figure of the report: `name` is its file name, `alt` says in words what it shows."""

    name: str
    title: str
    alt: str
    svg: bytes
    png: bytes
    caption: str = ""


def page_style() -> AbstractContextManager[None]:
    """Matplotlib settings of the report, for a `with` block; nothing global is changed."""
    return mpl.rc_context(
        {
            "font.family": "DejaVu Sans",
            "font.size": 9.0,
            "axes.edgecolor": "#8A94A3",
            "axes.labelcolor": INK,
            "axes.linewidth": 0.8,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlesize": 10.0,
            "axes.titleweight": "bold",
            "axes.titlelocation": "left",
            "text.color": INK,
            "xtick.color": INK,
            "ytick.color": INK,
            "grid.color": "#E7EAEE",
            "grid.linewidth": 0.7,
            "legend.frameon": False,
            "legend.fontsize": 8.0,
            "lines.linewidth": 1.7,
            "svg.hashsalt": "hounsfield",  # else ids in the SVG are random and two equal runs give unequal files
            "svg.fonttype": "path",
        }
    )


def sheet(width: float = 4.6, height: float = 3.9) -> tuple[Figure, Axes]:
    """A figure of one panel without the global state of pyplot."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def picture(figure: Figure, name: str, title: str, alt: str, *, caption: str = "", dpi: int = 130) -> Picture:
    """Renders a figure both ways; the bytes are the same for the same data (no date, fixed ids)."""
    svg, png = io.BytesIO(), io.BytesIO()
    figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
    figure.savefig(png, format="png", dpi=dpi, metadata={"Software": None})
    return Picture(name, title, alt, svg.getvalue(), png.getvalue(), caption)
