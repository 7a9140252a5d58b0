"""Measurement report: valid, what goes in comes out, and a plain walk through the tree finds the standard's codes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pydicom
import pytest

from hounsfield.core.errors import MaskError
from hounsfield.volume.dicom_seg import Segment, write_segmentation
from hounsfield.volume.dicom_sr import SCHEME, class_code, read_measurement_report, write_measurement_report
from hounsfield.volume.finding import Finding, ModelIdentity, tracking_uid

MODEL = ModelIdentity(name="ggn", version="0.1.0", digest="cd" * 32, arm="joint")
FINDINGS = [
    Finding("L1", 1, 12.25, 345.5, (1.5, -2.25, 100.0), {"benign": 0.3, "malignant": 0.7}, "malignant", 9.125),
    Finding("L2", 2, 5.0, 1 / 3, (-1e-7, 2.0, 3.0), {"benign": 2 / 3, "malignant": 1 / 3}, "benign"),
]


@pytest.fixture
def segmentation(source, tmp_path):
    labels = np.zeros(source.volume.shape, dtype=np.uint8)
    labels[2:5, 3:9, 4:11], labels[7:9, 12:15, 2:4] = 1, 2
    segments = [Segment("Nodule 1", tracking_id="L1"), Segment("Nodule 2", tracking_id="L2")]
    return write_segmentation(source, labels, segments, tmp_path / "seg.dcm", model=MODEL, representation="binary")


@pytest.fixture
def report(source, segmentation, tmp_path):
    return write_measurement_report(source, segmentation, FINDINGS, tmp_path / "sr.dcm", model=MODEL)


def walk(item, depth=0):
    yield depth, item
    for child in item.get("ContentSequence", []):
        yield from walk(child, depth + 1)


def named_as(item, value):
    """Whether the item's concept name has this code value."""
    return "ConceptNameCodeSequence" in item and item.ConceptNameCodeSequence[0].get("CodeValue") == value


def named(dataset, value):
    """All content items whose concept name has this code value."""
    return [item for _, item in walk(dataset) if named_as(item, value)]


def test_valid(report, dicom_errors):
    assert dicom_errors(report) == []


def test_round_trip(report, source):
    back = read_measurement_report(report)
    uid = str(source.datasets[0].SeriesInstanceUID)
    assert [finding.tracking_uid for finding in back] == [tracking_uid(uid, "L1"), tracking_uid(uid, "L2")]
    for given, read in zip(FINDINGS, back, strict=True):
        assert (read.lesion_id, read.segment_number, read.decision) == (
            given.lesion_id,
            given.segment_number,
            given.decision,
        )
        assert read.diameter_mm == given.diameter_mm
        assert read.short_diameter_mm == given.short_diameter_mm
        assert read.volume_mm3 == pytest.approx(given.volume_mm3, rel=1e-12)
        assert read.centre_mm == pytest.approx(given.centre_mm, rel=1e-12)
        assert list(read.probabilities) == ["benign", "malignant"]
        assert read.probabilities == pytest.approx(given.probabilities, rel=1e-12)


def test_codes_and_units_of_the_standard(report):
    dataset = pydicom.dcmread(report)
    assert dataset.ConceptNameCodeSequence[0].CodeValue == "126000"  # Imaging Measurement Report, TID 1500
    assert dataset.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    assert len(named(dataset, "125007")) == 2  # measurement groups
    long_axis = named(dataset, "103339001")
    assert [float(item.MeasuredValueSequence[0].NumericValue) for item in long_axis] == [12.25, 5.0]
    assert long_axis[0].MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0].CodeValue == "mm"
    volume = named(dataset, "118565006")[0].MeasuredValueSequence[0]
    assert (float(volume.NumericValue), volume.MeasurementUnitsCodeSequence[0].CodeValue) == (345.5, "mm3")
    assert len(named(dataset, "103340004")) == 1  # the short axis of the one lesion that has one
    assert named(dataset, "121071")[0].ConceptCodeSequence[0].CodeMeaning == "Nodule"  # Finding
    assert named(dataset, "363698007")[0].ConceptCodeSequence[0].CodeMeaning == "Lung"  # Finding Site
    probability = named(dataset, class_code("malignant").value)[0].MeasuredValueSequence[0]
    assert (float(probability.NumericValue), probability.MeasurementUnitsCodeSequence[0].CodeValue) == (0.7, "1")


