"""Hounsfield: from a folder of DICOM to a validated, localised CAD model, and its findings back in DICOM.

Every name below is loaded when it is first used, so that `import hounsfield` loads neither torch nor MONAI.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "read_volume": "hounsfield.volume.read",
    "read_mask": "hounsfield.volume.read",
    "write_volume": "hounsfield.volume.write",
    "read_cases": "hounsfield.tables.cases",
    "read_predictions": "hounsfield.tables.predictions",
    "auc": "hounsfield.stats.auc",
    "dice": "hounsfield.stats.overlap",
}

if TYPE_CHECKING:
    from hounsfield.stats.auc import auc
    from hounsfield.stats.overlap import dice
    from hounsfield.tables.cases import read_cases
    from hounsfield.tables.predictions import read_predictions
    from hounsfield.volume.read import read_mask, read_volume
    from hounsfield.volume.write import write_volume

__all__ = ["__version__", "auc", "dice", "read_cases", "read_mask", "read_predictions", "read_volume", "write_volume"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'hounsfield' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)
