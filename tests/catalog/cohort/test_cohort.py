"""Cohorts from a catalog of made-up rows: every count is one that can be made by hand from the table below."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pydicom
import pytest
import yaml

from hounsfield.catalog.cohort.cohort import Cohort, select_cohort
from hounsfield.catalog.cohort.conditions import Field, compiled
from hounsfield.catalog.cohort.files import write_cohort
from hounsfield.catalog.cohort.rules import read_rules
from hounsfield.catalog.cohort.sheet import Sheet
from hounsfield.catalog.store import CatalogError, open_catalog
from hounsfield.core.errors import HounsfieldError, ProblemsError
from hounsfield.tables.check import check_cases, has_errors
from hounsfield.volume.dicom_write import SeriesHeader, write_ct_series
from hounsfield.volume.volume import Volume

# series, study, patient, modality, spacing, date, contrast label, kernel (a header element), volumes
SERIES = [
    ("s01", "t1", "P1", "CT", 1.0, "20180110", "yes", "B30f", 1),
    ("s02", "t1", "P1", "CT", 2.0, "20180110", "yes", "B70f", 1),
    ("s03", "t2", "P1", "CT", 1.0, "20190110", "no", "B30f", 1),
    ("s04", "t3", "P2", "CT", 2.0, "20180301", "yes", "B30f", 1),
    ("s05", "t3", "P2", "CT", 5.0, "20180301", "yes", "B30f", 1),
    ("s06", "t4", "P3", "CT", 5.0, "20180401", "yes", None, 1),
    ("s07", "t5", "P4", "MR", 1.0, "20180501", "unknown", None, 1),
    ("s08", "t6", "007", "CT", 1.5, "20180601", "yes", "B30f", 1),
    ("s09", "t7", "P6", "CT", None, "20180701", "yes", "B30f", 2),
    ("s10", "t8", None, "CT", 1.0, "20180801", "yes", "B30f", 1),
]
OUTCOMES = pd.DataFrame(
    {
        "patient_id": ["P1", "P2", "P3", "7", "P6", "P9", None],
        "diagnosis": ["cancer", "crypto", "cancer", "crypto", "cancer", "cancer", "crypto"],
        "diameter_mm": [20.0, 16.0, 12.0, 30.0, 25.0, 20.0, 20.0],
        "surgery": ["2018-06-01", "2018-06-01", "2018-06-01", "2018-07-01", "2018-08-01", "2018-06-01", None],
    }
)
RULES = """
title: Thin contrast CT
outcomes: {join: patient, key: patient_id}
steps:
  - {keep: {series.modality: CT}, reason: not CT}
  - {join: true, reason: no pathology, then: Pathology known}
  - {keep: {label.contrast: 'yes'}, reason: no contrast}
  - {drop: {spacing_mm: {above: 2}}, reason: thick slices}
  - {one_per: patient, prefer: [{lowest: spacing_mm}, {latest: study_date}]}
