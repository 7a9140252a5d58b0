"""One trained model applied to prepared cubes: probabilities and, where the model has a segmenter, soft masks out.

A study predicts its test part with this same code as `hounsfield predict` does new cases with a bundle, so that what
was validated is what is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

from hounsfield import nets
from hounsfield.core.errors import BundleError, MaskError
from hounsfield.core.types import AnyArray, FloatArray
from hounsfield.infer.bundle import Bundle, BundleCard, Member, NetworkPart
from hounsfield.infer.measure import MeasureCubes
from hounsfield.nets import table_models
from hounsfield.nets.apply import apply
from hounsfield.nets.apply_two import apply_two
from hounsfield.nets.feature_model import FeatureModel, log_odds, names_of
from hounsfield.nets.table_models import TableModel

IMAGE, SEGMENTER, FEATURES, MIX = "image", "segmenter", "features", "mix"  # names of the parts of a member


@dataclass(frozen=True)
class Cubes:
    """N prepared cases.

    Attributes:
        image: (N, z, y, x) float32 scaled to [-1, 1].
        mask: (N, z, y, x) expert's outline on the same grid, or None.
        table: features, (N,) each: measured on the expert's outline, where there is one, and those of `inputs`.
        lungs: (N, z, y, x) scaled to [-1, 1], by content: image or mask; empty where no model needs them.
    """

    image: FloatArray
    mask: AnyArray | None = None
    table: Mapping[str, FloatArray] = field(default_factory=dict)
    lungs: Mapping[str, AnyArray] = field(default_factory=dict)


@dataclass(frozen=True)
class Output:
    """(N, C) probabilities and (N, z, y, x) soft masks, the latter None for a model that draws none."""

    prob: FloatArray
    mask: FloatArray | None


@dataclass(frozen=True)
class Model:
    """The parts of one trained model.

    Attributes:
        kind: of the arm, see `BundleCard`.
        networks: IMAGE gives class logits, SEGMENTER the mask where IMAGE gives none.
        features: FEATURES is fed the measured features, MIX the log odds of FEATURES and IMAGE.
        mask: whose outline the features are measured on.
        image_kind: of a fusion, the kind of the arm that IMAGE was trained as: it is fed what it was trained on.
        lungs: content of the lungs that a network of two inputs was trained on.
    """

    kind: str
    classes: int
    networks: Mapping[str, nn.Module]
    features: Mapping[str, TableModel]
    mask: str = "expert"
    fill: str = "zero"
    flips: bool = False
    image_kind: str | None = None
    lungs: str = "image"

    def predict(self, cubes: Cubes, *, measure: MeasureCubes, device: str = "auto", batch_size: int = 32) -> Output:
        """Applies the model.

        Args:
            device: auto takes the first CUDA device, or the CPU where there is none.
            measure: features of N cubes under N soft masks; used when features are taken from the automatic outline.
        Raises: MaskError when the model needs the expert's outline and there is none.
        """
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        soft = self._soft(cubes, device, batch_size)
        if self.kind in ("features", "radiomics"):
            return Output(self._feature_prob(cubes, soft, measure), soft)
        image_prob, own = self._image_prob(cubes, device, batch_size)
        drawn = own if own is not None else soft
        if self.kind != "fusion":
            return Output(image_prob, drawn)
        # Features are measured on the outline that they were fitted on, SEGMENTER's, whatever IMAGE draws.
        mixed = mixer_table(self._feature_prob(cubes, soft, measure), image_prob)
        return Output(self.features[MIX].prob(mixed), drawn)

    def _soft(self, cubes: Cubes, device: str, batch_size: int) -> FloatArray | None:
        if SEGMENTER not in self.networks:
            return None
        mask = apply(
            _placed(self.networks[SEGMENTER], device), _tensor(cubes.image), flips=self.flips, batch_size=batch_size
        ).mask
        return None if mask is None else mask.numpy()

    def _image_prob(self, cubes: Cubes, device: str, batch_size: int) -> tuple[FloatArray, FloatArray | None]:
        laid, kind = None, self.image_kind or self.kind
        if kind == "two_inputs":
            return self._two_inputs_prob(cubes, device), None
        if kind == "expert_mask":
            if cubes.mask is None:
                raise MaskError("this model was trained under an expert's outline and the cases have none; add masks.")
            laid = _tensor(cubes.mask)
        found = apply(
            _placed(self.networks[IMAGE], device),
            _tensor(cubes.image),
            laid,
            classes=self.classes,
            fill="air" if self.fill == "air" else "zero",
            flips=self.flips,
            batch_size=batch_size,
        )
        if found.prob is None:
            raise BundleError("the part 'image' of this bundle gives no class; the bundle is damaged.")
        return found.prob.double().numpy(), None if found.mask is None else found.mask.numpy()

    def _two_inputs_prob(self, cubes: Cubes, device: str) -> FloatArray:
        if self.lungs not in cubes.lungs:
            raise MaskError("this model sees the lungs beside the lesion and the cases have none; give whole chest CT.")
        network = _placed(self.networks[IMAGE], device)
        lungs = torch.from_numpy(cubes.lungs[self.lungs])[:, None]
        found = apply_two(network, _tensor(cubes.image), lungs, flips=self.flips).prob
        if found is None:
            raise BundleError("the part 'image' of this bundle gives no class; the bundle is damaged.")
        return np.asarray(found.double().numpy())

    def _feature_prob(self, cubes: Cubes, soft: FloatArray | None, measure: MeasureCubes) -> FloatArray:
        if self.mask == "auto":
            if soft is None:
                raise BundleError("features of the automatic outline need the part 'segmenter'; the bundle is damaged.")
            return self.features[FEATURES].prob(measure(cubes.image, soft))
        if cubes.mask is None and not names_of(self.features[FEATURES].features) <= set(cubes.table):
            raise MaskError("this model measures an expert's outline and the cases have none; add masks.")
        return self.features[FEATURES].prob(cubes.table)


def mixer_table(feature_prob: FloatArray, image_prob: FloatArray) -> dict[str, FloatArray]:
    """What a mixer is fed: log odds of either model against the first class, a column a further class."""
    table = {}
    for name, prob in ((FEATURES, feature_prob), (IMAGE, image_prob)):
        for number, column in enumerate(log_odds(prob).T, start=1):
            table[f"{name} {number}"] = column
    return table


def models_of(bundle: Bundle) -> list[Model]:
    """The bundle's members, ready to predict."""
    return [_model(bundle.card, member) for member in bundle.members]


