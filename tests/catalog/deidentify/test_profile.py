"""The table against what others say of it: pydicom's dictionary of tags and codes, another transcription's counts, and
rows read by hand."""

from __future__ import annotations

from collections import Counter

import pytest
from pydantic import ValidationError
from pydicom.datadict import keyword_for_tag, repeater_has_keyword
from pydicom.sr.codedict import codes

from hounsfield.catalog.deidentify.profile import Options, profile_of, table

# Of editions after that of pydicom's dictionary; held against the dictionary as soon as it knows them.
NEWER = {
    *("00081301", "00081302", "00081303", "00081304", "00100011", "00100012", "00100013", "00100014", "00100015"),
    *("00100016", "00100041", "00100042", "00100043", "00100044", "00100045", "00100046", "00100047", "00102162"),
    *("3004007F", "0040A034", "0040A035", "0040B034", "0040B036", "0040B03B", "0040B03F", "0040E012"),
}


def test_every_tag_has_the_keyword_of_the_data_dictionary():
    seen = 0
    for rule in table():
        if rule.tag == "private" or "x" in rule.tag:
            continue
        known = keyword_for_tag(int(rule.tag, 16))
        assert known == rule.keyword or (not known and rule.tag in NEWER), rule.tag
        seen += bool(known)
    assert seen >= 657 - 4 - len(NEWER)
    assert repeater_has_keyword("OverlayComments")


def test_the_table_is_whole():
    # Counts by action as another transcription of the 2026c table has them (dicom-anonymizer 2.1.0), to which the next
    # edition adds one removed attribute; that list leaves out the row for private attributes.
    counts = Counter(rule.actions["basic"] for rule in table() if rule.tag != "private")
    assert counts == {
        "D": 93,
        "Z": 42,
        "X": 415 + 1,
        "U": 55,
        "Z/D": 6,
        "X/Z": 11,
        "X/D": 23,
        "X/Z/D": 8,
        "X/Z/U*": 2,
    }
    assert len({rule.tag for rule in table()}) == len(table()) == 657


def test_what_an_option_makes_of_a_row_is_one_of_the_standards_letters():
    allowed = {"K", "C"}
    for rule in table():
        assert set(list(rule.actions.values())[1:]) <= allowed, rule.tag
        assert ("full_dates" in rule.actions) == ("modified_dates" in rule.actions), rule.tag


@pytest.mark.parametrize(
    ("tag", "options", "action"),
    [  # rows read by hand
        (0x00080020, {"dates": "removed"}, "Z"),  # Study Date
        (0x00080020, {}, "C"),
        (0x00080020, {"dates": "kept"}, "K"),
        (0x00100030, {"dates": "kept"}, "Z"),  # Patient's Birth Date: no option keeps it
        (0x0008103E, {}, "X"),  # Series Description
        (0x0008103E, {"descriptors": True}, "C"),
        (0x00181000, {}, "D"),  # Device Serial Number: X/Z/D
        (0x00181000, {"device": True}, "K"),
        (0x00080018, {}, "U"),  # SOP Instance UID
        (0x00080018, {"uids": True}, "K"),
        (0x00080080, {"institution": True}, "K"),  # Institution Name
        (0x00101010, {"patient": True}, "K"),  # Patient's Age
        (0x00101010, {}, "X"),
        (0x00102110, {"patient": True}, "C"),  # Allergies
        (0x00081140, {}, "U"),  # Referenced Image Sequence: X/Z/U*
        (0x0040A730, {}, "D"),  # Content Sequence
        (0x0040A730, {"structured": True}, "C"),
        (0x00420011, {"descriptors": True, "structured": True}, "D"),  # Encapsulated Document
        (0x30060026, {}, "Z"),  # ROI Name
        (0xFFFCFFFC, {"uids": True}, "X"),  # Data Set Trailing Padding
    ],
)
def test_actions_follow_the_options(tag: int, options: dict[str, bool], action: str):
    assert profile_of(Options(**options)).actions[tag] == action


def test_codes_are_those_of_the_standards_context_group():
    every = Options(
        **dict.fromkeys(("descriptors", "structured", "patient", "device", "institution", "private", "uids"), True)
    )
    known = {code.value: code.meaning for code in (getattr(codes.CID7050, name) for name in codes.CID7050.dir())}
    for dates in ("shifted", "kept", "removed"):
        stated = every.model_copy(update={"dates": dates}).codes()
        assert stated[0] == ("113100", "Basic Application Confidentiality Profile")
        assert {value: known[value] for value, _ in stated} == dict(stated)
        assert len(stated) == 8 + (dates != "removed")


def test_content_that_names_someone_is_replaced_also_where_reports_are_kept():
    concepts = profile_of(Options(structured=True)).concepts
    for name in ("PersonObserverName", "SubjectName", "AccessionNumber", "SubjectSex", "DeviceObserverName"):
        code = getattr(codes.DCM, name)
        assert ("DCM", code.value) in concepts, name
    kept = profile_of(Options(structured=True, device=True, patient=True)).concepts
    assert concepts - kept >= {("DCM", codes.DCM.SubjectSex.value), ("DCM", codes.DCM.DeviceObserverName.value)}
    assert ("DCM", codes.DCM.SubjectName.value) in kept


def test_options_that_do_not_exist_are_refused():
    with pytest.raises(ValidationError, match="descriptor"):
        Options(descriptor=True)
    with pytest.raises(ValidationError, match="shifted"):
        Options(dates="moved")
