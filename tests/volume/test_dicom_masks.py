"""Segmentations written by highdicom and contours of known area, read back on the image's grid."""

from __future__ import annotations

from math import pi
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest
from matplotlib.path import Path as Outline
from pydicom.sequence import Sequence
from pydicom.sr.codedict import codes

from hounsfield.core.errors import ImageError, MaskError
from hounsfield.volume.dicom_masks import fill_polygon, read_rtstruct, read_segmentation
from hounsfield.volume.dicom_series import read_series
from hounsfield.volume.read import read_mask
from hounsfield.volume.volume import Volume


def description(number: int, label: str) -> hd.seg.SegmentDescription:
    return hd.seg.SegmentDescription(
        number,
        label,
        codes.SCT.MorphologicallyAbnormalStructure,
        codes.SCT.Nodule,
        hd.seg.SegmentAlgorithmTypeValues.MANUAL,
    )


def write_seg(folder: Path, file: Path, pixels: np.ndarray, labels: list[str], kind: str, **more) -> None:
    """`pixels` follow the sorted files of `folder`, not the slices' order."""
    images = [pydicom.dcmread(path) for path in sorted(folder.iterdir())]
    hd.seg.Segmentation(
        source_images=images,
        pixel_array=pixels,
        segmentation_type=kind,
        segment_descriptions=[description(number, label) for number, label in enumerate(labels, start=1)],
        series_instance_uid=hd.UID(),
        series_number=1,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="maker",
        manufacturer_model_name="model",
        software_versions="1",
        device_serial_number="1",
        **more,
    ).save_as(file)


def order_of(folder: Path, like: Volume) -> np.ndarray:
    """Slice of `like` that each file of `folder` is."""
    positions = [pydicom.dcmread(path).ImagePositionPatient for path in sorted(folder.iterdir())]
    return np.rint(like.to_index(np.array(positions, dtype=float))[:, 0]).astype(int)


OBLIQUE = np.array([[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]])


@pytest.mark.parametrize("kind", ["BINARY", "LABELMAP"])
@pytest.mark.parametrize("turn", [np.eye(3), OBLIQUE, np.diag([1.0, 1.0, -1.0])])
def test_segments_are_found_voxel_for_voxel(make_series, tmp_path, kind, turn):
    folder, _ = make_series(count=8, turn=turn)
    like = read_series(folder).volume
    labels = np.random.default_rng(1).integers(0, 3, size=like.shape).astype(np.uint8)
    labels[[0, 2, 3, 6]] = 0  # empty slices are left out of the file
    write_seg(folder, tmp_path / "seg.dcm", labels[order_of(folder, like)], ["one", "two"], kind)
    for segment, number in ((1, 1), ("two", 2), ("1", 1)):
        found = read_mask(tmp_path / "seg.dcm", like=like, segment=segment)
        np.testing.assert_array_equal(found.array, labels == number)
    with pytest.raises(MaskError, match=r"expected one segment, got 2 \(1 'one', 2 'two'\)"):
        read_segmentation(tmp_path / "seg.dcm", like=like)
    with pytest.raises(MaskError, match="no single segment 'three'"):
        read_segmentation(tmp_path / "seg.dcm", like=like, segment="three")


def test_slices_far_apart_are_not_drawn_together(make_series, tmp_path):
    folder, _ = make_series(count=8)
    like = read_series(folder).volume
    mask = np.zeros(like.shape, dtype=np.uint8)
    mask[[0, 3, 7], 1:3, 2:4] = 1
    write_seg(folder, tmp_path / "seg.dcm", mask[order_of(folder, like)], ["one"], "BINARY")
    np.testing.assert_array_equal(read_segmentation(tmp_path / "seg.dcm", like=like).array, mask > 0)


def test_a_fractional_segmentation_is_cut_at_half(make_series, tmp_path):
    folder, _ = make_series()
    like = read_series(folder).volume
    soft = np.random.default_rng(2).random(like.shape)
    soft[np.abs(soft - 0.5) < 0.01] = 0.9  # away from the rounding to 255 steps
    write_seg(
        folder, tmp_path / "seg.dcm", soft[order_of(folder, like)], ["one"], "FRACTIONAL", max_fractional_value=255
    )
    np.testing.assert_array_equal(read_segmentation(tmp_path / "seg.dcm", like=like).array, soft >= 0.5)


