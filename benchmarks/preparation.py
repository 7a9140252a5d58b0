"""Preparation of a table of lesions, ours against MONAI's own dictionary pipeline on the same cores; prints one
Markdown table.

    python benchmarks/preparation.py [FOLDER] [--cores 2] [--limit N]

FOLDER holds cases.csv, images/ and masks/ (default ../shared/data/lidc-nodules: 792 nodules of LIDC-IDRI). Each side
runs in a process of its own, pinned to the same cores, with one thread a worker. Ours, "cold": an empty cache; it also
hashes files, measures size and density on the native grid and writes the cache, which MONAI's side does not do.
"warm": the same again. MONAI: LoadImaged, EnsureChannelFirstd, Spacingd, crop and pad about the mask's centroid,
ScaleIntensityRanged with clipping, in its DataLoader.

Equality: the two must sample the same points, so ours runs with grid="first_voxel" (MONAI's rule: the first voxel
    keeps its centre) there;
the default rule "extent" keeps the outer faces instead and is timed in a row of its own. A mask voxel exactly half-way
between two source voxels goes either way in MONAI (by rounding error); where that moves the centroid to another voxel,
the cubes are compared at MONAI's centre. Their number is printed. An axis whose spacing is within 0.001 mm of the
wanted one is not resampled by MONAI; such cases (0.69921875 against 0.7 mm) are compared at the spacing that MONAI
leaves.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
AIR_HU = -1024.0
MONAI_LEAVES_MM = 1e-3  # Spacingd does not resample an axis whose spacing is this near to the wanted one


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT.parent / "shared" / "data" / "lidc-nodules")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--limit", type=int, default=0, help="only the first so many cases")
    parser.add_argument("--side", choices=("extent", "first_voxel", "monai"), help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not (options.folder / "cases.csv").is_file():
        print(f"Preparation: skipped, no cases.csv in {options.folder.name}; give the folder as an argument.")
        return
    if options.side:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.cores])
        run = run_monai if options.side == "monai" else run_ours
        report = run(options)
        stop_workers()
        children, own = (resource.getrusage(who) for who in (resource.RUSAGE_CHILDREN, resource.RUSAGE_SELF))
        # ru_maxrss of the children is that of the largest one: an upper bound for all of them is their number times it.
        report["peak_mb"] = (own.ru_maxrss + options.cores * children.ru_maxrss) / 1024
        (options.out / f"{options.side}.json").write_text(json.dumps(report))
        return
    with tempfile.TemporaryDirectory() as name:
        reports = {side: run_side(side, options, Path(name)) for side in ("extent", "first_voxel", "monai")}
        print_table(reports, compare(Path(name), the_cases(options)), options)


def run_side(side: str, options: argparse.Namespace, out: Path) -> dict[str, float]:
    """Runs one side in a fresh process, so that none profits from what the other has loaded."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    command = [sys.executable, __file__, str(options.folder), "--side", side, "--out", str(out)]
    command += ["--cores", str(options.cores), "--limit", str(options.limit)]
    subprocess.run(command, check=True, env={**os.environ, **threads})
    report: dict[str, float] = json.loads((out / f"{side}.json").read_text())
    return report


def stop_workers() -> None:
    """Ends joblib's idle workers, whose memory the system counts only when they are gone."""
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor().shutdown(wait=True)


def the_cases(options: argparse.Namespace) -> list[Any]:
    from hounsfield.tables.cases import read_cases

    cases = read_cases(options.folder / "cases.csv").cases()
    return cases[: options.limit or len(cases)]


def run_ours(options: argparse.Namespace) -> dict[str, float]:
    from hounsfield.data.prepare import Preparation, prepare_cases

    cases, config = the_cases(options), Preparation(grid=options.side)
    times = []
    with tempfile.TemporaryDirectory(dir=options.out) as cache:
        for _ in range(2):
            start = time.perf_counter()
            found = prepare_cases(cases, config, Path(cache), workers=options.cores)
            times.append(time.perf_counter() - start)
    np.savez(options.out / f"{options.side}.npz", images=found.images, masks=found.masks)
    return {"cold": times[0], "warm": times[1], "cases": len(found), "set_aside": len(found.set_aside)}


def run_monai(options: argparse.Namespace) -> dict[str, float]:
    import torch
    from monai.data import DataLoader, Dataset

    torch.set_num_threads(1)
    cases = the_cases(options)
    records = [{"image": str(case.image), "mask": str(case.mask)} for case in cases]
    start = time.perf_counter()
    loader = DataLoader(
        Dataset(records, monai_pipeline()), batch_size=None, num_workers=options.cores, collate_fn=as_it_is
    )
    prepared = [(item["image"][0].numpy(), item["mask"][0].numpy(), item["centre"]) for item in loader]
    cold = time.perf_counter() - start
    images, masks, centres = (np.stack([np.asarray(one[k]) for one in prepared]) for k in range(3))
    # MONAI's axes are (x, y, z) of the file
    np.savez(
        options.out / "monai.npz",
        images=images.transpose(0, 3, 2, 1),
        masks=masks.transpose(0, 3, 2, 1).astype(np.uint8),
        centres=centres[:, ::-1],
    )
    return {"cold": cold, "cases": len(prepared), "set_aside": 0}


