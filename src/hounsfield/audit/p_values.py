"""Which test a printed p-value of two shares comes from, and what a paired test could have given instead.

In: two counts out of two totals (out of one set of cases when both models were run on it). Out: p by every method, and
for paired data the range in which the exact McNemar p must lie whatever the unprinted pairs were.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import special, stats

from hounsfield.audit.printed import Printed
from hounsfield.audit.verdict import HOLDS, OPEN, UNEXPLAINED, Verdict
from hounsfield.core.errors import HounsfieldError

Counted = tuple[int, int]
CHI_SQUARE, YATES, FISHER = "chi-square", "chi-square with Yates' correction", "Fisher's exact test"
MCNEMAR, ONE_WAY = "exact McNemar", "paired bootstrap, all discordant pairs one way"


def p_of_counts(first: Counted, second: Counted) -> dict[str, float]:
    """p-value of equal shares in two separate groups by the three usual tests.

    Args:
        first, second: (successes, cases) of each group.

    Returns: p by method; 1 by all when nothing, or everything, succeeded.
    Raises: HounsfieldError on impossible counts.
    """
    for k, n in (first, second):
        if not 0 <= k <= n or n < 1:
            raise HounsfieldError(f"expected counts with 0 <= k <= n and n above 0; got {k} of {n}.")
    table = np.array([[first[0], first[1] - first[0]], [second[0], second[1] - second[0]]])
    if (table.sum(axis=0) == 0).any():
        return dict.fromkeys((CHI_SQUARE, YATES, FISHER), 1.0)
    return {
        CHI_SQUARE: float(stats.chi2_contingency(table, correction=False).pvalue),
        YATES: float(stats.chi2_contingency(table, correction=True).pvalue),
        FISHER: float(stats.fisher_exact(table).pvalue),
    }


def mcnemar_p(b: int, c: int) -> float:
    """Exact two-sided p of b pairs one way against c the other; 1 without discordant pairs."""
    return min(1.0, 2 * float(special.bdtr(min(b, c), b + c, 0.5))) if b + c else 1.0


def mcnemar_range(strata: Sequence[tuple[int, int, int]]) -> tuple[float, float]:
    """Smallest and largest exact McNemar p that the margins of paired data allow.

    Args:
        strata: (successes of the first, of the second, cases) for each class of cases, such as malignant and benign;
            the pairs of a class can't cross over into another.

    Returns: (low, high); both models of one class can be right on as many common cases as the margins allow, which is
        not printed as a rule.
    """
    up = sum(max(0, second - first) for first, second, _ in strata)
    down = sum(max(0, first - second) for first, second, _ in strata)
    spare = sum(min(first, second, n - first, n - second) for first, second, n in strata)
    values = [mcnemar_p(up + more, down + more) for more in range(spare + 1)]
    return min(values), max(values)


def bootstrap_p(discordant: int, n: int) -> float:
    """p of a paired bootstrap when all `discordant` of n cases differ one way: twice the chance to draw none."""
    return min(1.0, 2 * (1 - discordant / n) ** n)


def p_verdicts(
    name: str,
    value: Printed,
    first: Counted,
    second: Counted,
    *,
    paired: bool = False,
    strata: Sequence[tuple[int, int, int]] = (),
    one_way: int | None = None,
) -> list[Verdict]:
    """What is to be said of one printed p-value.

    Args:
        paired: both counts are of the same cases.
        strata: see `mcnemar_range`; the counts as one class when absent.
        one_way: given when the paper says that every change went in one direction, which makes the paired tests
            computable: the number of all cases that a bootstrap drew from.
    """
    found = p_of_counts(first, second)
    if one_way is not None:
        discordant = abs(second[0] - first[0])
        found[MCNEMAR], found[ONE_WAY] = mcnemar_p(discordant, 0), bootstrap_p(discordant, one_way)
    fitting = [method for method, p in found.items() if value.rule_for(p)]
    listed = ", ".join(f"{method} {_p(p)}" for method, p in found.items())
    counts = f"{first[0]}/{first[1]} v {second[0]}/{second[1]}"
    status = HOLDS if fitting else UNEXPLAINED
    verdicts = [Verdict("p-value", name, status, f"printed {value}, {counts}: {listed}.", ", ".join(fitting))]
    if paired and first[1] == second[1] and one_way is None:
        low, high = mcnemar_range(strata or [(first[0], second[0], first[1])])
        reason = (
            f"both models saw the same cases, so a paired test was due: whatever the pairs were, the exact McNemar p "
            f"lies between {_p(low)} and {_p(high)}."
        )
        verdicts.append(Verdict("p-value, paired", name, OPEN, reason))
    return verdicts


def _p(p: float) -> str:
    return f"{p:.4f}" if p >= 0.001 or math.isnan(p) else f"{p:.1e}"
