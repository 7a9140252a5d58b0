"""The genetic algorithm on a population of known probabilities, on toys with known answers, and its mechanics."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from hounsfield.core.errors import HounsfieldError
from hounsfield.guideline.features import Features
from hounsfield.guideline.genetic import AucFitness, Settings, optimise
from hounsfield.guideline.point_table import PointTable
from hounsfield.guideline.population import Population, every_combination
from hounsfield.guideline.search import (
    TI_RADS_ORDER,
    DecisionFitness,
    Found,
    chosen,
    decision,
    free_options,
    in_order,
    normalised,
    run_many,
    tables_found,
)

BOUND = 0.853627  # of any score, by Neyman and Pearson


@pytest.fixture(scope="module")
def fitness(cells: Population) -> AucFitness:
    return AucFitness(cells.features.matrix, cells.features.override, cells.malignant, cells.benign)


@pytest.fixture(scope="module")
def free(acr: PointTable, cells: Population) -> np.ndarray:
    return free_options(acr, cells.features)


def random_nodules(acr: PointTable, count: int, seed: int) -> tuple[Features, np.ndarray]:
    everything = every_combination(acr)
    rng = np.random.default_rng(seed)
    rows = rng.integers(4800, size=count)
    return Features(everything.matrix[rows], everything.override[rows], np.arange(count)), rng.integers(2, size=count)


def test_fitness_equals_scikit_learn(acr: PointTable) -> None:
    features, label = random_nodules(acr, 300, 1)
    people = np.random.default_rng(2).integers(4, size=(7, 23))
    expected = [roc_auc_score(label, np.where(features.override, 0, features.matrix @ points)) for points in people]
    found = AucFitness(features.matrix, features.override, label.astype(float))(people)
    assert found == pytest.approx(expected, abs=1e-12)


def test_nineteen_options_are_searched(free: np.ndarray, acr: PointTable) -> None:
    held = [name for name, is_free in zip(acr.option_names, free, strict=True) if not is_free]
    assert held == ["composition/cystic", "composition/spongiform", "echogenicity/anechoic", "margin/extrathyroidal"]


def test_coordinate_ascent_reaches_what_was_published(fitness: AucFitness, acr: PointTable, free: np.ndarray) -> None:
    points = acr.points.copy()
    best = float(fitness(points[None])[0])
    improved = True
    while improved:
        improved = False
        for place in np.flatnonzero(free):
            tried = np.repeat(points[None], 4, axis=0)
            tried[:, place] = range(4)
            values = fitness(tried)
            if values.max() > best + 1e-12:
                best, points, improved = float(values.max()), tried[int(values.argmax())], True
    assert best == pytest.approx(0.846358, abs=5e-7)


@pytest.mark.slow
def test_twenty_of_twenty_seeds_pass_the_published_table(
    fitness: AucFitness, acr: PointTable, ai: PointTable, free: np.ndarray
) -> None:
    searches = run_many(fitness, acr, free, seeds=range(20))
    assert [one.record[0] for one in searches] == pytest.approx([0.814426] * 20, abs=5e-7)
    assert min(one.fitness for one in searches) >= 0.8423
    assert max(one.fitness for one in searches) <= 0.84636 < BOUND
    for one in searches:
        assert (np.diff(one.record) >= 0).all()
        assert one.record[-1] == one.fitness
        assert one.record[26] > 0.840251
        change = fitness(normalised(one.points, acr, free)[None])[0] - one.fitness
        assert -0.00045 < change <= 1e-12


def test_genes_stay_in_range_and_held_options_stay(fitness: AucFitness, acr: PointTable, free: np.ndarray) -> None:
    seen: list[np.ndarray] = []

    def watched(people: np.ndarray) -> np.ndarray:
        seen.append(people.copy())
        return fitness(people)

    short = Settings(population=20, generations=5)
    optimise(watched, acr.points, free, rng=np.random.default_rng(0), settings=short)
    everyone = np.concatenate(seen)
    assert everyone.shape == (6 * 20, 23)
    assert everyone.min() >= 0
    assert everyone[:, free].max() <= 3
    assert (everyone[:, ~free] == acr.points[~free]).all()
    assert (seen[0] == acr.points).all()
    assert len(np.unique(seen[-1], axis=0)) > 1


def test_same_seed_same_result(fitness: AucFitness, acr: PointTable, free: np.ndarray) -> None:
    short = Settings(population=30, generations=8)
    one, other, third = (
        optimise(fitness, acr.points, free, rng=np.random.default_rng(seed), settings=short) for seed in (4, 4, 5)
    )
    assert one.points.tolist() == other.points.tolist()
    assert one.mean.tolist() == other.mean.tolist()
    assert one.mean.tolist() != third.mean.tolist()


def test_without_variation_nothing_changes(fitness: AucFitness, acr: PointTable, free: np.ndarray) -> None:
    still = Settings(population=10, generations=6, crossover=0, mutation=0)
    search = optimise(fitness, acr.points, free, rng=np.random.default_rng(1), settings=still)
    assert search.points.tolist() == acr.points.tolist()
    assert search.best.tolist() == [search.record[0]] * 7
    assert search.mean == pytest.approx(search.record)


def test_crossover_mixes_two_parents_and_makes_no_new_genes() -> None:
    seen: list[np.ndarray] = []

    def flat(people: np.ndarray) -> np.ndarray:
        seen.append(people.copy())
        return np.zeros(len(people))

    def two_kinds(people: np.ndarray) -> np.ndarray:
        if not seen:
            people = people.copy()
            people[::2] = 3
        return people

    settings = Settings(population=40, generations=3, crossover=1, mutation=0)
    rng = np.random.default_rng(3)
    optimise(flat, np.zeros(8, dtype=int), np.ones(8, dtype=bool), rng=rng, settings=settings, repair=two_kinds)
    last = seen[-1]
    assert set(np.unique(last)) <= {0, 3}
    assert len(np.unique(last, axis=0)) > 4


def test_a_toy_where_every_table_can_be_tried() -> None:
    """One category of three options, 4^3 tables: the search finds the best that exhaustive search finds."""
    matrix = np.repeat(np.eye(3, dtype=bool), [30, 40, 50], axis=0)
    label = np.repeat([0, 1, 0, 1, 0, 1], [29, 1, 20, 20, 40, 10]).astype(float)
    fitness = AucFitness(matrix, np.zeros(120, dtype=bool), label)
    best = max(float(fitness(np.array([points]))[0]) for points in itertools.product(range(4), repeat=3))
    search = optimise(fitness, np.zeros(3, dtype=int), np.ones(3, dtype=bool), rng=np.random.default_rng(0))
    assert search.fitness == pytest.approx(best, abs=1e-12)
    assert np.argsort(search.points).tolist() == [0, 2, 1]  # cancer rates 1/30, 20/40, 10/50


def test_a_constant_in_a_category_matters_only_with_overridden_nodules(acr: PointTable, ai: PointTable) -> None:
    features, label = random_nodules(acr, 400, 3)
    shape = np.array([name.startswith("shape/") for name in acr.option_names])
    both = np.stack([ai.points, ai.points + shape])  # under AI a nodule that isn't overridden may have 0 points, too
    free_of_override = ~features.override
    same = AucFitness(
        features.matrix[free_of_override], features.override[free_of_override], label[free_of_override].astype(float)
    )(both)
    assert same[0] == pytest.approx(same[1], abs=1e-12)
    differ = AucFitness(features.matrix, features.override, label.astype(float))(both)
    assert abs(differ[0] - differ[1]) > 1e-6


def test_order_is_kept_and_the_strict_variant_needs_no_subtraction(
    fitness: AucFitness, acr: PointTable, cells: Population, free: np.ndarray
) -> None:
    short = Settings(population=40, generations=10)
    names = list(acr.option_names)
    repair = in_order(acr, TI_RADS_ORDER, free)
    search = optimise(fitness, acr.points, free, rng=np.random.default_rng(2), settings=short, repair=repair)
    for chain in TI_RADS_ORDER:
        places = [names.index(name) for name in chain if free[names.index(name)]]
        assert (np.diff(search.points[places]) >= 0).all(), chain
    strict = free_options(acr, cells.features, strict=True)
    search = optimise(fitness, acr.points, strict, rng=np.random.default_rng(2), settings=short)
    for reference in ("shape/wider", "margin/smooth", "foci/none", "composition/cystic"):
        assert search.points[names.index(reference)] == 0
    with pytest.raises(HounsfieldError, match="shape/tall"):
        in_order(acr, [["shape/tall"]], free)


def test_what_is_refused(fitness: AucFitness, acr: PointTable, free: np.ndarray, cells: Population) -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(HounsfieldError, match="free options"):
        optimise(fitness, acr.points, np.zeros(23, dtype=bool), rng=rng)
    with pytest.raises(HounsfieldError, match="0 to 2"):
        optimise(fitness, acr.points, free, rng=rng, settings=Settings(largest=2))
    with pytest.raises(HounsfieldError, match="a class is empty"):
        AucFitness(cells.features.matrix, cells.features.override, np.zeros(len(cells.benign)), cells.benign)
    with pytest.raises(HounsfieldError, match="no table"):
        chosen([], sensitivity=0.5)


def test_the_declared_rule_chooses() -> None:
    def one(auc: float, sensitivity: float, changed: int) -> Found:
        return Found(np.zeros(1, dtype=int), np.zeros(1, dtype=int), auc, sensitivity, 0.5, changed, 1)

    best, few, insensitive, far = one(0.8200, 0.70, 9), one(0.8195, 0.66, 4), one(0.8199, 0.60, 2), one(0.810, 0.9, 1)
    assert chosen([best, few, insensitive, far], sensitivity=0.65) is few
    assert chosen([best, insensitive], sensitivity=0.75) is best  # none keeps it: the nearest
    assert chosen([best, few, insensitive, far], sensitivity=0.65, tolerance=1) is far


def test_fna_fitness_is_the_decision_itself(acr: PointTable, ai: PointTable) -> None:
    features, label = random_nodules(acr, 500, 5)
    size = np.random.default_rng(6).uniform(0.3, 3.5, 500)
    fitness = DecisionFitness(features, label.astype(float), size, table=acr, floor=0.0)
    for table in (acr, ai):
        expected = decision(table.points, acr, features, label.astype(float), size)
        assert float(fitness(table.points[None])[0]) == pytest.approx(expected[1], abs=1e-12)
    high = DecisionFitness(features, label.astype(float), size, table=acr, floor=0.99)
    assert float(high(acr.points[None])[0]) < 0


def test_runs_that_end_alike_are_counted_together(fitness: AucFitness, acr: PointTable, free: np.ndarray) -> None:
    features, label = random_nodules(acr, 200, 9)
    still = Settings(population=4, generations=1, crossover=0, mutation=0)
    searches = run_many(fitness, acr, free, seeds=range(3), settings=still)
    (only,) = tables_found(searches, acr, features, label.astype(float))
    assert only.runs == 3
    assert np.isnan(only.sensitivity)
