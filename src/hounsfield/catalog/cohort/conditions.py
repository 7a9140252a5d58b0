"""Conditions written as data, turned into SQL that no text of theirs can change. In: YAML values. Out: SQL, parameters.

A condition names a field and what it is held against; a list of conditions is joined by `all`, `any` and `not`:

    {series.modality: CT}                           equal, upper and lower case alike
    {kernel: [B30f, B31f]}                          one of these
    {spacing_mm: {above: 0, at_most: 2}}            every test holds
    {any: [{series_description: {matches: lung}}, {kernel: {missing: true}}]}
    {not: {image_type: {matches: LOCALIZER}}}

`{column: kernel, equals: B30f}` and `{label: view, equals: axial}`, as the rules of labels are written, mean the same.
A test of a field that is missing fails, whatever it is, except `missing`. Values travel as parameters and field names
are looked up, so that nothing of the file becomes part of the SQL.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import duckdb

from hounsfield.catalog.store import CatalogError
from hounsfield.core.registry import nearest

_DEEPEST = 20  # conditions within conditions; a file that nests deeper is a mistake
_DATES = ("%Y%m%d", "%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%Y-%m-%d %H:%M:%S")
_SIGNS = {"below": "<", "above": ">", "at_most": "<=", "at_least": ">="}
_TESTS = ("equals", "one_of", "matches", *_SIGNS, "missing")
_PER_YEAR = {"Y": 1, "M": 12, "W": 52.1775, "D": 365.2425}
_TRUE, _FALSE = ("true", "yes", "y", "t", "1", "1.0"), ("false", "no", "n", "f", "0", "0.0")


@dataclass(frozen=True)
class Sql:
    """A piece of SQL with the values of its question marks, in their order."""

    text: str
    values: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Field(Sql):
    """The SQL of a field; `numeric` when its column holds numbers, `age` when it holds ages such as 045Y."""

    numeric: bool = False
    age: bool = False


@dataclass(frozen=True)
class Asked:
    """What a test takes a field's cells for: `number`, `date`, or `text` that equals `value`."""

    name: str
    field: Field
    kind: Literal["number", "date", "text"]
    value: str = ""


Look = Callable[[str], Field]
Note = Callable[[Asked], None]


def compiled(condition: Any, look: Look, note: Note = lambda asked: None) -> Sql:
    """SQL that is true where the condition holds and false elsewhere, never NULL.

    Args:
        condition: as YAML gives it.
        look: the field of a name; raises CatalogError for one that is not there.
        note: told what the tests take the cells for, so that cells that are none of it can be named.
    Raises: CatalogError saying what is wrong and where.
    """
    return _compiled(condition, _Reader(look, note), 0)


def as_date(field: Sql) -> Sql:
    """The field as a date: 20180131, 2018-01-31, 2018/01/31 or 31.01.2018; NULL for anything else."""
    formats = ", ".join(f"'{one}'" for one in _DATES)
    return Sql(f"CAST(try_strptime(trim(CAST({field.text} AS VARCHAR)), [{formats}]) AS DATE)", field.values)


def as_number(field: Sql) -> Sql:
    """The field as a number; NULL where it is none. An age (AS: 045Y, 006M, 003W, 010D) is a number of years."""
    if not isinstance(field, Field) or not field.age:
        return Sql(f"TRY_CAST({field.text} AS DOUBLE)", field.values)
    years = " ".join(f"WHEN '{unit}' THEN {1 / days!r}" for unit, days in _PER_YEAR.items())
    text = f"trim(CAST({field.text} AS VARCHAR))"
    return Sql(
        f"(TRY_CAST(regexp_extract({text}, '^([0-9]+)[DWMY]$', 1) AS DOUBLE) * CASE right({text}, 1) {years} END)",
        (*field.values, *field.values),
    )


def as_key(field: Sql) -> Sql:
    """The field as text to be compared: without blanks around it, in lower case."""
    return Sql(f"lower(trim(CAST({field.text} AS VARCHAR)))", field.values)


def joined(parts: Sequence[Sql], word: str) -> Sql:
    """Several pieces in brackets with AND or OR between them."""
    return Sql(
        "(" + f" {word} ".join(part.text for part in parts) + ")", tuple(v for part in parts for v in part.values)
    )


@dataclass(frozen=True)
class _Reader:
    look: Look
    note: Note


def _compiled(condition: Any, reader: _Reader, depth: int) -> Sql:
    if depth > _DEEPEST:
        raise CatalogError(f"conditions are nested more than {_DEEPEST} deep; write them flatter.")
    if not isinstance(condition, Mapping) or not condition:
        raise CatalogError(
            f"a condition is a field and a test, such as {{series.modality: CT}}; got {_shown(condition)}."
        )
    if {"column", "label"} & condition.keys() and set(_TESTS) & condition.keys():
        condition = _as_field(condition)
    parts = []
    for key, value in condition.items():
        if key in ("all", "any"):
            if not isinstance(value, list) or not value:
                raise CatalogError(f"'{key}' takes a list of conditions; got {_shown(value)}.")
            word = "AND" if key == "all" else "OR"
            parts.append(joined([_compiled(one, reader, depth + 1) for one in value], word))
        elif key == "not":
            inner = _compiled(value, reader, depth + 1)
            parts.append(Sql(f"(NOT {inner.text})", inner.values))
        else:
            parts.append(_field(str(key), value, reader))
    return joined(parts, "AND")


