"""The page on studies tells the truth: its whole example is a study that loads, with the arms that it explains."""

from __future__ import annotations

import re
from pathlib import Path

from hounsfield.infer.inputs import OF_THE_CASE
from hounsfield.studies.load import dump, load, names

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tasks" / "study.md"


def test_the_example_is_a_study(tmp_path):
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    (text,) = [block for block in blocks if block.startswith("name:")]
    (tmp_path / "nodules.yaml").write_text(text)
    study = load(str(tmp_path / "nodules.yaml"))
    kinds = ["features", "radiomics", "network", "two_inputs"]
    assert [arm.kind for arm in study.arms.values()] == kinds
    assert study.subgroups == ["vendor", "slice_thickness_mm", "site", "size"]
    assert f"{OF_THE_CASE}age" in study.arms["size"].features
    assert study.split.kind == "nested"
    (tmp_path / "again.yaml").write_text(dump(study))
    assert load(str(tmp_path / "again.yaml")) == study


def test_the_cohort_of_a_study_writes_the_columns_that_it_asks_for():
    rules = (PAGE.parents[2] / "src/hounsfield/studies/cohorts/cryptococcosis-cancer.yaml").read_text()
    assert "granuloma" in names()
    study = load("granuloma")
    assert study.targets["cryptococcosis"].column == "diagnosis"
    for name in ("diagnosis", "contrast", *study.inputs.covariates, *study.subgroups):
        assert name == "size" or f"  {name}: " in rules
