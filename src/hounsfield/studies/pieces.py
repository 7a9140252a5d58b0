"""One piece of a run: one arm trained on one fold with one seed, and what it predicts for validation and test.

A piece is a folder that is there whole or not at all: `predictions.parquet`, `weights.safetensors`, `member.json`
(what networks and features the weights belong to) and `history.json`. A run is resumed by skipping the pieces it has.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors.numpy import load_file, save_file
from torch import nn

from hounsfield import nets
from hounsfield.core.atomic import atomic_folder, write_json
from hounsfield.core.errors import StudyError
from hounsfield.core.seeds import derive
from hounsfield.core.types import AnyArray, BoolArray, FloatArray
from hounsfield.data.batches import Tensors
from hounsfield.fit.arrangements import ArrangementSettings, Stages, train_arm
from hounsfield.fit.features import fit_features
from hounsfield.infer.bundle import NetworkPart
from hounsfield.infer.measure import MeasureCubes
from hounsfield.infer.model import FEATURES, IMAGE, MIX, SEGMENTER, Cubes, Model, assemble, mixer_table
from hounsfield.nets.dilated_unet import DilatedUnetConfig
from hounsfield.nets.feature_model import FeatureModel
from hounsfield.nets.nodule_classifier import NoduleClassifierConfig
from hounsfield.nets.registry import networks
from hounsfield.stats.overlap import assd, dice
from hounsfield.studies.cohort import Cohort
from hounsfield.studies.study import Arm, Study


@dataclass(frozen=True)
class Unit:
    """One fold of one split with one seed."""

    repetition: int
    fold: int
    seed: int

    @property
    def name(self) -> str:
        return f"r{self.repetition}-f{self.fold}-s{self.seed}"


@dataclass(frozen=True)
class Trained:
    """What training an arm gives: the model, the histories of its stages by name."""

    model: Model
    histories: Mapping[str, list[dict[str, Any]]]


@dataclass
class Bench:
    """Everything that the pieces of one unit and target share.

    Attributes:
        stages: shared trainings; arms that need the same stage get the same weights.
        train, validation, test: (N,) membership, only cases that belong to the target's classes.
    """

    study: Study
    cohort: Cohort
    unit: Unit
    target: str
    stages: Stages
    train: BoolArray
    validation: BoolArray
    test: BoolArray
    device: str
    models: dict[str, Model]

    @property
    def measure(self) -> MeasureCubes:
        return MeasureCubes(self.study.preparation)


def tensors(cohort: Cohort, keep: BoolArray, label: AnyArray | None) -> Tensors:
    """The cases of `keep` as the trainings take them."""
    image = torch.from_numpy(cohort.prepared.images[keep])[:, None]
    mask = torch.from_numpy(cohort.prepared.masks[keep])[:, None] if cohort.prepared.has_mask[keep].all() else None
    ratings = None if cohort.ratings is None else torch.from_numpy(cohort.ratings[keep])
    return Tensors(image, mask, None if label is None else torch.from_numpy(np.asarray(label)[keep]), ratings)


def settings_of(study: Study, device: str, *, ratings: bool = True) -> ArrangementSettings:
    """The study's networks and trainings in the form that the arrangements take; without `ratings` none are learnt."""
    changes: dict[str, Any] = {"device": device} | ({} if ratings else {"auxiliary_weight": 0.0})
    trainings = {name: training.model_copy(update=changes) for name, training in dict(study.training).items()}
    return ArrangementSettings(
        unet=DilatedUnetConfig.model_validate(study.networks.segmenter),
        network=NoduleClassifierConfig.model_validate(study.networks.classifier),
        fill=study.networks.fill,
        **trainings,
    )


def cubes_of(cohort: Cohort, keep: BoolArray) -> Cubes:
    """The cases of `keep` as a model predicts them."""
    has_mask = bool(cohort.prepared.has_mask[keep].all())
    masks = cohort.prepared.masks[keep] if has_mask else None
    return Cubes(cohort.prepared.images[keep], masks, cohort.prepared.table(keep))


def train_piece(bench: Bench, name: str, arm: Arm) -> Trained:
    """Trains one arm; stages already trained for another arm of the bench are used as they are."""
    if arm.kind == "features":
        return _features(bench, arm)
    if arm.kind == "fusion":
        return _fusion(bench, arm)
    trained = train_arm(arm.kind, bench.stages)
    networks = {IMAGE: trained.network}
    model = model_of(bench.study, bench.target, arm, networks, {})
    bench.models[name] = model
    return Trained(model, trained.histories)


def _features(bench: Bench, arm: Arm) -> Trained:
    networks = _segmenter(bench) if arm.mask == "auto" else {}
    fitted = _fit(bench, arm, networks)
    return Trained(model_of(bench.study, bench.target, arm, networks, {FEATURES: fitted}), {})


