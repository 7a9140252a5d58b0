"""The report's folder and page: complete, self-contained, escaped, the same bytes twice, whole or not at all."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hounsfield.catalog.splits.leakage import Leakage
from hounsfield.core.errors import Problem, ProblemsError, StudyError
from hounsfield.report.content import Anchor, ArmInfo, Example, ReportContent
from hounsfield.report.write import write_report

ARMS = (
    ArmInfo("good", "(d) Joint", "fine-tuned together", needs_mask=True),
    ArmInfo("fair", "(c) Automatic mask"),
    ArmInfo("noise", "Coin"),
    ArmInfo("volume", "Lesion volume", trivial=True, needs_mask=True),
)
TARGETS = {"malignancy": ("benign", "malignant")}
SPLITS = {"train": (60, 60), "validation": (10, 11), "test": (20, 21)}
PROOF = Leakage(5, SPLITS, SPLITS, 0, 0, 0)


def ball(radius: float) -> np.ndarray:
    z, y, x = np.indices((16, 16, 16)) - 8
    return (z**2 + y**2 + x**2) <= radius**2


def content(predictions: pd.DataFrame, **more: object) -> ReportContent:
    image = np.where(ball(5), 0.5, -0.8).astype(np.float32)
    example = Example(
        "c0001", image, ball(5), ball(4).astype(np.float32), "malignant", {"malignant": 0.8}, 0.7, "worst"
    )
    settings: dict[str, object] = {
        "title": "Nodules",
        "question": "Does a network beat size?",
        "citation": "Wang et al. 2021",
        "targets": TARGETS,
        "arms": ARMS,
        "predictions": predictions,
        "leakage": (PROOF,),
        "anchors": (Anchor("malignancy", "good", "auc", 0.8129, 0.0031, "Table 2"),),
        "anchors_note": "Another cohort.",
        "flaws": ("No margin along z.",),
        "manifest": {"seed": 1, "environment": {"python": "3.11"}},
        "histories": {"r0-f0-s0 joint": [{"epoch": 0, "loss": 1.0, "rate": 1e-4, "dice": 0.5, "seconds": 3.0}]},
        "examples": (example,),
        "set_aside": (Problem("c0999", "the mask is empty.", "Draw it."),),
        "comparisons": (("good", "fair"),),
        "dice_pair": ("fair", "good"),
    }
    return ReportContent(**{**settings, **more})  # type: ignore[arg-type]


class Page(HTMLParser):
    """Tags, visible words and attributes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


