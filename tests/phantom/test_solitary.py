"""Phantoms of solitary nodules: shapes have the size they are drawn with, classes differ in the signal alone."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest

from hounsfield.core.errors import StudyError
from hounsfield.phantom.shapes import ellipsoid_mm
from hounsfield.phantom.solitary import (
    KERNELS,
    KINDS,
    SHAPE,
    SPACING_MM,
    TEXTURE_HU,
    Ball,
    draw_body,
    plan_grid,
    plan_solitary,
    plate_of,
    reconstructed,
)
from hounsfield.phantom.solitary_archive import solitary_plans, write_solitary_archive
from hounsfield.phantom.thorax import lungs_of
from hounsfield.volume.lungs import lung_masks
from hounsfield.volume.read import read_mask, read_volume
from hounsfield.volume.volume import Volume

VOXEL_MM3 = math.prod(SPACING_MM)


@pytest.fixture(scope="module")
def plans():
    return [plan_solitary(number, seed=5, kind="global_only", positive=True) for number in range(1, 61)]


def points_on(ball: Ball) -> np.ndarray:
    """(400, 3) points of the ball's surface."""
    direction = np.random.default_rng(0).standard_normal((400, 3))
    return np.asarray(ball.centre_mm) + ball.radius_mm * direction / np.linalg.norm(direction, axis=1, keepdims=True)


# --- sizes


@pytest.mark.parametrize("number", [1, 2, 3])
def test_nodule_has_the_volume_of_its_sphere(number):
    plan = plan_solitary(number, seed=5, kind="local_only", positive=False)
    body, mask = draw_body(plan)
    assert mask.sum() * VOXEL_MM3 == pytest.approx(4 / 3 * math.pi * plan.nodule.radius_mm**3, rel=0.06)
    centre = (np.argwhere(mask).mean(axis=0) - (np.array(SHAPE) - 1) / 2) * SPACING_MM
    assert centre == pytest.approx(np.array(plan.nodule.centre_mm), abs=0.4)
    deep = ellipsoid_mm(plan_grid(), plan.nodule.centre_mm, (plan.nodule.radius_mm,) * 3) < -4
    np.testing.assert_allclose(body[deep], 40.0, atol=1e-3)


def test_nodules_and_satellites_have_the_sizes_asked_for(plans):
    assert all(20 <= 2 * plan.nodule.radius_mm <= 30 for plan in plans)
    assert {len(plan.satellites) for plan in plans} == {3, 4, 5, 6, 7, 8}
    # Three voxels of the lungs' grid, which has 240 mm of lungs and margins on 48 voxels: 5 mm.
    assert all(2 * ball.radius_mm >= 15 for plan in plans for ball in plan.satellites)


def test_kernels_give_the_noise_they_say():
    plan = plan_solitary(1, seed=5, kind="fingerprint", positive=True)
    flat = np.zeros(SHAPE, dtype=np.float32)
    for kernel in KERNELS:
        inner = reconstructed(plan, flat, kernel)[:, 3:-3, 3:-3]
        assert inner.std() == pytest.approx(kernel.noise_hu, rel=0.02)
        neighbours = np.corrcoef(inner[:, :, 1:].ravel(), inner[:, :, :-1].ravel())[0, 1]
        # Of the weights (a, 1 - 2a, a): lag 1 over lag 0 is 2a(1 - 2a) / (1 - 4a + 6a^2).
        a = kernel.neighbour
        assert neighbours == pytest.approx(2 * a * (1 - 2 * a) / (1 - 4 * a + 6 * a * a), abs=0.01)


# --- places


def test_satellites_lie_wholly_in_a_lung_and_apart(plans):
    for plan in plans:
        for ball in (plan.nodule, *plan.satellites):
            inside = [
                (((points_on(ball) - lung.centre_mm) / lung.radii_mm) ** 2).sum(axis=1).max() < 1
                for lung in lungs_of(plan.thorax)
            ]
            assert any(inside)
        for index, one in enumerate(plan.satellites):
            for other in plan.satellites[index + 1 :]:
                assert math.dist(one.centre_mm, other.centre_mm) > one.radius_mm + other.radius_mm


