"""Means with SDs, p-values, and numbers that bind each other, against published re-derivations and counts by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from hounsfield.audit import moments, p_values, relations
from hounsfield.audit.printed import printed
from hounsfield.audit.verdict import DISAGREES, HOLDS, IMPOSSIBLE, OPEN, UNEXPLAINED
from hounsfield.core.errors import HounsfieldError


def group(mean: str, sd: str, n: int) -> moments.Group:
    return moments.Group(printed(mean), printed(sd), n)


def test_largest_sd_is_reached_by_values_at_the_limits() -> None:
    values = np.array([0.0] * 3 + [10.0] * 1)
    assert moments.largest_sd(values.mean(), 0, 10) == pytest.approx(values.std())
    assert moments.largest_sd(values.mean(), 0, 10, 4) == pytest.approx(values.std(ddof=1))
    assert math.isnan(moments.largest_sd(11, 0, 10))


def test_volumes_of_spheres_of_15_to_40_mm_have_no_sd_of_26() -> None:
    verdict = moments.range_verdict("nodule volume", group("16.4", "26.0", 87), 1.77, 33.51)
    assert verdict.status == IMPOSSIBLE
    assert "at most 15.9" in verdict.reason
    assert moments.range_verdict("of cancer", group("10.1", "10.9", 208), 1.77, 33.51).status == HOLDS
    assert moments.range_verdict("mean outside", group("40", "1", 9), 1.77, 33.51).status == IMPOSSIBLE


def test_t_tests_from_printed_figures() -> None:
    """The granuloma study's ages: Welch 0.034, Student 0.026, printed 0.33; lung volume: Welch 0.656, printed 0.66."""
    young, old = group("54.0", "11.7", 87), group("57.1", "10.5", 208)
    assert moments.t_range(young, old, equal_variance=False)[0] == pytest.approx(0.034, abs=5e-4)
    assert moments.t_range(young, old, equal_variance=True)[0] == pytest.approx(0.026, abs=5e-4)
    assert moments.t_verdict("age", young, old, printed("0.33")).status == UNEXPLAINED
    lungs = moments.t_verdict("lungs", group("3491.9", "1017.8", 87), group("3552.8", "1184.6", 208), printed("0.66"))
    assert (lungs.status, lungs.method) == (HOLDS, "Welch's t test")


def test_rounding_of_the_means_is_allowed_for() -> None:
    first, second = group("2.6", "1.5", 1278), group("2.7", "1.3", 99)
    middle, low, high = moments.t_range(first, second, equal_variance=True)
    assert low < middle < high
    assert high == pytest.approx(1.0)  # both means may be 2.65
    assert moments.t_verdict("size", first, second, printed("0.53")).status == OPEN
    with pytest.raises(HounsfieldError, match="two cases"):
        moments.t_range(group("1", "1", 1), second, equal_variance=True)


def test_pooled_means() -> None:
    groups = [group("26.8", "11.0", 87), group("24.6", "6.4", 208)]
    assert moments.pooled_verdict("diameter", groups, printed("25.5")).status == DISAGREES  # 25.25
    assert moments.pooled_verdict("diameter", groups, printed("25.2")).status == HOLDS


def test_means_of_whole_numbers() -> None:
    assert moments.whole_numbers_verdict("score", group("3.45", "1.0", 20)).status == HOLDS  # 69 / 20
    assert moments.whole_numbers_verdict("score", group("3.47", "1.0", 20)).status == IMPOSSIBLE
    assert moments.whole_numbers_verdict("score", group("3.4", "1.0", 200)).status == OPEN


def test_p_of_two_shares_by_three_methods() -> None:
    """HB accuracy of the fine-tuning study: 0.0805, 0.0945, 0.0944."""
    found = p_values.p_of_counts((402, 523), (425, 523))
    assert list(found.values()) == pytest.approx([0.0805, 0.0945, 0.0944], abs=5e-5)
    assert set(p_values.p_of_counts((0, 5), (0, 7)).values()) == {1.0}
    with pytest.raises(HounsfieldError, match="6 of 5"):
        p_values.p_of_counts((6, 5), (1, 5))


