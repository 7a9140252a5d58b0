"""The lungs' grid: geometry by hand, nothing from outside, satellites of known size still there; many cases at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hounsfield.core.errors import ImageError, MaskError
from hounsfield.data.lung_sets import prepare_lung_set
from hounsfield.data.lungs import LungPreparation, prepare_lungs
from hounsfield.tables.cases import Case
from hounsfield.volume.resample import resample_like
from hounsfield.volume.volume import Volume
from hounsfield.volume.write import write_volume

TURN = np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]])
SHAPE, SPACING = (40, 120, 140), (2.5, 0.9, 0.8)
SMALL = LungPreparation(grid=(24, 32, 40))


def chest(seed: int = 0) -> tuple[Volume, Volume, Volume]:
    """Image, lungs of 27 x 60 x 100 voxels (67.5, 54, 80 mm), and a nodule half of which the lung mask leaves out."""
    rng = np.random.default_rng(seed)
    array = rng.normal(40, 30, SHAPE).astype(np.int16)  # soft tissue
    lungs = np.zeros(SHAPE, dtype=np.uint8)
    lungs[8:35, 30:90, 20:120] = 1
    array[lungs > 0] = rng.normal(-850, 30, int(lungs.sum()))
    nodule = np.zeros(SHAPE, dtype=np.uint8)
    nodule[18:24, 50:70, 110:130] = 1
    lungs[nodule > 0] = 0
    lungs[18:24, 50:70, 110:115] = 1
    array[nodule > 0] = 60
    image = Volume(array, SPACING, (10.0, -20.0, 30.0), TURN)
    return image, image.with_array(lungs), image.with_array(nodule)


def hu(prepared) -> np.ndarray:
    return (prepared.image + 1) * 700 - 1000


def test_spacing_and_place_by_hand():
    """Box of the union 27 x 60 x 110 voxels = 67.5 x 54 x 88 mm, with 5 mm on each side 77.5 x 64 x 98."""
    image, lungs, nodule = chest()
    found = prepare_lungs(image, lungs, nodule, SMALL)
    assert found.image.shape == (24, 32, 40)
    assert found.spacing_mm == pytest.approx((77.5 / 24,) * 3)  # 3.23; 64 / 32 and 98 / 40 need less
    middle = found.volume().to_world([[11.5, 15.5, 19.5]])
    np.testing.assert_allclose(middle, image.to_world([[21, 59.5, 74.5]]), atol=1e-9)
    assert found.features["lungs_ml"] == pytest.approx((27 * 60 * 100 + 6 * 20 * 10) * 1.8 / 1000)
    assert found.features["lungs_spacing_mm"] == pytest.approx(77.5 / 24)
    assert found.features["lesion_outside"] == pytest.approx(15 / 20)  # of 20 columns 5 were given back to the lungs


def test_lung_is_lung_and_all_else_is_air():
    image, lungs, nodule = chest()
    found = prepare_lungs(image, lungs, nodule, SMALL)
    inside = resample_like(image.with_array(np.maximum(lungs.array, nodule.array)), found.volume(), mode="nearest")
    edge = np.zeros_like(inside.array, dtype=bool)
    for axis in range(3):
        edge |= np.roll(inside.array, 1, axis) != inside.array
        edge |= np.roll(inside.array, -1, axis) != inside.array
    values = hu(found)
    outside = (inside.array == 0) & ~edge
    corner = values[:2, :2, :2]
    assert float(np.abs(corner + 1000).max()) < 1e-3
    assert float(values[outside].mean()) < -990
    deep = (inside.array > 0) & ~edge & (values < -700)
    assert float(values[deep].mean()) == pytest.approx(-850, abs=10)


def test_the_nodule_stays_though_the_lung_mask_leaves_it_out():
    image, lungs, nodule = chest()
    there = prepare_lungs(image, lungs, nodule, SMALL)
    at = np.rint(there.volume().to_index(image.to_world([[20.5, 59.5, 122]]))[0]).astype(int)
    assert hu(there)[tuple(at)] > -150
    without = prepare_lungs(image, lungs, None, SMALL)
    at = np.rint(without.volume().to_index(image.to_world([[20.5, 59.5, 118]]))[0]).astype(int)
    assert hu(without)[tuple(at)] < -900


def test_nothing_outside_the_mask_gets_in():
    image, lungs, nodule = chest()
    other = image.array.copy()
    other[(lungs.array == 0) & (nodule.array == 0)] = np.random.default_rng(1).integers(-1000, 3000)
    other[0, 0, 0] = 30000
    changed = prepare_lungs(image.with_array(other), lungs, nodule, SMALL)
    assert np.array_equal(changed.image, prepare_lungs(image, lungs, nodule, SMALL).image)
    floats = image.array.astype(np.float32)
    floats[0, 0, 0] = np.nan
    prepare_lungs(image.with_array(floats), lungs, nodule, SMALL)
    floats[20, 60, 60] = np.nan
    with pytest.raises(ImageError, match="not finite inside the lungs"):
        prepare_lungs(image.with_array(floats), lungs, nodule, SMALL)


@pytest.mark.parametrize("shift", np.linspace(0, 1, 5))
def test_what_is_above_air_is_kept_in_sum(shift):
    """No satellite falls between the voxels of a coarse grid: a ball of 8 mm adds the same mass wherever it lies."""
    shape = (100, 100, 100)
    image = Volume(np.full(shape, -1000, np.int16), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    lungs = image.with_array(np.ones(shape, np.uint8))
    at = 40 + 4 * shift
    index = np.stack(np.meshgrid(*[np.arange(100)] * 3, indexing="ij"), -1)
    ball = np.linalg.norm(index - at, axis=-1) <= 4
    image.array[ball] = 50
    found = prepare_lungs(image, lungs, None, LungPreparation(grid=(32, 32, 32), margin_mm=0))
    mass = float((hu(found) + 1000).sum()) * found.volume().voxel_mm3
    assert mass == pytest.approx(float(ball.sum()) * 1050, rel=0.02)
    assert hu(found).max() > -700  # 8 mm on a grid of 3.1 mm stands out


def test_a_finer_grid_is_linear_interpolation():
    shape = (10, 10, 10)
    ramp = (np.indices(shape)[2] * 20 - 500).astype(np.int16)
    image = Volume(ramp, (2.0, 2.0, 2.0), (0.0, 0.0, 0.0))
    found = prepare_lungs(
        image, image.with_array(np.ones(shape, np.uint8)), None, LungPreparation(grid=(20, 20, 20), margin_mm=0)
    )
    np.testing.assert_allclose(hu(found)[10, 10, 2:18], -500 + 20 * ((np.arange(2, 18) + 0.5) / 2 - 0.5), atol=0.01)


def test_the_control_arm_sees_the_shape_alone():
    image, lungs, nodule = chest()
    config = LungPreparation(grid=SMALL.grid, content="mask")
    found = prepare_lungs(image, lungs, nodule, config)
    other = prepare_lungs(chest(9)[0], lungs, nodule, config)
    assert np.array_equal(found.image, other.image)
    assert (found.image.min(), found.image.max()) == pytest.approx((-1, 1), abs=1e-5)


def test_mistakes_are_told():
    image, lungs, nodule = chest()
    with pytest.raises(MaskError, match="lung mask is empty"):
        prepare_lungs(image, lungs.with_array(np.zeros(SHAPE, np.uint8)), nodule, SMALL)
    moved = Volume(lungs.array, SPACING, (0.0, 0.0, 0.0), TURN)
    with pytest.raises(MaskError, match="the lung mask is on another grid"):
        prepare_lungs(image, moved, nodule, SMALL)
    with pytest.raises(MaskError, match="the lesion mask is on another grid"):
        prepare_lungs(image, lungs, moved, SMALL)
    with pytest.raises(ValueError, match="8 or more"):
        LungPreparation(grid=(4, 64, 64))
    with pytest.raises(ValueError, match="low below high"):
        LungPreparation(window_hu=(400, -1000))


def test_many_cases_from_files(tmp_path: Path):
    cases, masks = [], {}
    for number in range(3):
        paths = {}
        for name, volume in zip(("image", "lungs", "nodule"), chest(number), strict=True):
            paths[name] = tmp_path / f"{name}{number}.nii.gz"
            write_volume(volume, paths[name])
        cases.append(Case(f"c{number}", f"p{number}", paths["image"], paths["nodule"]))
        masks[f"c{number}"] = paths["lungs"]
    cases.append(Case("c3", "p3", tmp_path / "image0.nii.gz"))
    cases.append(Case("c4", "p4", tmp_path / "gone.nii.gz"))
    masks |= {"c3": None, "c4": masks["c0"]}
    (tmp_path / "lungs1.nii.gz").write_bytes(b"damaged")
    found = prepare_lung_set(cases, masks, SMALL, tmp_path / "cache", workers=1)
    assert found.case_ids == ("c0", "c2")
    assert [problem.where for problem in found.set_aside] == ["case c1", "case c3", "case c4"]
    assert "no lung mask" in found.set_aside[1].what
    assert found.images.dtype == np.float16
    direct = prepare_lungs(*chest(2), SMALL)
    np.testing.assert_allclose(found.images[1], direct.image, atol=1e-3)
    assert found.features["lungs_ml"][1] == pytest.approx(direct.features["lungs_ml"])

    entries = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.case")}
    again = prepare_lung_set(cases, masks, SMALL, tmp_path / "cache", workers=1)
    assert np.array_equal(again.images, found.images)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.case")} == entries
    prepare_lung_set(cases, masks, LungPreparation(grid=(24, 24, 24)), tmp_path / "cache", workers=1)
    assert len(list((tmp_path / "cache").rglob("*.case"))) == 4
