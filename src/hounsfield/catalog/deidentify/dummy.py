"""Values that say nothing: an element goes in, one of its kind without the content comes out (action D of PS3.15)."""

from __future__ import annotations

from pydicom.dataelem import DataElement

from hounsfield.catalog.deidentify.text import texts_of

_TEXT = "REMOVED"
_BY_VR: dict[str, object] = {
    "AE": _TEXT,
    "AS": "000D",
    "AT": 0,
    "CS": _TEXT,
    "DA": "19000101",
    "DS": "1",
    "DT": "19000101000000",
    "IS": "1",
    "LO": _TEXT,
    "LT": _TEXT,
    "PN": _TEXT,
    "SH": _TEXT,
    "ST": _TEXT,
    "TM": "000000",
    "UC": _TEXT,
    "UR": "about:blank",
    "UT": _TEXT,
}
# One and not zero: frames, segments and channels are counted from one.
_NUMBERS = frozenset({"FD", "FL", "SL", "SS", "SV", "UL", "US", "UV"})
_EIGHT_ZEROS = bytes(8)  # a whole number of values of every binary VR
# Within a sequence that becomes a dummy, what a reader needs to make sense of an item at all. Only these terms stay.
_TERMS = {
    0x0040A010: "CONTAINS|HAS PROPERTIES|HAS OBS CONTEXT|HAS ACQ CONTEXT|INFERRED FROM|SELECTED FROM|HAS CONCEPT MOD",
    0x0040A040: "TEXT|NUM|CODE|DATE|TIME|DATETIME|UIDREF|PNAME|COMPOSITE|IMAGE|WAVEFORM|SCOORD|SCOORD3D|CONTAINER",
    0x0040A050: "SEPARATE|CONTINUOUS",
    0x00700003: "PIXEL|DISPLAY|MATRIX",
    0x00700004: "PIXEL|DISPLAY|MATRIX",
    0x00700005: "PIXEL|DISPLAY|MATRIX",
    0x00700023: "POINT|MULTIPOINT|POLYLINE|INTERPOLATED|CIRCLE|ELLIPSE",
    0x00700024: "Y|N",
}


def dummy(element: DataElement) -> DataElement:
    """An element of the same tag and VR whose value says nothing; not for sequences and UIDs."""
    value = _BY_VR.get(element.VR)
    if value is None and element.VR in _NUMBERS:
        count = len(list(texts_of(element)))
        value = [1] * count if count > 1 else 1
    return DataElement(element.tag, element.VR, _EIGHT_ZEROS if value is None else value)


def is_structure(element: DataElement) -> bool:
    """Whether an element is one of the defined terms that hold an item together."""
    return str(element.value) in _TERMS.get(int(element.tag), "").split("|")
