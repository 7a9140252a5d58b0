"""A piece of a run as a folder, written whole or not at all, and read again as a model.

`predictions.parquet`, `weights.safetensors`, `member.json` (what networks and features the weights belong to),
`history.json`, and `features.json` where features were chosen.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors.numpy import load_file, save_file
from torch import nn

from hounsfield import nets
from hounsfield.core.atomic import atomic_folder, write_json
from hounsfield.core.errors import StudyError
from hounsfield.core.types import AnyArray
from hounsfield.infer.bundle import NetworkPart
from hounsfield.infer.model import Model, assemble
from hounsfield.nets.registry import networks
from hounsfield.nets.table_models import TableModel, kind_of
from hounsfield.studies.study import Arm, Study


@dataclass(frozen=True)
class Trained:
    """What training an arm gives: the model, the histories of its stages by name, the features that it chose."""

    model: Model
    histories: Mapping[str, list[dict[str, Any]]]
    chosen: Sequence[Mapping[str, Any]] = ()


def model_of(
    study: Study,
    target: str,
    arm: Arm,
    networks: Mapping[str, nn.Module],
    features: Mapping[str, TableModel],
) -> Model:
    """An arm's parts as a model that predicts."""
    image = study.arms[arm.image].kind if arm.kind == "fusion" else None
    return Model(
        kind=arm.kind,
        classes=len(study.targets[target].classes),
        networks=networks,
        features=features,
        mask=arm.mask,
        fill=study.networks.fill,
        flips=study.networks.flips,
        image_kind=image,
        lungs=arm.lungs,
    )


def store_piece(folder: Path, trained: Trained, predictions: pd.DataFrame) -> None:
    """Writes a piece, whole or not at all."""
    model = trained.model
    flat = {f"{part}.{key}": value for part, keys in weights_of(model).items() for key, value in keys.items()}
    networks = {part: network_part(network).model_dump(mode="json") for part, network in model.networks.items()}
    member = {"networks": networks, "features": {part: list(fed.features) for part, fed in model.features.items()}}
    member["classifiers"] = {part: kind_of(fed) for part, fed in model.features.items()}
    with atomic_folder(folder) as temporary:
        predictions.to_parquet(temporary / "predictions.parquet", index=False)
        save_file(flat, temporary / "weights.safetensors")
        write_json(temporary / "member.json", member)
        write_json(temporary / "history.json", dict(trained.histories))
        if trained.chosen:
            write_json(temporary / "features.json", list(trained.chosen))


def weights_of(model: Model) -> dict[str, dict[str, AnyArray]]:
    """The arrays of a model by part and key, as bundles store them."""
    weights: dict[str, dict[str, AnyArray]] = {}
    for part, network in model.networks.items():
        weights[part] = {key: np.ascontiguousarray(value.cpu().numpy()) for key, value in network.state_dict().items()}
    for part, fed in model.features.items():
        weights[part] = {key: np.ascontiguousarray(value) for key, value in fed.arrays().items()}
    return weights


def load_piece(folder: Path, study: Study, target: str, arm: Arm) -> Model:
    """The model of a stored piece."""
    networks, features, classifiers = parts_of_piece(folder)
    built, fitted = assemble(networks, features, piece_weights(folder), classifiers)
    return model_of(study, target, arm, built, fitted)


def parts_of_piece(folder: Path) -> tuple[dict[str, NetworkPart], dict[str, list[str]], dict[str, str]]:
    """What networks, features and kinds of classifiers the weights of a stored piece belong to."""
    member = read_json(folder / "member.json")
    networks = {part: NetworkPart.model_validate(how) for part, how in member["networks"].items()}
    features = {part: list(fed) for part, fed in member["features"].items()}
    return networks, features, dict(member.get("classifiers", {}))


def piece_weights(folder: Path) -> dict[str, dict[str, AnyArray]]:
    """The arrays of a stored piece by part and key."""
    weights: dict[str, dict[str, AnyArray]] = {}
    for key, value in load_file(folder / "weights.safetensors").items():
        part, _, name = key.partition(".")
        weights.setdefault(part, {})[name] = value
    return weights


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def network_part(network: nn.Module) -> NetworkPart:
    """The name by which `nets.build` knows this network, and its settings."""
    for name in nets.names():
        if isinstance(network, networks.get(name)):
            return NetworkPart(network=name, settings=network.config.model_dump(mode="json"))
    raise StudyError(f"{type(network).__name__} is not among the registered networks; add it with @networks.add.")
