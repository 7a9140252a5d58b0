"""The rules of published cohorts, each rule met by a record of its own; and the files that a cohort is written to."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from tests.catalog.cohort.catalog_made import losses, make_catalog

from hounsfield.catalog.cohort.cohort import Cohort, select_cohort
from hounsfield.catalog.cohort.rules import CohortRules
from hounsfield.catalog.cohort.sheet import Sheet
from hounsfield.catalog.store import CatalogError, open_catalog
from hounsfield.core.errors import ProblemsError
from hounsfield.studies.catalog_cohort import load_rules, rule_names, write_catalog_cohort


def selected(catalog: Path, rules: CohortRules, outcomes: pd.DataFrame | None = None) -> Cohort:
    with open_catalog(catalog) as connection:
        return select_cohort(connection, rules, outcomes=None if outcomes is None else Sheet.of(outcomes))


def test_cryptococcosis_or_cancer(tmp_path: Path) -> None:
    """Inclusion of Guo and Yin: contrast CT of 2 mm at most, one nodule of 15 to 40 mm, two signs or more."""
    thin = {
        "modality": "CT",
        "kind": "original",
        "slice_thickness": 2.0,
        "regular": True,
        "labels": {"contrast": "yes"},
    }
    series = [
        thin | {"patient_id": "in", "kernel": "B30f"},
        thin | {"patient_id": "in", "kernel": "B70f"},  # every reconstruction is a case
        thin | {"patient_id": "in15", "slice_thickness": 1.0},
        thin | {"patient_id": "in40"},
        thin | {"patient_id": "mr", "modality": "MR"},
        thin | {"patient_id": "unknown"},
        thin | {"patient_id": "other"},
        thin | {"patient_id": "scout", "kind": "localiser"},
        thin | {"patient_id": "plain", "labels": {"contrast": "no"}},
        thin | {"patient_id": "thick", "slice_thickness": 2.5},
        thin | {"patient_id": "nothickness", "slice_thickness": None},
        thin | {"patient_id": "gap", "regular": False},
        thin | {"patient_id": "two"},
        thin | {"patient_id": "small"},
        thin | {"patient_id": "large"},
        thin | {"patient_id": "nosigns"},
    ]
    rows = [(row["patient_id"], "cancer", 1, 20.0, 2) for row in series if row["patient_id"] != "unknown"]
    outcomes = pd.DataFrame(rows, columns=["patient_id", "pathology", "nodules", "diameter_mm", "signs"])
    outcomes = outcomes.drop_duplicates("patient_id").set_index("patient_id")
    for patient, column, value in (
        ("in", "pathology", "Cryptococcosis"), ("other", "pathology", "hamartoma"), ("two", "nodules", 2),
        ("small", "diameter_mm", 14.9), ("large", "diameter_mm", 40.1), ("in15", "diameter_mm", 15.0),
        ("in40", "diameter_mm", 40.0), ("nosigns", "signs", 1),
    ):  # fmt: skip
        outcomes.loc[patient, column] = value
    cohort = selected(
        make_catalog(tmp_path / "c.duckdb", series), load_rules("cryptococcosis-cancer"), outcomes.reset_index()
    )
    assert list(losses(cohort).values()) == [1, 1, 1, 1, 1, 2, 1, 1, 2, 1]  # one record a rule, in the order of rules
    assert sorted(cohort.cases["patient_id"]) == ["in", "in", "in15", "in40"]
    assert set(zip(cohort.cases["patient_id"], cohort.cases["diagnosis"], strict=True)) == {
        ("in", "cryptococcosis"), ("in15", "cancer"), ("in40", "cancer"),
    }  # fmt: skip


def test_lidc_malignancy(tmp_path: Path) -> None:
    """Rules of Cai et al.: above 3 mm, two scores or more, median not 3; 2.5 and 3.5 follow the inequality."""
    catalog = make_catalog(tmp_path / "c.duckdb", [
        {"series_uid": "1.1", "patient_id": "A", "modality": "CT"},
        {"series_uid": "1.2", "patient_id": "B", "modality": "CT"},
        {"series_uid": "1.3", "patient_id": "B", "modality": "DX"},
        {"series_uid": "1.4", "patient_id": "C", "modality": "CT"},
    ])  # fmt: skip
    rows = [
        ("1.1", "a1", 5.0, 4, 8.0), ("1.1", "a2", 1.0, 2, 8.0), ("1.1", "a3", 3.0, 4, 8.0), ("1.1", "a4", 5.0, 1, 8.0),
        ("1.1", "a5", 5.0, 4, 3.0), ("1.2", "b1", 2.5, 4, 3.1), ("1.2", "b2", 3.5, 4, 30.0), ("1.3", "d1", 5.0, 4, 8.0),
    ]  # fmt: skip
    outcomes = pd.DataFrame(rows, columns=["series_uid", "nodule", "malignancy", "scores", "diameter_mm"])
    outcomes = outcomes.assign(centre_x_mm=1.0, centre_y_mm=2.0, centre_z_mm=3.0)
    cohort = selected(catalog, load_rules("lidc-malignancy"), outcomes)
    assert dict(zip(cohort.cases["case_id"], cohort.cases["malignant"], strict=True)) == {
        "a1": "1", "a2": "0", "b1": "0", "b2": "1",
    }  # fmt: skip
    assert losses(cohort) == {
        "not CT": 1, "no nodule that readers outlined": 1, "diameter of 3 mm or less": 1, "scored by one reader": 1,
        "median malignancy 3": 1, "no median malignancy": 0,
    }  # fmt: skip
    assert cohort.cases["centre_z_mm"].tolist() == [3.0] * 4


def test_tcia_counts_the_first_reason_in_the_printed_order(tmp_path: Path) -> None:
    series = [
        {"patient_id": "1", "modality": "CT", "labels": {"modality": "CT"}, "collection": "one"},
        {"patient_id": "2", "modality": "MR", "labels": {"modality": "T2 - SE"}, "collection": "two"},
        {"patient_id": "3", "modality": "PT", "excluded": ["modality"]},
        {"patient_id": "4", "modality": "CT", "excluded": ["spacing", "few_slices", "no_description"]},
        {"patient_id": "5", "modality": "CT", "excluded": ["few_slices", "sequence"]},
        {"patient_id": "6", "modality": "MR", "excluded": ["no_description"]},
        {"patient_id": "7", "modality": "MR", "excluded": ["sequence", "time_series"]},
        {"patient_id": "8", "modality": "MR", "excluded": ["time_series"]},
        {"patient_id": "9", "modality": "MR", "excluded": ["stir"]},
        {"patient_id": "10", "modality": "CT", "excluded": ["orientation"]},
        {"patient_id": "11", "modality": "CT", "excluded": ["effective_spacing"]},
        {"patient_id": "12", "modality": "CT", "excluded": ["a rule of one's own"]},
    ]
    filler = [{"labels": {"view": "axial", "contrast": "no", "coverage": "Lung", "slice_spacing": "1"}}]
    cohort = selected(make_catalog(tmp_path / "c.duckdb", series + filler), load_rules("tcia-radnet"))
    # The filler has no modality and goes with the first step.
    assert list(losses(cohort).values()) == [2, 1, 1, 1, 1, 1, 1, 1, 1, 1]
    assert cohort.cases[["sequence", "site"]].to_numpy().tolist() == [["CT", "one"], ["T2 - SE", "two"]]


NORMAL = {
    "birads": "1", "four_views": "yes", "mass_or_distortion": "no", "spot_compression": "no", "further_work": "no",
    "recommended": "no", "biopsied": "no", "all_benign": "", "any_cancer": "", "located": "", "only_spot": "no",
    "foreign_object": "no", "biopsied_elsewhere": "no", "boxes": 0,
}  # fmt: skip
ACTIONABLE = NORMAL | {"birads": "0", "mass_or_distortion": "yes", "further_work": "yes", "recommended": "yes"}
BENIGN = ACTIONABLE | {
    "birads": "4A", "biopsied": "yes", "all_benign": "yes", "any_cancer": "no", "located": "yes", "boxes": 1,
}  # fmt: skip
CANCER = BENIGN | {"all_benign": "no", "any_cancer": "yes", "birads": "5"}


@pytest.mark.parametrize(
    ("facts", "group"),
    [
        (NORMAL, "normal"),
        (NORMAL | {"mass_or_distortion": "yes"}, "none of the four"),  # BI-RADS 1, and the report says "distortion"
        (NORMAL | {"birads": "2"}, "none of the four"),
        (NORMAL | {"four_views": "no"}, "none of the four"),
        (NORMAL | {"spot_compression": "yes"}, "none of the four"),
        (NORMAL | {"further_work": "yes"}, "none of the four"),
        (NORMAL | {"foreign_object": "yes"}, "foreign object"),
        (NORMAL | {"biopsied_elsewhere": "yes"}, "another study"),
        (ACTIONABLE, "actionable"),
        (ACTIONABLE | {"four_views": "no"}, "none of the four"),
        (ACTIONABLE | {"foreign_object": "yes"}, "foreign object"),
        (BENIGN, "benign"),
        (BENIGN | {"birads": "2"}, "none of the four"),
        (BENIGN | {"located": "no"}, "none of the four"),
        (BENIGN | {"any_cancer": "yes", "all_benign": "no"}, "cancer"),  # one of two biopsies is malignant
        (BENIGN | {"boxes": 0}, "without a box"),
        (BENIGN | {"foreign_object": "yes"}, "benign"),  # foreign objects exclude normal and actionable studies only
        (CANCER, "cancer"),
        (CANCER | {"only_spot": "yes"}, "spot compression only"),
        (CANCER | {"birads": "2"}, "cancer"),  # BI-RADS is no condition of the cancer group
    ],
)
def test_groups_of_tomosynthesis(tmp_path: Path, facts: dict[str, object], group: str) -> None:
    """A study record a rule of Buda et al.; a normal one beside it keeps the table of mixed columns."""
    catalog = make_catalog(
        tmp_path / "c.duckdb",
        [{"series_uid": uid, "patient_id": uid, "modality": "MG"} for uid in ("1.1", "1.2")],
    )
    rows = [{"series_uid": "1.1", "view": "lcc", **facts}, {"series_uid": "1.2", "view": "rcc", **NORMAL}]
    cohort = selected(catalog, load_rules("dbt-groups"), pd.DataFrame(rows))
    groups = dict(zip(cohort.cases["series_uid"], cohort.cases["group"], strict=True))
    assert groups["1.2"] == "normal"
    if group in ("normal", "actionable", "benign", "cancer"):
        assert groups["1.1"] == group
    else:
        assert "1.1" not in groups
        assert [reason for reason, lost in losses(cohort).items() if lost and group in reason]


def test_every_rule_file_can_be_read_by_its_name() -> None:
    assert rule_names() == ["cryptococcosis-cancer", "dbt-groups", "lidc-malignancy", "tcia-radnet"]
    for name in rule_names():
        rules = load_rules(name)
        assert rules.source
        assert rules.label in rules.columns


def test_the_rules_of_the_page_select_as_it_says(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "tasks" / "cohort.md").read_text(encoding="utf-8")
    text = page.partition("<!-- rules -->\n```yaml\n")[2].partition("```")[0]
    thin = {"modality": "CT", "spacing_mm": 1.0, "labels": {"contrast": "yes"}, "institution": "X"}
    catalog = make_catalog(tmp_path / "c.duckdb", [thin | {"patient_id": "a", "study_date": date} for date in "12"])
    with open_catalog(catalog, write=True) as connection:
        for uid, kernel in (("1.2.0", "B31f"), ("1.2.1", "B35f")):
            header = f'{{"ConvolutionKernel": "{kernel}"}}'
            connection.execute("INSERT INTO headers VALUES (?, 'a', ?, 1)", [uid, header])
        connection.execute("UPDATE series SET study_date = '2018010' || study_date, patient_age = '061Y'")
    outcomes = pd.DataFrame({"MRN": ["a"], "diagnosis": ["Granuloma"], "diameter_mm": [12.5]})
    cohort = selected(catalog, write_rules(tmp_path / "r.yaml", text), outcomes)
    row = cohort.cases.to_dict("records")[0]
    assert (len(cohort.cases), row["malignant"], row["age"], row["kernel"]) == (1, "0", 61.0, "B35f")  # the later one
    assert (row["diameter_mm"], row["site"]) == (12.5, "X")


def test_rules_that_are_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="Did you mean 'dbt-groups'"):
        load_rules("dbt-group")
    with pytest.raises(CatalogError, match=r"no readable file 'mine\.yaml'"):
        load_rules(str(tmp_path / "mine.yaml"))
    (tmp_path / "odd.yaml").write_bytes("title: Größe".encode("latin-1"))
    with pytest.raises(CatalogError, match="no text in UTF-8"):
        load_rules(str(tmp_path / "odd.yaml"))
    (tmp_path / "bom.yaml").write_bytes(b"\xef\xbb\xbftitle: t")
    assert load_rules(str(tmp_path / "bom.yaml")).title == "t"


RULES = (
    "title: t\nsteps: [{keep: {modality: CT}, reason: not CT}]\ncolumns: {modality: series.modality}\nlabel: modality"
)


def write_rules(path: Path, text: str = RULES) -> CohortRules:
    path.write_text(text)
    return load_rules(str(path))


def test_files_lie_together(tmp_path: Path) -> None:
    catalog = make_catalog(
        tmp_path / "c.duckdb", [{"patient_id": "a", "modality": "CT"}, {"patient_id": "b", "modality": "MR"}]
    )
    rules = write_rules(tmp_path / "r.yaml")
    out = tmp_path / "out" / "mine.csv"
    cohort, files = write_catalog_cohort(catalog, rules, out)
    assert [file.name for file in files] == [
        "mine-flow.svg", "mine-flow.png", "mine-steps.csv", "mine-excluded.csv", "mine.csv",
    ]  # fmt: skip
    assert pd.read_csv(out)["image"].tolist() == ["../f0"]
    assert cohort.flow.end.patients == 1
    first = {file.name: file.read_bytes() for file in files}
    write_catalog_cohort(catalog, rules, out)
    assert {file.name: file.read_bytes() for file in files} == first  # the same bytes again


def test_join_and_key_take_the_place_of_the_rules(tmp_path: Path) -> None:
    catalog = make_catalog(tmp_path / "c.duckdb", [{"patient_id": "a", "accession": "7", "modality": "CT"}])
    (tmp_path / "o.csv").write_text("no,y\n7,1\n")
    rules = write_rules(tmp_path / "r.yaml", RULES + "\noutcomes: {join: patient, key: patient_id}")
    cohort, _ = write_catalog_cohort(
        catalog, rules, tmp_path / "a.csv", outcomes=tmp_path / "o.csv", join="accession", key="no"
    )
    assert len(cohort.cases) == 1
    with pytest.raises(CatalogError, match="--join is one of"):
        write_catalog_cohort(catalog, rules, tmp_path / "b.csv", outcomes=tmp_path / "o.csv", join="mrn")
    with pytest.raises(CatalogError, match="need the spreadsheet"):
        write_catalog_cohort(catalog, rules, tmp_path / "b.csv")
    assert not list(tmp_path.glob("b*"))


def test_no_case_left_names_the_step_and_leaves_the_reasons(tmp_path: Path) -> None:
    catalog = make_catalog(tmp_path / "c.duckdb", [{"patient_id": "a", "modality": "MR"}])
    rules = write_rules(tmp_path / "r.yaml")
    with pytest.raises(CatalogError, match=r"no case is left: step 1 \(not CT\) took the last 1 patient, .* 1 series"):
        write_catalog_cohort(catalog, rules, tmp_path / "x.csv")
    assert sorted(file.name for file in tmp_path.glob("x*")) == [
        "x-excluded.csv", "x-flow.png", "x-flow.svg", "x-steps.csv",
    ]  # fmt: skip
    (tmp_path / "x.csv").write_text("old")
    with pytest.raises(CatalogError, match=r"x\.csv is of an earlier run"):
        write_catalog_cohort(catalog, rules, tmp_path / "x.csv")
    empty = make_catalog(tmp_path / "e.duckdb", [])
    with pytest.raises(CatalogError, match="the catalog holds no series"):
        write_catalog_cohort(empty, rules, tmp_path / "y.csv")


def test_nothing_is_written_of_cases_that_make_no_table(tmp_path: Path) -> None:
    catalog = make_catalog(tmp_path / "c.duckdb", [{"patient_id": "a"}, {"patient_id": "b"}])
    rules = write_rules(tmp_path / "r.yaml", "title: t\ncase: series.volumes")
    with pytest.raises(ProblemsError, match="'1' stands in row 2 already"):
        write_catalog_cohort(catalog, rules, tmp_path / "x.csv")
    with pytest.raises(CatalogError, match="not where it was scanned"):
        write_catalog_cohort(
            catalog, write_rules(tmp_path / "r.yaml", "title: t"), tmp_path / "x.csv", archive=tmp_path / "gone"
        )
    with pytest.raises(CatalogError, match=r"\.csv or a \.parquet"):
        write_catalog_cohort(catalog, write_rules(tmp_path / "r.yaml", "title: t"), tmp_path / "x.xlsx")
    assert not list(tmp_path.glob("x*"))