def test_a_segmentation_of_another_series_is_refused(make_series, tmp_path):
    folder, _ = make_series()
    like = read_series(folder).volume
    write_seg(folder, tmp_path / "seg.dcm", np.ones((5, 6, 7), dtype=np.uint8), ["one"], "BINARY")
    for other in (
        Volume(np.zeros((5, 6, 7)), (1.7, 0.8, 0.6), like.origin_mm),
        Volume(np.zeros((5, 6, 7)), like.spacing_mm, (0.3, 0.0, 0.0)),
        Volume(np.zeros((4, 6, 7)), like.spacing_mm, like.origin_mm),
    ):
        with pytest.raises(MaskError, match=r"another grid|mm apart"):
            read_segmentation(tmp_path / "seg.dcm", like=other)
    larger = Volume(np.zeros((9, 6, 7)), like.spacing_mm, tuple(like.to_world([[-2, 0, 0]])[0]))
    assert np.flatnonzero(read_segmentation(tmp_path / "seg.dcm", like=larger).array.any(axis=(1, 2))).tolist() == [
        2,
        3,
        4,
        5,
        6,
    ]


def test_a_dicom_file_that_is_no_mask(make_series, tmp_path):
    folder, _ = make_series()
    like = read_series(folder).volume
    file = next(folder.iterdir())
    with pytest.raises(MaskError, match="this is 'CT Image Storage'"):
        read_mask(file, like=like)
    with pytest.raises(MaskError, match="no DICOM Segmentation"):
        read_segmentation(file, like=like)
    with pytest.raises(MaskError, match="no RT Structure Set"):
        read_rtstruct(file, like=like)
    broken = tmp_path / "broken.dcm"
    broken.write_bytes(file.read_bytes()[:133])
    with pytest.raises((ImageError, MaskError)):
        read_mask(broken, like=like)


def write_rtstruct(file: Path, regions: dict[str, list[np.ndarray]]) -> None:
    """Contours (N, 3) in mm by region, as a minimal structure set."""
    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = pydicom.uid.RTStructureSetStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = pydicom.uid.generate_uid()
    dataset.Modality = "RTSTRUCT"
    names, drawn = [], []
    for number, (name, contours) in enumerate(regions.items(), start=1):
        one = pydicom.Dataset()
        one.ROINumber, one.ROIName = number, name
        names.append(one)
        region = pydicom.Dataset()
        region.ReferencedROINumber = number
        items = []
        for points in contours:
            contour = pydicom.Dataset()
            contour.ContourGeometricType = "CLOSED_PLANAR"
            contour.NumberOfContourPoints = len(points)
            contour.ContourData = [f"{value:.5f}" for value in points.ravel()]
            items.append(contour)
        region.ContourSequence = Sequence(items)
        drawn.append(region)
    dataset.StructureSetROISequence, dataset.ROIContourSequence = Sequence(names), Sequence(drawn)
    dataset.save_as(file, enforce_file_format=True)


def circle(like: Volume, k: int, radius: float, count: int = 400) -> np.ndarray:
    """Points in mm of a circle about the middle of slice k."""
    angle = np.linspace(0, 2 * pi, count, endpoint=False)
    middle = like.to_world([[k, (like.shape[1] - 1) / 2, (like.shape[2] - 1) / 2]])[0]
    return middle + radius * (
        np.outer(np.cos(angle), like.direction[:, 0]) + np.outer(np.sin(angle), like.direction[:, 1])
    )


