"""Fast resampled areas: the very values of the slower way, ties and missing classes included."""

from __future__ import annotations

import numpy as np
import pytest

from hounsfield.core.errors import HounsfieldError
from hounsfield.stats.auc import weighted_auc
from hounsfield.stats.auc_bootstrap import bootstrap_auc
from hounsfield.stats.bootstrap import bootstrap_values


@pytest.mark.parametrize("digits", [0, 1, 8])
@pytest.mark.parametrize("repeated", [True, False])
def test_equals_the_weighted_area(digits: int, repeated: bool) -> None:
    rng = np.random.default_rng(digits)
    label = rng.integers(2, size=180)
    scores = np.round(label + rng.normal(0, 1, (3, 180)), digits)
    patient = rng.integers(70, size=180) if repeated else None
    found = bootstrap_auc(label, scores, rng=np.random.default_rng(5), patient_id=patient, resamples=150)
    for column, score in enumerate(scores):
        slow = bootstrap_values(
            lambda weights, score=score: weighted_auc(label, score, weights),
            cases=180,
            rng=np.random.default_rng(5),
            patient_id=patient,
            resamples=150,
        )
        assert found[:, column] == pytest.approx(slow, abs=1e-12)


def test_a_resample_without_a_class_has_no_area() -> None:
    label = np.array([1, 0, 0])
    found = bootstrap_auc(label, [[0.9, 0.2, 0.1]], rng=np.random.default_rng(1), resamples=500)
    lost = np.isnan(found).mean()
    assert lost == pytest.approx((2 / 3) ** 3 + (1 / 3) ** 3, abs=0.08)
    assert (found[~np.isnan(found)] == 1).all()
    assert np.isnan(bootstrap_auc([1, 1], [[0.1, 0.2]], rng=np.random.default_rng(1), resamples=100)).all()


def test_shapes_are_checked() -> None:
    with pytest.raises(HounsfieldError, match="models x 2 cases"):
        bootstrap_auc([1, 0], [0.1, 0.2], rng=np.random.default_rng(1))
    with pytest.raises(HounsfieldError, match="100 resamples"):
        bootstrap_auc([1, 0], [[0.1, 0.2]], rng=np.random.default_rng(1), resamples=10)
