"""Lung masks of a whole CT: seconds, peak memory and Dice against the truth; prints one Markdown table.

    python benchmarks/lung_masks.py [SLICES SIZE] [--cores 2]

The CT is the phantom's thorax at the size of an adult (330 mm across), 1 mm slices and 0.7 mm pixels with noise, by
default 300 slices of 512 x 512. Drawing it is done in a process of its own, so that the peak is that of the
segmentation and its input (157 MB of int16).
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

SPACING = (1.0, 0.7, 0.7)
WIDTH_MM = 330.0


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("slices", nargs="?", type=int, default=300)
    parser.add_argument("size", nargs="?", type=int, default=512)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--draw", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.draw:
        draw(options.draw, (options.slices, options.size, options.size))
        return
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.cores])
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "chest.npz"
        command = [sys.executable, __file__, str(options.slices), str(options.size), "--draw", str(file)]
        subprocess.run(command, check=True)
        print(f"| {options.slices} slices of {options.size} x {options.size}, {options.cores} cores | aim | reached |")
        print("|---|---|---|")
        measure(file)


def draw(file: Path, shape: tuple[int, int, int]) -> None:
    from hounsfield.phantom.shapes import ellipsoid_mm, grid_mm
    from hounsfield.phantom.thorax import Thorax, draw_thorax, lungs_of

    thorax = Thorax(width_mm=WIDTH_MM, length_mm=shape[0] * SPACING[0] / 2)  # half: both ends of the lungs are seen
    grid = grid_mm(shape, SPACING, zero_at=tuple((n - 1) / 2 for n in shape))
    rng = np.random.default_rng(0)
    image = draw_thorax(grid, thorax, rng)
    image += rng.normal(0, 30, shape).astype(np.float32)
    truth = np.zeros(shape, dtype=np.uint8)
    for side, lung in enumerate(lungs_of(thorax), start=1):
        truth[ellipsoid_mm(grid, lung.centre_mm, lung.radii_mm) < 0] = side
    np.savez(file, image=np.clip(np.rint(image), -1024, 3071).astype(np.int16), truth=truth)


def measure(file: Path) -> None:
    from hounsfield.volume.lungs import lung_masks
    from hounsfield.volume.volume import Volume

    with np.load(file) as made:
        volume = Volume(made["image"], SPACING)
    start = time.perf_counter()
    lungs = lung_masks(volume)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    with np.load(file) as made:
        truth = made["truth"]
    both = [
        2 * np.sum((lungs.labels == s) & (truth == s)) / np.sum((lungs.labels == s) * 1 + (truth == s)) for s in (1, 2)
    ]
    print(f"| seconds | 15 | {seconds:.1f} |")
    print(f"| peak memory, GB | 3 | {peak:.2f} |")
    print(f"| Dice, right and left | 0.98 | {both[0]:.4f}, {both[1]:.4f} |")


if __name__ == "__main__":
    main()
