"""The training loop: network, task, two parts of the cases, settings and a seed in; the best weights and a history out.

It runs on Lightning Fabric, which places network and data and sets the precision. All chance of an epoch (order,
augmentation, dropout) comes from the seed and the epoch's number, so a training killed at any moment and started again
ends with the same bytes on the same machine.
"""

from __future__ import annotations

import copy
import math
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import nn

from hounsfield.core.content import sha256_of
from hounsfield.core.errors import RunError
from hounsfield.core.progress import Progress, silent
from hounsfield.core.seeds import derive
from hounsfield.data.augment_affine import augmented
from hounsfield.data.batches import Tensors, shuffled
from hounsfield.data.two_class_sampler import two_class_batches
from hounsfield.fit.checkpoint import Checkpoint, Named, load, save
from hounsfield.fit.hardware import Hardware, choose, freed_memory_kept
from hounsfield.fit.schedule import Schedule, epochs_without_gain, schedule_of
from hounsfield.fit.tasks import Outputs, Task
from hounsfield.fit.training import Training
from hounsfield.nets.freezing import rate_groups

_OPTIMISERS: dict[str, Any] = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


@dataclass(frozen=True)
class Fitted:
    """A finished training.

    Attributes:
        network: with the weights of the best epoch loaded, in evaluation mode, on the CPU.
        history: one dict per epoch: epoch, rate, loss, seconds, gain, and the task's validation metrics.
        best_epoch: index into `history`.
    """

    network: nn.Module
    history: list[dict[str, Any]]
    best_epoch: int


def train(
    network: nn.Module,
    task: Task,
    training: Tensors,
    validation: Tensors,
    config: Training,
    *,
    seed: int,
    folder: Path | None = None,
    label: str = "training",
    progress: Progress = silent,
) -> Fitted:
    """Trains `network` in place; goes on from the checkpoint in `folder` when there is one.

    Args:
        network: freshly built, or with the weights to fine-tune.
        folder: where checkpoints go; None keeps none.
        label: what the progress bar says.
    Raises: RunError when a part does not fit the task, the loss is not a number, no epoch may be chosen, or `folder`
        holds another training's checkpoint.
    """
    _check(task, training, validation, config)
    steps = config.epochs * math.ceil(len(training) / config.batch_size)
    run = _Run(network, task, training, validation, config, seed, choose(config, steps=steps))
    fingerprint = run.fingerprint() if folder is not None else ""
    found = load(folder, fingerprint) if folder is not None else None
    if found is not None:
        run.restore(found)
    written = time.monotonic()
    with freed_memory_kept() if run.fabric.device.type == "cpu" else nullcontext():
        for epoch in progress(range(len(run.history), config.epochs), config.epochs - len(run.history), label):
            if run.over():
                break
            run.one_epoch(epoch)
            if folder is not None and time.monotonic() - written >= config.checkpoint_s:
                save(run.checkpoint(fingerprint, finished=False), folder)
                written = time.monotonic()
    if folder is not None and not (found and found.finished):
        save(run.checkpoint(fingerprint, finished=True), folder)
    return run.fitted()


def _check(task: Task, training: Tensors, validation: Tensors, config: Training) -> None:
    task.check(training, "training")
    task.check(validation, "validation")
    if config.loss != task.loss_name:
        raise RunError(
            f"the settings ask for the loss '{config.loss}', and this stage learns the class by '{task.loss_name}'; "
            "take loss out of its settings, or train an arm whose stage takes a loss by name."
        )
    if len(validation) == 0:
        raise RunError("the validation part is empty, and it chooses the epoch; give it at least one case.")


