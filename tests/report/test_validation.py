"""The table of validation parts: AUCs counted by hand, their mean and SD, and what is pooled and what is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hounsfield.report.content import Anchor, ArmInfo, ReportContent
from hounsfield.report.evaluate import evaluate
from hounsfield.report.tables import anchor_rows
from hounsfield.report.validation import FOLD, MEAN, POOLED, validation_section, validation_table
from hounsfield.report.write import write_report
from hounsfield.stats.auc import auc

TARGETS = {"malignancy": ("benign", "malignant")}
ARMS = (ArmInfo("net", "Network"), ArmInfo("size", "Size", trivial=True))
TRUTH = [1, 1, 0, 0]
# Of the four pairs of malignant and benign: fold 0 all in order, fold 1 three of them, fold 2 one of them.
SCORES = ([0.9, 0.8, 0.2, 0.1], [0.6, 0.3, 0.4, 0.2], [0.5, 0.1, 0.6, 0.4])


def validated(make_rows, fold: int, *, arm: str = "net", label=TRUTH, prob=None, **more: object) -> pd.DataFrame:
    """One fold's validation rows, of cases that no other fold validates."""
    settings = {"split": "validation", "fold": fold, "prefix": f"v{fold}-", **more}
    return make_rows(arm, label, SCORES[fold] if prob is None else prob, **settings)


def content(*tables: pd.DataFrame, **more: object) -> ReportContent:
    settings: dict[str, object] = {"targets": TARGETS, "arms": ARMS, **more}
    return ReportContent("T", "Q", "", predictions=pd.concat(tables, ignore_index=True), **settings)  # type: ignore[arg-type]


def table_of(content: ReportContent) -> pd.DataFrame:
    return validation_table(content, seed=1, resamples=200)


def values(table: pd.DataFrame, of: str) -> list[float]:
    return list(table.loc[table["of"] == of, "value"])


def nested(make_rows, **more: object) -> list[pd.DataFrame]:
    """Three folds of four cases, and a test part that they share."""
    folds = [validated(make_rows, fold, **more) for fold in range(3)]
    return [*folds, make_rows(more.get("arm", "net"), TRUTH, [0.7, 0.6, 0.4, 0.3], seed=more.get("seed", 0))]


def test_folds_mean_sd_and_pooled_by_hand(make_rows):
    table = table_of(content(*nested(make_rows)))
    assert values(table, FOLD) == pytest.approx([1, 3 / 4, 1 / 4])
    assert list(table.loc[table["of"] == FOLD, "n"]) == [4, 4, 4]
    mean = table[table["of"] == MEAN].iloc[0]
    # (1 + .75 + .25) / 3, and sqrt(((1/3)^2 + (1/12)^2 + (5/12)^2) / 2)
    assert (mean["value"], mean["sd"]) == pytest.approx((2 / 3, np.sqrt((16 + 1 + 25) / 144 / 2)))
    # Malignant .9 .8 .6 .5 .3 .1 against benign .6 .4 .4 .2 .2 .1: 6 + 6 + 5.5 + 5 + 3 + 0.5 of 36 pairs.
    pooled = table[table["of"] == POOLED].iloc[0]
    assert pooled["value"] == pytest.approx(26 / 36)
    assert pooled["method"].startswith("DeLong")
    assert (pooled["n"], pooled["unit"]) == (12, "cases")


def test_the_pooled_interval_is_by_patients(make_rows):
    patients = ["a", "a", "b", "b"]
    folds = [validated(make_rows, fold, patients=[f"{name}{fold}" for name in patients]) for fold in range(3)]
    table = table_of(content(*folds, make_rows("net", TRUTH, [0.7, 0.6, 0.4, 0.3])))
    pooled = table[table["of"] == POOLED].iloc[0]
    assert (pooled["n"], pooled["unit"]) == (6, "patients")
    assert pooled["method"].startswith("patient bootstrap")


def test_seeds_count_as_models_and_their_pooled_areas_are_averaged(make_rows):
    # The second seed turns every ranking round: its areas are one minus the first's.
    turned = [validated(make_rows, fold, prob=[1 - one for one in SCORES[fold]], seed=1) for fold in range(3)]
    test = make_rows("net", TRUTH, [0.7, 0.6, 0.4, 0.3], seed=1)
    table = table_of(content(*nested(make_rows), *turned, test))
    assert values(table, FOLD) == pytest.approx([1, 3 / 4, 1 / 4, 0, 1 / 4, 3 / 4])
    mean = table[table["of"] == MEAN].iloc[0]
    assert (mean["value"], mean["sd"]) == pytest.approx((0.5, np.std([1, 0.75, 0.25, 0, 0.25, 0.75], ddof=1)))
    assert mean["models"] == 6
    assert values(table, POOLED) == pytest.approx([0.5])
    section = validation_section(content(*nested(make_rows), *turned, test), table)
    assert section["models"] == "3 folds × 2 seeds"


def test_a_k_fold_has_folds_and_nothing_pooled(make_rows):
    # Each fold has its own test part, and other folds may have validated the same cases.
    tests = make_rows("net", TRUTH * 3, [0.9, 0.8, 0.2, 0.1] * 3, fold=np.repeat(range(3), 4), prefix="t")
    again = [validated(make_rows, fold, prefix="v") for fold in range(3)]
    for folds in (again, [validated(make_rows, fold) for fold in range(3)]):
        table = table_of(content(*folds, tests))
        assert values(table, FOLD) == pytest.approx([1, 3 / 4, 1 / 4])
        assert values(table, POOLED) == []
    assert not validation_section(content(*again, tests), table)["pooled"]


