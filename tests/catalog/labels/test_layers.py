"""A user's own rules on top of the shipped ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.catalog.dicom_made import series
from tests.catalog.labels.made_up import ct, mr, outcomes_of

from hounsfield.catalog.labels.labels import ACCEPTED, outcomes, relabel
from hounsfield.catalog.labels.rules import RADNET, Rules, read_rules
from hounsfield.catalog.scan.scan import scan
from hounsfield.catalog.store import CatalogError, open_catalog
from hounsfield.core.errors import ProblemsError


def layered(folder: Path, text: str, name: str = "mine.yaml") -> Rules:
    path = folder / name
    path.write_text("name: mine\nextends: radnet\n" + text, encoding="utf-8")
    return read_rules(path)


def problems(folder: Path, text: str) -> str:
    with pytest.raises(ProblemsError) as caught:
        layered(folder, text)
    return str(caught.value)


def test_an_empty_layer_changes_nothing_but_the_name(tmp_path: Path):
    assert layered(tmp_path, "") == read_rules(RADNET).model_copy(update={"name": "mine"})


def test_words_are_added_removed_or_replaced(tmp_path: Path):
    before = read_rules(RADNET).words
    rules = layered(tmp_path, "words:\n  stir: {add: [kurzti], remove: [TSTIR]}\n  flair: [nur das]\n  mine: [x]\n")
    assert rules.words["stir"] == (*(word for word in before["stir"] if word != "TSTIR"), "kurzti")
    assert rules.words["flair"] == ("nur das",)
    assert rules.words["mine"] == ("x",)
    assert rules.words["diffusion"] == before["diffusion"]
    row = mr("KurzTI cor", "SE", 4000, 60)
    assert outcomes_of([row])[0].reasons == ()
    assert outcomes_of([row], rules)[0].reasons == ("stir",)


def test_own_rules_are_tried_before_the_shipped_ones(tmp_path: Path):
    rules = layered(
        tmp_path,
        """
labels:
  contrast:
    values: [late]
    rules:
      - {name: spaet, value: late, when: {column: series_description, words: [spaet]}}
""",
    )
    found = outcomes_of([ct("Leber spaet", contrast_agent="NONE"), ct("Leber", contrast_agent="NONE")], rules)
    assert [(one.labels["contrast"], one.rules["contrast"]) for one in found] == [
        ("late", "spaet"),
        ("no", "agent-says-none"),
    ]


def test_a_rule_of_the_same_name_takes_its_place_and_one_can_be_removed(tmp_path: Path):
    rules = layered(
        tmp_path,
        """
labels:
  view:
    rules: [{name: axial, value: axial, when: {column: orientation_thousandths, equals: "1000,0,0,0,1000,0"}}]
  contrast: {remove: [ct-agent-absent]}
""",
    )
    shipped = [rule.name for rule in read_rules(RADNET).labels["view"].rules]
    assert [rule.name for rule in rules.labels["view"].rules] == shipped
    tilted = outcomes_of([ct(orientation=[1, 0, 0, 0, 0.99, -0.141])], rules)[0]
    # Strict reading: no longer axial, and what the next rules make of it.
    assert (tilted.labels["view"], tilted.labels["contrast"]) == ("flipped", "unknown")
    assert tilted.rules["contrast"] == "no-rule-matched"


def test_exclusions_are_added_changed_and_removed(tmp_path: Path):
    rules = layered(
        tmp_path,
        """
exclusions:
  - reason: few_slices
    rules: [{name: below-16-slices, when: {column: image_count, below: 10}}]
  - {reason: stir, remove: [stir]}
  - reason: localiser
    before: spacing
    rules: [{name: is-one, when: {label: kind, equals: localiser}}]
  - reason: thick
    rules: [{name: above-6-mm, when: {column: slice_thickness, above: 6}}]
  - reason: time_series
    rules: [{name: four-d, when: {column: series_description, words: [4D]}}]
""",
    )
    assert rules.reasons == (
        *("modality", "time_series", "localiser", "spacing", "few_slices", "no_description", "sequence"),
        *("orientation", "effective_spacing", "thick"),
    )
    rows = [
        ct(slices=12, planes=12),
        ct(slices=9, planes=9),
        mr("AX STIR", "SE", 4000, 60),
        ct("x", image_type="ORIGINAL\\PRIMARY\\LOCALIZER", regular=False),
        ct(slice_thickness=8.0),
        ct("4D CT"),
    ]
    assert [one.reasons for one in outcomes_of(rows, rules)] == [
        (),
        ("few_slices",),
        (),
        ("localiser", "spacing"),
        ("thick",),
        ("time_series",),
    ]


def test_conditions_may_stand_in_any_order_and_remarks_can_go(tmp_path: Path):
    rules = layered(
        tmp_path,
        """
