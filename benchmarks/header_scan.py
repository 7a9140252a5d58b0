"""Speed and memory of the archive scan beside a plain loop of pydicom, on files made for it or on your own.

python benchmarks/header_scan.py                     10,000 made files: speed against the loop, local and Ray
python benchmarks/header_scan.py --files 100000      the second, incremental scan
python benchmarks/header_scan.py --files 1000000     memory; needs 8 GB of disk and some minutes
python benchmarks/header_scan.py --archive FOLDER    your files in place of made ones
"""

from __future__ import annotations

import argparse
import io
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

SLICES = 100  # of a series
_UID = "1.2.826.0.1.3680043.10.1000"


def template() -> bytes:
    """A CT slice with about as many elements as scanners write, private ones included, and 32 x 32 pixels."""
    dataset = Dataset()
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    dataset.SOPInstanceUID = f"{_UID}.3.10000000"
    dataset.StudyInstanceUID = f"{_UID}.1.10000000"
    dataset.SeriesInstanceUID = f"{_UID}.2.10000000"
    dataset.Modality, dataset.Manufacturer, dataset.ManufacturerModelName = "CT", "MAKER", "Model 64"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL", "CT_SOM5 SPI"]
    dataset.PatientID, dataset.PatientName, dataset.PatientSex = "P00000000", "Made^Up", "F"
    dataset.SeriesDescription, dataset.StudyDescription = "THORAX 1.5 B60f", "CT THORAX"
    dataset.InstanceNumber, dataset.AcquisitionNumber, dataset.SeriesNumber = "424242", 1, 4
    dataset.ImagePositionPatient = ["-170.000", "-180.000", "13579.975"]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing, dataset.SliceThickness = [0.7, 0.7], 1.5
    dataset.Rows = dataset.Columns = 32
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation, dataset.SamplesPerPixel = 15, 0, 1
    dataset.PhotometricInterpretation, dataset.RescaleIntercept, dataset.RescaleSlope = "MONOCHROME2", -1024, 1
    for name in (
        "StudyDate",
        "SeriesDate",
        "AcquisitionDate",
        "ContentDate",
        "PatientBirthDate",
        "InstanceCreationDate",
    ):
        setattr(dataset, name, "20200101")
    for name in ("StudyTime", "SeriesTime", "AcquisitionTime", "ContentTime", "InstanceCreationTime"):
        setattr(dataset, name, "101112.130000")
    for name in ("InstitutionName", "StationName", "ReferringPhysicianName", "ProtocolName", "ConvolutionKernel"):
        setattr(dataset, name, "TEXT")
    for name in ("KVP", "ExposureTime", "XRayTubeCurrent", "Exposure", "TableHeight", "GantryDetectorTilt"):
        setattr(dataset, name, "120")
    for name in ("DataCollectionDiameter", "ReconstructionDiameter", "DistanceSourceToDetector", "SliceLocation"):
        setattr(dataset, name, "500")
    for name in ("WindowCenter", "WindowWidth", "SpiralPitchFactor", "TotalCollimationWidth", "TableSpeed"):
        setattr(dataset, name, 1)
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = "1.2.840.10008.3.1.2.3.1", f"{_UID}.9"
    dataset.ReferencedStudySequence = Sequence([item])
    dataset.ReferencedPerformedProcedureStepSequence = Sequence([item])
    for group in (0x0019, 0x0021, 0x0029):
        block = dataset.private_block(group, "MAKER 1", create=True)
        for element in range(16):
            block.add_new(element, "LO", f"private {element}")
    dataset.PixelData = np.zeros((32, 32), np.uint16).tobytes()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    stream = io.BytesIO()
    pydicom.dcmwrite(stream, dataset, enforce_file_format=True)
    return stream.getvalue()


