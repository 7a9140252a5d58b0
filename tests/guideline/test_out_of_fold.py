"""Nested cross-validation of a way of making tables: against a loop over scikit-learn, and ways of known worth."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

from hounsfield.core.errors import HounsfieldError
from hounsfield.guideline.features import Features
from hounsfield.guideline.genetic import AucFitness, Settings
from hounsfield.guideline.out_of_fold import out_of_fold, with_points
from hounsfield.guideline.point_table import PointTable
from hounsfield.guideline.population import Population
from hounsfield.guideline.score import manage, points_of
from hounsfield.guideline.search import free_options, run_many, tables_found
from hounsfield.guideline.way import FITNESS, Way, maker

Nodules = tuple[Features, np.ndarray, np.ndarray, list[str]]


@pytest.fixture(scope="module")
def nodules(cells: Population) -> Nodules:
    """400 nodules of 300 patients drawn from the population, half of them malignant, sizes without meaning."""
    rng = np.random.default_rng(11)
    label = np.repeat([0.0, 1.0], 200)
    rows = np.concatenate(
        [rng.choice(len(weights), size=200, p=weights / weights.sum()) for weights in (cells.benign, cells.malignant)]
    )
    features = Features(cells.features.matrix[rows], cells.features.override[rows], np.arange(400))
    return features, label, rng.uniform(0.6, 3.5, 400), [str(number % 300) for number in range(400)]


def test_a_fixed_table_against_a_loop(nodules: Nodules, acr: PointTable, ai: PointTable) -> None:
    features, label, size, patients = nodules
    found = out_of_fold(
        features,
        label,
        size,
        patients,
        table=acr,
        make=lambda *_: ai.points,
        seed=3,
        folds=4,
        repetitions=2,
        resamples=200,
    )
    gains, starts = [], []
    for turn in range(2):
        splitter = StratifiedGroupKFold(4, shuffle=True, random_state=3 + turn)
        for _, outside in splitter.split(label, label, patients):
            areas = [roc_auc_score(label[outside], points_of(features, table)[outside]) for table in (acr, ai)]
            starts.append(areas[0])
            gains.append(areas[1] - areas[0])
    assert found.start == pytest.approx(np.mean(starts), abs=1e-12)
    assert found.auc.value == pytest.approx(np.mean(gains), abs=1e-12)
    assert found.auc.low < found.auc.value < found.auc.high
    assert found.auc.n == 300
    calls = [manage(features, size, table).fna for table in (acr, ai)]
    ill = label == 1
    assert found.sensitivity.value == pytest.approx(calls[1][ill].mean() - calls[0][ill].mean(), abs=1e-12)
    assert found.specificity.value == pytest.approx(calls[0][~ill].mean() - calls[1][~ill].mean(), abs=1e-12)
    assert found.tables.shape == (8, 23)


def test_the_start_table_gains_nothing_and_a_bad_one_loses(nodules: Nodules, acr: PointTable) -> None:
    features, label, size, patients = nodules

    def run(points: np.ndarray) -> tuple[float, float]:
        found = out_of_fold(
            features,
            label,
            size,
            patients,
            table=acr,
            make=lambda *_: points,
            seed=0,
            folds=3,
            repetitions=1,
            resamples=100,
        )
        return found.auc.value, found.p[0]

    assert run(acr.points) == (0.0, 1.0)
    gain, p = run(3 - acr.points)
    assert gain < -0.2
    assert p < 0.05


def test_the_maker_sees_no_patient_of_the_fold_left_out(nodules: Nodules, acr: PointTable) -> None:
    features, label, size, patients = nodules
    seen: list[set[str]] = []

    def make(known: Features, *_: object) -> np.ndarray:
        seen.append({patients[row] for row in known.kept})
        return acr.points

    out_of_fold(features, label, size, patients, table=acr, make=make, seed=1, folds=5, repetitions=1, resamples=100)
    left_out = [set(patients) - one for one in seen]
    assert sorted(patient for one in left_out for patient in one) == sorted(set(patients))  # each left out once, whole


def test_folds_without_a_class_are_refused(nodules: Nodules, acr: PointTable) -> None:
    features, _, size, patients = nodules
    rare = np.zeros(400)
    rare[:2] = 1
    with (
        pytest.raises(HounsfieldError, match="take fewer folds"),
        pytest.warns(UserWarning, match="least populated class"),
    ):
        out_of_fold(features, rare, size, patients, table=acr, make=lambda *_: acr.points, seed=0, folds=5)


@pytest.mark.slow
@pytest.mark.parametrize("fitness", FITNESS)
def test_permuted_outcomes_gain_nothing_on_patients_left_out(fitness: str, acr: PointTable, cells: Population) -> None:
    rng = np.random.default_rng(8)
    rows = rng.choice(len(cells.benign), size=600, p=cells.benign)
    features = Features(cells.features.matrix[rows], cells.features.override[rows], np.arange(600))
    label, size = rng.integers(2, size=600).astype(float), rng.uniform(0.6, 3.5, 600)
    patients = [str(number // 2) for number in range(600)]
    way = Way(runs=2, settings=Settings(population=40, generations=15), fitness=fitness)
    found = out_of_fold(
        features, label, size, patients, table=acr, make=maker(way, acr), seed=1, folds=5, repetitions=2, resamples=200
    )
    if fitness == "auc":
        assert found.apparent > 0.03
    assert found.start == pytest.approx(0.5, abs=0.05)
    assert found.found == pytest.approx(0.5, abs=0.05)
    assert found.matched.value < 0.05
    assert len(np.unique(found.tables, axis=0)) > 1


def test_with_points(acr: PointTable, ai: PointTable) -> None:
    assert with_points(acr, ai.points).points.tolist() == ai.points.tolist()


def test_a_strict_search_keeps_what_it_gave_to_a_category_of_two(acr: PointTable, cells: Population) -> None:
    """With "wider" held at 0, the points of "taller" are a difference already: nothing may be subtracted from them."""
    free = free_options(acr, cells.features, strict=True)
    still = Settings(population=4, generations=1, crossover=0, mutation=0)
    label = np.arange(len(cells.features.matrix)) % 2
    area = AucFitness(cells.features.matrix, cells.features.override, label.astype(float))
    searches = run_many(area, acr, free, seeds=[0], settings=still)
    (only,) = tables_found(searches, acr, cells.features, label.astype(float))
    kept = acr.option_names.index("shape/taller")
    assert only.points[kept] == only.searched[kept] == 3