@pytest.mark.parametrize("turn", [np.eye(3), OBLIQUE])
def test_the_area_of_a_ring(tmp_path, turn):
    like = Volume(np.zeros((5, 200, 240)), (2.0, 0.25, 0.2), (10.0, 20.0, 30.0), turn)
    file = tmp_path / "rt.dcm"
    write_rtstruct(file, {"ring": [circle(like, 2, 20.0), circle(like, 2, 8.0)], "disc": [circle(like, 3, 15.0)]})
    ring = read_rtstruct(file, like=like, roi="ring")
    assert np.flatnonzero(ring.array.any(axis=(1, 2))).tolist() == [2]
    assert ring.array.sum() * 0.05 == pytest.approx(pi * (20.0**2 - 8.0**2), rel=2e-3)
    assert not ring.array[2, 100, 120]  # the hole
    disc = read_mask(file, like=like, segment="disc")
    assert disc.array.sum() * 0.05 == pytest.approx(pi * 15.0**2, rel=2e-3)
    at = np.argwhere(disc.array).mean(axis=0)
    np.testing.assert_allclose(at, (3, 99.5, 119.5), atol=0.1)
    with pytest.raises(MaskError, match="expected one region, got 2"):
        read_rtstruct(file, like=like)


def test_contours_between_slices_or_outside_are_refused(tmp_path):
    like = Volume(np.zeros((5, 50, 50)), (2.0, 1.0, 1.0))
    file = tmp_path / "rt.dcm"
    write_rtstruct(file, {"one": [np.add(circle(like, 2, 10.0), (0, 0, 0.8))]})
    with pytest.raises(MaskError, match="don't lie in the image's slices"):
        read_rtstruct(file, like=like)
    write_rtstruct(file, {"one": [circle(like, 20, 10.0)]})
    with pytest.raises(MaskError, match="wholly outside"):
        read_rtstruct(file, like=like)
    write_rtstruct(file, {"one": []})
    with pytest.raises(MaskError, match="empty"):
        read_rtstruct(file, like=like)


def test_polygons_as_matplotlib_fills_them():
    rng = np.random.default_rng(4)
    rows, columns = np.mgrid[:30, :40]
    centres = np.column_stack([rows.ravel(), columns.ravel()])
    for _ in range(20):
        angle = np.sort(rng.random(12)) * 2 * pi
        radius = rng.uniform(3, 20, size=12)
        points = np.column_stack(
            [15 + radius * np.sin(angle), 18 + radius * np.cos(angle)]
        )  # star-shaped, no crossings
        expected = Outline(points).contains_points(centres).reshape(30, 40)
        np.testing.assert_array_equal(fill_polygon(points, (30, 40)), expected)


def test_a_polygon_through_pixel_centres_counts_by_the_half_open_rule():
    square = np.array(
        [[1.0, 1.0], [1.0, 4.0], [3.0, 4.0], [3.0, 1.0]]
    )  # area 2 x 3 = 6 pixels, whatever the border does
    assert fill_polygon(square, (6, 6)).sum() == 6
    assert not fill_polygon(square + 50, (6, 6)).any()


def test_a_real_structure_set(shared_data, tmp_path):
    import zipfile

    with zipfile.ZipFile(shared_data / "dicom" / "extremity-STS_001.zip") as archive:
        names = [name for name in archive.namelist() if "/MR_T2/" in name and not name.endswith("/")]
        archive.extractall(tmp_path, names)
    folder = tmp_path / "extremity-STS_001" / "MR_T2"
    like = read_series(folder / "image").volume
    file = next(path for path in (folder / "mask").iterdir() if path.is_file())
    dataset = pydicom.dcmread(file)
    label = str(dataset.StructureSetROISequence[0].ROIName)
    mask = read_rtstruct(file, like=like, roi=label)
    number = int(dataset.StructureSetROISequence[0].ROINumber)
    region = next(item for item in dataset.ROIContourSequence if int(item.ReferencedROINumber) == number)
    area = 0.0
    for contour in region.ContourSequence:  # shoelace formula: areas of the contours as drawn, if none is a hole
        points = np.array(contour.ContourData, dtype=float).reshape(-1, 3)
        x, y = points @ like.direction[:, 0], points @ like.direction[:, 1]
        area += abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2
    assert mask.array.sum() * mask.voxel_mm3 == pytest.approx(area * like.spacing_mm[0], rel=0.02)
