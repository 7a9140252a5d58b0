"""One object: what must be consistent is, what options keep is cleaned, and what can't be cleaned is refused."""

from __future__ import annotations

import io
import struct
from datetime import date, timedelta

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from tests.catalog.deidentify.removal_list import as_bytes

from hounsfield.catalog.deidentify.deidentify import METHOD, NotDeidentified, deidentify
from hounsfield.catalog.deidentify.profile import Options
from hounsfield.catalog.deidentify.secret import Secret
from hounsfield.catalog.deidentify.text import Known

SECRET = Secret(bytes(range(32)))
EVERYTHING = Options(
    dates="shifted", descriptors=True, structured=True, patient=True, device=True, institution=True, private=True
)


def one(vr: str, tag: int, value: object) -> Dataset:
    item = Dataset()
    item.add_new(tag, vr, value)
    return item


def ct(**values: object) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, "1.2.3.4"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.3", "1.2.3.1"
    dataset.PatientID, dataset.PatientName = "4711", "Doe^Jane"
    for name, value in values.items():
        setattr(dataset, name, value)
    return dataset


def test_what_the_options_keep_is_kept_and_cleaned_of_the_patient():
    private = Dataset()
    private.private_block(0x0019, "GEMS_ACQU_01", create=True).add_new(0x23, "DS", "39.37")
    private.private_block(0x0019, "GEMS_ACQU_01").add_new(0x30, "LO", "DOE JANE")
    content = one("UT", 0x0040A160, "Seen by Dr. House on 12.03.2015, Jane is well")
    content.ValueType = "TEXT"
    dataset = ct(
        SeriesDescription="Thorax Doe 2015-03-12 4711 lung",
        PatientSex="F",
        PatientAge="061Y",
        DeviceSerialNumber="SN-9",
        InstitutionName="St. Mary",
        StudyDate="20150312",
        StudyTime="101112",
        ContentSequence=Sequence([content]),
    )
    dataset.update(private)
    result = deidentify(dataset, SECRET, EVERYTHING).dataset
    assert result.SeriesDescription == "Thorax *** *** *** lung"
    assert result.ContentSequence[0].TextValue == "Seen by *** on ***, *** is well"
    assert (result.PatientSex, result.PatientAge, result.DeviceSerialNumber) == ("F", "061Y", "SN-9")
    assert result.InstitutionName == "St. Mary"
    assert result.StudyTime == "101112"
    assert result[0x0019, 0x1023].value == 39.37
    assert (0x0019, 0x1030) not in result
    assert {item.CodeValue for item in result.DeidentificationMethodCodeSequence} == {
        *("113100", "113104", "113105", "113107", "113108", "113109", "113111", "113112")
    }
    bare = deidentify(dataset, SECRET).dataset
    for keyword in ("SeriesDescription", "PatientAge"):
        assert keyword not in bare
    assert (bare.PatientSex, bare.DeviceSerialNumber, bare.InstitutionName) == (None, "REMOVED", "REMOVED")
    assert bare.ContentSequence[0].TextValue == "REMOVED"
    assert bare.ContentSequence[0].ValueType == "TEXT"
    assert not [tag for tag in list(bare.keys()) if tag.is_private]


def test_dates_move_alike_within_a_patient_and_intervals_stay():
    first = ct(StudyDate="20150228", AcquisitionDateTime="20150301235959.5+0100", ContentDate="2015.03.01")
    second = ct(SOPInstanceUID="1.2.3.5", StudyDate="20160229", PatientName="DOE^JANE^M")
    other = ct(PatientID="4712", StudyDate="20150228")
    new = [deidentify(dataset, SECRET).dataset for dataset in (first, second, other)]

    def day(text: str) -> date:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8]))

    days = day(new[0].StudyDate) - date(2015, 2, 28)
    assert -3650 <= days.days <= -365
    assert day(new[1].StudyDate) - day(new[0].StudyDate) == date(2016, 2, 29) - date(2015, 2, 28)
    assert day(new[0].AcquisitionDateTime) - day(new[0].StudyDate) == timedelta(days=1)
    assert new[0].AcquisitionDateTime.endswith("235959.5+0100")
    assert new[0].ContentDate.count(".") == 2
    assert new[2].StudyDate != new[0].StudyDate
    assert [one.LongitudinalTemporalInformationModified for one in new] == ["MODIFIED"] * 3
    kept = deidentify(first, SECRET, Options(dates="kept")).dataset
    assert (kept.StudyDate, kept.LongitudinalTemporalInformationModified) == ("20150228", "UNMODIFIED")
    gone = deidentify(first, SECRET, Options(dates="removed")).dataset
    assert not gone.StudyDate
    assert gone.LongitudinalTemporalInformationModified == "REMOVED"


