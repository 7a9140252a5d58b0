"""A whole folder: new names, links kept, nothing half-written, and a report that names no one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pydicom
import pytest
from tests.catalog.deidentify.archive_made import (
    NAMES,
    SECRET,
    archive_in,
    ct_slice,
    objects,
    run,
    save,
    tree,
)

from hounsfield.catalog.deidentify.profile import Options
from hounsfield.catalog.deidentify.run import REPORT, deidentify_folder
from hounsfield.catalog.deidentify.secret import Secret
from hounsfield.core.errors import RunError
from hounsfield.volume.dicom_series import read_series


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return archive_in(tmp_path / "archive")


def test_a_folder_becomes_a_folder_without_names(archive: Path, tmp_path: Path):
    result = run(archive, tmp_path / "out", options=Options(descriptors=True))
    report = result.report
    assert (report["patients"], report["series"], report["objects"]) == (2, 6, 12)
    assert (report["repeated"], report["no_dicom"]) == (1, 2)
    assert list(report["set_aside"].values()) == [1]
    assert [place.path.name for place, _ in result.aside] == ["cut.dcm"]
    for name, data in tree(tmp_path / "out").items():
        assert not [word for word in NAMES if word.lower() in name.lower() or word.encode() in data], name
    assert json.loads((tmp_path / "out" / REPORT).read_text()) == report
    # The name of the file is that of the object.
    for name, data in objects(tmp_path / "out").items():
        dataset = pydicom.dcmread(tmp_path / "out" / name)
        assert name == f"{dataset.PatientID}/{dataset.SeriesInstanceUID}/{dataset.SOPInstanceUID}.dcm"
        assert dataset.StudyDescription == "Thorax ***"
        assert data[:128] == bytes(128)


def test_links_and_volumes_stay(archive: Path, tmp_path: Path):
    run(archive, tmp_path / "out")
    for patient, name in (("4711", "DOE^JANE"), ("4712", "ROE^RIK")):
        folder = tmp_path / "out" / SECRET.patient(patient)
        series = {read_series(folder / SECRET.uid(f"1.2.{patient}.{number}")).series_uid for number in (1, 3)}
        assert series == {SECRET.uid(f"1.2.{patient}.1"), SECRET.uid(f"1.2.{patient}.3")}
        before = read_series(archive / name, series_uid=f"1.2.{patient}.1")
        after = read_series(folder / SECRET.uid(f"1.2.{patient}.1"))
        np.testing.assert_array_equal(before.volume.array, after.volume.array)
        frames = read_series(folder / SECRET.uid(f"1.2.{patient}.3"))
        assert frames.volume.array.shape == (3, 8, 8)
        groups = frames.datasets[0].PerFrameFunctionalGroupsSequence
        stamps = [group.FrameContentSequence[0].FrameAcquisitionDateTime for group in groups]
        assert [stamp[8:] for stamp in stamps] == ["101110", "101111", "101112"]
        assert stamps[0][:8] == after.datasets[0].StudyDate != "20150312"
        mask = next((folder / SECRET.uid(f"1.2.{patient}.2")).glob("*.dcm"))
        reference = pydicom.dcmread(mask).ReferencedSeriesSequence[0]
        target = folder / reference.SeriesInstanceUID
        assert (target / f"{reference.ReferencedInstanceSequence[0].ReferencedSOPInstanceUID}.dcm").exists()


def test_the_same_command_again_writes_nothing_and_other_settings_are_refused(archive: Path, tmp_path: Path):
    out = tmp_path / "out"
    run(archive, out)
    before = objects(out)
    times = {file: file.stat().st_mtime_ns for file in out.rglob("*.dcm")}
    again = run(archive, out)
    assert again.written == 0
    assert again.report["objects"] == 12
    assert objects(out) == before
    assert {file: file.stat().st_mtime_ns for file in out.rglob("*.dcm")} == times
    with pytest.raises(RunError, match="another options"):
        run(archive, out, options=Options(dates="removed"))
    with pytest.raises(RunError, match="another key"):
        deidentify_folder(archive, out, Secret(bytes(32)), workers=1)
    with pytest.raises(RunError, match="lies in the source"):
        run(archive, archive / "out")
    with pytest.raises(RunError, match="other files"):
        run(archive, archive.parent)


def test_processes_and_zip_files_give_the_same(archive: Path, tmp_path: Path):
    run(archive, tmp_path / "one")
    deidentify_folder(archive, tmp_path / "two", SECRET, workers=2)
    assert objects(tmp_path / "one") == objects(tmp_path / "two")
    with zipfile.ZipFile(tmp_path / "DOE.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in tree(archive).items():
            packed.writestr(f"../../{name}", data)  # a path that would lead out
        packed.writestr("bomb.dcm", bytes(128) + b"DICM" + bytes(50_000_000))
    run(tmp_path / "DOE.zip", tmp_path / "three")
    assert objects(tmp_path / "one") == objects(tmp_path / "three")
    assert {path.name for path in tmp_path.iterdir()} == {"archive", "one", "two", "three", "DOE.zip"}


def test_one_uid_with_two_contents_is_reported(archive: Path, tmp_path: Path):
    other = ct_slice("4711", "DOE^JANE", 0)
    other.PixelData = bytes(128)
    save(other, archive / "zz.dcm")
    report = run(archive, tmp_path / "out").report
    assert report["set_aside"]["its UID belongs to another object of the source, too."] == 1


def test_burned_in_text_is_warned_of_or_left_out(archive: Path, tmp_path: Path):
    risky = ct_slice("4711", "DOE^JANE", 9)
    risky.BurnedInAnnotation = "YES"
    save(risky, archive / "risky.dcm")
    warned = run(archive, tmp_path / "warned").report
    assert list(warned["look_at"].values()) == [{"the header says so (BurnedInAnnotation is YES)": 1}]
    assert warned["objects"] == 13
    left = run(archive, tmp_path / "left", burned_in="leave-out").report
    assert left["objects"] == 12
    assert left["set_aside"]["text may be burned into its pixels."] == 1


CODE = """
import sys, time
from pathlib import Path
from hounsfield.catalog.deidentify import run as deid_run
from hounsfield.catalog.deidentify.secret import Secret
write = deid_run.write_object
def slowly(dataset, source, path):
    path.write_bytes(b"half")
    time.sleep(0.05)
    write(dataset, source, path)
