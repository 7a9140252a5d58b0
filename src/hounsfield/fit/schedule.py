"""Learning rates as pure functions of the epoch and of what the validation part said so far.

Each schedule has one method, `rate(epoch, gains)`: `epoch` counts from 0 and may lie within an epoch (3.5 is half-way
through the fourth), `gains` holds for each epoch done whether it was the best until then. No state is kept, so a
training that goes on after a break gets the same rates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from hounsfield.fit.training import Training


class Schedule(Protocol):
    """What the training loop asks for."""

    def rate(self, epoch: float, gains: Sequence[bool]) -> float: ...


@dataclass(frozen=True)
class Constant:
    """The same rate throughout."""

    initial: float

    def rate(self, epoch: float, gains: Sequence[bool]) -> float:
        return self.initial


@dataclass(frozen=True)
class Step:
    """Times `factor` every `every` epochs."""

    initial: float
    factor: float = 0.5
    every: int = 30

    def rate(self, epoch: float, gains: Sequence[bool]) -> float:
        return self.initial * self.factor ** (int(epoch) // self.every)


@dataclass(frozen=True)
class Plateau:
    """Times `factor` after `patience` epochs without gain, and again after as many more."""

    initial: float
    factor: float = 0.8
    patience: int = 10

    def rate(self, epoch: float, gains: Sequence[bool]) -> float:
        drops, since = 0, 0
        for gain in gains:
            since = 0 if gain else since + 1
            if since == self.patience:
                drops, since = drops + 1, 0
        return self.initial * self.factor**drops


@dataclass(frozen=True)
class OneCycle:
    """Linear warm-up from a tenth of the peak, then half a cosine down to a hundredth; for few epochs."""

    peak: float
    epochs: int
    warm_up: float = 0.15  # fraction of all epochs

    def rate(self, epoch: float, gains: Sequence[bool]) -> float:
        done = min(epoch / self.epochs, 1.0)
        if done < self.warm_up:
            return self.peak * (0.1 + 0.9 * done / self.warm_up)
        fall = (done - self.warm_up) / (1 - self.warm_up)
        return self.peak * (0.01 + 0.99 * (1 + math.cos(math.pi * fall)) / 2)


def schedule_of(config: Training) -> Schedule:
    """The schedule that a training's settings name."""
    if config.schedule == "step":
        return Step(config.learning_rate)
    if config.schedule == "plateau":
        return Plateau(config.learning_rate)
    if config.schedule == "one_cycle":
        return OneCycle(config.learning_rate, config.epochs)
    return Constant(config.learning_rate)


def epochs_without_gain(gains: Sequence[bool]) -> int:
    """Epochs since the last gain; the stop rule compares this with its patience."""
    return next((age for age, gain in enumerate(reversed(gains)) if gain), len(gains))
