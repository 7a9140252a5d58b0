"""Made-up predictions for the report's tests: patients with one or several cases, arms of known quality."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pytest

CLASSES = ("benign", "malignant")
MakeRows = Callable[..., pd.DataFrame]


def rows_of(
    arm: str,
    label: Sequence[int],
    prob: Sequence[float],
    *,
    patients: Sequence[str] | None = None,
    split: str = "test",
    fold: int | Sequence[int] = 0,
    seed: int = 0,
    repetition: int = 0,
    target: str = "malignancy",
    dice: Sequence[float] | float = np.nan,
    prefix: str = "c",
) -> pd.DataFrame:
    """Rows of one arm for a target of two classes; `label` and `prob` are of the class malignant."""
    count = len(label)
    prob_of = np.asarray(prob, dtype=float)
    return pd.DataFrame(
        {
            "case_id": [f"{prefix}{k:04d}" for k in range(count)],
            "patient_id": list(patients) if patients is not None else [f"p-{prefix}{k:04d}" for k in range(count)],
            "site": "here",
            "arm": arm,
            "split": split,
            "repetition": repetition,
            "fold": fold,
            "seed": seed,
            "target": target,
            "label": [CLASSES[k] for k in label],
            "prob_benign": 1 - prob_of,
            "prob_malignant": prob_of,
            "dice": dice,
        }
    )


@pytest.fixture(scope="session")
def make_rows() -> MakeRows:
    return rows_of


@pytest.fixture(scope="session")
def cohort() -> pd.DataFrame:
    """150 cases of 90 patients in 3 folds, arms good, fair, volume (trivial) and noise, two seeds but for volume."""
    rng = np.random.default_rng(5)
    patients = np.sort(rng.integers(0, 90, 150))
    label = (rng.random(150) < 0.35).astype(int)
    fold = patients % 3
    names = [f"P{number:03d}" for number in patients]
    truth = (rng.random(60) < 0.35).astype(int)
    tables = []
    for arm, signal, seeds in (("good", 3.0, 2), ("fair", 0.9, 2), ("volume", 1.5, 1), ("noise", 0.0, 2)):
        for seed in range(seeds):
            score = 1 / (1 + np.exp(-(signal * (label - 0.5) + rng.normal(0, 1, 150))))
            overlap = np.clip(rng.normal(0.8, 0.08, 150), 0, 1) if arm in ("good", "fair") else np.nan
            tables.append(rows_of(arm, label, score, patients=names, fold=list(fold), seed=seed, dice=overlap))
            for part in range(3):
                score = 1 / (1 + np.exp(-(signal * (truth - 0.5) + rng.normal(0, 1, 60))))
                tables.append(rows_of(arm, truth, score, split="validation", fold=part, seed=seed, prefix="v"))
    return pd.concat(tables, ignore_index=True)
