"""Real series: nothing that was right becomes wrong, references still resolve, volumes stay what they were."""

from __future__ import annotations

import re
import shutil
import subprocess
import zipfile
from collections import Counter
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from tests.catalog.deidentify.archive_made import SECRET, objects, run

from hounsfield.catalog.deidentify.burned_in import text_rows
from hounsfield.catalog.deidentify.profile import Options, profile_of
from hounsfield.catalog.deidentify.text import TEXTS, known_of
from hounsfield.volume.dicom_series import read_series

CHOICES = {
    "shifted": Options(),
    "removed": Options(dates="removed", structured=True),
    "kept": Options(dates="kept", descriptors=True, patient=True, device=True, institution=True, private=True),
}


@pytest.fixture(scope="module")
def first_objects(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the first object of every real series, SEG and RTSTRUCT among them."""
    folder = tmp_path_factory.mktemp("first")
    seen: set[str] = set()
    for number, (data, uid) in enumerate(real_objects(shared_data / "dicom")):
        if uid not in seen:
            (folder / f"{number}.dcm").write_bytes(data)
        seen.add(uid)
    assert len(seen) > 20
    return folder


def real_objects(folder: Path) -> Iterator[tuple[bytes, str]]:
    for file in sorted(folder.rglob("*")):
        if file.suffix == ".zip":
            with zipfile.ZipFile(file) as packed:
                files = [packed.read(name) for name in sorted(packed.namelist()) if name.endswith(".dcm")]
        else:
            files = [file.read_bytes()] if file.is_file() else []
        for data in files:
            if data[128:132] == b"DICM":
                yield data, str(pydicom.dcmread(BytesIO(data), specific_tags=["SeriesInstanceUID"]).SeriesInstanceUID)


def pairs(before: Path, after: Path) -> Iterator[tuple[Path, Path]]:
    new = {file.stem: file for file in after.rglob("*.dcm")}
    for file in sorted(before.iterdir()):
        yield file, new.pop(SECRET.uid(pydicom.dcmread(file, stop_before_pixels=True).SOPInstanceUID))
    assert not new


def errors_of(file: Path) -> Counter[str]:
    """Error lines of dciodvfy, values cut out, and how often each comes."""
    program = shutil.which("dciodvfy")
    if program is None:
        pytest.skip("dciodvfy (Debian's dicom3tools) is not installed")
    done = subprocess.run([program, str(file)], capture_output=True, text=True, errors="replace")
    lines = (done.stdout + done.stderr).splitlines()
    value = r"(?<!Element=)(?<!Module=)<[^>]*>"  # names of elements and modules stay
    return Counter(re.sub(value, "<>", line) for line in lines if line.startswith("Error"))


@pytest.mark.slow
@pytest.mark.parametrize("choice", CHOICES)
def test_dciodvfy_finds_no_error_that_was_not_there(choice: str, first_objects: Path, tmp_path: Path):
    run(first_objects, tmp_path, options=CHOICES[choice])
    sound = 0
    for before, after in pairs(first_objects, tmp_path):
        old, new = errors_of(before), errors_of(after)
        assert not new - old, before.name
        assert not new or old, before.name
        sound += not old
    assert sound >= 5  # of which it says nothing at all, before and after


@pytest.mark.slow
@pytest.mark.parametrize("choice", CHOICES)
def test_no_identity_of_a_real_object_is_in_its_new_header(choice: str, first_objects: Path, tmp_path: Path):
    """No identifying value of eight characters or more stands in any element of the new header."""
    run(first_objects, tmp_path, options=CHOICES[choice])
    profile = profile_of(CHOICES[choice])
    looked_for = 0
    for before, after in pairs(first_objects, tmp_path):
        gone = {text for text in gone_of(pydicom.dcmread(before), profile.identity) if len(text) >= 8}
        header = pydicom.dcmread(after, stop_before_pixels=True)
        kept = {value for value in values_of(header) if value}
        looked_for += len(gone)
        assert sorted(gone & kept) == [], before.name
        assert not [word for word in known_of(header, profile).words if word in gone]
    assert looked_for > 300


def gone_of(dataset: Dataset, identity: frozenset[int]) -> Iterator[str]:
    # What describes (a procedure, say) may stand in a code beside it, which the standard keeps.
    for element in dataset.iterall():
        if int(element.tag) in identity and element.VR in (*TEXTS, "PN", "UI"):
            values = element.value if element.VM > 1 else [element.value]
            yield from (str(value) for value in values if value and not str(value).startswith("1.2.840.10008."))


def values_of(dataset: Dataset) -> Iterator[str]:
    for element in dataset.iterall():
        if element.VR not in ("SQ", "OB", "OW", "UN"):
            yield from map(str, element.value if element.VM > 1 else [element.value])


@pytest.mark.slow
def test_segmentations_and_structure_sets_point_at_their_images(shared_data: Path, tmp_path: Path):
    """Every reference that resolved before resolves after, and to the object with the same pixels."""
    for name, modality in (("breast-UCSF-BR-06.zip", "SEG"), ("extremity-STS_001.zip", "RTSTRUCT")):
        before = [pydicom.dcmread(BytesIO(data)) for data, _ in real_objects_of(shared_data / "dicom" / name)]
        run(shared_data / "dicom" / name, tmp_path / name)
        after = [pydicom.dcmread(tmp_path / name / file) for file in objects(tmp_path / name)]
        old = {str(dataset.SOPInstanceUID): dataset for dataset in before}
        new = {str(dataset.SOPInstanceUID): dataset for dataset in after}
        assert len(new) == len(old)
        pointed = 0
        for dataset in before:
            if dataset.Modality == modality:
                mapped = references(new[SECRET.uid(dataset.SOPInstanceUID)])
                assert mapped == [SECRET.uid(uid) for uid in references(dataset)]
                found = [uid for uid in references(dataset) if uid in old]
                pointed += len(found)
                for uid in found[:5]:
                    assert new[SECRET.uid(uid)].PixelData == old[uid].PixelData
                    assert new[SECRET.uid(uid)].FrameOfReferenceUID == SECRET.uid(old[uid].FrameOfReferenceUID)
        assert pointed > 20, name


def references(dataset: Dataset) -> list[str]:
    return [str(element.value) for element in dataset.iterall() if element.keyword == "ReferencedSOPInstanceUID"]


def real_objects_of(packed: Path) -> Iterator[tuple[bytes, str]]:
    with zipfile.ZipFile(packed) as archive:
        for name in archive.namelist():
            if not name.endswith("/"):
                yield archive.read(name), name


@pytest.mark.parametrize(
    "name",
    [
        "brain-PGBM-003/26401-T1prereg-52906",
        "vendors/philips_enhanced_anatomical_001",
        "vendors/siemens_anatomical_001",
        "vendors/ge_anatomical_001",
        "vendors/generic_compressed_j2k_001",
        "vendors/generic_compressed_rle_001",
    ],
)
def test_real_volumes_stay_what_they_were(name: str, shared_data: Path, tmp_path: Path):
    run(shared_data / "dicom" / name, tmp_path)
    before, after = read_series(shared_data / "dicom" / name), read_series(tmp_path)
    np.testing.assert_array_equal(before.volume.array, after.volume.array)
    np.testing.assert_array_equal(before.volume.affine(), after.volume.affine())


@pytest.mark.slow
def test_real_images_without_text_are_not_called_text(first_objects: Path):
    """CT, MR and PET, to which the pixels' check is not even applied: its worst case."""
    seen = wrong = 0
    for file in sorted(first_objects.iterdir()):
        dataset = pydicom.dcmread(file)
        if dataset.get("Modality") in ("CT", "MR", "PT") and not dataset.get("NumberOfFrames"):
            seen += 1
            wrong += text_rows(dataset.pixel_array) > 0
    assert seen > 20
    assert wrong == 0
