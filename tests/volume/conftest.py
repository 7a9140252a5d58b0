"""What the DICOM tests share: the verdict of Debian's validator, and small volumes to write."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from hounsfield.volume.dicom_write import SeriesHeader, write_ct_series
from hounsfield.volume.volume import Volume


@pytest.fixture(scope="session")
def dicom_errors() -> Callable[[Path], list[str]]:
    """A function that gives dciodvfy's error lines on a file; the test is skipped where it is not installed."""
    tool = shutil.which("dciodvfy")
    if tool is None:
        pytest.skip("dciodvfy (Debian package dicom3tools) is not installed")

    def errors(path: Path) -> list[str]:
        done = subprocess.run([tool, "-new", str(path)], capture_output=True, text=True, check=False, timeout=60)
        lines = (done.stdout + done.stderr).splitlines()
        # The first line names the object it was recognised as; without it the file was not looked at.
        assert lines, "dciodvfy said nothing at all"
        return [line for line in lines if line.startswith("Error")]

    return errors


@dataclass(frozen=True)
class Source:
    """A series as the writers need it, made without the package's own reader."""

    volume: Volume
    datasets: list[Dataset]
    folder: Path


@pytest.fixture
def make_source(tmp_path) -> Callable[..., Source]:
    """A function that writes a volume as a CT series and gives back what the writers of derived objects take."""

    def make(volume: Volume, *, name: str = "ct", **options: Any) -> Source:
        header = SeriesHeader(patient_id="phantom-007", seed=3, sex="F", age=61)
        files = write_ct_series(volume, tmp_path / name, header=header, **options)
        return Source(volume, [dcmread(file, stop_before_pixels=True) for file in files], tmp_path / name)

    return make


@pytest.fixture
def source(make_source) -> Source:
    """Twelve slices of 20 x 16 pixels, oblique, with slices numbered downwards."""
    turn = np.radians(15)
    direction = np.array([[1, 0, 0], [0, np.cos(turn), -np.sin(turn)], [0, np.sin(turn), np.cos(turn)]])
    array = np.random.default_rng(1).integers(-1000, 400, (12, 20, 16)).astype(np.int16)
    return make_source(Volume(array, (2.0, 0.7, 0.9), (-10.0, 5.5, 120.25), direction), slice_order="descending")
