"""What an audit says of one printed statement: a frozen `Verdict` with a status, the reason and the numbers behind."""

from __future__ import annotations

from dataclasses import dataclass

HOLDS = "holds"  # follows from other printed numbers, by a method that is named
IMPOSSIBLE = "impossible"  # no data whatever give it
DISAGREES = "disagrees"  # could be right alone, but not beside the other printed numbers
UNEXPLAINED = "unexplained"  # none of the known methods gives it
OPEN = "open"  # can't be told from what is printed
STATUSES = (IMPOSSIBLE, DISAGREES, UNEXPLAINED, OPEN, HOLDS)
MARKS = {IMPOSSIBLE: "✗", DISAGREES: "✗", UNEXPLAINED: "?", OPEN: "·", HOLDS: "✓"}


@dataclass(frozen=True)
class Verdict:
    """One statement audited.

    Attributes:
        kind: what was checked: "proportion", "interval", "p-value", "confusion", ...
        name: the entry's name in the table.
        status: one of `STATUSES`.
        reason: one or two sentences for a reader of the paper.
        method: which method reproduces it, if any; several separated by commas.
    """

    kind: str
    name: str
    status: str
    reason: str
    method: str = ""

    def __str__(self) -> str:
        return f"{MARKS[self.status]} {self.status:11s} {self.kind}: {self.name}. {self.reason}"
