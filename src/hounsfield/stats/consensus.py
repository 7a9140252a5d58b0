"""Several readers' choices made one: a choice a reader and case in, the majority's choice out, ties told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hounsfield.core.errors import HounsfieldError


@dataclass(frozen=True)
class Consensus:
    """The choice for each case, and where no majority was.

    Attributes:
        choice: of every case.
        tied: rows in which several choices had most votes, and the median of these was taken.
    """

    choice: tuple[str, ...]
    tied: tuple[int, ...]


def majority(readings: Sequence[Sequence[str]], *, rank: Mapping[str, float]) -> Consensus:
    """The choice that most readers made; where several choices have most votes, the median of these by rank.

    Only the tied choices can win: of two votes for each of "smooth" and "extension" and one for "lobulated" between
    them, "lobulated" is not the consensus although it is the median of the five readings.

    Args:
        readings: for each reader the choice in each case.
        rank: order of the choices, such as their points; equal ranks are told apart by name. Of an even number of
            tied choices the lower median is taken, the more benign.

    Raises: HounsfieldError without a reader, with unequal numbers of cases, or for a choice without a rank.
    Source: three readers with three answers have the median by points; this project's choice, since the studies that
        vote (Buda et al., Radiology 2019;292:695; Wildman-Tobriner et al., Radiology 2019;292:112) state no rule.
    """
    if not readings or len({len(one) for one in readings}) > 1:
        raise HounsfieldError(f"expected readers of the same cases; got {[len(one) for one in readings]} cases.")
    unknown = sorted({choice for one in readings for choice in one} - set(rank))
    if unknown:
        raise HounsfieldError(f"every choice has a rank; missing: {', '.join(unknown)}.")
    choices, tied = [], []
    for row, votes in enumerate(zip(*readings, strict=True)):
        counts = Counter(votes)
        most = max(counts.values())
        first = sorted((choice for choice in counts if counts[choice] == most), key=lambda one: (rank[one], one))
        choices.append(first[(len(first) - 1) // 2])
        if len(first) > 1:
            tied.append(row)
    return Consensus(tuple(choices), tuple(tied))
