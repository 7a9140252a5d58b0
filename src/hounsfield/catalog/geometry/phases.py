"""Planes that share positions parted into volumes. In: parallel planes of one size and their places. Out: groups with
one plane a place, as far as the headers can tell, and whether it is time that parts them.

Signs are tried one after the other, and only on groups in which a position still comes more than once. A sign that says
what the image is (stack, image type, echo, b-value) goes before a time: an echo has a later time too, but is no time
point.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hounsfield.catalog.geometry.planes import Planes
from hounsfield.catalog.geometry.stacks import normal_of
from hounsfield.core.types import AnyArray, IntArray

_KINDS = {"stack": "stack", "image_type": "image type", "echo": "echo", "b_value": "b-value"}
TIMES = {
    "temporal": "temporal position",
    "trigger_time": "trigger time",
    "acquisition_time": "acquisition time",
    "content_time": "content time",
}
# The acquisition number is no time: scanners count it up for each rotation, direction or restart as well.
_ORDER = {**_KINDS, **TIMES, "acquisition": "acquisition"}
_BY_VALUE = (*_KINDS, "temporal")  # the value itself names the volume, however many there are
_BLOCK_MM = 1.0  # planes shifted in plane by less belong to one block


@dataclass(frozen=True)
class Part:
    """Planes that belong together, numbers as in `members` of `part_planes`, and what sets them apart."""

    chosen: IntArray
    signs: tuple[str, ...] = ()


def part_planes(planes: Planes, members: IntArray, place: IntArray) -> tuple[list[Part], str]:
    """Groups in which no position repeats, where the headers allow it.

    Args:
        members: (N,) numbers of parallel planes of one size.
        place: (N,) number of the position of each along the normal.
    Returns: the groups in order of their signs, and the name of the time (`TIMES`) that differs at one position, or "".
        Several directions of diffusion are no time series; only a temporal position makes them one.
    """
    parts = _blocks(planes, members, place)
    diffusion = bool((pd.to_numeric(pd.Series(planes.other["b_value"][members]), errors="coerce") > 0).any())
    temporal = ""
    for name, title in _ORDER.items():
        if not any(_repeats(place[part.chosen]) for part in parts):
            break
        codes, words = _coded(planes.other[name][members])
        if not len(words):
            continue
        if not temporal and name in TIMES and (name == "temporal" or not diffusion):
            temporal = title if any(_is_time(name, codes[p.chosen], place[p.chosen]) for p in parts) else ""
        parts = [piece for part in parts for piece in _divided(part, name, codes, words, place)]
    return [piece for part in parts for piece in _by_order(part, place)], temporal


def _repeats(place: IntArray) -> bool:
    return bool(np.bincount(place).max() > 1)


def _coded(values: AnyArray) -> tuple[IntArray, list[str]]:
    """(N,) number of each value in the order of values, 0 where empty; and the values as text."""
    codes, found = pd.factorize(pd.Series(values), sort=True)
    return codes.astype(np.int64) + 1, [f"{value:g}" if isinstance(value, float) else str(value) for value in found]


def _distinct(codes: IntArray, place: IntArray) -> tuple[IntArray, IntArray, int]:
    """Pairs of place and code as sorted numbers, how many of them each place has, and the factor of the place."""
    factor = int(codes.max()) + 1
    pairs = np.unique(place * factor + codes)
    return pairs, np.bincount(pairs // factor), factor


def _is_time(name: str, codes: IntArray, place: IntArray) -> bool:
    """Whether a time differs at one position; the content time, new in each copy of an image, at half of them."""
    if not _repeats(place):
        return False
    stated = codes > 0
    if not stated.any():
        return False
    several = int(np.count_nonzero(_distinct(codes[stated], place[stated])[1] > 1))
    places = len(np.unique(place))
    return 2 * several >= places if name == "content_time" else several > 0


def _divided(part: Part, name: str, codes: IntArray, words: list[str], place: IntArray) -> list[Part]:
    """The part divided by one sign, or as it was."""
    mine, here = codes[part.chosen], np.unique(place[part.chosen], return_inverse=True)[1]
    if not _repeats(here):
        return [part]
    key, ranked = _key(name, mine, here)
    if key is None:
        return [part]
    title = _ORDER[name]
    pieces = []
    for value in np.unique(key):
        word = f"{title} no. {value + 1}" if ranked else f"{title} {words[value - 1]}" if value else f"no {title}"
        pieces.append(Part(part.chosen[key == value], (*part.signs, word)))
    return pieces


def _key(name: str, codes: IntArray, place: IntArray) -> tuple[IntArray | None, bool]:
    """(N,) what to divide by, and whether it is a rank at each position rather than the value; None if not to divide.

    Each slice of a dynamic series may have times of its own; then the k-th time at each position makes volume k.
    """
    pairs, distinct, factor = _distinct(codes, place)
    if distinct.max() < 2:
        return None, False
    if name in _BY_VALUE:
        return codes, False
    if name != "acquisition" and 2 * np.count_nonzero(distinct > 1) < len(distinct):
        return None, False  # a few positions were taken again; the rest has nothing to be parted from
    if len(np.unique(codes)) <= np.bincount(place).max():
        return codes, False
    if (distinct != distinct[0]).any():
        return None, False
    rank = np.arange(len(pairs)) - np.searchsorted(pairs // factor, pairs // factor)
    return rank[np.searchsorted(pairs, place * factor + codes)], True


def _by_order(part: Part, place: IntArray) -> list[Part]:
    """The last resort: all positions come k times, so the n-th image of each position is of volume n."""
    here = place[part.chosen]
    counts = np.bincount(here)
    counts = counts[counts > 0]
    if counts[0] < 2 or (counts != counts[0]).any():
        return [part]
    order = np.argsort(here, kind="stable").reshape(-1, int(counts[0]))  # planes come in the order of instance numbers
    return [
        Part(part.chosen[np.sort(order[:, turn])], (*part.signs, f"image {turn + 1} of each position"))
        for turn in range(order.shape[1])
    ]


def _blocks(planes: Planes, members: IntArray, place: IntArray) -> list[Part]:
    """Planes at one place along the normal but beside each other (stations of a moving table) are not repeated."""
    whole = Part(np.arange(len(members)))
    position, orientation = planes.position[members], planes.orientation[members[0]]
    across = position - np.outer(position @ normal_of(orientation), normal_of(orientation))
    code = np.zeros(len(members), dtype=np.int64)
    for axis in (orientation[:3], orientation[3:]):
        at = across @ axis
        order = np.argsort(at, kind="stable")
        block = np.empty(len(at), dtype=np.int64)
        block[order] = np.concatenate(([0], np.cumsum(np.diff(at[order]) > _BLOCK_MM)))
        code = code * (int(block.max()) + 1) + block
    found = np.unique(code)
    # In a tilted stack each slice is shifted: more blocks than images at a position, so it is no reason to part them.
    if len(found) < 2 or len(found) > np.bincount(place).max():
        return [whole]
    return [Part(np.flatnonzero(code == block), (f"block {k + 1}",)) for k, block in enumerate(found)]
