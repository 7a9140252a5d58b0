"""`hounsfield audit`: what of a paper's printed numbers can be re-derived, and what is impossible."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def audit(
    table: Annotated[
        str, typer.Argument(help="YAML file of printed numbers, or the name of a table that ships (see --list).")
    ] = "",
    out: Annotated[Path | None, typer.Option(help="Folder for audit.md, verdicts.csv and methods.csv.")] = None,
    only: Annotated[
        str, typer.Option(help="Show only these, separated by commas: impossible, disagrees, unexplained, open, holds.")
    ] = "",
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 when a number is impossible.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="Name the tables that ship, and stop.")] = False,
) -> None:
    """Audit printed numbers: the counts behind them, the method of each interval and p-value, what can't be."""
    from hounsfield.audit import run, verdict
    from hounsfield.audit.table import find_table, read_audit_table, shipped
    from hounsfield.audit.write import write_audit

    if list_:
        for name, path in shipped().items():
            typer.echo(f"{name:24s} {read_audit_table(path).title}")
        return
    if not table:
        raise typer.BadParameter("give a YAML file, or the name of one of the tables that --list shows")
    wanted = [word.strip() for word in only.split(",") if word.strip()] or list(verdict.STATUSES)
    unknown = sorted(set(wanted) - set(verdict.STATUSES))
    if unknown:
        raise typer.BadParameter(f"--only takes {', '.join(verdict.STATUSES)}; got {', '.join(unknown)}")
    found = run.audit(read_audit_table(find_table(table)))
    for line in found.lines(wanted):
        typer.echo(line)
    if out is not None:
        for path in write_audit(found, out):
            typer.echo(f"written: {path}", err=True)
    if strict and found.counts[verdict.IMPOSSIBLE]:
        raise typer.Exit(1)
