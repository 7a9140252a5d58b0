"""Lung masks on chests made of ellipsoids, whose lungs are known, and on the package's own phantom."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError
from tests.volume.chest_made import Made, make_chest

from hounsfield.phantom.archive import volume_of
from hounsfield.phantom.patient import draw_patient, plan_patient
from hounsfield.phantom.shapes import ellipsoid_mm, grid_mm
from hounsfield.phantom.thorax import lungs_of
from hounsfield.stats.overlap import dice
from hounsfield.volume.lung_labels import Lungs, NoLungs
from hounsfield.volume.lungs import LungConfig, lung_masks
from hounsfield.volume.volume import Volume, right_handed


@pytest.fixture(scope="module")
def chest() -> Made:
    return make_chest()


@pytest.fixture(scope="module")
def found(chest: Made) -> Lungs:
    return lung_masks(chest.ct)


def both_dice(truth: np.ndarray, lungs: Lungs) -> tuple[float, float]:
    return dice(truth == 1, lungs.labels == 1), dice(truth == 2, lungs.labels == 2)


def cut(made: Made, *box: slice) -> tuple[Volume, np.ndarray]:
    whole = (*box, *[slice(None)] * (3 - len(box)))
    x, y, z = made.ct.to_world(np.array([part.start or 0 for part in whole]))[0]
    volume = Volume(made.ct.array[whole], made.ct.spacing_mm, (float(x), float(y), float(z)))
    return volume, made.truth[whole]


@pytest.mark.parametrize("number", [1, 3, 8])
def test_the_phantoms_lungs(number: int):
    plan = plan_patient(number, seed=1)
    patient = draw_patient(plan)
    grid = grid_mm(plan.shape, plan.spacing_mm, zero_at=tuple((n - 1) / 2 for n in plan.shape))
    lungs = lung_masks(volume_of(patient))
    for side, lung in enumerate(lungs_of(plan.thorax), start=1):
        truth = ellipsoid_mm(grid, lung.centre_mm, lung.radii_mm) < 0
        assert dice(np.broadcast_to(truth, plan.shape), lungs.labels == side) >= 0.98
    for nodule in patient.masks:  # some of them lie against the chest wall
        assert (lungs.labels[nodule] > 0).mean() > 0.99


def test_lungs_and_nothing_else(chest: Made, found: Lungs):
    assert min(both_dice(chest.truth, found)) >= 0.99
    assert found.labels.dtype == np.uint8
    assert not found.labels[chest.parts["trachea"] | chest.parts["stomach"] | chest.parts["table"]].any()
    assert (found.labels[chest.parts["bronchi"]] > 0).mean() < 0.1  # the main bronchi on their way to the lungs
    assert found.remarks == ()


def test_volume_in_ml_is_that_of_the_drawn_lung(chest: Made, found: Lungs):
    voxel_ml = 3.0 * 2.0 * 2.0 / 1000
    assert found.right_ml == pytest.approx((chest.truth == 1).sum() * voxel_ml, rel=0.01)
    assert found.left_ml == pytest.approx((chest.truth == 2).sum() * voxel_ml, rel=0.01)
    assert found.total_ml == pytest.approx(found.right_ml + found.left_ml)


def test_a_nodule_half_in_the_pleura_stays_inside():
    made = make_chest(nodule=True)
    nodule = made.parts["nodule"]
    assert (lung_masks(made.ct).labels[nodule] == 1).mean() > 0.93
    bare = LungConfig(mouth_mm=0, closing_mm=0)
    assert (lung_masks(made.ct, config=bare).labels[nodule] == 1).mean() < 0.1  # the repair did it, nothing else


@pytest.mark.parametrize(
    "oddity",
    [
        {"lung_hu": -955.0},  # emphysema: darker than the threshold that calls a space gas
        {"lung_hu": -600.0},
        {"heart_hu": 400.0},  # contrast
        {"spacing": (10.0, 2.0, 2.0), "shape": (30, 150, 190)},  # the stomach's wall is thinner than a slice
        {"line_mm": 2.0},  # fused at the anterior junction
        {"line_mm": 0.0},
    ],
    ids=["emphysema", "dense", "contrast", "thick slices", "junction line", "no junction line"],
)
def test_unusual_chests(oddity: dict):
    made = make_chest(**oddity)
    lungs = lung_masks(made.ct)
    assert min(both_dice(made.truth, lungs)) >= 0.98
    assert not lungs.labels[made.parts["stomach"] | made.parts["trachea"]].any()


@pytest.mark.slow
def test_thin_slices():
    made = make_chest(spacing=(1.0, 1.0, 1.0), shape=(100, 240, 340), line_mm=1.0)
    assert min(both_dice(made.truth, lung_masks(made.ct))) >= 0.99


@pytest.mark.parametrize("side", [1, 2])
def test_one_lung_removed(side: int):
    made = make_chest(without=(side,))
    lungs = lung_masks(made.ct)
    assert (lungs.right_ml, lungs.left_ml)[side - 1] == 0
    assert both_dice(made.truth, lungs)[2 - side] >= 0.98
    assert f"only the {('left', 'right')[side - 1]} lung" in lungs.remarks[0]


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 1, 0), (1, 2, 0)])
@pytest.mark.parametrize("flips", [(), (0,), (2,), (0, 1, 2)])
def test_right_stays_right_however_the_axes_run(order, flips):
    made = make_chest(spacing=(6.0, 4.0, 4.0), shape=(50, 75, 95))
    array, truth = made.ct.array.transpose(order), made.truth.transpose(order)
    unit = np.eye(3)[:, ::-1][:, list(order)]  # world vectors of array axes 0, 1, 2
    spacing, corner = [made.ct.spacing_mm[k] for k in order], np.zeros(3)
    for axis in flips:
        array, truth = np.flip(array, axis), np.flip(truth, axis)
        unit[:, axis] *= -1
        corner[order[axis]] = made.ct.shape[order[axis]] - 1
    origin = tuple(made.ct.to_world(corner)[0])
    volume = right_handed(array, tuple(spacing), origin, unit[:, ::-1])
    # The truth goes the same way, so that an axis turned round by right_handed is turned in both.
    expected = right_handed(truth, tuple(spacing), origin, unit[:, ::-1]).array
    assert min(both_dice(expected, lung_masks(volume))) >= 0.97


def test_oblique_and_turned_round(chest: Made):
    angle = np.deg2rad(30)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    oblique = Volume(chest.ct.array, chest.ct.spacing_mm, (5.0, 5.0, 5.0), turn)
    assert min(both_dice(chest.truth, lung_masks(oblique))) >= 0.98
    half_turn = Volume(chest.ct.array, chest.ct.spacing_mm, (0.0, 0.0, 0.0), np.diag([-1.0, -1.0, 1.0]))
    swapped = np.where(chest.truth > 0, 3 - chest.truth, 0)  # what lay on the right lies on the left now
    assert min(both_dice(swapped, lung_masks(half_turn))) >= 0.98


@pytest.mark.parametrize(("value", "radius_mm"), [(-2000, 190.0), (-3024, 120.0), (-1024, 120.0)])
def test_padding_outside_the_field_of_view(chest: Made, value: int, radius_mm: float):
    rows, columns = np.mgrid[:150, :190]
    outside = np.hypot(rows - 74.5, columns - 94.5) * 2.0 > radius_mm  # 120 mm cuts the lungs
    array = chest.ct.array.copy()
    array[:, outside] = value
    lungs = lung_masks(chest.ct.with_array(array))
    assert min(both_dice(np.where(outside, 0, chest.truth), lungs)) >= 0.98


def test_a_ct_cut_to_one_side_or_through_both_lungs(chest: Made):
    volume, truth = cut(chest, slice(None), slice(25, 120), slice(25, 85))  # no spine, no outline
    lungs = lung_masks(volume)
    assert dice(truth == 1, lungs.labels == 1) >= 0.98
    assert any("is a guess" in remark for remark in lungs.remarks)
    volume, truth = cut(chest, slice(40, 60), slice(None), slice(40, 150))
    lungs = lung_masks(volume)
    assert min(both_dice(truth, lungs)) >= 0.98
    assert any("lower, upper, right, left" in remark for remark in lungs.remarks)


def test_a_single_slice(chest: Made):
    volume, truth = cut(chest, slice(50, 51))
    assert min(both_dice(truth, lung_masks(volume))) >= 0.98


def test_air_and_fluid_in_the_pleura(chest: Made):
    columns = np.arange(190)[None, None, :]
    array = chest.ct.array.copy()
    array[(chest.truth == 1) & (columns < 55)] = -1000
    lungs = lung_masks(chest.ct.with_array(array))
    assert min(both_dice(chest.truth, lungs)) >= 0.98
    assert any("right lung is below -950 HU" in remark for remark in lungs.remarks)
    rows = np.arange(150)[None, :, None]
    fluid = (chest.truth == 2) & (rows > 60)
    lungs = lung_masks(chest.ct.with_array(np.where(fluid, np.int16(15), chest.ct.array)))
    assert dice((chest.truth == 2) & ~fluid, lungs.labels == 2) >= 0.95
    assert any("left lung is small" in remark for remark in lungs.remarks)


def test_images_without_lungs_are_refused_in_words(chest: Made):
    hu = chest.ct.array
    for array in (hu + 1024, np.where(hu < -1020, -2000, hu + 1024), np.abs(hu) + 3):
        with pytest.raises(NoLungs, match="rescale slope and intercept were not applied"):
            lung_masks(chest.ct.with_array(array.astype(np.int16)))
    with pytest.raises(NoLungs, match="besides 5. ml of mere gas"):  # 4/3 pi 1.8 2.5 3.0 = 57 ml, less its blurred rim
        lung_masks(make_chest(without=(1, 2)).ct)
    with pytest.raises(NoLungs, match="one value throughout"):
        lung_masks(chest.ct.with_array(np.full_like(hu, -1000)))
    volume, _ = cut(chest, slice(0, 20))  # the abdomen
    with pytest.raises(NoLungs, match="no lungs"):
        lung_masks(volume)


def test_not_a_number_is_no_lung(chest: Made):
    array = chest.ct.array.astype(np.float32)
    array[50, :8] = np.nan
    array[55, 40, 45:50] = np.inf
    inside = np.argwhere(chest.truth > 0)[len(np.argwhere(chest.truth > 0)) // 2]
    array[tuple(inside)] = np.nan
    lungs = lung_masks(chest.ct.with_array(array))
    assert min(both_dice(chest.truth, lungs)) >= 0.98
    assert not lungs.labels[~np.isfinite(array)].any()
    assert lungs.remarks[0].startswith(f"{(~np.isfinite(array)).sum()} voxels of the CT are no numbers")
    with pytest.raises(NoLungs, match="every voxel is NaN"):
        lung_masks(chest.ct.with_array(np.full(chest.ct.shape, np.nan)))


def test_twice_the_same(chest: Made, found: Lungs):
    np.testing.assert_array_equal(lung_masks(chest.ct).labels, found.labels)


def test_settings_out_of_range_and_unknown():
    with pytest.raises(ValidationError, match="threshold_hu"):
        LungConfig(threshold_hu=0)
    with pytest.raises(ValidationError, match="threshold"):
        LungConfig(threshold=-400)