def _fusion(bench: Bench, arm: Arm) -> Trained:
    """The features' model of the training part and the network are mixed by weights fitted on the validation part.

    Both were fitted on the training part and are too sure of themselves there; the validation part shows how much
    each is worth. The mixer has two weights and a bias a class, so that little is used up of that part.
    """
    networks = {IMAGE: bench.models[arm.image].networks[IMAGE]} | (_segmenter(bench) if arm.mask == "auto" else {})
    parts = {FEATURES: _fit(bench, arm, networks)}
    keep = bench.validation
    if len(np.unique(bench.cohort.labels[bench.target][keep])) < 2:
        raise StudyError(
            f"the validation part of fold {bench.unit.fold} holds one class only, and the mix of network and features "
            "is weighed there; give more patients."
        )
    cubes, device = cubes_of(bench.cohort, keep), bench.device
    image = bench.models[arm.image].predict(cubes, measure=bench.measure, device=device)
    alone = model_of(bench.study, bench.target, arm.model_copy(update={"kind": "features"}), networks, parts)
    feature = alone.predict(cubes, measure=bench.measure, device=device)
    table = mixer_table(feature.prob, image.prob)
    parts[MIX] = _fit_table(bench, table, tuple(table), keep)
    return Trained(model_of(bench.study, bench.target, arm, networks, parts), {})


def _fit(bench: Bench, arm: Arm, networks: Mapping[str, nn.Module]) -> FeatureModel:
    table: Mapping[str, FloatArray] = bench.cohort.prepared.table(bench.train)
    if arm.mask == "auto":
        soft = bench.stages.soft_mask(tensors(bench.cohort, bench.train, None))[:, 0].numpy()
        table = bench.measure(bench.cohort.prepared.images[bench.train], soft)
    return _fit_table(bench, table, tuple(arm.features), bench.train)


def _fit_table(
    bench: Bench, table: Mapping[str, FloatArray], features: tuple[str, ...], keep: BoolArray
) -> FeatureModel:
    return fit_features(
        table,
        bench.cohort.labels[bench.target][keep],
        features=features,
        patient_id=bench.cohort.patient_id[keep],
        classes=len(bench.study.targets[bench.target].classes),
        seed=derive(bench.unit.seed, "features"),
    )


def _segmenter(bench: Bench) -> dict[str, nn.Module]:
    return {SEGMENTER: bench.stages.segmenter.network}


def model_of(
    study: Study,
    target: str,
    arm: Arm,
    networks: Mapping[str, nn.Module],
    features: Mapping[str, FeatureModel],
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
    )


def predict_piece(bench: Bench, name: str, model: Model) -> pd.DataFrame:
    """Predictions of the validation and the test part; the test part is opened here and nowhere else."""
    parts = []
    for split, keep in (("validation", bench.validation), ("test", bench.test)):
        if keep.any():
            parts.append(_rows(bench, name, model, split, keep))
    return pd.concat(parts, ignore_index=True)


def _rows(bench: Bench, name: str, model: Model, split: str, keep: BoolArray) -> pd.DataFrame:
    cohort, classes = bench.cohort, list(bench.study.targets[bench.target].classes)
    output = model.predict(cubes_of(cohort, keep), measure=bench.measure, device=bench.device)
    cases = [case for case, kept in zip(cohort.cases, keep, strict=True) if kept]
    frame = pd.DataFrame(
        {
            "case_id": [case.case_id for case in cases],
            "patient_id": [case.patient_id for case in cases],
            "site": [case.site for case in cases],
            "arm": name,
            "split": split,
            "repetition": bench.unit.repetition,
            "fold": bench.unit.fold,
            "seed": bench.unit.seed,
            "target": bench.target,
            "label": [classes[index] for index in cohort.labels[bench.target][keep]],
        }
    )
    for column, prob in zip(classes, output.prob.T, strict=True):
        frame[f"prob_{column}"] = prob
    if output.mask is not None and cohort.prepared.has_mask[keep].all():
        spacing = bench.study.preparation.spacing_mm
        pairs = list(zip(cohort.prepared.masks[keep] > 0, output.mask >= 0.5, strict=True))
        frame["dice"] = [dice(reference, drawn) for reference, drawn in pairs]
        frame["asd_mm"] = [assd(reference, drawn, spacing_mm=spacing) for reference, drawn in pairs]
    return frame


def store_piece(folder: Path, trained: Trained, predictions: pd.DataFrame) -> None:
    """Writes a piece, whole or not at all."""
    model = trained.model
    flat = {f"{part}.{key}": value for part, keys in weights_of(model).items() for key, value in keys.items()}
    networks = {part: network_part(network).model_dump(mode="json") for part, network in model.networks.items()}
    member = {"networks": networks, "features": {part: list(fed.features) for part, fed in model.features.items()}}
    with atomic_folder(folder) as temporary:
        predictions.to_parquet(temporary / "predictions.parquet", index=False)
        save_file(flat, temporary / "weights.safetensors")
        write_json(temporary / "member.json", member)
        write_json(temporary / "history.json", dict(trained.histories))


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
    built, fitted = assemble(*parts_of_piece(folder), read_weights(folder))
    return model_of(study, target, arm, built, fitted)


def parts_of_piece(folder: Path) -> tuple[dict[str, NetworkPart], dict[str, list[str]]]:
    """What networks and features the weights of a stored piece belong to."""
    member = read_json(folder / "member.json")
    networks = {part: NetworkPart.model_validate(how) for part, how in member["networks"].items()}
    return networks, {part: list(fed) for part, fed in member["features"].items()}


def read_weights(folder: Path) -> dict[str, dict[str, AnyArray]]:
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
