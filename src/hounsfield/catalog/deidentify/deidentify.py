"""One DICOM object without its patient, by PS3.15 Annex E. In: a data set, a secret, options; out: a new data set and a
list of what was done to it. The data set that went in is not changed, and pixels are shared, not copied.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydicom.datadict import dictionary_has_tag, keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag

from hounsfield import __version__
from hounsfield.catalog.deidentify.dates import shifted
from hounsfield.catalog.deidentify.dummy import dummy, is_structure
from hounsfield.catalog.deidentify.forms import FORMED, capped_age, well_formed
from hounsfield.catalog.deidentify.profile import EDITION, Options, Profile, profile_of
from hounsfield.catalog.deidentify.secret import Secret
from hounsfield.catalog.deidentify.text import MARK, NOTHING, TEXTS, Known, clean, known_of, shortened, texts_of
from hounsfield.core.errors import HounsfieldError
from hounsfield.volume.dicom_files import UNREADABLE, quiet_pydicom

METHOD = f"hounsfield {__version__}: PS3.15 {EDITION} Annex E basic profile"
_STANDARD_UIDS = "1.2.840.10008."
# UIDs that name a kind of thing (a class, a coding scheme, a transfer syntax), never one thing of a patient.
_KINDS = ("ClassUID", "ClassesInStudy", "SyntaxUID", "SchemeUID", "ContextUID", "ResourceUID", "CreatorUID", "GroupUID")
_CODE_TAGS = frozenset({0x00080100, 0x00080102, 0x00080103, 0x00080119, 0x00080120})
_PATIENT_ID = 0x00100020
_ENCRYPTED = 0x04000500
_WORDS = {"X": "removed", "Z": "emptied", "D": "replaced", "U": "mapped", "C": "cleaned", "T": "cleaned"}


class NotDeidentified(HounsfieldError):
    """An object that can't be de-identified: no identity of its own, or a document within it."""


@dataclass(frozen=True, eq=False)
class Deidentified:
    """Attributes:
    dataset: the new one; with `file_meta` when the old one had it.
    changes: (path of keywords, what was done) -> how often; no values.
    """

    dataset: Dataset
    changes: Mapping[tuple[str, str], int]


def patient_of(dataset: Dataset) -> str:
    """What tells this patient from others: the ID, or else name and birth date, or else the study."""
    patient = str(dataset.get("PatientID", "") or "").strip()
    name = f"{dataset.get('PatientName', '') or ''}|{dataset.get('PatientBirthDate', '') or ''}".strip("| ")
    return patient or name or str(dataset.get("StudyInstanceUID", ""))


def deidentify(
    dataset: Dataset, secret: Secret, options: Options | None = None, *, known: Known | None = None
) -> Deidentified:
    """The data set without what identifies its patient.

    Args:
        known: what other objects say of the same patient (see `known_of`); what this one says is always added.
    Raises: NotDeidentified when it has no class or UID, or holds a document (PDF, CDA) or raw data.
    """
    options = options or Options()
    with quiet_pydicom():
        _refuse(dataset)
        profile = profile_of(options)
        everything = known_of(dataset, profile) | (known or NOTHING)
        walk = _Walk(profile, secret, options, everything, patient_of(dataset))
        result = walk.dataset(dataset)
        if "SOPInstanceUID" not in result:
            raise NotDeidentified("its UIDs can't be read.")
        result.PatientID = secret.patient(walk.patient)
        result.PatientName = result.PatientID
        _declare(result, options)
        if getattr(dataset, "file_meta", None):
            result.file_meta = _file_meta(result, dataset.file_meta)
    return Deidentified(result, walk.changes)


def _refuse(dataset: Dataset) -> None:
    if not dataset.get("SOPClassUID") or not dataset.get("SOPInstanceUID"):
        raise NotDeidentified("it is no composite DICOM object (SOP class or instance UID is missing).")
    if "EncapsulatedDocument" in dataset:
        raise NotDeidentified("it holds a document (PDF, CDA, model file), whose content can't be looked through.")
    if str(dataset.SOPClassUID) == "1.2.840.10008.5.1.4.1.1.66":
        raise NotDeidentified("it is raw data, whose content only its maker knows.")


