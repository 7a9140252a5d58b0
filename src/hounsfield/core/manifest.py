"""What a run must write down so that it can be repeated: versions, machine, seed, settings, fingerprints."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import Any

from hounsfield.core.engine import cores

_PACKAGES = (
    "hounsfield",
    "numpy",
    "scipy",
    "torch",
    "monai",
    "SimpleITK",
    "pydicom",
    "highdicom",
    "scikit-learn",
    "pandas",
)


def environment() -> dict[str, Any]:
    """Versions of Python and the packages that move numbers, kind of machine, cores in use; no host or user name."""
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return {
        "python": platform.python_version(),
        "packages": versions,
        "machine": platform.machine(),
        "system": platform.system(),
        "cores": cores(),
    }
