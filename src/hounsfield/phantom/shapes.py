"""Shapes with soft edges: coordinates in mm go in, the fraction of each voxel that the shape fills comes out.

A voxel that a surface cuts holds a mixture of both sides (partial volume). It is found here from the signed distance
of the voxel's centre to the surface, which is exact for a plane and good to a few per cent for radii above two voxels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hounsfield.core.types import FloatArray

Vector = Sequence[float] | FloatArray
"""Three numbers (z, y, x) in mm."""

Grid = tuple[FloatArray, FloatArray, FloatArray]
"""Coordinates z, y, x in mm of voxel centres, shaped (z, 1, 1), (1, y, 1) and (1, 1, x) so that they broadcast."""


def grid_mm(shape: Sequence[int], spacing_mm: Sequence[float], *, zero_at: Sequence[float]) -> Grid:
    """Coordinates of a grid of `shape` whose zero is at the (fractional) index `zero_at`, all (z, y, x)."""
    axes = [
        ((np.arange(n, dtype=np.float32) - np.float32(z)) * np.float32(s))
        for n, s, z in zip(shape, spacing_mm, zero_at, strict=True)
    ]
    return axes[0][:, None, None], axes[1][None, :, None], axes[2][None, None, :]


def filled(distance_mm: FloatArray, edge_mm: float) -> FloatArray:
    """Fraction of each voxel that lies inside: 1 half an edge within the surface, 0 half an edge outside of it."""
    return np.asarray(np.clip(np.float32(0.5) - distance_mm / np.float32(edge_mm), 0, 1), dtype=np.float32)


def ellipsoid_mm(grid: Grid, centre: Vector, radii: Vector) -> FloatArray:
    """Signed distance to an ellipsoid along the axes, first order in the distance, below 0 inside.

    Args:
        centre, radii: (z, y, x) in mm.
    """
    unit = [((g - np.float32(c)) / np.float32(r)) for g, c, r in zip(grid, centre, radii, strict=True)]
    level = np.sqrt(sum(u * u for u in unit))
    slope = np.sqrt(sum((u / np.float32(r)) ** 2 for u, r in zip(unit, radii, strict=True)))
    # At the centre level and slope are both 0: the distance there is the smallest radius, whatever the direction.
    distance = np.where(slope > 0, (level - 1) * level / np.maximum(slope, np.float32(1e-12)), -min(radii))
    return np.asarray(distance, dtype=np.float32)


def cylinder_mm(grid: Grid, point: Vector, axis: Vector, radius: float) -> FloatArray:
    """Signed distance to an endless cylinder through `point` along `axis`, both (z, y, x) in mm."""
    direction = np.asarray(axis, dtype=np.float64) / np.linalg.norm(axis)
    offset = [g - np.float32(p) for g, p in zip(grid, point, strict=True)]
    along = sum(o * np.float32(d) for o, d in zip(offset, direction, strict=True))
    squared = sum(o * o for o in offset) - along * along
    return np.asarray(np.sqrt(np.maximum(squared, 0)) - np.float32(radius), dtype=np.float32)


def capsule_mm(grid: Grid, start: Vector, end: Vector, radius: float) -> FloatArray:
    """Signed distance to a rod with round ends from `start` to `end`, both (z, y, x) in mm."""
    line = np.asarray(end, dtype=np.float64) - np.asarray(start, dtype=np.float64)
    offset = [g - np.float32(s) for g, s in zip(grid, start, strict=True)]
    along = sum(o * np.float32(d) for o, d in zip(offset, line, strict=True)) / np.float32(line @ line)
    along = np.clip(along, 0, 1)
    squared = sum((o - along * np.float32(d)) ** 2 for o, d in zip(offset, line, strict=True))
    return np.asarray(np.sqrt(squared) - np.float32(radius), dtype=np.float32)


def half_space_mm(grid: Grid, normal: Vector, offset: float) -> FloatArray:
    """Signed distance to the half space beyond the plane at `offset` mm from zero along `normal` (z, y, x)."""
    direction = np.asarray(normal, dtype=np.float64) / np.linalg.norm(normal)
    along = sum(g * np.float32(d) for g, d in zip(grid, direction, strict=True))
    return np.asarray(np.float32(offset) - along, dtype=np.float32)


def blend(image: FloatArray, value: float, fraction: FloatArray) -> None:
    """Fills `image` in place with `value`, as far as `fraction` says."""
    image += (np.float32(value) - image) * fraction