deid_run.write_object = slowly
deid_run.deidentify_folder(Path(sys.argv[1]), Path(sys.argv[2]), Secret(bytes(range(32))), workers=1)
"""


def test_a_kill_in_the_middle_leaves_nothing_half_written_and_the_next_run_ends_it(archive: Path, tmp_path: Path):
    out = tmp_path / "out"
    process = subprocess.Popen([sys.executable, "-c", CODE, str(archive), str(out)])
    deadline = time.monotonic() + 30
    while len([file for file in out.rglob("*.dcm") if file.name[0] != "."]) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    run(archive, tmp_path / "whole")
    whole = objects(tmp_path / "whole")
    kept = {name: data for name, data in objects(out).items() if not Path(name).name.startswith(".")}
    assert 3 <= len(kept) < len(whole)
    assert kept.items() <= whole.items()
    assert not json.loads((out / REPORT).read_text())["complete"]
    run(archive, out)
    assert tree(out) == tree(tmp_path / "whole")  # the report, too, and what the killed run was writing is gone


def test_files_that_can_not_be_taken_over_are_counted_with_the_reason(archive: Path, tmp_path: Path):
    (archive / "empty").touch()
    (archive / "link.dcm").symlink_to(archive / "letter to DOE.txt")
    (archive / "no.zip").write_bytes(b"PK\3\4DOE")
    with zipfile.ZipFile(archive / "twice.zip", "w") as packed:
        packed.writestr("DOE", b"1")
        with pytest.warns(UserWarning, match="Duplicate"):
            packed.writestr("DOE", b"2")
    letter = ct_slice("4711", "DOE^JANE", 8)
    letter.EncapsulatedDocument = b"%PDF for DOE^JANE"
    save(letter, archive / "letter.dcm")
    report = run(archive, tmp_path / "out").report
    assert report["set_aside"] == {
        "it is a link, which is not followed.": 1,
        "it is a zip file that can't be opened, or holds a name twice.": 2,
        "it holds a document (PDF, CDA, model file), whose content can't be looked through.": 1,
        "it ends in the middle of its header.": 1,
    }
    assert report["objects"] == 12
    assert b"DOE" not in (tmp_path / "out" / REPORT).read_bytes()


def test_a_directory_of_files_is_no_object(archive: Path, tmp_path: Path):
    directory = ct_slice("4711", "DOE^JANE", 8)
    directory.SOPClassUID = pydicom.uid.MediaStorageDirectoryStorage
    save(directory, archive / "DICOMDIR")
    report = run(archive, tmp_path / "out").report
    assert (report["objects"], report["no_dicom"]) == (12, 2)


def test_kept_uids_lead_nowhere_else(archive: Path, tmp_path: Path):
    evil = ct_slice("4711", "DOE^JANE", 8)
    evil.SeriesInstanceUID = ".."
    save(evil, archive / "evil.dcm")
    out = tmp_path / "out"
    run(archive, out, options=Options(uids=True))
    assert len(objects(out)) == 13
    assert {len(Path(name).parts) for name in objects(out)} == {3}
    assert (out / SECRET.patient("4711") / "1.2.4711.1" / "1.2.4711.1.1.dcm").exists()


def test_nothing_beside_the_data_set_goes_through(archive: Path, tmp_path: Path):
    """Preamble, file meta, overlays, what stands behind the last pixel, padding and private groups after the pixels."""
    dataset = ct_slice("4711", "DOE^JANE", 8)
    dataset.PixelData += b"DOE^JANE" * 4
    dataset.add_new(0x60003000, "OW", b"DOE^JANE")
    dataset.private_block(0x7FE1, "DOE", create=True).add_new(1, "OB", b"DOE^JANE")
    dataset.add_new(0xFFFCFFFC, "OB", b"DOE^JANE" * 100)
    file = save(dataset, archive / "tail.dcm")
    file.write_bytes(b"II*\0" + file.read_bytes()[4:] + b"DOE^JANE")  # a TIFF's header in front, anything behind
    run(archive, tmp_path / "out")
    out = tmp_path / "out" / SECRET.patient("4711") / SECRET.uid("1.2.4711.1") / f"{SECRET.uid('1.2.4711.1.9')}.dcm"
    assert b"DOE" not in out.read_bytes()
    assert pydicom.dcmread(out).PixelData == dataset.PixelData[:128]


def test_a_patient_called_in_descriptions_of_another_object_is_taken_out_there(archive: Path, tmp_path: Path):
    unnamed = ct_slice("4711", "", 8)
    unnamed.StudyDescription = "Arm, JANE"
    save(unnamed, archive / "unnamed.dcm")
    run(archive, tmp_path / "out", options=Options(descriptors=True))
    found = [pydicom.dcmread(tmp_path / "out" / name).StudyDescription for name in objects(tmp_path / "out")]
    assert "Arm, ***" in found
