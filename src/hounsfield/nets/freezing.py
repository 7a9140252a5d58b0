"""Weights that stay and weights that move slowly. In: a network and names of its parts; out: the same network frozen
there, or its weights in groups with a factor on the learning rate each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from torch import nn

from hounsfield.core.errors import StudyError
from hounsfield.core.registry import nearest

Network = TypeVar("Network", bound="Freezable")


class Freezable(nn.Module):
    """A network of which parts can be frozen: no gradient, and batch normalisation as in evaluation, for good."""

    def __init__(self) -> None:
        super().__init__()
        self.frozen: tuple[str, ...] = ()  # names of parts, as `get_submodule` knows them

    def train(self: Network, mode: bool = True) -> Network:
        """As in torch, but frozen parts stay in evaluation mode: their running statistics must not move."""
        super().train(mode)
        for name in self.frozen:
            self.get_submodule(name).eval()
        return self


def freeze(network: Freezable, parts: Sequence[str]) -> None:
    """Freezes exactly these parts (others thaw); names are those of `named_modules`, e.g. layer1 or local.layer1.

    Raises: StudyError for a part that the network lacks.
    """
    known = [name for name, _ in network.named_modules() if name]
    for name in parts:
        if name not in known:
            raise StudyError(f"the network has no part '{name}' to freeze.{nearest(name, known)}")
    for module in network.modules():
        if isinstance(module, Freezable):
            module.frozen = ()
    network.frozen = tuple(parts)
    network.requires_grad_(True)
    for name in parts:
        network.get_submodule(name).requires_grad_(False)
    network.train(network.training)


def rate_groups(network: nn.Module, factors: Mapping[str, float]) -> list[dict[str, Any]]:
    """The weights that are trained, in one group a factor on the learning rate, as optimisers take them.

    Args:
        factors: factor by the beginning of a weight's name, whole words between dots; the longest that fits counts,
            "" fits all, and a weight that none fits has factor 1. {"": 0.1, "fc": 1} trains the head ten times faster.
    Returns: groups with the keys params and factor, in the order in which the factors are first met.
    Raises: StudyError for a beginning that no weight of the network has, and when nothing is left to train.
    """
    names = [name for name, _ in network.named_parameters()]
    for start in factors:
        if not any(_begins(name, start) for name in names):
            heads = {".".join(name.split(".")[:depth]) for name in names for depth in (1, 2)}
            raise StudyError(f"rates: no weight's name begins with '{start}'.{nearest(start, heads)}")
    groups: dict[float, list[nn.Parameter]] = {}
    for name, weight in network.named_parameters():
        if weight.requires_grad:
            fitting = [start for start in factors if _begins(name, start)]
            factor = factors[max(fitting, key=len)] if fitting else 1.0
            groups.setdefault(factor, []).append(weight)
    if not groups:
        raise StudyError("every weight of the network is frozen; leave at least the head to train.")
    return [{"params": weights, "factor": factor} for factor, weights in groups.items()]


def _begins(name: str, start: str) -> bool:
    return start == "" or name == start or name.startswith(f"{start}.")
