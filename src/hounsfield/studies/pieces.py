"""One piece of a run: one arm trained on one fold with one seed, and what it predicts for validation and test.

A piece is stored as a folder (`piece_files`); a run is resumed by skipping the pieces it has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from hounsfield.core.errors import StudyError
from hounsfield.core.seeds import derive
from hounsfield.core.types import AnyArray, BoolArray, FloatArray, IntArray
from hounsfield.data.batches import Tensors
from hounsfield.data.two_inputs import TwoInputs
from hounsfield.fit.arrangements import ArrangementSettings, Stages, train_arm
from hounsfield.fit.features import fit_features
from hounsfield.fit.named import train_network
from hounsfield.fit.selection import Selection, fit_selected
from hounsfield.fit.training import CLASSIFIER
from hounsfield.infer.inputs import RADIOMIC
from hounsfield.infer.measure import MeasureCubes
from hounsfield.infer.model import FEATURES, IMAGE, MIX, SEGMENTER, Cubes, Model, mixer_table
from hounsfield.infer.weights import read_weights
from hounsfield.nets.dilated_unet import DilatedUnetConfig
from hounsfield.nets.feature_model import FeatureModel
from hounsfield.nets.nodule_classifier import NoduleClassifierConfig
from hounsfield.stats.overlap import assd, dice
from hounsfield.studies.cohort import Cohort
from hounsfield.studies.piece_files import Trained, model_of
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
    lungs = {} if cohort.extra is None else {name: grid[keep] for name, grid in cohort.extra.lungs.items()}
    return Cubes(cohort.prepared.images[keep], masks, cohort.table(keep), lungs)


def train_piece(bench: Bench, name: str, arm: Arm) -> Trained:
    """Trains one arm; stages already trained for another arm of the bench are used as they are."""
    if arm.kind == "features":
        return _features(bench, arm)
    if arm.kind == "fusion":
        return _fusion(bench, arm)
    if arm.kind == "radiomics":
        return _radiomics(bench, arm)
    if arm.names_network:
        return _named_network(bench, name, arm)
    trained = train_arm(arm.kind, bench.stages)
    networks = {IMAGE: trained.network}
    model = model_of(bench.study, bench.target, arm, networks, {})
    bench.models[name] = model
    return Trained(model, trained.histories)


def _features(bench: Bench, arm: Arm) -> Trained:
    networks = _segmenter(bench) if arm.mask == "auto" else {}
    fitted = _fit(bench, arm, networks)
    return Trained(model_of(bench.study, bench.target, arm, networks, {FEATURES: fitted}), {})


def _radiomics(bench: Bench, arm: Arm) -> Trained:
    """A few features chosen in the training part; what was chosen, and in which direction, goes into the history."""
    table = radiomic_table(bench.cohort.table(bench.train), arm.features)
    model, chosen = fit_selected(
        table,
        bench.cohort.labels[bench.target][bench.train],
        patient_id=bench.cohort.patient_id[bench.train],
        classes=len(bench.study.targets[bench.target].classes),
        config=arm.selection or Selection(),
        seed=derive(bench.unit.seed, "radiomics"),
    )
    picked = [
        {"feature": one, "weight": float(weight)} for one, weight in zip(chosen.features, chosen.weight, strict=True)
    ]
    return Trained(model_of(bench.study, bench.target, arm, {}, {FEATURES: model}), {}, picked)


def radiomic_table(table: Mapping[str, FloatArray], patterns: Sequence[str]) -> dict[str, FloatArray]:
    """The features that a pattern holds (`radiomics.*`) and none with a `!` before it does (`!radiomics.shell_*`)."""
    wanted = [one for one in patterns if not one.startswith("!")] or [f"{RADIOMIC}*"]
    unwanted = [one[1:] for one in patterns if one.startswith("!")]
    return {
        name: values
        for name, values in table.items()
        if any(fnmatchcase(name, one) for one in wanted) and not any(fnmatchcase(name, one) for one in unwanted)
    }


def _named_network(bench: Bench, name: str, arm: Arm) -> Trained:
    """A network by name, trained on lesion cubes, or on these and the lungs."""
    lungs = arm.lungs if arm.kind == "two_inputs" else None
    fitted = train_network(
        arm.network,
        arm.settings,
        arm.training or CLASSIFIER,
        *(
            seen(bench.cohort, part, bench.cohort.labels[bench.target], lungs)
            for part in (bench.train, bench.validation)
        ),
        classes=len(bench.study.targets[bench.target].classes),
        weights=read_weights(Path(arm.weights)) if arm.weights else None,
        device=bench.device,
        seed=bench.unit.seed,
        folder=None if bench.stages.folder is None else bench.stages.folder / name,
        label=name,
        progress=bench.stages.progress,
    )
    model = model_of(bench.study, bench.target, arm, {IMAGE: fitted.network}, {})
    bench.models[name] = model
    return Trained(model, {name: fitted.history})


def seen(cohort: Cohort, keep: BoolArray, label: IntArray, lungs: str | None) -> Tensors:
    """The cases of `keep` as a named network takes them: no outline, and the lungs where it sees them."""
    image = torch.from_numpy(cohort.prepared.images[keep])[:, None]
    classes = torch.from_numpy(np.asarray(label)[keep])
    if lungs is None:
        return Tensors(image, None, classes)
    if cohort.extra is None or lungs not in cohort.extra.lungs:
        raise StudyError("an arm of two inputs needs the lungs; add inputs.lungs to the study.")
    return TwoInputs(image, None, classes, None, torch.from_numpy(cohort.extra.lungs[lungs][keep])[:, None])


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
    table: Mapping[str, FloatArray] = bench.cohort.table(bench.train)
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
