"""Conditions of the label rules. In: a mapping from a rule file. Out: a checked `Condition`, and its SQL over `series`.

A test of a missing value is false, and `not` of it true, so that no rule has to think of NULL. Every name is checked
against the contract of the table and every text is quoted: nothing in a rule file can become SQL of its own.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Self

import duckdb
from pydantic import BaseModel, ConfigDict, Field, model_validator

from hounsfield.catalog.store import TABLES
from hounsfield.core.registry import nearest

_VIEW = "array_to_string(list_transform(orientation::DOUBLE[], lambda one: TRY_CAST(round(one{by}) AS INTEGER)), ',')"
_COUNT = "coalesce(slices, nullif(planes, 0))"

# Columns that rules can use beside those of `series`: type, SQL, the columns it is made of.
COMPUTED: dict[str, tuple[str, str, tuple[str, ...]]] = {
    # Positions of the stack where they are known, else images.
    "image_count": ("INTEGER", _COUNT, ("slices", "planes")),
    # More than 48 slices are resized to 48, fewer are filled up with blank ones and keep their spacing.
    "effective_mm": (
        "DOUBLE",
        f"CASE WHEN isfinite(spacing_mm) THEN spacing_mm * greatest({_COUNT}, 48) / 48 END",
        ("spacing_mm", "slices", "planes"),
    ),
    # Six whole numbers as text, "1,0,0,0,1,0": tilts below 30 degrees still count as axial.
    "orientation_rounded": ("VARCHAR", _VIEW.format(by=""), ("orientation",)),
    # For the strict reading of the same rule: in thousandths, "1000,0,0,0,1000,0".
    "orientation_thousandths": ("VARCHAR", _VIEW.format(by=" * 1000"), ("orientation",)),
    # Extent from head to foot, whichever way the slices lie.
    "head_foot_mm": (
        "DOUBLE",
        "CASE WHEN greatest(abs(orientation[3]), abs(orientation[6])) < 0.7 THEN length_mm "
        "WHEN abs(orientation[6]) >= abs(orientation[3]) THEN rows * row_mm ELSE columns * column_mm END",
        ("orientation", "length_mm", "rows", "row_mm", "columns", "column_mm"),
    ),
}


def _contract() -> dict[str, str]:
    parts = re.sub(r"\s+", " ", TABLES["series"]).strip().split(", ")
    return {part.split(" ")[0]: part.split(" ")[1] for part in parts}


CONTRACT = _contract()
# `kind` is what the rules themselves say; a rule asks for the label instead.
COLUMNS: dict[str, str] = {name: kind for name, kind in CONTRACT.items() if name != "kind"}
COLUMNS |= {name: kind for name, (kind, _, _) in COMPUTED.items()}
_OPERATORS = ("equals", "one_of", "matches", "words", "below", "above", "at_least", "at_most", "missing")
_SIGNS = {"below": "<", "above": ">", "at_least": ">=", "at_most": "<="}
_ON_TEXT = ("matches", "words")
_LETTER = r"a-zß-ɏͰ-ԯ"  # Latin, Greek and Cyrillic, small and without accents
_SCRIPTS_WITHOUT_SPACES = "\u2e80"  # Chinese, Japanese and Korean begin here

Value = bool | float | str


class Condition(BaseModel):
    """What has to hold: `all`, `any` or `not` of conditions, one of the file's named ones, or a test of one value.

    Attributes:
        use: name under `conditions` of the file.
        column, label: what is tested: a column of `series`, or a label that was given before.
        equals, one_of: upper and lower case and spaces around don't count.
        matches: a regular expression (RE2) found anywhere in the text, upper and lower case alike.
        words: whole words, or the name of a list under `words`; a word ends where letters turn to digits or signs, and
            marks on letters (é, ü) don't count. Scripts without spaces between words are searched as they are.
        below, above, at_least, at_most: numbers.
        missing: whether there is no value, or only spaces.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    all: tuple[Condition, ...] | None = Field(default=None, min_length=1)
    any: tuple[Condition, ...] | None = Field(default=None, min_length=1)
    not_: Condition | None = Field(default=None, alias="not")
    use: str | None = None
    column: str | None = None
    label: str | None = None
    equals: Value | None = None
    one_of: tuple[Value, ...] | None = Field(default=None, min_length=1)
    matches: str | None = None
    words: str | tuple[str, ...] | None = None
    below: float | None = None
    above: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    missing: bool | None = None

    @model_validator(mode="after")
    def _one_subject(self) -> Self:
        given = [name for name in ("all", "any", "not_", "use", "column", "label") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("a condition is one of: all, any, not, use, or a test of a column or a label.")
        tests = self.operators
        if (given[0] in ("column", "label")) != bool(tests):
            raise ValueError(
                f"a test of a column or label has one or more of {', '.join(_OPERATORS)}; others have none."
            )
        if self.label is not None and not set(tests) <= {"equals", "one_of"}:
            raise ValueError("a label is tested with equals or one_of.")
        wrong = _misfits(self) if self.column is not None else []
        if wrong:
            raise ValueError(" ".join(wrong))
        return self

    @property
    def operators(self) -> tuple[str, ...]:
        return tuple(name for name in _OPERATORS if getattr(self, name) is not None)

    def parts(self) -> Iterator[Condition]:
        """This condition and all inside it."""
        yield self
        for inside in (*(self.all or ()), *(self.any or ()), *((self.not_,) if self.not_ else ())):
            yield from inside.parts()

    def mentioned(self) -> frozenset[tuple[str, str]]:
        """(`use`, name) and (`label`, name) of everything that it refers to."""
        found = [("use", part.use) for part in self.parts() if part.use is not None]
        found += [("label", part.label) for part in self.parts() if part.label is not None]
        return frozenset(found)

    def values(self) -> tuple[Value, ...]:
        return (*(() if self.equals is None else (self.equals,)), *(self.one_of or ()))


def _misfits(condition: Condition) -> list[str]:
    """What is wrong with a test of a column: its name, its type, its pattern."""
    column = str(condition.column)
    if column == "kind":
        return ["`kind` is a label, not a column for rules: write label: kind."]
    if column not in COLUMNS:
        return [f"`series` has no column '{column}'.{nearest(column, COLUMNS)}"]
    kind = COLUMNS[column]
    found = [
        f"{column} is {kind}; '{name}' doesn't apply to it."
        for name in condition.operators
        if (name in _SIGNS and not _is_number(kind)) or (name in _ON_TEXT and kind != "VARCHAR")
    ]
    for value in condition.values():
        if isinstance(value, bool) and kind == "VARCHAR":
            found.append(f"{column} is text and YAML reads NO, YES, ON and OFF as true or false: put them in quotes.")
        elif isinstance(value, bool) != (kind == "BOOLEAN") or not isinstance(value, _accepted(kind)):
            found.append(f"{column} is {kind}, got {value!r}" + (": put it in quotes." if kind == "VARCHAR" else "."))
    if isinstance(condition.words, tuple) and not all(word.strip() for word in condition.words):
        found.append("an empty word is found nowhere: leave it out.")
    error = _pattern_error(condition.matches) if condition.matches is not None else ""
    return [*found, f"'{condition.matches}' is no regular expression: {error}."] if error else found


def _is_number(kind: str) -> bool:
    return kind in ("DOUBLE", "INTEGER", "BIGINT")


def _accepted(kind: str) -> tuple[type, ...]:
    if kind == "BOOLEAN":
        return (bool,)
    return (float, int) if _is_number(kind) else (str,) if kind == "VARCHAR" else ()


@cache
def _pattern_error(pattern: str) -> str:
    """Why RE2 refuses a pattern; DuckDB is asked, as Python's own dialect is another."""
    try:
        _re2().cursor().execute("SELECT regexp_matches('', ?)", [pattern])
    except duckdb.Error as error:
        return str(error).splitlines()[0].removeprefix("Invalid Input Error: ")
    return ""


@cache
def _re2() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"threads": 1})  # kept: each new one takes tens of milliseconds


