"""One case as three slices with the reference and the automatic contour. In: an `Example`. Out: one picture.

Slices pass through the largest area of the reference (else of the automatic) mask, in the lung window.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hounsfield.core.types import AnyArray, FloatArray
from hounsfield.report.content import Example
from hounsfield.report.style import PALETTE, Picture, page_style, picture

LUNG_HU = (-1350.0, 150.0)  # centre -600, width 1500
_PLANES = ("axial", "coronal", "sagittal")  # planes of a fixed index on axis 0 (z), 1 (y), 2 (x)
REFERENCE, AUTOMATIC = PALETTE[5], PALETTE[4]  # amber and sky blue: far apart in lightness on grey for every vision


def case_image(example: Example, *, name: str) -> Picture:
    """Axial, coronal and sagittal slice of one case; reference contour solid, automatic one dashed."""
    low, high = example.window_hu
    hu = (np.asarray(example.image, dtype=np.float32) + 1) / 2 * (high - low) + low
    place = _centre(example)
    with page_style():
        figure = Figure(figsize=(4.6, 1.85), layout="constrained")
        for axis, axes in enumerate(figure.subplots(1, 3)):
            _slice(axes, example, hu, axis=axis, at=place[axis])
        alt = f"Axial, coronal and sagittal slice of case {example.case_id}, lung window; reference {example.label}"
        alt += f"; Dice {example.dice:.2f}." if example.dice is not None and example.dice == example.dice else "."
        return picture(figure, name, example.case_id, alt, caption=example.caption, dpi=120)


def _centre(example: Example) -> tuple[int, int, int]:
    for mask in (example.reference, None if example.predicted is None else example.predicted >= 0.5):
        if mask is not None and np.any(mask):
            areas = [mask.sum(axis=tuple(other for other in range(3) if other != axis)) for axis in range(3)]
            return int(np.argmax(areas[0])), int(np.argmax(areas[1])), int(np.argmax(areas[2]))
    z, y, x = example.image.shape
    return z // 2, y // 2, x // 2


def _slice(axes: Axes, example: Example, hu: FloatArray, *, axis: int, at: int) -> None:
    rows, columns = [example.spacing_mm[other] for other in range(3) if other != axis]

    def cut(array: AnyArray) -> AnyArray:
        plane: AnyArray = np.take(array, at, axis=axis)
        return plane if axis == 0 else plane[::-1]  # head up, as coronal and sagittal images are read

    axes.imshow(cut(hu), cmap="gray", vmin=LUNG_HU[0], vmax=LUNG_HU[1], aspect=rows / columns, interpolation="bicubic")
    for mask, colour, dash in ((example.reference, REFERENCE, "solid"), (example.predicted, AUTOMATIC, "dashed")):
        if mask is not None:
            plane = cut(np.asarray(mask, dtype=np.float32))
            if plane.min() < 0.5 <= plane.max():
                axes.contour(plane, levels=[0.5], colors=[colour], linewidths=1.7, linestyles=[dash])
    axes.set_title(_PLANES[axis], fontsize=8, fontweight="normal", loc="center")
    axes.set_axis_off()
