"""`hounsfield guideline` from the outside, on readings written here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hounsfield.cli import main
from hounsfield.guideline.point_table import read_point_table

ROWS = """case_id,patient_id,label,size_cm,composition,echogenicity,shape,margin,foci
a,1,1,1.6,solid,hypoechoic,wider,smooth,punctate
b,2,0,2.6,mixed,isoechoic,taller,smooth,
c,2,0,3.0,spongiform,isoechoic,wider,smooth,
d,3,0,,solid,isoechoic,wider,smooth,none
e,4,0,1.0,solidd,isoechoic,wider,smooth,none
"""


@pytest.fixture
def readings(tmp_path: Path) -> Path:
    path = tmp_path / "readings.csv"
    path.write_text(ROWS)
    return path


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two readers of 160 nodules whose cancers are solid, hypoechoic and punctate more often."""
    rng = np.random.default_rng(1)
    rows = []
    for number in range(160):
        label = number % 4 == 0
        for reader in ("one", "two"):
            solid, dark, punctate = rng.random(3) < (0.8 if label else 0.4)
            rows.append(
                {
                    "case_id": f"n{number}",
                    "patient_id": f"p{number // 2}",
                    "reader": reader,
                    "group": "readers",
                    "label": int(label),
                    "size_cm": round(1 + 2 * rng.random(), 1),
                    "composition": "solid" if solid else "mixed",
                    "echogenicity": "hypoechoic" if dark else "isoechoic",
                    "shape": "wider",
                    "margin": "smooth",
                    "foci": "punctate" if punctate else "",
                }
            )
    path = tmp_path_factory.mktemp("many") / "many.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def test_score(readings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["guideline", "score", str(readings)]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "case_id,patient_id,reader,points,level,recommendation",
        "a,1,reader,7,TR5,FNA",
        "b,2,reader,5,TR4,FNA",
        "c,2,reader,0,TR1,nothing",
        "d,3,reader,3,TR3,",
    ]
    assert "TR1 1, TR2 0, TR3 1, TR4 1, TR5 1" in err
    assert "case e, reader reader: composition: 'solidd'" in err
    assert "case d, reader reader: has no size" in err


def test_score_into_files(readings: Path, tmp_path: Path) -> None:
    out = tmp_path / "scored.parquet"
    assert main(["guideline", "score", str(readings), "--table", "ai", "--out", str(out)]) == 0
    assert pd.read_parquet(out)["level"].tolist() == ["TR5", "TR1", "TR1", "TR3"]
    assert main(["guideline", "score", str(readings), "--out", str(tmp_path / "scored.xlsx")]) == 2


def test_compare(many: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["guideline", "compare", str(many), "--out", str(tmp_path / "out"), "--resamples", "200"]) == 0
    out = capsys.readouterr().out
    assert "mean of 2 (readers)" in out
    assert "percentile bootstrap of patients" in out
    performance = pd.read_csv(tmp_path / "out" / "performance.csv")
    assert set(performance["metric"]) == {"auc", "sensitivity", "specificity"}
    assert len(performance) == 9
    assert (performance["n"] == 80).all()
    assert (tmp_path / "out" / "compare.md").is_file()


