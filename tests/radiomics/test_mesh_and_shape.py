"""Mesh and morphology against bodies whose numbers are known, and against slow second versions."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial import ConvexHull
from scipy.special import eval_legendre

from hounsfield.radiomics import shape
from hounsfield.radiomics.mesh import configurations, mesh_of
from hounsfield.radiomics.processing import Region

RNG = np.random.default_rng(1)
UNIT = (1.0, 1.0, 1.0)


def ball(radius: float, size: int = 31) -> np.ndarray:
    grid = np.stack(np.meshgrid(*[np.arange(size) - size // 2] * 3, indexing="ij"))
    return np.linalg.norm(grid, axis=0) <= radius


def blob(seed: int, shape_: tuple[int, int, int] = (11, 12, 13)) -> np.ndarray:
    smooth = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape_), 1.5)
    return smooth > np.quantile(smooth, 0.6)


def all_vertices(mask: np.ndarray) -> np.ndarray:
    """Every vertex of the mesh: half-way between a voxel inside and a neighbour outside."""
    padded = np.pad(mask, 1)
    points = []
    for axis in range(3):
        first = np.moveaxis(padded, axis, 0)
        for index in np.argwhere(first[1:] != first[:-1]):
            point = index.astype(float)
            point[0] += 0.5
            points.append(np.insert(point[1:], axis, point[0]) - 1)
    return np.array(points)


def test_one_voxel_is_an_octahedron():
    # Six vertices half a voxel from the centre: volume 4/3 r3 with r = 1/2, eight faces of side sqrt(2)/2.
    mesh = mesh_of(np.ones((1, 1, 1), bool), UNIT)
    assert mesh.volume == pytest.approx(1 / 6)
    assert mesh.area == pytest.approx(8 * np.sqrt(3) / 4 * 0.5)
    stretched = mesh_of(np.ones((1, 1, 1), bool), (3.0, 2.0, 0.5))
    assert stretched.volume == pytest.approx(3.0 / 6)


@pytest.mark.parametrize("size", [2, 5])
def test_a_cube_with_cut_edges(size: int):
    # Planes half a voxel outside of the outer centres, its 12 edges cut at 45 degrees, its corners cut off:
    # six faces of (n-1)2, twelve strips (n-1) x sqrt(2)/2, eight triangles of side sqrt(2)/2.
    n = size - 1
    mesh = mesh_of(np.ones((size,) * 3, bool), UNIT)
    assert mesh.area == pytest.approx(6 * n**2 + 12 * n * np.sqrt(0.5) + 8 * np.sqrt(3) / 8)
    # The body is the inner cube, six slabs n2/2, twelve prisms n/8, eight corners of 1/48.
    assert mesh.volume == pytest.approx(n**3 + 6 * n**2 / 2 + 12 * n / 8 + 8 / 48)


def test_a_ball_and_its_printed_values():
    # scikit-image 0.26, marching_cubes(method="lorensen", level=0.5) of the same ball
    mesh = mesh_of(ball(10), UNIT)
    assert mesh.volume == pytest.approx(4147.8335, abs=2e-3)
    assert mesh.area == pytest.approx(1372.042, abs=2e-3)
    thick = mesh_of(ball(10), (2.5, 0.7, 0.7))
    assert (thick.volume, thick.area) == (pytest.approx(5081.096, abs=2e-3), pytest.approx(1932.236, abs=2e-3))


def test_mesh_does_not_depend_on_place_or_block(monkeypatch: pytest.MonkeyPatch):
    mask = ball(6, 21)
    whole = configurations(np.pad(mask, 4))[1:]
    np.testing.assert_array_equal(configurations(mask[4:17, 4:17, 4:17])[1:], whole)  # touching every border
    monkeypatch.setattr("hounsfield.radiomics.mesh._SLAB", 3)
    np.testing.assert_array_equal(configurations(np.pad(mask, 4))[1:], whole)


def test_a_mesh_is_closed():
    # Turned inside out, a body and its complement in a box share one surface, and their volumes fill the box's.
    mask = np.pad(blob(3), 1)
    outer = mesh_of(np.ones(mask.shape, bool), UNIT)
    area = sum(mesh_of(part, UNIT).area for part in (mask, ~mask))
    assert area == pytest.approx(2 * mesh_of(mask, UNIT).area + outer.area, rel=0.01)


@pytest.mark.parametrize("seed", range(4))
def test_diameters_by_brute_force(seed: int):
    mask = blob(seed)
    spacing = (2.0, 0.7, 0.8)
    found = shape.features(mask, spacing)
    points = all_vertices(mask)
    scaled = points * spacing
    distance = np.linalg.norm(scaled[:, None] - scaled, axis=2)
    assert found["maximum_3d_diameter"] == pytest.approx(distance.max())
    for axis, name in enumerate(("slice", "column", "row")):
        same = points[:, None, axis] == points[None, :, axis]
        assert found[f"maximum_2d_diameter_{name}"] == pytest.approx(distance[same].max())


def test_extreme_spacing_is_only_a_stretch():
    mask = blob(5)
    plain, thin = shape.features(mask, UNIT), shape.features(mask, (1e-3, 10.0, 10.0))
    for name in ("volume_density_hull", "volume_density_box"):
        assert thin[name] == pytest.approx(plain[name])
    hull = ConvexHull(all_vertices(mask))
    assert plain["volume_density_hull"] == pytest.approx(plain["mesh_volume"] / hull.volume)
    assert plain["area_density_hull"] == pytest.approx(plain["surface_area"] / hull.area)


def test_axes_of_a_rod():
    # N points a step apart: variance with N - 1 is N (N + 1) / 12
    found = shape.features(np.ones((9, 1, 1), bool), (2.0, 1.0, 1.0))
    assert found["major_axis_length"] == pytest.approx(4 * 2 * np.sqrt(9 * 10 / 12))
    assert found["minor_axis_length"] == found["elongation"] == found["flatness"] == 0
    assert np.isnan(found["volume_density_ellipsoid"])
    assert found["voxel_volume"] == 18


def test_a_single_voxel_has_no_axes():
    found = shape.features(np.ones((1, 1, 1), bool), UNIT)
    assert np.isnan(found["elongation"])
    assert found["maximum_3d_diameter"] == 1


def test_a_ball_is_round():
    found = shape.features(ball(14), UNIT)
    assert found["voxel_volume"] == pytest.approx(4 / 3 * np.pi * 14**3, rel=0.01)
    assert found["sphericity"] == pytest.approx(1, abs=0.1)  # the mesh of a digital ball has steps
    assert found["flatness"] == pytest.approx(1)
    # A solid ball's variance along any axis is r2 / 5, so the "axis" is 4 r / sqrt(5), not 2 r.
    assert found["major_axis_length"] == pytest.approx(4 * 14 / np.sqrt(5), rel=2e-3)
    assert found["volume_density_ellipsoid"] == pytest.approx((np.sqrt(5) / 2) ** 3, rel=5e-3)
    assert found["volume_density_box"] == pytest.approx(np.pi / 6 * (28 / 29) ** 3, rel=5e-3)
    assert found["sphericity"] * found["spherical_disproportion"] == pytest.approx(1)
    assert found["compactness_2"] == pytest.approx(found["sphericity"] ** 3)
    assert found["asphericity"] == pytest.approx(found["spherical_disproportion"] - 1)


@pytest.mark.parametrize("axes", [(3.0, 3.0, 3.0), (3.0, 2.0, 1.5), (5.0, 4.9, 1.0)])
def test_ellipsoid_area_is_the_manuals_series(axes: tuple[float, float, float]):
    a, b, c = axes
    alpha, beta = np.sqrt(1 - b**2 / a**2), np.sqrt(1 - c**2 / a**2)
    v = np.arange(21)
    if alpha:
        terms = (alpha * beta) ** v / (1 - 4 * v**2) * eval_legendre(v, (alpha**2 + beta**2) / (2 * alpha * beta))
    else:  # a ball
        terms = np.ones(1)
    assert shape._ellipsoid_area(a, b, c) == pytest.approx(4 * np.pi * a * b * terms.sum())


def test_the_manuals_ellipsoid_area_is_not_the_area_of_an_oblate_one():
    # Oblate, 3 3 1.5: 2 pi a2 (1 + (1 - e2) / e artanh e) = 78.05
    assert shape._ellipsoid_area(3, 3, 1.5) == pytest.approx(96.65, abs=0.01)


def test_autocorrelation_by_all_pairs():
    mask = blob(7, (5, 6, 7))
    image = RNG.normal(40, 30, mask.shape).astype(np.float32)
    spacing = (2.0, 0.7, 0.8)
    region = Region(image, mask, mask, mask.astype(np.int32), 1, spacing)
    found = shape.with_intensity(region)
    points, x = np.argwhere(mask) * spacing, image[mask].astype(float)
    off = x - x.mean()
    weights = cross = squares = 0.0
    for i, j in combinations(range(len(x)), 2):
        w = 1 / np.linalg.norm(points[i] - points[j])
        weights += 2 * w
        cross += 2 * w * off[i] * off[j]
        squares += 2 * w * (x[i] - x[j]) ** 2
    n, spread = len(x), (off**2).sum()
    assert found["moran_i"] == pytest.approx(n / weights * cross / spread)
    assert found["geary_c"] == pytest.approx((n - 1) / (2 * weights) * squares / spread)


def test_centre_of_mass_shift_by_hand():
    # Two voxels 2 mm apart of 10 and 30 HU: the centre of mass is at 3/4 of the way, the centre at 1/2
    mask = np.ones((2, 1, 1), bool)
    image = np.array([10, 30], np.float32).reshape(2, 1, 1)
    region = Region(image, mask, mask, mask.astype(np.int32), 1, (2.0, 1.0, 1.0))
    found = shape.with_intensity(region)
    assert found["centre_of_mass_shift"] == pytest.approx(0.5)
    assert found["integrated_intensity"] == pytest.approx(20 * mesh_of(mask, (2.0, 1.0, 1.0)).volume)


def test_every_pattern_has_its_mirror_image():
    # The mesh may not depend on the side from which a lesion is looked at.
    for code, axis in product((1, 6, 22, 24, 105, 90, 150, 60), range(3)):
        bits = np.array([code >> bit & 1 for bit in range(8)], bool).reshape(2, 2, 2)
        assert mesh_of(np.flip(bits, axis), UNIT).area == pytest.approx(mesh_of(bits, UNIT).area)
