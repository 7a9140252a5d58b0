"""A population of nodules whose every probability is known: proportions in, all feature combinations out.

Within each class the categories are independent and drawn with given proportions, the types of echogenic foci as
independent coins. All cells are listed with their exact probabilities, so the AUC of any point table and the best AUC
that any score can reach are numbers, not estimates: the proof of scoring and search without a patient.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hounsfield.core.errors import HounsfieldError
from hounsfield.core.types import FloatArray
from hounsfield.guideline.features import Features
from hounsfield.guideline.point_table import PointTable

Proportions = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Population:
    """All cells of positive probability.

    Attributes:
        features: (K, O) options of each cell.
        benign: (K,) probability of the cell among benign nodules; sums to 1.
        malignant: (K,) among malignant ones; sums to 1.
    """

    features: Features
    benign: FloatArray
    malignant: FloatArray


def population(table: PointTable, benign: Proportions, malignant: Proportions) -> Population:
    """Lists every combination of options with its probability in both classes.

    Args:
        benign, malignant: for each category the proportion of each option key. Proportions of a choose-one category
            are normalised to sum to 1; those of a choose-any category are the chance of each finding by itself, and
            "none" is what is left when no coin comes up.

    Raises: HounsfieldError when a category has no positive proportion.
    """
    blocks, first, second = [], [], []
    for category in table.categories:
        keys = [option.key for option in category.options]
        cells, chances = [], []
        for proportions in (benign[category.key], malignant[category.key]):
            shares = np.array([float(proportions.get(key, 0.0)) for key in keys])
            listed, chance = _one(shares) if category.choose == "one" else _any(shares, keys.index(category.none))
            cells.append(listed)
            chances.append(chance)
        blocks.append(cells[0])
        first.append(chances[0])
        second.append(chances[1])
    matrix = np.array([np.concatenate(cell) for cell in itertools.product(*blocks)])
    p_benign = np.array([float(np.prod(chance)) for chance in itertools.product(*first)])
    p_malignant = np.array([float(np.prod(chance)) for chance in itertools.product(*second)])
    there = (p_benign > 0) | (p_malignant > 0)
    matrix = matrix[there]
    rows = np.arange(len(matrix))
    override = np.asarray(matrix[:, table.is_override].any(axis=1))
    return Population(Features(matrix, override, rows), p_benign[there], p_malignant[there])


def every_combination(table: PointTable) -> Features:
    """All combinations of options, likely or not: (4800, 23) for TI-RADS."""
    even = {c.key: {o.key: 0.5 for o in c.options} for c in table.categories}
    return population(table, even, even).features


def exact_auc(score: FloatArray, cells: Population) -> float:
    """AUC of a score over the population, ties counted one half."""
    _, place = np.unique(score, return_inverse=True)
    down, up = np.bincount(place, weights=cells.benign), np.bincount(place, weights=cells.malignant)
    return float(up @ (np.cumsum(down) - down / 2))


def best_auc(cells: Population) -> float:
    """The AUC of the likelihood ratio, which no score exceeds (Neyman and Pearson)."""
    with np.errstate(divide="ignore"):
        ratio = cells.malignant / cells.benign
    return exact_auc(np.round(np.log(np.maximum(ratio, 1e-300)), 12), cells)


def _one(shares: FloatArray) -> tuple[list[np.ndarray], list[float]]:
    if shares.sum() <= 0:
        raise HounsfieldError("every category has an option of positive proportion.")
    return list(np.eye(len(shares), dtype=bool)), list(shares / shares.sum())


def _any(shares: FloatArray, none: int) -> tuple[list[np.ndarray], list[float]]:
    coins = [place for place in range(len(shares)) if place != none]
    cells, chances = [], []
    for sides in itertools.product((False, True), repeat=len(coins)):
        cell = np.zeros(len(shares), dtype=bool)
        cell[coins] = sides
        cell[none] = not any(sides)
        cells.append(cell)
        chances.append(float(np.prod([shares[c] if up else 1 - shares[c] for c, up in zip(coins, sides, strict=True)])))
    return cells, chances
