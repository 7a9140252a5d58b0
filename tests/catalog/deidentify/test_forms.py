"""Values by their form (PS3.5 table 6.2-1)."""

from __future__ import annotations

import pytest

from hounsfield.catalog.deidentify.forms import capped_age, well_formed


@pytest.mark.parametrize(
    ("vr", "text", "formed"),
    [
        ("DA", "20240301", True),
        ("DA", "2024.03.01", True),
        ("DA", "DOE JANE", False),
        ("TM", "101112.123456", True),
        ("TM", "1011", True),
        ("TM", "10:11:12", True),
        ("TM", "DOE", False),
        ("DT", "20240301101112.5+0100", True),
        ("DT", "2024", True),
        ("DT", "2024 DOE", False),
        ("AS", "061Y", True),
        ("AS", "DOE", False),
        ("CS", "LUNG_1 A", True),
        ("CS", "DOE^JANE", False),
        ("CS", "LONGER THAN SIXTEEN", False),
        ("UI", "1.2.840", True),
        ("UI", "1.2.DOE", False),
        ("LO", "anything^at all", True),
    ],
)
def test_forms(vr: str, text: str, formed: bool):
    assert well_formed(vr, text) is formed


def test_ages_above_89_years_become_90():
    assert [capped_age(age) for age in ("089Y", "090Y", "104Y", "200M", "")] == ["089Y", "090Y", "090Y", "200M", ""]
