"""Preparation against whole-volume resampling, hand counts and its own promises: cache by content, bad cases set
aside."""

from __future__ import annotations

import errno
import math
import pickle
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import SimpleITK as sitk

from hounsfield.core.errors import ImageError, MaskError, RunError
from hounsfield.data import cache as cache_module
from hounsfield.data.prepare import Preparation, paste_cube, prepare_case, prepare_cases
from hounsfield.volume.crop import centroid, crop_cube
from hounsfield.volume.intensity import scale_hu
from hounsfield.volume.resample import resample
from hounsfield.volume.volume import Volume
from hounsfield.volume.write import write_volume

TURN = np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]])


def phantom(
    seed: int = 0, shape=(12, 50, 60), spacing=(2.5, 0.8, 0.6), *, radius=6.0, at=(0.5, 0.5, 0.5)
) -> tuple[Volume, Volume]:
    """Lung with a ball of `radius` mm and its mask."""
    rng = np.random.default_rng(seed)
    array = rng.normal(-850, 40, size=shape).astype(np.int16)
    image = Volume(array, spacing, (10.0, -20.0, 30.0), TURN)
    index = np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), axis=-1)
    middle = [n * share for n, share in zip(shape, at, strict=True)]
    mask = np.linalg.norm((index - middle) * spacing, axis=-1) <= radius
    array[mask] = rng.normal(20, 15, size=int(mask.sum()))
    return image, image.with_array(mask)


@pytest.mark.parametrize("grid", ["extent", "first_voxel"])
@pytest.mark.parametrize("at", [(0.5, 0.5, 0.5), (0.1, 0.2, 0.9)])
def test_cutting_first_equals_resampling_the_whole(grid, at):
    image, mask = phantom(at=at)
    config = Preparation(grid=grid)
    found = prepare_case(image, mask, config)
    whole = resample(image, config.spacing_mm, rule=grid)
    marks = resample(mask, config.spacing_mm, mode="nearest", rule=grid)
    centre = centroid(marks.array)
    expected = scale_hu(crop_cube(whole.array, centre, (32, 32, 32)))
    np.testing.assert_allclose(found.image, expected, atol=1e-6)
    np.testing.assert_array_equal(found.mask, crop_cube(marks.array, centre, (32, 32, 32), fill=0))
    assert found.image.dtype == np.float32
    np.testing.assert_allclose(
        found.volume().to_world([[16, 16, 16]]), whole.to_world([centre]), atol=1e-9
    )  # the cube knows its place


def test_the_box_centre_differs_for_a_lopsided_lesion():
    image, mask = phantom()
    array = mask.array.copy()
    array[6, 25, 30:55] = True  # a spicule
    one = prepare_case(image, image.with_array(array), Preparation())
    other = prepare_case(image, image.with_array(array), Preparation(centre="box"))
    assert other.origin_mm[0] - one.origin_mm[0] > 3


def test_native_features_by_hand():
    image = Volume(np.full((4, 10, 10), -800, dtype=np.int16), (2.0, 0.5, 0.25))
    marked = np.zeros((4, 10, 10), dtype=bool)
    marked[1:3, 2:6, 3:5] = True  # 2 x 4 x 2 voxels
    image.array[marked] = 10
    image.array[1, 2, 3] = 42
    features = prepare_case(image, image.with_array(marked), Preparation()).features
    assert features["volume_mm3"] == pytest.approx(16 * 0.25)
    assert features["diameter_mm"] == pytest.approx((6 * 4 / math.pi) ** (1 / 3))
    assert (features["extent_z_mm"], features["extent_y_mm"], features["extent_x_mm"]) == (4.0, 2.0, 0.5)
    assert (features["field_z_mm"], features["field_y_mm"], features["field_x_mm"]) == (8.0, 5.0, 2.5)
    assert features["hu_mean"] == pytest.approx(12.0)  # (15 x 10 + 42) / 16
    assert features["hu_max"] == 42


def test_a_lesion_too_large_for_the_cube_is_kept_and_flagged():
    image, mask = phantom(radius=13.0, shape=(14, 60, 60))
    assert prepare_case(image, mask, Preparation()).mask_leaves_cube
    assert not prepare_case(*phantom(), Preparation()).mask_leaves_cube