def _as_field(condition: Mapping[Any, Any]) -> dict[str, Any]:
    """`{column: kernel, equals: B30f}` in the other way of writing it, `{kernel: {equals: B30f}}`."""
    tests = {str(key): value for key, value in condition.items() if key not in ("column", "label")}
    names = [*([str(condition["column"])] if "column" in condition else [])]
    names += [f"label.{condition['label']}"] if "label" in condition else []
    return dict.fromkeys(names, tests)


def _field(name: str, tests: Any, reader: _Reader) -> Sql:
    field = reader.look(name)
    if isinstance(tests, list):
        tests = {"one_of": tests}
    elif not isinstance(tests, Mapping):
        tests = {"equals": tests}
    if not tests:
        raise CatalogError(f"{name}: a test is missing; tests are {', '.join(_TESTS)}.")
    parts = []
    for test, value in tests.items():
        if test not in _TESTS:
            raise CatalogError(f"{name}: no test '{test}'.{nearest(str(test), _TESTS)} Tests are {', '.join(_TESTS)}.")
        part = _test(name, field, str(test), value, reader.note)
        parts.append(Sql(f"coalesce({part.text}, false)", part.values))
    return joined(parts, "AND")


def _test(name: str, field: Field, test: str, value: Any, note: Note) -> Sql:
    if test == "missing":
        if not isinstance(value, bool):
            raise CatalogError(f"{name}: missing takes true or false; got {_shown(value)}.")
        # A blank cell is as missing as none.
        return Sql(f"((nullif(trim(CAST({field.text} AS VARCHAR)), '') IS NULL) = {str(value).lower()})", field.values)
    if test == "equals":
        return _equal(name, field, value, note)
    if test == "one_of":
        if not isinstance(value, list) or not value:
            raise CatalogError(f"{name}: one_of takes a list of values; got {_shown(value)}.")
        return joined([_equal(name, field, one, note) for one in value], "OR")
    if test == "matches":
        _check_pattern(name, value)
        return Sql(f"regexp_matches(CAST({field.text} AS VARCHAR), ?, 'i')", (*field.values, value))
    return _compared(name, field, test, value, note)


def _equal(name: str, field: Field, value: Any, note: Note) -> Sql:
    key = as_key(field)
    # YAML turns yes, no, on and off into booleans; headers and spreadsheets hold the words.
    if isinstance(value, bool):
        words = _TRUE if value else _FALSE
        return Sql(f"({key.text} IN ({', '.join('?' * len(words))}))", (*key.values, *words))
    if isinstance(value, datetime.date):
        note(Asked(name, field, "date"))
        date = as_date(field)
        return Sql(f"({date.text} = CAST(? AS DATE))", (*date.values, value.isoformat()[:10]))
    if not isinstance(value, str | int | float):
        raise CatalogError(f"{name}: it is held against a text or a number; got {_shown(value)}.")
    number = _as_float(value)
    # '007' in quotation marks is an identifier and no 7, but 2 and 2.0 of a column of numbers are one.
    if number is not None and (field.numeric or not isinstance(value, str)):
        found = as_number(field)
        return Sql(f"({found.text} = ?)", (*found.values, number))
    note(Asked(name, field, "text", str(value).strip().lower()))
    return Sql(f"({key.text} = ?)", (*key.values, str(value).strip().lower()))


def _compared(name: str, field: Field, test: str, value: Any, note: Note) -> Sql:
    if isinstance(value, datetime.date):
        note(Asked(name, field, "date"))
        date = as_date(field)
        return Sql(f"({date.text} {_SIGNS[test]} CAST(? AS DATE))", (*date.values, value.isoformat()[:10]))
    number = None if isinstance(value, bool) else _as_float(value)
    if number is None:
        raise CatalogError(f"{name}: {test} takes a number or a date such as 2018-01-31; got {_shown(value)}.")
    note(Asked(name, field, "number"))
    found = as_number(field)
    return Sql(f"({found.text} {_SIGNS[test]} ?)", (*found.values, number))


@lru_cache(maxsize=512)
def _pattern_fault(pattern: str) -> str:
    try:
        with duckdb.connect() as connection:
            connection.execute("SELECT regexp_matches('', ?, 'i')", [pattern])
    except duckdb.Error as error:
        return str(error).splitlines()[0]
    return ""


def _check_pattern(name: str, pattern: Any) -> None:
    if not isinstance(pattern, str) or not pattern:
        raise CatalogError(f"{name}: matches takes a regular expression as text; got {_shown(pattern)}.")
    fault = _pattern_fault(pattern)
    if fault:
        raise CatalogError(
            f"{name}: '{pattern[:60]}' is no regular expression ({fault[:120]}). Put a backslash before signs meant as "
            "they are."
        )


def _as_float(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
