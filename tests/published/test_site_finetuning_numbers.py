"""Statistics of the site fine-tuning study that need more than its printed table: F1 intervals, and its test's level.

Source: Cai et al., Front Oncol 2023;13:1140635; its table itself is audited in tests/audit.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from hounsfield.audit.p_values import mcnemar_p
from hounsfield.stats.classification import f1_of, mcc_of
from hounsfield.stats.mcnemar import mcnemar

# true positives, false negatives, true negatives, false positives; F1 interval of 200,000 multinomial draws; MCC
TABLES = {
    "LIDC": ((72, 14, 115, 20), (0.741, 0.868), 0.6815),
    "HB base": ((280, 85, 122, 36), (0.790, 0.852), 0.5064),
    "MHB": ((310, 55, 115, 43), (0.836, 0.889), 0.5658),
    "XZ base": ((133, 82, 80, 50), (0.613, 0.720), 0.2272),
    "MXZ": ((147, 68, 93, 37), (0.686, 0.783), 0.3877),
}


def f1_of_positive(counts: np.ndarray) -> np.ndarray:
    tp, fn, _, fp = np.moveaxis(counts, -1, 0)
    return 2 * tp / (2 * tp + fn + fp)


@pytest.mark.parametrize("name", TABLES)
def test_f1_intervals_by_bootstrap_of_the_counts(name: str) -> None:
    counts, printed, _ = TABLES[name]
    total = sum(counts)
    drawn = np.random.default_rng(1).multinomial(total, np.array(counts) / total, size=200_000)
    assert np.quantile(f1_of_positive(drawn), [0.025, 0.975]) == pytest.approx(printed, abs=0.003)


@pytest.mark.parametrize("name", TABLES)
def test_mcc_of_the_solved_tables(name: str) -> None:
    (tp, fn, tn, fp), _, printed = TABLES[name]
    matrix = np.array([[tn, fp], [fn, tp]])
    assert float(mcc_of(matrix)) == pytest.approx(printed, abs=5e-5)
    assert float(f1_of(matrix, average="macro")) < 1


@pytest.mark.slow
def test_the_papers_test_hardly_ever_rejects_paired_data() -> None:
    """523 cases, both right in 78 %, latent correlation 0.9: McNemar rejects 3.9 %, the unpaired test 0.05 %."""
    runs, cases = 20_000, 523
    rng = np.random.default_rng(7)
    cut = float(stats.norm.ppf(0.78))
    only, share = np.zeros((runs, 2), dtype=np.int64), np.zeros((runs, 2), dtype=np.int64)
    for start in range(0, runs, 1000):
        common, own = rng.normal(size=(1000, 1, cases)), rng.normal(size=(1000, 2, cases))
        right = math.sqrt(0.9) * common + math.sqrt(0.1) * own < cut
        only[start : start + 1000, 0] = (right[:, 0] & ~right[:, 1]).sum(axis=1)
        only[start : start + 1000, 1] = (right[:, 1] & ~right[:, 0]).sum(axis=1)
        share[start : start + 1000] = right.sum(axis=2)
    pairs, repeats = np.unique(only, axis=0, return_counts=True)
    paired = sum(int(n) for (b, c), n in zip(pairs, repeats, strict=True) if mcnemar_p(int(b), int(c)) < 0.05) / runs
    pooled = share.sum(axis=1) / (2 * cases)
    chi = (share[:, 0] - share[:, 1]) ** 2 / (2 * cases * pooled * (1 - pooled))
    unpaired = float((chi > stats.chi2.ppf(0.95, 1)).mean())
    assert paired == pytest.approx(0.039, abs=4 * math.sqrt(0.039 * 0.961 / runs))
    assert unpaired == pytest.approx(0.0005, abs=4 * math.sqrt(0.0005 / runs))


def test_two_ways_to_mcnemar_agree() -> None:
    first, second = np.repeat([1, 1, 0, 0], [30, 9, 4, 12]), np.repeat([1, 0, 1, 0], [30, 9, 4, 12])
    assert mcnemar(first, second) == pytest.approx(mcnemar_p(9, 4))
