"""Groups and the table of the cohort: thirds, classes in their order, patients in two groups, other targets' cases."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hounsfield.report.cohort_table import cohort_section, cohort_table
from hounsfield.report.content import ArmInfo, ReportContent
from hounsfield.report.evaluate import evaluate
from hounsfield.report.subgroups import subgroups

ARMS = (ArmInfo("net", "Network"),)
TARGETS = {"malignancy": ("benign", "malignant")}
COUNT = 60
LABEL = np.arange(COUNT) % 2
NAMES = [f"c{k:04d}" for k in range(COUNT)]


def groups_of(make_rows, values, *, patients=None, targets=TARGETS, more=(), **settings) -> pd.DataFrame:
    score = np.clip(0.3 + 0.3 * LABEL + np.random.default_rng(1).normal(0, 0.2, COUNT), 0, 1)
    table = pd.concat([make_rows("net", LABEL, score, patients=patients), *more], ignore_index=True)
    cohort = pd.DataFrame({"case_id": NAMES, "by": values})
    content = ReportContent("T", "Q", "", targets, ARMS, table, cohort=cohort, subgroups=("by",), **settings)
    return subgroups(content, evaluate(table, targets, arms=ARMS, seed=1, resamples=100))


def test_slice_thicknesses_are_classes_in_the_order_of_their_size(make_rows):
    values = np.where(np.arange(COUNT) < 20, 10.0, np.where(np.arange(COUNT) < 40, 1.25, 2.0))
    assert groups_of(make_rows, values)["group"].tolist() == ["1.25", "2", "10"]


def test_six_values_and_more_are_cut_into_thirds(make_rows):
    found = groups_of(make_rows, np.arange(COUNT) / 2)
    # Thirds of 0, 0.5, ..., 29.5: the quantiles lie at 59/6 and 59/3.
    assert found["group"].tolist() == ["up to 9.833", "9.833 to 19.67", "above 19.67"]
    assert found["cases"].tolist() == [20, 20, 20]


def test_a_third_that_ties_leave_empty_is_no_group(make_rows):
    values = np.where(np.arange(COUNT) < 50, 1.0, np.arange(COUNT))
    assert groups_of(make_rows, values)["cases"].tolist() == [50, 10]


def test_no_test_where_a_patient_stands_in_two_groups(make_rows):
    vendor = np.where(np.arange(COUNT) < 30, "A", "B")
    assert groups_of(make_rows, vendor)["p"].notna().all()
    shared = [f"p{k % 59:02d}" for k in range(COUNT)]  # the last case is of the first patient
    assert groups_of(make_rows, vendor, patients=shared)["p"].isna().all()


def test_a_target_of_patients_takes_the_covariates_of_patients(make_rows):
    patients = make_rows("net", LABEL, 0.2 + 0.5 * LABEL, target="of the patient")
    targets = {**TARGETS, "of the patient": TARGETS["malignancy"]}
    other = pd.DataFrame({"case_id": NAMES, "by": ["x"] * 30 + ["y"] * 30})
    found = groups_of(
        make_rows, ["A"] * COUNT, targets=targets, more=[patients], cohorts={"of the patient": other}
    ).groupby("target")["group"]
    assert found.apply(list).to_dict() == {"malignancy": ["A"], "of the patient": ["x", "y"]}


def test_what_is_known_of_no_case_of_a_target_is_left_out(make_rows):
    assert groups_of(make_rows, [None] * COUNT).empty


def test_the_whole_cohort_counts_in_its_table_and_not_the_test_part_alone(make_rows):
    cohort = pd.DataFrame(
        {
            "case_id": ["b", "a", "c", "d"],
            "patient_id": ["one", "one", "two", "three"],
            "label": ["benign", "malignant", "malignant", None],  # of the first target; three belongs to none
            "grade": [2.0, 10.0, 2.0, 2.0],
        }
    )
    rows = make_rows("net", [0, 1], [0.1, 0.9])
    content = ReportContent("T", "Q", "", TARGETS, ARMS, rows, cohort=cohort, whole_cohort=True)
    table = cohort_table(content)
    counts = table[table["characteristic"] == "patients"].set_index("group")["n"]
    assert counts.to_dict() == {"all": 2, "benign": 0, "malignant": 2}  # one by the first of its cases, a
    grades = table[(table["characteristic"] == "grade") & (table["group"] == "all")]
    assert dict(zip(grades["kind"], grades["n"], strict=True)) == {"2": 1, "10": 1}
    assert grades["kind"].tolist() == ["2", "10"]
    assert "All patients of the study" in cohort_section(table, whole=True)["note"]


def test_a_column_that_is_not_there_is_named(make_rows):
    with pytest.raises(Exception, match="no column 'bye'.*Did you mean 'by'"):
        ReportContent(
            "T", "Q", "", TARGETS, ARMS, make_rows("net", [0, 1], [0.1, 0.9]),
            cohort=pd.DataFrame({"case_id": NAMES, "by": 1}), subgroups=("bye",),
        )  # fmt: skip
