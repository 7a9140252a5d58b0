"""A run as Markdown: times added up by hand, and pairs of equal volume in which a perfect arm stays perfect."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hounsfield.studies.study import PatientLevel, Study
from hounsfield.studies.summary import arm_seconds, summary_tables

STUDY = Study.model_validate(
    {
        "name": "two-arms",
        "title": "Two arms",
        "question": "Which?",
        "targets": {"malignant": {"column": "malignant", "classes": {"benign": ["0"], "malignant": ["1"]}}},
        "arms": {
            "volume": {"kind": "features", "trivial": True, "title": "volume", "features": ["log volume_mm3"]},
            "raw": {"kind": "raw", "title": "network"},
        },
    }
)
METRICS = pd.DataFrame(
    [
        {"target": "malignant", "arm": "volume", "metric": "auc", "value": 0.8, "low": 0.7, "high": 0.9, "seed": "all"},
        {"target": "malignant", "arm": "raw", "metric": "auc", "value": 0.9, "low": 0.85, "high": 0.95, "seed": "all"},
    ]
)
COMPARISONS = pd.DataFrame(
    [
        {
            "target": "malignant",
            "metric": "auc",
            "family": "arm against best trivial arm",
            "first": "raw",
            "difference": 0.1,
            "low": 0.02,
            "high": 0.18,
            "p_holm": 0.0123,
        }
    ]
)


def cases(count: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`count` pairs of equal volume: the network is always right, the volume knows nothing within a pair."""
    volume = np.repeat(np.exp(np.arange(count)), 2)
    label = np.tile([0, 1], count)
    rows = []
    for arm, prob in (("volume", np.repeat(0.3, 2 * count)), ("raw", label * 0.8 + 0.1)):
        for k in range(2 * count):
            rows.append(
                {
                    "case_id": f"c{k}",
                    "patient_id": f"p{k}",
                    "arm": arm,
                    "split": "test",
                    "target": "malignant",
                    "repetition": 0,
                    "seed": 1,
                    "label": ("benign", "malignant")[label[k]],
                    "prob_malignant": prob[k],
                }
            )
    features = pd.DataFrame({"case_id": [f"c{k}" for k in range(2 * count)], "volume_mm3": volume})
    return pd.DataFrame(rows), features


def test_rows_in_order_of_auc_with_difference_and_minutes():
    predictions, features = cases(3)
    text = summary_tables(STUDY, METRICS, COMPARISONS, predictions, features, {"raw": 90.0})
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert lines[2] == "| network | no | 0.900 (0.850 to 0.950) |  |  | +0.100 (+0.020 to +0.180) | 0.0123 | 2 |"
    assert lines[3] == "| volume (trivial) | yes | 0.800 (0.700 to 0.900) |  |  |  |  |  |"
    assert "pairs" not in text  # three pairs are too few to say anything


def test_patients_have_a_table_of_their_own():
    study = STUDY.model_copy(update={"patient": PatientLevel(pooling=["noisy_or"])})
    of_patients = METRICS.assign(target="malignant of the patient", arm=METRICS["arm"] + ", noisy-or", value=[0.6, 0.7])
    versus = COMPARISONS.assign(target="malignant of the patient", first="raw, noisy-or", p_holm=0.4)
    predictions, features = cases(3)
    tables = pd.concat([METRICS, of_patients]), pd.concat([COMPARISONS, versus])
    text = summary_tables(study, *tables, predictions, features, {})
    own = text[text.index("### malignant of the patient") :].splitlines()
    assert own[4] == "| network; noisy-or | no | 0.700 (0.850 to 0.950) |  |  | +0.100 (+0.020 to +0.180) | 0.4 |  |"
    assert own[5].startswith("| volume; noisy-or (trivial) | yes | 0.600")


def test_pairs_of_equal_volume():
    predictions, features = cases(12)
    text = summary_tables(STUDY, METRICS, COMPARISONS, predictions, features, {})
    assert "On 12 pairs" in text
    tail = text[text.index("On 12 pairs") :].splitlines()
    values = {line.split(" | ")[0][2:]: line.split(" | ")[1][:5] for line in tail if line.startswith("| ")}
    assert values["volume"] == "0.500"
    assert values["network"] == "1.000"


def test_seconds_of_stages_and_units_add_up():
    epoch = {"seconds": 2.5}
    one = {"raw": {"raw": [epoch, epoch]}, "joint": {"segmenter": [epoch], "joint": [epoch]}}
    assert arm_seconds([one, one]) == pytest.approx({"raw": 10.0, "joint": 10.0})
