"""Counts behind shares and the methods behind intervals, against counts by hand and printed tables."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from hounsfield.audit.printed import CUT, ROUNDED, printed
from hounsfield.audit.proportions import (
    PrintedInterval,
    bootstrap_ends,
    counts_behind,
    implied_n,
    interval_verdicts,
    share_verdict,
)
from hounsfield.audit.verdict import DISAGREES, HOLDS, IMPOSSIBLE, OPEN
from hounsfield.core.errors import HounsfieldError


def test_every_count_that_rounds_to_a_share_is_found() -> None:
    for n in (1, 7, 58, 523):
        for text in ("0", "0.5", "0.33", "0.730", "0.8667", "100 %"):
            value = printed(text)
            by_hand = [k for k in range(n + 1) if abs(Fraction(k, n) - value.value) <= value.half]
            found = [k for k, rule in counts_behind(value, n).items() if rule == ROUNDED]
            assert found == by_hand, (n, text)


def test_no_count_of_158_is_0_730() -> None:
    verdict = share_verdict("MHB specificity", printed("0.730"), 158)
    assert verdict.status == IMPOSSIBLE
    assert "115/158 = 0.7278" in verdict.reason
    assert "116/158 = 0.7342" in verdict.reason


def test_a_share_that_was_cut_off_is_not_called_impossible() -> None:
    assert counts_behind(printed("67.29 %"), 159) == {107: CUT}
    assert share_verdict("men", printed("57.2 %"), 295, 169).status == HOLDS


def test_a_count_that_gives_another_share() -> None:
    assert share_verdict("reader 5", printed("57 %"), 84, 49).status == DISAGREES


def test_several_counts_leave_the_question_open() -> None:
    verdict = share_verdict(
        "coarse", printed("0.5"), 30
    )  # 0.45 to 0.55 of 30: 14, 15, 16 (13.5 and 16.5 are no counts)
    assert verdict.status == OPEN
    assert verdict.reason.startswith("14/30, 15/30, 16/30 ")


def test_a_share_of_nobody_is_refused() -> None:
    with pytest.raises(HounsfieldError, match="at least one case"):
        counts_behind(printed("0.5"), 0)


def test_the_exact_bootstrap_against_drawing() -> None:
    rng = np.random.default_rng(5)
    sizes = rng.binomial(99, 84 / 99, size=200_000)
    shares = rng.binomial(sizes, 44 / 84) / sizes
    ends = bootstrap_ends(44, 84, 99)
    assert ends == pytest.approx(np.quantile(shares, [0.025, 0.975]), abs=0.003)
    assert bootstrap_ends(15, 15, 99) == (1.0, 1.0)


def test_printed_bootstrap_intervals_are_known_as_such() -> None:
    """Sensitivity 14/15 with [77.2, 100] % of the guideline study: 2000 drawings of 100 nodules."""
    interval = PrintedInterval("single expert", ((14, 15),), printed("77.2 %"), printed("100 %"), among=100)
    (verdict,) = interval_verdicts([interval])
    assert verdict.method == "percentile bootstrap"


def test_implied_number_of_cases() -> None:
    # Wald at p = 0.5 and n = 100 is 0.5 +/- 0.098
    assert implied_n(0.5, (printed("0.402"), printed("0.598"))) == pytest.approx(100, abs=0.5)
