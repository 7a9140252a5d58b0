"""A bundle on the cases of a table: cases table in, predictions table out."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from hounsfield.core.atomic import atomic_file
from hounsfield.core.content import sha256_of
from hounsfield.core.errors import BundleError, Problem, ProblemsError
from hounsfield.core.progress import Progress, silent
from hounsfield.core.types import FloatArray
from hounsfield.data.prepare import PreparedSet, prepare_cases
from hounsfield.infer.bundle import Bundle, BundleCard
from hounsfield.infer.device import device_of
from hounsfield.infer.inputs import Gathered, gather
from hounsfield.infer.measure import MeasureCubes, outline
from hounsfield.infer.model import Cubes, Output, mean_output, models_of
from hounsfield.stats.overlap import assd, dice
from hounsfield.tables.cases import Case, read_cases
from hounsfield.tables.predictions import write_predictions


def predict_cases(
    bundle: Bundle,
    cases: Path,
    out: Path,
    *,
    device: str = "auto",
    workers: int = 0,
    csv: bool = False,
    progress: Progress = silent,
) -> Path:
    """Applies a bundle to every case of a table and writes `out`/predictions.parquet.

    The label is taken over where the table has the bundle's column, or one of the target's name, and its cells are
    values or names of the bundle's classes. Cases that can't be prepared, and those without the outline that the
    bundle needs, are named in `out`/set_aside.csv; the others go on.

    Returns: path of the predictions.
    Raises: BundleError when the bundle needs outlines and no case has one; ProblemsError when no case can be predicted.
    """
    device = device_of(device)
    usable, aside = _usable(bundle.card, read_cases(cases).cases())
    with tempfile.TemporaryDirectory(prefix="hounsfield-") as cache:
        extra = gather(
            usable, bundle.card.inputs, Path(cache), lungs=[bundle.card.lungs], workers=workers, progress=progress
        )
        aside += extra.set_aside
        usable = [case for case in usable if case.case_id in set(extra.case_ids)]
        prepared = prepare_cases(usable, bundle.card.preparation, Path(cache), workers=workers, progress=progress)
    aside += prepared.set_aside
    if not len(prepared):
        raise ProblemsError("no case could be prepared:", aside[:20])
    extra = extra.only([case.case_id for case in prepared.cases])
    output = predict_prepared(bundle, prepared, extra, device=device, progress=progress)
    frame = _frame(bundle.card, prepared, output)
    path = out / "predictions.parquet"
    classes = {bundle.card.target: bundle.card.classes}
    write_predictions(frame, path, classes=classes)
    if csv:
        write_predictions(frame, path.with_suffix(".csv"), classes=classes)
    _write_aside(aside, out / "set_aside.csv")
    return path


def _usable(card: BundleCard, cases: list[Case]) -> tuple[list[Case], list[Problem]]:
    """The cases with all that the bundle needs, and why the others are set aside."""
    bare = [case for case in cases if case.mask is None] if card.needs_mask else []
    if bare and len(bare) == len(cases):
        raise _no_outline(card, len(bare), bare[0].case_id)
    what = f"has no mask, and the arm '{card.arm}' needs an expert's outline; left out."
    aside = [Problem(f"case {case.case_id}", what, "Add its mask.") for case in bare]
    return [case for case in cases if case not in bare], aside


def _no_outline(card: BundleCard, count: int, first: str) -> BundleError:
    return BundleError(
        f"arm '{card.arm}' needs an expert's outline of every lesion, and {count} case(s) have none "
        f"(first: {first}). Add masks, or use a bundle that outlines by itself (auto_mask, joint)."
    )


def _write_aside(aside: list[Problem], path: Path) -> None:
    """The cases left out, by name; no file when there is none, and none of an earlier prediction stays."""
    if not aside:
        path.unlink(missing_ok=True)
        return
    rows = [{"where": item.where, "what": item.what, "remedy": item.remedy} for item in aside]
    with atomic_file(path) as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False)


def predict_prepared(
    bundle: Bundle,
    prepared: PreparedSet,
    extra: Gathered | None = None,
    *,
    device: str = "auto",
    progress: Progress = silent,
) -> Output:
    """Mean output of the bundle's members on prepared cases, in their order.

    Args:
        extra: what the bundle's `inputs` name, of the same cases in the same order; None where they name nothing.
    Raises: BundleError when the bundle needs an expert's outline and a case has none.
    """
    card = bundle.card
    without = [case.case_id for case, has in zip(prepared.cases, prepared.has_mask, strict=True) if not has]
    if card.needs_mask and without:
        raise _no_outline(card, len(without), without[0])
    cubes = _cubes(prepared, extra, with_masks=not without)
    measure = MeasureCubes(card.preparation)
    models = models_of(bundle)
    outputs = [
        model.predict(cubes, measure=measure, device=device)
        for model in progress(models, len(models), "predicting, members")
    ]
    return mean_output(outputs)


def decisions(card: BundleCard, prob: FloatArray) -> list[str]:
    """The class called for each case: by the operating point for two classes, else the most probable."""
    if card.operating_point is None:
        return [card.classes[index] for index in prob.argmax(axis=1)]
    return [card.classes[int(positive)] for positive in prob[:, -1] >= card.operating_point.threshold]


def _cubes(prepared: PreparedSet, extra: Gathered | None, *, with_masks: bool) -> Cubes:
    table = prepared.table() | (dict(extra.table) if extra else {})
    return Cubes(prepared.images, prepared.masks if with_masks else None, table, extra.lungs if extra else {})


def _frame(card: BundleCard, prepared: PreparedSet, output: Output) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "case_id": [case.case_id for case in prepared.cases],
            "patient_id": [case.patient_id for case in prepared.cases],
            "site": [case.site for case in prepared.cases],
            "arm": card.arm,
            "split": "test",
            "repetition": 0,
            "fold": 0,
            "seed": card.members[0].seed,
            "target": card.target,
            "label": [_label(card, case) for case in prepared.cases],
            "decision": decisions(card, output.prob),
            "bundle": card.digest[:16],
        }
    )
    for name, prob in zip(card.classes, output.prob.T, strict=True):
        frame[f"prob_{name}"] = prob
    if output.mask is not None:
        drawn = [outline(mask) for mask in output.mask]
        voxel = float(np.prod(card.preparation.spacing_mm))
        frame["predicted_volume_mm3"] = [float(mask.sum()) * voxel for mask in drawn]
        references: Sequence[bool] = list(prepared.has_mask)
        pairs = list(zip(prepared.masks > 0, drawn, references, strict=True))
        spacing = card.preparation.spacing_mm
        frame["dice"] = [dice(mask, one) if has else np.nan for mask, one, has in pairs]
        frame["asd_mm"] = [assd(mask, one, spacing_mm=spacing) if has else np.nan for mask, one, has in pairs]
    return frame


def _label(card: BundleCard, case: Case) -> str | None:
    column = card.column if card.column in case.values else card.target
    return card.class_of(case.values.get(column))


def identity_of(card: BundleCard) -> str:
    """What tells this bundle from any other: settings and weights."""
    return sha256_of([card.digest, card.model_dump(mode="json", exclude={"members", "trained_on"})])