conditions:
  mine: {all: [{use: later}, {use: mr}]}
  later: {column: manufacturer, words: [canon]}
remarks: {remove: [t2-by-header-t1-by-name]}
exclusions:
  - {reason: canon, rules: [{name: it-is, when: {use: mine}}]}
""",
    )
    assert outcomes_of([mr(manufacturer="CANON Medical")], rules)[0].reasons == ("canon",)
    assert len(rules.remarks) == len(read_rules(RADNET).remarks) - 1


def test_a_layer_on_a_layer(tmp_path: Path):
    layered(tmp_path, "words:\n  flair: {add: [ZIR]}\n")
    path = tmp_path / "top.yaml"
    path.write_text("name: top\nextends: mine.yaml\nwords:\n  flair: {add: [QIR]}\n", encoding="utf-8")
    assert read_rules(path).words["flair"][-2:] == ("ZIR", "QIR")


def test_a_catalog_is_labelled_anew_by_own_rules(tmp_path: Path):
    catalog = tmp_path / "catalog.duckdb"
    series(tmp_path / "archive" / "a", 12, series="1.2.3.10")
    series(tmp_path / "archive" / "b", 20, series="1.2.3.20")
    scan(tmp_path / "archive", catalog, workers=1)
    with open_catalog(catalog) as connection:
        assert outcomes(connection) == {ACCEPTED: 1, "few_slices": 1}
    rules = layered(
        tmp_path,
        """
labels:
  kind: {rules: [{name: small, value: other, when: {column: image_count, below: 16}}]}
exclusions: [{reason: few_slices, remove: [below-16-slices]}]
""",
    )
    assert relabel(catalog, rules) == {ACCEPTED: 2}
    with open_catalog(catalog) as connection:
        kinds = connection.execute("SELECT kind FROM series ORDER BY series_uid").fetchall()
    assert kinds == [("other",), ("original",)]
    with pytest.raises(CatalogError, match="there is no catalog none.duckdb"):
        relabel(tmp_path / "none.duckdb", rules)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("words:\n  stir: {remove: [STIRR]}\n", "words / stir: there is no 'STIRR' to change. Did you mean 'STIR'?"),
        ("words:\n  mine: {add: [x]}\n", "words / mine"),
        ("labels:\n  contrast: {remove: [ct-agent-absnt]}\n", "Did you mean 'ct-agent-absent'?"),
        (
            "labels:\n  contrast: {rules: [{name: Bad name, value: 'no', when: {use: mr}}]}\n",
            "String should match pattern",
        ),
        ("labels:\n  contrast: nonsense\n", "labels / contrast"),
        ("exclusions:\n  - {reason: stir, remove: [x]}\n", "exclusions / stir: there is no 'x' to change."),
        ("exclusions:\n  - {reason: a, before: spacin, rules: []}\n", "Did you mean 'spacing'?"),
        ("exclusions:\n  - nonsense\n", "exclusions"),
        ("remarks: {remove: [x]}\n", "remarks: there is no 'x' to change."),
        ("conditions:\n  mr: {use: ct}\n  ct: {use: mr}\n", "these need each other in a circle"),
        ("conditions:\n  mine: {use: mrr}\n", "there is no condition 'mrr' here."),
    ],
)
def test_mistakes_in_a_layer(tmp_path: Path, text: str, expected: str):
    assert expected in problems(tmp_path, text)


@pytest.mark.parametrize(
    ("extends", "expected"),
    [
        ("radnett", "no rules 'radnett' ship with the package. Did you mean 'radnet'?"),
        ("../radnet.yaml", "it is no name"),
        ("[radnet]", "it is no name"),
        ("absent.yaml", "there is no readable file absent.yaml"),
        ("bad.yaml", "extend each other"),
    ],
)
def test_what_can_not_be_extended(tmp_path: Path, extends: str, expected: str):
    path = tmp_path / "bad.yaml"
    path.write_text(f"name: bad\nextends: {extends}\n", encoding="utf-8")
    with pytest.raises(ProblemsError, match="bad.yaml is no usable rule file") as caught:
        read_rules(path)
    assert expected in str(caught.value)
