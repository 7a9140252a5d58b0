"""Whether a value is what its representation says: text hides in fields of dates, times, ages, codes and UIDs, too."""

from __future__ import annotations

import re

_FORMS = {
    "AS": r"\d{3}[DWMY]",
    "CS": r"[A-Z0-9 _]{1,16}",
    "DA": r"\d{4}(?P<mark>[.-]?)\d\d(?P=mark)\d\d",
    "DT": r"\d{4}(?:\d\d){0,5}(?:\.\d{1,6})?(?:[+-]\d{4})?",
    "TM": r"\d\d(?::?\d\d(?::?\d\d(?:\.\d{1,6})?)?)?",
    "UI": r"[0-9.]{1,64}",
}
_PATTERNS = {vr: re.compile(form) for vr, form in _FORMS.items()}
FORMED = frozenset(_FORMS)
_OLDEST = 89  # years; ages above single people out (45 CFR 164.514(b)(2)(i)(C))


def well_formed(vr: str, text: str) -> bool:
    """Whether `text` has the form of its value representation; always true of those without a form of their own."""
    pattern = _PATTERNS.get(vr)
    return pattern is None or pattern.fullmatch(text.strip(" \0")) is not None


def capped_age(text: str) -> str:
    """An age (VR AS); any above 89 years as 090Y."""
    return "090Y" if re.fullmatch(r"\d{3}Y", text) and int(text[:3]) > _OLDEST else text
