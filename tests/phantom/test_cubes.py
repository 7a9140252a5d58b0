"""Phantom cubes: what was asked to differ differs, what was asked to stay the same stays the same to the byte."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from hounsfield.core.errors import StudyError
from hounsfield.phantom.core_fraction import bayes_accuracy, core_fraction_density, draw_core_fraction
from hounsfield.phantom.cubes import (
    KINDS,
    CubeConfig,
    clean_cubes,
    confounder_cubes,
    draw_cubes,
    no_signal_cubes,
    shape_leak_cubes,
)
from hounsfield.phantom.nodule_cube import NoduleGeometry, Tissue, draw_nodule_cube


@pytest.mark.parametrize("radius", [6.0, 9.0])
def test_ball_of_known_volume(radius):  # 4/3 pi r^3, on a fine grid within 1 %
    cube = draw_nodule_cube(NoduleGeometry((radius,) * 3), noise=None, size=64, spacing_mm=(0.4, 0.4, 0.4))
    assert cube.mask.sum() * 0.064 == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.01)


def test_core_holds_its_share_of_the_volume():
    geometry = NoduleGeometry((8.0, 7.0, 9.0), core_fraction=0.4, core_shift=(0.5, -0.5, 0.3))
    cube = draw_nodule_cube(geometry, noise=None, size=64, spacing_mm=(0.4, 0.4, 0.4))
    assert cube.core.sum() / cube.mask.sum() == pytest.approx(0.4, abs=0.01)
    assert not (cube.core & ~cube.mask).any()


def test_partial_volume_keeps_the_mean_number():
    # Ground glass in lung differs by 250 HU; the sum of the excess is volume times 250, whatever the edge.
    cube = draw_nodule_cube(NoduleGeometry((6.0, 6.0, 6.0)), noise=None, size=32, spacing_mm=(0.7, 0.7, 0.7))
    excess = (cube.image + 850).sum() * 0.343 / 250
    assert excess == pytest.approx(4 / 3 * np.pi * 216, rel=0.01)


def test_hu_of_each_part_and_noise():
    geometry = NoduleGeometry((9, 9, 9), core_fraction=0.2, vessels=(((0, 13, 0), (1, 0, 0)),))
    still = draw_nodule_cube(geometry, noise=None, size=48, spacing_mm=(0.7, 0.7, 0.7))
    centre = 24
    assert still.image[centre, centre, centre] == -50
    assert still.image[centre, centre, centre + 11] == -600  # 7.7 mm out: beyond the core's 5.3 mm, within 9 mm
    assert still.image[0, 0, 0] == -850
    assert still.image[centre, centre + 19, centre] == 40  # 13.3 mm: inside the 3 mm vessel at 13 mm
    noisy = draw_nodule_cube(geometry, noise=np.random.default_rng(1), size=48, spacing_mm=(0.7, 0.7, 0.7))
    difference = noisy.image - still.image
    assert difference.std() == pytest.approx(50, rel=0.01)
    assert abs(difference.mean()) < 1


def test_vessel_is_3_mm_thick_and_leaves_the_mask_alone():
    geometry = NoduleGeometry((5, 5, 5), vessels=(((0, 5, 0), (1, 0, 0)),))
    with_vessel = draw_nodule_cube(geometry, noise=None, size=64, spacing_mm=(0.5, 0.25, 0.25))
    without = draw_nodule_cube(NoduleGeometry((5, 5, 5)), noise=None, size=64, spacing_mm=(0.5, 0.25, 0.25))
    area = with_vessel.vessel[0].sum() * 0.0625  # a slice beyond the nodule: a whole circle
    assert area == pytest.approx(np.pi * 1.5**2, rel=0.05)
    assert np.array_equal(with_vessel.image[without.mask], without.image[without.mask])
    assert not (with_vessel.vessel & with_vessel.mask).any()


def test_chest_wall_fills_its_side():
    geometry = NoduleGeometry((5, 5, 5), wall=((0, 1, 0), 6.0))
    cube = draw_nodule_cube(geometry, noise=None, size=32, spacing_mm=(1, 1, 1))
    assert (cube.image[:, 16 + 8 :, :] == 40).all()
    assert (cube.image[0, : 16 + 5, :] == -850).all()


@pytest.mark.parametrize(("key", "value"), [("radii_mm", (0, 1, 1)), ("core_fraction", 1.5)])
def test_bad_geometry(key, value):
    with pytest.raises(ValueError, match=key):
        NoduleGeometry(**{"radii_mm": (1.0, 1.0, 1.0), key: value})


@pytest.mark.parametrize("kind", KINDS)
def test_same_seed_same_bytes(kind):
    one, two, other = (draw_cubes(kind, 6, seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(one.images, two.images)
    assert one.patient_ids == two.patient_ids
    assert not np.array_equal(one.images, other.images)
    assert one.images.shape == one.masks.shape == (6, 32, 32, 32)
    assert one.images.dtype == np.float32
    assert one.masks.any(axis=(1, 2, 3)).all()
    assert len(one) == 6


def test_classes_are_balanced_and_core_fraction_follows_the_class():
    cubes = clean_cubes(90, seed=1)
    assert np.bincount(cubes.labels).tolist() == [30, 30, 30]
    means = [cubes.core_fraction[cubes.labels == c].mean() for c in range(3)]
    # Class 0 is the upper half of a normal law of SD 0.06: mean 0.06 sqrt(2 / pi) = 0.048.
    assert means == pytest.approx([0.048, 0.105, 0.4], abs=0.025)
    measured = cubes.cores.sum((1, 2, 3)) / cubes.masks.sum((1, 2, 3))
    assert np.abs(measured - cubes.core_fraction).max() < 0.06


def test_confounder_goes_along_with_the_class_and_reverses():
    train, test = (confounder_cubes(200, seed=5, reverse=reverse) for reverse in (False, True))
    share = [[cubes.contact[cubes.labels == c].mean() for c in (0, 1)] for cubes in (train, test)]
    assert share[0] == pytest.approx([0.1, 0.9], abs=0.08)
    assert share[1] == pytest.approx([0.9, 0.1], abs=0.08)
    assert np.array_equal(train.masks, test.masks)
    assert np.array_equal(train.labels, test.labels)
    # An arm that sees the masked nodule alone can't tell the two sets apart, one that sees the cube can.
    assert np.array_equal(train.images * train.masks, test.images * test.masks)
    assert not np.array_equal(train.images, test.images)
    beside = (train.vessels & ~train.masks).sum((1, 2, 3))
    assert beside[train.contact].mean() > 2 * beside[~train.contact].mean()


def test_no_signal_labels_tell_nothing():
    cubes = no_signal_cubes(200, seed=2)
    order = np.argsort(np.argsort(cubes.core_fraction))
    positive = cubes.labels == 1
    auc = (order[positive].sum() - positive.sum() * (positive.sum() - 1) / 2) / (positive.sum() * (~positive).sum())
    assert abs(auc - 0.5) < 2.6 * np.sqrt(201 / (12 * 100 * 100))  # 99 % of the null distribution
    assert cubes.core_fraction.std() > 0.06  # the images themselves still hold two kinds of nodules


def test_shape_leak_is_in_the_mask_alone():
    cubes = shape_leak_cubes(200, seed=2)
    inside = np.array([image[mask].mean() for image, mask in zip(cubes.images, cubes.masks, strict=True)])
    outside = np.array([image[~mask].mean() for image, mask in zip(cubes.images, cubes.masks, strict=True)])
    assert inside.mean() == pytest.approx(-600, abs=1)
    assert outside.mean() == pytest.approx(-600, abs=1)
    volume = cubes.masks.sum((1, 2, 3))
    one, other = volume[cubes.labels == 1], volume[cubes.labels == 0]
    assert one == pytest.approx(other, rel=0.15)  # pair by pair, as well as a small ellipsoid is counted in voxels
    assert one.mean() == pytest.approx(other.mean(), rel=0.02)
    extent = np.array([[np.ptp(np.where(mask)[a]) * s for a, s in enumerate(cubes.spacing_mm)] for mask in cubes.masks])
    stretch = extent.max(1) / np.median(extent, axis=1)
    assert stretch[cubes.labels == 1].min() > stretch[cubes.labels == 0].max()


def test_patients_own_one_or_more_neighbouring_cubes():
    cubes = clean_cubes(200, seed=9)
    assert 130 < len(set(cubes.patient_ids)) < 190
    assert list(cubes.patient_ids) == sorted(cubes.patient_ids)
    assert len(set(clean_cubes(5, seed=9, config=CubeConfig(siblings=0)).patient_ids)) == 5


def test_bayes_accuracy_of_two_normals():  # far from the ends: Phi(distance / 2 SD) of two equal normal laws
    assert bayes_accuracy((0.4, 0.5), 0.05) == pytest.approx(norm.cdf(1.0), abs=1e-4)
    assert bayes_accuracy((0.4, 0.5), 0.05, priors=(0.9, 0.1)) > 0.9
    assert bayes_accuracy((0.3, 0.3), 0.05) == pytest.approx(0.5, abs=1e-6)


def test_bayes_accuracy_with_noise_widens_the_laws():  # SD 0.05 and an error of 0.05 make 0.0707
    noisy = bayes_accuracy((0.4, 0.5), 0.05, noise_sd_hu=55 * np.sqrt(0.25), contrast_hu=550, voxels=1)
    assert noisy == pytest.approx(norm.cdf(0.05 / np.sqrt(0.05**2 + 0.05**2)), abs=1e-4)
    exact = bayes_accuracy((0.0, 0.1, 0.4), 0.06)
    assert exact - 0.002 < bayes_accuracy((0.0, 0.1, 0.4), 0.06, noise_sd_hu=50, voxels=500) < exact


def test_bayes_accuracy_against_drawing_by_lot():
    means, sd, rng = (0.0, 0.1, 0.4), 0.06, np.random.default_rng(0)
    truth = np.repeat(np.arange(3), 4000)
    drawn = np.array([draw_core_fraction(rng, means[c], sd) for c in truth])
    decided = np.argmax([core_fraction_density(drawn, mean, sd) for mean in means], axis=0)
    assert (decided == truth).mean() == pytest.approx(bayes_accuracy(means, sd), abs=0.01)


@pytest.mark.parametrize(
    "call",
    [
        lambda: draw_cubes("cleen", 3, seed=1),
        lambda: clean_cubes(0, seed=1),
        lambda: CubeConfig(core_means=(0.1,)),
        lambda: CubeConfig(contact=(0.1, 0.9)),
        lambda: bayes_accuracy((0.1, 0.2), 0.0),
        lambda: bayes_accuracy((0.1, 0.2), 0.1, priors=(0.5, 0.6)),
    ],
)
def test_bad_input(call):
    with pytest.raises(StudyError, match="got"):
        call()


def test_config_of_tissue_reaches_the_image():
    quiet = CubeConfig(tissue=Tissue(noise_sd=0.0, lung=-800.0), wall=0.0, bystander=0.0, contact=(0, 0, 0))
    cubes = clean_cubes(3, seed=1, config=quiet)
    assert (cubes.images[:, 0] == -800).all()
