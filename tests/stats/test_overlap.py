"""Overlap and distance of masks: two balls by formula, boxes by hand, brute force, and empty masks."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from hounsfield.core.errors import MaskError
from hounsfield.stats.overlap import assd, dice, hd95, iou, surface_dice, surface_distance, volume_error


def ball(centre: tuple[float, float, float], radius: float, step: float = 1.0, size: int = 40) -> np.ndarray:
    grid = np.arange(0, size, step)
    z, y, x = np.meshgrid(grid, grid, grid, indexing="ij")
    return np.asarray((z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2 <= radius**2)


def dice_of_balls(r1: float, r2: float, d: float) -> float:
    """Lens of two overlapping balls over the sum of their volumes (mathworld.wolfram.com/Sphere-SphereIntersection)."""
    common = math.pi * (r1 + r2 - d) ** 2 * (d * d + 2 * d * (r1 + r2) - 3 * (r1 - r2) ** 2) / (12 * d)
    return 2 * common / (4 / 3 * math.pi * (r1**3 + r2**3))


@pytest.mark.parametrize(("r1", "r2", "d", "printed"), [(10, 10, 2, 0.8505), (10, 10, 5, 0.6328), (6, 6, 1, 0.8753)])
def test_two_balls_on_a_fine_grid(r1: float, r2: float, d: float, printed: float) -> None:
    assert dice_of_balls(r1, r2, d) == pytest.approx(printed, abs=5e-5)
    a, b = ball((15, 15, 15), r1, step=0.25, size=32), ball((15, 15, 15 + d), r2, step=0.25, size=32)
    assert dice(a, b) == pytest.approx(printed, abs=1e-3)


def test_balls_on_a_1_mm_grid() -> None:  # Wang et al. 2021, recomputed: 0.8508 and, concentric, 0.6719
    assert dice(ball((20, 20, 20), 10), ball((20, 20, 22), 10)) == pytest.approx(0.8508, abs=5e-5)
    assert dice(ball((20, 20, 20), 10), ball((20, 20, 20), 8)) == pytest.approx(0.6719, abs=5e-5)


def test_dice_and_iou_by_hand() -> None:  # 3 and 4 voxels with 2 in common: 4 / 7 and 2 / 5
    a, b = [1, 1, 1, 0, 0, 0], [0, 1, 1, 1, 1, 0]
    assert dice(a, b) == pytest.approx(4 / 7)
    assert iou(a, b) == pytest.approx(2 / 5)
    assert dice(a, a) == iou(a, a) == 1
    assert dice([1, 0], [0, 1]) == iou([1, 0], [0, 1]) == 0


def test_empty_masks() -> None:
    nothing, something = np.zeros((3, 3, 3), dtype=bool), ball((1, 1, 1), 1, size=3)
    assert math.isnan(dice(nothing, nothing))
    assert math.isnan(iou(nothing, nothing))
    assert all(map(math.isnan, surface_distance(nothing, nothing, spacing_mm=(1, 1, 1))))
    assert dice(something, nothing) == dice(nothing, something) == 0
    assert surface_distance(something, nothing, spacing_mm=(1, 1, 1)) == (math.inf, math.inf)
    assert assd(nothing, something, spacing_mm=(1, 1, 1)) == math.inf


def test_bad_masks_are_named() -> None:
    with pytest.raises(MaskError, match="one grid"):
        dice(np.zeros((2, 2)), np.zeros((2, 3)))
    with pytest.raises(MaskError, match="Threshold a probability"):
        dice([0.2, 0.9], [0, 1])
    with pytest.raises(MaskError, match="predicted is a mask of 0 and 1"):
        dice([0, 1], [0, 2])
    for spacing in ((1.0, 1.0), (1.0, 0.0, 1.0), (1.0, math.nan, 1.0)):
        with pytest.raises(MaskError, match="spacing_mm has 3 sizes"):
            hd95(np.ones((2, 2, 2)), np.ones((2, 2, 2)), spacing_mm=spacing)


def test_two_points_lie_apart_by_the_spacing() -> None:  # 2 slices of 2.5 mm and 4 columns of 0.7 mm
    a, b = np.zeros((5, 6, 7), dtype=bool), np.zeros((5, 6, 7), dtype=bool)
    a[1, 2, 1], b[3, 2, 5] = True, True
    apart = math.hypot(2 * 2.5, 4 * 0.7)
    assert surface_distance(a, b, spacing_mm=(2.5, 0.7, 0.7)) == pytest.approx((apart, apart))


def test_columns_by_hand() -> None:
    """In a column one voxel wide all voxels are surface: of 7 against 5, the outer 2 lie 2 mm from the other mask."""
    a, b = np.zeros((9, 1, 1), dtype=bool), np.zeros((9, 1, 1), dtype=bool)
    a[1:8], b[2:7] = True, True
    value, far = surface_distance(a, b, spacing_mm=(2.0, 1.0, 1.0))
    assert value == pytest.approx((2 + 2) / (7 + 5))
    assert far == 2.0  # of 0 0 0 0 0 2 2 the 95th percentile is at position 5.7, between the two last


def test_concentric_balls_are_the_difference_of_radii_apart() -> None:
    value, far = surface_distance(
        ball((20, 20, 20), 14, step=0.5), ball((20, 20, 20), 10, step=0.5), spacing_mm=(0.5, 0.5, 0.5)
    )
    assert value == pytest.approx(4.0, abs=0.25)  # half a voxel of rounding at each surface, mostly cancelling
    assert far == pytest.approx(4.0, abs=0.5)


def surface_points(mask: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """Voxels with a face neighbour outside the mask or beyond the border, by shifting a padded copy; in mm."""
    padded = np.pad(mask, 1)
    inside = padded.copy()
    for axis in range(mask.ndim):
        for step in (-1, 1):
            inside &= np.roll(padded, step, axis)
    edge = (padded & ~inside)[tuple(slice(1, -1) for _ in mask.shape)]
    return np.asarray(np.argwhere(edge) * np.array(spacing))


@pytest.mark.parametrize("seed", range(4))
def test_distances_by_all_pairs_of_points(seed: int) -> None:
    """Blobs that touch the border, on unequal spacing, against the full table of distances."""
    rng = np.random.default_rng(seed)
    spacing = (2.5, 0.7, 0.9)
    a = ball(tuple(rng.uniform(2, 9, 3)), rng.uniform(2, 5), size=12) | ball(tuple(rng.uniform(2, 9, 3)), 2, size=12)
    b = ball(tuple(rng.uniform(2, 9, 3)), rng.uniform(2, 5), size=12)
    table = cdist(surface_points(a, spacing), surface_points(b, spacing))
    there, back = table.min(axis=1), table.min(axis=0)
    expected = (np.concatenate([there, back]).mean(), max(np.percentile(there, 95), np.percentile(back, 95)))
    assert surface_distance(a, b, spacing_mm=spacing) == pytest.approx(expected, rel=1e-9)
    assert assd(b, a, spacing_mm=spacing) == pytest.approx(expected[0])
    assert hd95(b, a, spacing_mm=spacing) == pytest.approx(expected[1])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:monai.metrics:FutureWarning")
def test_distances_equal_monai() -> None:
    torch, monai = pytest.importorskip("torch"), pytest.importorskip("monai.metrics")
    spacing = (2.0, 0.7, 0.9)
    masks = [ball((12, 14, 15), 6, size=30), ball((13, 16, 14), 5, size=30)]
    reference, predicted = (torch.tensor(mask[None, None].astype(np.float32)) for mask in masks)
    settings = {"include_background": True, "spacing": spacing}
    mean = monai.compute_average_surface_distance(predicted, reference, symmetric=True, **settings).item()
    far = monai.compute_hausdorff_distance(predicted, reference, percentile=95, **settings).item()
    assert surface_distance(masks[0], masks[1], spacing_mm=spacing) == pytest.approx((mean, far), rel=1e-4)


def _ball(radius: float, shift: float = 0.0, size: int = 31) -> np.ndarray:
    grid = np.stack(np.meshgrid(*[np.arange(float(size))] * 3, indexing="ij")) - size // 2
    grid[2] -= shift
    return np.linalg.norm(grid, axis=0) <= radius


@pytest.mark.parametrize(
    ("first", "second", "shift", "assd_mm"),
    [(10, 8, 0, 1.944), (10, 10, 2, 0.998), (10, 10, 5, 2.349), (6, 6, 1, 0.548)],
)
def test_mean_distance_of_published_balls(first: float, second: float, shift: float, assd_mm: float) -> None:
    """Voxel-centred balls on a 1 mm grid with the 6-neighbour surface."""
    found = assd(_ball(first), _ball(second, shift), spacing_mm=(1.0, 1.0, 1.0))
    assert found == pytest.approx(assd_mm, abs=6e-4)


def test_threads_change_nothing() -> None:
    masks = _ball(9), _ball(7, 3)
    spacing = (2.0, 0.7, 0.7)
    assert surface_distance(*masks, spacing_mm=spacing, workers=2) == surface_distance(*masks, spacing_mm=spacing)


def test_surface_dice_by_all_pairs() -> None:
    rng = np.random.default_rng(4)
    a, b = rng.random((2, 7, 8, 6)) < 0.3
    spacing = (2.0, 1.0, 0.5)
    ends = []
    for mask in (a, b):
        padded = np.pad(mask, 1)
        inner = np.ones_like(mask)
        for axis, step in itertools.product(range(3), (-1, 1)):
            inner &= np.roll(padded, step, axis=axis)[1:-1, 1:-1, 1:-1]
        ends.append(np.argwhere(mask & ~inner) * spacing)
    apart = np.linalg.norm(ends[0][:, None] - ends[1][None], axis=-1)
    for tolerance in (0.0, 0.6, 1.5):
        near = (apart.min(axis=1) <= tolerance).sum() + (apart.min(axis=0) <= tolerance).sum()
        found = surface_dice(a, b, spacing_mm=spacing, tolerance_mm=tolerance)
        assert found == pytest.approx(near / (len(ends[0]) + len(ends[1])))


def test_surface_dice_and_volume_of_empty_masks() -> None:
    nothing, ball = np.zeros((31, 31, 31), dtype=bool), _ball(5)
    cube = (1.0, 1.0, 1.0)
    assert math.isnan(surface_dice(nothing, nothing, spacing_mm=cube, tolerance_mm=1))
    assert surface_dice(ball, nothing, spacing_mm=cube, tolerance_mm=1) == 0
    assert surface_dice(ball, ball, spacing_mm=cube, tolerance_mm=0) == 1
    assert surface_dice(_ball(10), _ball(8), spacing_mm=cube, tolerance_mm=3) == 1
    error, share = volume_error(nothing, nothing, spacing_mm=cube)
    assert error == 0
    assert math.isnan(share)
    assert volume_error(nothing, ball, spacing_mm=(2.0, 1.0, 1.0)) == (2 * ball.sum(), math.inf)
    assert volume_error(ball, nothing, spacing_mm=cube) == (-ball.sum(), -1)
    assert volume_error(_ball(10), _ball(8), spacing_mm=cube)[1] == pytest.approx((8 / 10) ** 3 - 1, abs=0.02)
    with pytest.raises(MaskError, match="0 or more"):
        surface_dice(ball, ball, spacing_mm=cube, tolerance_mm=-1)