def test_cases_validated_twice_are_not_pooled(make_rows):
    again = [validated(make_rows, fold, prefix="v") for fold in range(3)]
    table = table_of(content(*again, make_rows("net", TRUTH, [0.7, 0.6, 0.4, 0.3])))
    assert len(table) == 4
    assert values(table, POOLED) == []


def test_one_fold_has_no_table(make_rows):
    tables = [validated(make_rows, 0), make_rows("net", TRUTH, [0.7, 0.6, 0.4, 0.3])]
    assert table_of(content(*tables)).empty
    assert table_of(content(tables[1])).empty
    # Repetitions of a hold-out are no folds.
    more = [table.assign(repetition=1, case_id="x" + table["case_id"]) for table in tables]
    assert table_of(content(*tables, *more)).empty


def test_a_fold_of_one_class_is_left_out_of_the_mean_and_said(make_rows):
    folds = [validated(make_rows, 0), validated(make_rows, 1), validated(make_rows, 2, label=[0, 0, 0, 0])]
    whole = content(*folds, make_rows("net", TRUTH, [0.7, 0.6, 0.4, 0.3]))
    table = table_of(whole)
    mean = table[table["of"] == MEAN].iloc[0]
    assert (mean["value"], mean["n"]) == (pytest.approx(7 / 8), 2)
    row = validation_section(whole, table)["rows"][0]
    assert row["each"] == "1.000, 0.750, –"
    assert row["mean"]["under"] == "of 2 models; the others' parts lack a class"


def test_more_than_six_models_stand_as_a_range(make_rows):
    folds = [validated(make_rows, fold % 3).assign(fold=fold) for fold in range(7)]
    folds = [table.assign(case_id=f"f{k}" + table["case_id"]) for k, table in enumerate(folds)]
    whole = content(*folds, make_rows("net", TRUTH, [0.7, 0.6, 0.4, 0.3]))
    section = validation_section(whole, table_of(whole))
    assert section["rows"][0]["each"] == "0.250 to 1.000"
    assert section["models"] == "7 folds"


def test_three_classes_have_the_mean_of_each_against_the_rest():
    rng = np.random.default_rng(2)
    classes, label = ("a", "b", "c"), np.tile([0, 1, 2], 8)
    prob = rng.dirichlet([1, 1, 1], 24)
    fixed = {"arm": "net", "repetition": 0, "seed": 0, "target": "kind", "label": [classes[k] for k in label]}
    names = {"case_id": [f"c{k}" for k in range(24)], "patient_id": [f"p{k}" for k in range(24)]}
    probs = {f"prob_{name}": prob[:, k] for k, name in enumerate(classes)}
    fold = np.repeat([0, 1, 0], [9, 9, 6])
    split = np.repeat(["validation", "test"], [18, 6])
    rows = pd.DataFrame({**names, **fixed, "fold": fold, "split": split, **probs})
    table = table_of(content(rows, targets={"kind": classes}))
    first = slice(0, 9)
    expected = np.mean([auc(label[first] == k, prob[first, k]) for k in range(3)])
    assert values(table, FOLD)[0] == pytest.approx(expected)
    assert values(table, POOLED) == pytest.approx([np.mean([auc(label[:18] == k, prob[:18, k]) for k in range(3)])])


def test_the_page_shows_it_low_with_the_papers_numbers(make_rows, tmp_path: Path):
    anchors = (
        Anchor("malignancy", "net", "validation_auc", 0.88, 0.01, "five folds"),
        Anchor("malignancy", "net", "auc", 0.83, None, "test part"),
    )
    whole = content(*nested(make_rows), *nested(make_rows, arm="size"), anchors=anchors)
    text = write_report(whole, tmp_path, seed=1, resamples=100).read_text(encoding="utf-8")
    place = text.index('<section id="validation">')
    assert text.index('id="headline"') < text.index('id="target-1"') < place < text.index('id="seeds"')
    section = text[place : text.index("</section>", place)]
    for words in ("0.667 ± 0.382", "0.880 ± 0.010", "five folds", "AUC of each: 3 folds", "are not the result"):
        assert words in section, words
    assert '<a href="#validation">' in text
    assert len(pd.read_parquet(tmp_path / "validation.parquet")) == len(pd.read_csv(tmp_path / "validation.csv")) == 10
    # The other table of printed numbers sets them beside test parts, where this one does not belong.
    found = evaluate(whole.predictions, TARGETS, arms=ARMS, seed=1, resamples=100)
    assert [row["printed"] for row in anchor_rows(whole, found)] == ["0.830"]


def test_a_table_of_an_earlier_report_does_not_stay(make_rows, tmp_path: Path):
    write_report(content(*nested(make_rows)), tmp_path, seed=1, resamples=100)
    assert (tmp_path / "validation.csv").is_file()
    page = write_report(content(make_rows("net", TRUTH, [0.7, 0.6, 0.4, 0.3])), tmp_path, seed=1, resamples=100)
    assert not list(tmp_path.glob("validation.*"))
    assert 'id="validation"' not in page.read_text(encoding="utf-8")
