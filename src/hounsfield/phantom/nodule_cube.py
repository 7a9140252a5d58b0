"""One nodule in a small cube of lung: a geometry goes in, CT numbers and the exact masks of its parts come out.

Vessels and chest wall are drawn outside the nodule's mask only, so that no voxel of the mask depends on them: an arm
that sees nothing but the masked nodule can then not be misled by what touches it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from hounsfield.core.types import BoolArray, FloatArray
from hounsfield.phantom.shapes import Grid, blend, cylinder_mm, ellipsoid_mm, filled, grid_mm, half_space_mm

Point = tuple[float, float, float]


@dataclass(frozen=True)
class Tissue:
    """CT numbers in HU; the defaults are those of the published system's phantom."""

    lung: float = -850.0
    ground_glass: float = -600.0
    core: float = -50.0
    vessel: float = 40.0
    wall: float = 40.0
    noise_sd: float = 50.0


@dataclass(frozen=True)
class NoduleGeometry:
    """What stands where, in mm and (z, y, x) from the nodule's centre.

    Args:
        radii_mm: half axes of the ground-glass ellipsoid.
        core_fraction: part of the ellipsoid's volume that is solid, in [0, 1].
        core_shift: the core's centre, in [-1, 1] per axis and of length at most 1; at length 1 it touches the surface.
        vessels: each a point and an axis; 3 mm wide unless `vessel_radius_mm` says otherwise.
        wall: outward normal and distance of the chest wall, None for no wall in sight.
    """

    radii_mm: Point
    core_fraction: float = 0.0
    core_shift: Point = (0.0, 0.0, 0.0)
    vessels: tuple[tuple[Point, Point], ...] = ()
    vessel_radius_mm: float = 1.5
    wall: tuple[Point, float] | None = None

    def __post_init__(self) -> None:
        if min(self.radii_mm) <= 0:
            raise ValueError(f"radii_mm is (z, y, x) in mm, all above 0; got {self.radii_mm}.")
        if not 0 <= self.core_fraction <= 1:
            raise ValueError(f"core_fraction is a part of the volume in [0, 1]; got {self.core_fraction}.")


@dataclass(frozen=True)
class NoduleCube:
    """A drawn cube: CT numbers and what they were made of, all (z, y, x)."""

    image: FloatArray
    mask: BoolArray
    core: BoolArray
    vessel: BoolArray
    geometry: NoduleGeometry = field(repr=False)


def draw_nodule_cube(
    geometry: NoduleGeometry,
    *,
    noise: np.random.Generator | None,
    size: int = 32,
    spacing_mm: Sequence[float] = (1.0, 0.7, 0.7),
    tissue: Tissue | None = None,
) -> NoduleCube:
    """Draws one nodule, its centre at index `size // 2` of every axis.

    Args:
        noise: where the noise comes from; None draws none.
    Returns: float32 HU and three masks; a voxel belongs to a part that fills at least half of it.
    """
    tissue = tissue or Tissue()
    grid = grid_mm((size,) * 3, spacing_mm, zero_at=(size // 2,) * 3)
    edge = float(np.mean(spacing_mm))
    image = np.full((size,) * 3, tissue.lung, dtype=np.float32)
    mask, core = draw_nodule(image, grid, edge, geometry, tissue)
    vessel = _draw_surroundings(image, mask, grid, edge, geometry, tissue)
    if noise is not None:
        image += noise.standard_normal(image.shape, dtype=np.float32) * np.float32(tissue.noise_sd)
    return NoduleCube(image, mask, core, vessel, geometry)


def draw_nodule(
    image: FloatArray, grid: Grid, edge_mm: float, geometry: NoduleGeometry, tissue: Tissue
) -> tuple[BoolArray, BoolArray]:
    """Draws ground glass and core, without surroundings, into `image` in place; zero of `grid` is the centre.

    Returns: the masks of the nodule and of its core.
    """
    nodule = filled(ellipsoid_mm(grid, (0.0, 0.0, 0.0), geometry.radii_mm), edge_mm)
    blend(image, tissue.ground_glass, nodule)
    mask = np.asarray(nodule >= 0.5)
    scale = geometry.core_fraction ** (1 / 3)
    if scale == 0:
        return mask, np.zeros(image.shape, dtype=bool)
    # A copy scaled by s fits inside wherever its centre is shifted by less than (1 - s) of the half axes.
    centre = [u * (1 - scale) * r for u, r in zip(geometry.core_shift, geometry.radii_mm, strict=True)]
    core = np.minimum(filled(ellipsoid_mm(grid, centre, [r * scale for r in geometry.radii_mm]), edge_mm), nodule)
    blend(image, tissue.core, core)
    return mask, np.asarray((core >= 0.5) & mask)


def _draw_surroundings(
    image: FloatArray, mask: BoolArray, grid: Grid, edge: float, geometry: NoduleGeometry, tissue: Tissue
) -> BoolArray:
    vessel = np.zeros(image.shape, dtype=bool)
    outside = ~mask
    for point, axis in geometry.vessels:
        fraction = filled(cylinder_mm(grid, point, axis, geometry.vessel_radius_mm), edge) * outside
        blend(image, tissue.vessel, fraction)
        vessel |= fraction >= 0.5
    if geometry.wall is not None:
        fraction = filled(half_space_mm(grid, *geometry.wall), edge) * outside
        blend(image, tissue.wall, fraction)
        vessel &= fraction < 0.5
    return vessel
