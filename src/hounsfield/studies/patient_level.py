"""A result of each patient from those of the cases. In: the predictions of a run; out: rows of further targets.

Each target of two classes gets another, `TARGET of the patient`, whose cases are patients and whose arms are every
pooled arm with every way of pooling, so that ways are compared like arms. Attention is fitted on the validation part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from hounsfield.core.errors import HounsfieldError
from hounsfield.core.types import AnyArray, FloatArray, IntArray
from hounsfield.stats.pooling import PLAIN, fit_attention, pool
from hounsfield.studies.study import PatientLevel, Study

_WORDS = {"mean": "mean", "maximum": "maximum", "noisy_or": "noisy-or", "attention": "attention"}
_ROUND = ["repetition", "fold", "seed"]


def patient_targets(study: Study) -> dict[str, str]:
    """Name of the patients' target by that of the cases' target; empty when the study asks for none."""
    if study.patient is None:
        return {}
    return {name: f"{name} of the patient" for name, how in study.targets.items() if len(how.classes) == 2}


def patient_arms(study: Study) -> dict[str, tuple[str, str]]:
    """Arm and way of pooling by the name of the pooled arm."""
    if study.patient is None:
        return {}
    arms = study.patient.arms or list(study.arms)
    return {pooled_name(arm, how): (arm, how) for arm in arms for how in study.patient.pooling}


def patient_comparisons(study: Study) -> list[tuple[str, str]]:
    """The study's pairs of arms as pairs of pooled arms, each way of pooling against itself."""
    pooled = patient_arms(study)
    ways = [] if study.patient is None else study.patient.pooling
    pairs = [(pooled_name(first, how), pooled_name(second, how)) for first, second in study.comparisons for how in ways]
    return [pair for pair in pairs if set(pair) <= set(pooled)]


def pooled_name(arm: str, how: str) -> str:
    """Name of an arm under a way of pooling."""
    return f"{arm}, {_WORDS[how]}"


def patient_predictions(study: Study, predictions: pd.DataFrame) -> pd.DataFrame:
    """Rows of the patients' targets, made from those of the cases.

    Args:
        predictions: of all arms, targets, parts, folds and seeds.
    Returns: the same columns; `case_id` is the patient's, columns of single cases are empty.
    Raises: HounsfieldError when attention is asked for and a validation part holds patients of one class only.
    """
    rows: list[pd.DataFrame] = []
    if study.patient is None:
        return predictions.iloc[:0]
    for target, name in patient_targets(study).items():
        own = predictions[predictions["target"] == target]
        classes = list(study.targets[target].classes)
        for arm in study.patient.arms or list(study.arms):
            rows += _of_arm(own[own["arm"] == arm], study.patient, classes, name, arm)
    return pd.concat(rows, ignore_index=True) if rows else predictions.iloc[:0]


def _of_arm(
    rows: pd.DataFrame, wanted: PatientLevel, classes: Sequence[str], target: str, arm: str
) -> list[pd.DataFrame]:
    negative, positive = classes
    found = []
    for how in wanted.pooling:
        for keys, part in rows.groupby([*_ROUND, "split"], sort=False):
            place = dict(zip([*_ROUND, "split"], keys, strict=True))
            prob, group, label = _columns(part, positive)
            if how in PLAIN:
                patients, pooled = pool(prob, group, how=how)
            else:
                patients, pooled = _attended(rows, place, positive)
                wanted_here = np.isin(patients, group)
                patients, pooled = patients[wanted_here], pooled[wanted_here]
            sick = np.isin(patients, group[label == 1])
            found.append(
                pd.DataFrame(
                    {
                        "case_id": patients,
                        "patient_id": patients,
                        "site": part.drop_duplicates("patient_id").set_index("patient_id")["site"][patients].to_numpy(),
                        "arm": pooled_name(arm, how),
                        **place,
                        "target": target,
                        "label": np.where(sick, positive, negative),
                        f"prob_{negative}": 1 - pooled,
                        f"prob_{positive}": pooled,
                    }
                )
            )
    return found


def _attended(rows: pd.DataFrame, place: Mapping[str, object], positive: str) -> tuple[AnyArray, FloatArray]:
    """Patients pooled by attention that was fitted on the validation part of the fold, or of all that were averaged."""
    same_seed = rows[(rows["repetition"] == place["repetition"]) & (rows["seed"] == place["seed"])]
    held = same_seed[same_seed["split"] == "validation"]
    own = held[held["fold"] == place["fold"]]
    # Averaged test rows of a nested split belong to all folds together.
    all_folds = place["split"] == "test" and same_seed[same_seed["split"] == "test"]["fold"].nunique() == 1
    learnt = held if all_folds or not len(own) else own
    if not len(learnt):
        raise HounsfieldError("attention over a patient's lesions is fitted on the validation part, and there is none.")
    fitted = fit_attention(*_columns(learnt, positive))
    part = same_seed[(same_seed["split"] == place["split"]) & (same_seed["fold"] == place["fold"])]
    prob, group, _ = _columns(part, positive)
    return fitted.pool(prob, group)


def _columns(rows: pd.DataFrame, positive: str) -> tuple[FloatArray, AnyArray, IntArray]:
    label = (rows["label"] == positive).to_numpy()
    prob: FloatArray = rows[f"prob_{positive}"].to_numpy(dtype=np.float64)
    group: AnyArray = rows["patient_id"].to_numpy(dtype=str)
    return prob, group, np.asarray(label, dtype=np.int64)