@pytest.fixture(scope="module")
def folder(cohort: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report")
    write_report(content(cohort), out, seed=3, resamples=200)
    return out


def test_the_folder_is_complete(folder):
    names = {file.name for file in folder.iterdir()}
    assert names == {
        *(
            "report.html",
            "metrics.csv",
            "metrics.parquet",
            "comparisons.csv",
            "comparisons.parquet",
            "validation.csv",
            "validation.parquet",
            "figures",
            "checklists",
        )
    }
    figures = {file.name for file in (folder / "figures").iterdir()}
    for name in (
        "forest_1",
        "roc_1",
        "precision_1",
        "calibration_1",
        "dice_1",
        "dice_arms_1",
        "training_joint",
        "case_01",
    ):
        assert {f"{name}.svg", f"{name}.png"} <= figures
    table = pd.read_parquet(folder / "metrics.parquet")
    assert len(table) == len(pd.read_csv(folder / "metrics.csv"))
    assert {"target", "arm", "metric", "value", "low", "high", "n", "unit", "method", "repetition", "seed"} <= set(
        table
    )


def test_the_page_is_one_file_without_script_and_every_figure_has_words(folder):
    page = Page((folder / "report.html").read_text(encoding="utf-8"))
    assert page.open == []
    tags = [tag for tag, _ in page.tags]
    assert "script" not in tags
    assert "link" not in tags
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(images) >= 8
    for attributes in images:
        assert attributes["src"].startswith("data:image/")
        assert len(attributes["alt"]) > 20
    assert all(attributes.get("href", "#").startswith("#") for _, attributes in page.tags)


def test_the_first_page_says_what_it_must(folder):
    page = Page((folder / "report.html").read_text(encoding="utf-8"))
    first = page.text.split("Discrimination and calibration", 2)[1]  # between the contents and the section itself
    for words in (
        "Yes. 1 of 3 networks beats the best trivial arm, Lesion volume (AUC",
        "It needs an expert's outline at test time",
        "▼ falls below",
        "≈ not distinguishable",
        "Holm's method over all 3 comparisons",
        "No patient stands in two parts of a split, nor does any image with the same pixels.",
        "Patients (cases) in test 20 to 21 (20 to 21)",
        "Images with identical pixels in two parts 0",
        "No margin along z.",
        "AUC, paper",
        "0.813",
        "Another cohort.",
    ):
        assert words in first, words
    assert "Research use only. Not a medical device." in page.text


def test_no_patient_identifier_is_in_the_page(folder, cohort):
    text = (folder / "report.html").read_text(encoding="utf-8")
    words = re.sub(r"data:image/[^\"]*", "", text)
    for patient in cohort["patient_id"].unique():
        assert not re.search(rf"\b{re.escape(patient)}\b", words)


def test_the_same_content_gives_the_same_bytes(folder, cohort, tmp_path):
    write_report(content(cohort), tmp_path, seed=3, resamples=200)
    for name in ("report.html", "metrics.csv", "comparisons.csv", "figures/roc_1.svg", "figures/case_01.png"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes(), name


def test_markup_in_names_stays_text(make_rows, tmp_path):
    bad = "<script>alert(1)</script>"
    table = pd.concat([make_rows(arm, [1, 0, 1, 0], [0.9, 0.4, 0.6, 0.1]) for arm in ("good", "volume")])
    table = table.rename(columns={"prob_malignant": f"prob_{bad}"}).assign(target=bad).reset_index(drop=True)
    table["label"] = table["label"].replace("malignant", bad)
    table["case_id"] = ["<img src=x onerror=alert(1)>" + name for name in table["case_id"]]
    arms = (ArmInfo("good", f"$x$ {bad}", bad), ArmInfo("volume", "_hidden & co", trivial=True))
    example = Example(bad, np.zeros((4, 4, 4), np.float32), None, None, bad, {bad: 0.5}, None, bad)
    settings = {"title": bad, "question": bad, "citation": bad, "flaws": (bad,), "anchors": (), "comparisons": ()}
    made = content(table, targets={bad: ("benign", bad)}, arms=arms, examples=(example,), histories={}, **settings)
    page = write_report(made, tmp_path, resamples=100)
    text = page.read_text(encoding="utf-8")
    assert "<script" not in text
    assert "<img src=x" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert Page(text).open == []


def test_one_class_in_the_test_part_still_gives_a_page(make_rows, tmp_path):
    table = pd.concat([make_rows(arm, [1, 1, 1], [0.9, 0.4, 0.6]) for arm in ("good", "volume")], ignore_index=True)
    arms = (ARMS[0], ARMS[3])
    page = write_report(content(table, arms=arms, comparisons=()), tmp_path, resamples=100)
    text = Page(page.read_text(encoding="utf-8")).text
    assert "not defined" in text
    assert "Not known" in text


def test_three_classes_and_nothing_optional(tmp_path):
    rng = np.random.default_rng(3)
    classes = ("AAH+AIS", "MIA", "IAC")
    label = rng.integers(0, 3, 60)
    tables = []
    for arm, signal in (("good", 3.0), ("volume", 0.5)):
        logit = rng.normal(0, 1, (60, 3)) + signal * np.eye(3)[label]
        prob = np.exp(logit) / np.exp(logit).sum(axis=1, keepdims=True)
        fixed = {"arm": arm, "split": "test", "repetition": 0, "fold": 0, "seed": 0, "target": "task1"}
        probs = {f"prob_{name}": prob[:, k] for k, name in enumerate(classes)}
        names = {"case_id": [f"c{k}" for k in range(60)], "patient_id": [f"p{k}" for k in range(60)]}
        tables.append(pd.DataFrame({**names, **fixed, "label": [classes[k] for k in label], **probs}))
    bare = ReportContent("T", "Q", "", {"task1": classes}, (ARMS[0], ARMS[3]), pd.concat(tables, ignore_index=True))
    text = Page(write_report(bare, tmp_path, resamples=100).read_text(encoding="utf-8")).text
    assert "Macro AUC" in text
    assert "Yes. 1 of 1 network beats" in text
    assert "No proof was handed in." in text


def test_a_leak_is_said_on_the_first_page(cohort, tmp_path):
    leaky = Leakage(1, SPLITS, SPLITS, 2, 3, 0)
    text = Page(write_report(content(cohort, leakage=(leaky,)), tmp_path, resamples=100).read_text("utf-8")).text
    assert "The split leaks" in text
    assert "Proof of no leakage" not in text
    assert "Patients in two parts 2" in text


def test_a_failed_report_leaves_the_older_one(cohort, tmp_path, monkeypatch):
    page = tmp_path / "report.html"
    page.write_text("the older one", encoding="utf-8")
    broken = cohort.assign(prob_malignant=2.0)
    with pytest.raises(ProblemsError, match=r"outside \[0, 1\]"):
        write_report(content(broken), tmp_path, resamples=100)
    assert page.read_text(encoding="utf-8") == "the older one"
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


def test_a_comparison_of_an_unknown_arm_names_the_nearest(cohort):
    with pytest.raises(StudyError, match="Did you mean 'good'"):
        content(cohort, comparisons=(("god", "fair"),))


def test_an_anchor_of_an_unknown_target_is_refused(cohort):
    with pytest.raises(StudyError, match="task 9"):
        content(cohort, anchors=(Anchor("task 9", "good", "auc", 0.8),))


def test_checklists_lie_beside_the_page(cohort: pd.DataFrame, tmp_path: Path) -> None:
    page = write_report(content(cohort), tmp_path, resamples=100)
    table = pd.read_csv(tmp_path / "checklists" / "tripod_ai.csv", dtype=str, keep_default_na=False)
    rows = table.set_index("number")
    assert rows.loc["21", "state"] == "from the tables"
    assert "test 20 to 21 (20 to 21)" in rows.loc["12a", "answer"]
    # 23a asks for intervals and for subgroups; without covariates there are none.
    assert rows.loc["23a", "state"] == "in part; authors to complete"
    assert rows.loc["26", "answer"] == "Known flaws of the data: No margin along z."
    assert (table["authors"] == "").all()
    assert "TRIPOD+AI" in page.read_text(encoding="utf-8")
    assert (tmp_path / "checklists" / "claim_2024.csv").read_bytes().startswith(b"\xef\xbb\xbf")
