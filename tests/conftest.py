"""What tests share: the folder of real data, which may be absent, and one small study that has run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from hounsfield.volume.volume import Volume
from hounsfield.volume.write import write_volume

if TYPE_CHECKING:
    from hounsfield.studies.runner import RunResult
    from hounsfield.studies.study import Study


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder `shared/data` beside the project's root; the test is skipped where it is absent."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real data (shared/data beside the project) is not on this machine")
    return folder


TINY_STUDY = """
name: tiny
title: Balls in a box
question: Is the ball large?
targets:
  large:
    column: malignant
    classes: {small: ["0"], large: ["1"]}
ratings: {margin: [1, 5]}
preparation: {spacing_mm: [1, 1, 1], size: [16, 16, 16]}
split: {kind: hold_out, test: 0.3, validation: 0.3}
arms:
  volume: {kind: features, trivial: true, title: volume, features: [log volume_mm3]}
  density: {kind: features, title: density, features: [hu_mean, hu_sd, volume_mm3]}
  raw: {kind: raw, title: raw}
  expert_mask: {kind: expert_mask, title: expert}
  auto_mask: {kind: auto_mask, title: auto}
  joint: {kind: joint, title: joint}
  multitask: {kind: multitask, title: both}
  transfer: {kind: transfer, title: transfer}
  fusion: {kind: fusion, image: expert_mask, title: mixed, features: [log volume_mm3, hu_mean]}
  fusion_auto: {kind: fusion, image: joint, mask: auto, title: mixed by itself, features: [log volume_mm3]}
comparisons: [[expert_mask, raw]]
networks:
  segmenter: {widths: [2, 2, 4, 4]}
  classifier: {widths: [2, 2, 4, 4], hidden: 8}
training:
  segmenter: {epochs: 2, batch_size: 6, learning_rate: 5.0e-3, schedule: constant, compile: "off", checkpoint_s: 0}
  classifier: {epochs: 2, batch_size: 6, learning_rate: 5.0e-3, schedule: constant, compile: "off", checkpoint_s: 0,
    auxiliary_weight: 0.5}
  joint: {epochs: 1, batch_size: 6, learning_rate: 1.0e-3, schedule: constant, compile: "off"}
  multitask: {epochs: 1, batch_size: 6, learning_rate: 5.0e-3, schedule: constant, compile: "off"}
bootstrap: 100
"""


@pytest.fixture(scope="session")
def tiny_study() -> str:
    """A study file of all kinds of arms, small enough to run in seconds."""
    return TINY_STUDY


@pytest.fixture(scope="session")
def write_balls() -> Callable[..., Path]:
    """`write_balls(folder)` writes cases whose class is the size of a ball in noise; returns the path of the table."""
    return _write_balls


def _write_balls(folder: Path, *, cases: int = 20, seed: int = 0) -> Path:
    """Cases of 18 voxels a side; the first two are of one patient, all others of one each."""
    rng = np.random.default_rng(seed)
    rows = []
    grid = np.stack(np.meshgrid(*[np.arange(18.0)] * 3, indexing="ij"))
    for number in range(cases):
        label = number // 2 % 2
        centre = 8.5 + rng.uniform(-1, 1, 3)
        mask = np.linalg.norm(grid - centre[:, None, None, None], axis=0) <= 2.5 + 1.5 * label + rng.uniform(-0.8, 0.8)
        image = rng.normal(-800, 40, mask.shape) + mask * rng.normal(600, 60)
        names = (f"images/{number:02d}.nii.gz", f"masks/{number:02d}.nii.gz")
        for name, array in zip(names, (image.astype(np.int16), mask.astype(np.uint8)), strict=True):
            write_volume(Volume(array, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), np.eye(3)), folder / name)
        row = (f"c{number:02d}", f"p{max(number, 1):02d}", *names, label, 1 + number % 5)
        rows.append(",".join(map(str, row)))
    path = folder / "cases.csv"
    path.write_text("\n".join(["case_id,patient_id,image,mask,malignant,margin", *rows]) + "\n")
    return path


@dataclass(frozen=True)
class FinishedRun:
    """A run of `TINY_STUDY` and what it ran on; tests read it and change nothing in it."""

    study: Study
    cases: Path
    out: Path
    result: RunResult


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    from hounsfield.studies.load import load
    from hounsfield.studies.runner import Machine, run_study

    folder = tmp_path_factory.mktemp("tiny")
    (folder / "tiny.yaml").write_text(TINY_STUDY)
    cases = _write_balls(folder / "data")
    study = load(str(folder / "tiny.yaml"))
    result = run_study(study, cases, folder / "run", machine=Machine(device="cpu", workers=1))
    return FinishedRun(study, cases, folder / "run", result)