def test_uids_are_mapped_alike_everywhere_and_standard_ones_stay():
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = CTImageStorage, "1.2.3.4"
    series = Dataset()
    series.SeriesInstanceUID, series.ReferencedInstanceSequence = "1.2.3.1", Sequence([reference])
    source = ct(FrameOfReferenceUID="1.2.840.10008.1.4.1.1")
    segmentation = ct(
        SOPInstanceUID="1.2.3.9", SeriesInstanceUID="1.2.3.2", ReferencedSeriesSequence=Sequence([series])
    )
    image, mask = (deidentify(dataset, SECRET).dataset for dataset in (source, segmentation))
    assert mask.ReferencedSeriesSequence[0].SeriesInstanceUID == image.SeriesInstanceUID
    new = mask.ReferencedSeriesSequence[0].ReferencedInstanceSequence[0]
    assert new.ReferencedSOPInstanceUID == image.SOPInstanceUID
    assert new.ReferencedSOPClassUID == CTImageStorage
    assert mask.StudyInstanceUID == image.StudyInstanceUID
    assert mask.PatientID == image.PatientID == image.PatientName == SECRET.patient("4711")
    assert image.FrameOfReferenceUID == "1.2.840.10008.1.4.1.1"
    assert image.SOPInstanceUID.startswith("2.25.")
    assert image.SOPInstanceUID.is_valid
    assert len(image.SOPInstanceUID) <= 64
    assert len({image.SOPInstanceUID, image.SeriesInstanceUID, image.StudyInstanceUID}) == 3
    assert deidentify(source, Secret(bytes(32))).dataset.SOPInstanceUID != image.SOPInstanceUID


def test_the_input_is_left_as_it_was_and_a_second_pass_adds_no_second_statement():
    dataset = ct(StudyDate="20150228", SeriesDescription="Doe")
    before = str(dataset)
    once = deidentify(dataset, SECRET).dataset
    assert str(dataset) == before
    assert once.PatientIdentityRemoved == "YES"
    twice = deidentify(once, SECRET).dataset
    assert twice.DeidentificationMethod == once.DeidentificationMethod == METHOD
    assert len(twice.DeidentificationMethodCodeSequence) == len(once.DeidentificationMethodCodeSequence) == 2


def test_what_earlier_steps_said_of_themselves_stays():
    result = deidentify(ct(DeidentificationMethod=["CTP", "by hand"]), SECRET).dataset
    assert list(result.DeidentificationMethod) == ["CTP", "by hand", METHOD]


def test_changes_name_elements_and_hold_no_value():
    changes = deidentify(ct(StudyDate="20150228", SeriesDescription="Doe", KVP="120"), SECRET).changes
    assert changes[("SeriesDescription", "removed")] == 1
    assert changes[("StudyDate", "cleaned")] == 1
    assert changes[("SOPInstanceUID", "mapped")] == 1
    assert not [path for path, _ in changes if path == "KVP"]
    assert "Doe" not in str(changes)


