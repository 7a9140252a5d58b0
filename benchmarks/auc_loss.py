"""The pairwise AUC loss, forward and backward: its own choice of sum beside the table of all pairs, time and memory.

One thread, best of many. Prints one table. Run: python benchmarks/auc_loss.py [--small]
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from datetime import date

import torch

from hounsfield.losses.pairwise_auc import pair_sum, sum_by_pairs

SIZES = (16, 128, 512, 2048, 100_000)
LARGEST_TABLE = 4096  # outputs of a class; a table of 100,000 by 100,000 takes 40 GB


def measured(function: Callable[..., torch.Tensor], count: int, repeats: int) -> float:
    """Best time in ms of a forward and a backward pass over `count` x `count` pairs."""
    chance = torch.Generator().manual_seed(count)
    best = float("inf")
    for _ in range(repeats):
        positive, negative = (torch.rand(count, generator=chance, requires_grad=True) for _ in range(2))
        start = time.perf_counter()
        function(positive, negative, gamma=0.2).backward()
        best = min(best, time.perf_counter() - start)
    return 1000 * best


def stored(function: Callable[..., torch.Tensor], count: int) -> float:
    """MB that the graph keeps between the two passes."""
    kept: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    positive, negative = (torch.rand(count, requires_grad=True) for _ in range(2))
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        function(positive, negative, gamma=0.2)
    return sum(kept.values()) / 2**20


def main() -> None:
    torch.set_num_threads(1)
    repeats = 5 if "--small" in sys.argv else 50
    print(f"{date.today()}, {os.cpu_count()} cores, one thread, best of {repeats}: {' '.join(sys.argv)}\n")
    print("| outputs of each class | ms | MB kept | table of pairs, ms | its MB |\n|---|---|---|---|---|")
    for count in SIZES[:-1] if "--small" in sys.argv else SIZES:
        ours = f"{measured(pair_sum, count, repeats):.2f} | {stored(pair_sum, count):.2f}"
        table = "– | –"
        if count <= LARGEST_TABLE:
            table = f"{measured(sum_by_pairs, count, repeats):.2f} | {stored(sum_by_pairs, count):.2f}"
        print(f"| {count} | {ours} | {table} |", flush=True)


if __name__ == "__main__":
    main()
