"""Where a model predicts: a device's name in, the name of one that is there out."""

from __future__ import annotations

import torch

from hounsfield.core.errors import RunError


def device_of(name: str) -> str:
    """auto becomes cuda where there is one, else cpu; any other name is checked.

    Raises: RunError for a device that torch does not know or that is not there.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise RunError(f"there is no kind of device '{name}'; take auto, cpu, cuda, cuda:1 or mps.") from error
    there = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not there.get(device.type, False):
        raise RunError(f"device '{name}' was asked for, but torch sees none on this machine; take auto or cpu.")
    return name