values: {malignant: {1: {diagnosis: cancer}, 0: {diagnosis: crypto}}}
columns: {malignant: value.malignant, kernel: header.ConvolutionKernel, diameter_mm: outcome.diameter_mm}
label: malignant
"""


def fill(path: Path, archive: Path) -> Path:
    with open_catalog(path, write=True) as connection:
        connection.execute("INSERT INTO about VALUES ('archive', ?)", [str(archive)])
        for uid, study, patient, modality, spacing, date, contrast, kernel, volumes in SERIES:
            connection.execute(
                "INSERT INTO series (series_uid, study_uid, patient_id, modality, spacing_mm, study_date, folder, "
                "volumes) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [uid, study, patient, modality, spacing, date, f"site/{uid}", volumes],
            )
            connection.execute("INSERT INTO labels VALUES (?, 'contrast', ?, 'agent')", [uid, contrast])
            # The smaller variant contradicts: what most objects say counts.
            for variant, kernel_said, objects in (("a", "wrong", 1), ("b", kernel, 9)):
                header = {"ConvolutionKernel": kernel_said} if kernel_said else {}
                connection.execute(
                    "INSERT INTO headers VALUES (?, ?, ?, ?)", [uid, variant, json.dumps(header), objects]
                )
            for number in range(2):
                connection.execute(
                    "INSERT INTO objects (sop_uid, series_uid, path, member) VALUES (?, ?, ?, '')",
                    [f"{uid}.{number}", uid, f"site/{uid}/{number}.dcm"],
                )
    return path


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    return fill(tmp_path / "archive.duckdb", tmp_path / "archive")


def select(catalog: Path, rules: str, outcomes: pd.DataFrame | None = OUTCOMES) -> Cohort:
    with open_catalog(catalog) as connection:
        return select_cohort(connection, read_rules(rules), outcomes=None if outcomes is None else Sheet.of(outcomes))


def left(cohort: Cohort) -> list[tuple[str, int, int, int]]:
    return [(step.reason, step.left.patients, step.left.studies, step.left.series) for step in cohort.flow.steps]


def test_steps_are_counted_as_by_hand(catalog: Path) -> None:
    cohort = select(catalog, RULES)
    start = cohort.flow.start
    assert (start.patients, start.studies, start.series) == (6, 8, 10)  # the series without a patient counts as series
    assert left(cohort) == [
        ("not CT", 5, 7, 9),  # s07, the only one of P4
        ("no pathology", 4, 5, 7),  # s08 (007 is not 7) and s10 (no patient)
        ("no contrast", 4, 4, 6),  # s03
        ("thick slices", 3, 3, 4),  # s05, s06; s09 has no spacing and is no proof of thick slices
        ("another series of the same patient was preferred", 3, 3, 3),  # s02
        ("not one volume; keep such series out by a rule, or split them", 2, 2, 2),  # s09
    ]
    assert cohort.cases["series_uid"].tolist() == ["s01", "s04"]
    assert cohort.cases["case_id"].tolist() == ["P1", "P2"]
    assert cohort.cases["malignant"].tolist() == ["1", "0"]
    assert cohort.cases["kernel"].tolist() == ["B30f", "B30f"]
    assert cohort.cases["diameter_mm"].tolist() == [20.0, 16.0]
    assert {name: count.patients for name, count in cohort.flow.classes.items()} == {
        "malignant: 1": 1,
        "malignant: 0": 1,
    }
    assert ["1 series set aside: not one volume" in note for note in cohort.notes] == [True]


def test_every_series_is_in_or_has_one_reason(catalog: Path) -> None:
    cohort = select(catalog, RULES)
    reasons = dict(zip(cohort.excluded["series_uid"], cohort.excluded["reason"], strict=True))
    assert set(reasons) | set(cohort.cases["series_uid"]) == {row[0] for row in SERIES}
    assert reasons["s07"] == "not CT"
    assert reasons["s05"] == reasons["s06"] == "thick slices"
    lost = [step.lost for step in cohort.flow.steps]
    assert sum(one.series for one in lost) == len(reasons) == 8


def test_the_join_lists_both_sides(catalog: Path) -> None:
    cohort = select(catalog, RULES)
    assert cohort.unmatched_rows is not None
    assert cohort.unmatched_series is not None
    rows = {
        row["row"]: (row["key"], row["why"], row["did_you_mean"]) for row in cohort.unmatched_rows.to_dict("records")
    }
    assert set(rows) == {4, 5, 6, 7, 8}
    assert rows[4] == ("P3", "all its series were excluded, the last: thick slices", "")
    assert rows[5] == ("7", "no series of the catalog has this identifier", "007")
    assert rows[6][1].startswith("all its series were excluded, the last: not one volume")
    assert rows[7] == ("P9", "no series of the catalog has this identifier", "")
    assert rows[8] == ("", "the cell of the identifier is empty", "")
    series = cohort.unmatched_series
    assert series["series_uid"].tolist() == ["s08", "s10"]  # s07 was lost before the join and is not listed
    assert series["did_you_mean"].tolist() == ["7", ""]


def test_latest_before_a_date_is_chosen(catalog: Path) -> None:
    rules = """
title: Before surgery
outcomes: {join: patient}
steps:
  - {one_per: patient, prefer: [{latest: study_date}, {having: {header.ConvolutionKernel: B70f}}],
     before: {study_date: outcome.surgery}}
