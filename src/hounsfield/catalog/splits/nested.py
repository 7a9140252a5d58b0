"""A test part held out, and folds of the rest: a frame of cases goes in, a split as of `splits.split` comes out.

Every fold has the same test part; its validation part is the fold left out. Models of all folds can be averaged on the
test part, and every other patient is predicted once by a model that has not seen them.
"""

from __future__ import annotations

import pandas as pd

from hounsfield.catalog.splits.split import TEST, TRAIN, VALIDATION, assert_patients_apart, hold_out, k_fold


def nested(
    frame: pd.DataFrame, *, label: str, seed: int, test: float = 0.20, folds: int = 5, repetitions: int = 1
) -> pd.DataFrame:
    """`test` of the cases held out, the rest in `folds` folds; by patient, stratified, seeded.

    Args:
        frame, label, repetitions: see `hold_out`. test: share of the cases.
    Returns: frame with the columns of a split, one row a case, repetition and fold.
    Raises: StudyError for missing values and when a class has too few patients to be in every part.
    Source: Guo and Yin, cryptococcosis against cancer (4 : 1, then 5 folds).
    """
    outer = hold_out(frame, label=label, seed=seed, test=test, validation=0, repetitions=repetitions)
    rounds = []
    for repetition in range(repetitions):
        own = outer[outer["repetition"] == repetition]
        held = set(own.loc[own["part"] == TEST, "case_id"])
        rest = frame[~frame["case_id"].astype(str).isin(held)]
        inner = k_fold(rest, label=label, seed=seed + repetition, folds=folds, validation=0)
        parts = inner.assign(repetition=repetition, part=inner["part"].map({TEST: VALIDATION, TRAIN: TRAIN}))
        tests = [own[own["part"] == TEST].assign(fold=fold) for fold in range(folds)]
        rounds.append(pd.concat([parts, *tests], ignore_index=True))
    split = pd.concat(rounds, ignore_index=True)
    split = split.sort_values(["repetition", "fold", "case_id"], ignore_index=True)
    assert_patients_apart(split)
    return split
