"""A bundle on one DICOM series: points in the patient go in; masks, a table, a DICOM SEG and a TID 1500 SR come out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hounsfield import __version__
from hounsfield.core.atomic import atomic_file
from hounsfield.core.errors import BundleError, HounsfieldError, Problem, ProblemsError
from hounsfield.core.types import AnyArray, BoolArray, FloatArray
from hounsfield.data.cube import paste_cube, prepare_case
from hounsfield.data.lungs import prepare_lungs
from hounsfield.data.preparation import PreparedCase
from hounsfield.infer.bundle import Bundle
from hounsfield.infer.cases import decisions, identity_of
from hounsfield.infer.device import device_of
from hounsfield.infer.lesions import Lesion, read_lesions
from hounsfield.infer.measure import MeasureCubes, outline
from hounsfield.infer.model import Cubes, mean_output, models_of
from hounsfield.volume.dicom_seg import Representation, Segment, write_segmentation
from hounsfield.volume.dicom_series import Series, read_series
from hounsfield.volume.dicom_sr import write_measurement_report
from hounsfield.volume.finding import Finding, ModelIdentity
from hounsfield.volume.lungs import lung_masks
from hounsfield.volume.measure import axial_diameters_mm, volume_mm3
from hounsfield.volume.volume import Volume
from hounsfield.volume.write import write_volume


def predict_series(
    bundle: Bundle,
    series: Path,
    lesions: Path,
    out: Path,
    *,
    series_uid: str | None = None,
    representation: Representation = "auto",
    device: str = "auto",
) -> dict[str, Path]:
    """Outlines and classifies the lesions of one series.

    Args:
        lesions: CSV with the columns lesion_id, x_mm, y_mm, z_mm.
        representation: of the DICOM Segmentation; auto takes binary for one lesion, labelmap for several.
    Returns: what was written, by name: findings (CSV), masks (NIfTI, one number a lesion), segmentation, report.
        A bundle that draws no outline (raw) gives findings alone: there is nothing to put into DICOM.
    Raises: SeriesError for the series, ProblemsError for the points, BundleError for a bundle that needs an expert's
        outline or a table's columns, NoLungs for one that sees the lungs where there are none.
    """
    card, device = bundle.card, device_of(device)
    _refuse_what_a_series_lacks(bundle)
    points = read_lesions(lesions)
    source = read_series(series, series_uid=series_uid)
    prepared = _prepare(bundle, source, points)
    models = models_of(bundle)
    cubes = Cubes(np.stack([one.image for one in prepared]), lungs=_lungs(bundle, source, len(points)))
    output = mean_output(
        [model.predict(cubes, measure=MeasureCubes(card.preparation), device=device) for model in models]
    )
    called = decisions(card, output.prob)
    probs = [dict(zip(card.classes, map(float, row), strict=True)) for row in output.prob]
    if output.mask is None:
        rows = [
            {"lesion_id": point.lesion_id, **_columns(prob), "decision": decision}
            for point, prob, decision in zip(points, probs, called, strict=True)
        ]
        return {"findings": _write_table(out, rows)}
    masks = [
        _on_series(soft, one, point, source.volume)
        for soft, one, point in zip(output.mask, prepared, points, strict=True)
    ]
    findings = [
        _finding(number, point, mask, source.volume, prob, decision)
        for number, (point, mask, prob, decision) in enumerate(zip(points, masks, probs, called, strict=True), 1)
    ]
    return _write(out, bundle, source, findings, masks, representation)


def _refuse_what_a_series_lacks(bundle: Bundle) -> None:
    card = bundle.card
    if card.needs_mask:
        raise BundleError(
            f"arm '{card.arm}' needs an expert's outline, and a point is all there is. "
            "Use a bundle that outlines by itself (auto_mask, joint, multitask)."
        )
    if card.inputs.covariates:
        raise BundleError(
            f"arm '{card.arm}' needs {', '.join(card.inputs.covariates)} of the patient, which a series does not tell "
            "reliably. Use --cases with a table that has these columns."
        )


def _prepare(bundle: Bundle, source: Series, points: list[Lesion]) -> list[PreparedCase]:
    prepared, problems = [], []
    for point in points:
        try:
            prepared.append(prepare_case(source.volume, None, bundle.card.preparation, centre_mm=point.centre_mm))
        except HounsfieldError as error:
            problems.append(Problem(f"lesion {point.lesion_id}", str(error)))
    if problems:
        raise ProblemsError("these points do not belong to this series:", problems)
    return prepared


def _lungs(bundle: Bundle, source: Series, count: int) -> dict[str, AnyArray]:
    """The lungs of the series, once for each of its `count` lesions; empty for a bundle that does not look at them."""
    config = bundle.card.inputs.lungs
    if config is None:
        return {}
    mask = source.volume.with_array(lung_masks(source.volume).labels)
    content = bundle.card.lungs
    one = prepare_lungs(source.volume, mask, None, config.model_copy(update={"content": content})).image
    return {content: np.repeat(one[None].astype(np.float16), count, axis=0)}


def _on_series(soft: FloatArray, prepared: PreparedCase, point: Lesion, volume: Volume) -> BoolArray:
    """The outline on the grid of the series, never empty."""
    pasted = paste_cube(soft.astype(np.float32), prepared, volume).array
    if pasted.any():
        return outline(pasted)
    # Nothing suspected anywhere, or between two slices only: the voxel at the given point stands for the lesion.
    mask = np.zeros(volume.shape, dtype=bool)
    nearest = np.rint(volume.to_index(np.asarray([point.centre_mm]))[0]).astype(int)
    mask[tuple(np.clip(nearest, 0, np.asarray(volume.shape) - 1))] = True
    return mask


def _finding(
    number: int, point: Lesion, mask: BoolArray, volume: Volume, probabilities: dict[str, float], decision: str
) -> Finding:
    long, short = axial_diameters_mm(mask, volume.spacing_mm)
    x, y, z = volume.to_world(np.argwhere(mask).mean(axis=0))[0]
    total = sum(probabilities.values())
    return Finding(
        lesion_id=point.lesion_id,
        segment_number=number,
        diameter_mm=long,
        short_diameter_mm=short,
        volume_mm3=volume_mm3(mask, volume.spacing_mm),
        centre_mm=(float(x), float(y), float(z)),
        probabilities={name: min(max(value / total, 0.0), 1.0) for name, value in probabilities.items()},
        decision=decision,
    )


def _write(
    out: Path,
    bundle: Bundle,
    source: Series,
    findings: list[Finding],
    masks: list[BoolArray],
    representation: Representation,
) -> dict[str, Path]:
    card = bundle.card
    model = ModelIdentity(name=card.name, version=__version__, digest=identity_of(card), arm=card.arm)
    labels = np.zeros(source.volume.shape, dtype=np.uint16)
    for number, mask in enumerate(masks, start=1):
        labels[mask & (labels == 0)] = number
    segments = [Segment(label=f"Lesion {finding.lesion_id}", tracking_id=finding.lesion_id) for finding in findings]
    target = out / "segmentation.dcm"
    written = write_segmentation(source, masks, segments, target, model=model, representation=representation)
    report = write_measurement_report(source, written, findings, out / "report.dcm", model=model)
    write_volume(source.volume.with_array(labels), out / "masks.nii.gz")
    table = _write_table(out, [_row(finding) for finding in findings])
    return {"findings": table, "masks": out / "masks.nii.gz", "segmentation": written.path, "report": report}


def _row(finding: Finding) -> dict[str, Any]:
    x, y, z = finding.centre_mm
    return {
        "lesion_id": finding.lesion_id,
        "x_mm": x,
        "y_mm": y,
        "z_mm": z,
        "diameter_mm": finding.diameter_mm,
        "short_diameter_mm": finding.short_diameter_mm,
        "volume_mm3": finding.volume_mm3,
        **_columns(finding.probabilities),
        "decision": finding.decision,
    }


def _columns(prob: Mapping[str, float]) -> dict[str, float]:
    return {f"prob_{name}": value for name, value in prob.items()}


def _write_table(out: Path, rows: list[dict[str, Any]]) -> Path:
    path = out / "findings.csv"
    with atomic_file(path) as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False)
    return path
