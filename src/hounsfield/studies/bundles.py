"""The bundles of a run: for each arm (and target) the models of all folds and seeds, ready to predict new patients.

The members of a bundle are the fold models of the first repetition, whose probabilities are averaged; the operating
point is chosen on the validation parts of the same folds, never on a test part.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from hounsfield.infer.bundle import BundleCard, MemberCard, OperatingPoint, write_bundle
from hounsfield.stats.operating_point import youden
from hounsfield.studies.card import model_card
from hounsfield.studies.pieces import Unit, parts_of_piece, read_weights
from hounsfield.studies.study import Study

FIRST = 0  # repetition whose models a bundle holds: further ones only show how much a split matters


def write_bundles(out: Path, study: Study, units: Sequence[Unit], predictions: pd.DataFrame) -> list[Path]:
    """Writes `out`/bundles/ARM, or ARM--TARGET where a study has several targets; returns the folders."""
    written = []
    for target in study.targets:
        for arm in study.arms:
            name = arm if len(study.targets) == 1 else f"{arm}--{target}"
            folder = out / "bundles" / name
            rows = predictions[(predictions["arm"] == arm) & (predictions["target"] == target)]
            _write(folder, out, study, [unit for unit in units if unit.repetition == FIRST], arm, target, rows)
            written.append(folder)
    return written


def _write(
    folder: Path, out: Path, study: Study, units: Sequence[Unit], arm: str, target: str, rows: pd.DataFrame
) -> None:
    members, weights = [], []
    for unit in units:
        piece = out / "pieces" / unit.name / target / arm
        networks, features = parts_of_piece(piece)
        members.append(
            MemberCard(
                file="",
                sha256="",
                repetition=unit.repetition,
                fold=unit.fold,
                seed=unit.seed,
                networks=networks,
                features=features,
            )
        )
        weights.append(read_weights(piece))
    how = study.arms[arm]
    classes = list(study.targets[target].classes)
    card = BundleCard(
        name=study.name,
        arm=arm,
        title=how.title,
        kind=how.kind,
        target=target,
        column=study.targets[target].column,
        classes=classes,
        values=[study.targets[target].classes[name] for name in classes],
        needs_mask=how.needs_mask,
        mask=how.mask,
        fill=study.networks.fill,
        flips=study.networks.flips,
        preparation=study.preparation,
        operating_point=_operating_point(rows, classes),
        members=members,
        trained_on={"cases": int(rows["case_id"].nunique()), "patients": int(rows["patient_id"].nunique())},
    )
    write_bundle(folder, card, weights, model_card(study, card, rows))


def _operating_point(rows: pd.DataFrame, classes: list[str]) -> OperatingPoint | None:
    """Largest Youden index over the pooled validation parts of the bundle's members; two classes only."""
    held = rows[(rows["split"] == "validation") & (rows["repetition"] == FIRST)]
    if len(classes) != 2 or held["label"].nunique() < 2:
        return None
    label = (held["label"] == classes[-1]).to_numpy(dtype=int)
    point = youden(label, held[f"prob_{classes[-1]}"].to_numpy())
    return OperatingPoint(
        threshold=point.threshold, rule=point.rule, chosen_on=f"validation parts of the members, {point.n} predictions"
    )
