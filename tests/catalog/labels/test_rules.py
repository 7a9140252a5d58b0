"""Rule files: what they say is what is done, and everything that is wrong in one is said at once."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
import yaml
from pydantic import ValidationError

from hounsfield.catalog.labels.conditions import COLUMNS, Condition, Scope, folded, sql_of, word_pattern
from hounsfield.catalog.labels.labels import apply_rules
from hounsfield.catalog.labels.rules import RADNET, Rules, read_rules
from hounsfield.catalog.store import TABLES
from hounsfield.core.errors import ProblemsError

SMALL = """
name: small
words:
  head: [head, brain]
conditions:
  ct: {column: modality, equals: CT}
labels:
  region:
    values: [head, other]
    rules:
      - {name: named, value: head, when: {column: series_description, words: head}}
      - {name: rest, value: other, when: {use: ct}}
exclusions:
  - reason: few
    rules: [{name: below, when: {column: image_count, below: 16}}]
"""


def read(folder: Path, text: str, name: str = "rules.yaml") -> Rules:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return read_rules(path)


def problems(folder: Path, text: str) -> str:
    with pytest.raises(ProblemsError) as caught:
        read(folder, text)
    return str(caught.value)


def test_the_shipped_rules_are_complete():
    rules = read_rules(RADNET)
    assert list(rules.labels) == ["kind", "region", "coverage", "modality", "view", "contrast", "slice_spacing"]
    assert rules.labels["kind"].values == (
        *("original", "derived", "localiser", "secondary_capture", "segmentation", "rtstruct", "sr", "other"),
    )
    # The paper's order of counts, with repeated positions decided by time first where there are attributes of time.
    assert rules.reasons == (
        *("modality", "time_series", "spacing", "few_slices", "no_description", "sequence"),
        *("stir", "orientation", "effective_spacing"),
    )
    assert rules.exclusions[6].reason == "time_series"
    assert rules.labels["coverage"].values == (
        *("Brain", "Upper Head-Neck", "Lower Head-Neck", "Lung", "Breast", "Liver", "Kidney", "Intestine", "Pelvis"),
    )


def test_rules_are_frozen(tmp_path: Path):
    rules = read(tmp_path, SMALL)
    with pytest.raises(ValidationError, match="frozen"):
        rules.name = "other"  # type: ignore[misc]


def test_every_problem_is_said_at_once_with_the_nearest_name(tmp_path: Path):
    text = SMALL.replace("column: modality", "column: modalty").replace("use: ct", "use: cts")
    text = (
        text.replace("words: head}", "words: heat}")
        .replace("below: 16", "belov: 16")
        .replace("value: other", "value: othr")
    )
    said = problems(tmp_path, text)
    for expected in (
        "`series` has no column 'modalty'. Did you mean 'modality'?",
        "there is no condition 'cts' here. Did you mean 'ct'?",
        "there is no list of words 'heat' here. Did you mean 'head'?",
        "there is no key 'belov'. Did you mean 'below'?",
        "rule rest gives 'othr'. Did you mean 'other'?",
    ):
        assert expected in said
    assert "conditions / ct" in said
    assert "exclusions / 0 / rules / 0 / when" in said


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("equals: CT", "one_of: [NO, CT]", "put them in quotes"),
        ("equals: CT", "equals: 1", "put it in quotes"),
        ("equals: CT", "below: 1", "modality is VARCHAR; 'below' doesn't apply"),
        ("equals: CT", "matches: '(CT'", "'(CT' is no regular expression: missing )"),
        ("equals: CT", "words: ['']", "an empty word"),
        ("column: modality, equals: CT", "column: kind, equals: sr", "write label: kind"),
        ("column: modality, equals: CT", "column: modality", "has one or more of equals, one_of"),
        ("column: modality, equals: CT", "equals: CT", "a condition is one of"),
        (
            "column: modality, equals: CT",
            "column: contrast_given, equals: 'yes'",
            "contrast_given is BOOLEAN, got 'yes'",
        ),
        ("{use: ct}", "{label: region, equals: head}", "these need each other in a circle: region."),
        ("{use: ct}", "{not: {use: ct}, use: ct}", "a condition is one of"),
        ("name: rest", "name: named", "2 rules have this name"),
        ("value: other", "value: [head, other]", "gives 2 values"),
        ("value: other", "value_from: rowz", "has no column 'rowz'. Did you mean 'rows'?"),
        (", value: other", "", "give either value or value_from"),
        ("conditions:\n  ct:", "conditions:\n  c t:", "this name can't be used"),
        ("name: small", "name: small\ninclude: [absent.yaml]", "no readable file absent.yaml"),
        ("name: small", "name: small\ninclude: [../rules.yaml]", "it lies in another folder"),
        ("reason: few", "reason: 'few; DROP TABLE series'", "String should match pattern"),
        ("{use: ct}", "{use: ct, needs: [rowz]}", "there is no key 'needs'"),
    ],
)
def test_one_mistake(tmp_path: Path, old: str, new: str, expected: str):
    assert SMALL.count(old) >= 1
    assert expected in problems(tmp_path, SMALL.replace(old, new, 1))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("labels: [", "is no readable YAML"),
        ("just text", "holds no mapping"),
        ("", "holds no mapping"),
        ("name: !!python/object/apply:os.system ['true']", "is no readable YAML"),
        ("a: &a [x]\nb: *a", "it uses a YAML alias"),
        ("name: x", "labels: Field required"),
        ("name: x\nlabels: {}", "at least 1 item"),
    ],
)
def test_no_rule_file_at_all(tmp_path: Path, text: str, expected: str):
    assert expected in problems(tmp_path, text)


def test_a_deep_nest_is_refused_and_not_a_crash(tmp_path: Path):
    nest = "{not: " * 3000 + "{use: ct}" + "}" * 3000
    assert "rules.yaml" in problems(tmp_path, SMALL.replace("{use: ct}", nest))


def test_included_files_come_first_and_no_name_twice(tmp_path: Path):
    (tmp_path / "more.yaml").write_text("conditions:\n  mr: {column: modality, equals: MR}\n", encoding="utf-8")
    rules = read(tmp_path, "include: [more.yaml]\n" + SMALL.replace("{use: ct}", "{any: [{use: ct}, {use: mr}]}"))
    assert list(rules.conditions) == ["mr", "ct"]
    (tmp_path / "more.yaml").write_text("conditions:\n  ct: {column: modality, equals: MR}\n", encoding="utf-8")
    assert "conditions / ct: more.yaml has it too." in problems(tmp_path, "include: [more.yaml]\n" + SMALL)
    (tmp_path / "more.yaml").write_text("exclusions: []\n", encoding="utf-8")
    assert "more.yaml / exclusions" in problems(tmp_path, "include: [more.yaml]\n" + SMALL)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("t2flair", True),
        ("AX_T2", True),
        ("T2", True),
        ("3D T2 FS", True),
        ("t21", False),
        ("eft2", False),
        ("", False),
        ("t", False),
    ],
)
def test_words_end_where_letters_turn_to_digits_or_signs(text: str, found: bool):
    assert matches(word_pattern(("t2",)), text) is found


def test_words_of_several_parts_and_signs():
    pattern = word_pattern(("time of flight", "+C", "c a p", "ü"))
    for text in ("TIME-OF_FLIGHT", "timeofflight", "AX T1 +C", "Recon 3: C/A/P", "CAP 5.0", "Ü-Test"):
        assert matches(pattern, text), text
    for text in ("captk", "time in flight", "C+", "grün"):
        assert not matches(pattern, text), text


def matches(pattern: str, text: str) -> bool:
    found = duckdb.execute(f"SELECT regexp_matches({folded('?')}, ?)", [text, pattern]).fetchall()
    return bool(found[0][0])


@pytest.mark.parametrize(
    ("condition", "value", "expected"),
    [
        ({"column": "modality", "equals": "ct"}, " CT ", True),
        ({"column": "modality", "equals": "CT"}, None, False),
        ({"not": {"column": "modality", "equals": "CT"}}, None, True),
        ({"column": "modality", "one_of": ["MR", "CT"]}, "CT", True),
        ({"column": "modality", "missing": True}, None, True),
        ({"column": "modality", "missing": True}, "  ", True),
        ({"column": "modality", "missing": False}, "CT", True),
        ({"column": "modality", "missing": False}, None, False),
        ({"column": "echo_time", "below": 30}, 29.9, True),
        ({"column": "echo_time", "below": 30}, 30, False),
        ({"column": "echo_time", "above": 0, "at_most": 30}, 30, True),
        ({"column": "echo_time", "at_least": 30}, None, False),
        ({"column": "echo_time", "equals": 30}, 30, True),
        ({"column": "contrast_given", "equals": True}, True, True),
        ({"column": "contrast_given", "equals": False}, None, False),
        ({"column": "orientation", "missing": True}, None, True),
        ({"any": [{"column": "modality", "equals": "CT"}, {"column": "modality", "equals": "MR"}]}, "MR", True),
        ({"all": [{"column": "modality", "equals": "CT"}, {"column": "modality", "equals": "MR"}]}, "MR", False),
    ],
)
def test_conditions_on_one_value(condition: dict[str, object], value: object, expected: bool):
    checked = Condition.model_validate(condition)
    column = next(part.column for part in checked.parts() if part.column)
    sql = sql_of(checked, Scope({}, {}))
    row = duckdb.execute(f"SELECT {sql} FROM (SELECT CAST(? AS {COLUMNS[column]}) AS {column})", [value]).fetchone()
    assert row == (expected,)


EVIL = "x'); DROP TABLE series; --"


def test_no_text_of_a_rule_file_becomes_sql(tmp_path: Path):
    """Every place that takes free text is filled with an attack; it is compared, shown, and does nothing else."""
    content = yaml.safe_load(SMALL)
    content["words"]["head"] = [EVIL, 'a"b', "\\"]
    content["conditions"]["ct"]["equals"] = EVIL
    content["labels"]["region"]["values"] = [EVIL, "other"]
    content["labels"]["region"]["rules"][0]["value"] = EVIL
    rules = read(tmp_path, yaml.safe_dump(content))
    connection = duckdb.connect()
    connection.execute(f"CREATE TABLE series ({TABLES['series']})")
    connection.execute("INSERT INTO series (series_uid, modality, series_description) VALUES ('1', ?, ?)", [EVIL, EVIL])
    connection.execute("INSERT INTO series (series_uid, modality) VALUES ('2', 'CT')")
    apply_rules(connection, rules)
    assert connection.execute("SELECT series_uid, value, rule FROM labels ORDER BY 1").fetchall() == [
        ("1", EVIL, "named"),
        ("2", "unknown", "no-rule-matched"),
    ]
