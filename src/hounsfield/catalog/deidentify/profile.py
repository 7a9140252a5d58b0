"""What is to be done with each element: the options of a de-identification go in, the action of every tag comes out.

The tables are data: `tables/profile.csv` holds the facts of DICOM PS3.15 table E.1-1 (one row an attribute: the
action of the basic profile and what each option makes of it), `tables/safe_private.csv` private elements of table
E.3.10-1, `tables/structured.csv` the concepts of table E.3.4-1 that identify someone or something.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from types import MappingProxyType
from typing import Literal

from pydantic import BaseModel, ConfigDict

EDITION = "2026d"

# Codes of PS3.16 CID 7050, by option.
_CODES = {
    "basic": ("113100", "Basic Application Confidentiality Profile"),
    "structured": ("113104", "Clean Structured Content Option"),
    "descriptors": ("113105", "Clean Descriptors Option"),
    "full_dates": ("113106", "Retain Longitudinal Temporal Information Full Dates Option"),
    "modified_dates": ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    "patient": ("113108", "Retain Patient Characteristics Option"),
    "device": ("113109", "Retain Device Identity Option"),
    "uids": ("113110", "Retain UIDs Option"),
    "private": ("113111", "Retain Safe Private Option"),
    "institution": ("113112", "Retain Institution Identity Option"),
}
# An action such as X/Z/D says: remove, unless the kind of object needs the element empty, or with a dummy. Which kinds
# need it is another table for each of some 200 kinds; the last of the ways is right for all of them and tells no more.
_STRONGEST = {"X/Z": "Z", "X/D": "D", "Z/D": "D", "X/Z/D": "D", "X/Z/U*": "U"}


class Options(BaseModel):
    """What is kept beside the basic profile. The defaults keep intervals between dates and nothing else.

    Attributes:
        dates: shifted (per patient, by whole days), removed, or kept.
        descriptors: texts such as the series description are kept, without what is known to identify the patient.
        structured: the content of reports is kept in the same way.
        patient: sex, age, size, weight and the like are kept.
        device: names and serial numbers of the machines are kept.
        institution: names of the institutions are kept.
        private: private elements that the standard lists as safe are kept.
        uids: UIDs are kept.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    dates: Literal["shifted", "removed", "kept"] = "shifted"
    descriptors: bool = False
    structured: bool = False
    patient: bool = False
    device: bool = False
    institution: bool = False
    private: bool = False
    uids: bool = False

    def columns(self) -> tuple[str, ...]:
        """The columns of the table that apply, beside the basic one."""
        dates = {"shifted": ("modified_dates",), "kept": ("full_dates",), "removed": ()}[self.dates]
        return (*dates, *(name for name in _CODES if getattr(self, name, False) is True))

    def codes(self) -> tuple[tuple[str, str], ...]:
        """Code and meaning (PS3.16 CID 7050, scheme DCM) of what was done."""
        return (_CODES["basic"], *(_CODES[name] for name in self.columns()))


@dataclass(frozen=True)
class Rule:
    """One row of the table: tag as eight digits (x for any), keyword, and the action by column."""

    tag: str
    keyword: str
    actions: Mapping[str, str]


@dataclass(frozen=True)
class Profile:
    """The table for one choice of options.

    Attributes:
        actions: tag -> X (remove), Z (empty), D (dummy), U (map the UID), C (clean) or K (keep).
        identity: tags whose values name a person, a place or a number of theirs, to be looked for in texts that stay.
        private: (group, creator, element) of private elements that are kept.
        concepts: (scheme, code) of content items whose content is replaced even where reports are kept.
    """

    actions: Mapping[int, str]
    identity: frozenset[int]
    private: frozenset[tuple[int, str, int]]
    concepts: frozenset[tuple[str, str]]


@lru_cache(maxsize=1)
def table() -> tuple[Rule, ...]:
    """Every row of table E.1-1, also those for repeating groups and for private attributes."""
    return tuple(
        Rule(row["tag"], row["attribute"], MappingProxyType({k: v for k, v in list(row.items())[2:] if v}))
        for row in _rows("profile.csv")
    )


@lru_cache(maxsize=16)
def profile_of(options: Options) -> Profile:
    """The action of every tag under `options`."""
    actions: dict[int, str] = {}
    identity = set()
    for rule in table():
        if "x" in rule.tag or rule.tag == "private":
            continue  # curves, overlays and private elements go whole, see `deidentify`
        tag = int(rule.tag, 16)
        asked = [rule.actions[column] for column in options.columns() if column in rule.actions]
        basic = rule.actions["basic"]
        # Two options that both keep a thing, one as it is and one cleaned: cleaned.
        actions[tag] = ("C" if "C" in asked else "K") if asked else _STRONGEST.get(basic, basic)
        if not asked and not {"descriptors", "full_dates", "structured"} & set(rule.actions):
            identity.add(tag)
    private = _safe_private() if options.private else frozenset()
    return Profile(MappingProxyType(actions), frozenset(identity), private, _concepts(options))


def _safe_private() -> frozenset[tuple[int, str, int]]:
    return frozenset(
        (int(row["group"], 16), row["creator"], int(row["element"], 16)) for row in _rows("safe_private.csv")
    )


def _concepts(options: Options) -> frozenset[tuple[str, str]]:
    asked = options.columns()
    return frozenset(
        (row["scheme"], row["code"])
        for row in _rows("structured.csv")
        if not row["option"] or row["option"] not in asked
    )


def _rows(name: str) -> Iterator[dict[str, str]]:
    text = resources.files("hounsfield.catalog.deidentify").joinpath("tables", name).read_text(encoding="utf-8")
    yield from csv.DictReader(text.splitlines())