def test_signals_far_from_the_nodule_are_outside_of_every_augmented_cube(plans):
    # A corner of the cube of 64 mm, looked up at 1 / 0.9 of its distance and shifted by 4 mm along each axis.
    reach = 32 * math.sqrt(3) / 0.9 + 4 * math.sqrt(3)
    assert reach == pytest.approx(68.5, abs=0.1)
    leaks = [plan_solitary(number, seed=5, kind="leak", positive=True) for number in range(1, 61)]
    for plan in (*plans, *leaks):
        for ball in (*plan.satellites, *plan.wall):
            distance = math.dist(ball.centre_mm, plan.nodule.centre_mm)
            assert distance > 75
            assert distance - ball.radius_mm > reach
    for plan in leaks:
        middle, half = np.array(plate_of(plan))
        outside = np.maximum(np.abs(np.array(plan.nodule.centre_mm) - middle) - half, 0)
        assert np.linalg.norm(outside) > reach


def test_the_leak_lies_outside_of_the_lungs_that_are_found():
    plan = plan_solitary(3, seed=5, kind="leak", positive=True)
    with_it, _ = draw_body(plan)
    without, _ = draw_body(replace(plan, positive=False, wall=()))
    touched = with_it != without
    assert touched.sum() * VOXEL_MM3 > 5000
    image = reconstructed(plan, with_it, plan.kernels[0])
    lungs = lung_masks(Volume(image, SPACING_MM, (0.0, 0.0, 0.0))).labels > 0
    grown = np.pad(lungs, 2)
    near = np.zeros_like(lungs)
    for shift in np.ndindex(5, 5, 5):
        near |= grown[tuple(slice(s, s + n) for s, n in zip(shift, SHAPE, strict=True))]
    assert not (touched & near).any()  # not even two voxels from them


def test_lungs_are_found_with_all_that_is_in_them():
    plan = plan_solitary(1, seed=5, kind="global_only", positive=True)
    body, mask = draw_body(plan)
    lungs = lung_masks(Volume(reconstructed(plan, body, plan.kernels[0]), SPACING_MM, (0.0, 0.0, 0.0))).labels > 0
    assert lungs[mask].all()
    for ball in plan.satellites:
        assert lungs[ellipsoid_mm(plan_grid(), ball.centre_mm, (ball.radius_mm,) * 3) < 0].all()
    ml = sum(4 / 3 * math.pi * math.prod(lung.radii_mm) for lung in lungs_of(plan.thorax)) / 1000
    assert lungs.sum() * VOXEL_MM3 / 1000 == pytest.approx(ml, rel=0.01)


# --- the classes are alike but for the signal


@pytest.mark.parametrize("kind", ["global_only", "local_only", "leak"])
def test_the_same_patient_in_both_classes_differs_in_the_signal_alone(kind):
    one, other = (plan_solitary(4, seed=5, kind=kind, positive=positive) for positive in (False, True))
    assert replace(one, positive=True, satellites=other.satellites, wall=other.wall) == other
    (body, mask), (changed, same_mask) = draw_body(one), draw_body(other)
    np.testing.assert_array_equal(mask, same_mask)
    grid = plan_grid()
    allowed = np.zeros(SHAPE, dtype=bool)
    for ball in (*other.satellites, *other.wall, *([other.nodule] if kind == "local_only" else [])):
        allowed |= ellipsoid_mm(grid, ball.centre_mm, (ball.radius_mm + 2,) * 3) < 0
    if kind == "leak":
        pairs = list(zip(grid, *plate_of(other), strict=True))
        near = [np.broadcast_to(np.abs(axis - at) < half + 2, SHAPE) for axis, at, half in pairs]
        allowed |= near[0] & near[1] & near[2]
    difference = body != changed
    assert difference.any()
    assert not (difference & ~allowed).any()
    noise = [reconstructed(plan, np.zeros(SHAPE, np.float32), KERNELS[0]) for plan in (one, other)]
    np.testing.assert_array_equal(*noise)


def test_texture_keeps_the_mean_of_the_nodule():
    plan = plan_solitary(4, seed=5, kind="local_only", positive=True)
    body, mask = draw_body(plan)
    plain, _ = draw_body(replace(plan, positive=False))
    deep = ellipsoid_mm(plan_grid(), plan.nodule.centre_mm, (plan.nodule.radius_mm,) * 3) < -2
    # The voxels of the rim are half lung and take half of it.
    assert (body - plain)[mask].mean() == pytest.approx(0, abs=0.1 * TEXTURE_HU)
    assert body[deep].std() == pytest.approx(TEXTURE_HU, rel=0.15)
    assert plain[deep].std() < 1