def mean_output(outputs: list[Output]) -> Output:
    """Mean probability and mean soft mask of several members."""
    prob = np.mean([output.prob for output in outputs], axis=0)
    masks = [output.mask for output in outputs if output.mask is not None]
    return Output(prob, np.mean(masks, axis=0) if masks else None)


def assemble(
    networks: Mapping[str, NetworkPart],
    features: Mapping[str, list[str]],
    weights: Mapping[str, Mapping[str, AnyArray]],
    classifiers: Mapping[str, str] | None = None,
) -> tuple[dict[str, nn.Module], dict[str, TableModel]]:
    """Networks and feature models with their stored weights.

    Args:
        classifiers: kind of each feature model; logistic where not said.
    Raises: BundleError when weights and description do not belong together.
    """
    built, fitted = {}, {}
    try:
        for part, how in networks.items():
            network = nets.build(how.network, how.settings, seed=0)
            network.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in weights[part].items()})
            built[part] = network.eval()
        for part, fed in features.items():
            fitted[part] = table_models.build((classifiers or {}).get(part, "logistic"), tuple(fed), weights[part])
            _require_shapes(fitted[part])
    except (RuntimeError, KeyError, TypeError, ValueError) as error:  # ValueError: settings that no network takes
        raise BundleError("the stored weights do not fit their networks; copy the folder anew.") from error
    return built, fitted


def _require_shapes(model: TableModel) -> None:
    if not isinstance(model, FeatureModel):
        return
    count = len(model.features)
    sides = [getattr(model, name).shape for name in ("low", "high", "mean", "scale")]
    if any(side != (count,) for side in sides) or model.weight.shape != (len(model.bias), count):
        raise BundleError("a model of features holds arrays of other sizes than its features.")


def _model(card: BundleCard, member: Member) -> Model:
    own = member.card
    networks, features = assemble(own.networks, own.features, member.weights, own.classifiers)
    missing = _parts_needed(card) - set(networks) - set(features)
    if missing:
        raise BundleError(f"a member lacks the part '{min(missing)}'; the bundle is damaged, copy it anew.")
    return Model(
        kind=card.kind,
        classes=len(card.classes),
        networks=networks,
        features=features,
        mask=card.mask,
        fill=card.fill,
        flips=card.flips,
        image_kind=card.image_kind,
        lungs=card.lungs,
    )


def _parts_needed(card: BundleCard) -> set[str]:
    needed = {"features": {FEATURES}, "radiomics": {FEATURES}, "fusion": {IMAGE, FEATURES, MIX}}.get(card.kind, {IMAGE})
    return needed | ({SEGMENTER} if card.kind in ("features", "fusion") and card.mask == "auto" else set())


def _placed(network: nn.Module, device: str) -> nn.Module:
    """The network on its device, in one memory layout: the order of additions follows the layout, so a network just
    trained and the same one read from a file would else differ in the last bits."""
    # torch's type stubs know only the two-dimensional memory formats
    network.to(device, memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    return network


def _tensor(array: AnyArray) -> torch.Tensor:
    """(N, z, y, x) to (N, 1, z, y, x) float32."""
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))[:, None]