def test_optimise(many: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few = ["--runs", "2", "--generations", "6", "--population", "20", "--folds", "3", "--repetitions", "1"]
    out = tmp_path / "out"
    assert main(["guideline", "optimise", str(many), "--reader", "one", "--out", str(out), *few]) == 0
    text = capsys.readouterr().out
    assert "on patients left out" in text
    assert not (out / "held_out.csv").exists()
    table = read_point_table(out / "table.yaml")
    assert table.option_names == read_point_table("acr").option_names
    for name in ("history.csv", "near_ties.csv", "chart.pdf", "chart.svg", "history.png", "optimise.md"):
        assert (out / name).stat().st_size > 0
    again = tmp_path / "again"
    assert main(["guideline", "optimise", str(many), "--reader", "one", "--out", str(again), *few]) == 0
    assert (again / "table.yaml").read_text() == (out / "table.yaml").read_text()
    assert main(["guideline", "score", str(many), "--reader", "two", "--table", str(out / "table.yaml")]) == 0


@pytest.mark.parametrize("option", [["--ordered"], ["--strict"], ["--fitness", "fna"], ["--size-term"]])
def test_optimise_with_what_the_article_lacks(option: list[str], many: Path, tmp_path: Path) -> None:
    few = ["--runs", "1", "--generations", "3", "--population", "10", "--folds", "0"]
    arguments = ["guideline", "optimise", str(many), "--reader", "one", "--out", str(tmp_path), *few, *option]
    assert main(arguments) == 0
    names = read_point_table(tmp_path / "table.yaml").option_names
    assert ("size_class/from_2_5_cm" in names) == (option == ["--size-term"])


FEW = ["--reader", "one", "--runs", "1", "--generations", "3", "--population", "10", "--repetitions", "1"]


def test_optimise_for_fna_is_cross_validated(many: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["guideline", "optimise", str(many), "--out", str(tmp_path), *FEW, "--fitness", "fna", "--folds", "3"]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "gain in specificity of FNA on patients left out" in out


def test_what_is_held_out_never_reaches_the_search(
    many: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Other labels, options and sizes of the readings held out: the same table, history and near ties, to the byte."""
    frame = pd.read_csv(many)
    frame["part"] = np.where(frame["patient_id"].str[1:].astype(int) < 24, "test", "training")
    held = frame["part"] == "test"
    other = frame.copy()
    other.loc[held, "label"] = 1 - frame.loc[held, "label"]
    other.loc[held, "composition"] = "spongiform"
    other.loc[held, "size_cm"] = 3.1
    for name, one in (("as_is", frame), ("other", other)):
        one.to_csv(tmp_path / f"{name}.csv", index=False)
        arguments = ["guideline", "optimise", str(tmp_path / f"{name}.csv"), "--out", str(tmp_path / name), *FEW]
        assert main([*arguments, "--folds", "3", "--holdout", "test"]) == 0
    texts = capsys.readouterr().out
    assert "held out (part test), looked at once: 12 malignant and 36 benign nodules of 24 patients" in texts
    for name in ("table.yaml", "history.csv", "near_ties.csv"):
        assert (tmp_path / "as_is" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()
    rows = [pd.read_csv(tmp_path / name / "held_out.csv") for name in ("as_is", "other")]
    assert rows[0]["metric"].tolist()[:3] == ["auc", "sensitivity", "specificity"]
    assert rows[0]["start"][0] != rows[1]["start"][0]
    gone = [
        "guideline",
        "optimise",
        str(tmp_path / "as_is.csv"),
        "--out",
        str(tmp_path / "as_is"),
        *FEW,
        "--folds",
        "0",
    ]
    assert main([*gone, "--part", "training"]) == 0
    assert (tmp_path / "as_is" / "table.yaml").read_bytes() == (tmp_path / "other" / "table.yaml").read_bytes()
    assert not (tmp_path / "as_is" / "held_out.csv").exists()


def test_a_share_held_out(many: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["guideline", "optimise", str(many), "--out", str(tmp_path), *FEW, "--folds", "0"]
    assert main([*arguments, "--holdout-share", "0.25"]) == 0
    out = capsys.readouterr().out
    assert (
        "held out (25% of patients, seed 0), looked at once: 10 malignant and 30 benign nodules of 20 patients" in out
    )
    assert "held out, AUC: start" in out
    assert main([*arguments, "--holdout", "tset"]) == 1
    assert "no reading has part 'tset'" in capsys.readouterr().err
    assert main([*arguments, "--part", "test", "--holdout", "test"]) == 2
    assert main([*arguments, "--holdout-share", "1.5"]) == 2


def test_two_readers_are_not_searched_at_once(many: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["guideline", "optimise", str(many), "--out", str(tmp_path)]) == 1
    assert "--reader" in capsys.readouterr().err


def test_chart(tmp_path: Path) -> None:
    out = tmp_path / "chart.svg"
    assert main(["guideline", "chart", str(out), "--table", "ai", "--reference", "acr"]) == 0
    assert out.read_text(encoding="utf-8").startswith("<?xml")
    assert main(["guideline", "chart", str(tmp_path / "chart.docx")]) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--table", "arc"], "acr, ai"),
        (["--part", "testing"], "no reading has part 'testing'"),
        (["--mapping", "ti-rad"], "ti-rads"),
    ],
)
def test_mistakes(arguments: list[str], message: str, readings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["guideline", "score", str(readings), *arguments]) == 1
    assert message in capsys.readouterr().err


def test_one_class_only(readings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    readings.write_text("\n".join(ROWS.splitlines()[:1] + ROWS.splitlines()[2:4]) + "\n")
    assert main(["guideline", "compare", str(readings), "--out", str(tmp_path / "out")]) == 1
    assert "0 malignant and 2 benign" in capsys.readouterr().err