def test_groups_that_have_no_place_in_a_data_set_and_unknown_elements_go():
    dataset = ct()
    dataset.add_new(0x00001000, "UI", "1.2.3.77")
    dataset.add_new(0x00020016, "AE", "WARD7")
    dataset.add_new(0x00080000, "UL", 77)  # a group length
    dataset.add_new(0x00087777, "LO", "Doe")  # no such element in any edition known
    dataset.add_new(0x00189999, "UN", b"Doe")
    result = deidentify(dataset, SECRET).dataset
    dataset.add_new(0x00041500, "CS", ["DOE", "JANE"])  # a path, out of a directory
    dataset.add_new(0x04000500, "SQ", [one("OB", 0x04000520, b"Doe")])  # what an earlier step encrypted
    result = deidentify(dataset, SECRET).dataset
    assert not {0x00041500, 0x04000500} & set(map(int, result.keys()))
    assert not {0x00001000, 0x00020016, 0x00080000, 0x00087777, 0x00189999} & set(map(int, result.keys()))


def test_an_element_whose_representation_is_nonsense_goes():
    header = as_bytes(_with_meta(ct()), ExplicitVRLittleEndian)
    broken = header + struct.pack("<HH2sH", 0x4010, 0x1001, b"QQ", 4) + b"Doe "
    result = deidentify(pydicom.dcmread(io.BytesIO(broken)), SECRET).dataset
    assert 0x40101001 not in result


@pytest.mark.parametrize(
    "dataset",
    [
        Dataset(),
        ct(EncapsulatedDocument=b"%PDF"),
        ct(SOPClassUID="1.2.840.10008.5.1.4.1.1.66"),
    ],
    ids=["no identity", "document", "raw data"],
)
def test_what_no_one_can_look_through_is_refused(dataset: Dataset):
    with pytest.raises(NotDeidentified):
        deidentify(dataset, SECRET)


def test_a_name_that_only_another_object_of_the_patient_tells_is_removed():
    dataset = ct(PatientName="", SeriesDescription="for Roe")
    known = Known(frozenset({"roe"}))
    assert deidentify(dataset, SECRET, Options(descriptors=True), known=known).dataset.SeriesDescription == "for ***"


def test_patients_without_id_are_told_apart_by_name_and_birth():
    first, second = ct(PatientID=""), ct(PatientID="", PatientName="Roe^Rik")
    assert deidentify(first, SECRET).dataset.PatientID != deidentify(second, SECRET).dataset.PatientID


@pytest.mark.parametrize("dates", ["shifted", "kept"])
def test_text_in_fields_that_take_none_goes(dates: str):
    dataset = ct(BodyPartExamined="DOE JANE", ScanningSequence=["SE", "doe"], PatientSex="F", PatientAge="101Y")
    for tag, vr in ((0x00080030, "TM"), (0x00080020, "DA"), (0x0008002A, "DT"), (0x00101020, "DS"), (0x00200013, "IS")):
        dataset._dict[pydicom.tag.Tag(tag)] = pydicom.dataelem.RawDataElement(
            pydicom.tag.Tag(tag), vr, 4, b"DOE ", 0, False, True
        )
    dataset.FrameOfReferenceUID = "1.2.840.10008.DOE"
    dataset.ReferencedSOPClassUID = "1.2.DOE"
    result = deidentify(dataset, SECRET, Options(dates=dates, patient=True)).dataset
    result.file_meta = FileMetaDataset()
    assert b"DOE" not in as_bytes(result, ExplicitVRLittleEndian).upper()
    assert (result.PatientSex, result.PatientAge, list(result.ScanningSequence)) == ("F", "090Y", ["SE", ""])


def test_a_code_that_is_also_a_name_stays_a_code():
    dataset = ct(PatientName="Hand^Eve", BodyPartExamined="HAND")
    assert deidentify(dataset, SECRET).dataset.BodyPartExamined == "HAND"


def test_dates_of_year_0_and_names_that_are_no_utf_8_do_no_harm():
    header = as_bytes(
        _with_meta(ct(SpecificCharacterSet="ISO_IR 192", StudyDate="00000000", SeriesDate="20150101")),
        ExplicitVRLittleEndian,
    )
    broken = header.replace(b"Doe^Jane", b"D\xff\xfe^Jane")
    source = pydicom.dcmread(io.BytesIO(broken))
    source[0x0008103E] = pydicom.dataelem.RawDataElement(
        pydicom.tag.Tag(0x0008103E), "LO", 12, b"Arm Jane \xff\xfe ", 0, False, True
    )
    result = deidentify(source, SECRET, Options(descriptors=True)).dataset
    after = as_bytes(result, ExplicitVRLittleEndian)
    assert result.StudyDate == ""
    assert result.SeriesDate
    assert b"Jane" not in after
    assert result.SeriesDescription.startswith("Arm ***")


