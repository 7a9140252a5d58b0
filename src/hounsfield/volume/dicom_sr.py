"""Writes and reads findings as a DICOM measurement report (Comprehensive 3D SR, template TID 1500).

In goes a series, the segmentation written from it and one `Finding` a lesion; out comes one file with, for each lesion,
tracking identifiers, coded finding and site, its segment, diameters, volume, class probabilities and the decision.
Units are UCUM. Classes differ from study to study, so they are named in the private coding scheme 99HOUNSFIELD, which
the file declares; a class's code value is the start of the digest of its name, its meaning the name itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from highdicom import sr
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import generate_uid

from hounsfield.core.atomic import atomic_file
from hounsfield.core.errors import MaskError
from hounsfield.volume.dicom_seg import WrittenSegmentation
from hounsfield.volume.dicom_source import MANUFACTURER, SourceSeries, equipment, no_names_in_warnings, source_headers
from hounsfield.volume.finding import Finding, ModelIdentity, tracking_uid

SCHEME = "99HOUNSFIELD"
_DECISION = Code("decision", SCHEME, "Predicted class at the operating point")
_CENTRE = tuple(Code(f"centre-{axis}", SCHEME, f"Lesion centre {axis}, patient coordinates (LPS)") for axis in "xyz")
_LONG = codes.SCT.LongAxis
_SHORT = codes.SCT.ShortAxis
_VOLUME = codes.SCT.Volume
_NODULE = Code("27925004", "SCT", "Nodule")
_LUNG = Code("39607008", "SCT", "Lung")


def write_measurement_report(
    series: SourceSeries,
    segmentation: WrittenSegmentation,
    findings: Sequence[Finding],
    path: Path,
    *,
    model: ModelIdentity,
    series_number: int = 301,
) -> Path:
    """Writes one report on the lesions of a series.

    Args:
        segmentation: what `write_segmentation` gave back; every finding names one of its segments.
        findings: one or more, their ids unique.
    Raises: MaskError for no findings, an id that comes twice, a segment that is not in the segmentation.
    """
    _check(findings, segmentation.dataset)
    source_uid = str(series.datasets[0].SeriesInstanceUID)
    entropy = [source_uid, model.digest, str(segmentation.dataset.SOPInstanceUID), repr(list(findings))]
    uids = [str(generate_uid(entropy_srcs=[*entropy, part])) for part in ("sr series", "sr instance")]
    groups = [_group(finding, segmentation.dataset, source_uid, model) for finding in findings]
    headers = source_headers(series)
    report = sr.MeasurementReport(
        observation_context=_observer(model),
        procedure_reported=codes.LN.CTUnspecifiedBodyRegion,
        imaging_measurements=groups,
        title=codes.DCM.ImagingMeasurementReport,
        referenced_images=_for_library(headers, segmentation.dataset),
    )
    with no_names_in_warnings():
        document = sr.Comprehensive3DSR(
            evidence=[*headers, segmentation.dataset],
            content=report[0],
            is_complete=True,
            is_final=False,
            is_verified=False,
            **equipment(model, uids=uids, series_number=series_number, description=f"Findings by {model.title}"),
        )
    _declare_scheme(document)
    with atomic_file(path) as temporary:
        document.save_as(temporary)
    return path


def read_measurement_report(path: Path) -> list[Finding]:
    """The findings in a report written by `write_measurement_report`, in its order.

    Raises: MaskError when the file is no measurement report.
    """
    try:
        document = sr.srread(path)
        content: Any = document.content  # highdicom annotates the base class, srread gives the report of the template
        groups = content.get_volumetric_roi_measurement_groups()
    except Exception as error:  # highdicom and pydicom raise a dozen kinds for what is not a report
        raise MaskError(
            f"{path.name}: expected a measurement report (Comprehensive 3D SR, TID 1500), which this is not."
        ) from error
    return [_finding(group) for group in groups]


def class_code(name: str) -> Code:
    """Private code of a class: at most 16 characters, as DICOM allows, and the same for the same name."""
    return Code(sha256(name.encode()).hexdigest()[:16], SCHEME, name[:64])


def _check(findings: Sequence[Finding], segmentation: Dataset) -> None:
    if not findings:
        raise MaskError("a report needs one finding or more; got none. Write nothing where no lesion was found.")
    ids = [finding.lesion_id for finding in findings]
    twice = sorted({lesion for lesion in ids if ids.count(lesion) > 1})
    if twice:
        raise MaskError(f"lesion ids must be unique in a report; {', '.join(twice)} comes more than once.")
    numbers = {int(item.SegmentNumber) for item in segmentation.SegmentSequence}
    for finding in findings:
        if finding.segment_number not in numbers:
            raise MaskError(
                f"lesion {finding.lesion_id} names segment {finding.segment_number}; the segmentation has "
                f"{sorted(numbers - {0})}. Number findings as the segments were."
            )


def _observer(model: ModelIdentity) -> sr.ObservationContext:
    # One device for all reports of a model, so that its findings can be gathered by the observer's identifier.
    uid = str(generate_uid(entropy_srcs=["hounsfield", "device", model.name, model.arm, model.version, model.digest]))
    device = sr.DeviceObserverIdentifyingAttributes(
        uid=uid,
        name=model.title,
        manufacturer_name=MANUFACTURER,
        model_name=f"{model.title} {model.version}",
        serial_number=model.digest or None,
    )
    return sr.ObservationContext(
        observer_device_context=sr.ObserverContext(
            observer_type=codes.DCM.Device, observer_identifying_attributes=device
        )
    )


def _group(
    finding: Finding, segmentation: Dataset, source_uid: str, model: ModelIdentity
) -> sr.VolumetricROIMeasurementsAndQualitativeEvaluations:
    uid = finding.tracking_uid or tracking_uid(source_uid, finding.lesion_id)
    decision = []
    if finding.decision:
        decision.append(sr.QualitativeEvaluation(name=_DECISION, value=class_code(finding.decision)))
    return sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(uid=uid, identifier=finding.lesion_id),
        referenced_segment=sr.ReferencedSegment(
            sop_class_uid=segmentation.SOPClassUID,
            sop_instance_uid=segmentation.SOPInstanceUID,
            segment_number=finding.segment_number,
            source_series=sr.SourceSeriesForSegmentation(source_uid),
        ),
        finding_type=_NODULE,
        finding_sites=[sr.FindingSite(anatomic_location=_LUNG)],
        algorithm_id=sr.AlgorithmIdentification(
            name=model.title, version=model.version, parameters=[f"bundle {model.digest}"] if model.digest else None
        ),
        measurements=_measurements(finding),
        qualitative_evaluations=decision,
    )


def _measurements(finding: Finding) -> list[sr.Measurement]:
    values: list[tuple[Any, float, Any]] = [(_LONG, finding.diameter_mm, codes.UCUM.Millimeter)]
    if finding.short_diameter_mm is not None:
        values.append((_SHORT, finding.short_diameter_mm, codes.UCUM.Millimeter))
    values.append((_VOLUME, finding.volume_mm3, codes.UCUM.CubicMillimeter))
    values += [(code, value, codes.UCUM.Millimeter) for code, value in zip(_CENTRE, finding.centre_mm, strict=True)]
    values += [(class_code(name), value, codes.UCUM.NoUnits) for name, value in finding.probabilities.items()]
    return [sr.Measurement(name=name, value=float(value), unit=unit) for name, value, unit in values]


def _for_library(headers: Sequence[Dataset], segmentation: Dataset) -> list[Dataset] | None:
    """The images that the report describes one by one: those on which a lesion lies.

    All others are referred to as evidence; describing hundreds takes many seconds and tells nothing. None where a
    header lacks what the description needs, as those of multi-frame objects do.
    """
    marked = {
        str(image.ReferencedSOPInstanceUID)
        for frame in segmentation.PerFrameFunctionalGroupsSequence
        for derivation in frame.get("DerivationImageSequence", [])
        for image in derivation.SourceImageSequence
    }
    chosen = [header for header in headers if str(header.SOPInstanceUID) in marked]
    needed = ("FrameOfReferenceUID", "PixelSpacing", "ImageOrientationPatient", "ImagePositionPatient")
    complete = all(header.get(name) for header in chosen for name in (*needed, "SliceThickness"))
    return chosen if chosen and complete else None


def _declare_scheme(document: Dataset) -> None:
    item = Dataset()
    item.CodingSchemeDesignator = SCHEME
    item.CodingSchemeName = "Classes of Hounsfield studies"
    item.CodingSchemeResponsibleOrganization = MANUFACTURER
    document.CodingSchemeIdentificationSequence = [item]


def _finding(group: Any) -> Finding:
    values: dict[tuple[str, str], float] = {}
    probabilities: dict[str, float] = {}
    for measurement in group.get_measurements():
        values[(measurement.name.scheme_designator, measurement.name.value)] = float(measurement.value)
        if measurement.unit == codes.UCUM.NoUnits:
            probabilities[measurement.name.meaning] = float(measurement.value)
    decisions = [item.value.meaning for item in group.get_qualitative_evaluations() if item.name == _DECISION]
    x, y, z = (values[(SCHEME, code.value)] for code in _CENTRE)
    return Finding(
        lesion_id=group.tracking_identifier,
        tracking_uid=group.tracking_uid,
        segment_number=int(group.referenced_segment[0].ReferencedSOPSequence[0].ReferencedSegmentNumber),
        diameter_mm=values[(_LONG.scheme_designator, _LONG.value)],
        short_diameter_mm=values.get((_SHORT.scheme_designator, _SHORT.value)),
        volume_mm3=values[(_VOLUME.scheme_designator, _VOLUME.value)],
        centre_mm=(x, y, z),
        probabilities=probabilities,
        decision=decisions[0] if decisions else "",
    )
