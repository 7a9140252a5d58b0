"""The surroundings of phantom nodules: body, lungs, spine, ribs and vessels, drawn in HU on a grid in mm.

Zero of the grid is the middle of the thorax; y grows to the back and x to the patient's left, as in LPS.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from hounsfield.core.types import FloatArray
from hounsfield.phantom.nodule_cube import Point, Tissue
from hounsfield.phantom.shapes import Grid, blend, capsule_mm, cylinder_mm, ellipsoid_mm, filled

AIR, FAT, MUSCLE, BONE = -1000.0, -100.0, 40.0, 350.0


@dataclass(frozen=True)
class Thorax:
    """Width across and length along z in mm; all else is in proportion."""

    width_mm: float
    length_mm: float


@dataclass(frozen=True)
class Lung:
    """An ellipsoid, (z, y, x) in mm."""

    centre_mm: Point
    radii_mm: Point


def lungs_of(thorax: Thorax) -> tuple[Lung, Lung]:
    """Right and left lung (the patient's right is at negative x)."""
    width = thorax.width_mm
    radii = (0.75 * thorax.length_mm, 0.29 * width, 0.19 * width)
    return Lung((0.0, -0.01 * width, -0.245 * width), radii), Lung((0.0, 0.0, 0.245 * width), radii)


def draw_thorax(grid: Grid, thorax: Thorax, rng: np.random.Generator) -> FloatArray:
    """Body, bones, lungs and vessels without noise, float32 HU."""
    width = thorax.width_mm
    edge = _edge(grid)
    endless = 50 * thorax.length_mm
    image = np.full(tuple(axis.size for axis in grid), AIR, dtype=np.float32)
    plane: Grid = (grid[0][:1] * 0, grid[1], grid[2])
    for value, height, half in ((FAT, 0.40, 0.50), (MUSCLE, 0.38, 0.48)):
        blend(image, value, filled(ellipsoid_mm(plane, (0, 0, 0), (endless, height * width, half * width)), edge))
    blend(image, BONE, filled(cylinder_mm(plane, (0, 0.28 * width, 0), (1, 0, 0), 0.055 * width), edge))
    lungs = lungs_of(thorax)
    _draw_ribs(image, grid, lungs, edge)
    lung_hu = Tissue().lung + rng.normal(0, 15)
    for lung in lungs:
        blend(image, lung_hu, filled(ellipsoid_mm(grid, lung.centre_mm, lung.radii_mm), edge))
        for start, end, radius in _vessels(lung, rng):
            _draw_rod(image, grid, start, end, radius, edge)
    return image


def _draw_ribs(image: FloatArray, grid: Grid, lungs: Sequence[Lung], edge: float) -> None:
    """Ribs run around the lungs and downwards to the front, 20 mm apart; they are seen as spots in axial slices."""
    bottom, top = float(grid[0].min()), float(grid[0].max())
    for lung in lungs:
        side = np.sign(lung.centre_mm[2])
        for level in np.arange(bottom - 10, top + 30, 20.0):
            angles = np.radians(np.linspace(-50, 60, 7))
            centre, radii = np.asarray(lung.centre_mm), np.asarray(lung.radii_mm)
            points = [
                np.array([level + 12 * np.sin(a), centre[1] + (radii[1] + 3) * np.sin(a), centre[2]])
                + np.array([0, 0, side * (radii[2] + 3) * np.cos(a)])
                for a in angles
            ]
            for start, end in pairwise(points):
                _draw_rod(image, grid, start, end, 2.5, edge, value=BONE)


def _vessels(lung: Lung, rng: np.random.Generator) -> list[tuple[FloatArray, FloatArray, float]]:
    """Rods of a vessel tree from the hilum outwards, thinner with every fork, all inside the lung."""
    centre, radii = np.asarray(lung.centre_mm), np.asarray(lung.radii_mm)
    hilum = centre - np.array([0, 0, np.sign(centre[2]) * 0.9 * radii[2]])
    rods = []
    tips = [(hilum, _towards(rng, centre + rng.uniform(-0.6, 0.6, 3) * radii - hilum), 2.2) for _ in range(7)]
    while tips:
        start, direction, radius = tips.pop()
        end = start + direction * rng.uniform(8, 14)
        if np.linalg.norm((end - centre) / radii) > 0.95:
            continue
        rods.append((start, end, radius))
        if radius > 0.6:
            tips += [(end, _towards(rng, direction), radius * rng.uniform(0.65, 0.85)) for _ in range(2)]
    return rods


def _towards(rng: np.random.Generator, direction: FloatArray) -> FloatArray:
    bent = direction / np.linalg.norm(direction) + rng.normal(0, 0.35, size=3)
    return np.asarray(bent / np.linalg.norm(bent))


def _draw_rod(
    image: FloatArray,
    grid: Grid,
    start: FloatArray,
    end: FloatArray,
    radius: float,
    edge: float,
    *,
    value: float = Tissue().vessel,
) -> None:
    """Draws one rod, looking only at the box around it: there are hundreds in a chest."""
    low, high = np.minimum(start, end) - radius - edge, np.maximum(start, end) + radius + edge
    box = []
    for axis, a, b in zip(grid, low, high, strict=True):
        inside = np.flatnonzero((axis.ravel() >= a) & (axis.ravel() <= b))
        if not inside.size:
            return
        box.append(slice(int(inside[0]), int(inside[-1]) + 1))
    part: Grid = (grid[0][box[0]], grid[1][:, box[1]], grid[2][:, :, box[2]])
    blend(image[tuple(box)], value, filled(capsule_mm(part, start, end, radius), edge))


def _edge(grid: Grid) -> float:
    return float(np.mean([np.diff(axis.ravel()[:2])[0] if axis.size > 1 else 1.0 for axis in grid]))
