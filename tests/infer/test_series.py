"""Prediction of a DICOM series: SEG where the soft mask says, SR with the probabilities, mistakes refused."""

from __future__ import annotations

import shutil

import highdicom
import numpy as np
import pandas as pd
import pydicom
import pytest
import SimpleITK as sitk

from hounsfield.core.errors import BundleError, ImageError, ProblemsError
from hounsfield.data.cube import paste_cube, prepare_case
from hounsfield.infer.bundle import Bundle
from hounsfield.infer.measure import MeasureCubes
from hounsfield.infer.model import Cubes, models_of
from hounsfield.infer.series import predict_series
from hounsfield.phantom.archive import write_archive
from hounsfield.volume.dicom_series import read_series


@pytest.fixture(scope="module")
def unseen(tmp_path_factory):
    """A simulated patient: folder of one CT series, and the centre of its lesion."""
    folder = tmp_path_factory.mktemp("archive")
    write_archive(folder, patients=1, seed=5, matrix=64, length_mm=40.0, workers=1)
    return folder / "unseen"


@pytest.fixture
def sure(bundle_of):
    """The bundle of arm joint with a U-Net that draws something: its output bias raised to be half sure."""
    bundle = bundle_of("joint")
    weights = {part: dict(keys) for part, keys in bundle.members[0].weights.items()}
    weights["image"]["segmenter.last.bias"] = np.zeros(2, np.float32)
    return Bundle(bundle.card, (type(bundle.members[0])(bundle.members[0].card, weights),))


def points(path, rows):
    pd.DataFrame(rows, columns=["lesion_id", "x_mm", "y_mm", "z_mm"]).to_csv(path, index=False)
    return path


def centre(unseen):
    row = pd.read_csv(unseen / "lesions.csv").iloc[0]
    return [float(row[f"{axis}_mm"]) for axis in "xyz"]


def texts(item, found=None) -> list[str]:
    found = [] if found is None else found
    for child in getattr(item, "ContentSequence", []):
        name = child.ConceptNameCodeSequence[0].CodeMeaning if "ConceptNameCodeSequence" in child else ""
        if "MeasuredValueSequence" in child:
            found.append((name, float(child.MeasuredValueSequence[0].NumericValue)))
        texts(child, found)
    return found


def test_segmentation_lies_where_the_soft_mask_says(sure, unseen, tmp_path):
    written = predict_series(sure, unseen / "ct", unseen / "lesions.csv", tmp_path)
    assert set(written) == {"findings", "masks", "segmentation", "report"}
    volume = read_series(unseen / "ct").volume
    prepared = prepare_case(volume, None, sure.card.preparation, centre_mm=tuple(centre(unseen)))
    soft = models_of(sure)[0].predict(Cubes(prepared.image[None]), measure=MeasureCubes(sure.card.preparation)).mask[0]
    expected = paste_cube(soft.astype(np.float32), prepared, volume).array >= 0.5
    assert 0 < expected.sum() < expected.size / 4
    masks = sitk.GetArrayFromImage(sitk.ReadImage(str(written["masks"])))
    assert np.array_equal(masks > 0, expected)
    seg = highdicom.seg.segread(written["segmentation"])
    marked = {}
    for number, (_, _, uid) in enumerate(seg.get_source_image_uids()):
        plane = seg.get_pixels_by_source_instance([str(uid)], ignore_spatial_locations=True, combine_segments=True)
        marked[str(uid)] = int((plane > 0).sum())
        assert number < 10_000
    for dataset, plane in zip(read_series(unseen / "ct").datasets, expected, strict=True):
        assert marked.get(str(dataset.SOPInstanceUID), 0) == plane.sum()


def test_report_and_table_hold_the_probabilities(sure, unseen, tmp_path):
    written = predict_series(sure, unseen / "ct", unseen / "lesions.csv", tmp_path)
    row = pd.read_csv(written["findings"]).iloc[0]
    assert row["prob_small"] + row["prob_large"] == pytest.approx(1)
    found = texts(pydicom.dcmread(written["report"]))
    values = [value for _, value in found]
    assert any(value == pytest.approx(row["prob_large"], abs=1e-4) for value in values)
    assert any(value == pytest.approx(row["volume_mm3"], rel=1e-3) for value in values)
    prepared = prepare_case(
        read_series(unseen / "ct").volume, None, sure.card.preparation, centre_mm=tuple(centre(unseen))
    )
    own = models_of(sure)[0].predict(Cubes(prepared.image[None]), measure=MeasureCubes(sure.card.preparation)).prob
    assert row["prob_large"] == pytest.approx(own[0, 1], abs=1e-6)


