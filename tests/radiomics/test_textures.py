"""Texture matrices against slow loops written from the manual's definitions, and small ones counted by hand."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import ndimage

from hounsfield.radiomics import glcm, gldm, gldzm, glrlm, glszm, lattice, ngtdm
from hounsfield.radiomics.config import Aggregation
from hounsfield.radiomics.matrices import Cells
from hounsfield.radiomics.processing import Region
from hounsfield.radiomics.zones import zones_of

STEPS = [step for step in product((-1, 0, 1), repeat=3) if step > (0, 0, 0)]
IN_PLANE = [step for step in STEPS if step[0] == 0]


def levels_of(seed: int, shape: tuple[int, int, int] = (5, 6, 7), count: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, count + 1, shape).astype(np.int32)


def lattice_of(levels: np.ndarray, aggregation: Aggregation = "3d_merged") -> lattice.Lattice:
    mask = levels > 0
    region = Region(levels.astype(np.float32), mask, mask, levels, int(levels.max()), (1.0, 1.0, 1.0))
    return lattice.lattice_of(region, aggregation)


def dense(cells: Cells, owner: int = 0) -> dict[tuple[int, int], float]:
    mine = cells.owner == owner
    return {(int(i), int(j)): float(n) for i, j, n in zip(cells.i[mine], cells.j[mine], cells.count[mine], strict=True)}


def level_at(levels: np.ndarray, place: tuple[int, ...]) -> int:
    inside = all(0 <= p < n for p, n in zip(place, levels.shape, strict=True))
    return int(levels[place]) if inside else 0


def moved(place: tuple[int, ...], step: tuple[int, ...], times: int = 1) -> tuple[int, ...]:
    return tuple(p + times * s for p, s in zip(place, step, strict=True))


@pytest.fixture(params=[1 << 18, 37])
def _blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """All voxels at once, and in blocks that cut lesions, runs and zones apart."""
    monkeypatch.setattr(lattice, "_BLOCK", request.param)


@pytest.mark.usefixtures("_blocks")
@pytest.mark.parametrize("seed", range(2))
def test_co_occurrence_by_loops(seed: int):
    levels = levels_of(seed)
    expected: dict[tuple[int, int], float] = {}
    for place in np.ndindex(levels.shape):
        for step in STEPS:
            a, b = level_at(levels, place), level_at(levels, moved(place, step))
            if a and b:
                expected[a, b] = expected.get((a, b), 0) + 1
                expected[b, a] = expected.get((b, a), 0) + 1
    assert dense(glcm.cells(lattice_of(levels))) == expected


def test_co_occurrence_by_hand():
    # 1 1 2 in a row: pairs (1,1) and (1,2), each both ways: 2, 1, 1 of 4
    levels = np.array([1, 1, 2], np.int32).reshape(1, 1, 3)
    found = glcm.features(lattice_of(levels))
    assert found["joint_maximum"] == 0.5
    assert found["joint_average"] == 1.25
    assert found["joint_entropy"] == 1.5
    assert found["contrast"] == found["dissimilarity"] == found["inverse_variance"] == 0.5
    assert found["inverse_difference"] == 0.75
    assert found["normalised_inverse_difference"] == pytest.approx(0.5 + 0.5 / 1.5)
    assert found["correlation"] == pytest.approx((1 * 0.5 + 2 * 0.5 - 1.25**2) / 0.1875)


def test_maximal_correlation_by_its_definition():
    levels = levels_of(3, count=6)
    cells = glcm.cells(lattice_of(levels))
    p = np.zeros((7, 7))
    p[cells.i, cells.j] = cells.count / cells.count.sum()
    p = p[1:, 1:]
    x, y = p.sum(axis=1), p.sum(axis=0)
    q = np.array([[sum(p[i, k] * p[j, k] / (x[i] * y[k]) for k in range(6)) for j in range(6)] for i in range(6)])
    expected = np.sqrt(np.sort(np.linalg.eigvals(q).real)[-2])
    found = glcm.features(lattice_of(levels))["maximal_correlation_coefficient"]
    assert found == pytest.approx(expected)


def test_many_levels_use_the_sparse_solver(monkeypatch: pytest.MonkeyPatch):
    levels = levels_of(5, (9, 9, 9), 60)
    full = glcm.features(lattice_of(levels))["maximal_correlation_coefficient"]
    monkeypatch.setattr(glcm, "_DENSE_LEVELS", 10)
    monkeypatch.setattr("hounsfield.radiomics.matrices._DENSE", 10)  # counted by sorting
    assert glcm.features(lattice_of(levels))["maximal_correlation_coefficient"] == pytest.approx(full)


def test_one_level_has_no_correlation():
    found = glcm.features(lattice_of(np.full((3, 3, 3), 2, np.int32)))
    assert found["joint_entropy"] == found["difference_entropy"] == found["contrast"] == 0
    assert found["joint_maximum"] == found["angular_second_moment"] == 1
    assert found["information_correlation_2"] == 0
    for name in glcm.REASONS:
        assert np.isnan(found[name])


def runs_by_loops(levels: np.ndarray, step: tuple[int, ...]) -> dict[tuple[int, int], float]:
    found: dict[tuple[int, int], float] = {}
    for place in np.ndindex(levels.shape):
        level = level_at(levels, place)
        if not level or level_at(levels, moved(place, step, -1)) == level:
            continue
        length = 1
        while level_at(levels, moved(place, step, length)) == level:
            length += 1
        found[level, length] = found.get((level, length), 0) + 1
    return found


@pytest.mark.usefixtures("_blocks")
def test_runs_by_loops():
    levels = levels_of(2, count=2)
    each = [runs_by_loops(levels, step) for step in STEPS]
    together: dict[tuple[int, int], float] = {}
    for one in each:
        for key, count in one.items():
            together[key] = together.get(key, 0) + count
    assert dense(glrlm.cells(lattice_of(levels))) == together
    apart = glrlm.cells(lattice_of(levels, "3d_averaged"))
    found = [dense(apart, owner) for owner in range(apart.owners)]
    assert sorted(sorted(one.items()) for one in found) == sorted(sorted(one.items()) for one in each)


def test_runs_by_slice():
    levels = levels_of(4, count=2)
    cells = glrlm.cells(lattice_of(levels, "2d_merged"))
    assert cells.owners == len(levels)
    for number, plane in enumerate(levels):
        expected: dict[tuple[int, int], float] = {}
        for step in IN_PLANE:
            for key, count in runs_by_loops(plane[None], step).items():
                expected[key] = expected.get(key, 0) + count
        assert dense(cells, number) == expected


def test_run_percentage_of_single_voxels_is_one():
    levels = np.arange(1, 28, dtype=np.int32).reshape(3, 3, 3)  # all different
    for aggregation in ("3d_merged", "3d_averaged", "2d_merged", "2d_averaged", "2.5d_merged", "2.5d_averaged"):
        assert glrlm.features(lattice_of(levels, aggregation))["run_percentage"] == 1  # type: ignore[arg-type]


@pytest.mark.usefixtures("_blocks")
@pytest.mark.parametrize("aggregation", ["3d_merged", "2.5d_merged"])
def test_zones_are_those_of_scipy(aggregation: Aggregation):
    levels = levels_of(6, (7, 8, 9), 3)
    around = np.ones((3, 3, 3))
    if aggregation == "2.5d_merged":
        around[[0, 2]] = 0
    expected = sorted(
        (level, int(size))
        for level in range(1, 4)
        for size in np.bincount(ndimage.label(levels == level, around)[0].ravel())[1:]
    )
    zones = zones_of(lattice_of(levels, aggregation))
    assert sorted(zip(zones.level.tolist(), zones.size.tolist(), strict=True)) == expected
    assert len(zones.of_voxel) == (levels > 0).sum()


def test_a_snake_is_one_zone(monkeypatch: pytest.MonkeyPatch):
    # A path that leaves and enters every block: only the joining of blocks makes it one.
    monkeypatch.setattr(lattice, "_BLOCK", 5)
    levels = np.zeros((9, 3, 9), np.int32)
    levels[:, 0], levels[::4, 0:3, 0], levels[2::4, 0:3, 8] = 1, 1, 1
    zones = zones_of(lattice_of(levels))
    assert zones.size.tolist() == [int(levels.sum())]


def test_distance_zones_by_hand():
    # A 5 x 5 x 5 cube of level 1 with a core of level 2: the shell has distance 1, the core's nearest voxel 3
    levels = np.ones((5, 5, 5), np.int32)
    levels[2, 2, 2] = 2
    grid = lattice_of(levels)
    assert dense(gldzm.cells(grid, zones_of(grid), levels > 0)) == {(1, 1): 1, (2, 3): 1}
    found = gldzm.features(grid, zones_of(grid), levels > 0)
    assert found["zone_percentage"] == 2 / 125
    assert found["large_distance_emphasis"] == (1 + 9) / 2
    dropped = levels.copy()
    dropped[2, 2, 3] = 0  # gone in re-segmentation: no border of the outline
    grid = lattice_of(dropped)
    assert (2, 3) in dense(gldzm.cells(grid, zones_of(grid), np.ones((5, 5, 5), bool)))


@pytest.mark.usefixtures("_blocks")
def test_tone_differences_by_loops():
    levels = levels_of(8)
    n, s = np.zeros(5), np.zeros(5)
    around = [step for step in product((-1, 0, 1), repeat=3) if any(step)]
    for place in np.ndindex(levels.shape):
        near = [level_at(levels, moved(place, step)) for step in around]
        near = [level for level in near if level]
        if levels[place] and near:
            n[levels[place]] += 1
            s[levels[place]] += abs(levels[place] - np.mean(near))
    found = ngtdm.tone_differences(lattice_of(levels))
    np.testing.assert_array_equal(found[0][0], n)
    np.testing.assert_allclose(found[1][0], s)


def test_a_flat_lesion_has_the_manuals_limits():
    found = ngtdm.features(lattice_of(np.ones((3, 3, 3), np.int32)))
    assert found == {"coarseness": 1e6, "contrast": 0, "busyness": 0, "complexity": 0, "strength": 0}


def test_a_voxel_alone_has_neither_tone_difference_nor_pair():
    alone = lattice_of(np.ones((1, 1, 1), np.int32))
    assert all(np.isnan(value) for value in ngtdm.features(alone).values())
    assert all(np.isnan(value) for value in glcm.features(alone).values())
    assert glszm.features(alone)["zone_percentage"] == 1


@pytest.mark.usefixtures("_blocks")
def test_dependence_by_loops():
    levels = levels_of(9, count=2)
    expected: dict[tuple[int, int], float] = {}
    for place in np.argwhere(levels > 0):
        around = product((-1, 0, 1), repeat=3)  # the voxel itself among them
        same = sum(level_at(levels, moved(tuple(place), step)) == levels[tuple(place)] for step in around)
        key = (int(levels[tuple(place)]), same)
        expected[key] = expected.get(key, 0) + 1
    assert dense(gldm.cells(lattice_of(levels))) == expected
    assert gldm.features(lattice_of(levels))["dependence_count_percentage"] == 1


@pytest.mark.parametrize("family", [glcm, glrlm, glszm, ngtdm, gldm])
def test_turning_a_lesion_changes_nothing(family):
    levels = levels_of(10, (6, 6, 6))
    before = family.features(lattice_of(levels))
    after = family.features(lattice_of(np.ascontiguousarray(np.rot90(levels, axes=(0, 2))[:, ::-1])))
    assert after == pytest.approx(before)
