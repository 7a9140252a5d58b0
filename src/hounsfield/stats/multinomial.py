"""Logistic regression for two classes and more on one predictor a class, many weightings at once: arrays in and out."""

from __future__ import annotations

import numpy as np

from hounsfield.core.types import FloatArray

_CELLS = 2**20  # of weights times classes handled together: some 50 MB
_STEPS = 40


def multinomial_logistic(
    predictor: FloatArray, hit: FloatArray, weights: FloatArray, *, slopes: bool = True
) -> FloatArray:
    """Constants and slopes of log(P_k / P_reference) = constant_k + slope_k * predictor_k by maximum likelihood.

    Args:
        predictor: (N, M) one predictor for each class but the reference.
        hit: (N, M) 1 where the case is of that class; a row of zeros is of the reference.
        weights: (B, N) of the cases, 0 or above.
        slopes: False holds them at 1.

    Returns: (B, 2, M) constants and slopes, NaN where a weighting has no finite maximum (a class without a case,
        classes that the predictors separate, a predictor without spread).
    Source: Newton's method; with M = 1 this is ordinary logistic regression.
    """
    count = predictor.shape[1]
    if not len(predictor):
        return np.full((len(weights), 2, count), np.nan)
    begin = _newton(predictor, hit, np.ones((1, len(predictor))), np.array([[0.0], [1.0]]) * np.ones((1, 2, 1)), slopes)
    # Resamples start at the solution of all cases: half the steps.
    first = np.where(np.isfinite(begin), begin, np.array([[0.0], [1.0]]))
    rows = max(1, _CELLS // (len(predictor) * count))
    parts = [
        _newton(predictor, hit, weights[start : start + rows], first, slopes) for start in range(0, len(weights), rows)
    ]
    return np.concatenate(parts) if parts else np.zeros((0, 2, count))


def _newton(predictor: FloatArray, hit: FloatArray, weights: FloatArray, first: FloatArray, slopes: bool) -> FloatArray:
    rows, count = len(weights), predictor.shape[1]
    free = 2 * count if slopes else count
    beta = np.broadcast_to(first, (rows, 2, count)).reshape(rows, 2 * count).copy()
    settled, lost = np.zeros(rows, dtype=bool), np.zeros(rows, dtype=bool)
    for _ in range(_STEPS):
        gradient, information = _derivatives(predictor, hit, weights, beta.reshape(rows, 2, count))
        information = information[:, :free, :free]
        spread = np.linalg.eigvalsh(information)
        lost |= ~(spread[:, 0] > 1e-12 * np.maximum(spread[:, -1], 1e-300)) | ~(spread[:, -1] > 1e-9)
        information[lost] = np.eye(free)
        step = np.linalg.solve(information, gradient[:, :free, None])[..., 0]
        step[lost] = 0
        length = np.linalg.norm(step, axis=1, keepdims=True)
        # A step cut to length 2 keeps the first ones from overshooting; near the maximum none is that long.
        beta[:, :free] += step * np.minimum(1, 2 / np.maximum(length, 1e-300))
        settled = length[:, 0] < 1e-8
        if settled.all():
            break
    bad = lost | ~settled | (np.abs(beta) > 50).any(axis=1)
    beta[bad] = np.nan
    return beta.reshape(rows, 2, count)


def _derivatives(
    predictor: FloatArray, hit: FloatArray, weights: FloatArray, beta: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """(B, 2M) gradient and (B, 2M, 2M) information of the log likelihood, constants before slopes."""
    count = predictor.shape[1]
    score = beta[:, None, 0] + beta[:, None, 1] * predictor
    top = np.maximum(score.max(axis=2, keepdims=True), 0)  # 0 is the reference's score
    raised = np.exp(score - top)
    prob = raised / (raised.sum(axis=2, keepdims=True) + np.exp(-top))
    rest = weights[..., None] * (hit - prob)
    gradient = np.concatenate([rest.sum(axis=1), (rest * predictor).sum(axis=1)], axis=1)
    information = np.empty((len(weights), 2 * count, 2 * count))
    for k in range(count):
        for m in range(k, count):
            shared = weights * prob[..., k] * ((k == m) - prob[..., m])
            x, y = predictor[:, k], predictor[:, m]
            sums = shared @ np.stack([np.ones_like(x), y, x, x * y], axis=1)
            places = ((k, m), (k, count + m), (count + k, m), (count + k, count + m))
            for place, (row, column) in enumerate(places):
                information[:, row, column] = information[:, column, row] = sums[:, place]
    return gradient, information