def test_range_of_mcnemar_from_the_margins() -> None:
    """As published for the same study: 2e-4 to 0.137 class by class, 2e-9 to 0.014, 0.016 to 0.50."""
    low, high = p_values.mcnemar_range([(280, 310, 365), (122, 115, 158)])
    assert (low, high) == pytest.approx((stats.binomtest(7, 37).pvalue, 0.137), rel=5e-3)
    assert p_values.mcnemar_range([(280, 310, 365)]) == pytest.approx((2.0**-29, 0.014), rel=5e-3)
    assert p_values.mcnemar_range([(122, 115, 158)]) == pytest.approx((2.0**-6, 0.50), rel=5e-3)


@pytest.mark.parametrize(("b", "c", "p"), [(23, 0, 2.4e-7), (7, 7, 1.0), (15, 0, 6.1e-5), (3, 0, 0.25), (0, 0, 1.0)])
def test_exact_mcnemar(b: int, c: int, p: float) -> None:
    assert p_values.mcnemar_p(b, c) == pytest.approx(p, rel=0.02)


def test_changes_one_way_make_the_paired_tests_computable() -> None:
    (verdict,) = p_values.p_verdicts("consensus", printed("0.10"), (43, 85), (46, 85), paired=True, one_way=100)
    assert verdict.method == p_values.ONE_WAY  # 2 (1 - 3/100)^100 = 0.095; McNemar 0.25
    assert p_values.bootstrap_p(3, 100) == pytest.approx(0.095, abs=5e-4)
    assert p_values.bootstrap_p(0, 100) == 1


def test_mean_iou_is_bound_by_mean_dice() -> None:
    """The liver study's headline rows: a mean Dice of 90.0 % needs a mean IoU of 81.7 % or more."""
    assert relations.overlap_verdict("a", printed("90.0 %"), printed("80.7 %"), of="mean").status == IMPOSSIBLE
    assert relations.overlap_verdict("b", printed("90.0 %"), printed("81.6 %"), of="mean").status == IMPOSSIBLE
    assert relations.overlap_verdict("c", printed("0.444"), printed("0.348"), of="mean").status == HOLDS
    assert relations.overlap_verdict("d", printed("90.0 %"), printed("81.8 %"), of="median").status == HOLDS
    assert relations.overlap_verdict("e", printed("89.0 %"), printed("80.0 %"), of="median").status == DISAGREES
    assert relations.overlap_verdict("f", printed("0.80"), printed("0.80"), of="case").status == IMPOSSIBLE


def test_the_bound_of_mean_iou_holds_for_any_cases() -> None:
    rng = np.random.default_rng(3)
    dice = rng.beta(rng.uniform(0.2, 5, 500)[:, None], 1.0, (500, 20))
    iou = (dice / (2 - dice)).mean(axis=1)
    mean = dice.mean(axis=1)
    assert (iou >= mean / (2 - mean) - 1e-12).all()
    assert (iou <= mean).all()


def test_totals_and_changes() -> None:
    assert (
        relations.total_verdict("a", [printed("1631"), printed("-203"), printed("-3")], printed("1425")).status == HOLDS
    )
    assert relations.total_verdict("b", [printed("1556"), printed("652")], printed("2000")).status == DISAGREES
    assert relations.total_verdict("c", [printed("33.3 %")] * 3, printed("100 %")).status == HOLDS
    assert relations.change_verdict("d", printed("0.444"), printed("0.593"), printed("33.56 %")).status == HOLDS
    assert relations.change_verdict("e", printed("0.772"), printed("0.728"), printed("-5.4 %")).status == DISAGREES
    assert relations.change_verdict("f", printed("0"), printed("0.5"), printed("10 %")).status == IMPOSSIBLE


def test_an_auc_treated_as_a_share() -> None:
    """Clopper-Pearson of 221 nodules at an unrounded 0.8805 to 0.8807, as published; the tuned model fits nothing."""
    ends = (printed("0.830"), printed("0.920"))
    fits = relations.auc_verdict("LIDC", printed("0.881"), *ends, positives=86, negatives=135)
    assert fits.status == HOLDS
    assert "as a share, Clopper-Pearson, unrounded 0.8805 to 0.8807" in fits.reason
    ends = (printed("0.823"), printed("0.875"))
    assert relations.auc_verdict("MHB", printed("0.851"), *ends, positives=365, negatives=158).status == UNEXPLAINED
    assert relations.auc_ends(1.0, 5, 5)["Hanley-McNeil"][1] == 1.0
