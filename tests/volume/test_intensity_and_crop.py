"""Window and cube against the values of the specification and hand counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hounsfield.core.errors import ImageError, MaskError
from hounsfield.volume.crop import bounding_box, box_centre, centroid, crop_cube
from hounsfield.volume.intensity import scale_hu


def test_window_of_the_paper():  # D = (HU + 1024) / 1424 * 2 - 1, computed by hand
    hu = np.array([-2000, -1024, -700, -600, -312, 0, 40, 400, 3000])
    expected = [-1, -1, -0.54494, -0.40449, 0, 0.43820, 0.49438, 1, 1]
    scaled = scale_hu(hu)
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled, expected, atol=5e-6)
    assert hu[0] == -2000  # the input is left alone


def test_window_leaves_floats_alone_too():
    hu = np.zeros((2, 2, 2), dtype=np.float32)
    scale_hu(hu)
    assert (hu == 0).all()


@pytest.mark.parametrize("window", [(0, 0), (10, -10), (float("nan"), 1)])
def test_an_empty_window_is_refused(window):
    with pytest.raises(ImageError, match="low below high"):
        scale_hu(np.zeros(3), window)


def test_centres_by_hand():
    mask = np.zeros((5, 6, 7))
    mask[1, 2, 3] = mask[1, 2, 4] = mask[3, 2, 3] = mask[1, 5, 3] = 1
    assert centroid(mask) == (2, 3, 3)  # means 1.5 (halves go up), 2.75, 3.25
    assert box_centre(mask) == (2, 4, 4)  # middles 2, 3.5, 3.5
    assert bounding_box(mask) == ((1, 2, 3), (4, 6, 5))


@pytest.mark.parametrize("function", [centroid, box_centre, bounding_box])
def test_an_empty_mask_has_no_centre(function):
    with pytest.raises(MaskError, match="empty"):
        function(np.zeros((3, 3, 3)))


def test_the_centre_lies_at_index_16_of_32():
    array = np.zeros((40, 40, 40), dtype=np.int16)
    array[20, 21, 22] = 7
    cube = crop_cube(array, (20, 21, 22), (32, 32, 32))
    assert cube.shape == (32, 32, 32)
    assert np.argwhere(cube == 7).tolist() == [[16, 16, 16]]


def test_padding_at_a_corner_by_counting():
    cube = crop_cube(np.ones((10, 10, 10), dtype=np.int16), (0, 0, 0), (4, 4, 4))
    # start -2: indices -2, -1 are outside on each axis, so 2 x 2 x 2 voxels are left
    assert (cube == 1).sum() == 8
    assert (cube == -1024).sum() == 64 - 8
    assert (cube[2:, 2:, 2:] == 1).all()


@given(
    centre=st.tuples(*[st.integers(-40, 40)] * 3),
    size=st.tuples(*[st.integers(1, 9)] * 3),
    shape=st.tuples(*[st.integers(1, 7)] * 3),
)
def test_cropping_is_indexing_a_padded_array(centre, size, shape):
    array = np.arange(1, 1 + np.prod(shape)).reshape(shape)
    padded = np.pad(array, 60, constant_values=-5)
    start = [c - s // 2 + 60 for c, s in zip(centre, size, strict=True)]
    expected = padded[tuple(slice(a, a + s) for a, s in zip(start, size, strict=True))]
    np.testing.assert_array_equal(crop_cube(array, centre, size, fill=-5), expected)


def test_a_cube_of_no_size_is_refused():
    with pytest.raises(ImageError, match="above 0"):
        crop_cube(np.zeros((3, 3, 3)), (1, 1, 1), (0, 3, 3))
