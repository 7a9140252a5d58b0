"""The decision figure: names that would hide or break a legend, and what it says in words."""

from __future__ import annotations

import numpy as np

from hounsfield.report.figures.curves import Curve
from hounsfield.report.figures.decision import decision_figure
from hounsfield.stats.decision_curve import decision_curve


def test_names_that_matplotlib_would_misread() -> None:
    rng = np.random.default_rng(1)
    label = rng.integers(2, size=80)
    found = decision_curve(label, np.clip(0.3 + 0.4 * label + rng.normal(0, 0.1, 80), 0, 1), resamples=100)
    names = ["_hidden", r"$\frac{", "<b>bold</b>"]
    curves = [Curve(name, found.threshold, found.net_benefit, found.low, found.high) for name in names]
    drawn = decision_figure(curves, name="decision_1", positive="malignant", prevalence=float(label.mean()))
    assert drawn.svg.startswith(b"<?xml")
    for name in names:
        assert name in drawn.alt
    value = float(np.interp(0.3, found.threshold, found.net_benefit))
    assert f"{value:.3f} at 0.3" in drawn.alt
