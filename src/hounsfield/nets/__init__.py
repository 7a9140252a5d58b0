"""Networks: tensors in, tensors out, one architecture a file.

A new file with `@networks.add("name")` is found without an edit here: the first look-up imports the neighbours once.
Importing this package alone loads no torch.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

__all__ = ["build", "names"]


def names() -> tuple[str, ...]:
    """Names of all networks."""
    known: tuple[str, ...] = _all().names()
    return known


def build(name: str, settings: Mapping[str, Any] | None = None, *, seed: int) -> nn.Module:
    """A freshly initialised network.

    Args:
        name: as given to `networks.add`.
        settings: values of the network's configuration that differ from its defaults.
        seed: of the initial weights; the caller's random state stays as it was.
    Raises: StudyError for an unknown name; pydantic's ValidationError (a ValueError) for a wrong setting.
    """
    import torch

    kind = _all().get(name)
    config = kind.Config.model_validate(dict(settings or {}))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network: nn.Module = kind(config)
    return network


def _all() -> Any:
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return importlib.import_module(f"{__name__}.registry").networks
