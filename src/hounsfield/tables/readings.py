"""Readings of nodules by radiologists, in whatever columns they were kept: a mapping file in, one tidy frame out.

In: a YAML mapping (which file, which column, which words mean what) and the folder of the files. Out: one row a case
and reader with `case_id, patient_id, reader, group, part` and the mapped columns. What is particular to a data set
stands in its mapping, nothing of it in code.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import pandas as pd
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hounsfield.core.errors import Problem, ProblemsError, TableError
from hounsfield.tables.cells import as_text
from hounsfield.tables.files import read_parquet, read_text_table
from hounsfield.tables.findings import nearest

ID_COLUMNS = ("case_id", "patient_id", "reader", "group", "part")
Rows = list[dict[str, str]]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Column(_Part):
    """Where one column of the tidy frame comes from: exactly one of the first five.

    Attributes:
        column: one column of the file.
        constant: the same value for every row.
        largest_of: the largest number of several columns (the largest diameter).
        any_of: words of several columns together, as a set joined by ";" (up to three focus types a nodule).
        flags: columns that hold 1 or 0 and the word that a 1 stands for, as a set joined by ";".
        before: keep only what stands before this text ("_" makes patient 1198 of nodule 1198_1).
        divide: divide numbers by this (10 for mm to cm).
        number: the values are numbers; an empty cell is missing, any other word a problem.
        values: words of the file and what they mean; with it, any other word is a problem. "" is an empty cell.
        cases: values of single cases, which win over the file.
    """

    column: str = ""
    constant: str | None = None
    largest_of: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    flags: Mapping[str, str] = Field(default_factory=dict)
    before: str = ""
    divide: float = Field(default=1.0, gt=0)
    number: bool = False
    values: Mapping[str, str] = Field(default_factory=dict)
    cases: Mapping[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        origins = (bool(self.column), self.constant is not None, *map(bool, (self.largest_of, self.any_of, self.flags)))
        if sum(origins) != 1:
            raise ValueError("a column has one origin: column, constant, largest_of, any_of or flags.")
        return self

    @property
    def needed(self) -> tuple[str, ...]:
        """Columns of the file that it reads."""
        return (*((self.column,) if self.column else ()), *self.largest_of, *self.any_of, *self.flags)


class CaseList(_Part):
    """Cases listed in another file, with those that the file lacks."""

    file: str
    column: str
    also: tuple[str, ...] = ()


class Source(_Part):
    """One file of readings.

    Attributes:
        group: readers who are averaged or counted together; empty for one who stands alone.
        parts: cases by the name of their part of the split; `otherwise` names the part of all the others.
        drop: cases to leave out.
        only: keep these parts alone; all when empty.
    """

    file: str
    reader: str
    group: str = ""
    case_id: str
    columns: Mapping[str, Column]
    patient_id: Column | None = None
    parts: Mapping[str, CaseList] = Field(default_factory=dict)
    otherwise: str = "test"
    drop: tuple[str, ...] = ()
    only: tuple[str, ...] = ()


class ReadingMap(_Part):
    """The mapping of a data set."""

    title: str
    citation: str = ""
    sources: tuple[Source, ...] = Field(min_length=1)


def read_reading_map(path: Path) -> ReadingMap:
    """Reads a mapping; YAML anchors may be used to write a block of columns once (under a key `shared`).

    Raises: OSError; TableError when it is no YAML mapping; ProblemsError listing everything that is wrong in it.
    """
    try:
        # Cells are text, so the mapping's words are, too: `1: taller` must match the cell "1".
        content: Any = yaml.load(path.read_text(encoding="utf-8-sig"), Loader=_TextLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise TableError(f"{path.name} is no readable YAML ({str(error).splitlines()[0]}).") from error
    if not isinstance(content, dict):
        raise TableError(f"{path.name} holds a mapping with a title and sources; got {type(content).__name__}.")
    content.pop("shared", None)
    try:
        return ReadingMap.model_validate(content)
    except ValidationError as error:
        problems = [Problem(" / ".join(map(str, one["loc"])), one["msg"]) for one in error.errors()]
        raise ProblemsError(f"{path.name} is no mapping of readings:", problems) from None


def read_readings(mapping: ReadingMap, folder: Path) -> pd.DataFrame:
    """Reads every source of a mapping.

    Returns: columns `case_id, patient_id, reader, group, part` and the mapped ones, rows in the order of sources and
        files. Numbers are float with NaN where a cell is empty, all else is text.

    Raises: OSError when a file is missing; ProblemsError listing every column that is absent, word without a meaning,
        number that is none and case that a reader read twice.
    """
    files: dict[str, Rows] = {}
    problems: list[Problem] = []
    frames = []
    for source in mapping.sources:
        for name in (source.file, *(part.file for part in source.parts.values())):
            if name not in files:
                files[name] = _rows(folder / name)
        frames.append(_frame(source, files, problems))
    if problems:
        raise ProblemsError("the readings can't be used:", problems)
    return pd.concat(frames, ignore_index=True)


def read_plain_readings(path: Path) -> pd.DataFrame:
    """Reads a table that is tidy already, CSV or Parquet.

    Columns: `case_id`, one a category, and as far as known `patient_id` (the case itself when absent), `reader`,
    `group`, `part`, `label` (0, 1) and `size_cm`. Labels and sizes are numbers, all else stays text.

    Raises: OSError; ProblemsError listing absent columns, cells that are no numbers and cases read twice.
    """
    problems: list[Problem] = []
    if path.suffix.lower() == ".parquet":
        frame = read_parquet(path)
        cells = {str(name): [as_text(value) or "" for value in frame[name]] for name in frame}
        decimal_comma = False
    else:
        table = read_text_table(path)
        cells = {name: [row[place] for row in table.rows] for place, name in enumerate(table.header)}
        decimal_comma = table.decimal_comma
        problems += table.problems
    if "case_id" not in cells:
        raise ProblemsError(
            f"{path.name} can't be used:",
            [*problems, Problem("table", "there is no column case_id.", "Name the cases.")],
        )
    count = len(cells["case_id"])
    defaults = {"patient_id": cells["case_id"], "reader": ["reader"] * count, "group": [""] * count}
    for name, values in {**defaults, "part": [""] * count}.items():
        cells.setdefault(name, values)
    columns: dict[str, list[Any]] = dict(cells)
    for name in ("label", "size_cm"):
        bad: dict[str, int] = {}
        if name in cells:
            texts = [cell.replace(",", ".") if decimal_comma else cell for cell in cells[name]]
            columns[name] = [_number(text, 1.0, bad) for text in texts]
        problems += [Problem(f"column {name}", f"'{word}' is no number ({n} rows).") for word, n in bad.items()]
    keys = pd.Series(list(zip(cells["case_id"], cells["reader"], strict=True)))
    for case, reader in sorted(set(keys[keys.duplicated()]))[:5]:
        problems.append(Problem(f"case {case}, reader {reader}", "stands there twice.", "Keep one reading."))
    if problems:
        raise ProblemsError(f"{path.name} can't be used:", problems)
    return pd.DataFrame(columns)


def _rows(path: Path) -> Rows:
    table = read_text_table(path)
    return [dict(zip(table.header, row, strict=True)) for row in table.rows]


def _frame(source: Source, files: Mapping[str, Rows], problems: list[Problem]) -> pd.DataFrame:
    rows = files[source.file]
    header = list(rows[0]) if rows else []
    wanted = {source.case_id} | {name for column in source.columns.values() for name in column.needed}
    if source.patient_id is not None:
        wanted |= set(source.patient_id.needed)
    absent = sorted(wanted - set(header))
    for name in absent:
        close = nearest(name, header)
        hint = f"Did you mean '{close}'?" if close else f"It has {', '.join(header[:8])}."
        problems.append(Problem(source.file, f"there is no column '{name}'.", hint))
    if absent:
        return pd.DataFrame(columns=list(ID_COLUMNS))
    part_of = _parts(source, files, problems)
    rows = [row for row in rows if row[source.case_id] not in source.drop]
    rows = [row for row in rows if not source.only or part_of.get(row[source.case_id], source.otherwise) in source.only]
    cases = [row[source.case_id] for row in rows]
    twice = sorted(case for case, count in Counter(cases).items() if count > 1)
    if twice:
        problems.append(Problem(source.file, f"cases stand there twice: {', '.join(twice[:5])}.", "Keep one reading."))
    found: dict[str, list[Any]] = {"case_id": cases}
    patient = source.patient_id or Column(column=source.case_id)
    found["patient_id"] = _values(patient, "patient_id", rows, cases, source, problems)
    found["reader"] = [source.reader] * len(cases)
    found["group"] = [source.group] * len(cases)
    found["part"] = [part_of.get(case, source.otherwise) for case in cases]
    for name, column in source.columns.items():
        found[name] = _values(column, name, rows, cases, source, problems)
    return pd.DataFrame(found)


def _parts(source: Source, files: Mapping[str, Rows], problems: list[Problem]) -> dict[str, str]:
    part_of: dict[str, str] = {}
    for part, listed in source.parts.items():
        rows = files[listed.file]
        if rows and listed.column not in rows[0]:
            problems.append(Problem(listed.file, f"there is no column '{listed.column}'."))
            continue
        part_of |= dict.fromkeys([*(row[listed.column] for row in rows), *listed.also], part)
    return part_of


def _values(
    column: Column, name: str, rows: Rows, cases: list[str], source: Source, problems: list[Problem]
) -> list[Any]:
    numeric = column.number or bool(column.largest_of)
    bad: dict[str, int] = {}
    values: list[Any] = []
    for row, case in zip(rows, cases, strict=True):
        text = column.cases[case] if case in column.cases else _text(column, row, bad)
        if column.before:
            text = text.partition(column.before)[0]
        values.append(_number(text, column.divide, bad) if numeric else text)
    for word, count in bad.items():
        what = f"'{word}' has no meaning for {name} ({count} rows)." if word else f"{name} is empty in {count} rows."
        problems.append(Problem(f"{source.file}, reader {source.reader}", what, "Add it to the mapping's values."))
    return values


def _text(column: Column, row: Mapping[str, str], bad: dict[str, int]) -> str:
    """The cell or cells of one row as one text."""
    if column.constant is not None:
        return column.constant
    if column.largest_of:
        numbers = [number for name in column.largest_of if not math.isnan(number := _number(row[name], 1.0, bad))]
        return repr(max(numbers)) if numbers else ""
    if column.flags:
        return ";".join(word for name, word in column.flags.items() if row[name].strip() in ("1", "1.0", "true", "y"))
    if column.any_of:
        words = [_meaning(column, row[name], bad) for name in column.any_of]
        return ";".join(sorted({word for word in words if word}))
    return _meaning(column, row[column.column], bad)


def _meaning(column: Column, word: str, bad: dict[str, int]) -> str:
    if not column.values:
        return word
    if word not in column.values:
        bad[word] = bad.get(word, 0) + 1
        return ""
    return column.values[word]


def _number(text: str, divide: float, bad: dict[str, int]) -> float:
    if not text.strip():
        return math.nan
    try:
        return float(text.strip()) / divide
    except ValueError:
        bad[text] = bad.get(text, 0) + 1
        return math.nan


class _TextLoader(yaml.SafeLoader):
    """Safe, with anchors and merge keys, and every scalar as text."""


_TextLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag == "tag:yaml.org,2002:merge"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
