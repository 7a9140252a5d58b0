"""Volume to CT series to mask to Segmentation and back: the lesion lies where it was, whatever the orientation.

The way back is another's: points in the patient are computed from the file's own attributes by pydicom, and again by
highdicom's volume reader. Exports of well-known tools have been mirrored front to back for years; the lesion drawn here
has no symmetry, so a mirrored one cannot pass.
"""

from __future__ import annotations

import itertools
import shutil
import subprocess
import tempfile
from pathlib import Path

import highdicom
import nibabel
import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hounsfield.volume.dicom_seg import Segment, write_segmentation
from hounsfield.volume.dicom_series import read_series
from hounsfield.volume.dicom_sr import read_measurement_report, write_measurement_report
from hounsfield.volume.dicom_write import SeriesHeader, write_ct_series
from hounsfield.volume.finding import Finding, ModelIdentity
from hounsfield.volume.read import read_mask
from hounsfield.volume.volume import Volume

MODEL = ModelIdentity(name="ggn", version="0.1.0", digest="ef" * 32)
HEADER = SeriesHeader(patient_id="phantom-001", seed=1)
SIGNED = [
    np.array([np.array(s)[row] * np.eye(3)[p] for row, p in enumerate(order)])
    for order in itertools.permutations(range(3))
    for s in itertools.product((1, -1), repeat=3)
]
TURNS = [matrix for matrix in SIGNED if np.linalg.det(matrix) > 0]  # the 24 ways to lay a box along the axes
LIMITS = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)


def tilt(degrees: float) -> np.ndarray:
    """A turn about the axis (1, 2, 3), which lies along no axis of the patient."""
    x, y, z = np.array([1.0, 2.0, 3.0]) / np.sqrt(14)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(degrees)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


@st.composite
def volumes(draw) -> Volume:
    shape = tuple(draw(st.integers(low, low + 5)) for low in (4, 9, 7))
    spacing = tuple(draw(st.sampled_from([0.5, 0.7, 1.0, 1.25, 3.0])) for _ in range(3))
    origin = tuple(draw(st.floats(-300, 300).map(lambda value: round(value, 2))) for _ in range(3))
    direction = tilt(draw(st.sampled_from([0.0, 7.0, 33.0]))) @ draw(st.sampled_from(TURNS))
    array = np.random.default_rng(draw(st.integers(0, 99))).integers(-1024, 3072, shape).astype(np.int16)
    return Volume(array, spacing, origin, direction)


def lesion_in(volume: Volume) -> np.ndarray:
    """Labels 1 and 2, unlike their mirror image along any axis and in any two axes swapped."""
    labels = np.zeros(volume.shape, dtype=np.uint8)
    labels[0, 1, 1:4] = 1
    labels[1, 1:3, 1] = 1
    labels[2, 5:7, 4] = 2
    return labels


def points_by_pydicom(path: Path, segment: int) -> np.ndarray:
    """World points of a segment from Plane Position, Orientation and Pixel Measures (PS3.3 C.7.6.16.2)."""
    dataset = pydicom.dcmread(path)
    shared = dataset.SharedFunctionalGroupsSequence[0]
    orientation = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float)
    spacing = np.array(shared.PixelMeasuresSequence[0].PixelSpacing, float)
    points = []
    frames = dataset.pixel_array.reshape(-1, dataset.Rows, dataset.Columns)
    for frame, groups in zip(frames, dataset.PerFrameFunctionalGroupsSequence, strict=True):
        place = np.array(groups.PlanePositionSequence[0].ImagePositionPatient, float)
        if dataset.SegmentationType == "LABELMAP":
            marked = frame == segment
        else:
            holder = groups if "SegmentIdentificationSequence" in groups else shared  # of one segment it is shared
            marked = (frame > 0) & (holder.SegmentIdentificationSequence[0].ReferencedSegmentNumber == segment)
        for row, column in np.argwhere(marked):
            points.append(place + orientation[:3] * spacing[1] * column + orientation[3:] * spacing[0] * row)
    return np.array(points).reshape(-1, 3)


def points_by_highdicom(path: Path, segment: int) -> np.ndarray:
    volume = highdicom.seg.segread(path).get_volume(combine_segments=True)
    return np.asarray(volume.map_indices_to_reference(np.argwhere(volume.array == segment)))


def same_points(one: np.ndarray, other: np.ndarray, tolerance_mm: float = 1e-2) -> bool:
    """True when each point of one set has its own in the other."""
    if one.shape != other.shape:
        return False
    distance = np.linalg.norm(one[:, None] - other[None], axis=-1)
    return bool((distance.min(1) < tolerance_mm).all() and len(set(distance.argmin(1))) == len(one))


@settings(LIMITS, max_examples=25)
@given(
    volume=volumes(),
    slice_order=st.sampled_from(["ascending", "descending"]),
    file_order=st.sampled_from(["instance", "reversed", "shuffled"]),
    representation=st.sampled_from(["labelmap", "binary"]),
)
def test_lesion_is_found_voxel_for_voxel(volume, slice_order, file_order, representation):
    labels = lesion_in(volume)
    with tempfile.TemporaryDirectory() as name:
        folder, path = Path(name) / "ct", Path(name) / "seg.dcm"
        write_ct_series(volume, folder, header=HEADER, slice_order=slice_order, file_order=file_order)
        series = read_series(folder)
        assert np.array_equal(series.volume.array, volume.array)
        assert series.volume.same_grid(volume, 1e-2)
        segments = [Segment("Nodule 1"), Segment("Nodule 2")]
        write_segmentation(series, labels, segments, path, model=MODEL, representation=representation)
        for segment in (1, 2):
            where = volume.to_world(np.argwhere(labels == segment))
            assert same_points(points_by_pydicom(path, segment), where)
            assert same_points(points_by_highdicom(path, segment), where)
            own = read_mask(path, like=series.volume, segment=segment)
            assert np.array_equal(own.array, labels == segment)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_mirrored_lesion_would_be_seen(axis, make_source, tmp_path):
    source = make_source(Volume(np.zeros((6, 10, 8), np.int16), (2, 1, 0.5), (3, 4, 5), tilt(33)))
    labels = lesion_in(source.volume)
    mirrored = np.flip(labels, axis)
    segments = [Segment("Nodule 1"), Segment("Nodule 2")]
    write_segmentation(source, mirrored, segments, tmp_path / "seg.dcm", model=MODEL)
    where = source.volume.to_world(np.argwhere(labels == 1))
    assert not same_points(points_by_pydicom(tmp_path / "seg.dcm", 1), where)
    assert not same_points(points_by_highdicom(tmp_path / "seg.dcm", 1), where)


