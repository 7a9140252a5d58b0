"""Readers beside the model: areas as scikit-learn has them, calls by hand, agreement as published, every refusal."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from statsmodels.stats.inter_rater import aggregate_raters
from statsmodels.stats.inter_rater import fleiss_kappa as their_fleiss
from statsmodels.stats.multitest import multipletests

from hounsfield.core.errors import TableError
from hounsfield.report.extra import Extra
from hounsfield.report.reading import EVERYONE, MEAN, ReadingResult, evaluate_readings
from hounsfield.report.reading_section import readers_picture, reading_section
from hounsfield.report.repeats import Repeat, repeats_of
from hounsfield.stats.mrmc import reader_study

CLASSES = ("benign", "malignant")
CASES = 60
LABEL = np.arange(CASES) % 2
READERS, WAYS = ("Ann", "Bob", "Cem"), ("alone", "with model")


def repeats(make_rows, arms=("net",), label=LABEL, seeds=1, **more) -> dict[str, list[Repeat]]:
    rng = np.random.default_rng(8)
    parts = [
        make_rows(arm, label, np.clip(0.5 + 0.2 * (2 * label - 1) + rng.normal(0, 0.3, len(label)), 0, 1), seed=seed)
        for arm in arms
        for seed in range(seeds)
    ]
    return repeats_of(pd.concat(parts).assign(**more), "malignancy", CLASSES)


@pytest.fixture(scope="module")
def ratings() -> pd.DataFrame:
    """Three readers, two ways, five grades; a call is a grade of four or more."""
    rng = np.random.default_rng(2)
    rows = []
    for who in READERS:
        for way, signal in zip(WAYS, (0.6, 1.1), strict=True):
            grade = np.clip(np.round(3 + signal * (2 * LABEL - 1) + rng.normal(0, 1, CASES)), 1, 5).astype(int)
            rows += [(f"c{k:04d}", who, way, grade[k], int(grade[k] >= 4)) for k in range(CASES)]
    return pd.DataFrame(rows, columns=["case_id", "reader", "modality", "rating", "call"])


@pytest.fixture(scope="module")
def result(ratings, make_rows) -> ReadingResult:
    return evaluate_readings(ratings, repeats(make_rows, ("net", "<b>other</b>")), seed=3, resamples=300)


def value(result: ReadingResult, who: str, way: str, metric: str = "AUC") -> float:
    table = result.metrics
    rows = table[(table["who"] == who) & (table["modality"] == way) & (table["metric"] == metric)]
    return float(rows["value"].item())


def graded(ratings: pd.DataFrame, who: str, way: str, column: str = "rating") -> np.ndarray:
    rows = ratings[(ratings["reader"] == who) & (ratings["modality"] == way)].set_index("case_id")
    return rows.loc[[f"c{k:04d}" for k in range(CASES)], column].to_numpy(float)


def test_areas_equal_scikit_learn_and_their_mean_is_plain(result, ratings, make_rows) -> None:
    assert (result.cases, result.test) == (CASES, CASES)
    for way in WAYS:
        areas = [roc_auc_score(LABEL, graded(ratings, who, way)) for who in READERS]
        for who, area in zip(READERS, areas, strict=True):
            assert value(result, who, way) == pytest.approx(area)
        assert value(result, MEAN, way) == pytest.approx(np.mean(areas))
    for arm, (one,) in repeats(make_rows, ("net", "<b>other</b>")).items():
        assert value(result, arm, "") == pytest.approx(roc_auc_score(LABEL, one.prob[:, 1]))


def test_ways_of_reading_are_compared_as_the_reader_study_does(result, ratings) -> None:
    scores = [[graded(ratings, who, way) for who in READERS] for way in WAYS]
    (theirs,) = reader_study(LABEL, scores).differences
    row = result.comparisons.iloc[0]
    assert (row["first"], row["second"]) == ("mean of readers, alone", "mean of readers, with model")
    assert row["difference"] == pytest.approx(float(theirs.difference))
    assert (row["low"], row["high"]) == pytest.approx((theirs.difference.low, theirs.difference.high))
    assert row["p"] == pytest.approx(theirs.p)


def test_the_model_against_the_mean_of_the_readers(result) -> None:
    rows = result.comparisons.set_index(["first", "second"])
    assert len(rows) == 1 + 2 * 2
    for arm in ("net", "<b>other</b>"):
        for way in WAYS:
            row = rows.loc[(arm, f"{MEAN}, {way}")]
            assert row["difference"] == pytest.approx(value(result, arm, "") - value(result, MEAN, way))
            assert row["low"] < row["difference"] < row["high"]
    assert rows["p_holm"].tolist() == pytest.approx(multipletests(rows["p"], method="holm")[1])


def test_calls_by_hand(make_rows) -> None:
    """Malignant c1 c3 c5, benign c0 c2 c4. Ann calls c1 c3 c0: 2 of 3 and 2 of 3; Bob calls all: 3 of 3 and 0 of 3."""
    rows = [(f"c{k:04d}", "Ann", k % 2 + k / 10, int(k in (0, 1, 3))) for k in range(6)]
    rows += [(f"c{k:04d}", "Bob", 1.0, 1) for k in range(6)]
    table = pd.DataFrame(rows, columns=["case_id", "reader", "rating", "call"]).assign(modality="alone")
    found = evaluate_readings(table, repeats(make_rows, label=np.arange(6) % 2), seed=0, resamples=100)
    assert value(found, "Ann", "alone", "sensitivity") == pytest.approx(2 / 3)
    assert value(found, "Ann", "alone", "specificity") == pytest.approx(2 / 3)
    assert value(found, "Bob", "alone", "sensitivity") == 1
    assert value(found, "Bob", "alone", "specificity") == 0
    assert found.points["alone", "Ann"] == pytest.approx((1 / 3, 2 / 3))
    assert found.points["alone", "Bob"] == (1, 1)
    assert value(found, "Ann", "alone") == 1
    assert value(found, "Bob", "alone") == 0.5  # one grade for all cases
    bare = evaluate_readings(
        table.drop(columns="call"), repeats(make_rows, label=np.arange(6) % 2), seed=0, resamples=100
    )
    assert not bare.points
    assert set(bare.metrics["metric"]) == {"AUC", "ICC(2,1) of the ratings"}


def test_agreement_as_published_and_as_statsmodels_has_it(result, ratings, make_rows) -> None:
    """Shrout and Fleiss, Psychol Bull 1979;86:420, table 2: six targets, four judges, ICC(2,1) 0.29."""
    grades = [(9, 2, 5, 8), (6, 1, 3, 2), (8, 4, 6, 8), (7, 1, 2, 6), (10, 5, 6, 9), (6, 2, 4, 7)]
    rows = [(f"c{k:04d}", f"J{j}", "alone", grades[k][j]) for k in range(6) for j in range(4)]
    table = pd.DataFrame(rows, columns=["case_id", "reader", "modality", "rating"])
    found = evaluate_readings(table, repeats(make_rows, label=np.arange(6) % 2), seed=0, resamples=100)
    assert value(found, EVERYONE, "alone", "ICC(2,1) of the ratings") == pytest.approx(0.29, abs=0.005)
    calls = np.stack([graded(ratings, who, "alone", "call") for who in READERS], axis=1).astype(int)
    theirs = their_fleiss(aggregate_raters(calls)[0])
    assert value(result, EVERYONE, "alone", "Fleiss' kappa of the calls") == pytest.approx(theirs)


def test_an_arms_score_is_its_mean_over_seeds(ratings, make_rows) -> None:
    both = repeats(make_rows, seeds=2)
    found = evaluate_readings(ratings, both, seed=0, resamples=100)
    mean = (both["net"][0].prob[:, 1] + both["net"][1].prob[:, 1]) / 2
    assert value(found, "net", "") == pytest.approx(roc_auc_score(LABEL, mean))


def test_a_missing_reading_takes_the_case_from_everyone(ratings, make_rows) -> None:
    less = ratings[~((ratings["reader"] == "Bob") & (ratings["case_id"] == "c0007") & (ratings["modality"] == "alone"))]
    found = evaluate_readings(less, repeats(make_rows), seed=0, resamples=100)
    assert (found.cases, found.test) == (CASES - 1, CASES)
    keep = np.arange(CASES) != 7
    for who in READERS:
        own = roc_auc_score(LABEL[keep], graded(ratings, who, "with model")[keep])
        assert value(found, who, "with model") == pytest.approx(own)
    unknown = pd.concat([ratings, ratings.head(1).assign(case_id="not in the test part")])
    assert evaluate_readings(unknown, repeats(make_rows), seed=0, resamples=100).cases == CASES


def test_test_cases_of_all_repetitions_count(ratings, make_rows) -> None:
    """Two hold-out splits, 40 and 40 of the 60 cases: all 60 have a score."""
    rng = np.random.default_rng(1)
    first = make_rows("net", LABEL, rng.random(CASES)).head(40)
    second = make_rows("net", LABEL, rng.random(CASES), repetition=1).tail(40)
    split = repeats_of(pd.concat([first, second]), "malignancy", CLASSES)
    found = evaluate_readings(ratings, split, seed=0, resamples=100)
    assert (found.cases, found.test) == (CASES, CASES)


@pytest.mark.filterwarnings("error")
def test_the_order_of_rows_changes_nothing(result, ratings, make_rows) -> None:
    """But for the order of readers and ways, which is that of the table."""
    mixed = ratings.sample(frac=1, random_state=0)
    found = evaluate_readings(mixed, repeats(make_rows, ("net", "<b>other</b>")), seed=3, resamples=300)
    names = ["who", "modality", "metric"]
    one, other = (part.metrics.set_index(names)["value"].sort_index() for part in (result, found))
    pd.testing.assert_series_equal(one, other)


def test_patients_are_the_unit(ratings, make_rows) -> None:
    """Neighbouring cases, one benign and one malignant, belong to one patient."""
    table = make_rows("net", LABEL, np.linspace(0, 1, CASES), patients=[f"p{k // 2:02d}" for k in range(CASES)])
    found = evaluate_readings(ratings, repeats_of(table, "malignancy", CLASSES), seed=0, resamples=100)
    rows = found.metrics[found.metrics["metric"] == "AUC"]
    assert set(zip(rows["n"], rows["unit"], strict=True)) == {(CASES // 2, "patients")}
    assert set(found.comparisons["n"]) == {CASES // 2}


def test_one_reader_is_called_by_name(ratings, make_rows) -> None:
    found = evaluate_readings(ratings[ratings["reader"] == "Ann"], repeats(make_rows), seed=0, resamples=100)
    assert MEAN not in set(found.metrics["who"])
    assert found.comparisons["second"].tolist() == ["Ann, alone", "Ann, with model"]
    gap = value(found, "net", "") - value(found, "Ann", "alone")
    assert found.comparisons["difference"].iloc[0] == pytest.approx(gap)


@pytest.mark.filterwarnings("error")
def test_grades_all_alike_have_no_interval(ratings, make_rows) -> None:
    found = evaluate_readings(ratings.assign(rating=3, call=1), repeats(make_rows), seed=0, resamples=100)
    rows = found.metrics.set_index(["who", "modality", "metric"])
    assert rows.loc[("Ann", "alone", "AUC"), "value"] == 0.5
    assert np.isnan(rows.loc[(MEAN, "alone", "AUC"), "low"])
    assert found.comparisons["difference"].iloc[0] == 0
    cells = reading_section(found, None)["rows"][0]["cells"]
    assert cells[0] == {"value": "0.500", "under": ""}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.assign(case_id="x" + t["case_id"]), r"0 test cases \(0 positive\) were read by every reader"),
        (lambda t: t[t["case_id"].isin(["c0001", "c0003"])], r"2 test cases \(2 positive\).*needs cases of both"),
        (
            lambda t: t[(t["reader"] != "Bob") | (t["modality"] == "alone")],
            "every reader reads every way; nothing from Bob, with model",
        ),
        (lambda t: t.replace({"reader": {"Ann": MEAN}}), "no reader can be called 'mean of readers'"),
    ],
)
def test_what_can_not_be_compared(ratings, make_rows, change, message: str) -> None:
    with pytest.raises(TableError, match=message):
        evaluate_readings(change(ratings), repeats(make_rows), seed=0, resamples=100)


def test_the_section(result) -> None:
    section = reading_section(result, {"title": "picture"})
    assert section["words"].startswith("60 cases (30 positive) of 60 test cases were read by every reader")
    assert section["columns"][:3] == ["AUC", "sensitivity", "specificity"]
    rows = {(row["who"], row["way"]): row for row in section["rows"]}
    assert len(rows) == 2 * 3 + 2 + 2 + 2  # readers, arms, means, agreement
    assert rows[MEAN, "alone"]["mean"]
    assert rows["net", "model"]["cells"][0]["value"] == f"{value(result, 'net', ''):.3f}"
    assert rows["net", "model"]["cells"][1]["value"] == "–"
    assert section["comparisons"][0]["pair"] == f"{MEAN}, alone – {MEAN}, with model"
    assert reading_section(None, None) == {"rows": []}


def test_the_picture_says_who_is_in_it(result, ratings, make_rows) -> None:
    picture = readers_picture(result)
    assert picture.alt.startswith("ROC curves of 3 readers and of the model. net: AUC 0.")
    assert "Markers" in picture.caption
    odd = ratings[ratings["reader"] == "Ann"].replace({"modality": {"alone": r"_$\frac$", "with model": "$"}})
    two = odd[odd["case_id"].isin(["c0000", "c0001"])]
    alone = readers_picture(evaluate_readings(two, repeats(make_rows), seed=0, resamples=100))
    assert alone.alt.startswith("ROC curves of 1 reader and")
    assert "()" not in alone.alt  # two cases have no interval
    assert alone.png


def test_tables_of_what_is_there(result) -> None:
    written = {name for name, table in Extra(readers=result).tables().items() if len(table)}
    assert written == {"readers", "reader_comparisons"}
    assert not any(len(table) for table in Extra().tables().values())
