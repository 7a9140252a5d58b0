"""Which cases of a run show where its networks looked, and their maps. In: a finished run; out: views for the report.

Cases are taken by a rule, not by their looks: of the test cases of the first fold's model those of highest and of
lowest probability, and those that it got most wrong, one of each patient.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from hounsfield.core.types import FloatArray
from hounsfield.infer.attention import LESION, LUNGS, attention_maps, has_attention, randomised
from hounsfield.infer.model import Cubes, Model
from hounsfield.report.content import AttentionView
from hounsfield.studies.cohort import Cohort
from hounsfield.studies.piece_files import load_piece
from hounsfield.studies.pieces import Unit, cubes_of
from hounsfield.studies.study import Study

_EACH = 2  # of the highest, the lowest, the most wrong
_RANDOM = (0, 1, 2)  # seeds of the networks with random weights that a map is compared with


def attention_of(
    out: Path, study: Study, cohort: Cohort, units: Sequence[Unit], *, device: str = "auto"
) -> tuple[AttentionView, ...]:
    """Views of every arm of the first target whose network has maps, by the model of the first fold and seed.

    Args:
        out: run folder, whose pieces hold the models.
    """
    target = next(iter(study.targets))
    found: list[AttentionView] = []
    for name, arm in study.arms.items():
        if arm.fed_features or arm.kind == "fusion":
            continue
        folder = out / "pieces" / units[0].name / target / name
        model = load_piece(folder, study, target, arm)
        if has_attention(model):
            chosen = chosen_cases(pd.read_parquet(folder / "predictions.parquet"), list(study.targets[target].classes))
            found += _views(study, cohort, model, name, chosen, device=device)
    return tuple(found)


def chosen_cases(predictions: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """The rule: rows of the test part with a column `why`; a patient is taken once, for the first reason that is met.

    The most wrong are those on the other side of 0.5 from their class, furthest first.
    """
    column = f"prob_{classes[-1]}"
    test = predictions[predictions["split"] == "test"].sort_values([column, "case_id"], ignore_index=True)
    off = (test[column] - (test["label"] == classes[-1]).astype(float)).abs()
    wrong = test.assign(off=off)[off > 0.5].sort_values(["off", "case_id"], ascending=[False, True])
    parts: list[pd.DataFrame] = []
    for why, rows in (("highest", test[::-1]), ("lowest", test), ("most wrong", wrong)):
        taken = {patient for part in parts for patient in part["patient_id"]}
        free = rows[~rows["patient_id"].isin(taken)].drop_duplicates("patient_id")
        parts.append(free.head(_EACH).assign(why=why))
    return pd.concat(parts, ignore_index=True)


def _views(
    study: Study, cohort: Cohort, model: Model, arm: str, chosen: pd.DataFrame, *, device: str
) -> list[AttentionView]:
    target, how = next(iter(study.targets.items()))
    positive = list(how.classes)[-1]
    place = {case.case_id: index for index, case in enumerate(cohort.cases)}
    keep = np.isin(np.arange(len(cohort.cases)), [place[case] for case in chosen["case_id"]])
    cubes = cubes_of(cohort, keep)
    order = {index: at for at, index in enumerate(np.flatnonzero(keep).tolist())}
    maps = attention_maps(model, cubes, device=device)
    random = [attention_maps(randomised(model, seed=seed), cubes, device=device) for seed in _RANDOM]
    views = []
    for row in chosen.to_dict("records"):
        index = place[row["case_id"]]
        at = order[index]
        for part, heat in maps.items():
            image, spacing, window = _shown(study, cohort, model, cubes, part, index, at)
            outlined = part == LESION and bool(cohort.prepared.has_mask[index])
            views.append(
                AttentionView(
                    target=target,
                    arm=arm,
                    case_id=str(row["case_id"]),
                    why=str(row["why"]),
                    part=part,
                    image=image,
                    heat=heat[at],
                    reference=cohort.prepared.masks[index] > 0 if outlined else None,
                    label=str(row["label"]),
                    positive=positive,
                    prob=float(row[f"prob_{positive}"]),
                    spacing_mm=spacing,
                    window_hu=window,
                    random_rho=_rho(heat[at], [one[part][at] for one in random]),
                )
            )
    return views


def _shown(
    study: Study, cohort: Cohort, model: Model, cubes: Cubes, part: str, index: int, at: int
) -> tuple[FloatArray, tuple[float, float, float], tuple[float, float]]:
    """Cube, spacing and window of a part."""
    if part != LUNGS or study.inputs.lungs is None or cohort.extra is None:
        return cubes.image[at], study.preparation.spacing_mm, study.preparation.window_hu
    table: Mapping[str, FloatArray] = cohort.extra.table
    side = float(table["lungs_spacing_mm"][index])
    return cubes.lungs[model.lungs][at].astype(np.float32), (side, side, side), study.inputs.lungs.window_hu


def _rho(heat: FloatArray, others: Sequence[FloatArray]) -> float | None:
    """Mean rank correlation with maps of random weights; None where a map is the same throughout."""
    if not np.ptp(heat):
        return None
    found = [float(spearmanr(heat.ravel(), one.ravel()).statistic) for one in others if np.ptp(one)]
    return float(np.mean(found)) if found else None
