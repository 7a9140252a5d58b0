"""Lung masks from outside win; a nodule outside the lungs is united with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.volume.chest_made import Made, make_chest

from hounsfield.core.errors import MaskError
from hounsfield.volume.lung_given import read_lungs, with_nodule
from hounsfield.volume.lung_labels import Lungs
from hounsfield.volume.lungs import lung_masks
from hounsfield.volume.volume import Volume
from hounsfield.volume.write import write_volume


@pytest.fixture(scope="module")
def chest() -> Made:
    return make_chest(spacing=(6.0, 4.0, 4.0), shape=(50, 75, 95))


@pytest.fixture(scope="module")
def found(chest: Made) -> Lungs:
    return lung_masks(chest.ct)


def test_given_labels_are_taken_voxel_by_voxel(chest: Made):
    given = chest.truth.copy()
    given[25:30] = 0  # a user may leave anything out
    lungs = lung_masks(chest.ct, given=chest.ct.with_array(given))
    np.testing.assert_array_equal(lungs.labels, given)
    assert lungs.right_ml == pytest.approx((given == 1).sum() * 0.096)  # 6 x 4 x 4 mm
    assert lungs.remarks == ()


def test_given_labels_win_even_where_right_is_left(chest: Made):
    swapped = np.where(chest.truth > 0, 3 - chest.truth, 0)
    lungs = lung_masks(chest.ct, given=chest.ct.with_array(swapped))
    np.testing.assert_array_equal(lungs.labels, swapped)
    assert "lies on the patient's left" in lungs.remarks[0]


@pytest.mark.parametrize("kind", [bool, np.uint8, np.float32])
def test_a_mask_of_one_label_is_parted(chest: Made, kind: type):
    lungs = lung_masks(chest.ct, given=chest.ct.with_array((chest.truth > 0).astype(kind)))
    np.testing.assert_array_equal(lungs.labels > 0, chest.truth > 0)
    assert (lungs.labels == chest.truth).mean() > 0.999


def test_a_given_mask_serves_where_no_lung_is_found(chest: Made):
    filled = chest.ct.with_array(np.full(chest.ct.shape, 40, dtype=np.int16))  # both lungs without air, or an MR
    given = np.zeros(chest.ct.shape, dtype=np.uint8)
    given[20:30, 30:40, 60:70] = 1
    lungs = lung_masks(filled, given=filled.with_array(given))
    assert lungs.left_ml == pytest.approx(1000 * 0.096)  # one box, left of the body's middle
    assert lungs.right_ml == 0


@pytest.mark.parametrize("scale", [0.2, 0.4, 1.0])
def test_a_mask_on_an_image_without_hu_is_parted_in_its_middle(chest: Made, scale: float):
    # Values as of an MR: nothing below 0, and a coil that brightens one side.
    bright = np.linspace(1.5, 0.5, chest.ct.shape[2])
    like_mr = np.maximum(chest.ct.array + 1000, 0) * scale * bright
    lungs = lung_masks(chest.ct.with_array(like_mr), given=chest.ct.with_array((chest.truth > 0).astype(np.uint8)))
    assert (lungs.labels == chest.truth).mean() > 0.99
    assert "is a guess" in lungs.remarks[0]


def test_given_masks_that_are_none(chest: Made):
    for array in (np.zeros(chest.ct.shape), np.full(chest.ct.shape, 5), np.where(chest.truth > 0, 0.5, 0)):
        with pytest.raises(MaskError, match="1 for the right lung and 2 for the left one"):
            lung_masks(chest.ct, given=chest.ct.with_array(array))
    moved = Volume(chest.truth, chest.ct.spacing_mm, (0.0, 0.0, 0.0))
    with pytest.raises(MaskError, match="another grid"):
        lung_masks(chest.ct, given=moved)


def test_labels_survive_a_file_with_other_axes(chest: Made, tmp_path: Path):
    # The same voxels stored with x reversed: the reader brings them back in the CT's order, labels and all.
    turned = Volume(
        np.flip(chest.truth, (1, 2)).copy(),
        chest.ct.spacing_mm,
        tuple(chest.ct.to_world(np.array((0, 74, 94)))[0]),
        np.diag([-1.0, -1.0, 1.0]),
    )
    write_volume(turned, tmp_path / "lungs.nii.gz")
    np.testing.assert_array_equal(read_lungs(tmp_path / "lungs.nii.gz", like=chest.ct).array, chest.truth)


def test_union_with_a_nodule_at_the_hilum(chest: Made, found: Lungs):
    nodule = np.zeros(chest.ct.shape, dtype=bool)
    nodule[25:28, 34:40, 49:60] = True  # from the mediastinum into the left lung
    outside = int((nodule & (found.labels == 0)).sum())
    assert 0 < outside < nodule.sum()
    united = with_nodule(found, chest.ct, chest.ct.with_array(nodule))
    assert (united.labels[nodule] == 2).all()
    np.testing.assert_array_equal(united.labels[~nodule], found.labels[~nodule])
    assert united.left_ml == pytest.approx(found.left_ml + outside * 0.096)
    assert united.remarks[-1].startswith(f"{outside / nodule.sum():.0%} of the nodule lies outside")


def test_a_nodule_inside_changes_nothing(chest: Made, found: Lungs):
    nodule = np.zeros(chest.ct.shape, dtype=bool)
    nodule[26, 30:33, 24:27] = True
    assert with_nodule(found, chest.ct, chest.ct.with_array(nodule)) is found


def test_a_nodule_far_away_is_said_to_be_so(chest: Made, found: Lungs):
    nodule = np.zeros(chest.ct.shape, dtype=np.uint8)
    nodule[26, 36:38, 1:3] = 1  # the right arm, so to speak
    x = float(chest.ct.to_world(np.array((26, 36, 2)))[0, 0])
    edge = float(chest.ct.to_world(np.argwhere(found.labels[26:27, 36:38] == 1).min(axis=0))[0, 0])
    united = with_nodule(found, chest.ct, chest.ct.with_array(nodule))
    assert (united.labels[26, 36:38, 1:3] == 1).all()
    assert f"{edge - x:.0f} mm from it" in united.remarks[-1]
    for wrong in (np.zeros_like(nodule), None):
        mask = chest.ct.with_array(wrong) if wrong is not None else Volume(nodule, (1.0, 1.0, 1.0))
        with pytest.raises(MaskError, match="empty or on another grid"):
            with_nodule(found, chest.ct, mask)