@dataclass
class _Walk:
    profile: Profile
    secret: Secret
    options: Options
    known: Known
    patient: str
    changes: Counter[tuple[str, str]] = field(default_factory=Counter)

    def dataset(self, source: Dataset, path: str = "", inside: str = "") -> Dataset:
        """`inside` is "dummy" within a sequence to be replaced, "content" within one of free text, else empty."""
        result = Dataset()
        safe = self._safe_private(source)
        for tag in list(source.keys()):
            name = path + (keyword_for_tag(tag) or f"({tag.group:04X},{tag.element:04X})")
            try:
                element = source[tag]
                action = self._action(element, inside, tag in safe)
                new = self._apply(element, action, name, inside)
            except UNREADABLE:  # unknown VR, bytes that don't fit it: nobody can tell what it says
                action, new = "X", None
            if new is not None:
                result.add(new)
            if action in _WORDS and (new is None or element.VR == "SQ" or new.value != element.value):
                self.changes[(name, _WORDS[action])] += 1
        return result

    def _action(self, element: DataElement, inside: str, safe: bool) -> str:
        tag = int(element.tag)
        if element.tag.is_private:
            return ("T" if element.VR in TEXTS else "K") if safe else "X"
        action = self.profile.actions.get(tag)
        if action == "X" or _goes_whole(element.tag) or (action is None and not dictionary_has_tag(tag)):
            return "X"
        if inside == "dummy" and action != "U":
            if element.VR == "UI":
                return action or ("K" if _is_kind(element) else "U")
            return "K" if is_structure(element) else "D"
        if action is not None:
            return action
        return self._unlisted(element, inside)

    def _unlisted(self, element: DataElement, inside: str) -> str:
        """For elements that the table leaves out: kept, but for what by its kind can identify."""
        vr = element.VR
        if vr in ("UN", "UR"):
            return "X"
        if vr == "UI":
            return "K" if self.options.uids or _is_kind(element) else "U"
        if vr in ("DA", "DT", "TM"):
            return {"shifted": "C", "kept": "K", "removed": "X"}[self.options.dates]
        if vr in TEXTS:
            return "K" if int(element.tag) in _CODE_TAGS else "C" if inside == "content" else "T"
        return {"PN": "D", "SQ": "C"}.get(vr, "K")

    def _apply(self, element: DataElement, action: str, name: str, inside: str) -> DataElement | None:
        tag, vr = element.tag, element.VR
        if action == "X":
            return None
        if int(tag) == _PATIENT_ID:
            return DataElement(tag, vr, self.secret.patient(str(element.value or "")))
        if action == "Z":
            return DataElement(tag, vr, Sequence() if vr == "SQ" else None)
        if vr == "SQ":
            within = "dummy" if action == "D" or inside == "dummy" else inside
            if action == "C" and int(tag) in self.profile.actions:
                within = within or "content"
            items = [self.dataset(item, f"{name}.", self._within(item, within)) for item in element.value or []]
            return DataElement(tag, vr, Sequence(items))
        if vr == "UI":
            kept = action == "K" and all(well_formed("UI", str(uid)) for uid in texts_of(element))
            return element if kept else self._mapped(element)
        if action == "D":
            return dummy(element)
        return self._kept(self._cleaned(element, action) if action in "CT" else element)

    def _within(self, item: Dataset, within: str) -> str:
        """A content item that says who, where or which device is replaced, though the report is kept."""
        for concept in (item.get("ConceptNameCodeSequence") or []) if within == "content" else []:
            if (str(concept.get("CodingSchemeDesignator", "")), str(concept.get("CodeValue", ""))) in (
                self.profile.concepts
            ):
                return "dummy"
        return within

    def _kept(self, element: DataElement) -> DataElement:
        """What stays, but for texts where none belong."""
        vr = element.VR
        if vr in ("DS", "IS") and any(isinstance(value, str) for value in texts_of(element)):
            return DataElement(element.tag, vr, None)  # else they are numbers already
        if vr not in FORMED:
            return element
        texts = [str(text) for text in texts_of(element)]
        if vr == "CS":  # codes against the rules are everyday: only names are taken out of them
            return self._texts(element, [self._code(text) for text in texts])
        return self._texts(element, [capped_age(text) if well_formed(vr, text) else "" for text in texts])

    def _code(self, text: str) -> str:
        # A patient may be called Hand or Head: one word of a proper code may be chance, two are a name.
        found = clean(text, self.known, patterns=False)
        return "" if found.count(MARK) > well_formed("CS", text) else text

    def _cleaned(self, element: DataElement, action: str) -> DataElement:
        vr = element.VR
        if vr in ("DA", "DT"):
            return self._texts(
                element, [shifted(str(text), self.secret.days(self.patient)) for text in texts_of(element)]
            )
        if vr in TEXTS:
            texts = [clean(str(text), self.known, patterns=action == "C") for text in texts_of(element)]
            return self._texts(element, [shortened(text, vr) for text in texts])
        # Times stay beside their moved dates; binary values can't be cleaned.
        return dummy(element) if vr in ("PN", "OB", "OW", "UN") else element

    def _mapped(self, element: DataElement) -> DataElement:
        # Standard UIDs (well-known frames of reference, classes) are no one's.
        uids = [str(uid) for uid in texts_of(element)]
        standard = [uid.startswith(_STANDARD_UIDS) and well_formed("UI", uid) for uid in uids]
        return self._texts(
            element, [uid if stays else self.secret.uid(uid) for uid, stays in zip(uids, standard, strict=True)]
        )

    def _texts(self, element: DataElement, texts: list[str]) -> DataElement:
        if texts == [str(text) for text in texts_of(element)]:
            return element
        value: Any = texts[0] if len(texts) == 1 else texts or None
        return DataElement(element.tag, element.VR, value)

    def _safe_private(self, source: Dataset) -> set[BaseTag]:
        """Private elements that the standard lists as safe, and the creators of their blocks."""
        kept: set[BaseTag] = set()
        if not self.profile.private:
            return kept
        for tag in list(source.keys()):
            if tag.is_private and tag.element >= 0x1000:
                creator = BaseTag(tag.group << 16 | tag.element >> 8)
                name = str(source[creator].value).strip() if creator in source else ""
                if (tag.group, name, tag.element & 0xFF) in self.profile.private:
                    kept |= {tag, creator}
        return kept


