"""A model by itself against readers: RJafroc's printed answer, the same by another formula, cover in simulations."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from scipy.stats import norm

from hounsfield.core.errors import HounsfieldError
from hounsfield.stats.auc import auc_covariance
from hounsfield.stats.mrmc import Covariances, analyse, model_against_readers
from hounsfield.stats.reader_average import Resampled, mean_difference, reader_mean, resample
from hounsfield.stats.weighted import area, share

# Mammograms read by a CAD system and nine radiologists (Hupse et al. 2013), correct localisation at a false positive
# fraction of 0.2: figures, covariances and results as the book on RJafroc prints them (StSignificanceTestingCadVsRad).
CAD = 0.59166667
RADIOLOGISTS = [0.69453125, 0.65, 0.80625, 0.725, 0.65982143, 0.76845238, 0.7375, 0.675, 0.675]
CAD_TWICE = Covariances(0.0034336373, 0.00076136841, 0.0022942211, 0.00076136841, (0.0033672893, 0.0012211529))


def test_as_rjafroc_prints_it() -> None:
    found = analyse(np.array([[CAD] * 9, RADIOLOGISTS]), CAD_TWICE)
    assert found.f == pytest.approx(4.1576797, rel=1e-6)
    assert found.freedom[1] == pytest.approx(937.24371, rel=1e-5)
    assert found.p == pytest.approx(0.041726262, rel=1e-5)
    (gap,) = found.differences
    assert -gap.difference.value == pytest.approx(0.11850612, abs=1e-8)
    assert (-gap.difference.high, -gap.difference.low) == pytest.approx((0.004448434, 0.2325638), abs=1e-7)
    # "ciAvgRdrEachTrt": CAD by itself, without a reader's variance, and the radiologists
    cad, radiologists = found.modality
    assert (cad.low, cad.high) == pytest.approx((0.47793319, 0.70540014), abs=1e-7)
    assert (radiologists.low, radiologists.high) == pytest.approx((0.63294372, 0.78740185), abs=1e-7)


def simulated(
    seed: int, *, readers: int = 9, malignant: int = 50, benign: int = 50
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Labels, a model as good as the mean reader, readers whose ability varies, and the mean AUC of all such readers.

    Reader j rates a malignant case by N(1.4 + b_j, 1) and a benign one by N(0, 1), b_j by N(0, 0.35), cases shared:
    the mean of Phi((1.4 + b) / sqrt 2) over b is Phi(1.4 / sqrt(2 + 0.35^2)).
    """
    rng = np.random.default_rng(seed)
    label = np.repeat([1, 0], [malignant, benign])
    ability = rng.normal(0, 0.35, (readers, 1))
    case = rng.normal(0, 0.6, len(label))
    mean = float(norm.cdf(1.4 / math.sqrt(2 + 0.35**2)))
    ratings = label * (1.4 + ability) + case + rng.normal(0, 0.8, (readers, len(label)))
    model = label * norm.ppf(mean) * math.sqrt(2) + case + rng.normal(0, 0.8, len(label))
    return label, model, ratings, mean


def test_one_modality_of_differences_drawn_mean() -> None:
    """t of the mean difference with error MS(R) + R Cov2 of the differences, degrees of freedom after Hillis."""
    label, model, ratings, _ = simulated(1, readers=4)
    areas, covariance = auc_covariance(label, np.stack([model, *ratings]))
    gaps = areas[0] - areas[1:]
    change = np.hstack([np.ones((4, 1)), -np.eye(4)])
    shared = (change @ covariance @ change.T)[~np.eye(4, dtype=bool)].mean()
    spread = gaps.var(ddof=1)
    error = spread + 4 * max(0.0, shared)
    freedom = error**2 / (spread**2 / 3)
    t = gaps.mean() / math.sqrt(error / 4)
    found = model_against_readers(label, model, ratings)
    assert found.differences[0].difference.value == pytest.approx(gaps.mean())
    assert found.freedom[1] == pytest.approx(freedom)
    assert found.p == pytest.approx(2 * stats.t.sf(abs(t), freedom))


def test_these_readers_alone_and_mistakes() -> None:
    label, model, ratings, _ = simulated(2)
    general = model_against_readers(label, model, ratings).differences[0].difference
    these = model_against_readers(label, model, ratings, random="cases").differences[0].difference
    assert these.high - these.low < general.high - general.low
    with pytest.raises(HounsfieldError, match=r"readers are \(R, N\)"):
        model_against_readers(label, model[:-1], ratings)
    with pytest.raises(HounsfieldError, match="two or more readers"):
        model_against_readers(label, model, ratings[:1])


@pytest.mark.slow
def test_intervals_cover_for_readers_at_large() -> None:
    """400 studies of nine new readers and a hundred new cases: 95 % intervals cover the mean of all readers."""
    covered = []
    for seed in range(400):
        label, model, ratings, mean = simulated(seed)
        drawn = resample(
            [area(label, one) for one in (model, *ratings)],
            cases=len(label),
            rng=np.random.default_rng([seed, 1]),
            resamples=300,
        )
        group = Resampled(drawn.value[1:], drawn.drawn[:, 1:], drawn.n, drawn.unit)
        alone = Resampled(drawn.value[:1], drawn.drawn[:, :1], drawn.n, drawn.unit)
        drawn_mean = reader_mean(group, rng=np.random.default_rng([seed, 2]))
        gap, _ = mean_difference(alone, group, rng=np.random.default_rng([seed, 2]))
        variance = model_against_readers(label, model, ratings)
        covered.append(
            [
                one.low <= truth <= one.high
                for one, truth in (
                    (variance.modality[1], mean),
                    (variance.differences[0].difference, 0),
                    (drawn_mean, mean),
                    (gap, 0),
                )
            ]
        )
    assert np.mean(covered, axis=0).tolist() == [pytest.approx(0.95, abs=0.03)] * 4


@pytest.mark.slow
def test_intervals_of_shares_cover_under_given_confusion_rates() -> None:
    """Readers right at rates drawn from Beta(12, 3), mean 0.8, some cases harder for all."""
    covered = []
    label = np.repeat([1, 0], 50)
    for seed in range(400):
        rng = np.random.default_rng(seed)
        rate = rng.beta(12, 3, (9, 1))
        hardness = math.sqrt(0.5) * (rng.normal(size=100) + rng.normal(size=(9, 100)))
        right = norm.cdf(hardness) < rate
        for among in (label, 1 - label):
            drawn = resample(
                [share(one, among=among) for one in right],
                cases=100,
                rng=np.random.default_rng([seed, 1]),
                resamples=300,
            )
            found = reader_mean(drawn, rng=np.random.default_rng([seed, 2]))
            covered.append(found.low <= 0.8 <= found.high)
    assert np.mean(covered) == pytest.approx(0.95, abs=0.03)


@pytest.mark.slow
def test_readers_held_fixed_cover_too_little() -> None:
    """What drawing the readers is for: without it the intervals miss the mean of all readers far too often."""
    covered = []
    for seed in range(200):
        label, _, ratings, mean = simulated(seed, readers=4, malignant=150, benign=150)
        drawn = resample(
            [area(label, one) for one in ratings], cases=300, rng=np.random.default_rng([seed, 1]), resamples=200
        )
        fixed = reader_mean(drawn)
        covered.append(fixed.low <= mean <= fixed.high)
    assert np.mean(covered) < 0.9
