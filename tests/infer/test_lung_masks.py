"""Lung masks of cases: the user's wins, one is found for all lesions of a series, what can't be found is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.volume.chest_made import make_chest

from hounsfield.data.lungs import LungPreparation
from hounsfield.infer.inputs import Inputs, gather
from hounsfield.infer.lung_masks import lung_mask_files
from hounsfield.stats.overlap import dice
from hounsfield.tables.cases import Case
from hounsfield.volume.read import read_mask, read_volume
from hounsfield.volume.volume import Volume
from hounsfield.volume.write import write_volume


@pytest.fixture(scope="module")
def chest(tmp_path_factory) -> tuple[Path, np.ndarray]:
    """A simulated chest CT as a file, and the truth about its lungs."""
    made = make_chest()
    path = tmp_path_factory.mktemp("chest") / "ct.nii.gz"
    write_volume(made.ct, path)
    return path, made.truth


def case(name: str, image: Path, lungs: Path | None = None) -> Case:
    return Case(name, name, image, lungs=lungs, centre_mm=(0.0, 0.0, 0.0))


def test_one_mask_serves_all_lesions_of_a_series(chest, tmp_path):
    path, truth = chest
    files, problems = lung_mask_files([case("a", path), case("b", path)], tmp_path, workers=1)
    assert not problems
    assert files["a"] == files["b"]
    found = read_mask(files["a"], like=read_volume(path)).array
    assert dice(truth > 0, found > 0) > 0.98
    before = files["a"].stat().st_mtime_ns
    again, _ = lung_mask_files([case("c", path)], tmp_path, workers=1)
    assert again["c"].stat().st_mtime_ns == before  # made once


def test_the_users_mask_wins_and_is_not_looked_for(chest, tmp_path, monkeypatch):
    path, truth = chest
    image = read_volume(path)
    own = tmp_path / "own.nii.gz"
    write_volume(image.with_array((truth == 1).astype(np.uint8)), own)
    files, problems = lung_mask_files([case("a", path, own)], tmp_path / "cache", workers=1)
    assert (files, problems) == ({"a": own}, {})
    assert not (tmp_path / "cache").exists()
    found = gather([case("a", path, own)], Inputs(lungs=LungPreparation(grid=(8, 8, 8))), tmp_path / "cache", workers=1)
    ml = float((truth == 1).sum()) * image.voxel_mm3 / 1000
    assert found.table["lungs_ml"][0] == pytest.approx(ml)


def test_what_has_no_lungs_is_set_aside_by_name_and_the_others_go_on(chest, tmp_path):
    path, _ = chest
    solid = tmp_path / "solid.nii.gz"
    write_volume(Volume(np.full((20, 20, 20), 40, np.int16), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0)), solid)
    cases = [
        case("good", path),
        case("solid", solid),
        case("gone", tmp_path / "no.nii.gz"),
        case("lost", path, tmp_path / "x.nii"),
    ]
    found = gather(cases, Inputs(lungs=LungPreparation(grid=(8, 8, 8))), tmp_path / "cache", workers=1)
    assert found.case_ids == ("good",)
    assert [problem.where for problem in found.set_aside] == ["case solid", "case gone", "case lost"]
    assert "no air is seen" in found.set_aside[0].what
    assert "column lungs" in found.set_aside[2].what
    assert str(tmp_path) not in " ".join(map(str, found.set_aside))


def test_covariates_as_numbers(tmp_path):
    rows = {"a": (61, "F"), "b": ("n/a", " m "), "c": (None, "x"), "d": ("58.5", None)}
    cases = [Case(name, name, tmp_path / "x", values={"age": age, "sex": sex}) for name, (age, sex) in rows.items()]
    found = gather(cases, Inputs(covariates={"age": [], "sex": ["F", "M"]}), tmp_path)
    np.testing.assert_array_equal(found.table["case.age"], [61, np.nan, np.nan, 58.5])
    np.testing.assert_array_equal(found.table["case.sex"], [0, 1, np.nan, np.nan])
    picked = found.only(["d", "a"])
    np.testing.assert_array_equal(picked.table["case.age"], [58.5, 61])
    assert picked.case_ids == ("d", "a")
