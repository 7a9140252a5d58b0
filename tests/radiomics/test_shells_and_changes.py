"""Shells round a lesion and changes of its outline, counted by hand or by distance."""

from __future__ import annotations

import numpy as np
import pytest

from hounsfield.core.errors import HounsfieldError, MaskError
from hounsfield.radiomics.perturb import USUAL, Perturbation, perturbed
from hounsfield.radiomics.shells import names_of_shells, shells

RNG = np.random.default_rng(0)


def test_shells_of_one_voxel_are_the_voxels_at_their_distance():
    mask = np.zeros((21, 21, 21), bool)
    mask[10, 10, 10] = True
    spacing = (2.0, 0.5, 1.0)
    offsets = np.stack(np.meshgrid(*[np.arange(-10, 11)] * 3, indexing="ij"), axis=-1) * spacing
    distance = np.linalg.norm(offsets, axis=-1)
    inner, outer = shells(mask, spacing_mm=spacing, widths_mm=(2, 3))
    np.testing.assert_array_equal(inner, (distance > 0) & (distance <= 2))
    np.testing.assert_array_equal(outer, (distance > 2) & (distance <= 5))


def test_shells_of_a_plane_by_hand():
    mask = np.zeros((12, 4, 4), bool)
    mask[0:2] = True
    one, two = shells(mask, spacing_mm=(2.5, 1.0, 1.0), widths_mm=(5, 10))
    assert np.flatnonzero(one.any(axis=(1, 2))).tolist() == [2, 3]
    assert np.flatnonzero(two.any(axis=(1, 2))).tolist() == [4, 5, 6, 7]
    assert names_of_shells((5, 10)) == ("shell_0_5mm", "shell_5_15mm")


def test_a_shell_stays_within():
    mask = np.zeros((9, 9, 9), bool)
    mask[4, 4, 4] = True
    lung = np.zeros((9, 9, 9), np.uint8)
    lung[:5] = 1
    (found,) = shells(mask, spacing_mm=(1.0, 1.0, 1.0), widths_mm=[2], within=lung)
    assert found.any()
    assert not found[5:].any()
    assert not found[4, 4, 4]


def test_a_lesion_that_fills_its_image_has_an_empty_shell():
    (found,) = shells(np.ones((3, 3, 3), bool), spacing_mm=(1.0, 1.0, 1.0), widths_mm=[5])
    assert not found.any()


def test_bad_shells_are_refused():
    mask = np.ones((3, 3, 3), bool)
    for widths in ([0], [5, -1], [float("nan")]):
        with pytest.raises(HounsfieldError, match="above 0"):
            shells(mask, spacing_mm=(1.0, 1.0, 1.0), widths_mm=widths)
    with pytest.raises(MaskError, match="empty"):
        shells(~mask, spacing_mm=(1.0, 1.0, 1.0), widths_mm=[5])
    with pytest.raises(MaskError, match="one shape"):
        shells(mask, spacing_mm=(1.0, 1.0, 1.0), widths_mm=[5], within=mask[1:])


def cube() -> tuple[np.ndarray, np.ndarray]:
    mask = np.zeros((11, 15, 15), bool)
    mask[4:7, 5:10, 5:10] = True
    return RNG.normal(0, 10, mask.shape), mask


def changed(change: Perturbation, spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> np.ndarray:
    image, mask = cube()
    return perturbed(image, mask, spacing_mm=spacing, change=change, rng=np.random.default_rng(1))[1]


def test_growing_and_shrinking_by_hand():
    assert changed(Perturbation(name="grown", grow_mm=1)).sum() == 75 + 2 * 25 + 4 * 15  # one layer on each face
    assert changed(Perturbation(name="shrunk", grow_mm=-1)).sum() == 1 * 3 * 3
    # Slices of 2.5 mm: a change of 1 mm does not reach the next one.
    thick = (2.5, 1.0, 1.0)
    assert changed(Perturbation(name="grown", grow_mm=1), thick).sum() == 3 * (25 + 4 * 5)
    assert changed(Perturbation(name="shrunk", grow_mm=-1), thick).sum() == 3 * 9


def test_shrinking_also_comes_from_the_border():
    mask = np.ones((5, 5, 5), bool)
    change = Perturbation(name="shrunk", grow_mm=-1)
    found = perturbed(mask, mask, spacing_mm=(1.0, 1.0, 1.0), change=change, rng=RNG)[1]
    assert found.sum() == 27


def test_shifting_by_hand():
    _, mask = cube()
    found = changed(Perturbation(name="shifted", shift_mm=(1, -2, 0)), (1.0, 2.0, 1.0))
    np.testing.assert_array_equal(found, np.roll(mask, (1, -1), axis=(0, 1)))


def test_noise_has_its_size_and_its_seed():
    image, mask = cube()
    change = Perturbation(name="noise", noise_sd=20)
    one, two = (
        perturbed(image, mask, spacing_mm=(1.0, 1.0, 1.0), change=change, rng=np.random.default_rng(7))[0]
        for _ in range(2)
    )
    np.testing.assert_array_equal(one, two)
    assert (one - image).std() == pytest.approx(20, rel=0.05)


def test_a_lesion_that_is_gone_is_refused():
    with pytest.raises(MaskError, match="nothing of the lesion is left when shrunk"):
        changed(Perturbation(name="shrunk", grow_mm=-5))
    assert USUAL[0].does_nothing
    assert not any(change.does_nothing for change in USUAL[1:])
