"""One image under two patient ids is found after a new export, and different patients are not taken for one."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest
from pydicom.uid import RLELossless

from hounsfield.catalog.splits.fingerprint import agreement, differing, fingerprint
from hounsfield.catalog.splits.near_duplicates import THRESHOLD, near_duplicates, near_pairs, warning_of
from hounsfield.core.errors import StudyError
from hounsfield.core.types import AnyArray
from hounsfield.tables.cases import Case, read_cases
from hounsfield.volume.read import read_volume
from hounsfield.volume.volume import Volume
from hounsfield.volume.write import write_volume


def texture(seed: int, shape: tuple[int, int, int] = (12, 40, 48)) -> AnyArray:
    """Smooth noise, like tissue."""
    from scipy.ndimage import gaussian_filter

    noise = np.random.default_rng(seed).normal(size=shape)
    return np.rint(gaussian_filter(noise, (1, 2, 2)) * 4000).astype(np.int16)


def ball(array: AnyArray) -> AnyArray:
    """The image inside a ball, flat outside, like a brain without its skull."""
    axes = np.meshgrid(*[np.linspace(-1, 1, size) for size in array.shape], indexing="ij")
    return np.where(sum(axis**2 for axis in axes) <= 0.8**2, array - array.min() + 1, 0)


def shares_of(one: AnyArray, other: AnyArray) -> tuple[float, float]:
    first, second = fingerprint(one), fingerprint(other)
    return float(differing(first.bits, second.bits[None])[0]), agreement(first.detail, second.detail)


def test_unrelated_images_differ_in_half_of_the_bits() -> None:
    found = [shares_of(texture(seed), texture(seed + 100))[0] for seed in range(10)]
    assert np.mean(found) == pytest.approx(0.5, abs=0.03)
    assert min(found) > 0.35


def test_bits_are_those_of_a_plain_second_version() -> None:
    array = np.random.default_rng(1).integers(-1000, 1000, (32, 48, 68)).astype(np.int16)
    # 16, 16 and 17 cells of 2 x 3 x 4 voxels each.
    cells = array.reshape(16, 2, 16, 3, 17, 4).astype(float).mean(axis=(1, 3, 5))
    assert np.array_equal(np.unpackbits(fingerprint(array).bits), (cells[..., 1:] > cells[..., :-1]).ravel())
    assert fingerprint(array).flat == 0


def test_a_flat_image_has_no_bits_and_no_detail() -> None:
    flat = fingerprint(np.full((5, 6, 7), -1000, np.int16))
    assert (flat.bits.any(), flat.detail.any(), flat.flat) == (False, False, 1.0)
    one = fingerprint(np.ones((1, 1, 1)))
    assert one.flat == 1.0


def test_every_pair_of_two_patients_is_looked_at_once() -> None:
    images = [texture(0), texture(1), texture(0) + 5, texture(0), texture(2)]
    prints = [fingerprint(image) for image in images]
    pairs = near_pairs(prints, ["p", "q", "r", "p", "s"], digests=["a", "b", "c", "a", "d"])
    # Images 0 and 3 are of one patient; 2 is both of theirs, brighter.
    assert [(pair.first, pair.second, pair.exact) for pair in pairs] == [(0, 2, False), (2, 3, False)]
    assert near_pairs(prints[:1], ["p"]) == near_pairs([], []) == []
    with pytest.raises(StudyError, match="to below 0.5"):
        near_pairs(prints, list("pqrst"), threshold=0.6)


def test_a_common_background_makes_no_pair() -> None:
    images = [ball(texture(seed, (20, 64, 64))) for seed in range(6)]
    prints = [fingerprint(image) for image in images]
    differ = [differing(one.bits, two.bits[None])[0] for one in prints for two in prints if one is not two]
    assert max(differ) < THRESHOLD + 0.05  # the bits alone would take nearly any two for one image
    assert min(differ) < THRESHOLD
    assert near_pairs(prints, list("abcdef")) == []
    copies = [*prints, fingerprint(np.rint(images[2] / images[2].max() * 255))]
    assert [(pair.first, pair.second) for pair in near_pairs(copies, list("abcdefg"))] == [(2, 6)]


def test_the_same_pixels_are_always_told() -> None:
    # Nearly all background: bits and detail say nothing, the digest does.
    image = np.zeros((8, 64, 64), np.int16)
    image[4, 30:33, 30:33] = 100
    prints = [fingerprint(image), fingerprint(image)]
    assert [pair.exact for pair in near_pairs(prints, ["a", "b"], digests=["x", "x"])] == [True]


def write(folder: Path, name: str, array: AnyArray, *, patient: str) -> Case:
    write_volume(Volume(array, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), np.eye(3)), folder / f"{name}.nii.gz")
    return Case(name, patient, folder / f"{name}.nii.gz")


def test_cases_are_read_once_and_bad_ones_set_aside(tmp_path: Path) -> None:
    cases = [write(tmp_path, f"c{seed}", texture(seed), patient=f"p{seed}") for seed in range(3)]
    cases.append(replace(cases[0], case_id="lesion2"))  # another lesion in the same image
    cases.append(write(tmp_path, "copy", np.rint(texture(1) * 0.5 + 40), patient="p9"))
    (tmp_path / "broken.nii.gz").write_bytes(b"no image")
    cases.append(Case("broken", "p8", tmp_path / "broken.nii.gz"))
    cases.append(write(tmp_path, "nan", np.full((4, 5, 6), np.nan, np.float32), patient="p7"))
    found = near_duplicates(cases, workers=1)
    assert found.compared == 4
    assert found.pairs[["case_id", "other_case_id", "exact"]].to_numpy().tolist() == [["c1", "copy", False]]
    assert [problem.where for problem in found.unread] == ["case broken", "case nan"]
    assert str(tmp_path) not in " ".join(str(problem) for problem in found.unread)


def test_words() -> None:
    pairs = pd.DataFrame({"case_id": ["a", "a"], "other_case_id": ["b", "c"], "exact": [True, False]})
    words = warning_of(pairs, {"a": "train", "b": "train", "c": "test"})
    assert words is not None
    assert words.startswith("2 pair(s) of images of two patients look like one image (1 with the very same pixels)")
    assert "1 of the pairs stand on two sides of this split" in words
    assert warning_of(pairs[:0]) is None


def reexported(source: Path, folder: Path, change: str) -> Path:
    """The series of a folder as another PACS would send it, under another patient id."""
    folder.mkdir()
    for file in sorted(source.glob("*")):
        dataset = pydicom.dcmread(file)
        dataset.PatientID = "ANON-1"
        array = dataset.pixel_array
        if change == "cropped":
            array = np.ascontiguousarray(array[1:, 1:])  # a row and a column less: all that follows is shifted
            dataset.Rows, dataset.Columns = array.shape
        if change == "window":
            low, high = np.percentile(array, [1, 99])
            array = np.rint(np.clip((array - low) / (high - low), 0, 1) * 255).astype(np.uint16)
            dataset.RescaleSlope, dataset.RescaleIntercept = 1, 0
            dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 0
        dataset.PixelData = array.tobytes()
        if change == "compressed":
            dataset.compress(RLELossless)
        dataset.save_as(folder / file.name)
    return folder


@pytest.mark.parametrize(("change", "exact"), [("compressed", True), ("window", False), ("cropped", False)])
@pytest.mark.parametrize("name", ["brain-PGBM-003/36468-FLAIRreg-58706", "vendors/siemens_anatomical_001"])
def test_real_series_sent_again(shared_data: Path, tmp_path: Path, name: str, change: str, exact: bool) -> None:
    source = shared_data / "dicom" / name
    others = ["vendors/ge_anatomical_001", "vendors/philips_anatomical_001", "vendors/hitachi_anatomical_001"]
    cases = [Case("source", "P", source), Case("again", "ANON-1", reexported(source, tmp_path / "again", change))]
    cases += [Case(other, other, shared_data / "dicom" / other) for other in others]
    pairs = near_duplicates(cases, workers=1).pairs
    assert pairs[["case_id", "other_case_id"]].to_numpy().tolist() == [["source", "again"]]
    assert bool(pairs["exact"].iloc[0]) is exact


def test_no_false_alarm_among_real_nodules_and_copies_found(shared_data: Path, tmp_path: Path) -> None:
    cases = read_cases(shared_data / "lidc-nodules" / "cases.csv").cases()
    one_each = list({case.patient_id: case for case in cases}.values())[:120]
    assert len(near_duplicates(one_each, workers=2).pairs) == 0  # 7140 pairs of different patients
    for number, case in enumerate(one_each[:3]):
        array = read_volume(case.image).array
        copies = [array, np.clip((array + 1350) / 1500, 0, 1) * 255, array[:, 1:, 1:]]  # as is, lung window, shifted
        again = [
            write(tmp_path, f"{number}{kind}", np.asarray(copy), patient="again") for kind, copy in enumerate(copies)
        ]
        pairs = near_duplicates([*one_each, *again], workers=2).pairs
        assert sorted(pairs["other_case_id"]) == [f"{number}0", f"{number}1", f"{number}2"]
        assert set(pairs["case_id"]) == {case.case_id}
        assert pairs.set_index("other_case_id")["exact"].to_dict()[f"{number}0"] is True
        shutil.rmtree(tmp_path)
        tmp_path.mkdir()


@pytest.mark.slow
def test_no_false_alarm_in_all_the_real_data(shared_data: Path) -> None:
    nodules = read_cases(shared_data / "lidc-nodules" / "cases.csv").cases()
    brains = [
        Case(path.name, path.name, path) for path in sorted((shared_data / "hippocampus" / "images").glob("*.nii.gz"))
    ]
    assert len(nodules) + len(brains) == 1000
    found = near_duplicates([*nodules, *brains], workers=2)
    assert (found.compared, len(found.pairs), found.unread) == (1000, 0, ())
    # The same with the background taken away, as skull stripping and cut-outs do.
    prints = [fingerprint(ball(read_volume(case.image).array)) for case in brains]
    assert near_pairs(prints, [case.patient_id for case in brains]) == []
