"""A way of making tables: its parts put together by hand, the floor that the FNA fitness keeps, and its generator."""

from __future__ import annotations

import numpy as np
import pytest

from hounsfield.guideline.features import Features
from hounsfield.guideline.genetic import AucFitness, Settings
from hounsfield.guideline.point_table import PointTable
from hounsfield.guideline.population import Population
from hounsfield.guideline.score import manage
from hounsfield.guideline.search import chosen, free_options, run_many, tables_found
from hounsfield.guideline.way import Way, make_table, maker

SHORT = Settings(population=20, generations=8)
Known = tuple[Features, np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def known(cells: Population) -> Known:
    """300 nodules drawn from the population, a third of them malignant."""
    rng = np.random.default_rng(21)
    label = np.repeat([0.0, 1.0], [200, 100])
    rows = np.concatenate(
        [
            rng.choice(len(weights), size=count, p=weights / weights.sum())
            for weights, count in ((cells.benign, 200), (cells.malignant, 100))
        ]
    )
    features = Features(cells.features.matrix[rows], cells.features.override[rows], np.arange(300))
    return features, label, rng.uniform(0.6, 3.5, 300)


def test_the_default_way_is_many_runs_and_the_declared_rule(known: Known, acr: PointTable) -> None:
    features, label, size = known
    made = make_table(Way(settings=SHORT), acr, *known, seeds=range(3))
    area = AucFitness(features.matrix, features.override, label)
    searches = run_many(area, acr, free_options(acr, features), seeds=range(3), settings=SHORT)
    found = tables_found(searches, acr, features, label, size)
    calls = manage(features, size, acr).fna
    assert made.start.sensitivity == pytest.approx(calls[label == 1].mean())
    assert made.start.specificity == pytest.approx(1 - calls[label == 0].mean())
    assert made.chosen.points.tolist() == chosen(found, sensitivity=made.start.sensitivity).points.tolist()
    assert [one.auc for one in made.found] == [one.auc for one in found]


def test_fna_fitness_keeps_the_sensitivity_and_the_points_it_searched(known: Known, acr: PointTable) -> None:
    features, label, size = known
    made = make_table(Way(settings=SHORT, fitness="fna"), acr, *known, seeds=range(4))
    for one in made.found:
        assert one.points.tolist() == one.searched.tolist()
        assert one.sensitivity >= made.start.sensitivity - 1e-12
        assert one.specificity >= made.start.specificity - 1e-12
    assert made.chosen.specificity == max(one.specificity for one in made.found) > made.start.specificity
    fna = manage(features, size, acr.with_points(_named(acr, made.chosen.points), name="x")).fna
    assert (~fna[label == 0]).mean() == pytest.approx(made.chosen.specificity)


def test_the_maker_makes_the_same_of_the_same_generator(known: Known, acr: PointTable) -> None:
    make = maker(Way(runs=2, settings=SHORT), acr)
    first, again, other = (make(*known, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.tolist() == again.tolist() != other.tolist()
    seeds = np.random.default_rng(1).integers(2**31, size=2).tolist()
    made = make_table(Way(settings=SHORT), acr, *known, seeds=seeds)
    assert made.chosen.points.tolist() == first.tolist()


def _named(table: PointTable, points: np.ndarray) -> dict[str, int]:
    return dict(zip(table.option_names, points.tolist(), strict=True))
