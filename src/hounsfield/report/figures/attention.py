"""Maps of attention over CT slices: the views of one arm in, one picture out, a row a case.

Each cube is shown twice, plain and under its map. Beside colour the map has contours at 0.5 and 0.8 of its maximum, so
that a grey print still reads. The slice of a lesion is that of its largest area; that of the lungs holds the maximum.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure

from hounsfield.core.types import AnyArray
from hounsfield.report.content import AttentionView
from hounsfield.report.figures.case_images import LUNG_HU, REFERENCE
from hounsfield.report.figures.legends import broken_lines
from hounsfield.report.style import Picture, page_style, picture

_COLOURS = "magma"  # lightness grows with the value, for grey prints and every colour vision
_LEVELS = (0.5, 0.8)  # contours, thin and thick
_SIDE = 1.5  # inches of a slice
_WORDS = 100.0  # points beside it


def attention_figure(views: Sequence[AttentionView], *, name: str, title: str) -> Picture:
    """Draws the views of one arm, those of one case side by side; `views` are in order, cases together."""
    cases = list(dict.fromkeys(one.case_id for one in views))
    parts = list(dict.fromkeys(one.part for one in views))
    found = {(one.case_id, one.part): one for one in views}
    with page_style():
        figure = Figure(figsize=(_SIDE * (2 * len(parts) + 1.0) + 0.6, _SIDE * len(cases) + 0.55), layout="constrained")
        FigureCanvasAgg(figure)
        widths = [1.0] + [1.0] * (2 * len(parts))
        grid = figure.subplots(len(cases), 2 * len(parts) + 1, squeeze=False, gridspec_kw={"width_ratios": widths})
        for row, case in enumerate(cases):
            _label(grid[row][0], [found[case, part] for part in parts])
            for column, part in enumerate(parts):
                plain, covered = grid[row][2 * column + 1], grid[row][2 * column + 2]
                _slice(plain, covered, found[case, part])
                if row == 0:
                    plain.set_title(part, fontsize=8, fontweight="normal", loc="center")
                    covered.set_title(f"{part}, map", fontsize=8, fontweight="normal", loc="center")
        bar = figure.colorbar(
            ScalarMappable(cmap=_COLOURS), ax=grid[:, -1], shrink=min(1.0, 2.2 / len(cases)), aspect=18
        )
        bar.set_label("share of the map's maximum", fontsize=7.5)
        bar.ax.tick_params(labelsize=7)
        for level, width in zip(_LEVELS, (0.9, 1.8), strict=True):
            bar.ax.axhline(level, color="white", linewidth=width)
        return picture(figure, name, title, _words(views, title), caption=_caption(views), dpi=140)


def shown_slice(view: AttentionView) -> int:
    """Index along z of the slice that is shown."""
    if view.part == "lungs" and view.heat.max() > 0:
        return int(view.heat.max(axis=(1, 2)).argmax())
    if view.reference is not None and view.reference.any():
        return int(view.reference.sum(axis=(1, 2)).argmax())
    return int(view.image.shape[0] // 2)


def _label(axes: Axes, views: Sequence[AttentionView]) -> None:
    first = views[0]
    name = first.case_id if len(first.case_id) <= 20 else f"{first.case_id[:9]}…{first.case_id[-9:]}"
    words = [name, f"is {first.label}", f"{first.positive} {first.prob:.2f}", f"({first.why})"]
    lines = [line for one in words for line in broken_lines(one, points=_WORDS, size=7.5, most=2)]
    axes.text(
        1.0, 0.5, "\n".join(lines), ha="right", va="center", fontsize=7.5, transform=axes.transAxes, parse_math=False
    )
    axes.set_axis_off()


def _slice(plain: Axes, covered: Axes, view: AttentionView) -> None:
    at = shown_slice(view)
    low, high = view.window_hu
    hu = (np.asarray(view.image[at], dtype=np.float32) + 1) / 2 * (high - low) + low
    heat = np.asarray(view.heat[at], dtype=np.float32)
    look: dict[str, Any] = {"aspect": view.spacing_mm[1] / view.spacing_mm[2]}
    for axes in (plain, covered):
        axes.imshow(hu, cmap="gray", vmin=LUNG_HU[0], vmax=LUNG_HU[1], interpolation="bicubic", **look)
        axes.set_axis_off()
    _outline(plain, view, at)
    apart = int(view.heat.max(axis=(1, 2)).argmax()) - at
    said = (
        "nothing speaks for it" if view.heat.max() <= 0 else f"peak {apart:+d} slices away" if heat.max() < 0.5 else ""
    )
    covered.text(0.5, 0.04, said, ha="center", fontsize=7, color="white", transform=covered.transAxes)
    covered.imshow(
        heat, cmap=_COLOURS, vmin=0, vmax=1, alpha=np.clip(0.75 * heat, 0, 0.75), interpolation="bilinear", **look
    )
    levels = [one for one in _LEVELS if heat.min() < one < heat.max()]
    if levels:
        widths = [0.9 if one == _LEVELS[0] else 1.8 for one in levels]
        covered.contour(heat, levels=levels, colors="white", linewidths=widths)


def _outline(axes: Axes, view: AttentionView, at: int) -> None:
    if view.reference is None:
        return
    plane: AnyArray = np.asarray(view.reference[at], dtype=np.float32)
    if plane.min() < 0.5 <= plane.max():
        axes.contour(plane, levels=[0.5], colors=[REFERENCE], linewidths=1.2)


def _words(views: Sequence[AttentionView], title: str) -> str:
    said = []
    for one in views:
        z, y, x = np.unravel_index(int(one.heat.argmax()), one.heat.shape)
        size = one.heat.shape
        where = "no voxel speaks for it"
        if one.heat.max() > 0:
            where = f"maximum at {z / size[0]:.0%} along z, {y / size[1]:.0%} along y, {x / size[2]:.0%} along x"
        said.append(f"{one.case_id} ({one.label}, {one.positive} {one.prob:.2f}, {one.why}), {one.part}: {where}")
    return f"Grad-CAM of {title}. {'; '.join(said)}."


def _caption(views: Sequence[AttentionView]) -> str:
    text = f"Where the first fold's model finds what speaks for {views[0].positive}, on test cases."
    if any(one.reference is not None for one in views):
        text += " Amber: the expert's outline."
    text += " White: half and four fifths of the map's maximum."
    rhos = [one.random_rho for one in views if one.random_rho is not None]
    if rhos:
        text += (
            f" Rank correlation with the maps of the same network with random weights: {np.mean(rhos):.2f} on average "
            f"({min(rhos):.2f} to {max(rhos):.2f})."
        )
    empty = sum(one.heat.max() <= 0 for one in views)
    return text + (f" {empty} of {len(views)} maps are empty." if empty else "")
