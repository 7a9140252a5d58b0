"""Parts of the reader study on ten nodules counted by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hounsfield.studies.readers_errors import agreement, overlap, pairs, subsets
from hounsfield.studies.readers_panel import MEAN, Judged, Panel, Plan
from hounsfield.studies.readers_performance import at_large, performance

LABEL = np.repeat([True, False], [4, 6])
# FNA by the model, two readers and a consensus; nodules 0 to 3 are malignant
CALLS = {
    "algorithm": [1, 1, 1, 0, 1, 1, 0, 0, 0, 0],  # wrong on 3, 4, 5
    "1": [1, 1, 0, 0, 1, 0, 0, 0, 0, 0],  # wrong on 2, 3, 4
    "2": [1, 1, 1, 1, 1, 1, 1, 0, 0, 0],  # wrong on 4, 5, 6
    "consensus": [1, 1, 1, 1, 0, 0, 0, 0, 0, 1],  # wrong on 9
}
LEVELS = {
    "algorithm": [4, 4, 3, 1, 3, 3, 1, 1, 2, 1],
    "1": [4, 4, 2, 2, 4, 1, 0, 1, 1, 0],
    "2": [4, 3, 3, 3, 3, 3, 3, 0, 1, 2],
    "consensus": [4, 4, 4, 3, 1, 1, 1, 0, 0, 3],
}


def panel(names: tuple[str, ...] = tuple(CALLS), *, patients: tuple[str, ...] | None = None) -> Panel:
    judged = tuple(
        Judged(
            name,
            np.array(LEVELS[name], dtype=float),
            np.array(LEVELS[name]),
            np.array(CALLS[name], dtype=bool),
            np.ones(10, dtype=bool),
        )
        for name in names
    )
    members = tuple(name for name in names if name in ("1", "2"))
    return Panel(judged, LABEL, patients, members, Plan(seed=0, resamples=200))


def test_easy_and_difficult() -> None:
    """Right by three of three: cancers 0 and 1. Benign, six in ten: 5 to 9 have two or three right, 4 one."""
    easy, difficult = subsets(panel())
    assert (easy.malignant, easy.benign) == (2, 5)
    assert (difficult.malignant, difficult.benign) == (2, 1)
    # Levels of reader 1: 4, 4 above 1, 0, 1, 1, 0; of reader 2: 4, 3 against 3, 3, 0, 1, 2, two ties in ten pairs
    assert easy.estimates[MEAN].value == pytest.approx((1 + 9 / 10) / 2)
    assert easy.estimates["algorithm"].value == 1
    # The model on the difficult half: 3 and 1 against 3, half of two pairs lost and one tied
    assert difficult.estimates["algorithm"].value == 0.25
    assert [row["second"] for row in easy.comparisons] == [MEAN, "consensus"]
    assert easy.comparisons[0]["difference"] == pytest.approx(0.05)


def test_readers_left_out_of_the_split() -> None:
    """Without reader 1 all cancers and benign 7, 8 are easy, without reader 2 cancers 0, 1 and benign 5 to 8."""
    easy, difficult = subsets(panel())
    # Reader 1: 4, 4, 2, 2 above 1, 1. Reader 2: 4, 3 against 3, 3, 0, 1, two ties in eight pairs.
    assert easy.left_out == pytest.approx((1 + 7 / 8) / 2)
    assert math.isnan(difficult.left_out)  # reader 1 has no difficult cancer then


def test_subsets_without_a_class_have_no_area() -> None:
    """Everybody right everywhere: nothing is difficult."""
    perfect = Judged("1", LABEL.astype(float), LABEL.astype(np.int64), LABEL, LABEL)
    model = Judged("algorithm", LABEL.astype(float), LABEL.astype(np.int64), LABEL, LABEL)
    easy, difficult = subsets(Panel((model, perfect), LABEL, None, ("1",), Plan(seed=0, resamples=100)))
    assert (easy.malignant, easy.benign, difficult.malignant, difficult.benign) == (4, 6, 0, 0)
    assert math.isnan(difficult.estimates["algorithm"].value)
    assert math.isnan(difficult.comparisons[0]["p"])
    found = overlap(Panel((model, perfect), LABEL, None, ("1",), Plan(seed=0, resamples=100)))
    assert found["model wrong"].value == 0
    assert math.isnan(found["readers wrong where the model is"].value)


def test_shared_errors_by_hand() -> None:
    """Model wrong on 3, 4, 5; reader 1 shares two of these, reader 2 two; each has three errors, two shared."""
    found = overlap(panel())
    assert found["model wrong"].value == pytest.approx(0.3)
    assert found["readers wrong, mean"].value == pytest.approx(0.3)
    assert found["readers wrong where the model is"].value == pytest.approx(2 / 3)
    assert found["model wrong where a reader is"].value == pytest.approx(2 / 3)
    assert 0 <= found["model wrong"].low < 0.3 < found["model wrong"].high
    assert "readers and cases" in found["readers wrong, mean"].method
    assert "readers and" not in found["model wrong"].method


def test_agreement_of_pairs() -> None:
    found = pairs(panel())
    assert (found["two readers"].pairs, found["algorithm and a reader"].pairs) == (1, 2)
    first, second = np.array(LEVELS["1"]), np.array(LEVELS["2"])
    # Quadratic weights: 1 - mean squared step / its mean over all pairs of the two readers' levels
    expected = 1 - ((first - second) ** 2).mean() / ((first[:, None] - second[None]) ** 2).mean()
    assert found["two readers"].mean.value == pytest.approx(expected)
    merged = np.maximum(first, 1)
    model = np.array(LEVELS["algorithm"])
    with_first = 1 - ((model - merged) ** 2).mean() / ((model[:, None] - merged[None]) ** 2).mean()
    assert with_first in (
        pytest.approx(found["algorithm and a reader"].smallest),
        pytest.approx(found["algorithm and a reader"].largest),
    )


def test_one_reader_has_no_mean() -> None:
    alone = panel(("algorithm", "1"))
    assert at_large(alone) is None
    assert agreement(alone) == {}
    assert list(pairs(alone)) == ["algorithm and a reader"]
    estimates, comparisons = performance(alone)
    assert (MEAN, "auc") not in estimates
    assert {row["second"] for row in comparisons} == {"1"}


def test_all_found_is_not_certainty() -> None:
    """Every nodule gets follow-up: 4 of 4 found has Wilson's interval, z^2 / (4 + z^2) below, and no difference one."""
    estimates, comparisons = performance(panel())
    one = estimates["algorithm", "follow_up_sensitivity"]
    assert (one.value, one.high) == (1, pytest.approx(1))
    assert one.low == pytest.approx(4 / (4 + 1.959964**2), abs=1e-6)
    twins = tuple(f"p{number // 2}" for number in range(10))
    assert performance(panel(patients=twins))[0]["1", "follow_up_sensitivity"].n == 2
    (row,) = [row for row in comparisons if (row["metric"], row["second"]) == ("follow_up_sensitivity", MEAN)]
    assert (row["difference"], row["p"]) == (0, 1)
    assert math.isnan(row["low"])


def test_patients_are_the_unit_in_subsets_too() -> None:
    twins = tuple(f"p{number // 2}" for number in range(10))
    easy, difficult = subsets(panel(patients=twins))
    assert easy.estimates["algorithm"].unit == "patients"
    assert easy.estimates["algorithm"].n == 4  # nodules 0, 1 | 5 | 6, 7 | 8, 9
    assert difficult.estimates["algorithm"].n == 2  # 2, 3 | 4