"""
    cohort = select(catalog, rules)
    chosen = dict(zip(cohort.cases["patient_id"], cohort.cases["series_uid"], strict=True))
    # P1: the scan of 2019 comes after surgery; of the two of 2018 the sharp kernel is preferred.
    assert chosen == {"P1": "s02", "P2": "s04", "P3": "s06"}
    assert left(cohort)[1] == ("study date not before surgery", 4, 4, 6)
    bad = OUTCOMES.assign(surgery=["soon", *OUTCOMES["surgery"][1:]])
    with pytest.raises(ProblemsError, match=r"column surgery: 1 cells are no dates \('soon'\).* Correct rows 2,"):
        select(catalog, rules, bad)


def test_whole_patients_and_studies(catalog: Path) -> None:
    step = "title: t\nsteps: [{%s: {spacing_mm: {above: 2}}, reason: thick, whole: %s}]"
    # Thick slices have s05 (t3, P2) and s06 (t4, P3).
    kept = select(catalog, step % ("keep", "patient"), None)
    assert kept.cases["series_uid"].tolist() == ["s04", "s05", "s06"]
    dropped = select(catalog, step % ("drop", "study"), None)
    assert {"s04", "s05", "s06"} & set(dropped.cases["series_uid"]) == set()
    assert left(dropped)[0] == ("thick", 4, 6, 7)


def test_several_rows_of_one_patient(catalog: Path) -> None:
    lesions = pd.DataFrame(
        {"series_uid": ["s01", "s01", "s04"], "nodule": ["1_a", "1_b", "2_a"], "centre_x_mm": [1.0, 2.0, 3.0]}
    ).assign(centre_y_mm=0.0, centre_z_mm=0.0)
    rules = """
title: Nodules
outcomes: {join: series, rows: %s}
columns: {centre_x_mm: outcome.centre_x_mm, centre_y_mm: outcome.centre_y_mm, centre_z_mm: outcome.centre_z_mm}
case: outcome.nodule
"""
    cohort = select(catalog, rules % "several", lesions)
    assert cohort.cases["case_id"].tolist() == ["1_a", "1_b", "2_a"]
    assert cohort.cases["centre_x_mm"].tolist() == [1.0, 2.0, 3.0]
    assert (cohort.flow.end.patients, cohort.flow.end.series, cohort.flow.end.cases) == (2, 2, 3)
    with pytest.raises(CatalogError, match=r"1 identifier\(s\) in column 'series_uid' .* several rows \(2 and 3\)"):
        select(catalog, rules % "one", lesions)
    # One series a lesion, when the spreadsheet is about patients.
    per_patient = lesions.assign(patient_id=["P1", "P1", "P2"]).drop(columns="series_uid")
    text = (rules % "several").replace(
        "join: series", "join: patient"
    ) + "steps: [{one_per: row, prefer: [{lowest: spacing_mm}]}]"
    assert select(catalog, text, per_patient).cases["series_uid"].tolist() == ["s01", "s01", "s04"]


def test_match_of_further_columns(catalog: Path) -> None:
    sheet = pd.DataFrame({"study_uid": ["t1", "t1", "t2"], "kernel": ["B30F", "B70f", "B70f"], "grade": [1, 2, 3]})
    rules = """
