"""Patients dealt out to parts: a (patients, classes) table of case counts goes in, the part of each patient comes out.

The parts get, class by class, as nearly their share of the cases as whole patients allow. Greedy first (patients with
the most uneven counts first, as scikit-learn's StratifiedGroupKFold does), then moves and exchanges of single patients
until none helps. Nothing here knows identifiers, so nothing can depend on them.
"""

from __future__ import annotations

import numpy as np

from hounsfield.core.types import FloatArray, IntArray

_SHORT = 1e6  # a patient missing of a class weighs more than any unevenness, so that no part is left without a class
_EXCHANGES = 4000  # most pairs of patients tried per round of exchanges


def deal(counts: IntArray, shares: FloatArray, least: IntArray, rng: np.random.Generator) -> IntArray:
    """Part of each patient.

    Args:
        counts: (P, C) cases of each class that a patient has.
        shares: (K,) share of the cases that each part is to get; sums to 1.
        least: (K,) patients of every class that each part must get.
    Returns: (P,) part, 0 to K - 1. Whether `least` was reached is for the caller to check (`shortage`).
    """
    part = _greedy(counts, shares, least, rng)
    improved = True
    while improved:
        improved = _move(part, counts, shares, least) or _exchange(part, counts, shares, least, rng)
    return part


def shortage(part: IntArray, counts: IntArray, least: IntArray) -> IntArray:
    """(K, C) patients missing to the least number of each part and class."""
    found = _sums(part, (counts > 0).astype(np.int64), len(least))
    return np.asarray(np.maximum(least[:, None] - found, 0))


def _cost(cases: FloatArray, patients: IntArray, shares: FloatArray, least: IntArray, total: IntArray) -> FloatArray:
    """Unevenness of (..., K, C) counts: chi-square like, so that a case of a rare class weighs more; (...,)."""
    wanted = shares[:, None] * np.maximum(total, 1)[None, :]
    uneven = ((cases - wanted) ** 2 / wanted).sum(axis=(-2, -1))
    # The size as a whole weighs as much as all classes together: else their rounding may lean to one side.
    size = wanted.sum(axis=-1)
    uneven = uneven + len(total) * ((cases.sum(axis=-1) - size) ** 2 / size).sum(axis=-1)
    return np.asarray(uneven + _SHORT * np.maximum(least[:, None] - patients, 0).sum(axis=(-2, -1)))


def _sums(part: IntArray, values: IntArray, parts: int) -> IntArray:
    sums = np.zeros((parts, values.shape[1]), dtype=np.int64)
    np.add.at(sums, part, values)
    return sums


def _greedy(counts: IntArray, shares: FloatArray, least: IntArray, rng: np.random.Generator) -> IntArray:
    total = counts.sum(axis=0)
    shuffled = rng.permutation(len(counts))
    order = shuffled[np.argsort(-counts[shuffled].std(axis=1) - counts[shuffled].sum(axis=1), kind="stable")]
    cases = np.zeros((len(shares), counts.shape[1]))
    wanted = shares[:, None] * np.maximum(total, 1)[None, :]
    part = np.zeros(len(counts), dtype=np.int64)
    for patient in order:
        # Fill where the most is lacking of what this patient brings, in units of the part's own share.
        lacking = ((wanted - cases) / wanted) @ counts[patient]
        best = np.flatnonzero(lacking >= lacking.max() - 1e-9)
        part[patient] = best[rng.integers(len(best))]
        cases[part[patient]] += counts[patient]
    return part


def _move(part: IntArray, counts: IntArray, shares: FloatArray, least: IntArray) -> bool:
    """Move single patients to other parts, the best move first, until none helps; True when one was made."""
    parts, total, has = len(shares), counts.sum(axis=0), (counts > 0).astype(np.int64)
    cases, patients = _sums(part, counts, parts), _sums(part, has, parts)
    everyone = np.arange(len(part))
    moved = False
    while True:
        now = _cost(cases.astype(float), patients, shares, least, total)
        gains = np.full((len(part), parts), -np.inf)
        for to in range(parts):
            trial = np.repeat(cases[None].astype(float), len(part), axis=0)
            heads = np.repeat(patients[None], len(part), axis=0)
            for table, values in ((trial, counts), (heads, has)):
                table[everyone, part] -= values
                table[:, to] += values
            gains[:, to] = now - _cost(trial, heads, shares, least, total)
        patient, to = divmod(int(np.argmax(gains)), parts)
        if gains[patient, to] <= 1e-9:
            return moved
        cases[part[patient]] -= counts[patient]
        patients[part[patient]] -= has[patient]
        part[patient] = to
        cases[to] += counts[patient]
        patients[to] += has[patient]
        moved = True


def _exchange(part: IntArray, counts: IntArray, shares: FloatArray, least: IntArray, rng: np.random.Generator) -> bool:
    """Exchange the best of some random pairs of patients between their parts; True when one was made."""
    parts, total, has = len(shares), counts.sum(axis=0), (counts > 0).astype(np.int64)
    first, second = rng.integers(len(part), size=(2, min(_EXCHANGES, 4 * len(part) ** 2)))
    keep = part[first] != part[second]
    first, second = first[keep], second[keep]
    if not len(first):
        return False
    pair = np.arange(len(first))
    tables = []
    for values in (counts, has):
        table = np.repeat(_sums(part, values, parts)[None], len(first), axis=0)
        change = values[second] - values[first]
        table[pair, part[first]] += change
        table[pair, part[second]] -= change
        tables.append(table)
    cases, patients = _sums(part, counts, parts), _sums(part, has, parts)
    now = _cost(cases.astype(float), patients, shares, least, total)
    gains = now - _cost(tables[0].astype(float), tables[1], shares, least, total)
    best = int(np.argmax(gains))
    if gains[best] <= 1e-9:
        return False
    part[first[best]], part[second[best]] = part[second[best]], part[first[best]]
    return True
