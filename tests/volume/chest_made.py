"""A chest made of ellipsoids and tubes, so that the truth about its lungs is known; every oddity is an option.

Zero is the middle of the chest, in mm (z, y, x); z grows to the head, y to the back, x to the patient's left.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hounsfield.phantom.shapes import blend, capsule_mm, cylinder_mm, ellipsoid_mm, filled, grid_mm
from hounsfield.volume.volume import Volume

SPACING = (3.0, 2.0, 2.0)
SHAPE = (100, 150, 190)
LUNGS = {1: ((10.0, 0.0, -74.0), (115.0, 74.0, 56.0)), 2: ((10.0, 0.0, 72.0), (115.0, 70.0, 52.0))}
DOME = ((-150.0, 0.0, 0.0), (90.0, 95.0, 145.0))  # diaphragm and what lies beneath it
STOMACH = ((-86.0, -5.0, 70.0), (18.0, 25.0, 30.0))
CARINA = (25.0, 5.0, 0.0)
NODULE = ((5.0, 0.0, -130.0), 13.0)  # its centre lies on the right lung's outer edge


@dataclass(frozen=True)
class Made:
    """The CT, the lungs' truth (1 right, 2 left), and masks of what is no lung."""

    ct: Volume
    truth: np.ndarray
    parts: dict[str, np.ndarray] = field(default_factory=dict)


def make_chest(
    *,
    spacing: tuple[float, float, float] = SPACING,
    shape: tuple[int, int, int] = SHAPE,
    lung_hu: float = -850.0,
    heart_hu: float = 40.0,
    without: tuple[int, ...] = (),
    line_mm: float | None = None,
    nodule: bool = False,
    noise_hu: float = 20.0,
) -> Made:
    """Draws a chest on a table; `without` fills these lungs with tissue, `line_mm` is what parts them in front."""
    grid = grid_mm(shape, spacing, zero_at=tuple((n - 1) / 2 for n in shape))
    edge = float(np.mean(spacing[1:]))
    image = np.full(shape, -1000.0, dtype=np.float32)
    plane = (grid[0][:1] * 0, grid[1], grid[2])
    for hu, height, half in ((-100.0, 112.0, 165.0), (40.0, 100.0, 150.0)):
        blend(image, hu, filled(ellipsoid_mm(plane, (0, 0, 0), (1e5, height, half)), edge))
    blend(image, heart_hu, filled(ellipsoid_mm(grid, (-40.0, -20.0, 10.0), (40.0, 40.0, 30.0)), edge))
    blend(image, 300.0, filled(cylinder_mm(grid, (0, 80.0, 0), (1, 0, 0), 17.0), edge))
    distance = {side: _lung(grid, side, line_mm) for side in LUNGS if side not in without}
    truth = np.zeros(shape, dtype=np.uint8)
    for side, signed in distance.items():
        blend(image, lung_hu, filled(signed, edge))
        truth[signed < 0] = side
        _vessels(image, grid, side, edge, signed)
    if nodule:
        ball = ellipsoid_mm(grid, NODULE[0], (NODULE[1],) * 3)
        blend(image, 40.0, filled(ball, edge))
    parts = _airways_and_stomach(image, grid, edge)
    parts["table"] = _table(image, grid)
    truth[parts.pop("stomach wall")] = 0
    parts["bronchi"] = parts["bronchi"] & (truth == 0)
    if nodule:
        parts["nodule"] = np.broadcast_to(ball < 0, shape) & (truth == 1)
    image += np.random.default_rng(0).normal(0, noise_hu, shape).astype(np.float32)
    origin = tuple(float(-(n - 1) / 2 * s) for n, s in zip(shape[::-1], spacing[::-1], strict=True))
    return Made(Volume(np.clip(np.rint(image), -1024, 3071).astype(np.int16), spacing, origin), truth, parts)


def _lung(grid, side: int, line_mm: float | None) -> np.ndarray:
    signed = ellipsoid_mm(grid, *LUNGS[side])
    if line_mm is not None:  # a tongue before the heart that ends beside the middle
        x = grid[2] if side == 2 else -grid[2]
        tongue = ellipsoid_mm(grid, (40.0, -50.0, 0.0), (40.0, 14.0, 60.0))
        signed = np.minimum(signed, np.maximum(tongue, np.float32(line_mm / 2) - x))
    return np.maximum(signed, -ellipsoid_mm(grid, *DOME))


def _vessels(image, grid, side, edge, signed) -> None:
    (z, y, x), _ = LUNGS[side]
    sign = 1 if side == 2 else -1
    for angle in np.linspace(-1.2, 1.2, 4):
        tip = (z + 60 * np.sin(angle), y + 35 * np.cos(3 * angle), x + sign * 25 * np.cos(angle))
        rod = np.maximum(capsule_mm(grid, (15.0, y, sign * 26.0), tip, 2.5), signed)
        blend(image, 40.0, filled(rod, edge))


def _airways_and_stomach(image, grid, edge) -> dict[str, np.ndarray]:
    top = (400.0, CARINA[1], 0.0)
    trunk = capsule_mm(grid, CARINA, top, 9.0)
    walls = [capsule_mm(grid, CARINA, (5.0, 5.0, sign * 30.0), 8.0) for sign in (-1, 1)]
    # The lumen goes on past its wall and opens into the lung: a threshold alone leads from one lung to the other.
    branches = [capsule_mm(grid, CARINA, (3.0, 5.0, sign * 42.0), 6.0) for sign in (-1, 1)]
    for tube in (trunk - np.float32(2.0), *walls):
        blend(image, 40.0, filled(tube, edge))
    for tube in (trunk, *branches):
        blend(image, -1000.0, filled(tube, edge))
    gas = ellipsoid_mm(grid, *STOMACH)
    blend(image, 40.0, filled(gas - 4.0, edge))
    blend(image, -1000.0, filled(gas, edge))
    bronchi = np.minimum(*branches) < 0
    found = {"trachea": trunk < 0, "bronchi": bronchi, "stomach": gas < 0, "stomach wall": gas < 4.0}
    return {name: np.broadcast_to(mask, image.shape) for name, mask in found.items()}


def _table(image, grid) -> np.ndarray:
    """A hollow table with a thin shell, 10 mm below the body's middle line so that air lies between both at its
    sides."""
    inside = np.broadcast_to((grid[1] > 116) & (grid[1] < 140), image.shape)
    shell = inside & ~np.broadcast_to((grid[1] > 120) & (grid[1] < 136), image.shape)
    image[inside] = -930.0
    image[shell] = 100.0
    return inside