@settings(LIMITS, max_examples=12)
@given(volume=volumes(), slice_order=st.sampled_from(["ascending", "descending"]))
def test_dcm2niix_reads_any_series_to_the_same_geometry_and_values(volume, slice_order):
    tool = shutil.which("dcm2niix")
    if tool is None:
        pytest.skip("dcm2niix is not installed")
    with tempfile.TemporaryDirectory() as name:
        write_ct_series(volume, Path(name) / "ct", header=HEADER, slice_order=slice_order, file_order="shuffled")
        command = [tool, "-b", "n", "-z", "n", "-f", "out", "-o", name, str(Path(name) / "ct")]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        image = nibabel.load(Path(name) / "out.nii")
        values = np.asarray(image.dataobj)
    indices = np.stack(np.meshgrid(*map(np.arange, values.shape), indexing="ij"), -1).reshape(-1, 3)
    ours = volume.to_index(nibabel.affines.apply_affine(image.affine, indices) * [-1, -1, 1])
    assert np.abs((ours - np.rint(ours)) * volume.spacing_mm).max() < 1e-3
    assert values.size == volume.array.size
    assert np.array_equal(values.reshape(-1), volume.array[tuple(np.rint(ours).astype(int).T)])


@pytest.fixture(scope="module")
def chest(shared_data):
    """A real chest CT, as this package reads it and as pydicom reads each file."""
    folder = shared_data / "dicom" / "chest-LUNG1-001"
    if not folder.is_dir():
        pytest.skip("the series chest-LUNG1-001 is not on this machine")
    files = [pydicom.dcmread(file) for file in sorted(folder.glob("*.dcm"))]
    return read_series(folder), {str(file.SOPInstanceUID): file for file in files}


@pytest.mark.parametrize("representation", ["labelmap", "binary"])
def test_on_a_real_chest(representation, chest, tmp_path, dicom_errors):
    series, files = chest
    labels = np.zeros(series.volume.shape, dtype=np.uint8)
    labels[10:14, 250:262, 100:115] = 1
    labels[10, 250:255, 100:106] = 0
    labels[14:16, 300:303, 350:359] = 2
    path = tmp_path / "seg.dcm"
    segments = [Segment("Tumour"), Segment("Nodule")]
    write_segmentation(series, labels, segments, path, model=MODEL, representation=representation)
    for number in (1, 2):
        found = []
        for k, j, i in np.argwhere(labels == number):  # points from the source files, not from the volume made of them
            header = files[str(series.datasets[k].SOPInstanceUID)]
            row, column = np.array(header.ImageOrientationPatient, float).reshape(2, 3)
            step = row * header.PixelSpacing[1] * i + column * header.PixelSpacing[0] * j
            found.append(np.array(header.ImagePositionPatient, float) + step)
        assert same_points(points_by_pydicom(path, number), np.array(found))
        assert same_points(points_by_highdicom(path, number), np.array(found))
    if representation == "binary":
        assert dicom_errors(path) == []


def test_values_of_a_real_chest(chest):
    series, files = chest
    assert len(files) == len(series.datasets)
    for k in range(0, len(files), 7):
        header = files[str(series.datasets[k].SOPInstanceUID)]
        hu = header.pixel_array * header.RescaleSlope + header.RescaleIntercept
        assert np.array_equal(series.volume.array[k], hu)


VENDORS = [
    "philips_enhanced_anatomical",
    "siemens_anatomical",
    "ge_anatomical",
    "hitachi_anatomical",
    "philips_anatomical",
]


@pytest.mark.parametrize("vendor", VENDORS)
def test_on_series_that_leave_out_what_the_standard_demands(vendor, shared_data, tmp_path, dicom_errors):
    folder = shared_data / "dicom" / "vendors" / f"{vendor}_001"
    if not folder.is_dir():
        pytest.skip(f"the series {vendor} is not on this machine")
    series = read_series(folder)
    labels = np.zeros(series.volume.shape, dtype=np.uint8)
    labels[0:2, 5:9, 5:9] = 1
    labels[0, 5, 5] = 0
    written = write_segmentation(series, labels, [Segment("Lesion", tracking_id="L1")], tmp_path / "seg", model=MODEL)
    where = series.volume.to_world(np.argwhere(labels))
    assert same_points(points_by_pydicom(tmp_path / "seg", 1), where)
    assert same_points(points_by_highdicom(tmp_path / "seg", 1), where)
    finding = Finding("L1", 1, 4.5, 31.0, (1.0, 2.0, 3.0), {"benign": 0.25, "malignant": 0.75}, "malignant")
    report = write_measurement_report(series, written, [finding], tmp_path / "sr", model=MODEL)
    assert read_measurement_report(report)[0].probabilities == finding.probabilities
    assert dicom_errors(tmp_path / "seg") == []
    assert dicom_errors(tmp_path / "sr") == []