def as_it_is(item: Any) -> Any:
    return item


def monai_pipeline() -> Any:
    from monai.transforms import (
        BorderPad,
        Compose,
        EnsureChannelFirstd,
        Lambda,
        LoadImaged,
        ScaleIntensityRanged,
        Spacingd,
        SpatialCropd,
    )

    keys = ["image", "mask"]

    def cut(item: dict[str, Any]) -> dict[str, Any]:
        centre = np.floor(np.argwhere(item["mask"][0].numpy() > 0).mean(axis=0) + 0.5).astype(int)
        # SpatialCropd trims what lies outside the image: what is missing is padded first, on its own side.
        before, after = np.maximum(16 - centre, 0), np.maximum(centre + 16 - item["mask"].shape[1:], 0)
        borders = [int(value) for pair in zip(before, after, strict=True) for value in pair]
        item["image"] = BorderPad(borders, mode="constant", value=AIR_HU)(item["image"])
        item["mask"] = BorderPad(borders, mode="constant", value=0)(item["mask"])
        start = centre + before - 16
        cropped: dict[str, Any] = SpatialCropd(keys, roi_start=start.tolist(), roi_end=(start + 32).tolist())(item)
        return {**cropped, "centre": centre}

    return Compose(
        [
            LoadImaged(keys),
            EnsureChannelFirstd(keys),
            Spacingd(keys, pixdim=(0.7, 0.7, 1.0), mode=("bilinear", "nearest"), padding_mode="border"),
            Lambda(cut),
            ScaleIntensityRanged(["image"], -1024, 400, -1, 1, clip=True),
        ]
    )


def compare(out: Path, cases: list[Any]) -> dict[str, float]:
    """Largest difference of the image cubes, and how many cases needed MONAI's centre for the comparison."""
    from hounsfield.data.prepare import Preparation, prepare_case, read_case

    ours, theirs = np.load(out / "first_voxel.npz"), np.load(out / "monai.npz")
    images, masks, expected = ours["images"], ours["masks"], theirs["images"]
    same = [np.array_equal(a, b) for a, b in zip(masks, theirs["masks"], strict=True)]
    target = np.asarray(Preparation().spacing_mm)
    apart = []
    for number, case in enumerate(cases):
        cube = images[number]
        image, _ = read_case(case)
        spacing = np.asarray(image.spacing_mm)
        left = (np.abs(spacing - target) <= MONAI_LEAVES_MM) & (spacing != target)
        if left.any() or not same[number]:
            used = np.where(left, spacing, target)
            config = Preparation(grid="first_voxel", spacing_mm=tuple(float(value) for value in used))
            # The last centre may lie half a new voxel beyond the image; the point itself must lie inside.
            index = np.minimum(theirs["centres"][number] * used / spacing, np.asarray(image.shape) - 0.6)
            cube = prepare_case(image, None, config, centre_mm=tuple(image.to_world(index)[0])).image
        apart.append(float(np.abs(cube - expected[number]).max()))
    return {"largest": max(apart), "equal_masks": sum(same), "apart": sum(one > 1e-3 for one in apart), "of": len(same)}


def print_table(reports: dict[str, dict[str, float]], equal: dict[str, float], options: argparse.Namespace) -> None:
    monai = reports["monai"]["cold"]
    print(
        f"Preparation of {int(reports['monai']['cases'])} nodules, {options.cores} cores, {date.today()}: "
        f"`{' '.join(['python', *sys.argv])}`\n"
    )
    print("| preparation | seconds | times MONAI's speed | peak memory, MB |")
    print("|---|---|---|---|")
    names = {"extent": "ours (default grid)", "first_voxel": "ours (MONAI's grid)"}
    for side, name in names.items():
        report = reports[side]
        print(f"| {name}, cold cache | {report['cold']:.1f} | {monai / report['cold']:.1f} | {report['peak_mb']:.0f} |")
        print(f"| {name}, warm cache | {report['warm']:.1f} | {monai / report['warm']:.1f} | |")
    print(f"| MONAI dictionary transforms | {monai:.1f} | 1.0 | {reports['monai']['peak_mb']:.0f} |\n")
    print(
        f"On MONAI's grid {equal['equal_masks']:.0f} of {equal['of']:.0f} mask cubes are identical; the image cubes, "
        "all "
        f"compared at one centre, differ by at most {equal['largest']:.1e} ({equal['apart']:.0f} by more than 1e-3)."
    )


if __name__ == "__main__":
    main()
