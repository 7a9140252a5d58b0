"""What a table's column may look like when it arrives, and what is said when it can't be used."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hounsfield.core.errors import HounsfieldError
from hounsfield.stats.inputs import binary_labels, class_codes, patient_codes


def test_labels_of_any_kind_of_zero_and_one() -> None:
    for given in ([0, 1], [False, True], [0.0, 1.0], pd.Series([0, 1], dtype="Int64"), np.array([0, 1], dtype=object)):
        assert binary_labels(given).tolist() == [False, True]


@pytest.mark.parametrize("given", [pd.Series([0, 1, None], dtype="Int64"), [0, 1, np.nan], [0, 1, None]])
def test_a_missing_label_is_named(given: pd.Series) -> None:
    with pytest.raises(HounsfieldError, match="at position 2"):
        binary_labels(given)


def test_classes_are_sorted_or_as_given() -> None:
    _, _, names = class_codes(pd.Series(["MIA", "AIS"]), ["AIS", "IAC"])
    assert names == ("AIS", "IAC", "MIA")
    rows, columns, _ = class_codes([True, False], [1, 1])
    assert (rows.tolist(), columns.tolist()) == ([1, 0], [1, 1])
    assert class_codes(np.array([1, "unknown"], dtype=object), [0, 1])[2] == (0, 1, "unknown")
    with pytest.raises(HounsfieldError, match="1 are missing"):
        class_codes(pd.Series(["AIS", None]), ["AIS", "AIS"])


def test_patients_are_numbered_in_sorted_order() -> None:
    codes, count = patient_codes(pd.Series(["P2", "P1", "P2"], dtype="string"), cases=3)
    assert (codes.tolist(), count) == ([1, 0, 1], 2)
    assert patient_codes(None, cases=3)[0].tolist() == [0, 1, 2]
    assert patient_codes([], cases=0)[1] == 0
    for missing in (pd.NA, None, np.nan, ""):
        with pytest.raises(HounsfieldError, match="missing at position 1"):
            patient_codes(np.array(["A", missing], dtype=object), cases=2)


def test_a_stray_blank_does_not_make_another_class() -> None:
    with pytest.raises(HounsfieldError, match="'benign '.*Strip them"):
        class_codes(["benign", "benign "], ["benign", "benign"])