def test_a_lesion_thinner_than_the_new_spacing_keeps_its_place():
    image = Volume(np.zeros((40, 40, 40), dtype=np.int16), (0.3, 0.3, 0.3))
    mask = np.zeros((40, 40, 40), dtype=bool)
    mask[20, 21, 22] = True
    found = prepare_case(image, image.with_array(mask), Preparation(spacing_mm=(3.0, 3.0, 3.0), size=(4, 4, 4)))
    at = found.volume().to_world([[2, 2, 2]])[0]
    assert np.abs(at - image.to_world([[20, 21, 22]])[0]).max() <= 1.5


def test_without_a_mask_the_point_or_the_middle_is_the_centre():
    image, _ = phantom()
    point = tuple(image.to_world([[3, 20, 40]])[0])
    found = prepare_case(image, None, Preparation(), centre_mm=point)
    assert found.mask is None
    assert np.abs(found.volume().to_world([[16, 16, 16]])[0] - point).max() < 0.9
    middle = prepare_case(image, None, Preparation())
    assert np.abs(middle.volume().to_world([[16, 16, 16]])[0] - image.centre_mm()).max() < 0.9
    with pytest.raises(ImageError, match="outside the image"):
        prepare_case(image, None, Preparation(), centre_mm=(1000.0, 0.0, 0.0))


def test_bad_cases_are_refused():
    image, mask = phantom()
    with pytest.raises(MaskError, match="empty"):
        prepare_case(image, image.with_array(np.zeros(image.shape, dtype=bool)), Preparation())
    with pytest.raises(MaskError, match="another grid"):
        prepare_case(image, Volume(mask.array, mask.spacing_mm), Preparation())
    spoilt = image.array.astype(np.float32)
    spoilt[6, 25, 30] = np.nan
    with pytest.raises(ImageError, match="not finite"):
        prepare_case(image.with_array(spoilt), mask, Preparation())