title: By study and kernel
outcomes: {join: study, match: {kernel: header.ConvolutionKernel}}
columns: {grade: grade}
"""
    cohort = select(catalog, rules, sheet)
    assert dict(zip(cohort.cases["series_uid"], cohort.cases["grade"], strict=True)) == {"s01": 1, "s02": 2}
    assert cohort.unmatched_rows is not None
    assert cohort.unmatched_rows["why"].tolist() == [
        "the catalog has the identifier, but the other columns of the match don't agree"
    ]


def test_the_table_passes_the_check(catalog: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for number, name in enumerate(("s01", "s04")):
        array = rng.integers(-1000, 400, (4, 8, 8)).astype(np.int16)
        folder = tmp_path / "archive" / "site" / name
        header = SeriesHeader(patient_id=name, seed=number)
        files = write_ct_series(Volume(array, (1.0, 0.7, 0.7)), folder, header=header)
        uid = str(pydicom.dcmread(files[0], stop_before_pixels=True).SeriesInstanceUID)
        with open_catalog(catalog, write=True) as connection:
            for table in ("series", "labels", "headers", "objects"):
                connection.execute(f"UPDATE {table} SET series_uid = ? WHERE series_uid = ?", [uid, name])
    cohort = select(catalog, RULES)
    files = write_cohort(cohort, tmp_path / "out" / "cases.csv")
    assert [file.name for file in files] == [
        "cases-steps.csv", "cases-excluded.csv", "cases-unmatched-rows.csv", "cases-unmatched-series.csv", "cases.csv",
    ]  # fmt: skip
    found = check_cases(tmp_path / "out" / "cases.csv", workers=1)
    assert not has_errors(found), found
    images = pd.read_csv(tmp_path / "out" / "cases.csv")["image"].tolist()
    assert images == ["../archive/site/s01", "../archive/site/s04"]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("{x: abc}", "ABC"),
        ("{x: [abc, '5']}", "ABC 5"),
        ("{x: 5}", "5 5.0"),
        ("{x: '007'}", "007"),
        ("{x: 7}", "007"),
        ("{x: {above: 4, at_most: 5}}", "5 5.0"),
        ("{x: {below: 7}}", "5 5.0"),  # text is no number, so it is not below one
        ("{x: {matches: '^a'}}", "ABC"),
        ("{x: {missing: true}}", "None blank"),
        ("{x: no}", "no"),
        ("{not: {x: abc}}", "007 5 5.0 None blank no"),
        ("{any: [{x: abc}, {x: {missing: true}}]}", "ABC None blank"),
        ("{all: [{x: {missing: false}}, {not: {x: {matches: '[0-9]'}}}]}", "ABC no"),
    ],
)
def test_conditions_on_a_column(condition: str, expected: str) -> None:
    values = ["ABC", "007", "5", "5.0", None, " ", "no"]
    names = ["ABC", "007", "5", "5.0", "None", "blank", "no"]
    connection = duckdb.connect()
    connection.execute("CREATE TABLE t (id INTEGER, x VARCHAR)")
    connection.executemany("INSERT INTO t VALUES (?, ?)", list(enumerate(values)))
    sql = compiled(yaml.safe_load(condition), lambda name: Field(name))
    found = connection.execute(f"SELECT id FROM t WHERE {sql.text} ORDER BY id", list(sql.values)).fetchall()
    wanted = set(expected.split())
    assert {names[i] for (i,) in found} == wanted
    both = connection.execute(f"SELECT count(*) FROM t WHERE ({sql.text}) IS NULL", list(sql.values)).fetchone()
    assert both == (0,)  # true or false, never unknown


HOSTILE = ["'; DROP TABLE series; --", "x') OR 1=1 --", '"; DELETE FROM labels; --', "$1", "?", "\\", "%"]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_of_the_rules_becomes_sql(catalog: Path, text: str) -> None:
    quoted = json.dumps(text)
    for rules in (
        f"title: t\nsteps: [{{keep: {{series.modality: {quoted}}}, reason: {quoted}}}]",
        f"title: t\nvalues: {{a: {{{quoted}: {{series.modality: CT}}}}}}\ncolumns: {{{quoted}: value.a}}",
        f"title: t\nsteps: [{{keep: {{{quoted}: CT}}, reason: r}}]",
        f"title: t\nsteps: [{{keep: {{{json.dumps('header.' + text)}: CT}}, reason: r}}]",
        f"title: t\nsteps: [{{keep: {{{json.dumps('label.' + text)}: CT}}, reason: r}}]",
        f"title: t\nsteps: [{{one_per: patient, prefer: [{{lowest: {quoted}}}]}}]",
    ):
        try:
            cohort = select(catalog, rules, None)
        except HounsfieldError:
            continue
        assert len(cohort.excluded) in (2, 10)  # all (none has this modality), or the two that can't be read
    sheet = pd.DataFrame({"patient_id": ["P1", text], text: ["a", "b"]})
    cohort = select(
        catalog, f"title: t\noutcomes: {{join: patient}}\ncolumns: {{c: {json.dumps('outcome.' + text)}}}", sheet
    )
    assert set(cohort.cases["c"]) == {"a"}
    with open_catalog(catalog) as connection:
        assert connection.execute("SELECT count(*) FROM series").fetchone() == (10,)
        assert connection.execute("SELECT count(*) FROM labels").fetchone() == (10,)


def test_a_label_with_a_quotation_mark(catalog: Path) -> None:
    with open_catalog(catalog, write=True) as connection:
        connection.execute("INSERT INTO labels VALUES ('s01', 'it''s', 'so', 'r')")
    cohort = select(catalog, 'title: t\nsteps: [{keep: {"label.it\'s": so}, reason: r}]', None)
    assert cohort.cases["series_uid"].tolist() == ["s01"]


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ("title: t\nsteps: [{keep: {spacin_mm: 1}, reason: r}]", "Did you mean 'spacing_mm'"),
        ("title: t\nsteps: [{keep: {label.contrst: 1}, reason: r}]", "Did you mean 'contrast'"),
        ("title: t\nsteps: [{keep: {modality: {is: CT}}, reason: r}]", "no test 'is'"),
        ("title: t\nsteps: [{keep: {modality: {matches: '('}}, reason: r}]", "no regular expression"),
        ("title: t\nsteps: [{keep: {modality: CT}}]", "say the reason"),
        ("title: t\nsteps: [{keep: {modality: CT}, drop: {modality: CT}, reason: r}]", "exactly one of"),
        ("title: t\nsteps: [{kep: {modality: CT}, reason: r}]", "Did you mean 'keep'"),
        ("title: t\nsteps: [{keep: {outcome.x: CT}, reason: r}]", "none was given"),
        ("title: t\ncolumns: {patient_id: series.patient_id}", "filled by themselves"),
        ("title: t\nlabel: malignant", "none of the columns"),
        ("title: t\nvalues: {a: {yes: {modality: CT}}}", "quotation marks"),
        ("title: t\nvalues: {a: {x: {value.b: y}}, b: {y: {value.a: x}}}\ncolumns: {a: value.a}", "made from itself"),
        ("title: t\noutcomes: {join: patient}", "need the spreadsheet"),
        ("title: t\nsteps: [{one_per: row}]", "a row of the spreadsheet"),
        ("title: [", "no valid YAML"),
        ("- a", "hold no keys"),
    ],
)
def test_mistakes_are_named(catalog: Path, rules: str, words: str) -> None:
    with pytest.raises((CatalogError, ProblemsError), match=words):
        select(catalog, rules, None)


def test_all_mistakes_are_named_at_once(catalog: Path) -> None:
    rules = "title: t\nsteps: [{keep: {nothing: 1}, reason: r}, {drop: {none: 1}, reason: r}]\nsite: nowhere"
    with pytest.raises(ProblemsError, match=r"3 place(.|\n)*step 1(.|\n)*step 2(.|\n)*site"):
        select(catalog, rules, None)


def test_an_ambiguous_name_is_refused(catalog: Path) -> None:
    with open_catalog(catalog, write=True) as connection:
        connection.execute("INSERT INTO labels VALUES ('s01', 'modality', 'CT', 'r')")
    with pytest.raises(ProblemsError, match=r"write series\.modality or label\.modality"):
        select(catalog, "title: t\nsteps: [{keep: {modality: CT}, reason: r}]", None)


def test_archives_and_scattered_files(catalog: Path) -> None:
    with open_catalog(catalog, write=True) as connection:
        connection.execute("UPDATE objects SET member = 'a.dcm' WHERE series_uid = 's04'")
        connection.execute("UPDATE objects SET path = 'site/s01/b/1.dcm' WHERE sop_uid = 's01.1'")
        connection.execute("UPDATE objects SET path = 'site/s01/a/0.dcm' WHERE sop_uid = 's01.0'")
    cohort = select(catalog, "title: t", None)
    images = dict(zip(cohort.cases["series_uid"], cohort.cases["image"], strict=True))
    assert images["s01"] == "site/s01"
    assert images["s02"] == "site/s02"
    assert "s04" not in images
    assert [step.reason for step in cohort.flow.steps] == [
        "no patient ID in the header",
        "inside a zip or tar file; unpack it to use it",
        "not one volume; keep such series out by a rule, or split them",
    ]


def test_no_case_left_writes_the_lists_alone(catalog: Path, tmp_path: Path) -> None:
    cohort = select(catalog, "title: t\nsteps: [{keep: {modality: US}, reason: no ultrasound}]", None)
    assert cohort.flow.emptied() == "step 1 (no ultrasound) took the last 6 patients, 8 studies, 10 series"
    (tmp_path / "cases-unmatched-rows.csv").write_text("of an earlier run")
    assert [file.name for file in write_cohort(cohort, tmp_path / "cases.csv")] == [
        "cases-steps.csv",
        "cases-excluded.csv",
    ]
    assert not (tmp_path / "cases.csv").exists()
    assert not (tmp_path / "cases-unmatched-rows.csv").exists()
    steps = pd.read_csv(tmp_path / "cases-steps.csv")
    assert steps["series_left"].tolist() == [10, 0]
    assert steps["reason"].tolist() == ["Catalog", "no ultrasound"]


def test_the_order_of_rows_does_not_matter(tmp_path: Path) -> None:
    first = select(fill(tmp_path / "a.duckdb", tmp_path), RULES)
    shuffled = [SERIES[i] for i in np.random.default_rng(0).permutation(len(SERIES))]
    original = SERIES[:]
    SERIES[:] = shuffled
    try:
        second = select(fill(tmp_path / "b.duckdb", tmp_path), RULES, OUTCOMES.sample(frac=1, random_state=1))
    finally:
        SERIES[:] = original
    pd.testing.assert_frame_equal(first.cases, second.cases)
    assert first.flow == second.flow
