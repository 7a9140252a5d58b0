"""Slices of a CT with the contours of both lungs. In: a volume and its lungs. Out: one picture.

Axial slices evenly spaced from the lungs' lower end to the upper one, seen from the feet as radiologists read them (the
patient's right is on the left), and one coronal slice through the middle.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hounsfield.core.types import AnyArray
from hounsfield.report.figures.case_images import LUNG_HU
from hounsfield.report.style import PALETTE, Picture, page_style, picture
from hounsfield.volume.lung_labels import LEFT, RIGHT, Lungs
from hounsfield.volume.upright import upright
from hounsfield.volume.volume import Volume

_AXIAL = 7
_COLOURS = {RIGHT: PALETTE[5], LEFT: PALETTE[4]}  # amber and sky blue: far apart in lightness for every vision


def lung_contours(volume: Volume, lungs: Lungs, *, name: str = "lungs") -> Picture:
    """Seven axial slices and a coronal one, lung window; right lung amber, left lung blue."""
    turned, turn = upright(volume)
    labels = turn.apply(lungs.labels)
    used = np.flatnonzero(labels.any(axis=(1, 2)))
    rows = np.flatnonzero(labels.any(axis=(0, 2)))
    z, y, x = turned.spacing_mm
    with page_style():
        figure = Figure(figsize=(9.0, 4.9), layout="constrained")
        panels = figure.subplots(2, 4).ravel()
        for panel, at in zip(
            panels, np.linspace(used[0], used[-1], _AXIAL + 2)[1:-1].round().astype(int), strict=False
        ):
            _plane(panel, turned.array[at], labels[at], y / x)
            panel.set_title(f"slice {at + 1} of {turned.shape[0]} from the feet", fontsize=7, fontweight="normal")
        middle = int(rows[0] + rows[-1]) // 2
        _plane(panels[-1], turned.array[::-1, middle], labels[::-1, middle], z / x)
        panels[-1].set_title("coronal, middle", fontsize=7, fontweight="normal")
        alt = (
            f"CT slices with lung contours: right {lungs.right_ml:.0f} ml (amber), left {lungs.left_ml:.0f} ml (blue)."
        )
        return picture(figure, name, "Lung masks", alt, dpi=90)


def _plane(panel: Axes, image: AnyArray, labels: AnyArray, aspect: float) -> None:
    panel.imshow(image, cmap="gray", vmin=LUNG_HU[0], vmax=LUNG_HU[1], aspect=aspect, interpolation="bilinear")
    for side, colour in _COLOURS.items():
        if min(labels.shape) > 1 and (labels == side).any():  # one row has no contour
            panel.contour(labels == side, levels=[0.5], colors=[colour], linewidths=[1.2])
    panel.set_axis_off()