def test_several_lesions_and_a_shy_model(bundle_of, unseen, tmp_path):
    # Two points 12 mm apart; the U-Net after two epochs is nowhere sure, and yet each lesion has its outline.
    x, y, z = centre(unseen)
    path = points(tmp_path / "points.csv", [["a", x, y, z], ["b", x + 12, y, z], ["c", x, y, z]])
    written = predict_series(bundle_of("auto_mask"), unseen / "ct", path, tmp_path / "out")
    found = pd.read_csv(written["findings"]).set_index("lesion_id")
    assert list(found.index) == ["a", "b", "c"]
    assert (found["volume_mm3"] > 0).all()
    assert found.loc["a"].equals(found.loc["c"])
    assert len(pydicom.dcmread(written["segmentation"]).SegmentSequence) == 3


def test_nothing_suspected_marks_the_given_point(sure, unseen, tmp_path):
    member = sure.members[0]
    weights = {part: dict(keys) for part, keys in member.weights.items()}
    weights["image"]["segmenter.last.bias"] = np.array([0.0, -1e4], np.float32)
    silent = Bundle(sure.card, (type(member)(member.card, weights),))
    written = predict_series(silent, unseen / "ct", unseen / "lesions.csv", tmp_path)
    row = pd.read_csv(written["findings"]).iloc[0]
    volume = read_series(unseen / "ct").volume
    assert row["volume_mm3"] == pytest.approx(float(np.prod(volume.spacing_mm)), rel=1e-6)
    assert np.abs(row[["x_mm", "y_mm", "z_mm"]].to_numpy(float) - centre(unseen)).max() <= max(volume.spacing_mm) / 2


def test_points_outside_are_all_named(sure, unseen, tmp_path):
    x, y, z = centre(unseen)
    path = points(tmp_path / "points.csv", [["a", x, y, z], ["far", x + 900, y, z], ["high", x, y, z + 500]])
    with pytest.raises(ProblemsError, match=r"(?s)lesion far: .*outside the image.*lesion high") as caught:
        predict_series(sure, unseen / "ct", path, tmp_path / "out")
    assert "lesion a" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_arms_that_need_a_mask_refuse_with_advice(bundle_of, unseen, tmp_path):
    for arm in ("expert_mask", "volume", "fusion"):
        with pytest.raises(BundleError, match="auto_mask, joint"):
            predict_series(bundle_of(arm), unseen / "ct", unseen / "lesions.csv", tmp_path / "out")


def test_an_arm_without_outline_gives_the_table_alone(bundle_of, unseen, tmp_path):
    written = predict_series(bundle_of("raw"), unseen / "ct", unseen / "lesions.csv", tmp_path / "out")
    assert set(written) == {"findings"}
    assert pd.read_csv(written["findings"])["decision"][0] in ("small", "large")


@pytest.mark.parametrize("spoil", ["truncated", "missing", "mixed", "none", "empty"])
def test_series_that_are_none(sure, unseen, tmp_path, spoil):
    folder = tmp_path / "ct"
    if spoil != "none":
        shutil.copytree(unseen / "ct", folder)
    files = sorted(folder.glob("*"), key=lambda file: pydicom.dcmread(file).InstanceNumber) if folder.is_dir() else []
    if spoil == "truncated":
        files[3].write_bytes(files[3].read_bytes()[:2000])
    elif spoil == "missing":
        files[len(files) // 2].unlink()
    elif spoil == "mixed":
        write_archive(tmp_path / "other", patients=1, seed=6, matrix=64, length_mm=40.0, workers=1)
        for number, file in enumerate((tmp_path / "other" / "unseen" / "ct").glob("*")):
            shutil.copy(file, folder / f"other{number}")
    elif spoil == "empty":
        for file in files:
            file.unlink()
    with pytest.raises(ImageError) as caught:
        predict_series(sure, folder, unseen / "lesions.csv", tmp_path / "out")
    assert str(tmp_path) not in str(caught.value)
    assert not (tmp_path / "out").exists()