def quoted(text: str) -> str:
    """A text as SQL literal."""
    return "'" + text.replace("'", "''").replace("\0", "") + "'"


def identifier(name: str) -> str:
    """A name as SQL identifier."""
    return '"' + name.replace('"', '""').replace("\0", "") + '"'


def word_pattern(words: tuple[str, ...]) -> str:
    """RE2 pattern for any of `words` as a whole word, in a text that is `folded`.

    "t2" is found in "t2flair" and "ax_t2", not in "t21" or "eft2".
    """
    sorts: dict[tuple[str, str], list[str]] = {}
    for word in map(_folded, words):
        pieces = [re.sub(r"([^\w])", r"\\\1", piece) for piece in re.split(r"[\s_-]+", word) if piece]
        body = f"[^{_LETTER}0-9]*".join(pieces)
        sorts.setdefault((_edge(word[:1], "^"), _edge(word[-1:], "$")), []).append(body)
    return "|".join(f"{before}(?:{'|'.join(found)}){after}" for (before, after), found in sorts.items())


def folded(column: str) -> str:
    """SQL of a text in small letters without accents, so that patterns need neither case nor Unicode's letters."""
    return f"lower(strip_accents({column}))"


def _folded(word: str) -> str:
    marked = unicodedata.normalize("NFD", word.strip().lower())
    return unicodedata.normalize("NFC", "".join(one for one in marked if not unicodedata.combining(one)))


