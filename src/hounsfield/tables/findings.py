"""What is wrong with a table: row, column and words go in, one `Finding` comes out (where, what, what to do).

A finding is a `core.errors.Problem` with a severity and the place in the table, so lists of findings can be raised as
they are in a `ProblemsError` or printed by the command line.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from hounsfield.core.errors import Problem

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Finding(Problem):
    """One problem of a table.

    Attributes:
        where: the place in words, such as "row 5 (case A-1), column mask".
        what: what was found and what was expected.
        remedy: what to do about it.
        severity: "error" when the case or the table can't be used as it is, "warning" when it can but deserves a look.
        row: row as a spreadsheet counts it (the header is row 1); None when the table as a whole is meant.
        column: column name; None when the row as a whole is meant.
    """

    severity: Severity = "error"
    row: int | None = None
    column: str | None = None

    def __str__(self) -> str:
        # Errors are the rule and stay short; a warning must be told from them in a printed list.
        return ("warning: " if self.severity == "warning" else "") + super().__str__()


def finding(
    what: str,
    remedy: str,
    *,
    row: int | None = None,
    column: str | None = None,
    case_id: str | None = None,
    severity: Severity = "error",
) -> Finding:
    """Build a finding; its `where` is put together from row, case and column."""
    parts = []
    if row is not None:
        parts.append(f"row {row}" + (f" (case {case_id})" if case_id and not looks_like_name(case_id) else ""))
    if column is not None:
        parts.append(f"column {column}")
    return Finding(", ".join(parts) or "table", what, remedy, severity=severity, row=row, column=column)


def in_reading_order(findings: Iterable[Finding]) -> list[Finding]:
    """Sort by row, then column; what concerns the whole table comes first."""
    return sorted(findings, key=lambda each: (each.row or 0, each.column or "", each.what))


def looks_like_name(text: str) -> bool:
    """True for what could be a person's name as DICOM or a registry writes it (`DOE^JOHN`, `Doe, John`)."""
    return "^" in text or "," in text


def nearest(word: str, known: Sequence[str]) -> str | None:
    """The entry of `known` most like `word` (upper and lower case, blanks, `-` and `_` count little), or None."""
    plain = {_plain(candidate): candidate for candidate in reversed(known)}
    close = difflib.get_close_matches(_plain(word), list(plain), n=1, cutoff=0.6)
    return plain[close[0]] if close else None


def _plain(word: str) -> str:
    return word.lower().replace(" ", "").replace("-", "").replace("_", "")


def some(values: Iterable[object], *, limit: int = 5) -> str:
    """The first few values as text with the number left out, for a message that must stay readable."""
    texts = [str(value) for value in values]
    more = f" and {len(texts) - limit} more" if len(texts) > limit else ""
    return ", ".join(texts[:limit]) + more
