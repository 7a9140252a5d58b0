"""Bundles of the small finished run, and a copy of one that a test may damage."""

from __future__ import annotations

import shutil

import pytest

from hounsfield.infer.bundle import read_bundle


@pytest.fixture
def bundle_of(finished_run):
    """`bundle_of(arm)` reads the bundle of one arm of the finished run."""
    return lambda arm: read_bundle(finished_run.out / "bundles" / arm)


@pytest.fixture
def copied(finished_run, tmp_path):
    """A copy of the bundle of arm auto_mask."""
    return shutil.copytree(finished_run.out / "bundles" / "auto_mask", tmp_path / "auto_mask")
