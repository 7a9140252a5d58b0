"""Time and memory of the statistics beside peers: AUC with paired DeLong, cluster bootstrap, surface distances, search.

Each measurement runs in a process of its own, on one thread. A peer too slow to run in full is timed on a part and
scaled, which the table says. Prints one table. Run: python benchmarks/statistics_speed.py [--small]
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Callable
from datetime import date

import numpy as np

REPEATS = 3


def delong(small: bool) -> tuple[float, float | None, str]:
    """One million cases, two scores: both AUCs, their covariance, the test. No peer on the index has DeLong."""
    from hounsfield.stats.compare import compare_auc

    n = 20_000 if small else 1_000_000
    rng = np.random.default_rng(1)
    label = rng.integers(2, size=n)
    first, second = label + rng.normal(0, 1, n), label + rng.normal(0, 1.1, n)
    start = time.perf_counter()
    compare_auc(label, first, second)
    ours = time.perf_counter() - start
    from sklearn.metrics import roc_auc_score

    start = time.perf_counter()
    roc_auc_score(label, first), roc_auc_score(label, second)
    return ours, time.perf_counter() - start, "scikit-learn, the two AUCs alone"


def bootstrap(small: bool) -> tuple[float, float | None, str]:
    """2000 resamples of the patients, AUC of 5 arms on 10,000 cases of 4000 patients."""
    from sklearn.metrics import roc_auc_score

    from hounsfield.stats.auc_bootstrap import bootstrap_auc

    n, resamples = (1000, 200) if small else (10_000, 2000)
    rng = np.random.default_rng(2)
    label, patient = rng.integers(2, size=n), rng.integers(n * 2 // 5, size=n)
    arms = [label + rng.normal(0, 1 + 0.1 * k, n) for k in range(5)]
    start = time.perf_counter()
    bootstrap_auc(label, np.array(arms), rng=np.random.default_rng(3), patient_id=patient, resamples=resamples)
    ours = time.perf_counter() - start
    loops = 20
    rows = [np.flatnonzero(patient == one) for one in range(patient.max() + 1)]
    start = time.perf_counter()
    for _ in range(loops):
        drawn = np.concatenate([rows[one] for one in rng.integers(len(rows), size=len(rows))])
        for score in arms:
            roc_auc_score(label[drawn], score[drawn])
    peer = (time.perf_counter() - start) / loops * resamples
    return ours, peer, f"loop over roc_auc_score, {loops} resamples scaled to {resamples}"


def surface(small: bool, *, half: tuple[float, float, float] = (75, 90, 90)) -> tuple[float, float | None, str]:
    """Two ellipsoids in 512 x 512 x 300 voxels: mean and 95th percentile distance."""
    import warnings

    warnings.simplefilter("ignore", FutureWarning)  # of MONAI about itself
    from monai.metrics import compute_average_surface_distance

    from hounsfield.stats.overlap import surface_distance

    scale = 6 if small else 1
    shape, spacing = (300 // scale, 512 // scale, 512 // scale), (1.0, 0.7, 0.7)

    def ellipsoid(shift: float, factor: float) -> np.ndarray:
        axes = np.ogrid[tuple(slice(0, size) for size in shape)]
        middle = [size / 2 + shift / scale for size in shape]
        radii = [factor * r / scale for r in half]
        return sum(((x - c) * s / r) ** 2 for x, c, s, r in zip(axes, middle, spacing, radii, strict=True)) <= 1

    a, b = ellipsoid(0, 1), ellipsoid(2, 0.97)
    start = time.perf_counter()
    surface_distance(a, b, spacing_mm=spacing)
    ours = time.perf_counter() - start
    import torch

    first, second = (torch.from_numpy(mask[None, None]) for mask in (a, b))
    start = time.perf_counter()
    compute_average_surface_distance(first, second, include_background=True, symmetric=True, spacing=spacing)
    return ours, time.perf_counter() - start, "MONAI, mean distance alone"


def whole_volume(small: bool) -> tuple[float, float | None, str]:
    """The same with masks that fill the volume."""
    return surface(small, half=(140, 172, 172))


def genetic(small: bool) -> tuple[float, float | None, str]:
    """100 tables, 50 generations, 1325 nodules with the printed proportions of the TI-RADS study."""
    from sklearn.metrics import roc_auc_score

    from hounsfield.guideline.genetic import AucFitness, Settings, optimise
    from hounsfield.guideline.point_table import read_point_table
    from hounsfield.guideline.population import every_combination
    from hounsfield.guideline.score import points_of

    acr = read_point_table("acr")
    everything = every_combination(acr)
    rng = np.random.default_rng(4)
    rows = rng.integers(len(everything.matrix), size=1325)
    matrix, override = everything.matrix[rows], everything.override[rows]
    risk = 1 / (1 + np.exp(4 - 0.35 * points_of(everything, acr)[rows]))
    label = (rng.random(1325) < risk).astype(float)
    free = ~acr.is_override
    settings = Settings(generations=5) if small else Settings()
    start = time.perf_counter()
    optimise(AucFitness(matrix, override, label), acr.points, free, rng=rng, settings=settings)
    ours = time.perf_counter() - start
    start = time.perf_counter()
    for _ in range(100):
        roc_auc_score(label, np.where(override, 0, matrix @ acr.points))
    peer = (time.perf_counter() - start) * (settings.generations + 1)
    return ours, peer, "loop over roc_auc_score, one generation scaled"


JOBS: dict[str, tuple[Callable[[bool], tuple[float, float | None, str]], str]] = {
    "AUC and paired DeLong, 1,000,000 cases": (delong, "2 s, 1 GB"),
    "cluster bootstrap, 5 arms, 2000 x 10,000": (bootstrap, "10 s, 50 times the peer"),
    "surface distances, liver-sized, 512 x 512 x 300": (surface, "3 s"),
    "surface distances, filling 512 x 512 x 300": (whole_volume, "3 s"),
    "genetic algorithm, 100 x 50, 1325 nodules": (genetic, "3 s"),
}


def _measured(name: str, small: bool, out: multiprocessing.Queue[tuple[float, float | None, str, float]]) -> None:
    job, _ = JOBS[name]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ours, peer, words = job(small)
    for _ in range(REPEATS - 1):
        again, peer_again, _ = job(small)
        ours, peer = min(ours, again), None if peer is None or peer_again is None else min(peer, peer_again)
    out.put((ours, peer, words, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20))


def main() -> None:
    small = "--small" in sys.argv
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    context = multiprocessing.get_context("spawn")
    print(f"{date.today()}, {os.cpu_count()} cores, one thread each, best of {REPEATS}: {' '.join(sys.argv)}\n")
    print(
        "| what | aim | seconds | peer | peer, seconds | times faster | peak GB, both |\n|---|---|---|---|---|---|---|"
    )
    for name, (_, aim) in JOBS.items():
        queue = context.Queue()
        process = context.Process(target=_measured, args=(name, small, queue))
        process.start()
        ours, peer, words, memory = queue.get()
        process.join()
        other = ("–", "–") if peer is None else (f"{peer:.2f}", f"{peer / ours:.1f}")
        print(f"| {name} | {aim} | {ours:.2f} | {words} | {other[0]} | {other[1]} | {memory:.2f} |", flush=True)


if __name__ == "__main__":
    main()
