"""The cases of a run: who is set aside and why, labels and ratings, and cohorts that can't be split."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import SimpleITK as sitk

from hounsfield.core.errors import ProblemsError, StudyError
from hounsfield.core.progress import silent
from hounsfield.studies import load
from hounsfield.studies.cohort import NO_CLASS, make_cohort
from hounsfield.studies.pieces import settings_of


@pytest.fixture
def data(finished_run, tmp_path):
    """A copy of the finished run's cases that a test may spoil."""
    shutil.copytree(finished_run.cases.parent, tmp_path / "data")
    return tmp_path / "data"


def cohort_of(finished_run, data, study=None):
    return make_cohort(
        study or finished_run.study, data / "cases.csv", data.parent / "cache", workers=1, progress=silent
    )


def edit(data, change) -> None:
    lines = (data / "cases.csv").read_text().splitlines()
    cells = [line.split(",") for line in lines]
    (data / "cases.csv").write_text("\n".join(",".join(row) for row in change(cells)) + "\n")


def test_bad_cases_are_named_and_the_others_go_on(finished_run, data):
    (data / "images" / "02.nii.gz").write_bytes(b"no image")
    sitk.WriteImage(sitk.Image([4, 4, 4, 3], sitk.sitkInt16), str(data / "images" / "05.nii.gz"))
    mask = sitk.ReadImage(str(data / "masks" / "06.nii.gz"))
    sitk.WriteImage(mask * 0, str(data / "masks" / "06.nii.gz"))
    (data / "masks" / "09.nii.gz").unlink()

    def change(cells):
        cells[13][4] = ""  # c12
        cells[14][4] = "7"  # c13
        cells[15][3] = ""  # c14
        return cells

    edit(data, change)
    cohort = cohort_of(finished_run, data)
    named = {problem.where: str(problem) for problem in cohort.set_aside}
    assert set(named) == {f"case c{number:02d}" for number in (2, 5, 6, 9, 12, 13, 14)}
    assert "no label" in named["case c12"]
    assert "'7'" in named["case c13"]
    assert "has no mask" in named["case c14"]
    assert str(data) not in "".join(named.values())
    assert len(cohort.cases) == 13


def test_labels_are_class_indices_and_ratings_go_from_0_to_1(finished_run, data):
    def change(cells):
        cells[3][5] = ""
        cells[4][5] = "9"
        return cells

    edit(data, change)
    cohort = cohort_of(finished_run, data)
    # The class goes 0 0 1 1 0 0 ..., the rating 1 2 3 4 5 1 ...
    assert cohort.labels["large"][:6].tolist() == [0, 0, 1, 1, 0, 0]
    assert cohort.ratings[:6, 0] == pytest.approx([0, 0.25, np.nan, 1.0, 1.0, 0], nan_ok=True)


def test_a_table_without_ratings_learns_the_class_alone(finished_run, data):
    edit(data, lambda cells: [row[:5] for row in cells])
    cohort = cohort_of(finished_run, data)
    assert cohort.ratings is None
    assert finished_run.study.training.classifier.auxiliary_weight == 0.5
    assert settings_of(finished_run.study, "cpu", ratings=False).classifier.auxiliary_weight == 0


def test_cases_of_another_target_have_no_class(finished_run, data):
    targets = {
        "large": finished_run.study.targets["large"],
        "rated": load.Study.model_fields["targets"].annotation.__args__[1](
            column="margin", classes={"low": ["1", "2"], "high": ["4"]}
        ),
    }
    cohort = cohort_of(finished_run, data, finished_run.study.model_copy(update={"targets": targets}))
    assert cohort.labels["rated"][:5].tolist() == [0, 0, NO_CLASS, 1, NO_CLASS]
    assert not cohort.target_part("rated", 0, 0, "train")[2]


def test_one_class_only(finished_run, data):
    edit(data, lambda cells: [row for row in cells if row[4] in ("malignant", "0")][:4])
    with pytest.raises(StudyError, match=r"all 3 case\(s\) have the value '0' in column malignant"):
        cohort_of(finished_run, data)


def test_a_single_patient(finished_run, data):
    edit(data, lambda cells: [cells[0]] + [[row[0], "p1", *row[2:]] for row in cells[1:]])
    with pytest.raises(StudyError, match="patient"):
        cohort_of(finished_run, data)


def test_no_usable_case_says_why(finished_run, data):
    edit(data, lambda cells: [cells[0]] + [[*row[:4], "yes", row[5]] for row in cells[1:]])
    with pytest.raises(ProblemsError, match=r"has the label 'yes', which no class of the study holds"):
        cohort_of(finished_run, data)
    edit(data, lambda cells: [cells[0]] + [[*row[:3], "", "1", row[5]] for row in cells[1:]])
    with pytest.raises(ProblemsError, match="has no mask"):
        cohort_of(finished_run, data)


def test_a_label_column_with_a_typing_error(finished_run, data):
    edit(data, lambda cells: [[*cells[0][:4], "malignnat", "margin"], *cells[1:]])
    with pytest.raises(ProblemsError, match="Did you mean 'malignnat'"):
        cohort_of(finished_run, data)


def test_lesions_of_another_size_are_set_aside_by_their_outline(finished_run, data):
    whole = cohort_of(finished_run, data)
    sizes = dict(zip(whole.prepared.features["case_id"], whole.prepared.features["diameter_mm"], strict=True))
    low, high = sorted(sizes.values())[1] - 1e-9, sorted(sizes.values())[-3] + 1e-9
    study = finished_run.study.model_copy(update={"diameter_mm": (low, high)})
    cohort = cohort_of(finished_run, data, study)
    assert {case.case_id for case in cohort.cases} == {name for name, size in sizes.items() if low <= size <= high}
    assert len(cohort.prepared.images) == len(cohort.labels["large"]) == len(cohort.cases)
    named = {problem.where: str(problem) for problem in cohort.set_aside}
    smallest = min(sizes, key=sizes.__getitem__)
    assert f"{sizes[smallest]:.1f} mm" in named[f"case {smallest}"]
