"""Readings as numbers: the option that a reader chose in each category in, an indicator matrix out.

In: one text a category and nodule, as typed. Out: `Features`, and every reading that could not be used, and why.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hounsfield.core.errors import Problem, TableError
from hounsfield.core.registry import nearest
from hounsfield.core.types import BoolArray, IntArray
from hounsfield.guideline.point_table import Category, PointTable

_SEPARATORS = re.compile(r"[;+|,]")


@dataclass(frozen=True)
class Features:
    """Readings of N nodules in the option order of a table.

    Attributes:
        matrix: (N, O) which options were chosen; O counts the options of all categories.
        override: (N,) whether one of them sets the total to 0.
        kept: (N,) row of each nodule among the readings that were given.
    """

    matrix: BoolArray
    override: BoolArray
    kept: IntArray


def features_of(
    readings: Mapping[str, Sequence[object]], table: PointTable, *, named_wins: bool = False
) -> tuple[Features, list[Problem]]:
    """Turns readings into indicators.

    Args:
        readings: for each category of `table` the option keys, one text a nodule; in a category of which any number
            may be chosen, several are separated by ; + | or a comma, and an empty text means none. Upper case,
            blanks and hyphens don't matter.
        named_wins: what to do with "none" beside a named option: False sets the reading aside, as at data entry; True
            drops the "none", for tables that already exist.

    Returns: the features of the nodules that could be read, and one problem for each other one.
    Raises: TableError when a category has no column, or columns differ in length.
    """
    absent = [category.key for category in table.categories if category.key not in readings]
    if absent:
        raise TableError(
            f"readings for {table.name} need the columns {', '.join(c.key for c in table.categories)}; "
            f"missing: {', '.join(absent)}. Rename or map them."
        )
    sizes = {category.key: len(readings[category.key]) for category in table.categories}
    count = next(iter(sizes.values()))
    if len(set(sizes.values())) > 1:
        raise TableError(f"every category has one reading a nodule; got {sizes}.")
    matrix = np.zeros((count, len(table.option_names)), dtype=bool)
    broken: dict[int, list[str]] = {}
    start = 0
    for category in table.categories:
        known = {_plain(option.key): place for place, option in enumerate(category.options)}
        known |= {_plain(option.title): place for place, option in enumerate(category.options)}
        for row, text in enumerate(readings[category.key]):
            places, fault = _chosen(text, category, known, named_wins=named_wins)
            if fault:
                broken.setdefault(row, []).append(f"{category.key}: {fault}")
            matrix[row, [start + place for place in places]] = True
        start += len(category.options)
    kept = np.array([row for row in range(count) if row not in broken], dtype=np.int64)
    problems = [Problem(f"reading {row + 1}", _sentence(faults)) for row, faults in sorted(broken.items())]
    chosen = matrix[kept]
    return Features(chosen, np.asarray(chosen[:, table.is_override].any(axis=1)), kept), problems


def _chosen(text: object, category: Category, known: Mapping[str, int], *, named_wins: bool) -> tuple[list[int], str]:
    """Places of the chosen options, or what is wrong."""
    given = "" if text is None or text != text else str(text).strip()
    words = [word.strip() for word in (_SEPARATORS.split(given) if category.choose == "any" else [given])]
    words = [word for word in words if word]
    if not words and category.choose == "any":
        words = [category.none]
    if not words:
        return [], "nothing was chosen"
    unknown = [word for word in words if _plain(word) not in known]
    if unknown:
        options = [option.key for option in category.options]
        return [], f"'{unknown[0]}' is none of its options.{nearest(unknown[0], options)}"
    places = sorted({known[_plain(word)] for word in words})
    none = known.get(_plain(category.none)) if category.none else None
    if none in places and len(places) > 1:
        if not named_wins:
            return [], f"'{category.none}' stands beside a finding"
        places.remove(none)
    return places, ""


def _sentence(faults: Sequence[str]) -> str:
    text = "; ".join(faults)
    return text if text.endswith(("?", ".")) else text + "."


def _plain(word: str) -> str:
    return re.sub(r"[\s_\-/]+", "", word).lower()