def _edge(sign: str, end: str) -> str:
    if sign >= _SCRIPTS_WITHOUT_SPACES:
        return ""
    if sign.isalpha():
        return f"(?:{end}|[^{_LETTER}])"
    return f"(?:{end}|[^0-9])" if sign.isdigit() else ""


@dataclass(frozen=True)
class Scope:
    """What a condition can refer to, and the searches in texts that it asks for.

    Attributes:
        words: the lists by name.
        label_values: the values of each label's rules in order.
        searches: name of the boolean column that holds the result, by column and SQL of the search. Kept apart, since
            they take nearly all of the time and a column holds far fewer different texts than rows.
    """

    words: Mapping[str, tuple[str, ...]]
    label_values: Mapping[str, tuple[str, ...]]
    searches: dict[tuple[str, str], str] = field(default_factory=dict)

    def search(self, column: str, sql: str) -> str:
        """The column that says whether `sql` is true of the text in `column`."""
        return identifier(self.searches.setdefault((column, sql), f"search_{len(self.searches)}"))


def sql_of(condition: Condition, scope: Scope) -> str:
    """SQL that is true or false, never NULL, over `series`, `search_<n>`, `is_<condition>` and `rule_<label>`."""
    if condition.use is not None:
        return identifier(f"is_{condition.use}")
    if condition.not_ is not None:
        return f"(NOT {sql_of(condition.not_, scope)})"
    for word, parts in (("AND", condition.all), ("OR", condition.any)):
        if parts is not None:
            return "(" + f" {word} ".join(sql_of(part, scope) for part in parts) + ")"
    tests = _label_tests(condition, scope) if condition.label is not None else _column_tests(condition, scope)
    return "(" + " AND ".join(tests) + ")"


def _label_tests(condition: Condition, scope: Scope) -> list[str]:
    values = scope.label_values[str(condition.label)]
    wanted = [str(place) for place, value in enumerate(values) if value in condition.values()]
    place = identifier(f"rule_{condition.label}")
    return [f"{place} IN ({', '.join(wanted)})" if wanted else "FALSE"]


def _column_tests(condition: Condition, scope: Scope) -> list[str]:
    kind, name = COLUMNS[str(condition.column)], identifier(str(condition.column))
    tests = []
    for operator in condition.operators:
        given = getattr(condition, operator)
        if operator == "missing":
            absent = f"coalesce(trim({name}), '') = ''" if kind == "VARCHAR" else f"{name} IS NULL"
            tests.append(f"({absent})" if given else f"(NOT ({absent}))")
            continue
        if operator in _SIGNS:
            test = f"{name} {_SIGNS[operator]} {_literal(float(given))}"
        elif operator == "matches":
            test = scope.search(str(condition.column), f"regexp_matches({name}, {quoted(f'(?i){given}')})")
        elif operator == "words":
            pattern = word_pattern(scope.words[given] if isinstance(given, str) else given)
            test = scope.search(str(condition.column), f"regexp_matches({folded(name)}, {quoted(pattern)})")
        else:
            values = given if isinstance(given, tuple) else (given,)
            subject = f"lower(trim({name}))" if kind == "VARCHAR" else name
            test = f"{subject} IN ({', '.join(_literal(value) for value in values)})"
        tests.append(f"coalesce({test}, FALSE)")
    return tests


def _literal(value: Value) -> str:
    if isinstance(value, str):
        return quoted(value.strip().lower())
    return str(value).upper() if isinstance(value, bool) else f"'{float(value)!r}'::DOUBLE"
