"""A key is made once, kept from others and apart from the results; what it makes is what the standard allows."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

import pytest
from pydicom.uid import UID

from hounsfield.catalog.deidentify.secret import Secret, read_key
from hounsfield.core.errors import RunError


def test_a_key_is_made_once_and_kept_from_others(tmp_path: Path):
    path = tmp_path / "keys" / "key"
    secret = read_key(path)
    assert read_key(path) == secret
    assert path.stat().st_mode & 0o077 == 0
    assert secret.key.hex() not in repr(secret)
    (tmp_path / "poor").write_text("abc")
    with pytest.raises(RunError, match="64 hexadecimal"):
        read_key(tmp_path / "poor")


def test_no_key_lies_in_or_beside_the_results(tmp_path: Path):
    out = tmp_path / "project" / "out"
    out.mkdir(parents=True)
    (tmp_path / "way").symlink_to(out)
    for place in (out / "key", out / "deep" / "key", tmp_path / "way" / "key", out.parent / "key"):
        with pytest.raises(RunError, match="lies"):
            read_key(place, apart_from=out)
        assert not place.exists()
    assert read_key(tmp_path / "keys" / "key", apart_from=out)


def test_values_are_those_of_hmac_sha256():
    key = bytes(range(32))
    uid = hmac.new(key, b"uid|1.2.3", hashlib.sha256).digest()
    assert Secret(key).uid("1.2.3 ") == f"2.25.{int.from_bytes(uid[:16], 'big')}"
    assert UID(Secret(key).uid("1.2.3")).is_valid
    assert Secret(key).patient("4711") == "P" + hmac.new(key, b"patient|4711", hashlib.sha256).hexdigest()[:16].upper()


def test_days_lie_between_one_and_ten_years_and_are_spread():
    days = [Secret(bytes(32)).days(str(patient)) for patient in range(2000)]
    assert min(days) >= -3650
    assert max(days) <= -365
    assert len(set(days)) > 1400  # of 3286 values, 2000 draws hit 1497 on average: 3286 * (1 - exp(-2000 / 3286))
