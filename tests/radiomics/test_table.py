"""Many cases: parallel, cached, resumable, and no case lost in silence."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hounsfield.core.errors import HounsfieldError, ProblemsError, RunError
from hounsfield.radiomics.config import RadiomicsConfig
from hounsfield.radiomics.extract import features
from hounsfield.radiomics.perturb import USUAL, Perturbation
from hounsfield.radiomics.robustness import agreement, robustness
from hounsfield.radiomics.sets import names_of
from hounsfield.radiomics.shells import shells
from hounsfield.radiomics.table import FeatureTable, Measurement, SetAside, feature_table, measure_cases
from hounsfield.tables.cases import Case, read_cases
from hounsfield.volume.read import read_mask, read_volume

FEW = ("shape_voxel_volume", "first_order_mean", "glcm_contrast")
WANTED = Measurement(names=FEW)


@pytest.fixture(scope="module")
def balls(tmp_path_factory: pytest.TempPathFactory, write_balls) -> Path:
    return write_balls(tmp_path_factory.mktemp("balls"), cases=6)


def measured(table: FeatureTable) -> pd.DataFrame:
    return table.frame.set_index("case_id")


def test_a_table_is_what_each_case_gives_alone(balls: Path):
    cases = read_cases(balls)
    found = measure_cases(cases, workers=1)
    assert found.set_aside == ()
    assert found.missing.empty
    assert list(found.frame.columns) == ["case_id", "patient_id", "voxels", *names_of("standard107")]
    case = cases.cases()[3]
    image = read_volume(case.image)
    assert case.mask is not None
    mask = read_mask(case.mask, like=image)
    expected = features(image.array, mask.array, spacing_mm=image.spacing_mm)
    row = measured(found).loc[case.case_id]
    assert row["voxels"] == expected.voxels
    assert row[list(expected.values)].to_dict() == dict(expected.values)


def test_workers_and_cache_give_the_same_table(balls: Path, tmp_path: Path):
    cases = read_cases(balls)
    first = measure_cases(cases, WANTED, workers=1).frame
    for _ in range(2):  # the second time from the cache
        again = measure_cases(cases, WANTED, cache=tmp_path / "cache", workers=2).frame
        pd.testing.assert_frame_equal(again, first)
    pd.testing.assert_frame_equal(feature_table(cases.cases(), WANTED, engine="threads"), first)


def test_what_is_measured_is_not_measured_again(balls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    cases = read_cases(balls).cases()
    measure_cases(cases[:4], WANTED, cache=tmp_path, workers=1)  # as if a run had been killed after four cases
    calls = []

    def counted(*arguments, **settings):
        calls.append(arguments)
        return features(*arguments, **settings)

    monkeypatch.setattr("hounsfield.radiomics.table.features", counted)
    found = measure_cases(cases, WANTED, cache=tmp_path, workers=1)
    assert len(found.frame) == 6
    assert len(calls) == 2
    # Another setting is another entry, a changed file too.
    measure_cases(cases[:1], replace(WANTED, config=RadiomicsConfig(bin_width=10)), cache=tmp_path, workers=1)
    assert len(calls) == 3


def test_a_damaged_entry_is_made_anew(balls: Path, tmp_path: Path):
    cases = read_cases(balls).cases()[:2]
    first = measure_cases(cases, WANTED, cache=tmp_path, workers=1).frame
    entry, other = sorted(tmp_path.rglob("*.features"))
    entry.write_bytes(entry.read_bytes().replace(b"glcm", b"gldm"))
    other.write_bytes(other.read_bytes()[:-20])
    pd.testing.assert_frame_equal(measure_cases(cases, WANTED, cache=tmp_path, workers=1).frame, first)
    assert b"glcm" in entry.read_bytes()


def test_bad_cases_are_set_aside_by_name(balls: Path, tmp_path: Path):
    cases = read_cases(balls).cases()
    broken = tmp_path / "broken.nii.gz"
    broken.write_bytes(b"no image")
    bad = [
        replace(cases[1], case_id="no-mask", mask=None),
        replace(cases[1], case_id="no-file", image=tmp_path / "gone.nii.gz"),
        replace(cases[1], case_id="broken", image=broken),
    ]
    found = measure_cases([cases[0], *bad, cases[2]], WANTED, workers=1)
    assert found.frame["case_id"].tolist() == ["c00", "c02"]
    said = {problem.where: problem.what for problem in found.set_aside}
    assert set(said) == {"case no-mask", "case no-file", "case broken"}
    assert said["case no-file"] == "gone.nii.gz: no such file."
    assert not any(str(tmp_path) in str(problem) for problem in found.set_aside)
    with pytest.warns(SetAside, match="case no-mask: there is no mask"):
        assert len(feature_table([cases[0], bad[0]], WANTED, workers=1)) == 1
    with pytest.raises(ProblemsError, match="no case could be measured"):
        feature_table(bad, WANTED, workers=1)


def test_an_unknown_feature_is_said_before_anything_is_read(tmp_path: Path):
    nowhere = [Case("c", "p", tmp_path / "gone.nii.gz", tmp_path / "gone.nii.gz")]
    with pytest.raises(HounsfieldError, match="Did you mean"):
        measure_cases(nowhere, Measurement(names="standard"))


def test_missing_values_have_a_row_each(balls: Path):
    strict = replace(WANTED, config=RadiomicsConfig(minimum_texture_voxels=10**6))
    found = measure_cases(read_cases(balls), strict, workers=1)
    assert found.frame["glcm_contrast"].isna().all()
    assert found.missing["feature"].tolist() == 6 * ["glcm_contrast"]
    assert found.missing["reason"].str.contains("at least 1000000 are asked for").all()


def test_shells_are_measured_beside_the_lesion(balls: Path):
    cases = read_cases(balls).cases()[:2]
    found = measured(measure_cases(cases, replace(WANTED, shells_mm=(3, 100)), workers=1))
    image = read_volume(cases[0].image)
    assert cases[0].mask is not None
    ring, rest = shells(read_mask(cases[0].mask, like=image).array, spacing_mm=(1.0, 1.0, 1.0), widths_mm=(3, 100))
    row = found.loc["c00"]
    assert row["shell_0_3mm_first_order_mean"] == pytest.approx(image.array[ring].mean())
    assert row["shell_3_103mm_voxels"] <= rest.sum()  # some values lie below the range
    assert "shell_0_3mm_shape_voxel_volume" not in found
    assert row["first_order_mean"] > row["shell_0_3mm_first_order_mean"] + 300  # a ball in air


def test_a_shell_outside_the_image_leaves_the_lesion_its_values(balls: Path, tmp_path: Path):
    case = read_cases(balls).cases()[0]
    image = read_volume(case.image)
    from hounsfield.volume.write import write_volume

    write_volume(image.with_array(np.ones(image.shape, np.uint8)), tmp_path / "all.nii.gz")
    found = measure_cases([replace(case, mask=tmp_path / "all.nii.gz")], replace(WANTED, shells_mm=(5,)), workers=1)
    assert found.frame["first_order_mean"].notna().all()
    assert set(found.missing["reason"]) == {"the shell lies outside of the image"}


def test_robustness_ranks_a_size_above_noise(balls: Path, tmp_path: Path):
    found = robustness(read_cases(balls), WANTED, cache=tmp_path, workers=1)
    table = found.frame.set_index("feature")
    assert table["cases"].tolist() == [6, 6, 3]  # eroded by 1 mm, the three small balls have no texture
    assert table.loc["first_order_mean", "icc"] < table.loc["shape_voxel_volume", "icc"]
    assert set(found.tables) == {change.name for change in USUAL}
    plain = measure_cases(read_cases(balls), WANTED, workers=1).frame
    pd.testing.assert_frame_equal(found.tables["as it is"].frame, plain)
    again = robustness(list(reversed(read_cases(balls).cases())), WANTED, workers=1)  # noise by content, not by order
    pd.testing.assert_frame_equal(
        again.tables["noise of 20 HU"].frame.sort_values("case_id", ignore_index=True),
        found.tables["noise of 20 HU"].frame,
    )


def test_robustness_by_hand():
    # Shrout & Fleiss, Psychol Bull 1979;86:420, table 2: six targets, four judges, ICC(1,1) = 0.17
    judges = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float)
    ids = [str(number) for number in range(6)]
    rows = {"same": np.arange(6.0), "one": np.ones(6), "few": np.array([1.0, 2, np.nan, np.nan, np.nan, np.nan])}
    tables = [
        FeatureTable(pd.DataFrame({"case_id": ids, "judged": column, **rows}), pd.DataFrame(), ())
        for column in judges.T
    ]
    found = agreement(tables, ["judged", "same", "one", "few"]).set_index("feature")
    assert found.loc["judged", "icc"] == pytest.approx(0.17, abs=0.005)
    assert found.loc["same", "icc"] == 1
    assert found.loc["one", "reason"] == "it is the same in every case"
    assert found.loc["few", "reason"] == "2 case(s) have it under every change; 3 are needed"


def test_stable_features_are_kept_by_their_lower_end(balls: Path):
    found = robustness(read_cases(balls), WANTED, changes=USUAL[:2], workers=1)
    table = found.frame.set_index("feature")
    between = (table.loc["shape_voxel_volume", "low"] + table.loc["shape_voxel_volume", "icc"]) / 2
    assert "shape_voxel_volume" not in found.stable(between)
    assert "shape_voxel_volume" in found.stable(table.loc["shape_voxel_volume", "low"])


def test_changes_have_names_of_their_own(balls: Path):
    with pytest.raises(RunError, match="two or more changes"):
        robustness(read_cases(balls), changes=[Perturbation(name="a"), Perturbation(name="a")])


def test_the_real_nodules_take_less_than_a_tenth_of_a_second(shared_data: Path):
    cases = read_cases(shared_data / "lidc-nodules" / "cases.csv").cases()[::40]
    loaded = []
    for case in cases:
        image = read_volume(case.image)
        assert case.mask is not None
        loaded.append((image, read_mask(case.mask, like=image)))
    features(loaded[0][0].array, loaded[0][1].array, spacing_mm=loaded[0][0].spacing_mm)
    begin = time.process_time()
    for image, mask in loaded:
        assert len(features(image.array, mask.array, spacing_mm=image.spacing_mm).values) == 107
    assert (time.process_time() - begin) / len(loaded) < 0.1
