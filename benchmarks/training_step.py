"""Time of a training step of the nodule classifier: a plain PyTorch float32 loop beside this package's, one table out.

The plain loop has torch's defaults (memory layout, Adam) and no augmentation; ours is `hounsfield.fit.loop.train` as it
is used, augmentation and validation included, with and without compilation. Ways are measured in turns, and the
fastest turn counts, because other work on the machine only ever adds time.
`--auc` trains both on the same cases from three seeds and compares validation AUC.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file

from hounsfield import nets
from hounsfield.core.seeds import derive
from hounsfield.data.augment import Augmentation, augment
from hounsfield.data.batches import Tensors, shuffled
from hounsfield.fit.hardware import choose
from hounsfield.fit.loop import train
from hounsfield.fit.tasks import ClassifyTask
from hounsfield.fit.training import Training
from hounsfield.nets.apply import apply
from hounsfield.stats.auc import auc

BATCH = 24


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-compile", action="store_true", help="leave the compiled loop out (it takes a minute)")
    parser.add_argument("--auc", action="store_true", help="also compare validation AUC over three seeds")
    parser.add_argument(
        "--cases", type=Path, help="safetensors file with image (N,1,32,32,32) and label (N,) for --auc"
    )
    parser.add_argument("--epochs", type=int, default=8, help="for --auc")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print_times(arguments.rounds, compiled=not arguments.no_compile)
    if arguments.auc:
        print_auc(spheres(240) if arguments.cases is None else read(arguments.cases), arguments.epochs)


def print_times(rounds: int, *, compiled: bool) -> None:
    """Measures all ways in turns and prints the table."""
    hardware = choose(Training(), steps=10**6)
    ways: dict[str, Callable[[], float]] = {"plain float32 loop": plain_step, "ours": ours_step("off")}
    if compiled:
        ways["ours, compiled"] = ours_step("on")
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            times[name].append(way())
    base = min(times["plain float32 loop"])
    print(
        f"torch {torch.__version__}, {torch.get_num_threads()} threads, batch {BATCH} of 32^3, {hardware.precision}\n"
    )
    print("| way | fastest turn, s a step | median | times the plain loop |")
    print("|---|---|---|---|")
    for name, values in times.items():
        median = sorted(values)[len(values) // 2]
        print(f"| {name} | {min(values):.3f} | {median:.3f} | {base / min(values):.2f} |")


def plain_step() -> float:
    """Seconds of the fastest of three steps of the plain loop, after one to warm up."""
    network = nets.build("nodule_classifier", seed=0).train()
    adam = torch.optim.Adam(network.parameters(), lr=1e-4, weight_decay=1e-4)
    image, label = torch.randn(BATCH, 1, 32, 32, 32), torch.arange(BATCH) % 2
    seconds = []
    for _ in range(4):
        start = time.perf_counter()
        adam.zero_grad()
        torch.autograd.backward(torch.nn.functional.cross_entropy(network(image), label))
        adam.step()
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:])


def ours_step(compile: str) -> Callable[[], float]:
    """A function that trains for four epochs of three steps and gives the seconds a step of the fastest epoch."""
    training, validation = spheres(3 * BATCH), spheres(2)

    def measure() -> float:
        network = nets.build("nodule_classifier", seed=0)
        config = Training.model_validate({"epochs": 4, "batch_size": BATCH, "compile": compile, "device": "cpu"})
        fitted = train(network, ClassifyTask(), training, validation, config, seed=0)
        return float(min(row["seconds"] for row in fitted.history[1:])) / 3

    return measure


def print_auc(cases: Tensors, epochs: int) -> None:
    """Trains both ways from three seeds on the first three quarters and prints AUC on the last quarter."""
    edge = len(cases) * 3 // 4
    training, validation = cases.take(range(edge)), cases.take(range(edge, len(cases)))
    print("\n| seed | AUC, plain loop | AUC, ours | difference |\n|---|---|---|---|")
    differences = []
    for seed in range(3):
        values = [auc_of(way(training, validation, epochs, seed), validation) for way in (plain_train, our_train)]
        differences.append(values[1] - values[0])
        print(f"| {seed} | {values[0]:.4f} | {values[1]:.4f} | {differences[-1]:+.4f} |")
    print(f"\nmean difference {sum(differences) / 3:+.4f} (allowed: 0.005)")


def plain_train(training: Tensors, validation: Tensors, epochs: int, seed: int) -> torch.nn.Module:
    """The plain loop, last epoch; it draws what ours draws, so that what remains is the way of computing."""
    network = nets.build("nodule_classifier", seed=seed).train()
    adam = torch.optim.Adam(network.parameters(), lr=1e-4, weight_decay=1e-4)
    for epoch in range(epochs):
        chance = torch.Generator().manual_seed(derive(seed, "cases", epoch))
        torch.manual_seed(derive(seed, "dropout", epoch))
        for index in shuffled(len(training), BATCH, chance):
            batch = augment(training.take(index), Augmentation(), chance)
            adam.zero_grad()
            torch.autograd.backward(ClassifyTask().loss(network, batch))
            adam.step()
    return network


def our_train(training: Tensors, validation: Tensors, epochs: int, seed: int) -> torch.nn.Module:
    """This package's loop at the same constant rate, last epoch: selection would hide a difference."""
    network = nets.build("nodule_classifier", seed=seed)
    config = Training(epochs=epochs, batch_size=BATCH, schedule="constant")
    last = train(network, LastEpoch(), training, validation, config, seed=seed)
    return last.network


class LastEpoch(ClassifyTask):
    """Ranks every epoch alike but for its number, which grows, so that the last one is kept."""

    def metrics(self, outputs: dict[str, torch.Tensor]) -> dict[str, float]:
        return {**super().metrics(outputs), "time": time.monotonic()}

    def rank(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        return (metrics["time"],)


def auc_of(network: torch.nn.Module, cases: Tensors) -> float:
    prob = apply(network, cases.image).prob
    assert prob is not None
    assert cases.label is not None
    return float(auc(cases.label.numpy(), prob[:, 1].numpy()))


def read(path: Path) -> Tensors:
    stored = load_file(path)
    return Tensors(stored["image"].float(), label=stored["label"].long())


def spheres(count: int) -> Tensors:
    """Noisy balls; the class shifts the mean radius by about its spread, so that AUC stays away from 1."""
    draw = torch.Generator().manual_seed(count)
    label = torch.randint(0, 2, (count,), generator=draw)
    label[:2] = torch.tensor([0, 1])
    radius = 7 + 1.5 * label + torch.randn(count, generator=draw)
    axis = torch.arange(32) - 16.0
    distance = (axis[:, None, None] ** 2 + axis[None, :, None] ** 2 + axis[None, None, :] ** 2).sqrt()
    ball = (distance[None] < radius[:, None, None, None])[:, None]
    noise = 0.15 * torch.randn(count, 1, 32, 32, 32, generator=draw)
    return Tensors(torch.where(ball, -0.1, -0.7) + noise, label=label)


if __name__ == "__main__":
    main()
