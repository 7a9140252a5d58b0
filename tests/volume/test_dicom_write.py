"""CT series: valid by dciodvfy, the same geometry and numbers by pydicom and by dcm2niix."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest

from hounsfield.core.errors import ImageError
from hounsfield.volume.dicom_write import SeriesHeader, write_ct_series
from hounsfield.volume.volume import Volume

_A = np.radians(20)
DIRECTIONS = {
    "axial": np.eye(3),
    "axial, flipped x and z": np.diag([-1.0, 1.0, -1.0]),
    "sagittal": np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]]),
    "coronal": np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]),
    "oblique": np.array([[np.cos(_A), 0, np.sin(_A)], [0, 1, 0], [-np.sin(_A), 0, np.cos(_A)]]),
}
HEADER = SeriesHeader(patient_id="phantom-007", seed=3, sex="F", age=61, site="north")


def ramp(direction: np.ndarray, *, dtype: type = np.int16) -> Volume:
    """A volume in which every voxel has its own value, so that no mix-up of axes goes unseen."""
    shape = (5, 7, 6)
    array = (np.arange(np.prod(shape)).reshape(shape) * 3 - 1000).astype(dtype)
    return Volume(array, (2.5, 0.8, 0.7), (-12.5, 33.25, -101.75), direction)


def by_position(files: list[Path], point: np.ndarray) -> float:
    """HU at a world point, found from the attributes of PS3.3 C.7.6.2.1.1 alone."""
    for file in files:
        dataset = pydicom.dcmread(file)
        row, column = np.array(dataset.ImageOrientationPatient, float).reshape(2, 3)
        offset = point - np.array(dataset.ImagePositionPatient, float)
        if abs(offset @ np.cross(row, column)) > 0.01:
            continue
        j, i = offset @ column / dataset.PixelSpacing[0], offset @ row / dataset.PixelSpacing[1]
        assert abs(j - round(j)) < 1e-3
        assert abs(i - round(i)) < 1e-3
        value = dataset.pixel_array[round(j), round(i)]
        return float(value * dataset.RescaleSlope + dataset.RescaleIntercept)
    raise AssertionError("no slice holds the point")


@pytest.mark.parametrize("name", DIRECTIONS)
def test_valid_and_every_voxel_where_it_was(name, tmp_path, dicom_errors):
    volume = ramp(DIRECTIONS[name])
    files = write_ct_series(volume, tmp_path / "ct", header=HEADER, slice_order="descending", file_order="shuffled")
    assert dicom_errors(files[0]) == []
    for index in [(0, 0, 0), (4, 6, 5), (1, 5, 2), (3, 0, 4)]:
        assert by_position(files, volume.to_world(np.array([index]))[0]) == volume.array[index]


@pytest.mark.parametrize("name", DIRECTIONS)
def test_dcm2niix_reads_the_same_geometry_and_values(name, tmp_path):
    tool = shutil.which("dcm2niix")
    if tool is None:
        pytest.skip("dcm2niix is not installed")
    volume = ramp(DIRECTIONS[name])
    write_ct_series(volume, tmp_path / "ct", header=HEADER, file_order="reversed")
    command = [tool, "-b", "n", "-z", "n", "-f", "out", "-o", str(tmp_path), str(tmp_path / "ct")]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    image = nibabel.load(tmp_path / "out.nii")
    values = np.asarray(image.dataobj)
    assert values.size == volume.array.size
    indices = np.stack(np.meshgrid(*map(np.arange, values.shape), indexing="ij"), -1).reshape(-1, 3)
    ras = nibabel.affines.apply_affine(image.affine, indices)
    ours = volume.to_index(ras * [-1, -1, 1])  # NIfTI's world has x and y the other way round
    assert np.abs((ours - np.rint(ours)) * volume.spacing_mm).max() < 1e-3
    assert np.array_equal(values.reshape(-1), volume.array[tuple(np.rint(ours).astype(int).T)])


def test_slice_and_file_order(tmp_path):
    volume = ramp(np.eye(3))
    files = write_ct_series(volume, tmp_path / "ct", header=HEADER, slice_order="descending", file_order="instance")
    datasets = [pydicom.dcmread(file) for file in files]
    assert [int(dataset.InstanceNumber) for dataset in datasets] == [5, 4, 3, 2, 1]
    assert [file.name for file in files] == [f"IM0000{n}.dcm" for n in (5, 4, 3, 2, 1)]
    assert [float(dataset.ImagePositionPatient[2]) for dataset in datasets] == [-101.75, -99.25, -96.75, -94.25, -91.75]
    shuffled = write_ct_series(volume, tmp_path / "ct", header=HEADER, file_order="shuffled")
    assert [file.name for file in shuffled] != sorted(file.name for file in shuffled)


def test_same_call_same_bytes_and_another_seed_other_identifiers(tmp_path):
    volume = ramp(np.eye(3))
    one, two = (write_ct_series(volume, tmp_path / name, header=HEADER) for name in ("a", "b"))
    assert [file.read_bytes() for file in one] == [file.read_bytes() for file in two]
    three = write_ct_series(volume, tmp_path / "c", header=SeriesHeader(patient_id="phantom-007", seed=4))
    uids = [pydicom.dcmread(files[0]).SeriesInstanceUID for files in (one, three)]
    assert uids[0] != uids[1]
    instances = {pydicom.dcmread(file).SOPInstanceUID for file in one}
    assert len(instances) == len(one)
    assert str(pydicom.dcmread(one[0]).PatientName) == "Phantom^007"


def test_stored_unsigned_with_intercept(tmp_path):
    array = np.full((1, 2, 2), -1024, dtype=np.int16)
    array[0, 0] = [3071, -2000]
    file = write_ct_series(Volume(array, (1, 1, 1)), tmp_path / "ct", header=HEADER)[0]
    dataset = pydicom.dcmread(file)
    assert (dataset.PixelRepresentation, dataset.BitsStored, float(dataset.RescaleIntercept)) == (0, 16, -2000)
    assert dataset.pixel_array[0].tolist() == [5071, 0]
    assert dataset.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"


def test_fractions_are_rounded(tmp_path):
    volume = ramp(np.eye(3), dtype=np.float32)
    near = volume.with_array(volume.array + np.float32(0.3))
    file = write_ct_series(near, tmp_path / "ct", header=HEADER)[0]
    assert np.array_equal(pydicom.dcmread(file).pixel_array.astype(int) - 1024, volume.array[0])


def test_folder_is_replaced_as_a_whole(tmp_path):
    volume = ramp(np.eye(3))
    write_ct_series(volume, tmp_path / "ct", header=HEADER)
    short = Volume(volume.array[:2], volume.spacing_mm)
    write_ct_series(short, tmp_path / "ct", header=HEADER)
    assert len(list((tmp_path / "ct").iterdir())) == 2


@pytest.mark.parametrize(("value", "words"), [(70000, "16 bits"), (np.nan, "finite")])
def test_values_that_do_not_fit(value, words, tmp_path):
    array = np.zeros((1, 2, 2), dtype=np.float32)
    array[0, 0, 0] = value
    with pytest.raises(ImageError, match=words):
        write_ct_series(Volume(array, (1, 1, 1)), tmp_path / "ct", header=HEADER)
    assert not list(tmp_path.iterdir())
