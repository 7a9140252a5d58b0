"""Matching, FROC, CPM and JAFROC by hand and by slow loops; a miss and a lowest-scored hit each time."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from hounsfield.core.errors import HounsfieldError
from hounsfield.stats.estimate import UndefinedMetric
from hounsfield.stats.froc import CPM_RATES, Detections, cpm, froc_band, froc_curve, sensitivity_at
from hounsfield.stats.jafroc import jafroc
from hounsfield.stats.matching import AGAIN, FALSE, box_iou, match

# Four volumes, the last two without a lesion, the last without a detection. Of four lesions one is missed (volume 1),
# and one is found by the lowest score of all, 0.1.
HAND = Detections(
    hit_score=np.array([0.9, 0.5, 0.1]),
    hit_volume=np.array([0, 1, 0]),
    false_score=np.array([0.7, 0.5, 0.3]),
    false_volume=np.array([0, 2, 2]),
    lesions=np.array([2, 2, 0, 0]),
)


def random_detections(seed: int, volumes: int = 30) -> Detections:
    rng = np.random.default_rng(seed)
    lesions = rng.integers(0, 4, volumes)
    hit_volume = np.concatenate([np.repeat(v, rng.integers(0, n + 1)) for v, n in enumerate(lesions)]).astype(int)
    false_volume = rng.integers(volumes, size=60)
    return Detections(
        np.round(rng.normal(1, 1, len(hit_volume)), 1),
        hit_volume,
        np.round(rng.normal(0, 1, 60), 1),
        false_volume,
        lesions,
        tuple(str(v // 2) for v in range(volumes)),
    )


def test_curve_by_hand() -> None:
    curve = froc_curve(HAND)
    assert curve.threshold.tolist() == [math.inf, 0.9, 0.7, 0.5, 0.3, 0.1]
    assert curve.sensitivity.tolist() == [
        0,
        0.25,
        0.25,
        0.5,
        0.5,
        0.75,
    ]  # the lowest score's hit is in, the miss is out
    assert curve.false_positives.tolist() == [0, 0, 0.25, 0.5, 0.75, 0.75]


def test_two_of_two_lesions_reach_one() -> None:
    """Where other implementations stop at 0.5, since they skip the lowest threshold."""
    both = Detections(np.array([0.9, 0.2]), np.array([0, 1]), np.array([0.5]), np.array([0]), np.array([1, 1]))
    assert froc_curve(both).sensitivity[-1] == 1


@pytest.mark.parametrize(
    ("rate", "steps", "lines"),
    [(0, 0.25, 0.25), (0.25, 0.25, 0.25), (0.375, 0.25, 0.375), (0.5, 0.5, 0.5), (0.75, 0.75, 0.75), (8, 0.75, 0.75)],
)
def test_sensitivity_at_false_positives(rate: float, steps: float, lines: float) -> None:
    assert sensitivity_at(HAND, rate, resamples=100).value == pytest.approx(steps)
    assert sensitivity_at(HAND, rate, interpolate=True, resamples=100).value == pytest.approx(lines)


@pytest.mark.parametrize("seed", range(5))
def test_curve_equals_a_slow_loop(seed: int) -> None:
    found = random_detections(seed)
    curve = froc_curve(found)
    for place, threshold in enumerate(curve.threshold):
        assert curve.sensitivity[place] == pytest.approx((found.hit_score >= threshold).sum() / found.lesions.sum())
        assert curve.false_positives[place] == pytest.approx((found.false_score >= threshold).sum() / 30)
    by_hand = []
    for rate in CPM_RATES:
        allowed = curve.false_positives <= rate + 1e-12
        by_hand.append(curve.sensitivity[allowed].max())
    assert cpm(found, interpolate=False, resamples=100).value == pytest.approx(np.mean(by_hand))


def test_intervals_resample_patients() -> None:
    found = random_detections(3)
    estimate = cpm(found, rng=np.random.default_rng(1))
    assert (estimate.n, estimate.unit) == (15, "patients")
    assert estimate.low < estimate.value < estimate.high
    value, low, high = froc_band(found, CPM_RATES, resamples=300)
    assert (low <= value).all()
    assert (value <= high).all()
    assert (np.diff(value) >= 0).all()


def test_figure_of_merit_by_hand() -> None:
    """Lesions 0.9, 0.5, 0.1, missed; volumes without lesion: 0.5 (its highest) and none.

    Pairs with 0.5: win, tie, loss, loss = 1.5; with none: win, win, win, tie = 3.5; 5 of 8.
    JAFROC1 adds volume 0 (0.7): 1 of 4, and volume 1 (none): 3.5 of 4; 9.5 of 16.
    """
    assert jafroc(HAND, resamples=100).value == pytest.approx(5 / 8)
    assert jafroc(HAND, kind="JAFROC1", resamples=100).value == pytest.approx(9.5 / 16)


@pytest.mark.parametrize("kind", ["JAFROC", "JAFROC1"])
@pytest.mark.parametrize("seed", range(4))
def test_figure_of_merit_equals_double_loop(kind: str, seed: int) -> None:
    found = random_detections(seed)
    lesions: list[float] = [*found.hit_score]
    lesions += [-math.inf] * int(found.lesions.sum() - len(found.hit_score))
    highest = [max(found.false_score[found.false_volume == v], default=-math.inf) for v in range(30)]
    against = [highest[v] for v in range(30) if kind == "JAFROC1" or found.lesions[v] == 0]
    wins = [1.0 if a > b else 0.5 if a == b else 0.0 for a, b in itertools.product(lesions, against)]
    estimate = jafroc(found, kind=kind, resamples=200)
    assert estimate.value == pytest.approx(np.mean(wins), abs=1e-12)
    assert estimate.low < estimate.value < estimate.high


def test_scores_change_nothing_but_their_order() -> None:
    found = random_detections(1)
    other = Detections(
        np.exp(found.hit_score), found.hit_volume, np.exp(found.false_score), found.false_volume, found.lesions
    )
    assert jafroc(other, resamples=100).value == pytest.approx(jafroc(found, resamples=100).value)
    assert froc_curve(other).sensitivity.tolist() == froc_curve(found).sensitivity.tolist()


def test_edges() -> None:
    nothing = np.array([])
    silent = Detections(nothing, nothing, nothing, nothing, np.array([1, 0]))
    assert froc_curve(silent).sensitivity.tolist() == [0]
    assert sensitivity_at(silent, 1).value == 0
    assert jafroc(silent, resamples=100).value == 0.5
    healthy = Detections(nothing, nothing, np.array([0.3]), np.array([1]), np.array([0, 0]))
    with pytest.warns(UndefinedMetric, match="no lesion"):
        assert math.isnan(cpm(healthy).value)
    with pytest.warns(UndefinedMetric, match="no lesion"):
        assert math.isnan(jafroc(healthy).value)
    all_ill = Detections(np.array([0.3]), np.array([1]), nothing, nothing, np.array([1, 1]))
    with pytest.warns(UndefinedMetric, match="take JAFROC1"):
        assert math.isnan(jafroc(all_ill).value)
    for hit, volume, message in (
        ([0.1, 0.2], [1, 1], "more hits"),
        ([math.nan], [0], "finite"),
        ([0.1], [5], "volumes"),
    ):
        with pytest.raises(HounsfieldError, match=message):
            Detections(np.array(hit), np.array(volume), nothing, nothing, np.array([1, 1]))
    with pytest.raises(HounsfieldError, match="0 or more"):
        sensitivity_at(HAND, -1)


def test_matching_by_distance() -> None:
    lesion = [[0, 0, 0], [0, 0, 20]]
    detection = [[0, 0, 3], [0, 0, 1], [0, 0, 18], [0, 0, 10]]
    score = [0.9, 0.8, 0.3, 0.5]
    found = match(lesion, detection, score, criterion="distance", limit=5)
    assert found.tolist() == [0, AGAIN, 1, FALSE]
    counted = match(lesion, detection, score, criterion="distance", limit=5, count_again=True)
    assert counted.tolist() == [0, FALSE, 1, FALSE]


def test_matching_by_radius_box_and_overlap() -> None:
    found = match([[0, 0, 0]], [[0, 0, 4], [0, 0, 6]], [0.1, 0.9], criterion="radius", lesion_diameter_mm=[10])
    assert found.tolist() == [0, FALSE]
    assert match([[0, 0, 0]], [[0, 0, 6]], [1], criterion="radius", limit=7, lesion_diameter_mm=[10]).tolist() == [0]
    box = [[0, 0, 0, 10, 10, 10]]
    assert match(box, [[9.9, 0, 0], [10, 0, 0]], [1, 1], criterion="inside").tolist() == [0, FALSE]
    boxes = [[0, 0, 5, 10, 10, 15], [0, 0, 1, 10, 10, 11]]
    assert box_iou(boxes, box).ravel() == pytest.approx([500 / 1500, 900 / 1100])
    assert match(box, boxes, [0.9, 0.1], criterion="iou", limit=0.5).tolist() == [FALSE, 0]


def test_a_detection_between_two_lesions_takes_the_free_one() -> None:
    lesion = [[0, 0, 0], [0, 0, 8]]
    found = match(lesion, [[0, 0, 1], [0, 0, 3]], [0.9, 0.8], criterion="distance", limit=6)
    assert found.tolist() == [0, 1]


def test_matching_refuses_what_does_not_fit() -> None:
    for arguments, message in (
        ({"criterion": "touch"}, "radius, distance"),
        ({"criterion": "distance"}, "limit in mm"),
        ({"criterion": "radius"}, "lesion_diameter_mm"),
        ({"criterion": "iou", "limit": 0.5}, "6 finite numbers"),
    ):
        with pytest.raises(HounsfieldError, match=message):
            match([[0, 0, 0]], [[0, 0, 0]], [1.0], **arguments)  # type: ignore[arg-type]
    with pytest.raises(HounsfieldError, match="one finite value"):
        match([[0, 0, 0]], [[0, 0, 0]], [math.nan], criterion="distance", limit=1)
    assert match([], [[0, 0, 0]], [1.0], criterion="distance", limit=1).tolist() == [FALSE]
    assert match([[0, 0, 0]], [], [], criterion="distance", limit=1).tolist() == []


def test_jafroc_of_scores_too_large_to_subtract_from() -> None:
    # The lesion was missed: it loses against any false mark, however large the scores are.
    found = Detections([], [], [1e17], [1], [1, 0])
    assert float(jafroc(found, resamples=100)) == 0.0
