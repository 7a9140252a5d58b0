"""Geometry of real series against a table made by hand and against dcm2niix."""

from __future__ import annotations

import csv
import itertools
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pandas as pd
import pytest
from tests.catalog.geometry.planes_of import series_in

from hounsfield.catalog.geometry.planes import planes_of
from hounsfield.catalog.geometry.series import SeriesGeometry, series_geometry

TRUTH = Path(__file__).parents[1] / "truth_series.csv"
VIEWS = {"axial": (1, 0, 0, 0, 1, 0), "coronal": (1, 0, 0, 0, 0, -1), "sagittal": (0, 1, 0, 0, 0, -1)}
# What dcm2niix says when it wrote something that is no plain volume.
WARNS = re.compile(
    r"Interslice distance varies|images have gantry tilt|appear to be a single slice|Guessing this is a mosaic"
)

Found = dict[str, tuple[pd.DataFrame, SeriesGeometry]]


@pytest.fixture(scope="module")
def archive(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The folder of DICOM files, and where its zip files are unpacked."""
    return shared_data / "dicom", tmp_path_factory.mktemp("unpacked")


@pytest.fixture(scope="module")
def real(archive: tuple[Path, Path]) -> Found:
    series = series_in(archive[0], unpacked=archive[1])
    return {uid: (frame, series_geometry(planes_of(frame), header)) for uid, (frame, header) in series.items()}


@pytest.fixture(scope="module")
def truth() -> dict[str, dict[str, str]]:
    with TRUTH.open(newline="", encoding="utf-8") as stream:
        return {row["series_uid"]: row for row in csv.DictReader(stream)}


def test_every_series_equals_the_table_made_by_hand(real: Found, truth: dict[str, dict[str, str]]) -> None:
    assert set(real) == set(truth)
    for uid, (frame, found) in real.items():
        row = truth[uid]
        assert len(frame) == int(row["frames"]), row["folder"]  # copies included, which the geometry leaves out
        assert found.planes == len(frame.drop_duplicates(["sop_uid", "frame"])), row["folder"]
        assert found.volumes == int(row["volumes"]), row["folder"]
        assert {True: "yes", False: "no", None: ""}[found.regular] == row["regular"], row["folder"]
        if row["slice_spacing_mm"]:
            assert found.spacing_mm == pytest.approx(float(row["slice_spacing_mm"]), abs=0.01), row["folder"]
        else:
            assert found.spacing_mm is None, row["folder"]
        rounded = None if found.orientation is None else tuple(round(value) for value in found.orientation)
        view = {cosines: name for name, cosines in VIEWS.items()}.get(rounded, "oblique" if rounded else "unknown")
        assert view == row["view"], row["folder"]
        assert bool(found.temporal) == (row["first_reason"] == "time_series"), row["folder"]


def test_volumes_equal_those_of_dcm2niix(
    real: Found, truth: dict[str, dict[str, str]], archive: tuple[Path, Path], tmp_path: Path
) -> None:
    if shutil.which("dcm2niix") is None:
        pytest.skip("dcm2niix is not installed")
    compared = 0
    for uid, (_, found) in real.items():
        for number, folder in enumerate(truth[uid]["folder"].split(";")):
            source = archive[1] / folder.split(".zip/")[1] if ".zip/" in folder else archive[0] / folder
            out = tmp_path / f"{uid[-12:]}-{number}"
            out.mkdir()
            command = ["dcm2niix", "-b", "n", "-z", "n", "-f", "volume", "-o", str(out), str(source)]
            said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
            if WARNS.search(said):
                assert not any(volume.regular for volume in found.stacks), folder
                assert found.irregular, folder
            images = [nibabel.load(path) for path in sorted(out.glob("*.nii"))]
            regular = [volume for volume in found.stacks if volume.regular]
            if images and regular:
                # Its volumes of one series share one affine; each of ours has to be that one.
                assert images[0].shape[3:] == ((len(regular),) if len(regular) > 1 else ()), folder
                off = max(_farthest(volume, images[0]) for volume in regular)
                assert off < 1e-3, (folder, off)
                compared += len(regular)
            elif not images:
                assert not found.stacks or "Unsupported transfer syntax" in said, folder
    # 18 series of one volume; one more from 3 of its 4 folders (dcm2niix reads no JPEG-LS); 3 phases of the breast; 2,
    # 2 and 4 volumes of the series without time points. Left out: RTSTRUCT (2), tilted, single slice, gap, mosaic.
    assert compared == 32


def _farthest(volume: Any, image: Any) -> float:
    """Largest difference of the affines, after LPS to RAS, when the axes of one may be turned round and swapped."""
    mine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ np.reshape(volume.affine, (4, 4))
    shape = (volume.columns, volume.rows, volume.slices)
    best = np.inf
    for axes in itertools.permutations(range(3)):
        if tuple(shape[axis] for axis in axes) != image.shape[:3]:
            continue
        for turned in itertools.product((1, -1), repeat=3):
            other = np.zeros((4, 4))  # from its voxels to mine
            other[3, 3] = 1
            for its, (axis, sign) in enumerate(zip(axes, turned, strict=True)):
                other[axis, its] = sign
                other[axis, 3] = 0 if sign > 0 else shape[axis] - 1
            best = min(best, float(np.abs(mine @ other - image.affine).max()))
    return best
