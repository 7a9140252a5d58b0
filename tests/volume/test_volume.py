"""Geometry of Volume against hand counts and SimpleITK."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import SimpleITK as sitk

from hounsfield.core.errors import ImageError
from hounsfield.volume.volume import Volume, right_handed


def rotation(degrees: float) -> np.ndarray:
    angle = np.radians(degrees)
    return np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])


def test_world_of_an_index_by_hand():
    volume = Volume(np.zeros((4, 5, 6)), (2.0, 0.5, 0.25), (10.0, 20.0, 30.0))
    # z 3 x 2 = 6 mm up, y 2 x 0.5 = 1 mm, x 4 x 0.25 = 1 mm
    np.testing.assert_allclose(volume.to_world([[3, 2, 4]]), [[11.0, 21.0, 36.0]])
    np.testing.assert_allclose(volume.to_index([[11.0, 21.0, 36.0]]), [[3, 2, 4]])
    np.testing.assert_allclose(volume.affine() @ [3, 2, 4, 1], [11.0, 21.0, 36.0, 1.0])
    assert volume.voxel_mm3 == pytest.approx(0.25)
    assert volume.centre_mm() == pytest.approx((10.625, 21.0, 33.0))


def test_world_of_an_index_as_simpleitk_has_it():
    direction = rotation(30) @ np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]])
    volume = Volume(np.zeros((4, 5, 6)), (2.0, 0.5, 0.25), (10.0, -20.0, 3.0), direction)
    image = sitk.GetImageFromArray(np.zeros((4, 5, 6)))
    image.SetSpacing((0.25, 0.5, 2.0))
    image.SetOrigin((10.0, -20.0, 3.0))
    image.SetDirection(direction.ravel().tolist())
    for z, y, x in [(0, 0, 0), (3, 4, 5), (1, 2, 3)]:
        np.testing.assert_allclose(volume.to_world([[z, y, x]])[0], image.TransformIndexToPhysicalPoint((x, y, z)))
        np.testing.assert_allclose(volume.to_index(volume.to_world([[z, y, x]]))[0], (z, y, x), atol=1e-12)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"array": np.zeros((2, 2))}, "3 axes"),
        ({"array": np.zeros((2, 0, 2))}, "3 axes"),
        ({"spacing_mm": (1.0, 0.0, 1.0)}, "above 0"),
        ({"spacing_mm": (1.0, float("nan"), 1.0)}, "above 0"),
        ({"spacing_mm": (1.0, 1.0)}, "above 0"),
        ({"origin_mm": (0.0, float("inf"), 0.0)}, "origin"),
        ({"direction": np.diag([1.0, 1.0, -1.0])}, "left-handed"),
        ({"direction": np.diag([1.0, 1.0, 2.0])}, "orthonormal"),
        ({"direction": np.full((3, 3), np.nan)}, "orthonormal"),
        ({"direction": np.array([[1, 0.1, 0], [0, 1, 0], [0, 0, 1]])}, "orthonormal"),
    ],
)
def test_a_bad_grid_is_refused(change, match):
    good = {"array": np.zeros((2, 2, 2)), "spacing_mm": (1.0, 1.0, 1.0)}
    with pytest.raises(ImageError, match=match):
        Volume(**{**good, **change})


def test_a_volume_is_frozen():
    volume = Volume(np.zeros((2, 2, 2)), (1.0, 1.0, 1.0))
    with pytest.raises(dataclasses.FrozenInstanceError):
        volume.spacing_mm = (2.0, 2.0, 2.0)
    with pytest.raises(ValueError, match="read-only"):
        volume.direction[0, 0] = 5


def test_same_grid_within_a_micrometre():
    one = Volume(np.zeros((3, 4, 5)), (1.0, 1.0, 1.0))
    assert one.same_grid(Volume(np.ones((3, 4, 5)), (1.0, 1.0, 1.0), (0.0005, 0, 0)))
    assert not one.same_grid(Volume(np.ones((3, 4, 5)), (1.0, 1.0, 1.0), (0.01, 0, 0)))
    assert not one.same_grid(Volume(np.ones((3, 4, 5)), (1.0, 1.0, 1.001), (0.0, 0, 0)))
    assert not one.same_grid(Volume(np.ones((3, 4, 6)), (1.0, 1.0, 1.0)))
    with pytest.raises(ImageError, match="shape"):
        one.with_array(np.zeros((3, 4, 6)))


@pytest.mark.parametrize("flipped", [0, 1, 2])
def test_turning_a_left_handed_grid_moves_no_voxel(flipped):
    direction = np.eye(3)
    direction[:, flipped] *= -1
    array = np.arange(24).reshape(2, 3, 4)
    image = sitk.GetImageFromArray(array.astype(float))
    image.SetSpacing((0.5, 0.7, 2.0))
    image.SetOrigin((3.0, 4.0, 5.0))
    image.SetDirection(direction.ravel().tolist())
    volume = right_handed(array, (2.0, 0.7, 0.5), (3.0, 4.0, 5.0), direction)
    np.testing.assert_allclose(volume.direction, np.eye(3))
    for z, y, x in np.ndindex(2, 3, 4):
        point = image.TransformIndexToPhysicalPoint((x, y, z))
        at = tuple(np.rint(volume.to_index([point])[0]).astype(int))
        assert volume.array[at] == array[z, y, x]


def test_a_left_handed_grid_that_runs_against_no_axis_gets_its_slices_turned():
    direction = np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, 1]])
    volume = right_handed(np.zeros((3, 2, 2)), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), direction)
    np.testing.assert_allclose(volume.direction[:, 2], [0, 0, -1])
    assert volume.origin_mm == (0.0, 0.0, 2.0)
