"""Seconds a nodule of the 107 radiomic features, beside MIRP, PyRadiomics and Nyxus on the same lesions.

python benchmarks/radiomics_speed.py NODULES                        ours on all nodules: one core and two
python benchmarks/radiomics_speed.py NODULES --peer mirp=PYTHON     another library, run by an interpreter that has it

NODULES is a folder with cases.csv (case_id, patient_id, image, mask). Peers pin other versions of NumPy and pandas, so
each lives in an environment of its own; `--peer` may be given several times, `--every 20` takes each twentieth nodule
for them. Reading the files is not counted for us and PyRadiomics; MIRP and Nyxus read them themselves.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS")
Pair = tuple[Path, Path]


def pairs_of(folder: Path, every: int) -> list[Pair]:
    """Image and mask of each n-th case."""
    with (folder / "cases.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))[::every]
    return [(folder / row["image"], folder / row["mask"]) for row in rows]


def timed(measure: Callable[[Pair], object], pairs: list[Pair]) -> list[float]:
    """Seconds each; the first is measured once before, so that nothing is loaded on the clock."""
    measure(pairs[0])
    found = []
    for pair in pairs:
        begin = time.perf_counter()
        measure(pair)
        found.append(time.perf_counter() - begin)
    return found


def ours(pairs: list[Pair]) -> list[float]:
    """Seconds of `features` with its defaults: 1 mm, B-spline, bins of 25 HU."""
    from hounsfield.radiomics.extract import features
    from hounsfield.volume.read import read_mask, read_volume

    loaded = {}
    for pair in pairs:
        image = read_volume(pair[0])
        loaded[pair] = (image, read_mask(pair[1], like=image))

    def measure(pair: Pair) -> object:
        image, mask = loaded[pair]
        return features(image.array, mask.array, spacing_mm=image.spacing_mm)

    return timed(measure, pairs)


def mirp(pairs: list[Pair]) -> list[float]:
    """Seconds of MIRP with the same settings and IBSI's families alone."""
    import logging
    import warnings

    from mirp import extract_features

    logging.disable(logging.INFO)
    warnings.simplefilter("ignore")
    settings = {
        "image_modality": "ct",
        "new_spacing": 1.0,
        "spline_order": 3,
        "anti_aliasing": False,
        "resegmentation_intensity_range": [-1000.0, 400.0],
        "base_discretisation_method": "fixed_bin_size",
        "base_discretisation_bin_width": 25.0,
        "base_feature_families": ["morph", "stat", "ih", "cm", "rlm", "szm", "ngtdm", "ngldm"],
    }
    return timed(lambda pair: extract_features(image=str(pair[0]), mask=str(pair[1]), **settings), pairs)


def pyradiomics(pairs: list[Pair]) -> list[float]:
    """Seconds of PyRadiomics with the same settings."""
    import logging

    import SimpleITK as sitk
    from radiomics.featureextractor import RadiomicsFeatureExtractor

    logging.getLogger("radiomics").setLevel(logging.CRITICAL)
    loaded = {pair: [sitk.ReadImage(str(path)) for path in pair] for pair in pairs}
    extractor = RadiomicsFeatureExtractor(
        binWidth=25, resampledPixelSpacing=[1, 1, 1], interpolator="sitkBSpline", resegmentRange=[-1000, 400]
    )
    return timed(lambda pair: extractor.execute(*loaded[pair]), pairs)


def nyxus(pairs: list[Pair]) -> list[float]:
    """Seconds of Nyxus, all its 3-D features of the image as it is (it resamples nothing), one thread."""
    from nyxus import Nyxus3D

    engine = Nyxus3D(features=["*3D_ALL*"], ibsi=True, n_feature_calc_threads=1)

    def measure(pair: Pair) -> object:
        return engine.featurize_files([str(pair[0])], [str(pair[1])], False)

    return timed(measure, pairs)


PEERS = {"mirp": mirp, "pyradiomics": pyradiomics, "nyxus": nyxus}


def peer(name: str, python: str, folder: Path, every: int) -> list[float]:
    """Runs this file by another interpreter; it prints its seconds as JSON on the last line."""
    environment = {**os.environ, **dict.fromkeys(THREADS, "1")}
    words = [python, str(Path(__file__).resolve()), str(folder), "--every", str(every), "--side", name]
    done = subprocess.run(words, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        sys.exit(f"{name}: {done.stderr.strip().splitlines()[-1]}")
    return list(json.loads(done.stdout.strip().splitlines()[-1]))


def all_cores(folder: Path) -> dict[int, float]:
    """Nodules a second of the whole table from files, on one and two cores; the faster of three runs in turn, so that
    neither side has the quieter hours. Workers are started before: that takes 0.7 s each, once."""
    from hounsfield.radiomics.table import measure_cases
    from hounsfield.tables.cases import read_cases

    cases = read_cases(folder / "cases.csv")
    rates = {1: 0.0, 2: 0.0}
    for workers in (1, 2, 1, 2, 1, 2):
        measure_cases(cases.cases()[:20], workers=workers)
        with tempfile.TemporaryDirectory() as cache:
            begin = time.perf_counter()
            found = measure_cases(cases, cache=Path(cache), workers=workers)
            seconds = time.perf_counter() - begin
        rates[workers] = max(rates[workers], len(found.frame) / seconds)
        print(f"{workers} core(s): {len(found.frame)} nodules in {seconds:.1f} s", file=sys.stderr)
    return rates


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=int, default=20, help="peers measure each n-th nodule")
    parser.add_argument("--peer", action="append", default=[], help="NAME=PYTHON of mirp, pyradiomics, nyxus")
    parser.add_argument("--side", choices=PEERS, help="used by this program itself")
    given = parser.parse_args()
    if given.side:
        print(json.dumps(PEERS[given.side](pairs_of(given.folder, given.every))))
        return
    for name in THREADS:
        os.environ.setdefault(name, "1")
    sides = [("ours, all nodules", ours(pairs_of(given.folder, 1)))]
    if given.peer:
        sides.append((f"ours, each {given.every}th", ours(pairs_of(given.folder, given.every))))
    for text in given.peer:
        name, _, python = text.partition("=")
        sides.append((name, peer(name, python, given.folder, given.every)))
    print("| library | nodules | seconds a nodule, mean | median | slowest |\n|---|---|---|---|---|")
    for name, seconds in sides:
        numbers = (statistics.mean(seconds), statistics.median(seconds), max(seconds))
        print(f"| {name} | {len(seconds)} | " + " | ".join(f"{value:.3f}" for value in numbers) + " |")
    rates = all_cores(given.folder)
    print(f"\nFrom files to table: {rates[1]:.0f} nodules a second on one core, {rates[2]:.0f} on two", end=" ")
    print(f"({rates[2] / rates[1]:.2f} times).")


if __name__ == "__main__":
    main()
