"""No value of the removal list survives, anywhere in the written bytes, under any option that does not ask for it."""

from __future__ import annotations

import io
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from tests.catalog.deidentify.removal_list import (
    NUMBERS,
    Marker,
    Markers,
    as_bytes,
    fill,
    marked,
    removal_list,
    vr_of,
)

from hounsfield.catalog.deidentify.deidentify import deidentify
from hounsfield.catalog.deidentify.profile import Options, profile_of
from hounsfield.catalog.deidentify.secret import Secret

SECRET = Secret(bytes(range(32)))
NAME, NUMBER, BIRTH = "Zyxwv^Qrstuv", "PAT0815X", "19370211"
CHOICES: dict[str, dict[str, Any]] = {
    "basic profile": {"dates": "removed"},
    "dates shifted": {"dates": "shifted"},
    "dates kept": {"dates": "kept"},
    **{
        name: {"dates": "removed", name: True}
        for name in ("descriptors", "structured", "patient", "device", "institution", "private", "uids")
    },
    "everything": {
        "dates": "kept",
        **dict.fromkeys(("descriptors", "structured", "patient", "device", "institution", "private", "uids"), True),
    },
}

# Every option in one encoding, two choices in the others as well.
TRIED = [(choice, ExplicitVRLittleEndian) for choice in CHOICES] + [
    (choice, syntax)
    for choice in ("basic profile", "everything")
    for syntax in (ImplicitVRLittleEndian, ExplicitVRBigEndian)
]


def may_stay(marker: Marker, actions: dict[int, str]) -> bool:
    """By the table alone: no element on the way is removed, emptied or replaced, and the last is kept or cleaned."""
    *above, last = marker.path
    groups = {tag >> 16 for tag in marker.path}
    if any(group % 2 or group == 2 or group & 0xFF00 in (0x5000, 0x6000) for group in groups):
        return False
    if any(actions.get(tag) in ("X", "Z") for tag in above) or last == 0x00100020:
        return False
    if any(actions.get(tag) == "D" for tag in above):
        return marker.vr == "UI" and actions.get(last) == "K"  # references stay references in what is replaced
    action = actions.get(last, "not in the list")
    return action in ("K", "not in the list") or (action == "C" and marker.vr not in ("DA", "DT"))


@pytest.mark.parametrize(("choice", "syntax"), TRIED)
def test_no_value_of_the_list_survives_unless_an_option_keeps_it(choice: str, syntax: str):
    options = Options(**CHOICES[choice])
    dataset, markers = marked()
    before = as_bytes(dataset, syntax)
    assert len(markers.all) > 3500  # five levels of more than 700 values
    assert [marker.name for marker in markers.all if marker.data not in before] == []
    source = pydicom.dcmread(io.BytesIO(before))
    after = as_bytes(deidentify(source, SECRET, options).dataset, syntax)
    actions = dict(profile_of(options).actions)
    # Days are used several times: where some are kept, one that had to go can't be told from one that stayed.
    some_days_stay = options.dates == "kept" or options.device
    gone = [one for one in markers.all if not may_stay(one, actions) and not (one.vr == "DA" and some_days_stay)]
    assert len(gone) > 1000
    assert [marker.name for marker in gone if marker.data in after] == []


@pytest.mark.parametrize("choice", CHOICES)
def test_no_name_number_or_birth_date_survives_in_any_text_that_is_kept(choice: str):
    options = Options(**CHOICES[choice])
    actions = profile_of(options).actions
    dataset = fill(Markers())
    text = f"for {NAME} {NUMBER}, Qrstuv ZYXWV_x born {BIRTH} or 11.02.1937"
    cleaned = [tag for tag, _ in removal_list() if actions[tag] == "C" and vr_of(tag) in ("LO", "LT", "SH", "ST", "UT")]
    for tag in (*cleaned, 0x00081090, 0x00080070, 0x00700081, 0x00181210, 0x00204000):  # and some that no list names
        dataset.add_new(tag, vr_of(tag), text[: 16 if vr_of(tag) == "SH" else None])
    dataset.ContentSequence = [one_text(text)]
    dataset.SOPClassUID = CTImageStorage
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = NAME, NUMBER, BIRTH
    dataset.BodyPartExamined = "ZYXWV QRSTUV"
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    before = as_bytes(dataset, ExplicitVRLittleEndian)
    result = deidentify(pydicom.dcmread(io.BytesIO(before)), SECRET, options).dataset
    after = as_bytes(result, ExplicitVRLittleEndian).lower()
    for secret in ("zyxwv", "qrstuv", NUMBER.lower(), BIRTH, "11.02.1937"):
        assert secret.encode() in before.lower()
        assert secret.encode() not in after, secret
    assert not result.PatientBirthDate


def one_text(text: str) -> Dataset:
    item = Dataset()
    item.ValueType, item.TextValue = "TEXT", text
    return item


def test_numbers_of_the_list_are_gone_too():
    dataset, _ = marked()
    result = deidentify(dataset, SECRET, Options(dates="removed")).dataset
    actions = profile_of(Options(dates="removed")).actions
    for tag, keyword in removal_list():
        if vr_of(tag) in NUMBERS and actions[tag] == "X":
            assert tag not in result, keyword
    assert "PregnancyStatus" in dataset
    assert dataset.SelectorASValue != result.SelectorASValue


def test_what_the_options_keep_is_there():
    dataset, markers = marked()
    result = as_bytes(deidentify(dataset, SECRET, Options(**CHOICES["everything"])).dataset, ExplicitVRLittleEndian)
    actions = profile_of(Options(**CHOICES["everything"])).actions
    kept = [one for one in markers.all if len(one.path) == 1 and actions.get(one.path[0]) == "K"]
    kept = [one for one in kept if one.path[0] >> 16 != 4]  # a directory's
    assert len(kept) > 200
    assert [one.name for one in kept if one.data not in result] == []