def _is_kind(element: DataElement) -> bool:
    return (element.keyword or "").endswith(_KINDS)


def _goes_whole(tag: BaseTag) -> bool:
    """Group lengths, command, file-meta and directory elements within a data set, what an earlier step encrypted (it
    can't be looked through), curves, and overlays.

    Of an overlay the table removes data and comments; without its data the rest describes nothing, and holds texts.
    """
    if tag.element == 0 or tag == _ENCRYPTED:
        return True
    return tag.group in (0x0000, 0x0002, 0x0004) or tag.group & 0xFF00 in (0x5000, 0x6000)


def _declare(result: Dataset, options: Options) -> None:
    """Says in the object what was done to it (PS3.15 E.1.1); what earlier steps said of themselves stays."""
    result.PatientIdentityRemoved = "YES"
    methods: list[str] = []
    if "DeidentificationMethod" in result:
        methods = [str(text) for text in texts_of(result["DeidentificationMethod"])]
    result.DeidentificationMethod = methods if METHOD in methods else [*methods, METHOD]
    codes = list(result.get("DeidentificationMethodCodeSequence") or [])
    there = {str(item.get("CodeValue", "")) for item in codes}
    for value, meaning in options.codes():
        if value not in there:
            item = Dataset()
            item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
            codes.append(item)
    result.DeidentificationMethodCodeSequence = Sequence(codes)
    before = str(result.get("LongitudinalTemporalInformationModified", ""))
    now = {"shifted": "MODIFIED", "removed": "REMOVED", "kept": before or "UNMODIFIED"}[options.dates]
    result.LongitudinalTemporalInformationModified = now


def _file_meta(result: Dataset, source: Dataset) -> FileMetaDataset:
    """New file meta information; of the old, which can name machines, the transfer syntax alone."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = result.SOPClassUID
    meta.MediaStorageSOPInstanceUID = result.SOPInstanceUID
    if "TransferSyntaxUID" in source:
        meta.TransferSyntaxUID = source.TransferSyntaxUID
    return meta


def notes_of(dataset: Dataset) -> tuple[str, ...]:
    """What a person should look at, since the header can't settle it."""
    in_pixels = any(
        tag.group & 0xFF00 == 0x6000 and tag.element == 0x0102 and dataset[tag].value for tag in list(dataset.keys())
    )
    return ("an overlay lies in unused bits of the pixels",) if in_pixels else ()
