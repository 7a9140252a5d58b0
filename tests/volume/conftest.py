"""What the DICOM tests share: the verdict of Debian's validator, and small volumes to write."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def dicom_errors() -> Callable[[Path], list[str]]:
    """A function that gives dciodvfy's error lines on a file; the test is skipped where it is not installed."""
    tool = shutil.which("dciodvfy")
    if tool is None:
        pytest.skip("dciodvfy (Debian package dicom3tools) is not installed")

    def errors(path: Path) -> list[str]:
        done = subprocess.run([tool, "-new", str(path)], capture_output=True, text=True, check=False, timeout=60)
        lines = (done.stdout + done.stderr).splitlines()
        # The first line names the object it was recognised as; without it the file was not looked at.
        assert lines, "dciodvfy said nothing at all"
        return [line for line in lines if line.startswith("Error")]

    return errors
