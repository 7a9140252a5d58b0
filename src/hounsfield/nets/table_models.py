"""Models of measured features by name; a new one is one file and a line here. A table in, probabilities out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from hounsfield.core.errors import BundleError
from hounsfield.core.registry import nearest
from hounsfield.core.types import AnyArray, FloatArray
from hounsfield.nets.feature_model import FeatureModel
from hounsfield.nets.forest_model import ForestModel
from hounsfield.nets.kernel_model import KernelModel


class TableModel(Protocol):
    """What a model of measured features can do."""

    @property
    def features(self) -> tuple[str, ...]: ...

    def prob(self, table: Mapping[str, FloatArray]) -> FloatArray: ...

    def arrays(self) -> dict[str, FloatArray]: ...


KINDS: dict[str, type[FeatureModel | ForestModel | KernelModel]] = {
    "logistic": FeatureModel,
    "forest": ForestModel,
    "svm": KernelModel,
}


def kind_of(model: TableModel) -> str:
    """The name of a model's kind."""
    return next(name for name, kind in KINDS.items() if isinstance(model, kind))


def build(kind: str, features: tuple[str, ...], arrays: Mapping[str, AnyArray]) -> TableModel:
    """A stored model.

    Raises: BundleError for an unknown kind; TypeError when arrays are missing or too many.
    """
    if kind not in KINDS:
        raise BundleError(f"there is no model of features '{kind}'.{nearest(kind, KINDS)} Update the package.")
    return KINDS[kind](features, **arrays)
