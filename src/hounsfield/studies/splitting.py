"""A cases table split into parts, and a drawing of their balance. In: cases, a plan. Out: files, counts, warnings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from hounsfield.catalog.splits.columns import balance_of, split_columns, with_split
from hounsfield.catalog.splits.leakage import Leakage, leakage_of
from hounsfield.catalog.splits.near_duplicates import THRESHOLD, near_duplicates, warning_of
from hounsfield.catalog.splits.sites import (
    SharedPatients,
    balanced_hold_out,
    balanced_k_fold,
    balanced_nested,
    hold_out_sites,
    leave_one_site_out,
    shares,
    sites_of,
)
from hounsfield.core.atomic import atomic_file, write_json
from hounsfield.core.errors import Problem, ProblemsError, StudyError
from hounsfield.core.progress import Progress, silent
from hounsfield.report.figures.split_balance import split_balance_figure
from hounsfield.tables.cases import Cases, locate, read_cases, write_cases
from hounsfield.tables.findings import nearest, some

Kind = Literal["hold-out", "k-fold", "nested", "leave-one-site-out", "hold-out-sites"]


@dataclass(frozen=True)
class SplitPlan:
    """How to split; see `splits.sites` for what each means.

    Attributes:
        shares: of a hold-out, as printed: "56:14:30".
        validation: of k-fold and of splits by site, share of what is not in the test part.
        test_sites: of hold-out-sites.
        column: name of the new column, and beginning of the names where there are several.
        replace: write over columns of that name.
    """

    labels: tuple[str, ...]
    seed: int
    kind: Kind = "hold-out"
    site: str = ""
    shares: str = "56:14:30"
    folds: int = 5
    validation: float = 0.20
    repetitions: int = 1
    test_sites: tuple[str, ...] = ()
    shared_patients: SharedPatients = "refuse"
    column: str = "split"
    replace: bool = False


@dataclass(frozen=True, eq=False)
class SplitResult:
    """What `split_cases` made.

    Attributes:
        columns: names of the new columns.
        balance: as `splits.columns.balance_of` gives it.
        proof: that no patient stands on two sides.
    """

    columns: tuple[str, ...]
    balance: pd.DataFrame
    proof: Leakage


def split_cases(path: Path, plan: SplitPlan, out: Path) -> SplitResult:
    """Splits the cases, writes them with their parts, and beside them the plan and a drawing of the balance.

    Raises: TableError, ProblemsError or StudyError saying all that does not fit; nothing is written then.
    """
    if out.suffix.lower() not in {".csv", ".parquet"}:
        raise StudyError(f"the cases table is a .csv or a .parquet file; got {out.name}.")
    cases = read_cases(path)
    by = [*plan.labels, *([plan.site] if plan.site and plan.site not in plan.labels else [])]
    _require(cases, by)
    split = _split(cases.frame, plan)
    sites = sites_of(cases.frame, plan.site) if plan.kind == "leave-one-site-out" else ()
    frame = with_split(cases.frame, split, column=plan.column, sites=sites, replace=plan.replace)
    columns = split_columns(split, column=plan.column, sites=sites)
    result = SplitResult(tuple(columns), balance_of(frame, columns, by), leakage_of(split))
    drawing = split_balance_figure(result.balance, name=f"{out.stem}-balance")
    # Paths are relative to the table, and the new one may lie elsewhere.
    for name in (name for name in ("image", "mask") if name in frame):
        frame[name] = [None if pd.isna(cell) else str(locate(cell, cases.folder.resolve())) for cell in frame[name]]
    write_cases(frame, out)
    for ending, content in (("svg", drawing.svg), ("png", drawing.png)):
        with atomic_file(out.with_name(f"{drawing.name}.{ending}")) as temporary:
            temporary.write_bytes(content)
    write_json(out.with_name(f"{out.stem}-split.json"), {"columns": columns, "cases": len(frame), "plan": asdict(plan)})
    return result


def compare_images(
    path: Path,
    columns: Sequence[str],
    *,
    threshold: float = THRESHOLD,
    workers: int = 0,
    progress: Progress = silent,
) -> list[str]:
    """Looks for one image under two patient ids, writes the pairs beside the table, and warns.

    Returns: one sentence saying that there is none, or one warning a column of the split; then what was not compared.
    """
    cases = read_cases(path)
    found = near_duplicates(cases.cases(), threshold=threshold, workers=workers, progress=progress)
    beside = path.with_name(f"{path.stem}-near-duplicates.csv")
    unread = [str(one) for one in found.unread]
    if not len(found.pairs):
        beside.unlink(missing_ok=True)  # of an earlier run: it would be taken for this one's
        return [f"{found.compared} images compared: none looks like that of another patient.", *unread]
    with atomic_file(beside) as temporary:
        found.pairs.to_csv(temporary, index=False, lineterminator="\n")
    lines = []
    for name in columns:
        parts = dict(zip(cases.frame["case_id"], cases.frame[name], strict=True))
        lines.append(f"{name}: {warning_of(found.pairs, parts)}")
    return [*lines, f"pairs: {beside}", *unread]


def _require(cases: Cases, columns: Sequence[str]) -> None:
    """Check that the columns to balance are there and filled, all of them at once.

    Raises: ProblemsError naming the nearest column, or the rows where one is empty.
    """
    problems = []
    for name in dict.fromkeys(columns):
        if name not in cases.frame:
            close = nearest(name, [str(one) for one in cases.frame])
            hint = f"Did you mean '{close}'?" if close else f"Columns: {some(cases.frame.columns, limit=20)}."
            problems.append(Problem(f"column {name}", "the cases table has no such column.", hint))
            continue
        empty = [row for row, cell in zip(cases.rows, cases.labels(name), strict=True) if cell is None]
        if empty:
            what = f"it is empty in {len(empty)} cases (rows {some(empty)})."
            problems.append(Problem(f"column {name}", what, "Fill it in, or leave these cases out."))
    if problems:
        raise ProblemsError("the cases can't be split:", problems)


def _split(frame: pd.DataFrame, plan: SplitPlan) -> pd.DataFrame:
    if plan.kind in ("leave-one-site-out", "hold-out-sites"):
        return _split_by_site(frame, plan)
    site = plan.site or None
    if plan.kind == "k-fold":
        return balanced_k_fold(
            frame,
            labels=plan.labels,
            seed=plan.seed,
            site=site,
            folds=plan.folds,
            validation=plan.validation,
            repetitions=plan.repetitions,
        )
    test, validation = shares(plan.shares)
    if plan.kind == "hold-out":
        return balanced_hold_out(
            frame,
            labels=plan.labels,
            seed=plan.seed,
            site=site,
            test=test,
            validation=validation,
            repetitions=plan.repetitions,
        )
    if validation:
        raise StudyError(
            f"nested takes two shares, training and test, such as 4:1; got {plan.shares}. Each fold is the "
            "validation part once."
        )
    return balanced_nested(
        frame,
        labels=plan.labels,
        seed=plan.seed,
        site=site,
        test=test,
        folds=plan.folds,
        repetitions=plan.repetitions,
    )


def _split_by_site(frame: pd.DataFrame, plan: SplitPlan) -> pd.DataFrame:
    if not plan.site:
        raise StudyError(f"{plan.kind} needs the column of the site: --site.")
    if plan.repetitions > 1:
        raise StudyError(f"{plan.kind} has one round a site and no repetitions; repeat with another --seed.")
    if plan.kind == "leave-one-site-out":
        return leave_one_site_out(
            frame,
            labels=plan.labels,
            site=plan.site,
            seed=plan.seed,
            validation=plan.validation,
            shared=plan.shared_patients,
        )
    return hold_out_sites(
        frame,
        labels=plan.labels,
        site=plan.site,
        test_sites=plan.test_sites,
        seed=plan.seed,
        validation=plan.validation,
        shared=plan.shared_patients,
    )
