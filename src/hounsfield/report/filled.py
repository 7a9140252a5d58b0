"""A reporting checklist with its answers, as `checklist.filled` makes it and files and page show it."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Filled:
    """A list with its answers.

    Attributes:
        key: for file names.
        rows: columns number, section, item, answer, state, authors (empty, to be written in), and weight and condition
            where the list has them.
    """

    key: str
    name: str
    source: str
    rows: pd.DataFrame

    def counted(self, state: str) -> int:
        """How many items are in a state."""
        return int((self.rows["state"] == state).sum())
