"""Sign-flip permutation test of paired differences with patients as units: differences in, a p-value out.

If the models are alike, each patient's summed difference is as likely with either sign.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from hounsfield.core.errors import HounsfieldError
from hounsfield.core.types import FloatArray, IntArray
from hounsfield.stats.inputs import patient_codes

_ENUMERATED = 16  # patients up to which all 2 ** P signs are tried
_NORMAL = 10_000  # patients from which on the sum of their signs is normal to any digit that is printed
_STEPS = 2e8  # patients times largest possible sum, up to which the null distribution is built: about a second


def sign_flip(
    difference: npt.ArrayLike,
    *,
    patient_id: npt.ArrayLike | None = None,
    rng: np.random.Generator | None = None,
    flips: int = 10_000,
) -> tuple[float, str]:
    """Two-sided p-value of the summed difference under random signs of the patients.

    Args:
        difference: (N,) first model minus second, finite; for accuracy -1, 0 or 1.
        patient_id: (N,) whose case it is; all cases of a patient change sign together.
        rng: needed only where the test can't be exact.
        flips: how many random sign patterns then.

    Returns: the p-value, above 0, and the test in words. Exact for whole-number differences of up to
        about 10 000 patients (the null distribution is a product of coin tosses) and, for others, up to 16 patients
        whose difference is not 0; the normal limit from 10 000 such patients on; Monte Carlo otherwise, observed
        pattern included. 1 without any difference. With differences of -1, 0, 1 and one case a patient it is the
        exact McNemar test.

    Raises: HounsfieldError on values that are not finite, or when `rng` is needed and missing.
    Source: Fisher, The Design of Experiments, 1935, 21; with the +1 of Phipson & Smyth, Stat Appl Genet Mol Biol
        2010;9:39.
    """
    given = np.asarray(difference, dtype=np.float64)
    if given.ndim != 1 or not np.isfinite(given).all():
        raise HounsfieldError("difference holds one finite number a case. Leave out cases without a value first.")
    codes, patients = patient_codes(patient_id, cases=len(given))
    sums: FloatArray = np.bincount(codes, weights=given, minlength=patients).astype(np.float64)
    tiny = 1e-12 * max(1.0, float(np.abs(given).max(initial=0.0)))
    sums = sums[np.abs(sums) > tiny]
    seen = abs(float(sums.sum()))
    if not len(sums):
        return 1.0, "exact sign-flip of patients"
    whole = np.rint(sums)
    if np.array_equal(whole, sums) and len(whole) * np.abs(whole).sum() <= _STEPS:
        return _by_convolution(np.abs(whole).astype(np.int64), round(seen)), "exact sign-flip of patients"
    if len(sums) <= _ENUMERATED:
        patterns = 1 - 2 * ((np.arange(2 ** len(sums))[:, None] >> np.arange(len(sums))) & 1)
        return float(np.mean(np.abs(patterns @ sums) >= seen - _slack(sums))), "exact sign-flip of patients"
    if len(sums) >= _NORMAL:
        return math.erfc(seen / math.sqrt(2 * float(sums @ sums))), "sign-flip of patients, normal limit"
    if rng is None:
        raise HounsfieldError(
            f"{len(sums)} patients are too many for an exact test of fractional differences; pass rng for random flips."
        )
    return _by_chance(sums, seen, rng, flips), f"sign-flip of patients ({flips} random flips)"


def _by_convolution(sizes: IntArray, seen: int) -> float:
    """Chance that a sum of whole numbers with random signs is at least `seen` in size."""
    span = int(sizes.sum())
    chance = np.zeros(2 * span + 1)
    chance[span] = 1.0
    for size in sizes:
        # The sum so far plus or minus `size`; the array is wide enough that nothing wraps round.
        chance = (np.roll(chance, size) + np.roll(chance, -size)) / 2
    far = np.abs(np.arange(-span, span + 1)) >= seen
    return min(1.0, float(chance[far].sum()))


def _by_chance(sums: FloatArray, seen: float, rng: np.random.Generator, flips: int) -> float:
    extreme, slack = 0, _slack(sums)
    step = max(1, 2**22 // len(sums))
    for start in range(0, flips, step):
        signs = 2.0 * rng.integers(0, 2, size=(min(step, flips - start), len(sums))) - 1
        extreme += int(np.count_nonzero(np.abs(signs @ sums) >= seen - slack))
    return (extreme + 1) / (flips + 1)


def _slack(sums: FloatArray) -> float:
    # Sums that are equal on paper differ by rounding; they must count as equally extreme.
    return math.sqrt(np.finfo(np.float64).eps) * float(np.abs(sums).max()) * 1e-3