def test_kinds_share_their_patients_and_fingerprints_take_no_class():
    alike = [plan_solitary(7, seed=5, kind=kind, positive=True) for kind in KINDS]
    assert len({(plan.thorax, plan.nodule, plan.sex, plan.age) for plan in alike}) == 1
    one, other = (draw_body(plan_solitary(7, seed=5, kind="fingerprint", positive=p))[0] for p in (False, True))
    np.testing.assert_array_equal(one, other)
    another = plan_solitary(8, seed=5, kind="fingerprint", positive=True)
    assert {len(plan_solitary(n, seed=5, kind="fingerprint", positive=True).kernels) for n in range(20)} == {2, 3}
    assert another.nodule != alike[0].nodule


def test_bodies_follow_one_law_in_both_classes():
    plans = solitary_plans("global_only", 400, seed=5)
    positive = np.array([plan.positive for plan in plans])
    assert positive.sum() == 200
    for values in (
        [sum(math.prod(lung.radii_mm) for lung in lungs_of(plan.thorax)) for plan in plans],
        [plan.nodule.radius_mm for plan in plans],
        [plan.age for plan in plans],
        [plan.sex == "F" for plan in plans],
        [plan.side for plan in plans],
        [plan.number for plan in plans],
    ):
        one, other = (np.asarray(values, dtype=float)[positive == which] for which in (False, True))
        assert abs(one.mean() - other.mean()) < 3 * math.sqrt(one.var() / 200 + other.var() / 200)


# --- files


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("solitary")
    write_solitary_archive(folder, "global_only", 4, seed=5, workers=1)
    return folder


def test_headers_do_not_tell_the_class(archive):
    outcomes = pd.read_csv(archive / "outcomes.csv", dtype=str).set_index("patient_id")
    assert outcomes["diagnosis"].value_counts().to_dict() == {"cryptococcosis": 2, "cancer": 2}
    seen = {}
    for patient in outcomes.index:
        files = sorted((archive / "archive" / patient / "MEDIUM").iterdir())
        header = pydicom.dcmread(files[0], stop_before_pixels=True)
        uids = {header.SeriesInstanceUID, header.StudyInstanceUID, header.FrameOfReferenceUID}
        assert len(uids) == 3
        own = ("PatientID", "PatientName", "PatientAge", "PatientSex", "ImagePositionPatient", "SliceLocation")
        rest = {e.keyword: str(e.value) for e in header if e.VR != "UI" and e.keyword not in own}
        seen[patient] = (len(files), [file.name for file in files], rest)
    first = next(iter(seen.values()))
    for one in seen.values():
        assert one == first
    assert first[0] == SHAPE[0]


def test_series_and_mask_are_read_back_on_one_grid(archive):
    plan = solitary_plans("global_only", 4, seed=5)[1]
    volume = read_volume(archive / "archive" / plan.patient_id / "MEDIUM")
    body, mask = draw_body(plan)
    np.testing.assert_array_equal(volume.array, reconstructed(plan, body, plan.kernels[0]))
    found = read_mask(archive / "masks" / f"{plan.patient_id}.nii.gz", like=volume)
    np.testing.assert_array_equal(found.array > 0, mask)


def test_a_whole_archive_is_left_alone_and_another_is_not_written_over(archive, tmp_path):
    before = (archive / "outcomes.csv").stat().st_mtime_ns
    write_solitary_archive(archive, "global_only", 4, seed=5, workers=1)
    assert (archive / "outcomes.csv").stat().st_mtime_ns == before
    with pytest.raises(StudyError, match="another phantom"):
        write_solitary_archive(archive, "leak", 4, seed=5)
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(StudyError, match="other files"):
        write_solitary_archive(tmp_path, "leak", 4, seed=5)


@pytest.mark.parametrize(("kind", "patients", "words"), [("leek", 4, "kind is one of"), ("leak", 1, "2 or more")])
def test_what_can_not_be_drawn_is_said(tmp_path, kind, patients, words):
    with pytest.raises(StudyError, match=words):
        write_solitary_archive(tmp_path / "new", kind, patients, seed=5)
