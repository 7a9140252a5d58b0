"""The cases of the phantom study: a phantom's name and a seed in, cubes, masks and a cases table on disk out.

Parts of one seed hold the same nodules in every phantom, so that arms are compared between phantoms cube by cube; the
confounder phantom alone has its test part reversed. `probe_set` draws the test nodules once more, each touched by
vessels and by nothing else, to see what a mask lets through.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from hounsfield.catalog.splits.split import PARTS, TEST, TRAIN, VALIDATION
from hounsfield.core.progress import Progress, silent
from hounsfield.core.seeds import derive
from hounsfield.phantom.cubes import CubeConfig, CubeSet, clean_cubes, confounder_cubes, draw_cubes
from hounsfield.tables.cases import write_cases
from hounsfield.volume.volume import Volume
from hounsfield.volume.write import write_volume

CLEAN, CONFOUNDER, NO_SIGNAL, SHAPE_LEAK = PHANTOMS = ("clean", "confounder", "no_signal", "shape_leak")
CLASSES = ("A", "B")

# Two classes whose core fractions overlap, so that the best possible accuracy lies well below 1.
CONFIG = CubeConfig(core_means=(0.1, 0.25), core_sd=0.06, size=16, spacing_mm=(1.2, 1.2, 1.2))
# Smaller, because the longest axis is stretched by 2^(2/3) and has to stay inside the cube.
LEAK_CONFIG = replace(CONFIG, radius_mm=(3.0, 5.0))


@dataclass(frozen=True)
class Sizes:
    """Cubes in each part."""

    train: int
    validation: int
    test: int

    def of(self, part: str) -> int:
        return {TRAIN: self.train, VALIDATION: self.validation, TEST: self.test}[part]


QUICK = dict.fromkeys(PHANTOMS, Sizes(48, 24, 48))
# Where nothing or only an outline is to be learnt, half the training cubes show as much.
FULL = {
    CLEAN: Sizes(480, 120, 480),
    CONFOUNDER: Sizes(480, 120, 480),
    NO_SIGNAL: Sizes(240, 80, 480),
    SHAPE_LEAK: Sizes(240, 80, 480),
}


def draw_part(phantom: str, part: str, count: int, *, seed: int) -> CubeSet:
    """The cubes of one part; the seed of a part is the same in every phantom."""
    own = derive(seed, "phantom", part)
    if phantom == CONFOUNDER:
        return confounder_cubes(count, seed=own, config=CONFIG, reverse=part == TEST)
    return draw_cubes(phantom, count, seed=own, config=LEAK_CONFIG if phantom == SHAPE_LEAK else CONFIG)


def aligned_test_set(count: int, *, seed: int) -> CubeSet:
    """The test nodules of the confounder phantom, with vessels that go along with the class as in training."""
    return confounder_cubes(count, seed=derive(seed, "phantom", TEST), config=CONFIG)


def probe_set(count: int, *, seed: int) -> CubeSet:
    """The test nodules of the clean and the confounder phantom, each touched by a pair of vessels; no other vessel, no
    chest wall."""
    config = replace(CONFIG, contact=(1.0,) * len(CLASSES), bystander=0.0, wall=0.0)
    return clean_cubes(count, seed=derive(seed, "phantom", TEST), config=config)


def write_phantom(folder: Path, phantom: str, sizes: Sizes, *, seed: int, progress: Progress = silent) -> Path:
    """Writes a phantom's cubes and, last, `cases.csv`; does nothing where that table is there.

    Returns: path of the table, with the columns label, part, core_fraction and contact besides those of any table.
    """
    table = folder / "cases.csv"
    if table.is_file():
        return table
    rows = []
    for part in PARTS:
        cubes = draw_part(phantom, part, sizes.of(part), seed=seed)
        label = f"{phantom} {part} cubes"
        for index in progress(range(len(cubes)), len(cubes), label):
            case = case_id(part, index)
            image, mask = f"images/{case}.nii", f"masks/{case}.nii"
            volume = Volume(cubes.images[index], cubes.spacing_mm, (0.0, 0.0, 0.0))
            write_volume(volume, folder / image)
            write_volume(volume.with_array(cubes.masks[index]), folder / mask)
            rows.append(
                {
                    "case_id": case,
                    "patient_id": f"{part}-{cubes.patient_ids[index]}",  # a patient is in one part
                    "image": image,
                    "mask": mask,
                    "label": CLASSES[int(cubes.labels[index])],
                    "part": part,
                    "core_fraction": round(float(cubes.core_fraction[index]), 6),
                    "contact": int(cubes.contact[index]),
                }
            )
    write_cases(pd.DataFrame(rows), table)
    return table


def case_id(part: str, index: int) -> str:
    """Name of the cube at `index` of its part."""
    return f"{part}-{index:05d}"
