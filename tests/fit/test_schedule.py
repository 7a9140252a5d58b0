"""Learning rates: printed values, and torch's own scheduler as second source."""

from __future__ import annotations

import random

import pytest
import torch

from hounsfield.fit.schedule import Constant, OneCycle, Plateau, Step, epochs_without_gain, schedule_of
from hounsfield.fit.training import JOINT, Training


def test_step_rates_as_printed():
    schedule = schedule_of(JOINT)
    assert schedule == Step(1e-5)
    rates = [schedule.rate(epoch, []) for epoch in (0, 29.9, 30, 60, 90)]
    assert rates == pytest.approx([1e-5, 1e-5, 5e-6, 2.5e-6, 1.25e-6])


def test_plateau_after_ten_epochs_without_gain():
    plateau = Plateau(1e-4)
    assert plateau.rate(10, [True] + [False] * 9) == pytest.approx(1e-4)
    assert plateau.rate(11, [True] + [False] * 10) == pytest.approx(0.8e-4)
    assert plateau.rate(20, [True] + [False] * 19) == pytest.approx(0.8e-4)
    assert plateau.rate(21, [True] + [False] * 20) == pytest.approx(0.64e-4)
    assert plateau.rate(21, [True] + [False] * 9 + [True] + [False] * 9) == pytest.approx(1e-4)


def test_plateau_agrees_with_torch():
    chance = random.Random(3)
    values = [chance.random() for _ in range(200)]
    optimiser = torch.optim.SGD([torch.zeros(1)], lr=1e-4)
    # torch reduces at the epoch after `patience` bad ones, i.e. patience 9 is "for 10 epochs".
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimiser, mode="max", factor=0.8, patience=9, threshold=0)
    gains, best = [], -1.0
    for value in values:
        theirs.step(value)
        gains.append(value > best)
        best = max(best, value)
        assert Plateau(1e-4).rate(len(gains), gains) == pytest.approx(optimiser.param_groups[0]["lr"])


def test_one_cycle_rises_to_the_peak_and_falls_to_a_hundredth():
    schedule = OneCycle(1e-3, epochs=20)
    assert schedule.rate(0, []) == pytest.approx(1e-4)
    assert schedule.rate(3, []) == pytest.approx(1e-3)  # 15 % of 20 epochs
    assert schedule.rate(11.5, []) == pytest.approx(1e-3 * (0.01 + 0.99 / 2))  # half-way down
    assert schedule.rate(20, []) == pytest.approx(1e-5)


def test_settings_name_the_schedule():
    assert schedule_of(Training()) == Plateau(1e-4)
    assert schedule_of(Training(schedule="constant")) == Constant(1e-4)
    assert schedule_of(Training(schedule="one_cycle", epochs=7)) == OneCycle(1e-4, 7)
    with pytest.raises(ValueError, match="schedule"):
        Training(schedule="cosine")


def test_epochs_without_gain():
    assert epochs_without_gain([]) == 0
    assert epochs_without_gain([False, False]) == 2
    assert epochs_without_gain([True, False, True]) == 0
    assert epochs_without_gain([True, False, False, False]) == 3
