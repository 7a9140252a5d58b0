"""Free text without what identifies. In: a data set, of which names, numbers and dates are learnt, and texts; out: the
texts with those taken out. It finds what it knows and what looks like a date, a number of a person or a titled name.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from hounsfield.catalog.deidentify.profile import Profile
from hounsfield.volume.dicom_files import UNREADABLE

TEXTS = frozenset({"LO", "SH", "ST", "LT", "UC", "UT", "AE"})
MARK = "***"
# Placeholders and marks of medicine that stand where names should: to take them out of texts would only do harm.
_HARMLESS = frozenset(
    {"none", "unknown", "anonymous", "anon", "null", "other", "unspecified"}
    | {"dr", "md", "prof", "mr", "mrs", "ms", "ct", "us", "nm", "pt"}
    | {"de", "da", "di", "do", "du", "del", "la", "le", "van", "von", "der", "den", "und", "al", "el", "bin", "ben"}
)
_LENGTHS = {"SH": 16, "AE": 16, "LO": 64}
_WRITTEN_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ø": "oe", "å": "aa", "æ": "ae"})
_JOINTS = r"[\s^,_'’-]"
_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_YEAR, _MONTH, _DAY = r"(?:19|20)\d\d", r"(?:0?[1-9]|1[0-2])", r"(?:0?[1-9]|[12]\d|3[01])"
_PATTERNS = re.compile(
    "|".join(
        (
            rf"(?<!\d){_YEAR}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:\d{{6}})?(?!\d)",
            rf"(?<!\d){_YEAR}[-/. ]{_MONTH}[-/. ]{_DAY}(?!\d)",
            rf"(?<!\d)\d{{1,2}}[-/. ]\d{{1,2}}[-/. ]{_YEAR}(?!\d)",
            rf"(?<!\w)(?i:{_DAY}[-/. ]?(?:{_MONTHS})[a-z]*[-/., ]*{_YEAR})(?!\d)",
            rf"(?<!\w)(?i:(?:{_MONTHS})[a-z]*[-/. ]{_DAY}[-/., ]+{_YEAR})(?!\d)",
            r"(?<!\d)\d{6,}(?!\d)",
            r"[\w.+-]+@[\w-]+\.[\w.]+",
            # Small and capital letters tell Mr from MR (a modality), Dr from DR (another), Ms from ms (a time).
            r"(?<!\w)(?:Dr\.?|DR\.|Prof\.?|Mr\.?|Mrs\.?|Ms\.?|Herr|Frau|Mme)(?:\s+[^\W\da-z_][\w-]+){1,2}",
        )
    )
)


@dataclass(frozen=True)
class Known:
    """What identifies a patient: words and numbers (in lower case), and dates (YYYYMMDD)."""

    words: frozenset[str] = frozenset()
    dates: frozenset[str] = frozenset()

    def __or__(self, other: Known) -> Known:
        return Known(self.words | other.words, self.dates | other.dates)


NOTHING = Known()


def known_of(dataset: Dataset, profile: Profile) -> Known:
    """What a data set itself says of its patient, in elements that are to be removed; nested ones too."""
    words: set[str] = set()
    dates: set[str] = set()
    for element in _elements(dataset):
        values = list(map(str, texts_of(element)))
        if element.VR == "PN":
            words.update(word for value in values for word in _names(value))
        elif element.VR in TEXTS and int(element.tag) in profile.identity:
            spelt = [way for value in values for way in (value.strip().lower(), value.strip().lstrip("0").lower())]
            words.update(way for way in spelt if len(way) >= 4 and sum(map(str.isalnum, way)) >= 3)
        elif element.VR in ("DA", "DT"):
            dates.update(value[:8] for value in values if re.fullmatch(r"\d{8}", value[:8]))
    return Known(frozenset(words - _HARMLESS), frozenset(dates))


def clean(text: str, known: Known, *, patterns: bool) -> str:
    """`text` with everything known replaced by ***; with `patterns` also all that looks like a date or a number."""
    expression = _expression(known)
    cleaned = expression.sub(MARK, text) if expression else text
    return _PATTERNS.sub(MARK, cleaned) if patterns else cleaned


def shortened(text: str, vr: str) -> str:
    """`text` within the length that its value representation allows: a mark may be longer than what it replaces."""
    return text[: _LENGTHS.get(vr, len(text))]


def texts_of(element: DataElement) -> Iterable[Any]:
    """The values of an element as a list, whatever their number."""
    value = element.value
    if value is None or value == "":
        return []
    return list(value) if isinstance(value, list | tuple) or hasattr(value, "append") else [value]


@lru_cache(maxsize=256)
def _expression(known: Known) -> re.Pattern[str] | None:
    parts = {_loosely(word) for word in known.words}
    for date in known.dates:
        year, month, day = date[:4], date[4:6], date[6:]
        for order in ((year, month, day), (day, month, year), (month, day, year)):
            parts.add(r"[-/. ]?".join(order))
    if not parts:
        return None
    # The longest first, so that a full name goes before its parts; no letter or digit may touch a find.
    return re.compile(rf"(?<![^\W_])(?:{'|'.join(sorted(parts, key=lambda p: (-len(p), p)))})(?![^\W_])", re.IGNORECASE)


def _loosely(word: str) -> str:
    parts = [part for part in re.split(rf"{_JOINTS}+", word) if part]
    return rf"{_JOINTS}*".join(re.escape(part) for part in parts)


def _names(value: str) -> Iterator[str]:
    """Each part of a person's name that is long enough to be told from other words, and neighbours run together."""
    for spelling in {way for representation in value.lower().split("=") for way in _spellings(representation)}:
        parts = [part for part in re.split(r"[\^\s,.]+", spelling) if _is_name(part)]
        for part in parts:
            yield from (word for word in (part, *re.split(r"[-'’]", part)) if _is_name(word))
        for one, other in pairwise(parts):
            yield from (one + other, other + one)


def _is_name(word: str) -> bool:
    # One ideogram can be a family name; one letter of another script is an initial.
    return any(letter.isalpha() for letter in word) and (len(word) >= 2 or ord(word[0]) > 0x2E7F)


def _spellings(name: str) -> set[str]:
    """A name as it is, without its accents, and with the German letters written out: one person's files hold all."""
    bare = "".join(letter for letter in unicodedata.normalize("NFKD", name) if not unicodedata.combining(letter))
    return {name, unicodedata.normalize("NFC", name), bare, name.translate(_WRITTEN_OUT)}


def _elements(dataset: Dataset) -> Iterator[DataElement]:
    for tag in list(dataset.keys()):
        try:
            element = dataset[tag]
        except UNREADABLE:
            continue  # it will be left out; see `deidentify`
        if element.VR == "SQ":
            for item in element.value or []:
                yield from _elements(item)
        else:
            yield element
