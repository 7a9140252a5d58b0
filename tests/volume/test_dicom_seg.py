"""DICOM Segmentation: valid, coded, and read back by pydicom alone, frame by frame from plane positions."""

from __future__ import annotations

import warnings

import numpy as np
import pydicom
import pytest
from pydicom import DataElement, config

from hounsfield.core.errors import MaskError
from hounsfield.volume.dicom_seg import Segment, write_segmentation
from hounsfield.volume.dicom_sr import read_measurement_report, write_measurement_report
from hounsfield.volume.finding import Finding, ModelIdentity, tracking_uid

MODEL = ModelIdentity(name="ggn", version="0.1.0", digest="ab" * 32, arm="joint")
NODULES = [Segment("Nodule 1", tracking_id="L1"), Segment("Nodule 2", tracking_id="L2")]


@pytest.fixture
def labels():
    array = np.zeros((12, 20, 16), dtype=np.uint8)
    array[2:5, 3:9, 4:11] = 1
    array[4, 3:5, 4:6] = 0  # no symmetry left along any axis
    array[7:9, 12:15, 2:4] = 2
    return array


def frames_by_position(path, source):
    """Labels on the source's grid, from pixels, Plane Position and Segment Number alone."""
    dataset = pydicom.dcmread(path)
    out = np.zeros(source.volume.shape, dtype=int)
    pixels = dataset.pixel_array.reshape(-1, dataset.Rows, dataset.Columns)
    positions = [np.array(header.ImagePositionPatient, float) for header in source.datasets]
    for frame, groups in zip(pixels, dataset.PerFrameFunctionalGroupsSequence, strict=True):
        place = np.array(groups.PlanePositionSequence[0].ImagePositionPatient, float)
        distance = [np.linalg.norm(place - position) for position in positions]
        k = int(np.argmin(distance))
        assert distance[k] < 1e-3
        if dataset.SegmentationType == "LABELMAP":
            out[k] = frame
        else:
            out[k][frame > 0] = groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber
    shared = dataset.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0].ImageOrientationPatient
    assert np.allclose(np.array(shared, float), np.array(source.datasets[0].ImageOrientationPatient, float))
    return out


def items_of(path):
    items = pydicom.dcmread(path).SegmentSequence
    return [item for item in items if item.SegmentNumber != 0]  # 0 describes the background of a labelmap


@pytest.mark.parametrize("representation", ["labelmap", "binary"])
def test_two_segments_come_back_where_they_were(representation, source, labels, tmp_path):
    path = tmp_path / "seg.dcm"
    written = write_segmentation(source, labels, NODULES, path, model=MODEL, representation=representation)
    assert written.representation == representation
    assert np.array_equal(frames_by_position(path, source), labels)
    assert not list(tmp_path.glob(".*"))


def test_several_segments_go_out_as_labelmap_one_as_binary(source, labels, tmp_path):
    several = write_segmentation(source, labels, NODULES, tmp_path / "two.dcm", model=MODEL)
    one = write_segmentation(source, labels > 1, NODULES[1:], tmp_path / "one.dcm", model=MODEL)
    assert (several.representation, one.representation) == ("labelmap", "binary")
    types = [pydicom.dcmread(tmp_path / name).SegmentationType for name in ("two.dcm", "one.dcm")]
    assert types == ["LABELMAP", "BINARY"]


def test_what_is_said_about_a_segment(source, labels, tmp_path):
    path = tmp_path / "seg.dcm"
    write_segmentation(source, labels, NODULES, path, model=MODEL)
    items = items_of(path)
    uid = str(source.datasets[0].SeriesInstanceUID)
    assert [item.SegmentLabel for item in items] == ["Nodule 1", "Nodule 2"]
    assert [item.TrackingUID for item in items] == [tracking_uid(uid, "L1"), tracking_uid(uid, "L2")]
    item = items[0]
    assert item.SegmentAlgorithmType == "AUTOMATIC"
    assert item.SegmentedPropertyCategoryCodeSequence[0].CodeValue == "49755003"
    assert item.SegmentedPropertyTypeCodeSequence[0].CodeValue == "27925004"
    assert item.AnatomicRegionSequence[0].CodeMeaning == "Lung"
    algorithm = item.SegmentationAlgorithmIdentificationSequence[0]
    assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("ggn/joint", "0.1.0")
    assert "ab" * 32 in algorithm.AlgorithmParameters


def test_refers_to_the_source_images_of_its_frames(source, labels, tmp_path):
    path = tmp_path / "seg.dcm"
    write_segmentation(source, (labels == 2).astype(np.uint8), NODULES[1:], path, model=MODEL)
    dataset = pydicom.dcmread(path)
    named = [
        groups.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        for groups in dataset.PerFrameFunctionalGroupsSequence
    ]
    assert sorted(named) == sorted(source.datasets[k].SOPInstanceUID for k in (7, 8))
    assert dataset.FrameOfReferenceUID == source.datasets[0].FrameOfReferenceUID
    assert dataset.StudyInstanceUID == source.datasets[0].StudyInstanceUID
    assert dataset.PatientID == "phantom-007"


def test_binary_is_valid(source, labels, tmp_path, dicom_errors):
    for name, what, segments in (("one", labels == 1, NODULES[:1]), ("two", labels, NODULES)):
        write_segmentation(source, what, segments, tmp_path / name, model=MODEL, representation="binary")
        assert dicom_errors(tmp_path / name) == []


