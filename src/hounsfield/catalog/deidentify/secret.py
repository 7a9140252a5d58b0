"""New identities from a secret: an old UID or patient goes in, a new one comes out, always the same with the same key.

Nothing is stored but the key: each new value is an HMAC-SHA256 of the old one. Who has the key can find the new value
of an old one (and so follow a patient up); who has not can neither do that nor come back from new to old.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from hounsfield.core.errors import RunError

_BYTES = 32
_LEAST_DAYS, _MOST_DAYS = 365, 3650


@dataclass(frozen=True)
class Secret:
    """The key and what is made with it."""

    key: bytes

    def __repr__(self) -> str:
        return f"Secret({self.fingerprint})"  # never the key itself: representations end up in logs

    @property
    def fingerprint(self) -> str:
        """Tells two keys apart without telling the key."""
        return self._digest("key", "").hex()[:16]

    def uid(self, uid: str) -> str:
        """The new UID, under the root 2.25 (a UUID as a number; PS3.5 annex B.2)."""
        return f"2.25.{int.from_bytes(self._digest('uid', uid.strip())[:16], 'big')}"

    def patient(self, patient: str) -> str:
        """The pseudonym of a patient: P and 16 hexadecimal digits, enough that no two of a million patients meet."""
        return "P" + self._digest("patient", patient.strip()).hex()[:16].upper()

    def days(self, patient: str) -> int:
        """By how many days, negative, all dates of this patient move: one to ten years into the past."""
        number = int.from_bytes(self._digest("days", patient.strip())[:8], "big")
        return -(_LEAST_DAYS + number % (_MOST_DAYS - _LEAST_DAYS + 1))

    def _digest(self, purpose: str, text: str) -> bytes:
        return hmac.new(self.key, f"{purpose}|{text}".encode(), hashlib.sha256).digest()


def read_key(path: Path, *, apart_from: Path | None = None) -> Secret:
    """The key in a file, which is made, readable by its owner alone, when it is not there.

    Args:
        apart_from: the folder of the results, in or beside which no key may lie: who packs it up takes both along.
    Raises: RunError when the file holds no key, or lies where it must not.
    """
    if apart_from is not None and path.resolve().is_relative_to(apart_from.resolve()):
        raise RunError(f"the key {path.name} lies in the folder of the results: who gets one must not get the other.")
    if apart_from is not None and path.resolve().parent == apart_from.resolve().parent:
        raise RunError(
            f"the key {path.name} lies beside the folder of the results, where it is soon copied along. Give it a "
            "place of its own, such as ~/keys."
        )
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            # Exclusive: of two runs that start together one makes the key and the other reads it.
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return read_key(path)  # its last byte may be yet to come; then it is no key, and the message says so
        with os.fdopen(handle, "w", encoding="ascii") as stream:
            stream.write(secrets.token_hex(_BYTES) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except ValueError:
        key = b""
    if len(key) < _BYTES:
        raise RunError(
            f"{path.name} is no key: expected {2 * _BYTES} hexadecimal digits. Give a new name to have one made, or "
            "the key of the earlier run."
        )
    return Secret(key)
