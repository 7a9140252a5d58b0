"""The threshold of a bundle and that of the report: from the same rows where a run has one seed; patients likewise."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hounsfield.report.repeats import repeats_of
from hounsfield.studies.bundles import _operating_point
from hounsfield.studies.patient_level import patient_predictions
from hounsfield.studies.runner import averaged_over_folds
from hounsfield.studies.study import PatientLevel, Study, Target

CLASSES = ("cancer", "granuloma")


def nested_run(seeds: int = 1) -> pd.DataFrame:
    """Predictions as a nested run leaves them: two folds of ten patients with two series each, a test part of ten.

    Fold 1 scores higher throughout and tells the classes better apart: the cut of all is not that of fold 0.
    """
    rng = np.random.default_rng(8)
    rows = []
    for seed in range(seeds):
        for fold in (0, 1):
            for split, prefix in (("validation", f"v{fold}"), ("test", "t")):
                for patient in range(10):
                    positive = patient % 2
                    for series in range(2):
                        prob = 0.1 + 0.3 * fold + (0.1 + 0.15 * fold) * positive + 0.04 * seed + rng.uniform(0, 0.2)
                        place = {"arm": "net", "repetition": 0, "fold": fold, "seed": seed, "split": split}
                        names = {"case_id": f"{prefix}-{patient}-{series}", "patient_id": f"{prefix}-{patient}"}
                        facts = {"site": "here", "target": "kind", "label": CLASSES[positive]}
                        rows.append({**names, **place, **facts, "prob_cancer": 1 - prob, "prob_granuloma": prob})
    return averaged_over_folds(pd.DataFrame(rows))


def report_points(rows: pd.DataFrame, target: str = "kind") -> list[float]:
    return [one.thresholds[0] for several in repeats_of(rows, target, CLASSES).values() for one in several]


def test_with_one_seed_bundle_and_report_cut_at_the_same_point():
    rows = nested_run()
    bundle = _operating_point(rows, list(CLASSES))
    assert bundle is not None
    assert report_points(rows) == [bundle.threshold]
    assert "40 predictions" in bundle.chosen_on
    # The bundle of the first fold alone would cut elsewhere: the test can tell the two apart.
    alone = _operating_point(rows[rows["fold"] == 0], list(CLASSES))
    assert alone is not None
    assert alone.threshold != pytest.approx(bundle.threshold, abs=0.02)


def test_with_two_seeds_the_report_has_a_point_each_and_the_bundle_one_of_both():
    rows = nested_run(seeds=2)
    alone = [_operating_point(rows[rows["seed"] == seed], list(CLASSES)) for seed in (0, 1)]
    assert report_points(rows) == [one.threshold for one in alone if one is not None]
    both = _operating_point(rows, list(CLASSES))
    assert both is not None
    assert "80 predictions" in both.chosen_on


def test_patients_are_cut_at_the_point_of_the_patients_of_all_folds():
    rows = nested_run()
    target = Target(column="kind", classes={name: [name] for name in CLASSES})
    patient = PatientLevel(pooling=["mean"], arms=["net"])
    study = Study.model_construct(targets={"kind": target}, patient=patient)
    pooled = patient_predictions(study, rows)
    (found,) = repeats_of(pooled, "kind of the patient", CLASSES)["net, mean"]
    assert found.pooled
    held = pooled[pooled["split"] == "validation"]
    assert len(held) == 20
    score, sick = held["prob_granuloma"].to_numpy(), (held["label"] == "granuloma").to_numpy()
    gain = [np.mean(score[sick] >= cut) + np.mean(score[~sick] < cut) for cut in np.unique(score)]
    cut = found.thresholds[0]
    assert np.mean(score[sick] >= cut) + np.mean(score[~sick] < cut) == pytest.approx(max(gain))