@pytest.mark.parametrize("length", [b"\xff\xff\xff\xff", None])
def test_sequences_disguised_as_unknown_are_looked_through(length: bytes | None):
    """A public sequence of VR UN (as a relay that does not know it writes it), of defined and undefined length."""
    item = struct.pack("<HHI", 0x0010, 0x0020, 4) + b"4711" + struct.pack("<HHI", 0x0008, 0x1150, 4) + b"1.2\0"
    items = struct.pack("<HHI", 0xFFFE, 0xE000, len(item)) + item
    size = length or struct.pack("<I", len(items))
    end = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0) if length else b""
    element = struct.pack("<HH2sH", 0x5200, 0x9230, b"UN", 0) + size + items + end
    header = as_bytes(_with_meta(ct()), ExplicitVRLittleEndian)
    result = deidentify(pydicom.dcmread(io.BytesIO(header + element)), SECRET).dataset
    groups = result.PerFrameFunctionalGroupsSequence
    assert (groups[0].PatientID, groups[0].ReferencedSOPClassUID) == (SECRET.patient("4711"), "1.2")


def test_reports_keep_findings_and_lose_who_wrote_them():
    def text(scheme: str, code: str, value: str) -> Dataset:
        concept = Dataset()
        concept.CodingSchemeDesignator, concept.CodeValue, concept.CodeMeaning = scheme, code, "a concept"
        item = Dataset()
        item.ValueType, item.ConceptNameCodeSequence, item.TextValue = "TEXT", [concept], value
        return item

    author = Dataset()
    author.ValueType, author.PersonName = "PNAME", "House^Greg"
    items = [text("DCM", "121071", "Nodule, 8 mm"), text("DCM", "121022", "ACC77 in ward"), author]
    dataset = ct(ContentSequence=items, VerifyingObserverSequence=[one("PN", 0x0040A075, "House^Greg")])
    finding, accession, person = deidentify(dataset, SECRET, Options(structured=True)).dataset.ContentSequence
    assert finding.TextValue == "Nodule, 8 mm"
    assert accession.TextValue == "REMOVED"
    assert str(person.PersonName) == "REMOVED"
    bare = deidentify(dataset, SECRET).dataset
    assert {item.get("TextValue", "REMOVED") for item in bare.ContentSequence} == {"REMOVED"}


def test_presentation_states_and_waveforms_lose_their_texts_and_keep_their_data():
    line = one("ST", 0x00700006, "Doe has a tumour")
    drawing = Dataset()
    drawing.GraphicLayer, drawing.TextObjectSequence = "LAYER", [line]
    channel = Dataset()
    channel.ChannelLabel, channel.WaveformBitsStored = "Jane's lead", 16
    wave = Dataset()
    wave.WaveformBitsAllocated = 8
    wave.ChannelDefinitionSequence, wave.WaveformData = [channel], b"\1\2\3\4"
    wave.MultiplexGroupLabel = "Doe at rest"
    remark = one("ST", 0x00700006, "Jane moved")
    dataset = ct(GraphicAnnotationSequence=[drawing], WaveformSequence=[wave], WaveformAnnotationSequence=[remark])
    result = deidentify(dataset, SECRET, Options(descriptors=True, structured=True)).dataset
    result.file_meta = FileMetaDataset()
    after = as_bytes(result, ExplicitVRLittleEndian)
    assert not [word for word in (b"Doe", b"Jane", b"tumour", b"moved") if word in after]
    assert result.WaveformSequence[0].WaveformData == b"\1\2\3\4"


def _with_meta(dataset: Dataset) -> Dataset:
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    return dataset
