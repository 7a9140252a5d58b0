"""What the reader would refuse is set aside with the reason: scanned from real DICOM files, and read to compare."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.catalog.cohort.catalog_made import select
from tests.catalog.dicom_made import made, series, write

from hounsfield.catalog.cohort.cohort import Cohort
from hounsfield.catalog.cohort.files import write_cohort
from hounsfield.catalog.cohort.readable import folder_of
from hounsfield.catalog.scan.scan import scan
from hounsfield.core.errors import ImageError
from hounsfield.tables.check import check_cases, has_errors
from hounsfield.volume.read import read_volume

ALL = "title: everything"


def cohort_of(archive: Path, tmp_path: Path) -> Cohort:
    scan(archive, tmp_path / "c.duckdb", workers=1)
    return select(tmp_path / "c.duckdb", ALL)


def test_the_smallest_place_that_holds_a_series() -> None:
    assert folder_of("a/x/1.dcm", "a/y/9.dcm", 2) == "a"
    assert folder_of("1.dcm", "a/9.dcm", 2) == "."
    assert folder_of("a/ab/1", "a/abc/1", 2) == "a"
    assert folder_of("a/one.dcm", "a/one.dcm", 1) == "a/one.dcm"


def test_gaps_tilt_copies_and_damage_are_told_from_the_catalog(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    good = series(archive / "good", 5)
    for number in range(5):
        place = [-10.0, -20.0, 2.5 * number + (0.04 if number == 3 else 0)]  # 1.6 % off: the catalog lets it pass
        write(made(number, series="1.2.3.5", PatientID="P2", ImagePositionPatient=place), archive / f"uneven/{number}")
        tilted = [-10.0, -20.0 + 0.5 * number, 2.5 * number]
        write(made(number, series="1.2.3.6", PatientID="P3", ImagePositionPatient=tilted), archive / f"tilt/{number}")
    copied = series(archive / "copied", 3, PatientID="P4")
    shutil.copy(archive / "copied" / "0000", archive / "copied" / "again")
    damaged = series(archive / "damaged", 3, PatientID="P5")
    content = (archive / "damaged" / "0001").read_bytes()
    (archive / "damaged" / "cut").write_bytes(content[:300])
    cohort = cohort_of(archive, tmp_path)
    assert cohort.cases["series_uid"].tolist() == [good]
    details = dict(zip(cohort.excluded["series_uid"], cohort.excluded["detail"], strict=True))
    assert details["1.2.3.5"].startswith("the distance between slices is 2.50 mm but for")
    assert "gantry tilt" in details["1.2.3.6"]
    assert details[copied] == "copies of its slices lie in the same folder"
    assert details[damaged] == "damaged DICOM files lie in the same folder"
    for name in ("uneven", "tilt", "copied", "damaged"):  # the reader agrees
        with pytest.raises(ImageError):
            read_volume(archive / name)


def test_objects_without_an_image_are_set_aside(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    good = series(archive / "good", 3)
    report = made(0, series="1.2.3.9", Modality="SR", SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11")
    for name in ("PixelData", "Rows", "Columns"):
        delattr(report, name)
    write(report, archive / "report.dcm")
    cohort = cohort_of(archive, tmp_path)
    assert cohort.cases["series_uid"].tolist() == [good]
    assert [step.reason for step in cohort.flow.steps] == [
        "no image of its own: a segmentation, structure set or report"
    ]


@pytest.mark.slow
def test_every_series_of_the_real_archive_is_a_case_that_can_be_read_or_has_its_reason(
    shared_data: Path, tmp_path: Path
) -> None:
    cohort = cohort_of(shared_data / "dicom", tmp_path)
    # 29 series: 8 lie in zip files, 5 hold several volumes or none, one has a gap and one is tilted by 14 degrees.
    assert [step.lost.series for step in cohort.flow.steps] == [8, 5, 2]
    assert len(cohort.cases) == 14
    write_cohort(cohort, tmp_path / "cases.csv")
    found = check_cases(tmp_path / "cases.csv", workers=2)
    assert not has_errors(found), found
