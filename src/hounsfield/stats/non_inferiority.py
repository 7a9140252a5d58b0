"""Whether a new model is not worse than an old one by more than a margin: predictions of both in, a verdict out.

The margin is chosen before the data are seen and in the metric's own unit (0.05 of AUC). The new model is non-inferior
when the lower end of the two-sided 1 - 2 alpha interval of new minus old lies above minus the margin.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy.typing as npt
from scipy import special

from hounsfield.core.errors import HounsfieldError
from hounsfield.stats.compare import Comparison, compare_auc
from hounsfield.stats.estimate import Estimate
from hounsfield.stats.mcnemar import newcombe


@dataclass(frozen=True)
class NonInferiority:
    """The verdict.

    Attributes:
        difference: new minus old with the two-sided interval of level 1 - 2 alpha.
        margin: largest loss that is accepted.
        p: one-sided p of "worse by the margin or more"; NaN where only the interval decides.
        holds: whether non-inferiority is shown; False also when there is no interval.
    """

    difference: Estimate
    margin: float
    p: float
    holds: bool

    def __str__(self) -> str:
        word = "non-inferior" if self.holds else "non-inferiority not shown"
        return f"{word} at margin {self.margin:g}: {self.difference}"


def non_inferior_auc(
    label: npt.ArrayLike,
    new: npt.ArrayLike,
    old: npt.ArrayLike,
    *,
    margin: float,
    patient_id: npt.ArrayLike | None = None,
    alpha: float = 0.025,
) -> NonInferiority:
    """Non-inferiority of an AUC by DeLong's (clustered: Obuchowski's) paired covariance.

    Args:
        label: (N,) 0 or 1.
        new, old: (N,) scores of both models.
        margin: above 0.
        alpha: one-sided.
    """
    found = compare_auc(label, new, old, patient_id=patient_id, level=1 - 2 * _checked(margin, alpha))
    return _from_interval(found, margin, alpha)


def non_inferior_share(
    right_new: npt.ArrayLike, right_old: npt.ArrayLike, *, margin: float, alpha: float = 0.025
) -> NonInferiority:
    """Non-inferiority of a share of the same independent cases (sensitivity among positives) by Newcombe's interval."""
    gap = newcombe(right_new, right_old, level=1 - 2 * _checked(margin, alpha))
    return NonInferiority(gap, margin, math.nan, bool(gap.low > -margin))


def _from_interval(found: Comparison, margin: float, alpha: float) -> NonInferiority:
    gap = found.difference
    if not gap.has_interval:
        return NonInferiority(gap, margin, math.nan, False)
    # The interval may be cut at -1 and 1, so the standard error is read from the side that is not.
    z = float(special.ndtri(1 - alpha))
    half = gap.value - gap.low if gap.low > -1 else gap.high - gap.value
    p = float(special.ndtr(-(gap.value + margin) / (half / z))) if half > 0 else math.nan
    return NonInferiority(gap, margin, p, bool(gap.low > -margin))


def _checked(margin: float, alpha: float) -> float:
    if not 0 < margin < 1 or not 0 < alpha < 0.5:
        raise HounsfieldError(f"expected a margin in (0, 1) and a one-sided alpha in (0, 0.5); got {margin}, {alpha}.")
    return alpha
