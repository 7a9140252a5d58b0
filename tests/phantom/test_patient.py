"""Phantom patients: truth and image agree, and classes overlap as they are meant to."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from hounsfield.phantom.patient import SITES, SUBTYPES, draw_patient, plan_patient


@pytest.fixture(scope="module")
def plans():
    return [plan_patient(number, seed=7) for number in range(600)]


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_drawn_volume_is_that_of_the_plan(number):
    plan = plan_patient(number, seed=7)
    patient = draw_patient(plan)
    voxel = np.prod(plan.spacing_mm)
    assert patient.image.dtype == np.int16
    assert patient.image.shape == plan.shape
    assert len(patient.masks) == len(plan.lesions)
    for lesion, mask, core in zip(plan.lesions, patient.masks, patient.cores, strict=True):
        wanted = 4 / 3 * np.pi * np.prod(lesion.geometry.radii_mm)
        assert mask.sum() * voxel == pytest.approx(wanted, rel=0.12)
        centre = (np.argwhere(mask).mean(0) - (np.array(plan.shape) - 1) / 2) * plan.spacing_mm
        assert centre == pytest.approx(np.array(lesion.centre_mm), abs=0.5)
        assert not (core & ~mask).any()


def test_ct_numbers_of_the_parts():
    plan = plan_patient(5, seed=7)
    image = draw_patient(plan).image
    assert image[:, :4, :4].mean() == pytest.approx(-1000, abs=15)
    middle = image[:, plan.shape[1] // 2, plan.shape[2] // 2]  # between the lungs
    assert middle.mean() == pytest.approx(40, abs=15)
    assert np.diff(image[:, :6, :6].astype(float), axis=0).std() > 10


def test_pure_ground_glass_has_its_ct_number():
    for number in range(200):
        plan = plan_patient(number, seed=7)
        if len(plan.lesions) == 1 and min(plan.lesions[0].geometry.radii_mm) > 6:
            break
    patient = draw_patient(plan)
    inside = patient.image[patient.masks[0] & ~patient.cores[0]]
    assert np.median(inside) == pytest.approx(plan.lesions[0].ground_glass_hu, abs=25)


def test_same_seed_same_bytes():
    one, two = (draw_patient(plan_patient(3, seed=1)) for _ in range(2))
    assert one.plan == two.plan
    assert np.array_equal(one.image, two.image)
    other = draw_patient(plan_patient(3, seed=2))
    assert not np.array_equal(one.image, other.image)


def test_no_single_number_separates_the_classes(plans):
    lesions = [lesion for plan in plans for lesion in plan.lesions]
    malignant = [SUBTYPES[lesion.subtype].malignant for lesion in lesions]
    volume = [np.prod(lesion.geometry.radii_mm) for lesion in lesions]
    core = [lesion.geometry.core_fraction for lesion in lesions]
    assert 0.7 < roc_auc_score(malignant, volume) < 0.9
    assert 0.8 < roc_auc_score(malignant, core) < 0.95
    assert 0.4 < np.mean(malignant) < 0.6


def test_shares_of_sites_and_subtypes(plans):
    lesions = [lesion.subtype for plan in plans for lesion in plan.lesions]
    for name, law in SUBTYPES.items():
        assert lesions.count(name) / len(lesions) == pytest.approx(law.share, abs=0.05)
    for site in SITES:
        assert sum(plan.site == site for plan in plans) / len(plans) == pytest.approx(site.share, abs=0.06)
    assert {len(plan.lesions) for plan in plans} == {1, 2}
    assert len({plan.spacing_mm for plan in plans}) == 3


def test_lesions_lie_whole_inside_the_volume_and_apart(plans):
    for plan in plans:
        half = np.array(plan.shape) * plan.spacing_mm / 2
        for lesion in plan.lesions:
            assert (np.abs(lesion.centre_mm) + lesion.geometry.radii_mm < half).all()
        if len(plan.lesions) == 2:
            one, two = plan.lesions
            gap = np.linalg.norm(np.subtract(one.centre_mm, two.centre_mm))
            assert gap > max(one.geometry.radii_mm) + max(two.geometry.radii_mm)
