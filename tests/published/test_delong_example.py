"""DeLong's own data and the figures that another program prints for them.

49 patients with ovarian cancer and bowel obstruction (43 complete): albumin, total protein and the K-G score (10 minus
the listed one) against the outcome. Data: DeLong et al., Biometrics 1988;44:837, as listed in the SAS/STAT
documentation of PROC LOGISTIC, example "Comparing Receiver Operating Characteristic Curves", which prints the results.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from hounsfield.stats.auc import auc_covariance, delong_interval
from hounsfield.stats.compare import compare_auc

# albumin, total protein, score, outcome
LISTED = """
    3.0 5.8 10 0  3.2 6.3 5 1  3.9 6.8 3 1  2.8 4.8 6 0  3.2 5.8 3 1  0.9 4.0 5 0  2.5 5.7 8 0  1.6 5.6 5 1
    3.8 5.7 5 1   3.7 6.7 6 1  3.2 5.4 4 1  3.8 6.6 6 1  4.1 6.6 5 1  3.6 5.7 5 1  4.3 7.0 4 1  3.6 6.7 4 0
    2.3 4.4 6 1   4.2 7.6 4 0  4.0 6.6 6 0  3.5 5.8 6 1  3.8 6.8 7 1  3.0 4.7 8 0  4.5 7.4 5 1  3.7 7.4 5 1
    3.1 6.6 6 1   4.1 8.2 6 1  4.3 7.0 5 1  4.3 6.5 4 1  3.2 5.1 5 1  2.6 4.7 6 1  3.3 6.8 6 0  1.7 4.0 7 0
    3.7 6.1 5 1   3.3 6.3 7 1  4.2 7.7 6 1  3.5 6.2 5 1  2.9 5.7 9 0  2.1 4.8 7 1  2.8 6.2 8 0  4.0 7.0 7 1
    3.3 5.7 6 1   3.7 6.9 5 1  3.6 6.6 5 1
    """
ROWS = np.array([float(word) for word in LISTED.split()]).reshape(-1, 4)
LABEL = ROWS[:, 3].astype(int)
SCORES = {"albumin": ROWS[:, 0], "K-G": 10 - ROWS[:, 2], "protein": ROWS[:, 1]}


def test_area_and_limits_of_total_protein() -> None:
    found = delong_interval(LABEL, SCORES["protein"], scale="probability")
    se = (found.high - found.low) / 2 / 1.959964
    assert (found.value, se, found.low, found.high) == pytest.approx((0.6478, 0.1000, 0.4518, 0.8439), abs=6e-5)


def test_total_protein_against_the_score() -> None:
    found = compare_auc(LABEL, SCORES["protein"], SCORES["K-G"])
    ends = (found.difference.value, found.difference.low, found.difference.high, found.p)
    assert ends == pytest.approx((-0.0780, -0.2830, 0.1271, 0.4561), abs=6e-5)


def test_all_three_at_once() -> None:
    """Chi-square 2.5340 with two degrees of freedom, p = 0.2817."""
    areas, covariance = auc_covariance(LABEL, np.stack([SCORES["albumin"], SCORES["K-G"], SCORES["protein"]]))
    contrast = np.array([[1, -1, 0], [0, -1, 1]])
    gap = contrast @ areas
    chi = float(gap @ np.linalg.solve(contrast @ covariance @ contrast.T, gap))
    assert chi == pytest.approx(2.5340, abs=6e-5)
    assert stats.chi2.sf(chi, 2) == pytest.approx(0.2817, abs=6e-5)
    assert len(LABEL) == 43