class _Run:
    """The moving parts of one training."""

    def __init__(
        self,
        network: nn.Module,
        task: Task,
        training: Tensors,
        validation: Tensors,
        config: Training,
        seed: int,
        hardware: Hardware,
    ) -> None:
        if config.threads:
            torch.set_num_threads(config.threads)
        self.network, self.task, self.config, self.seed, self.hardware = network, task, config, seed, hardware
        self.initial = {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}
        self.training, self.validation = training, validation
        self.schedule: Schedule = schedule_of(config)
        self.history: list[dict[str, Any]] = []
        self.best: Named = {}
        self.finished = False
        self._set_up()

    def _set_up(self) -> None:
        accelerator = self.hardware.device.type
        devices: Any = [self.hardware.device.index] if self.hardware.device.index is not None else 1
        precision: Any = self.hardware.precision
        self.fabric = Fabric(accelerator=accelerator, devices=devices, precision=precision)
        # Channels last is the layout the convolution kernels of both CPU and GPU work in: no re-ordering each step.
        # (torch's type stubs know only the two-dimensional memory formats.)
        self.network.to(self.fabric.device, memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        adam = _OPTIMISERS[self.config.optimiser](
            rate_groups(self.network, self.config.rates),
            lr=self.config.learning_rate,
            weight_decay=self.config.weight_decay,
            fused=True,
        )
        # With torch's own random numbers dropout draws the same whether compiled or not.
        options: Any = {"fallback_random": True}
        called: Any = torch.compile(self.network, options=options) if self.hardware.compiled else self.network
        self.called, self.adam = self.fabric.setup(called, adam)
        self.training, self.validation = (part.to(self.fabric.device) for part in (self.training, self.validation))

    def one_epoch(self, epoch: int) -> None:
        """One pass over the training part, then the validation part; appends to the history."""
        start = time.perf_counter()
        with torch.random.fork_rng(devices=self._cuda()):
            torch.manual_seed(derive(self.seed, "dropout", epoch))
            loss, rate = self._pass(epoch)
        metrics = self.task.metrics(self._validate())
        rank = self.task.rank(metrics)
        gain = all(math.isfinite(value) for value in rank) and (
            not self.best or rank > self.task.rank(self.history[self.best_epoch()])
        )
        if gain:
            self.best = {name: value.detach().cpu().clone() for name, value in self.network.state_dict().items()}
        seconds = time.perf_counter() - start
        self.history.append({"epoch": epoch, "rate": rate, "loss": loss, **metrics, "gain": gain, "seconds": seconds})

    def _pass(self, epoch: int) -> tuple[float, float]:
        generator = torch.Generator().manual_seed(derive(self.seed, "cases", epoch))
        batches = self._batches(generator)
        self.called.train()
        self.task.begin_epoch()
        total, seen, rate = torch.zeros((), device=self.fabric.device), 0, 0.0
        for step, index in enumerate(batches):
            rate = self.schedule.rate(epoch + step / len(batches), self.gains())
            for group in self.adam.param_groups:
                group["lr"] = rate * group["factor"]
            batch = augmented(self.training.take(index), self.config.augmentation, generator)
            learns = self.task.learns_from(batch)
            self.adam.zero_grad(set_to_none=True)
            # One graph is compiled, that of a whole batch; a smaller last one takes the network as it is.
            network = self.called if len(index) == self.config.batch_size else self.network
            with self.fabric.autocast():
                loss = self.task.loss(network, batch)
            if not learns:
                # Adam moves weights by decay and momentum even where the gradient is zero: no step at all.
                continue
            self.fabric.backward(loss)
            self.adam.step()
            total += loss.detach() * len(index)
            seen += len(index)
        if seen == 0:
            raise RunError(
                f"no batch of epoch {epoch} could be learnt from: each held one class only. Use sampler: two_class, "
                "or a larger batch_size."
            )
        mean = float(total) / seen
        if not math.isfinite(mean):
            raise RunError(
                f"the training loss of epoch {epoch} is {mean}; lower learning_rate (now {rate:g}) or "
                "check the cubes for NaN."
            )
        return mean, rate

    def _batches(self, generator: torch.Generator) -> list[torch.Tensor]:
        if self.config.sampler == "shuffled":
            return shuffled(len(self.training), self.config.batch_size, generator)
        if self.training.label is None:
            raise RunError("sampler: two_class takes labels, and this stage has none; use sampler: shuffled.")
        return two_class_batches(self.training.label, self.config.batch_size, generator)

    def _validate(self) -> Outputs:
        self.network.eval()
        with torch.no_grad(), self.fabric.autocast():
            index = torch.split(torch.arange(len(self.validation)), self.config.batch_size)
            parts = [self.task.outputs(self.network, self.validation.take(part)) for part in index]
        return {name: torch.cat([part[name] for part in parts]).cpu() for name in parts[0]}

    def gains(self) -> list[bool]:
        return [row["gain"] for row in self.history]

    def best_epoch(self) -> int:
        return max(index for index, gain in enumerate(self.gains()) if gain)

    def over(self) -> bool:
        """Whether the stop rule ends the training before its last epoch."""
        if self.finished or not self.history:
            return self.finished
        unfit = not math.isfinite(self.task.rank(self.history[-1])[0])
        return unfit or epochs_without_gain(self.gains()) >= self.config.stop_patience

    def fingerprint(self) -> str:
        """Of all that decides the result: settings, task, seed, data and initial weights."""
        how = {"checkpoint_s"}
        weights = {name: sha256_of(value.numpy()) for name, value in self.initial.items()}
        settings = self.config.model_dump(mode="json", exclude=how)
        parts = [self.training.fingerprint(), self.validation.fingerprint()]
        return sha256_of([settings, repr(self.task), self.seed, parts, weights])

    def checkpoint(self, fingerprint: str, *, finished: bool) -> Checkpoint:
        weights = {} if finished else dict(self.network.state_dict())
        adam = {} if finished else self.adam.state_dict()["state"]
        return Checkpoint(fingerprint, self.history, finished, weights, self.best, adam)

    def restore(self, found: Checkpoint) -> None:
        self.history, self.best, self.finished = copy.deepcopy(found.history), found.best, found.finished
        if not found.finished:
            self.network.load_state_dict(found.weights)
            groups = self.adam.state_dict()["param_groups"]
            weights = [weight for group in self.adam.param_groups for weight in group["params"]]
            # The moments take the memory layout of their weights, which the file does not keep: the fused step walks
            # through raw memory, and another layout would mix the values up.
            state = {
                index: {name: _laid_out_as(weight, value) for name, value in found.adam[index].items()}
                for index, weight in enumerate(weights)
                if index in found.adam  # a weight that no step has reached has no moments
            }
            self.adam.load_state_dict({"state": state, "param_groups": groups})

    def fitted(self) -> Fitted:
        if not self.best:
            raise RunError(
                "no epoch could be chosen: validation metrics are not finite, or Dice stayed below dice_floor."
            )
        self.network.load_state_dict(self.best)
        return Fitted(self.network.cpu().eval(), self.history, self.best_epoch())

    def _cuda(self) -> list[int]:
        return [self.fabric.device.index or 0] if self.fabric.device.type == "cuda" else []


def _laid_out_as(weight: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    return torch.empty_like(weight).copy_(value) if value.shape == weight.shape else value
