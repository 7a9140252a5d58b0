"""What a run says of its cohort as a whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hounsfield.studies.cohort_warnings import cohort_warnings
from hounsfield.tables.cases import Case


def cases(values: list) -> list[Case]:
    return [Case(f"c{n}", f"p{n}", Path("x"), values={"contrast": value}) for n, value in enumerate(values)]


def test_a_cohort_of_one_kind_is_not_spoken_of():
    assert cohort_warnings(cases(["yes"] * 3), {"lesion_outside": np.array([0.0, 0.2, 0.5])}) == []
    assert cohort_warnings(cases([None] * 3), {}) == []


def test_mixed_contrast_is_counted():
    (said,) = cohort_warnings(cases(["yes", "no", "yes", None]), {})
    assert "2 yes, 1 no, 1 not said" in said


def test_lesions_outside_of_the_lungs_are_named():
    (said,) = cohort_warnings(cases(["yes"] * 8), {"lesion_outside": np.array([1, 0, 0.6, 0.51, 0.9, 1, 0.7, 0.5])})
    assert "in 6 case(s) (c0, c2, c3, c4, c5 and 1 more)" in said


def test_outlines_that_leave_the_cube_are_named():
    (said,) = cohort_warnings(cases(["yes"] * 3), {}, leaves_cube=[False, True, True])
    assert "in 2 case(s) (c1, c2)" in said
