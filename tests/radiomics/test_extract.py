"""One lesion from the outside: what is missing says why, and what is wrong is refused."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from hounsfield.core.errors import HounsfieldError, ImageError, MaskError
from hounsfield.radiomics.config import RadiomicsConfig
from hounsfield.radiomics.extract import features
from hounsfield.radiomics.sets import SETS, TEXTURE, catalogue, names_of

UNIT = (1.0, 1.0, 1.0)
NATIVE = RadiomicsConfig(spacing_mm=None)


def lesion(seed: int = 0, margin: int = 20) -> tuple[np.ndarray, np.ndarray]:
    grid = np.stack(np.meshgrid(*[np.arange(-margin - 6, margin + 7)] * 3, indexing="ij"))
    mask = np.linalg.norm(grid, axis=0) <= 5.5
    return np.random.default_rng(seed).integers(-700, 200, mask.shape).astype(np.int16), mask


def test_sets_have_the_sizes_of_their_names():
    assert len(names_of("standard107")) == 107
    assert len(names_of("paper91-without-glrlm")) == len(names_of("paper91-without-glszm")) == 91
    assert not any(name.startswith("glrlm") for name in names_of("paper91-without-glrlm"))
    assert (len(names_of("shape")), len(names_of("first_order")), len(names_of("texture"))) == (14, 18, 75)
    assert set(names_of("ibsi")) < set(names_of("all"))
    per_class = [one.pyradiomics.partition("_")[0] for one in catalogue().values() if one.pyradiomics]
    expected = {"shape": 14, "firstorder": 18, "glcm": 24, "glrlm": 16, "glszm": 16, "gldm": 14, "ngtdm": 5}
    assert {name: per_class.count(name) for name in set(per_class)} == expected
    codes = [one.ibsi_code for one in catalogue().values() if one.ibsi_code]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("chosen", SETS)
def test_a_set_is_measured_whole(chosen: str):
    image, mask = lesion()
    found = features(image, mask, spacing_mm=UNIT, names=chosen)
    assert tuple(found.values) == names_of(chosen)
    assert not found.missing
    assert np.isfinite(list(found.values.values())).all()


def test_unknown_names_are_refused():
    image, mask = lesion()
    with pytest.raises(HounsfieldError, match="Did you mean 'standard107'"):
        features(image, mask, spacing_mm=UNIT, names="standard")
    with pytest.raises(HounsfieldError, match="Did you mean 'glcm_contrast'"):
        features(image, mask, spacing_mm=UNIT, names=["glcm_contrasts"])


def test_three_voxels_have_no_texture():
    image, _ = lesion()
    mask = np.zeros(image.shape, bool)
    mask[20, 20, 20:23] = True
    found = features(image, mask, spacing_mm=UNIT, config=NATIVE)
    texture = {name for name in found.values if catalogue()[name].family in TEXTURE}
    assert set(found.missing) == texture
    assert len(texture) == 75
    assert set(found.missing.values()) == {"texture of 3 voxels says nothing; at least 10 are asked for"}
    assert found.values["shape_voxel_volume"] == found.voxels == 3
    assert found.values["first_order_minimum"] == image[20, 20, 20:23].min()


def test_one_voxel_is_measured_as_far_as_it_goes():
    image, _ = lesion()
    mask = np.zeros(image.shape, bool)
    mask[20, 20, 20] = True
    config = RadiomicsConfig(spacing_mm=None, minimum_texture_voxels=1)
    found = features(image, mask, spacing_mm=UNIT, config=config, names="all")
    assert found.missing["glcm_contrast"] == "no two of the lesion's voxels are neighbours"
    assert found.missing["ngtdm_busyness"] == "no voxel of the lesion has a neighbour in it"
    assert found.missing["shape_elongation"] == "all voxels lie in one point, which has no axes"
    assert found.values["glszm_zone_percentage"] == 1
    assert "it is not defined for this lesion" not in found.missing.values()


def test_a_constant_lesion():
    image, mask = lesion()
    image[:] = 37
    found = features(image, mask, spacing_mm=(2.0, 0.7, 0.7), names="all")
    assert found.values["first_order_variance"] == found.values["histogram_entropy"] == 0
    assert found.values["glcm_joint_entropy"] == found.values["glszm_zone_size_entropy"] == 0
    assert found.values["ngtdm_coarseness"] == 1e6
    assert {name for name in found.missing if name.startswith("glcm")} == {
        "glcm_correlation",
        "glcm_information_correlation_1",
        "glcm_maximal_correlation_coefficient",
    }
    assert "0/0" in found.missing["glcm_correlation"]
    assert "it is not defined for this lesion" not in found.missing.values()


def test_nothing_left_after_resegmentation():
    image, mask = lesion()
    found = features(image, mask, spacing_mm=UNIT, config=RadiomicsConfig(intensity_range=(1000, 2000)))
    assert found.voxels == 0
    assert set(found.missing) == {name for name in found.values if not name.startswith("shape")}
    assert set(found.missing.values()) == {"re-segmentation leaves no voxel"}


def test_bad_input_is_refused():
    image, mask = lesion()
    with pytest.raises(MaskError, match="empty"):
        features(image, np.zeros_like(mask), spacing_mm=UNIT)
    with pytest.raises(MaskError, match="one shape"):
        features(image, mask[1:], spacing_mm=UNIT)
    with pytest.raises(MaskError, match="3 axes"):
        features(image[0], mask[0], spacing_mm=UNIT)
    with pytest.raises(ImageError, match="spacing_mm"):
        features(image, mask, spacing_mm=(1.0, 0.0, 1.0))
    with pytest.raises(MaskError, match="no numbers"):
        features(image, np.where(mask, 1.0, np.nan), spacing_mm=UNIT)
    with pytest.raises(ImageError, match="coarser spacing_mm"):
        features(image, mask, spacing_mm=UNIT, config=RadiomicsConfig(spacing_mm=(0.01, 0.01, 0.01)))
    broken = image.astype(np.float32)
    broken[mask] = np.nan
    with pytest.raises(ImageError, match="no numbers"):
        features(broken, mask, spacing_mm=UNIT)
    assert not features(broken, mask, spacing_mm=UNIT, names="shape").missing  # the outline is all it needs


def test_where_the_lesion_lies_changes_nothing():
    image, mask = lesion(margin=20)
    moved = tuple(np.pad(array, ((7, 0), (0, 3), (5, 5)), mode="edge") for array in (image, mask))
    kept = RadiomicsConfig(spacing_mm=(1.0, 1.0, 1.0))
    first = features(image, mask, spacing_mm=UNIT, config=kept, names="all")
    assert features(*moved, spacing_mm=UNIT, config=kept, names="all").values == pytest.approx(first.values)


def test_a_lesion_at_the_border_is_measured():
    image, mask = lesion()
    z, y, x = np.nonzero(mask)
    cut = tuple(slice(a.min(), a.max() + 1) for a in (z, y, x))
    inside = features(image, mask, spacing_mm=UNIT, config=NATIVE, names="all")
    at_border = features(image[cut], mask[cut], spacing_mm=UNIT, config=NATIVE, names="all")
    assert at_border.values == pytest.approx(inside.values)


def test_input_is_left_alone_and_the_same_twice():
    image, mask = lesion()
    before = image.copy(), mask.copy()
    first, second = (features(image, mask, spacing_mm=(2.0, 0.7, 0.7), names="all").values for _ in range(2))
    assert first == second  # to the last bit
    np.testing.assert_array_equal(image, before[0])
    np.testing.assert_array_equal(mask, before[1])


def test_any_type_of_image_and_mask():
    image, mask = lesion()
    first = features(image, mask, spacing_mm=UNIT).values
    assert features(image.astype(np.float64), mask.astype(np.uint8) * 255, spacing_mm=UNIT).values == first
    assert features(image[::-1, ::-1, ::-1][::-1, ::-1, ::-1], mask.astype(np.float32), spacing_mm=UNIT).values == first


HUGE = """
import resource
import numpy as np
from hounsfield.radiomics.extract import features
z, y, x = np.ogrid[-1:1:80j, -1:1:200j, -1:1:200j]
mask = z**2 + y**2 + x**2 <= 1
image = np.random.default_rng(0).normal(40, 60, mask.shape).astype(np.int16)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = features(image, mask, spacing_mm=(1.0, 1.0, 1.0))
print(found.voxels, len(found.missing), (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


@pytest.mark.slow
def test_an_organ_needs_little_memory():
    # 1.7 million voxels in a box of 3.2 million; the numbers of all 13 neighbours at once would take 170 MB alone.
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", HUGE], capture_output=True, text=True, env=environment, check=True)
    voxels, missing, megabytes = done.stdout.split()
    assert int(voxels) > 1_600_000
    assert int(missing) == 0
    assert float(megabytes) < 300
