"""The genetic algorithm that revises a point table: indicators and labels in, the best points ever seen out.

As published for AI TI-RADS (Radiology 2019;292:112) with the values of its public release: a population of copies of
the start table, tournaments, two-point crossover of neighbours, mutation by redrawing genes, no elitism, and the record
holder as the answer. Scores are small whole numbers, so the AUC of a whole population comes from histograms at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from hounsfield.core.errors import HounsfieldError
from hounsfield.core.types import BoolArray, FloatArray, IntArray

Fitness = Callable[[IntArray], FloatArray]  # (P, O) points of a population -> (P,) fitness, higher is better
Repair = Callable[[IntArray], IntArray]  # (P, O) points -> the nearest that obey the constraints


class Settings(BaseModel):
    """How the search runs; the defaults are the published values."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    population: int = Field(default=100, ge=2)
    generations: int = Field(default=50, ge=0)
    tournament: int = Field(default=4, ge=1)
    crossover: float = Field(default=0.5, ge=0, le=1)
    mutation: float = Field(default=0.2, ge=0, le=1)
    gene: float = Field(default=0.05, ge=0, le=1)
    largest: int = Field(default=3, ge=1, le=20)


@dataclass(frozen=True)
class Search:
    """What a search found.

    Attributes:
        points: (O,) the best points ever seen, before anything is subtracted from them.
        fitness: their fitness.
        record: (G + 1,) best fitness seen up to each generation, the start first.
        best: (G + 1,) best fitness in the population of each generation.
        mean: (G + 1,) mean fitness in it.
    """

    points: IntArray
    fitness: float
    record: FloatArray
    best: FloatArray
    mean: FloatArray


class AucFitness:
    """AUC of point totals on nodules, or on cells of a population with weights.

    Args:
        matrix: (N, O) options of each nodule.
        override: (N,) whose total is 0 whatever the points.
        positive: (N,) how much each row counts as malignant; labels 0/1 for nodules.
        negative: (N,) likewise as benign; 1 - label when absent.

    Raises: HounsfieldError when a class has no weight.
    """

    def __init__(
        self, matrix: BoolArray, override: BoolArray, positive: FloatArray, negative: FloatArray | None = None
    ) -> None:
        up = np.asarray(positive, dtype=np.float64)
        down = 1 - up if negative is None else np.asarray(negative, dtype=np.float64)
        if up.sum() <= 0 or down.sum() <= 0:
            raise HounsfieldError("the fitness needs malignant and benign nodules; a class is empty.")
        # Nodules that look alike score alike: a few hundred rows stand for all.
        rows, place = np.unique(np.column_stack([matrix, override]), axis=0, return_inverse=True)
        self._matrix = np.where(rows[:, -1:], 0, rows[:, :-1]).astype(np.float64)
        place = place.reshape(-1)
        self._up = np.bincount(place, weights=up) / up.sum()
        self._down = np.bincount(place, weights=down) / down.sum()

    def __call__(self, points: IntArray) -> FloatArray:
        """(P, O) points of P tables -> (P,) areas, ties counted one half."""
        scores = np.rint(self._matrix @ points.T.astype(np.float64)).astype(np.int64)  # (rows, P)
        width = int(scores.max(initial=0)) + 1
        slot = (scores + width * np.arange(scores.shape[1])).ravel()
        cells = width * scores.shape[1]
        shape = (scores.shape[1], width)
        repeat = scores.shape[1]
        up = np.bincount(slot, weights=np.repeat(self._up, repeat), minlength=cells).reshape(shape)
        down = np.bincount(slot, weights=np.repeat(self._down, repeat), minlength=cells).reshape(shape)
        below = np.cumsum(down, axis=1) - down / 2
        return np.asarray(np.einsum("pk,pk->p", up, below))


def optimise(
    fitness: Fitness,
    start: IntArray,
    free: BoolArray,
    *,
    rng: np.random.Generator,
    settings: Settings | None = None,
    repair: Repair | None = None,
) -> Search:
    """Searches whole-number points from 0 to `settings.largest` that maximise the fitness.

    Args:
        fitness: of a whole population at once, such as `AucFitness`.
        start: (O,) points of the start table; the first population is copies of it.
        free: (O,) which options may change; the others keep their points.
        repair: makes every new individual obey constraints (see `constraints`); none as published.

    Returns: the record holder; among equals the first that was seen. Same `rng`, same result.
    Raises: HounsfieldError when a start point is out of range or nothing is free.
    """
    settings = settings or Settings()
    begin, genes = np.asarray(start, dtype=np.int64), np.flatnonzero(free)
    if not len(genes) or begin[genes].min() < 0 or begin[genes].max() > settings.largest:
        raise HounsfieldError(f"the search needs free options with start points of 0 to {settings.largest}.")
    people: IntArray = np.repeat(begin[None], settings.population, axis=0)
    if repair is not None:
        people = repair(people)
    values = fitness(people)
    leader = int(np.argmax(values))
    points, record = people[leader].copy(), float(values[leader])
    trace = [(record, float(values.max()), float(values.mean()))]
    for _ in range(settings.generations):
        parents = people[_winners(values, settings, rng)]
        people = _offspring(parents, genes, settings, rng)
        if repair is not None:
            people = repair(people)
        values = fitness(people)
        leader = int(np.argmax(values))
        if values[leader] > record + 1e-12:
            points, record = people[leader].copy(), float(values[leader])
        trace.append((record, float(values.max()), float(values.mean())))
    history = np.array(trace)
    return Search(points, record, history[:, 0], history[:, 1], history[:, 2])


def _winners(values: FloatArray, settings: Settings, rng: np.random.Generator) -> IntArray:
    """(P,) the fittest of `tournament` individuals drawn with replacement, for each place."""
    drawn = rng.integers(len(values), size=(settings.population, settings.tournament))
    return np.asarray(drawn[np.arange(len(drawn)), np.argmax(values[drawn], axis=1)])


def _offspring(parents: IntArray, genes: IntArray, settings: Settings, rng: np.random.Generator) -> IntArray:
    """Two-point crossover of neighbours, then mutation; the fixed options ride along unchanged."""
    part = parents[:, genes]
    pairs = len(part) // 2
    if len(genes) > 1:
        cuts = np.sort(np.stack([rng.integers(1, len(genes) + 1, pairs), rng.integers(1, len(genes), pairs)]), axis=0)
        place = np.arange(len(genes))
        inside = (place >= cuts[0][:, None]) & (place < cuts[1][:, None])
        inside &= rng.random(pairs)[:, None] < settings.crossover
        left, right = part[: 2 * pairs : 2].copy(), part[1 : 2 * pairs : 2].copy()
        part[: 2 * pairs : 2] = np.where(inside, right, left)
        part[1 : 2 * pairs : 2] = np.where(inside, left, right)
    mutated = (rng.random(len(part)) < settings.mutation)[:, None] & (rng.random(part.shape) < settings.gene)
    part = np.where(mutated, rng.integers(settings.largest + 1, size=part.shape), part)
    people = parents.copy()
    people[:, genes] = part
    return people