def write_archive(folder: Path, files: int) -> None:
    """Writes `files` slices, 100 a series, by patching the template: a pydicom object a file would take an hour."""
    pattern = template()
    for number in range(files):
        series, slice_ = divmod(number, SLICES)
        data = pattern.replace(b".3.10000000", b".3.1%07d" % number).replace(b".2.10000000", b".2.1%07d" % series)
        data = data.replace(b".1.10000000", b".1.1%07d" % (series // 4)).replace(b"P00000000", b"P%08d" % (series // 8))
        data = data.replace(b"13579.975", b"%09.3f" % (1.5 * slice_)).replace(b"424242", b"%06d" % (slice_ + 1))
        place = folder / f"{series // 100:04d}" / f"{series:06d}"
        if slice_ == 0:
            place.mkdir(parents=True, exist_ok=True)
        (place / f"{slice_:04d}").write_bytes(data)


def files_of(archive: Path) -> Iterator[Path]:
    """The files of an archive, one by one: a list of a million would be most of the memory that is measured."""
    for folder, _, names in os.walk(archive):
        yield from (Path(folder, name) for name in sorted(names) if not name.endswith(".zip"))


def loop(files: list[Path]) -> float:
    """Seconds of the plain loop."""
    begin = time.perf_counter()
    for path in files:
        pydicom.dcmread(path, stop_before_pixels=True)
    return time.perf_counter() - begin


def run_scan(archive: Path, out: Path, workers: int, engine: str) -> tuple[float, float]:
    """Seconds and peak memory in MB (of the main process and its largest worker) of a scan in a process of its own."""
    code = (
        "import sys, resource, time\n"
        "from pathlib import Path\n"
        "from hounsfield.catalog.scan.scan import scan\n"
        "begin = time.perf_counter()\n"
        f"found = scan(Path({str(archive)!r}), Path({str(out)!r}), workers={workers}, engine={engine!r})\n"
        "seconds = time.perf_counter() - begin\n"
        # Not ru_maxrss, which a process inherits from the one that started it.
        "own = int(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0]) / 1024\n"
        "worker = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024\n"
        "print(seconds, max(own, worker), found.series, file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, check=True)
    seconds, peak, _ = done.stderr.strip().splitlines()[-1].split()
    return float(seconds), float(peak)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--archive", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--engine", default="local")
    parser.add_argument("--keep", type=Path, help="folder to write into and keep, for another run")
    given = parser.parse_args()
    work = given.keep or Path(tempfile.mkdtemp(prefix="scan-"))
    try:
        archive = given.archive or work / "archive"
        if not archive.exists():
            begin = time.perf_counter()
            write_archive(archive, given.files)
            sys.stderr.write(f"wrote {given.files} files in {time.perf_counter() - begin:.0f} s\n")
        some = list(islice(files_of(archive), 10_000))
        for path in some:
            path.read_bytes()  # warm for both
        plain = loop(some) / len(some)
        total = sum(1 for _ in files_of(archive))
        out = work / "catalog.duckdb"
        out.unlink(missing_ok=True)
        rows = []
        for name in ("first scan", "second scan, nothing changed"):
            seconds, peak = run_scan(archive, out, given.workers, given.engine)
            rows.append((name, seconds, total / seconds, plain * total / seconds, peak))
        sys.stdout.write(f"{total} files, {given.workers} workers, engine {given.engine}; ")
        sys.stdout.write(f"plain loop {1 / plain:.0f} files a second on one core\n\n")
        sys.stdout.write("| what | seconds | files a second | times the loop | peak memory of a process, MB |\n")
        sys.stdout.write("|---|---|---|---|---|\n")
        for name, seconds, rate, times, peak in rows:
            sys.stdout.write(f"| {name} | {seconds:.1f} | {rate:.0f} | {times:.1f} | {peak:.0f} |\n")
        mine = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        sys.stderr.write(f"catalog {out.stat().st_size / 2**20:.1f} MB; this program {mine:.0f} MB\n")
    finally:
        if given.keep is None:
            shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
