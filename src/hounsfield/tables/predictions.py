"""The predictions table: a frame of what models say goes in and out of a Parquet (or CSV) file, checked both ways.

One row is one case as predicted by one arm: `case_id, patient_id, site, arm, split, repetition, fold, seed, target,
label`, one `prob_<class>` column per class of any target (missing where the class is not of the row's target) and any
task columns (`dice`, `asd_mm`, ...). The ordered classes of each target (the last is the positive one of two) travel in
the Parquet file's own metadata and in `frame.attrs`; a CSV carries them in the order of its columns.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, cast

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from hounsfield.core.atomic import atomic_file
from hounsfield.core.errors import ProblemsError, TableError
from hounsfield.tables.cells import as_text, text_column, typed_column
from hounsfield.tables.files import read_text_table
from hounsfield.tables.findings import nearest, some
from hounsfield.tables.prediction_rules import INTEGERS, PROB, REQUIRED, TEXT, prediction_problems

Classes = Mapping[str, Sequence[str]]

_KEY = b"hounsfield.classes"
_ATTRIBUTE = "classes"


def write_predictions(frame: pd.DataFrame, path: Path | str, *, classes: Classes | None = None) -> None:
    """Write a predictions table, as Parquet or (by the ending `.csv`) as CSV; whole or not at all.

    Args:
        frame: one row per case, arm, target, repetition, fold, seed and split. A missing `site` column is added.
        classes: ordered classes of each target; None takes those the frame carries since it was read.
    Raises: ProblemsError listing every broken rule (see `prediction_rules`); nothing is written then. TableError when
        no classes are known, or when a CSV can't carry them because targets order the same classes differently.
    """
    path = Path(path)
    order = _ordered(classes if classes is not None else frame.attrs.get(_ATTRIBUTE))
    if order is None:
        raise TableError("the ordered classes of each target are needed: pass classes={'target': ['benign', ...]}.")
    out = _typed(frame.reset_index(drop=True))
    _raise(prediction_problems(out, order), f"{path.name} would be no valid predictions table; nothing was written:")
    with atomic_file(path) as temporary:
        if path.suffix == ".csv":
            columns = _csv_columns(out, order, path.name)
            out[columns].to_csv(temporary, index=False, lineterminator="\n")
        else:
            table = pa.Table.from_pandas(out, preserve_index=False)
            metadata = {**(table.schema.metadata or {}), _KEY: json.dumps(order, ensure_ascii=False).encode()}
            pq.write_table(table.replace_schema_metadata(metadata), temporary)


def read_predictions(path: Path | str, *, classes: Classes | None = None) -> pd.DataFrame:
    """Read a predictions table and check it, the patient rule included.

    Args:
        classes: ordered classes of each target; None takes those stored in the file. Where a file made elsewhere
            stores none, they are the `prob_` columns that hold values for the target, in the order of the columns.
    Returns: text columns as str or None, repetition, fold and seed as int64, probabilities as float64; the classes are
        found again by `classes_of`.
    Raises: ProblemsError listing every broken rule; TableError when the file can't be read as a table.
    """
    path = Path(path)
    try:
        frame, stored = _read_csv(path) if path.suffix in {".csv", ".tsv", ".txt"} else _read_parquet(path)
    except FileNotFoundError:
        raise TableError(f"there is no file {path.name}. Give a predictions table (.parquet or .csv).") from None
    frame = _typed(frame)
    order = _ordered(classes) or stored or _from_columns(frame)
    _raise(prediction_problems(frame, order), f"{path.name} is no valid predictions table:")
    frame.attrs[_ATTRIBUTE] = order
    return frame


def classes_of(frame: pd.DataFrame, target: str) -> list[str]:
    """Ordered classes of a target; the last is the positive one of two.

    Raises: TableError when `frame` neither carries the classes (`frame.attrs` is lost by some operations of pandas)
        nor holds rows of this target from whose columns they follow.
    """
    order = frame.attrs.get(_ATTRIBUTE) or _from_columns(frame)
    if target not in order:
        hint = nearest(target, list(order))
        raise TableError(
            f"there is no target '{target}'. "
            + (f"Did you mean '{hint}'? " if hint else "")
            + f"Targets: {some(order) or 'none'}."
        )
    return list(order[target])


def with_classes(frame: pd.DataFrame, classes: Classes) -> pd.DataFrame:
    """A copy of `frame` that carries the ordered classes of its targets."""
    out = frame.copy()
    out.attrs[_ATTRIBUTE] = _ordered(classes)
    return out


def prob_columns(classes: Sequence[str]) -> list[str]:
    """Names of the probability columns of some classes, in their order."""
    return [f"{PROB}{name}" for name in classes]


def _ordered(classes: Classes | None) -> dict[str, list[str]] | None:
    return (
        None if classes is None else {str(target): [str(name) for name in names] for target, names in classes.items()}
    )


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    """The columns in their types as far as that loses nothing; what does not fit is left for the rules to name."""
    out = frame.copy()
    if "site" not in out and "patient_id" in out:
        out.insert(list(out.columns).index("patient_id") + 1, "site", None)
    for name in (name for name in TEXT if name in out):
        out[name] = text_column(out[name].tolist())
    for name in (name for name in INTEGERS if name in out):
        numbers = pd.to_numeric(out[name], errors="coerce")
        if numbers.notna().all() and (numbers % 1 == 0).all():
            out[name] = (
                out[name].astype("int64") if pd.api.types.is_integer_dtype(out[name]) else numbers.astype("int64")
            )
    for name in (str(name) for name in out if str(name).startswith(PROB)):
        numbers = pd.to_numeric(out[name], errors="coerce").astype("float64")
        if (numbers.isna() == out[name].isna()).all():
            out[name] = numbers
    return out


def _read_parquet(path: Path) -> tuple[pd.DataFrame, dict[str, list[str]] | None]:
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise TableError(f"{path.name} is no readable Parquet file. Write it again, or give a CSV.") from error
    stored = (table.schema.metadata or {}).get(_KEY)
    # A frame's attrs travel in pandas' own metadata too; the package's entry is the one that counts.
    frame = table.to_pandas().reset_index(drop=True)
    frame.attrs = {}
    return frame, cast(dict[str, list[str]], json.loads(stored)) if stored else None


def _read_csv(path: Path) -> tuple[pd.DataFrame, None]:
    table = read_text_table(path)
    if table.problems:
        raise ProblemsError(f"{path.name} is no valid predictions table:", table.problems)
    columns: dict[str, Any] = {}
    for i, name in enumerate(table.header):
        cells = [row[i] for row in table.rows]
        columns[name] = cells if name in TEXT else typed_column(cells, decimal_comma=table.decimal_comma)
    return pd.DataFrame(columns, index=range(len(table.rows))), None


def _from_columns(frame: pd.DataFrame) -> dict[str, list[str]]:
    """Classes of each target by the columns that hold values, in the order of the columns."""
    if "target" not in frame:
        return {}
    columns = [str(name) for name in frame if str(name).startswith(PROB)]
    filled = frame[columns].notna().groupby(frame["target"].map(as_text), sort=False).any()
    return {
        str(target): [name.removeprefix(PROB) for name in columns if bool(filled.loc[target, name])]
        for target in filled.index
    }


def _csv_columns(frame: pd.DataFrame, order: dict[str, list[str]], name: str) -> list[str]:
    """Columns with those of the probabilities in an order that agrees with the classes of every target."""
    present = [str(column) for column in frame]
    graph: TopologicalSorter[str] = TopologicalSorter({column: () for column in present if column.startswith(PROB)})
    for names in order.values():
        for before, after in zip(prob_columns(names), prob_columns(names)[1:], strict=False):
            graph.add(after, before)
    try:
        probs = [column for column in graph.static_order() if column in present]
    except CycleError as error:
        raise TableError(
            f"{name}: two targets order the same classes differently, which the columns of a CSV can't tell. "
            "Write Parquet."
        ) from error
    first = [column for column in (*REQUIRED, "site") if column in present]
    return [*first, *probs, *(column for column in present if column not in {*first, *probs})]


def _raise(problems: list[Any], title: str) -> None:
    if problems:
        raise ProblemsError(title, problems)
