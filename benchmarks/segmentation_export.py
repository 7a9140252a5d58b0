"""Time, memory and size of a DICOM Segmentation as LABELMAP and as BINARY: 20 segments on 300 slices of 512 x 512.

Prints one table. Run: python benchmarks/segmentation_export.py [SEGMENTS SLICES SIZE]
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, generate_uid

from hounsfield.volume.dicom_seg import Segment, write_segmentation
from hounsfield.volume.dicom_source import SourceSeries
from hounsfield.volume.finding import ModelIdentity
from hounsfield.volume.volume import Volume


class Headers:
    """A series that exists in headers alone: its pixels are not needed to write a segmentation."""

    def __init__(self, slices: int, size: int) -> None:
        self.volume = Volume(np.zeros((slices, size, size), dtype=np.int16), (1.0, 0.7, 0.7))
        common = {name: generate_uid() for name in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")}
        self.datasets = [self._header(k, size, common) for k in range(slices)]

    @staticmethod
    def _header(k: int, size: int, common: Mapping[str, str]) -> Dataset:
        header = Dataset()
        for name, value in common.items():
            setattr(header, name, value)
        header.SOPClassUID, header.SOPInstanceUID, header.Modality = CTImageStorage, generate_uid(), "CT"
        header.PatientName, header.PatientID, header.StudyDate = "Phantom^1", "phantom-1", "20200101"
        header.Rows = header.Columns = size
        header.PixelSpacing, header.SliceThickness = [0.7, 0.7], 1.0
        header.ImageOrientationPatient, header.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, float(k)]
        return header


def columns(series: SourceSeries, segments: int) -> np.ndarray:
    """Every segment on every slice, side by side, as the organs of a trunk are: the worst case for BINARY."""
    labels = np.zeros(series.volume.shape, dtype=np.uint8)
    width = labels.shape[2] // segments
    for number in range(segments):
        labels[:, 20:-20, number * width + 1 : (number + 1) * width - 1] = number + 1
    return labels


def measure(representation: str, segments: int, slices: int, size: int) -> tuple[float, float, float]:
    """Seconds to write, megabytes on disk, gigabytes of peak memory above what the input takes."""
    series = Headers(slices, size)
    labels = columns(series, segments)
    names = [Segment(f"Segment {number}") for number in range(1, segments + 1)]
    model = ModelIdentity(name="benchmark", version="1", digest="0")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "seg.dcm"
        start = time.perf_counter()
        write_segmentation(series, labels, names, path, model=model, representation=representation)  # type: ignore[arg-type]
        seconds = time.perf_counter() - start
        megabytes = path.stat().st_size / 1e6
    return seconds, megabytes, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e6


def main() -> None:
    segments, slices, size = (int(value) for value in sys.argv[1:4]) if len(sys.argv) > 3 else (20, 300, 512)
    print(f"| {segments} segments, {slices} slices of {size} x {size} | seconds | MB | peak GB |\n|---|---|---|---|")
    for representation in ("labelmap", "binary"):
        # A process each: the peak of memory never falls again within one.
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            seconds, megabytes, peak = pool.apply(measure, (representation, segments, slices, size))
        print(f"| {representation} | {seconds:.2f} | {megabytes:.1f} | {peak:.2f} |")


if __name__ == "__main__":
    main()
