"""Who the cases of a run are: columns for the table of the cohort and the subgroups, of cases and of patients."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from hounsfield.core.errors import ProblemsError
from hounsfield.core.progress import silent
from hounsfield.infer.inputs import Gathered
from hounsfield.studies.cohort import make_cohort
from hounsfield.studies.covariates import case_covariates, patient_covariates, subgroup_columns
from hounsfield.studies.folder import difference
from hounsfield.studies.load import dump, load
from hounsfield.tables.cases import Case


def study_of(tmp_path, tiny_study: str, more: str):
    file = tmp_path / "study.yaml"
    file.write_text(f"{tiny_study}{more}\n")
    return load(str(file))


def cohort_of(cells: list[dict[str, object]], *, patients: str, lungs: list[float] | None = None) -> SimpleNamespace:
    cases = tuple(
        Case(f"c{k}", f"p{patient}", image=None, site=f"site {k % 2}", values=values)  # type: ignore[arg-type]
        for k, (values, patient) in enumerate(zip(cells, patients, strict=True))
    )
    features = pd.DataFrame(
        {"case_id": [one.case_id for one in cases], "volume_mm3": 1500.0, "diameter_mm": np.arange(len(cases)) + 5.0}
    )
    table = {} if lungs is None else {"lungs_ml": np.array(lungs)}
    extra = Gathered(tuple(one.case_id for one in cases), table)
    labels = {"large": np.array([0, 1, -1, 1])[: len(cases)]}
    return SimpleNamespace(cases=cases, prepared=SimpleNamespace(features=features), extra=extra, labels=labels)


CELLS = [
    {"age": 50, "sex": " m ", "vendor": "A", "mm": 1.0, "empty": None},
    {"age": None, "sex": "F", "vendor": "B", "mm": 2, "empty": None},
    {"age": 61, "sex": "?", "vendor": "A", "mm": 1.25, "empty": None},
    {"age": 61, "sex": "f", "vendor": None, "mm": 1.25, "empty": None},
]
KEYS = "subgroups: [vendor, mm, site, size, empty]\ninputs: {covariates: {age: [], sex: [F, M]}}"


def test_columns_of_cases(tmp_path, tiny_study):
    study = study_of(tmp_path, tiny_study, KEYS)
    cohort = cohort_of(CELLS, patients="1123", lungs=[4000.0, 4100.0, 3000.0, 3500.0])
    frame = case_covariates(study, cohort)
    measured = ["lesion volume, ml", "lesion diameter, mm", "lung volume, ml"]
    assert list(frame) == ["case_id", "patient_id", "label", "age", "sex", "vendor", "mm", "site", *measured]
    assert frame["label"].fillna("none").tolist() == ["small", "large", "none", "large"]
    np.testing.assert_array_equal(frame["age"], [50, np.nan, 61, 61])
    assert frame["sex"].tolist() == ["M", "F", "?", "F"]  # spelt as the study spells them; what is neither stays
    assert frame["mm"].tolist() == [1.0, 2.0, 1.25, 1.25]
    assert frame["vendor"].fillna("").tolist() == ["A", "B", "A", ""]
    assert frame["lesion volume, ml"].tolist() == [1.5] * 4
    assert subgroup_columns(study, cohort, frame) == ("vendor", "mm", "site", "lesion diameter, mm")


def test_columns_of_patients(tmp_path, tiny_study):
    study = study_of(tmp_path, tiny_study, KEYS)
    patients = patient_covariates(case_covariates(study, cohort_of(CELLS, patients="1123"))).set_index("case_id")
    assert patients.index.tolist() == ["p1", "p2", "p3"]
    assert pd.isna(patients.loc["p1", "vendor"])  # two scans of two vendors
    assert patients.loc["p1", "lesion diameter, mm"] == 6.0  # the larger of 5 and 6
    assert patients.loc["p1", "age"] == 50  # known of one of the two
    assert patients.loc["p2", "vendor"] == "A"


def test_columns_that_are_named_like_the_tables_own(tmp_path, tiny_study):
    study = study_of(tmp_path, tiny_study, "subgroups: [label, size]")
    cohort = cohort_of([{"label": "x", "size": "big"}, {"label": "y", "size": "small"}], patients="12")
    frame = case_covariates(study, cohort)
    assert frame["label"].tolist() == ["small", "large"]
    assert frame["column label"].tolist() == ["x", "y"]
    assert subgroup_columns(study, cohort, frame) == ("column label", "size")  # the user's own size goes first


def test_an_unknown_subgroup_is_named_before_any_work(tmp_path, tiny_study, finished_run):
    study = study_of(tmp_path, tiny_study, "subgroups: [margn, size]")
    with pytest.raises(ProblemsError, match="subgroups: margn.*Did you mean 'margin'") as caught:
        make_cohort(study, finished_run.cases, tmp_path / "cache", progress=silent)
    assert "size" not in str(caught.value).replace("subgroups=", "")
    assert not (tmp_path / "cache").exists()


def test_subgroups_show_in_the_report_alone(tmp_path, tiny_study):
    without = load(str(_written(tmp_path / "a.yaml", tiny_study)))
    assert "subgroups" not in dump(without)  # a run begun before the key existed goes on
    with_them = study_of(tmp_path, tiny_study, "subgroups: [margin]")
    assert "subgroups" in dump(with_them)
    assert difference(dump(without), dump(with_them)) == ""


def _written(path, text):
    path.write_text(text)
    return path
