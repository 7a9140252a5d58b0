"""What the phantoms of solitary nodules look like: a seed in, one picture out; a column a phantom, a row a class.

The same patient is drawn twice, without the signal and with it; for the fingerprint two patients are shown. The amber
square is the cube that an arm on the lesion sees, the blue line bounds what is left of the CT for one on the lungs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from hounsfield.core.types import AnyArray, BoolArray
from hounsfield.phantom.shapes import ellipsoid_mm
from hounsfield.phantom.solitary import (
    SPACING_MM,
    Kind,
    SolitaryPlan,
    draw_body,
    plan_grid,
    plan_solitary,
    reconstructed,
)
from hounsfield.phantom.thorax import lungs_of
from hounsfield.report.figures.case_images import LUNG_HU
from hounsfield.report.style import PALETTE, Picture, page_style, picture

_CUBE_MM = 64.0
_SOFT_HU, _WIDE_HU = (-250.0, 350.0), (-1000.0, 600.0)
_BESIDE = 9  # voxels around the nodule that are shown of its texture
_TITLES: dict[Kind, str] = {
    "global_only": "global only\n(highest value, front view of the lungs)",
    "local_only": "local only\n(slice through the nodule)",
    "leak": "leak\n(slice with plate and ball in the wall)",
    "fingerprint": "fingerprint\n(nodules of two patients)",
}


@dataclass(frozen=True)
class _View:
    """A plane in HU, the lungs in it, and the nodule's (row, column)."""

    plane: AnyArray
    lungs: BoolArray
    nodule: tuple[float, float]
    window: tuple[float, float]


def phantoms_figure(*, seed: int, number: int = 2, name: str = "granuloma-phantoms") -> Picture:
    """The four phantoms, patient `number` of `seed`."""
    with page_style():
        figure = Figure(figsize=(10.4, 5.6), layout="constrained")
        FigureCanvasAgg(figure)
        panels = figure.subplots(2, len(_TITLES))
        for column, (kind, title) in enumerate(_TITLES.items()):
            for row, positive in enumerate((False, True)):
                other = number + (kind == "fingerprint" and positive)
                plan = plan_solitary(other, seed=seed, kind=kind, positive=positive)
                level = plan_solitary(number, seed=seed, kind=kind, positive=True)
                panel = panels[row][column]
                _draw(panel, _view(plan, level))
                if row == 0:
                    panel.set_title(title, fontsize=8, fontweight="normal", loc="center")
                word = "one patient" if kind == "fingerprint" else "without signal (cancer)"
                signal = "another patient" if kind == "fingerprint" else "with signal (cryptococcosis)"
                panel.text(0.5, -0.03, signal if positive else word, transform=panel.transAxes, ha="center", va="top",
                           fontsize=7.5)  # fmt: skip
        alt = (
            "Four phantoms: satellites in the lungs far from the nodule; texture in the nodule; a plate under the "
            "table and balls in the chest wall; a texture of each patient's own. Square: cube of 64 mm; line: lungs."
        )
        return picture(figure, name, "The four phantoms", alt, dpi=110)


def _view(plan: SolitaryPlan, level: SolitaryPlan) -> _View:
    body, mask = draw_body(plan)
    image = reconstructed(plan, body, plan.kernels[0])
    lungs = _lungs(plan)
    z, y, x = np.argwhere(mask).mean(axis=0)
    if plan.kind == "global_only":
        # Without noise, whose highest value would hide vessels, and without the lungs' rim, which is half muscle.
        plane = np.where(_lungs(plan, rim_mm=5.0), body, -1000).max(axis=1)
        return _View(plane[::-1], np.flip(lungs.any(axis=1), axis=0), (image.shape[0] - 1 - z, x), LUNG_HU)
    if plan.kind == "leak":
        at = round(level.wall[0].centre_mm[0] / SPACING_MM[0] + (image.shape[0] - 1) / 2)
        return _View(image[at], lungs[at], (-1e3, -1e3), _WIDE_HU)  # the nodule is in another slice
    at, low, left = round(z), round(y) - _BESIDE, round(x) - _BESIDE
    box = (at, slice(low, low + 2 * _BESIDE + 1), slice(left, left + 2 * _BESIDE + 1))
    return _View(image[box], lungs[box], (y - low, x - left), _SOFT_HU)


def _lungs(plan: SolitaryPlan, *, rim_mm: float = 0.0) -> BoolArray:
    grid = plan_grid()
    inside = [ellipsoid_mm(grid, lung.centre_mm, lung.radii_mm) < -rim_mm for lung in lungs_of(plan.thorax)]
    return np.asarray(inside[0] | inside[1])


def _draw(panel: Axes, view: _View) -> None:
    low, high = view.window
    panel.imshow(view.plane, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
    if view.lungs.any() and not view.lungs.all():
        panel.contour(view.lungs, levels=[0.5], colors=[PALETTE[4]], linewidths=[1.0])
    half = _CUBE_MM / SPACING_MM[0] / 2
    row, column = view.nodule
    if row >= 0 and view.plane.shape[0] > 2 * half:
        corner = (column - half, row - half)
        panel.add_patch(Rectangle(corner, 2 * half, 2 * half, fill=False, edgecolor=PALETTE[5], linewidth=1.2))
    panel.set_axis_off()
