"""DICOM series made in code, and real ones, against known values and SimpleITK."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.sequence import Sequence
from pydicom.uid import JPEGLSLossless, RLELossless

from hounsfield.core.errors import ImageError, SeriesError
from hounsfield.volume.dicom_series import read_series
from hounsfield.volume.read import read_volume

OBLIQUE = np.array([[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]]) @ np.array(
    [[1.0, 0.0, 0.0], [0.0, 0.6, -0.8], [0.0, 0.8, 0.6]]
)


@pytest.mark.parametrize("turn", [np.eye(3), OBLIQUE, np.diag([-1.0, 1.0, -1.0]), OBLIQUE[:, [1, 2, 0]]])
def test_values_and_geometry(make_series, turn):
    folder, stored = make_series(turn=turn)
    series = read_series(folder)
    volume = series.volume
    np.testing.assert_array_equal(volume.array, stored * 2 - 1000)
    assert volume.array.dtype == np.int16
    assert volume.spacing_mm == pytest.approx((2.5, 0.8, 0.6))
    assert volume.origin_mm == pytest.approx((-10, 20, -30))
    np.testing.assert_allclose(volume.direction, turn, atol=1e-7)
    for k, dataset in enumerate(series.datasets):  # headers are in slice order
        np.testing.assert_allclose(dataset.ImagePositionPatient, volume.to_world([[k, 0, 0]])[0], atol=1e-5)
        assert "PixelData" not in dataset


def test_slices_against_their_normal_are_turned_into_right_handed_order(make_series):
    turn = np.diag([1.0, 1.0, -1.0])  # file k lies below file k - 1
    folder, stored = make_series(turn=turn)
    volume = read_volume(folder)
    np.testing.assert_array_equal(volume.array, stored[::-1] * 2 - 1000)
    assert volume.origin_mm == pytest.approx((-10, 20, -30 - 4 * 2.5))


def test_simpleitk_sees_the_same_points(make_series):
    folder, _ = make_series(turn=OBLIQUE)
    volume = read_volume(folder)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    image = reader.Execute()
    array = sitk.GetArrayFromImage(image)
    for z, y, x in np.ndindex(array.shape):
        at = volume.to_index([image.TransformIndexToPhysicalPoint((x, y, z))])[0]
        np.testing.assert_allclose(at, np.rint(at), atol=1e-3)
        assert volume.array[tuple(np.rint(at).astype(int))] == array[z, y, x]


def test_slopes_that_differ_by_slice_give_floats(make_series):
    def change(k, dataset):
        dataset.RescaleSlope, dataset.RescaleIntercept = f"{0.5 + k / 8:.3f}", "0"

    folder, stored = make_series(change=change)
    volume = read_volume(folder)
    assert volume.array.dtype == np.float32
    np.testing.assert_allclose(volume.array, stored * (0.5 + np.arange(5) / 8)[:, None, None], rtol=1e-6)


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless])
def test_compressed_slices(make_series, syntax):
    def change(k, dataset):
        dataset.compress(syntax, generate_instance_uid=False)

    folder, stored = make_series(change=change)
    np.testing.assert_array_equal(read_volume(folder).array, stored * 2 - 1000)


def test_a_file_without_preamble_is_read(make_series):
    folder, stored = make_series()
    for file in folder.iterdir():
        content = file.read_bytes()
        dataset = pydicom.dcmread(file)
        dataset.preamble = None
        del dataset.file_meta
        pydicom.dcmwrite(file, dataset, implicit_vr=True, little_endian=True, enforce_file_format=False)
        assert file.read_bytes() != content
    np.testing.assert_array_equal(read_volume(folder).array, stored * 2 - 1000)


def test_other_files_in_the_folder_do_no_harm(make_series):
    folder, stored = make_series()
    (folder / "notes.txt").write_text("hello")
    (folder / ".DS_Store").write_bytes(b"\0" * 200)
    (folder / "sub").mkdir()
    shutil.move(folder / "IM0001", folder / "sub" / "IM0001")
    assert read_volume(folder).array.shape == stored.shape


def test_a_missing_slice_gives_a_table_of_gaps(make_series):
    folder, _ = make_series(count=6, change=lambda k, dataset: k != 3)
    with pytest.raises(SeriesError) as caught:
        read_volume(folder)
    text = str(caught.value)
    assert "2.50 mm but for 1 place" in text
    assert "1 slice(s) missing" in text
    assert "5.00 mm" in text
    assert "-25.00 mm" in text  # -30 + 2 x 2.5, the slice before the gap
    assert "-20.00 mm" in text


def test_a_doubled_position(make_series):
    def change(k, dataset):
        if k == 2:
            dataset.ImagePositionPatient[2] = "-27.5"

    folder, _ = make_series(change=change)
    with pytest.raises(SeriesError, match="5 images share 4 positions"):
        read_volume(folder)


def test_a_tilted_gantry(make_series):
    tilt = np.radians(10)
    cosines = ["1", "0", "0", "0", f"{np.cos(tilt):.8f}", f"{np.sin(tilt):.8f}"]

    def change(k, dataset):
        dataset.ImageOrientationPatient = cosines

    folder, _ = make_series(change=change)
    with pytest.raises(SeriesError, match=r"10\.0 degrees \(gantry tilt\)"):
        read_volume(folder)


def test_mixed_sizes_spacings_and_orientations_are_named_together(make_series):
    def change(k, dataset):
        if k == 1:
            dataset.PixelSpacing = ["0.9", "0.6"]
            dataset.ImageOrientationPatient = ["0", "1", "0", "0", "0", "-1"]
        if k == 2:
            dataset.Rows, dataset.Columns = 7, 6

    folder, _ = make_series(change=change)
    with pytest.raises(SeriesError) as caught:
        read_volume(folder)
    text = str(caught.value)
    assert "4 slices 7 x 6; 1 slices 6 x 7" in text
    assert "4 slices 0.800 x 0.600; 1 slices 0.900 x 0.600" in text
    assert "orientations" in text


def test_truncated_pixels_and_a_gap_are_told_at_once(make_series):
    folder, _ = make_series(count=6, change=lambda k, dataset: k != 3)
    file = next(iter(sorted(folder.iterdir())))
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(SeriesError) as caught:
        read_volume(folder)
    assert file.name in str(caught.value)
    assert "truncated" in str(caught.value)
    assert "missing" in str(caught.value)


@pytest.mark.parametrize("length", [140, 200, 400])
def test_a_file_cut_in_its_header(make_series, length):
    folder, _ = make_series()
    file = folder / "IM0002"
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises(SeriesError):
        read_volume(folder)


def test_several_series_are_listed_and_can_be_chosen(make_series, tmp_path):
    folder, stored = make_series()
    other, _ = make_series(count=3, name="other", change=lambda k, d: setattr(d, "SeriesInstanceUID", "1.2.3.777.4242"))
    for file in other.iterdir():
        shutil.move(file, folder / f"other{file.name}")
    with pytest.raises(SeriesError) as caught:
        read_volume(folder)
    assert "got 2" in str(caught.value)
    assert "777.4242  CT  3 image(s) 7 x 6  Thorax 1.0" in str(caught.value)
    assert "Secret" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)
    assert read_volume(folder, series_uid="4242").shape == (3, 6, 7)
    assert read_volume(folder, series_uid="1.2.826.0.1.3680043.8.498.12345678.2").shape == stored.shape
    with pytest.raises(SeriesError, match="no series"):
        read_volume(folder, series_uid="999999")


def test_localisers_are_left_out(make_series):
    def change(k, dataset):
        if k == 0:
            dataset.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
            dataset.ImageOrientationPatient = ["0", "1", "0", "0", "0", "-1"]

    folder, stored = make_series(change=change)
    np.testing.assert_array_equal(read_volume(folder).array, stored[1:] * 2 - 1000)

    only, _ = make_series(
        name="only", change=lambda k, d: setattr(d, "ImageType", ["ORIGINAL", "PRIMARY", "LOCALIZER"])
    )
    with pytest.raises(SeriesError, match="localisers"):
        read_volume(only)


def test_headers_without_geometry(make_series):
    def change(k, dataset):
        if k == 1:
            del dataset.ImagePositionPatient
        if k == 2:
            del dataset.PixelSpacing

    folder, _ = make_series(change=change)
    with pytest.raises(SeriesError) as caught:
        read_volume(folder)
    assert "1 of 5 slices have no valid ImagePositionPatient" in str(caught.value)
    assert "1 of 5 slices have no valid PixelSpacing" in str(caught.value)


def test_a_single_slice_and_an_empty_folder(make_series, tmp_path):
    folder, _ = make_series(count=1)
    with pytest.raises(SeriesError, match="one slice"):
        read_volume(folder)
    with pytest.raises(SeriesError, match="one slice"):
        read_volume(next(folder.iterdir()))
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(SeriesError, match="no DICOM file found"):
        read_volume(empty)
    with pytest.raises(ImageError, match="no such file"):
        read_volume(tmp_path / "absent")


def test_an_enhanced_object(make_series, tmp_path):
    folder, stored = make_series(count=4)
    planes = [pydicom.dcmread(file) for file in sorted(folder.iterdir())]
    whole = pydicom.dcmread(next(folder.iterdir()))
    whole.NumberOfFrames = 4
    whole.PixelData = b"".join(plane.PixelData for plane in planes)

    def item(**values):
        dataset = pydicom.Dataset()
        for keyword, value in values.items():
            setattr(dataset, keyword, value)
        return dataset

    shared = item(
        PlaneOrientationSequence=Sequence([item(ImageOrientationPatient=planes[0].ImageOrientationPatient)]),
        PixelMeasuresSequence=Sequence([item(PixelSpacing=planes[0].PixelSpacing)]),
        PixelValueTransformationSequence=Sequence([item(RescaleSlope="2", RescaleIntercept="-1000")]),
    )
    frames = [item(PlanePositionSequence=Sequence([item(ImagePositionPatient=p.ImagePositionPatient)])) for p in planes]
    whole.SharedFunctionalGroupsSequence = Sequence([shared])
    whole.PerFrameFunctionalGroupsSequence = Sequence(frames)
    file = tmp_path / "enhanced.dcm"
    whole.save_as(file, enforce_file_format=True)
    series = read_series(file)
    np.testing.assert_array_equal(series.volume.array, stored * 2 - 1000)
    assert series.frames is not None
    assert sorted(series.frames) == [1, 2, 3, 4]
    assert planes[series.frames[0] - 1].ImagePositionPatient[2] == -30
    whole.PixelData = whole.PixelData[:-10]
    whole.save_as(file, enforce_file_format=True)
    with pytest.raises(SeriesError, match="truncated"):
        read_series(file)


def itk_volume(folder: Path) -> tuple[sitk.Image, np.ndarray]:
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    image = reader.Execute()
    return image, sitk.GetArrayFromImage(image)


@pytest.mark.parametrize(
    "name",
    [
        "ge_anatomical_001",
        "siemens_anatomical_001",
        "philips_anatomical_001",
        "hitachi_anatomical_001",
        "generic_anatomical_002_non_isotropic",
        "generic_compressed_j2k_001",
        "generic_compressed_jpeg_001",
        "generic_compressed_jpegls_001",
        "generic_compressed_rle_001",
        "failing_slicecount_001",
    ],
)
def test_real_series_as_simpleitk_reads_them(shared_data, name):
    folder = shared_data / "dicom" / "vendors" / name
    volume = read_volume(folder)
    image, array = itk_volume(folder)
    assert volume.array.size == array.size
    rng = np.random.default_rng(0)
    for _ in range(300):
        z, y, x = (int(rng.integers(n)) for n in array.shape)
        at = volume.to_index([image.TransformIndexToPhysicalPoint((x, y, z))])[0]
        np.testing.assert_allclose(at, np.rint(at), atol=0.01)
        assert volume.array[tuple(np.rint(at).astype(int))] == pytest.approx(array[z, y, x], rel=1e-6)


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("failing_gantrytilting_001", r"14\.0 degrees \(gantry tilt\)"),
        ("failing_notavolume_001", "4 images share 1 position"),
        ("failing_sliceincrement_001", "10.00 mm"),
        ("ge_dti_001", "8 images share 4 positions"),
        ("siemens_fmri_001", "mosaics"),
    ],
)
def test_real_series_that_are_no_volume(shared_data, name, match):
    with pytest.raises(SeriesError, match=match):
        read_volume(shared_data / "dicom" / "vendors" / name)


def test_a_real_enhanced_object(shared_data):
    file = next((shared_data / "dicom" / "vendors" / "philips_enhanced_anatomical_001").iterdir())
    series = read_series(file)
    dataset = pydicom.dcmread(file)
    assert series.frames is not None
    for k, frame in enumerate(series.frames):
        group = dataset.PerFrameFunctionalGroupsSequence[frame - 1]
        mapping = group.PixelValueTransformationSequence[0]
        expected = dataset.pixel_array[frame - 1] * float(mapping.RescaleSlope) + float(mapping.RescaleIntercept)
        np.testing.assert_allclose(series.volume.array[k], expected, rtol=1e-5)
        at = series.volume.to_index([np.array(group.PlanePositionSequence[0].ImagePositionPatient, dtype=float)])[0]
        np.testing.assert_allclose(at, (k, 0, 0), atol=0.01)


@pytest.mark.slow
def test_a_real_chest_ct(shared_data):
    folder = shared_data / "dicom" / "chest-LUNG1-001"
    volume = read_volume(folder)
    image, array = itk_volume(folder)
    np.testing.assert_array_equal(volume.array, array)
    np.testing.assert_allclose(volume.spacing_mm[::-1], image.GetSpacing())
    np.testing.assert_allclose(volume.origin_mm, image.GetOrigin())


def test_whatever_bytes_are_damaged_the_error_is_ours(make_series, recwarn):
    folder, _ = make_series()
    file = sorted(folder.iterdir())[2]
    whole = file.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for number in range(60):
        content = bytearray(whole)
        if number % 3:
            for place in rng.integers(132, len(content), size=int(rng.integers(1, 20))):
                content[place] = rng.integers(256)
        file.write_bytes(content if number % 3 else content[: rng.integers(1, len(content))])
        try:
            read_volume(folder)
        except ImageError:
            refused += 1
    assert refused > 20
    assert [str(warning.message) for warning in recwarn.list] == []