@pytest.mark.parametrize(
    "change",
    [{"spacing": (1, 1, 1)}, {"spacing_mm": (1, 0, 1)}, {"size": (0, 3, 3)}, {"window_hu": (5, 5)}, {"fill": "water"}],
)
def test_bad_settings_are_refused(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        Preparation(**change)


def test_texture_fills_only_outside_and_depends_on_nothing_but_the_image():
    image, mask = phantom(shape=(5, 60, 70))  # 12.5 mm along z: 20 of 32 slices are padding
    air, texture = (prepare_case(image, mask, Preparation(fill=fill)) for fill in ("air", "texture"))
    padding = air.image == -1
    assert 0.4 < padding.mean() < 0.75
    np.testing.assert_array_equal(texture.image[~padding], air.image[~padding])
    hu = (texture.image[padding] + 1) * 712 - 1024
    assert hu.mean() == pytest.approx(-850, abs=10)
    # Interpolation smooths the phantom's noise of 40 HU: between independent neighbours by sqrt(2 / 3) an axis on
    # average
    assert hu.std() == pytest.approx(40 * (2 / 3) ** 1.5, rel=0.15)
    again = prepare_case(image, mask, Preparation(fill="texture"))
    assert again.image.tobytes() == texture.image.tobytes()
    centre = tuple(texture.volume().to_world([[16, 16, 16]])[0])
    blind = prepare_case(image, None, Preparation(fill="texture"), centre_mm=centre)
    assert blind.image.tobytes() == texture.image.tobytes()  # the mask's shape leaves no trace


def test_a_pasted_cube_finds_its_voxels():
    image, mask = phantom(spacing=(1.0, 0.7, 0.7), shape=(40, 50, 60))
    prepared = prepare_case(image, mask, Preparation())
    np.testing.assert_array_equal(paste_cube(prepared.mask.astype(bool), prepared, image).array, mask.array)
    soft = paste_cube(prepared.mask.astype(np.float32), prepared, image)
    assert soft.array.dtype == np.float32
    np.testing.assert_array_equal(soft.array > 0.5, mask.array)


def test_a_pasted_cube_on_another_spacing_overlaps_its_source():
    image, mask = phantom()
    prepared = prepare_case(image, mask, Preparation())
    back = paste_cube(prepared.mask.astype(np.float32), prepared, image).array > 0.5
    dice = 2 * (back & mask.array).sum() / (back.sum() + mask.array.sum())
    assert dice > 0.9


def write_cases(folder: Path, count: int = 4) -> list[SimpleNamespace]:
    cases = []
    for number in range(count):
        image, mask = phantom(number)
        write_volume(image, folder / f"image{number}.nii.gz")
        write_volume(mask, folder / f"mask{number}.nii.gz")
        cases.append(
            SimpleNamespace(
                case_id=f"c{number}",
                image=folder / f"image{number}.nii.gz",
                mask=folder / f"mask{number}.nii.gz",
                series_uid=None,
                centre_mm=None,
            )
        )
    return cases


def entries(folder: Path) -> dict[str, int]:
    return {file.name: file.stat().st_mtime_ns for file in folder.rglob("*.case")}


def test_cold_warm_and_parallel_give_the_same(tmp_path):
    cases = write_cases(tmp_path)
    cold = prepare_cases(cases, Preparation(), tmp_path / "cache", engine="serial")
    made = entries(tmp_path / "cache")
    warm = prepare_cases(cases, Preparation(), tmp_path / "cache", engine="serial")
    assert entries(tmp_path / "cache") == made
    assert len(made) == 4
    threads = prepare_cases(cases[::-1], Preparation(), tmp_path / "other", engine="threads", workers=2)
    for found in (warm, threads):
        order = slice(None) if found is warm else slice(None, None, -1)
        assert found.images[order].tobytes() == cold.images.tobytes()
        assert found.masks[order].tobytes() == cold.masks.tobytes()
    assert cold.images.shape == (4, 32, 32, 32)
    assert cold.images.dtype == np.float32
    assert cold.masks.dtype == np.uint8
    assert list(cold.features["case_id"]) == ["c0", "c1", "c2", "c3"]
    assert warm.features.equals(cold.features)
    assert cold.features["pixel_digest"].nunique() == 4
    assert cold.set_aside == ()
    assert cold.has_mask.all()
    assert cold.prepared[2].volume().same_grid(warm.prepared[2].volume())
    assert np.shares_memory(cold.prepared[2].image, cold.images)


def test_a_changed_setting_or_file_is_a_new_entry(tmp_path):
    cases = write_cases(tmp_path, 2)
    prepare_cases(cases, Preparation(), tmp_path / "cache", engine="serial")
    prepare_cases(cases, Preparation(window_hu=(-1000, 400)), tmp_path / "cache", engine="serial")
    assert len(entries(tmp_path / "cache")) == 4
    image, _ = phantom(99)
    write_volume(image, cases[0].image)
    changed = prepare_cases(cases, Preparation(), tmp_path / "cache", engine="serial")
    assert len(entries(tmp_path / "cache")) == 5
    assert changed.features["pixel_digest"][0] == prepare_case(image, None, Preparation()).pixel_digest
    cases[1].mask.rename(tmp_path / "renamed.nii.gz")
    cases[1].mask = tmp_path / "renamed.nii.gz"
    prepare_cases(cases, Preparation(), tmp_path / "cache", engine="serial")
    assert len(entries(tmp_path / "cache")) == 5  # the content is the same, whatever the name
    _, larger = phantom(radius=8.0)
    write_volume(larger, cases[1].mask)
    prepare_cases(cases, Preparation(), tmp_path / "cache", engine="serial")
    assert len(entries(tmp_path / "cache")) == 6


@pytest.mark.parametrize("spoil", [lambda raw: raw[:1000], lambda raw: raw[:5000] + b"x" + raw[5001:], lambda raw: b""])
def test_a_damaged_entry_is_made_anew(tmp_path, spoil):
    cases = write_cases(tmp_path, 1)
    good = prepare_cases(cases, Preparation(), tmp_path / "cache", engine="serial")
    file = next((tmp_path / "cache").rglob("*.case"))
    whole = file.read_bytes()
    file.write_bytes(spoil(whole))
    found = prepare_cases(cases, Preparation(), tmp_path / "cache", engine="serial")
    assert found.images.tobytes() == good.images.tobytes()
    assert file.read_bytes() == whole


def test_bad_cases_are_set_aside_and_the_others_go_on(tmp_path):
    cases = write_cases(tmp_path, 4)
    cases[0].image = tmp_path / "absent.nii.gz"
    cases[1].image.write_bytes(b"junk")
    image, _ = phantom()
    write_volume(image.with_array(np.zeros(image.shape, dtype=np.uint8)), cases[2].mask)
    found = prepare_cases(cases, Preparation(), tmp_path / "cache", engine="serial")
    assert [case.case_id for case in found.cases] == ["c3"]
    assert [problem.where for problem in found.set_aside] == ["case c0", "case c1", "case c2"]
    assert "absent.nii.gz" in found.set_aside[0].what
    assert "empty" in found.set_aside[2].what
    assert not any(str(tmp_path) in str(problem) for problem in found.set_aside)


def test_no_cases_and_none_usable(tmp_path):
    assert prepare_cases([], Preparation(), tmp_path / "cache").images.shape == (0, 32, 32, 32)
    cases = write_cases(tmp_path, 1)
    cases[0].image.write_bytes(b"junk")
    found = prepare_cases(cases, Preparation(), tmp_path / "cache", engine="serial")
    assert len(found) == 0
    assert len(found.set_aside) == 1


def test_several_lesions_of_one_image_and_the_same_case_twice(tmp_path):
    cases = write_cases(tmp_path, 2)
    cases[1].image = cases[0].image
    write_volume(phantom(radius=8.0)[1], cases[1].mask)
    cases.append(SimpleNamespace(**{**vars(cases[0]), "case_id": "again"}))
    cases.append(SimpleNamespace(**{**vars(cases[0]), "case_id": "point", "mask": None}))
    found = prepare_cases(cases, Preparation(), tmp_path / "cache", engine="serial")
    assert len(found) == 4
    assert found.features["pixel_digest"].nunique() == 1
    assert len(entries(tmp_path / "cache")) == 3
    assert found.has_mask.tolist() == [True, True, True, False]
    assert math.isnan(found.features["volume_mm3"][3])
    assert found.masks[3].sum() == 0


def test_a_full_disk_ends_the_run_and_leaves_nothing(tmp_path, monkeypatch):
    cases = write_cases(tmp_path, 1)

    def full(source, target):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cache_module.os, "replace", full)
    with pytest.raises(RunError, match="No space left on device"):
        prepare_cases(cases, Preparation(), tmp_path / "cache", engine="serial")
    assert [file for file in (tmp_path / "cache").rglob("*") if file.is_file()] == []


