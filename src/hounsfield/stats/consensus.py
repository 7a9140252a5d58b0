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
        tied: rows whose choice is the median by rank, since several choices had most votes.
    """

    choice: tuple[str, ...]
    tied: tuple[int, ...]


def majority(readings: Sequence[Sequence[str]], *, rank: Mapping[str, float]) -> Consensus:
    """The choice that most readers made; with several such choices the median of all readings by rank.

    Args:
        readings: for each reader the choice in each case.
        rank: order of the choices, such as their points; equal ranks are told apart by name. Of an even number of
            readings the lower median is taken, the more benign.

    Raises: HounsfieldError without a reader, with unequal numbers of cases, or for a choice without a rank.
    """
    if not readings or len({len(one) for one in readings}) > 1:
        raise HounsfieldError(f"expected readers of the same cases; got {[len(one) for one in readings]} cases.")
    unknown = sorted({choice for one in readings for choice in one} - set(rank))
    if unknown:
        raise HounsfieldError(f"every choice has a rank; missing: {', '.join(unknown)}.")
    choices, tied = [], []
    for row, votes in enumerate(zip(*readings, strict=True)):
        counted = Counter(votes).most_common()
        if len(counted) > 1 and counted[1][1] == counted[0][1]:
            ordered = sorted(votes, key=lambda choice: (rank[choice], choice))
            choices.append(ordered[(len(ordered) - 1) // 2])
            tied.append(row)
        else:
            choices.append(counted[0][0])
    return Consensus(tuple(choices), tuple(tied))
