"""The bundles of a run: for each arm (and target) the models of all folds and seeds, ready to predict new patients.

The members of a bundle are the fold models of the first repetition, whose probabilities are averaged; the operating
point is chosen on the validation parts of the same folds, never on a test part.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from hounsfield.core.types import AnyArray
from hounsfield.infer.bundle import BundleCard, MemberCard, OperatingPoint, write_bundle
from hounsfield.infer.inputs import OF_THE_CASE, RADIOMIC, Inputs
from hounsfield.stats.operating_point import youden
from hounsfield.studies.card import model_card
from hounsfield.studies.cohort import Cohort
from hounsfield.studies.piece_files import parts_of_piece, piece_weights
from hounsfield.studies.pieces import Unit
from hounsfield.studies.study import Arm, Study

FIRST = 0  # repetition whose models a bundle holds: further ones only show how much a split matters


def write_bundles(
    out: Path, study: Study, cohort: Cohort, units: Sequence[Unit], predictions: pd.DataFrame
) -> list[Path]:
    """Writes `out`/bundles/ARM, or ARM--TARGET where a study has several targets; returns the folders."""
    written = []
    units = [unit for unit in units if unit.repetition == FIRST]
    for target in study.targets:
        learnt = _learnt_from(cohort, target, units)
        for arm in study.arms:
            name = arm if len(study.targets) == 1 else f"{arm}--{target}"
            folder = out / "bundles" / name
            rows = predictions[(predictions["arm"] == arm) & (predictions["target"] == target)]
            members, weights = _members(out, units, target, arm)
            card = _card(study, arm, target, members, rows, learnt)
            write_bundle(folder, card, weights, model_card(study, card, rows))
            written.append(folder)
    return written


def _learnt_from(cohort: Cohort, target: str, units: Sequence[Unit]) -> dict[str, int]:
    """Cases and patients that the members together were trained on."""
    seen = np.zeros(len(cohort.cases), dtype=bool)
    for unit in units:
        seen |= cohort.target_part(target, unit.repetition, unit.fold, "train")
    return {"cases": int(seen.sum()), "patients": len(set(cohort.patient_id[seen]))}


def _members(
    out: Path, units: Sequence[Unit], target: str, arm: str
) -> tuple[list[MemberCard], list[dict[str, dict[str, AnyArray]]]]:
    members, weights = [], []
    for unit in units:
        piece = out / "pieces" / unit.name / target / arm
        networks, features, classifiers = parts_of_piece(piece)
        place = {"repetition": unit.repetition, "fold": unit.fold, "seed": unit.seed}
        members.append(
            MemberCard(file="", sha256="", networks=networks, features=features, classifiers=classifiers, **place)
        )
        weights.append(piece_weights(piece))
    return members, weights


def _card(
    study: Study, arm: str, target: str, members: list[MemberCard], rows: pd.DataFrame, learnt: dict[str, int]
) -> BundleCard:
    how = study.arms[arm]
    merged = study.targets[target].classes
    return BundleCard(
        name=study.name,
        arm=arm,
        title=how.title,
        kind=how.kind,
        target=target,
        column=study.targets[target].column,
        classes=list(merged),
        values=list(merged.values()),
        needs_mask=how.needs_mask,
        mask=how.mask,
        image_kind=study.arms[how.image].kind if how.kind == "fusion" else None,
        fill=study.networks.fill,
        flips=study.networks.flips,
        preparation=study.preparation,
        inputs=_inputs(study, how),
        lungs=how.lungs,
        operating_point=_operating_point(rows, list(merged)),
        members=members,
        trained_on=learnt,
    )


def _inputs(study: Study, arm: Arm) -> Inputs:
    """Of the study's inputs those that the arm is fed: nobody shall give lungs to a model that never looks at them."""
    fed = [feature.split()[-1] for feature in arm.features]
    asked = {"lungs": arm.kind == "two_inputs", "radiomics": arm.kind == "radiomics"}
    asked["radiomics"] |= any(name.startswith(RADIOMIC) for name in fed)
    asked["covariates"] = any(name.startswith(OF_THE_CASE) for name in fed)
    return Inputs(**{name: getattr(study.inputs, name) for name, wanted in asked.items() if wanted})


def _operating_point(rows: pd.DataFrame, classes: list[str]) -> OperatingPoint | None:
    """Largest Youden index over the pooled validation parts of the bundle's members; two classes only."""
    held = rows[(rows["split"] == "validation") & (rows["repetition"] == FIRST) & rows["label"].notna()]
    if len(classes) != 2 or held["label"].nunique() < 2:
        return None
    label = (held["label"] == classes[-1]).to_numpy(dtype=int)
    point = youden(label, held[f"prob_{classes[-1]}"].to_numpy())
    return OperatingPoint(
        threshold=point.threshold, rule=point.rule, chosen_on=f"validation parts of the members, {point.n} predictions"
    )
