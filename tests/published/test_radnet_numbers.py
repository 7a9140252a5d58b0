"""Label vectors with the solved counts print table 1 of the header-label study, its coverage total included.

Source: Du and Vardhanabhuti, 3D-RADNet; the table itself is audited in tests/audit.
"""

from __future__ import annotations

import numpy as np
import pytest

from hounsfield.stats.classification import accuracy, sensitivity
from hounsfield.stats.predictive_value import ppv

SERIES = 316
# positives, false negatives, false positives; printed accuracy, recall and precision in %
COVERAGE = {
    "brain": (200, 5, 0, 98.4, 97.5, 100),
    "upper head-neck": (42, 4, 0, 98.7, 90.5, 100),
    "lower head-neck": (38, 4, 0, 98.7, 89.5, 100),
    "lung": (64, 4, 1, 98.4, 93.8, 98.4),
    "breast": (82, 3, 1, 98.7, 96.3, 98.8),
    "liver": (52, 1, 2, 99.1, 98.1, 96.2),
    "kidney": (52, 0, 4, 98.7, 100, 92.9),
    "intestine": (46, 5, 1, 98.1, 89.1, 97.6),
    "pelvis": (55, 2, 4, 98.1, 96.4, 93.0),
}


def vectors(positives: int, missed: int, false: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels and calls; wrong calls stand first among their class."""
    label = np.repeat([1, 0], [positives, SERIES - positives])
    called = label.copy()
    called[:missed] = 0
    called[positives : positives + false] = 1
    return label, called


@pytest.mark.parametrize("name", COVERAGE)
def test_rows(name: str) -> None:
    positives, missed, false, *printed = COVERAGE[name]
    label, called = vectors(positives, missed, false)
    found = [100 * float(metric(label, called)) for metric in (accuracy, sensitivity, ppv)]
    assert found == pytest.approx(printed, abs=0.051)


def test_forty_one_errors_on_twenty_seven_series() -> None:
    """91.5 % of the series have all nine labels right, though the nine rows hold 41 errors."""
    errors = [missed + false for _, missed, false, *_ in COVERAGE.values()]
    assert sum(errors) == 41
    series = np.zeros((SERIES, 9), dtype=bool)
    place = np.resize(np.arange(27), 41)  # 27 series take the errors in turn, 14 of them a second one
    start = 0
    for column, count in enumerate(errors):
        series[place[start : start + count], column] = True
        start += count
    right = ~series.any(axis=1)
    assert series.sum() == 41
    assert round(100 * float(accuracy(np.ones(SERIES, dtype=int), right.astype(int))), 1) == 91.5