def test_labelmap_is_valid_but_for_what_the_validator_does_not_know(source, labels, tmp_path, dicom_errors):
    """Debian's dciodvfy is of 2022, labelmaps came with the standard of 2024d (Supplement 243).

    It stops at the unknown SOP class. Called a Segmentation of old, the same file is checked in full; what it then
    objects to must be the three things in which Supplement 243 departs from the older object, and nothing else.
    """
    path = tmp_path / "seg.dcm"
    write_segmentation(source, labels, NODULES, path, model=MODEL, representation="labelmap")
    known = "SegmentNumber not monotonically increasing"
    assert all(known in line or "Information Object Not found" in line for line in dicom_errors(path))
    dataset = pydicom.dcmread(path)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.66.4"
    dataset.save_as(tmp_path / "renamed.dcm")
    departures = (
        known,
        "SegmentNumber(0062,0004)[1]> - Value is zero",
        "SegmentationType(0062,0001)[1]> - Unrecognized enumerated value = <LABELMAP>",
        "SegmentIdentificationSequence(0062,000a)> - Missing attribute",
    )
    errors = dicom_errors(tmp_path / "renamed.dcm")
    assert [line for line in errors if not any(departure in line for departure in departures)] == []


def test_overlapping_masks_go_out_as_binary_with_a_reason(source, labels, tmp_path, dicom_errors):
    masks = [labels == 1, labels >= 1]
    path = tmp_path / "seg.dcm"
    written = write_segmentation(source, masks, NODULES, path, model=MODEL)
    assert written.representation == "binary"
    assert "segments 1 and 2 overlap" in written.reason
    assert dicom_errors(path) == []
    dataset = pydicom.dcmread(path)
    counts = {1: 0, 2: 0}
    for frame, groups in zip(dataset.pixel_array, dataset.PerFrameFunctionalGroupsSequence, strict=True):
        counts[groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber] += int(frame.sum())
    assert counts == {1: int(masks[0].sum()), 2: int(masks[1].sum())}
    with pytest.raises(MaskError, match="segments 1 and 2 overlap"):
        write_segmentation(source, masks, NODULES, path, model=MODEL, representation="labelmap")


def test_masks_that_do_not_overlap_equal_labels(source, labels, tmp_path):
    write_segmentation(source, [labels == 1, labels == 2], NODULES, tmp_path / "seg.dcm", model=MODEL)
    assert np.array_equal(frames_by_position(tmp_path / "seg.dcm", source), labels)


def test_more_than_255_segments(source, tmp_path):
    labels = np.zeros((12, 20, 16), dtype=np.int32)
    labels.reshape(-1)[:300] = np.arange(1, 301)
    segments = [Segment(f"Nodule {number}") for number in range(1, 301)]
    write_segmentation(source, labels, segments, tmp_path / "seg.dcm", model=MODEL)
    assert np.array_equal(frames_by_position(tmp_path / "seg.dcm", source), labels)


def test_identifiers_follow_from_the_content(source, labels, tmp_path):
    uids = []
    for name, content in (("a", labels), ("b", labels), ("c", np.where(labels == 1, 2, labels == 2))):
        written = write_segmentation(source, content.astype(np.uint8), NODULES, tmp_path / name, model=MODEL)
        uids.append(str(written.dataset.SOPInstanceUID))
    assert uids[0] == uids[1] != uids[2]


def test_lapses_of_the_source_are_not_inherited(source, labels, tmp_path, dicom_errors):
    for header in source.datasets:
        for name in ("PatientSex", "StudyID", "DeidentificationMethod", "FrameOfReferenceUID", "SliceThickness"):
            del header[name]
        header.SpecificCharacterSet = "ISO_IR 100"
        header.PatientName = "Müller"  # one component alone, and not in ASCII
        header["PatientAge"] = DataElement("PatientAge", "AS", "7Y", validation_mode=config.IGNORE)
    before = [header.to_json() for header in source.datasets]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a warning would quote the name
        written = write_segmentation(source, labels, NODULES, tmp_path / "seg", model=MODEL, representation="binary")
        finding = Finding("浸潤", 1, 5.0, 60.0, (0.0, 0.0, 0.0), {"浸潤": 1.0}, "浸潤")
        write_measurement_report(source, written, [finding], tmp_path / "sr", model=MODEL)
    assert dicom_errors(tmp_path / "seg") == []
    assert dicom_errors(tmp_path / "sr") == []
    assert str(pydicom.dcmread(tmp_path / "seg").PatientName) == "Müller"
    assert read_measurement_report(tmp_path / "sr")[0].decision == "浸潤"
    assert [header.to_json() for header in source.datasets] == before


@pytest.mark.parametrize(
    ("change", "segments", "options", "words"),
    [
        (lambda a: a[:-1], NODULES, {}, "grid"),
        (lambda a: a * 0, NODULES, {}, "marks no voxel"),
        (lambda a: a * 2, NODULES, {}, r"found \[4\]"),
        (lambda a: a * 0.5, NODULES, {}, "whole numbers"),
        (lambda a: [a == 1], NODULES, {}, "1 masks for 2 segments"),
        (lambda a: [a == 1, (a == 2)[1:]], NODULES, {}, "mask 2"),
        (lambda a: a, [], {}, "one segment or more"),
        (lambda a: a, NODULES, {"representation": "nrrd"}, "labelmap or binary"),
    ],
)
def test_bad_input(change, segments, options, words, source, labels, tmp_path):
    with pytest.raises(MaskError, match=words):
        write_segmentation(source, change(labels), segments, tmp_path / "seg.dcm", model=MODEL, **options)
    assert not (tmp_path / "seg.dcm").exists()
