"""The files of a cohort: the cases table and the lists beside it. In: a `Cohort`. Out: files, each whole or not at all.

Beside `cases.csv` lie `cases-steps.csv` (counts), `cases-excluded.csv` (every series lost, with the reason), and with a
spreadsheet `cases-unmatched-rows.csv` and `cases-unmatched-series.csv`.
"""

from __future__ import annotations

from pathlib import Path

from hounsfield.catalog.cohort.cohort import Cohort
from hounsfield.catalog.store import CatalogError
from hounsfield.core.atomic import atomic_file
from hounsfield.tables.cases import write_cases

_LISTS = frozenset({"steps", "excluded", "unmatched-rows", "unmatched-series"})


def write_cohort(cohort: Cohort, out: Path, *, archive: Path | None = None) -> list[Path]:
    """Writes the cases table and its lists; the lists alone when no case is left.

    Args:
        archive: folder that the catalog's paths start from, when it is no longer where it was scanned.
    Returns: the files, the cases table last.
    Raises: CatalogError when the archive is not there; ProblemsError when the cases make no valid table, such as with
        an identifier that stands twice. Nothing is written then.
    """
    if out.suffix.lower() not in {".csv", ".parquet"}:
        raise CatalogError(f"the cases table is a .csv or a .parquet file; got {out.name}.")
    if not len(cohort.cases):
        return _write_lists(cohort, out)
    root = archive or cohort.archive
    if root is None or not root.exists():
        raise CatalogError(
            "the archive is not where it was scanned. Give the folder, or zip or tar file, with --archive."
        )
    frame = cohort.cases.assign(image=[str(root.resolve() / place) for place in cohort.cases["image"]])
    write_cases(frame, out)  # first: it is judged before anything is written
    return [*_write_lists(cohort, out), out]


def _write_lists(cohort: Cohort, out: Path) -> list[Path]:
    lists = {"steps": cohort.flow.table(), "excluded": cohort.excluded}
    lists |= {"unmatched-rows": cohort.unmatched_rows} if cohort.unmatched_rows is not None else {}
    lists |= {"unmatched-series": cohort.unmatched_series} if cohort.unmatched_series is not None else {}
    written = []
    for name in _LISTS - lists.keys():  # of an earlier run with a spreadsheet: they would be taken for this one's
        out.with_name(f"{out.stem}-{name}.csv").unlink(missing_ok=True)
    for name, frame in lists.items():
        path = out.with_name(f"{out.stem}-{name}.csv")
        with atomic_file(path) as temporary:
            frame.to_csv(temporary, index=False, lineterminator="\n")
        written.append(path)
    return written
