"""Readings to points, levels and management: exhaustive counts, a closed-form population, worked examples, mistakes."""

from __future__ import annotations

import numpy as np
import pytest

from hounsfield.core.errors import HounsfieldError, TableError
from hounsfield.guideline.features import Features, features_of
from hounsfield.guideline.point_table import PointTable
from hounsfield.guideline.population import Population, best_auc, every_combination, exact_auc
from hounsfield.guideline.score import level_of, manage, points_of, reaches


def read(table: PointTable, *nodules: tuple[str, str, str, str, str], named_wins: bool = False) -> Features:
    keys = ("composition", "echogenicity", "shape", "margin", "foci")
    columns = {key: [nodule[place] for nodule in nodules] for place, key in enumerate(keys)}
    features, problems = features_of(columns, table, named_wins=named_wins)
    assert not problems
    return features


def test_all_4800_combinations(acr: PointTable, ai: PointTable) -> None:
    everything = every_combination(acr)
    before, after = (level_of(points_of(everything, table), table) for table in (acr, ai))
    assert len(before) == 4800
    assert (int((after < before).sum()), int((after == before).sum()), int((after > before).sum())) == (1516, 3268, 16)
    assert np.bincount(before).tolist() == [1926, 36, 80, 624, 2134]
    assert np.bincount(after).tolist() == [2112, 152, 352, 1076, 1108]


def test_cystic_and_spongiform_are_always_the_lowest_level(acr: PointTable, ai: PointTable) -> None:
    everything = every_combination(acr)
    for table in (acr, ai):
        assert (points_of(everything, table)[everything.override] == 0).all()
        assert (points_of(everything, table, override=False)[everything.override] > 0).any()


def test_the_closed_form_population(acr: PointTable, ai: PointTable, cells: Population) -> None:
    features = cells.features
    areas = [exact_auc(points_of(features, t, override=o), cells) for t in (acr, ai) for o in (True, False)]
    assert areas == pytest.approx([0.814426, 0.804971, 0.840251, 0.834413], abs=5e-7)
    assert best_auc(cells) == pytest.approx(0.853627, abs=5e-7)
    points = points_of(features, acr)
    pooled = (1189 * cells.benign + 136 * cells.malignant) / 1325
    mean = pooled @ points
    assert (cells.benign @ points, cells.malignant @ points, mean) == pytest.approx((3.9044, 6.7647, 4.1980), abs=5e-5)
    assert np.sqrt(pooled @ points**2 - mean**2) == pytest.approx(2.3729, abs=1e-4)
    assert pooled @ points_of(features, acr, override=False) == pytest.approx(4.4558, abs=5e-5)


@pytest.mark.parametrize(
    ("name", "weights", "percent"),
    [
        ("acr", "benign", [10.26, 11.99, 25.73, 39.60, 12.43]),
        ("acr", "malignant", [0.00, 0.72, 6.33, 37.22, 55.73]),
        ("ai", "benign", [25.98, 12.30, 23.12, 30.20, 8.40]),
        ("ai", "malignant", [1.09, 2.84, 7.26, 36.49, 52.31]),
    ],
)
def test_levels_of_the_population(
    name: str, weights: str, percent: list[float], acr: PointTable, ai: PointTable, cells: Population
) -> None:
    table = {"acr": acr, "ai": ai}[name]
    level = level_of(points_of(cells.features, table), table)
    shares = 100 * np.bincount(level, weights=getattr(cells, weights), minlength=5)
    assert shares == pytest.approx(percent, abs=0.005)


def test_worked_examples(acr: PointTable, ai: PointTable) -> None:
    """The article's two: 5 v 1 point, and 3 v 2."""
    features = read(
        acr,
        ("mixed", "isoechoic", "taller", "smooth", ""),
        ("Mixed cystic and solid", "HYPOECHOIC", "wider than tall", "ill-defined", "none"),
        ("spongiform", "very hypoechoic", "taller", "lobulated", "punctate; peripheral"),
        ("solid", "hypoechoic", "wider", "lobulated", ""),
    )
    assert points_of(features, acr).tolist() == [5, 3, 0, 6]
    assert points_of(features, ai).tolist() == [1, 2, 0, 7]
    size = np.array([2.6, 2.5, 4.0, 1.2])
    assert manage(features, size, acr).recommendation() == ["FNA", "FNA", "nothing", "follow-up"]
    assert manage(features, size, ai).recommendation() == ["nothing", "nothing", "nothing", "FNA"]