def test_a_header_with_detached_data_is_hashed_with_its_data(tmp_path):
    image, _ = phantom()
    sitk.WriteImage(sitk.GetImageFromArray(image.array), str(tmp_path / "image.mhd"))
    one = cache_module.content_digest(tmp_path / "image.mhd")
    raw = tmp_path / "image.raw"
    raw.write_bytes(raw.read_bytes()[:-1] + b"\x07")
    assert cache_module.content_digest(tmp_path / "image.mhd") != one


def test_preparation_needs_no_torch():
    heavy = "('torch', 'monai', 'pandas', 'SimpleITK')"
    code = f"import sys, hounsfield.data.prepare; print([name for name in {heavy} if name in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


def test_real_nodules(shared_data, tmp_path):
    from hounsfield.tables.cases import read_cases

    cases = read_cases(shared_data / "lidc-nodules" / "cases.csv").cases()[::100]
    found = prepare_cases(cases, Preparation(fill="texture"), tmp_path / "cache", engine="serial")
    assert len(found) == len(cases)
    for case, volume, diameter in zip(cases, found.features["volume_mm3"], found.features["diameter_mm"], strict=True):
        shape = sitk.LabelShapeStatisticsImageFilter()
        shape.Execute(sitk.Cast(sitk.ReadImage(str(case.mask)) > 0, sitk.sitkUInt8))
        assert volume == pytest.approx(shape.GetPhysicalSize(1), rel=1e-5)
        assert diameter == pytest.approx(2 * shape.GetEquivalentSphericalRadius(1), rel=1e-5)


def test_a_killed_run_goes_on_to_the_same_numbers(tmp_path):
    cases = write_cases(tmp_path, 12)
    code = (
        "import sys, time, pickle, pathlib; from hounsfield.data.prepare import *; import hounsfield.data.prepare as "
        "p\n"
        "store = p.store\n"
        "def slow(*args):\n    time.sleep(0.05); store(*args)\n"
        "p.store = slow\n"
        "prepare_cases(pickle.loads(sys.stdin.buffer.read()), Preparation(), pathlib.Path(sys.argv[1]), "
        "engine='serial')"
    )
    cache = tmp_path / "cache"
    with subprocess.Popen([sys.executable, "-c", code, str(cache)], stdin=subprocess.PIPE) as process:
        process.stdin.write(pickle.dumps(cases))
        process.stdin.close()
        while len(entries(cache)) < 3:
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    before = entries(cache)
    assert 3 <= len(before) < 12
    found = prepare_cases(cases, Preparation(), cache, engine="serial")
    assert before.items() <= entries(cache).items()  # what was there has not been made again
    whole = prepare_cases(cases, Preparation(), tmp_path / "other", engine="serial")
    assert found.images.tobytes() == whole.images.tobytes()
