"""Labels and exclusions of every series. In: the table `series`, `Rules`. Out: `labels`, `exclusions`, `remarks`.

Each rule becomes an expression of one SQL statement over the whole table, so that a million series take seconds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import duckdb

from hounsfield.catalog.labels.conditions import COMPUTED, CONTRACT, Condition, Scope, identifier, quoted, sql_of
from hounsfield.catalog.labels.rules import NO_RULE, UNKNOWN, Exclusion, Label, Rule, Rules
from hounsfield.catalog.store import TABLES, CatalogError, open_catalog

ACCEPTED = "accepted"
OneRule = TypeVar("OneRule", bound=Rule)
_DIGITS = 4  # of a label that is a number: a tenth of a micrometre


def apply_rules(
    connection: duckdb.DuckDBPyConnection,
    rules: Rules,
    *,
    source: str = "series",
    absent: Collection[str] = (),
) -> None:
    """Fills `labels` and `exclusions` anew for every series of `source`.

    Args:
        source: a table or view with `series_uid` and columns of `series`; those it lacks count as absent.
        absent: columns that are there but that nothing could fill; rules that need one of them stay silent.

    Raises: CatalogError when `source` has no `series_uid`.
    """
    there = {row[0] for row in connection.execute(f"DESCRIBE {identifier(source)}").fetchall()}
    if "series_uid" not in there:
        raise CatalogError(f"{source} has no column series_uid. Give the table series or a view of it.")
    missing = {*absent, *(set(CONTRACT) - there)}
    heard = without(rules, missing)
    for name in ("labels", "exclusions", "remarks"):
        connection.execute(f"CREATE TABLE IF NOT EXISTS {name} ({TABLES[name]})").fetchall()
    connection.execute("DELETE FROM labels; DELETE FROM exclusions; DELETE FROM remarks WHERE path IS NULL").fetchall()
    connection.execute(f"CREATE OR REPLACE TEMP TABLE rule_outcome AS {_outcome(heard, source, there)}").fetchall()
    for statement in (_label_rows(heard), *_exclusion_rows(heard), *_remark_rows(heard)):
        connection.execute(statement).fetchall()
    connection.execute("DROP TABLE rule_outcome").fetchall()


def relabel(catalog: Path, rules: Rules) -> dict[str, int]:
    """Labels all series of a catalog anew, by a user's rules for example; the next scan goes back to the shipped ones.

    Returns: as `outcomes`. Raises: CatalogError when there is no catalog, or another process writes to it.
    """
    if not catalog.exists():
        raise CatalogError(f"there is no catalog {catalog.name}. Make one: hounsfield catalog build ARCHIVE --out ...")
    with open_catalog(catalog, write=True) as connection:
        connection.begin()
        apply_rules(connection, rules)
        connection.execute(
            "UPDATE series SET kind = l.value FROM labels l WHERE l.series_uid = series.series_uid AND l.label = 'kind'"
        ).fetchall()
        connection.commit()
        return outcomes(connection)


def without(rules: Rules, absent: Collection[str]) -> Rules:
    """The rules that a source without some columns can be asked; labels and reasons left with none of theirs stay."""
    return rules.model_copy(
        update={
            "labels": {
                name: label.model_copy(update={"rules": tuple(_heard(label.rules, absent))})
                for name, label in rules.labels.items()
            },
            "exclusions": tuple(
                one.model_copy(update={"rules": tuple(_heard(one.rules, absent))}) for one in rules.exclusions
            ),
            "remarks": tuple(_heard(rules.remarks, absent)),
        }
    )


def outcomes(connection: duckdb.DuckDBPyConnection, *, source: str = "series") -> dict[str, int]:
    """Number of series by first reason, and `accepted`: each series counts once."""
    rows = connection.execute(
        f"SELECT coalesce(e.reason, {quoted(ACCEPTED)}) AS outcome, count(*) FROM {identifier(source)} s "
        "LEFT JOIN exclusions e ON e.series_uid = s.series_uid AND e.place = 0 GROUP BY 1 ORDER BY 2 DESC, 1"
    ).fetchall()
    return {str(outcome): int(count) for outcome, count in rows}


def wide(connection: duckdb.DuckDBPyConnection, rules: Rules) -> duckdb.DuckDBPyRelation:
    """One row a series: `series_uid`, a column a label, and yes, no or unknown for each value that can hold at once."""
    columns = []
    for name, label in rules.labels.items():
        value = f"max(value) FILTER (label = {quoted(name)})"
        columns.append(f"{value} AS {identifier(name)}")
        for one in label.values if label.several else ():
            inside = f"list_contains(string_split({value}, ';'), {quoted(one)})"
            state = (
                f"CASE WHEN {value} = {quoted(UNKNOWN)} THEN {quoted(UNKNOWN)} WHEN {inside} THEN 'yes' ELSE 'no' END"
            )
            columns.append(f"{state} AS {identifier(one)}")
    return connection.sql(f"SELECT series_uid, {', '.join(columns)} FROM labels GROUP BY series_uid")


def _heard(rules: Iterable[OneRule], absent: Collection[str]) -> Iterator[OneRule]:
    return (rule for rule in rules if not set(rule.needs) & set(absent))


def _scope(rules: Rules) -> Scope:
    return Scope(rules.words, {name: label.texts for name, label in rules.labels.items()})


def _outcome(rules: Rules, source: str, there: Collection[str]) -> str:
    """A query: series_uid, the number of the rule that gave each label, whether each exclusion and remark applies.

    Conditions and labels are computed level by level, each in a projection of its own over the one below: so each is
    computed once, and few projections are planned.
    """
    scope = _scope(rules)
    levels = []
    for level in rules.levels():
        made = [(f"is_{n}", sql_of(rules.conditions[n], scope)) for kind, n in level if kind == "use"]
        made += [(f"rule_{n}", _first(rules.labels[n], scope)) for kind, n in level if kind == "label"]
        levels.append(", ".join(f"{expression} AS {identifier(name)}" for name, expression in made))
    kept = ["series_uid", *(identifier(f"rule_{name}") for name in rules.labels)]
    kept += sorted(
        {identifier(rule.value_from) for label in rules.labels.values() for rule in label.rules if rule.value_from}
    )
    for place, exclusion in enumerate(rules.exclusions):
        for number, rule in enumerate(exclusion.rules):
            kept.append(f"{sql_of(rule.when, scope)} AS x_{place}_{number}")
    kept += [f"{sql_of(rule.when, scope)} AS m_{number}" for number, rule in enumerate(rules.remarks)]
    query = _searched(f"SELECT {', '.join(_facts(rules, there))} FROM {identifier(source)}", scope)
    for level_sql in levels:
        query = f"SELECT *, {level_sql} FROM ({query})"
    return f"SELECT {', '.join(kept)} FROM ({query})"


def _searched(facts: str, scope: Scope) -> str:
    """The facts with every search in a text, made once for each different text."""
    columns = sorted({column for column, _ in scope.searches})
    joins = []
    for column in columns:
        name = identifier(column)
        found = ", ".join(
            f"{sql} AS {identifier(alias)}" for (of, sql), alias in scope.searches.items() if of == column
        )
        texts = f"SELECT DISTINCT {name} FROM facts WHERE {name} IS NOT NULL"
        joins.append(f"LEFT JOIN (SELECT {name}, {found} FROM ({texts})) USING ({name})")
    return f"WITH facts AS MATERIALIZED ({facts}) SELECT * FROM facts {' '.join(joins)}"


def _facts(rules: Rules, there: Collection[str]) -> list[str]:
    """The columns that rules ask for, NULL where the source has none, and what is computed of them."""
    asked = set(_columns(rules))
    computed = [name for name in COMPUTED if name in asked]
    plain = {name for name in asked if name in CONTRACT}.union(*(COMPUTED[name][2] for name in computed))
    facts = ["series_uid"] if "series_uid" not in plain else []
    for name in sorted(plain):
        kind = CONTRACT[name]
        facts.append(identifier(name) if name in there else f"CAST(NULL AS {kind}) AS {identifier(name)}")
    return [*facts, *(f"{COMPUTED[name][1]} AS {identifier(name)}" for name in computed)]


def _columns(rules: Rules) -> Iterator[str]:
    conditions: list[Condition] = [*rules.conditions.values(), *(rule.when for _, rule in rules.all_rules())]
    for condition in conditions:
        yield from (part.column for part in condition.parts() if part.column is not None)
    for label in rules.labels.values():
        yield from (rule.value_from for rule in label.rules if rule.value_from is not None)


def _first(label: Label, scope: Scope) -> str:
    """Number of the first rule that matches, from 0; one past the last for none."""
    cases = [f"WHEN {sql_of(rule.when, scope)} THEN {number}" for number, rule in enumerate(label.rules)]
    none = len(label.rules)
    return f"CAST(CASE {' '.join(cases)} ELSE {none} END AS USMALLINT)" if cases else f"CAST({none} AS USMALLINT)"


def _label_rows(rules: Rules) -> str:
    """All labels by one statement: lists of names, values and rules, unnested side by side."""
    values, made_by = [], []
    for name, label in rules.labels.items():
        place = f"{identifier(f'rule_{name}')} + 1"
        value = f"list_extract([{', '.join(quoted(text) for text in label.texts)}], {place})"
        for number, rule in enumerate(label.rules):
            if rule.value_from is not None:
                shown = identifier(rule.value_from)
                shown = f"CAST({shown} AS VARCHAR)" if CONTRACT.get(rule.value_from) == "VARCHAR" else _number(shown)
                value = f"CASE WHEN {identifier(f'rule_{name}')} = {number} THEN {shown} ELSE {value} END"
        makers = ", ".join(quoted(one) for one in (*(rule.name for rule in label.rules), NO_RULE))
        values.append(value)
        made_by.append(f"list_extract([{makers}], {place})")
    names = [quoted(name) for name in rules.labels]
    return f"INSERT INTO labels SELECT series_uid, {_side_by_side(names, values, made_by)} FROM rule_outcome"


def _side_by_side(*columns: Sequence[str]) -> str:
    """SQL that makes one row of each place of some lists of equal length."""
    return ", ".join(f"unnest([{', '.join(column)}]) AS c{number}" for number, column in enumerate(columns))


def _number(column: str) -> str:
    return f"CAST(round(CAST({column} AS DOUBLE), {_DIGITS}) AS VARCHAR)"


def _exclusion_rows(rules: Rules) -> Iterator[str]:
    """One row a reason at the first place where it applies, naming all of its rules that do."""
    flags, found = [], []
    for place, exclusion in enumerate(rules.exclusions):
        flag = _applies(rules.exclusions, place)
        if flag is None:
            continue
        spots = [n for n, other in enumerate(rules.exclusions) if n >= place and other.reason == exclusion.reason]
        parts = [
            f"CASE WHEN x_{spot}_{number} THEN {quoted(rule.name)} END"
            for spot in spots
            for number, rule in enumerate(rules.exclusions[spot].rules)
        ]
        flags.append(flag)
        found.append(f"CASE WHEN {flag} THEN [{quoted(exclusion.reason)}, concat_ws(';', {', '.join(parts)})] END")
    if found:
        yield (
            "INSERT INTO exclusions SELECT series_uid, CAST(place AS INTEGER), one[1], one[2] FROM ("
            "SELECT series_uid, unnest(range(len(found))) AS place, unnest(found) AS one FROM ("
            f"SELECT series_uid, list_filter([{', '.join(found)}], lambda one: one IS NOT NULL) AS found "
            f"FROM rule_outcome WHERE {' OR '.join(flags)}))"
        )


def _remark_rows(rules: Rules) -> Iterator[str]:
    """Remarks by rules have no path, which tells them from those of the scan when they are made anew."""
    if rules.remarks:
        what = [f"CASE WHEN m_{number} THEN {quoted(one.what)} END" for number, one in enumerate(rules.remarks)]
        rows = _side_by_side(what, [quoted(one.remedy) for one in rules.remarks])
        flags = " OR ".join(f"m_{number}" for number in range(len(rules.remarks)))
        each = f"SELECT series_uid, {rows} FROM rule_outcome WHERE {flags}"
        yield f"INSERT INTO remarks SELECT series_uid, NULL, c0, c1 FROM ({each}) WHERE c0 IS NOT NULL"


def _applies(exclusions: tuple[Exclusion, ...], place: int) -> str | None:
    """Whether the reason applies here and at no earlier place of the list; None without any rule."""
    here = [f"x_{place}_{number}" for number in range(len(exclusions[place].rules))]
    earlier = [
        f"x_{spot}_{number}"
        for spot, other in enumerate(exclusions[:place])
        if other.reason == exclusions[place].reason
        for number in range(len(other.rules))
    ]
    if not here:
        return None
    return f"(({' OR '.join(here)}) AND NOT ({' OR '.join(earlier)}))" if earlier else f"({' OR '.join(here)})"
