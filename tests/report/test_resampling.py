"""Large cohorts: cells and blocks of patients give the numbers of the cases themselves."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from hounsfield.core.types import FloatArray, IntArray
from hounsfield.report import resampling
from hounsfield.report.curve_data import precision_points, roc_points
from hounsfield.report.metrics import statistics_of
from hounsfield.report.repeats import Repeat
from hounsfield.report.resampling import Sample, Statistic, interval_of, sample_of, spread_of
from hounsfield.stats.bootstrap import WeightedStatistic

PATIENTS, CASES = 3000, 6000


def _repeat(classes: int = 2, seed: int = 3) -> Repeat:
    """Two cases a patient on average, whose scores go together; some probabilities are exactly one half."""
    rng = np.random.default_rng(seed)
    patient: IntArray = rng.integers(PATIENTS, size=CASES)
    trait = rng.normal(size=PATIENTS)
    label = (trait[patient] + rng.normal(size=CASES) > 1).astype(np.int64) if classes == 2 else patient % classes
    logits = rng.normal(size=(CASES, classes)) + 1.5 * np.eye(classes)[label] + 0.3 * trait[patient][:, None]
    prob: FloatArray = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    if classes == 2:
        prob[:50] = 0.5
    names = np.array([f"case {number}" for number in range(CASES)], dtype=object)
    patients = np.array([f"patient {number}" for number in patient], dtype=object)
    called = prob[:, 1] >= 0.4 if classes == 2 else None
    order = tuple("abc"[:classes])
    return Repeat("label", "net", 0, 0, order, names, patients, label, prob, called, {0: 0.4}, {})


def _of_first(statistic: WeightedStatistic) -> Statistic:
    return lambda _, weights: statistic(weights[0])


def _large(monkeypatch: pytest.MonkeyPatch, repeat: Repeat) -> Sample:
    monkeypatch.setattr(resampling, "LARGE", 1000)
    return sample_of([repeat], seed=5)


def test_cells_give_the_metrics_of_the_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    repeat = _repeat()
    sample = _large(monkeypatch, repeat)
    assert sample.units == 1000
    assert sample.held is not None
    assert sample.held[0].sum() == CASES
    exact, cells = statistics_of(repeat), statistics_of(sample.parts[0])
    for name, one in cells.items():
        if name != "threshold":
            close = 1e-12 if name in ("accuracy", "f1_macro", "mcc", "sensitivity", "specificity", "ece") else 1e-4
            assert one(sample.ones()[0])[0] == pytest.approx(exact[name](np.ones((1, CASES)))[0], abs=close), name


@pytest.mark.parametrize("metric", ["auc", "accuracy", "brier", "calibration_slope", "sensitivity"])
def test_blocks_give_the_width_of_patients(metric: str, monkeypatch: pytest.MonkeyPatch) -> None:
    repeat = _repeat()
    spreads = []
    for sample in (sample_of([repeat], seed=5), _large(monkeypatch, repeat)):
        statistic = statistics_of(sample.parts[0])[metric]
        rng = np.random.default_rng(1)
        spreads.append(spread_of(sample, _of_first(statistic), rng=rng, resamples=2000))
    # 1000 blocks have a standard error that is right to 1 in sqrt(2 x 999), 2.2 %; 2000 resamples add 1.6 % each.
    assert spreads[1] == pytest.approx(spreads[0], rel=0.08)
    found = interval_of(sample, _of_first(statistic), rng=rng, resamples=1000)
    assert (found.n, found.unit) == (len(set(repeat.patient_id)), "patients")
    assert found.high - found.low == pytest.approx(2 * 1.96 * spreads[0], rel=0.15)


def test_three_classes_take_some_patients_and_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    repeat = _repeat(3)
    widths = []
    for sample in (sample_of([repeat], seed=5), _large(monkeypatch, repeat)):
        statistic = statistics_of(sample.parts[0])["auc"]
        rng = np.random.default_rng(1)
        found = interval_of(sample, _of_first(statistic), rng=rng, resamples=1000, value=0.5)
        widths.append(found.high - found.low)
    assert sample.shrink == pytest.approx(np.sqrt(1000 / len(set(repeat.patient_id))))
    assert found.value == 0.5
    assert widths[1] == pytest.approx(widths[0], rel=0.15)


def test_curves_of_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    repeat = _repeat()
    small = sample_of([repeat], seed=5)
    large = _large(monkeypatch, repeat)
    for points in (partial(roc_points, positive=1), precision_points):
        exact, cells = (points(one, seed=0, resamples=300) for one in (small, large))
        middle = slice(10, -10)
        assert cells.y[middle] == pytest.approx(exact.y[middle], abs=0.01)
        assert np.mean(cells.high - cells.low) == pytest.approx(np.mean(exact.high - exact.low), rel=0.1)
        assert (cells.low <= cells.y + 1e-12).all()