SIZES = (0.4, 0.5, 0.9, 1.0, 1.4, 1.5, 2.4, 2.5)


@pytest.mark.parametrize(
    ("level", "fna", "follow_up"),
    [
        (0, "........", "........"),
        (1, "........", "........"),
        (2, ".......x", ".....xxx"),
        (3, ".....xxx", "...xxxxx"),
        (4, "...xxxxx", ".xxxxxxx"),
    ],
)
def test_decision_table(level: int, fna: str, follow_up: str, acr: PointTable) -> None:
    for thresholds, wanted in (
        ([one.fna_cm for one in acr.levels], fna),
        ([one.follow_up_cm for one in acr.levels], follow_up),
    ):
        got = reaches([level] * len(SIZES), SIZES, thresholds)
        assert "".join("x" if yes else "." for yes in got) == wanted


def test_a_threshold_includes_sizes_that_floating_point_puts_just_below(acr: PointTable) -> None:
    thresholds = [one.fna_cm for one in acr.levels]
    assert reaches([2], [0.1 * 3 + 2.2], thresholds).all()  # 2.5000000000000004 or 2.4999999999999996
    assert reaches([4], [10 / 10 - 1e-16], thresholds).all()


def test_fna_implies_follow_up_and_rises_with_level_and_size(acr: PointTable) -> None:
    everything = every_combination(acr)
    before = None
    for size in SIZES:
        found = manage(everything, np.full(4800, size), acr)
        assert (found.follow_up | ~found.fna).all()
        order = np.argsort(found.level, kind="stable")
        assert (np.diff(found.fna[order].astype(int)) >= 0).all()
        assert before is None or (found.fna | ~before).all()
        before = found.fna


@pytest.mark.parametrize("size", [np.nan, 0.0, -1.0, np.inf])
def test_no_recommendation_without_a_size(size: float, acr: PointTable) -> None:
    features = read(acr, ("solid", "isoechoic", "wider", "smooth", ""))
    with pytest.raises(HounsfieldError, match="size in cm above 0"):
        manage(features, np.array([size]), acr)


def test_bad_readings_are_set_aside_with_all_their_faults(acr: PointTable) -> None:
    columns = {
        "composition": ["solid", "solidd", "solid", ""],
        "echogenicity": ["isoechoic", "blue", "isoechoic", None],
        "shape": ["wider"] * 4,
        "margin": ["smooth"] * 4,
        "foci": ["", "", "none;punctate", "punctate, Comet-Tail"],
    }
    features, problems = features_of(columns, acr)
    assert features.kept.tolist() == [0]
    assert [problem.where for problem in problems] == ["reading 2", "reading 3", "reading 4"]
    assert "solid" in problems[0].what
    assert "blue" in problems[0].what
    assert "beside a finding" in problems[1].what
    assert "composition: nothing was chosen; echogenicity: nothing was chosen" in problems[2].what
    kept, problems = features_of(columns, acr, named_wins=True)
    assert kept.kept.tolist() == [0, 2]
    assert points_of(kept, acr).tolist() == [3, 6]


def test_a_focus_named_twice_counts_once(acr: PointTable) -> None:
    features = read(acr, ("solid", "isoechoic", "wider", "smooth", "punctate;punctate|punctate"))
    assert points_of(features, acr).tolist() == [6]


def test_columns_must_be_there_and_of_one_length(acr: PointTable) -> None:
    with pytest.raises(TableError, match="missing: echogenicity, shape, margin, foci"):
        features_of({"composition": ["solid"]}, acr)
    with pytest.raises(TableError, match="one reading a nodule"):
        features_of({category.key: ["x"] * (1 + (category.key == "foci")) for category in acr.categories}, acr)
