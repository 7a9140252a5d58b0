"""An audit as files: `audit.md` to read, `verdicts.csv` and `methods.csv` to go on with."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

from hounsfield.audit.proportions import scores_table
from hounsfield.audit.run import Audit
from hounsfield.audit.verdict import MARKS
from hounsfield.core.atomic import atomic_file


def write_audit(found: Audit, folder: Path) -> list[Path]:
    """Writes the files into `folder` (made if absent), each whole or not at all.

    Returns: their paths; `methods.csv` only where the table prints intervals of shares.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / "audit.md", folder / "verdicts.csv"]
    with atomic_file(paths[0]) as part:
        part.write_text(_markdown(found), encoding="utf-8")
    _write_csv([asdict(verdict) for verdict in found.verdicts], paths[1])
    if found.scores:
        paths.append(folder / "methods.csv")
        _write_csv(scores_table(found.scores), paths[2])
    return paths


def _markdown(found: Audit) -> str:
    lines = [f"# {_cell(found.title)}", "", _cell(found.source), ""]
    lines += ["; ".join(f"{count} {status}" for status, count in found.counts.items()) + ".", ""]
    lines += ["| | what | entry | finding |", "|---|---|---|---|"]
    lines += [
        f"| {MARKS[one.status]} {one.status} | {one.kind} | {_cell(one.name)} | {_cell(one.reason)} |"
        for one in found.verdicts
    ]
    if found.scores:
        rows = found.scores[0].of_rows
        lines += ["", f"## Which method reproduces the {rows} intervals of shares", ""]
        lines += ["| method | rounding | rows | end points |", "|---|---|---|---|"]
        lines += [
            f"| {one.method} | {one.rule} | {one.rows} of {rows} | {one.ends} of {2 * rows} |" for one in found.scores
        ]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """Text of the table as plain words in Markdown, which may be turned into HTML later."""
    for sign, safe in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "\\|"), ("\n", " ")):
        text = text.replace(sign, safe)
    return text


def _write_csv(rows: Iterable[Mapping[str, object]], path: Path) -> None:
    records = list(rows)
    with atomic_file(path) as part, part.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(records[0]))
        writer.writeheader()
        writer.writerows(records)