def test_names_segmentation_source_and_model(report, source, segmentation):
    dataset = pydicom.dcmread(report)
    segments = [
        item.ReferencedSOPSequence[0]
        for item in named(dataset, "121191")  # Referenced Segment
    ]
    assert [int(item.ReferencedSegmentNumber) for item in segments] == [1, 2]
    assert {item.ReferencedSOPInstanceUID for item in segments} == {str(segmentation.dataset.SOPInstanceUID)}
    evidence = {
        instance.ReferencedSOPInstanceUID
        for study in dataset.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for instance in series.ReferencedSOPSequence
    }
    assert evidence == {
        str(segmentation.dataset.SOPInstanceUID),
        *(str(header.SOPInstanceUID) for header in source.datasets),
    }
    library = next(item for _, item in walk(dataset) if named_as(item, "111028"))  # Image Library
    described = {
        item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for _, item in walk(library) if item.ValueType == "IMAGE"
    }
    assert described == {str(source.datasets[k].SOPInstanceUID) for k in (2, 3, 4, 7, 8)}  # where lesions lie
    assert named(dataset, "121013")[0].TextValue == "ggn/joint"  # Device Observer Name
    assert named(dataset, "121016")[0].TextValue == "cd" * 32  # Device Observer Serial Number
    assert named(dataset, "111001")[0].TextValue == "ggn/joint"  # Algorithm Name
    assert named(dataset, "111003")[0].TextValue == "0.1.0"  # Algorithm Version
    assert dataset.CodingSchemeIdentificationSequence[0].CodingSchemeDesignator == SCHEME
    assert dataset.VerificationFlag == "UNVERIFIED"


def test_class_names_in_any_script_and_length(source, segmentation, tmp_path, dicom_errors):
    name = "adénocarcinome in situ " + "x" * 40
    finding = replace(FINDINGS[0], probabilities={name: 0.25, "浸潤": 0.75}, decision="浸潤")
    path = write_measurement_report(source, segmentation, [finding], tmp_path / "sr.dcm", model=MODEL)
    back = read_measurement_report(path)[0]
    assert back.probabilities == {name: 0.25, "浸潤": 0.75}
    assert back.decision == "浸潤"
    assert dicom_errors(path) == []


def test_a_report_without_classes(source, segmentation, tmp_path, dicom_errors):
    finding = replace(FINDINGS[0], probabilities={}, decision="")
    path = write_measurement_report(source, segmentation, [finding], tmp_path / "sr.dcm", model=MODEL)
    assert read_measurement_report(path)[0].probabilities == {}
    assert dicom_errors(path) == []


@pytest.mark.parametrize(
    ("findings", "words"),
    [
        ([], "one finding or more"),
        ([FINDINGS[0], FINDINGS[0]], "L1 comes more than once"),
        ([replace(FINDINGS[0], segment_number=3)], r"names segment 3; the segmentation has \[1, 2\]"),
    ],
)
def test_bad_findings(findings, words, source, segmentation, tmp_path):
    with pytest.raises(MaskError, match=words):
        write_measurement_report(source, segmentation, findings, tmp_path / "sr.dcm", model=MODEL)


@pytest.mark.parametrize(
    "wrong", [{"diameter_mm": float("nan")}, {"probabilities": {"a": 1.2}}, {"probabilities": {"a": 1.0}}]
)
def test_bad_values(wrong):
    with pytest.raises(MaskError, match="lesion L1"):
        replace(FINDINGS[0], **wrong)


def test_file_that_is_no_report(segmentation, tmp_path):
    (tmp_path / "text.dcm").write_text("no DICOM at all")
    for path in (segmentation.path, tmp_path / "text.dcm"):
        with pytest.raises(MaskError, match="measurement report"):
            read_measurement_report(path)
