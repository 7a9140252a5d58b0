"""Where a trained network looks: a model and prepared cubes in, one map for each cube it is fed out (Grad-CAM).

The map is of the positive class, the last: the channels of the last stage of convolutions, each weighted by the mean
gradient of the class's log odds, summed, and cut off below 0. It is as coarse as that stage (a voxel of it is 8 of the
cube, 32 in a ResNet that is not dilated), says nothing of how what lies there is judged, and nothing of what speaks
against the class.
Source: Selvaraju et al., "Grad-CAM", ICCV 2017, by MONAI's implementation; limits: Adebayo et al., "Sanity checks for
saliency maps", NeurIPS 2018.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from hounsfield import nets
from hounsfield.core.errors import StudyError
from hounsfield.core.types import AnyArray, FloatArray
from hounsfield.infer.device import device_of
from hounsfield.infer.model import IMAGE, Cubes, Model
from hounsfield.nets.cascade import Cascade
from hounsfield.nets.dual_path import DualPath
from hounsfield.nets.masking import Fill, apply_mask
from hounsfield.nets.nodule_classifier import NoduleClassifier
from hounsfield.nets.registry import networks
from hounsfield.nets.resnet3d import BackboneConfig, Resnet3d

LESION, LUNGS = "lesion", "lungs"  # the cubes a network may be fed
_KINDS = ("raw", "expert_mask", "auto_mask", "joint", "transfer", "network", "two_inputs")


def has_attention(model: Model) -> bool:
    """Whether maps of this model can be made: it is a network with a last stage of convolutions, of its own."""
    return model.kind in _KINDS and _layers(model.networks.get(IMAGE)) != {}


def attention_maps(model: Model, cubes: Cubes, *, device: str = "auto") -> dict[str, FloatArray]:
    """Grad-CAM of the last class for every cube that the model is fed.

    Args:
        cubes: N cases, as `Model.predict` takes them. The model itself is not changed.
    Returns: by LESION, and by LUNGS for a network of two inputs, (N, z, y, x) float32 on the grid of that cube in
        [0, 1]: each map divided by its own maximum, and 0 throughout where nothing speaks for the class. While one
        input of two is looked at, the other is fed as it is.
    Raises: StudyError for a model without such a network (see `has_attention`), or whose cubes lack what it is fed.
    """
    from monai.visualize.class_activation_maps import (
        GradCAM,
    )  # loads half of MONAI, seconds that predicting need not wait for

    if not has_attention(model):
        raise StudyError(f"an arm of kind {model.kind} has no network whose attention could be shown; take another.")
    place = device_of(device)
    network = copy.deepcopy(model.networks[IMAGE])  # the hooks stay on what they are put on
    network.to(place, memory_format=torch.contiguous_format)  # type: ignore[call-overload]  # as in `infer.model`
    network.eval()
    maps = {}
    for part, layer in _layers(network).items():
        face = _Face(network, part, model.classes)
        cam = GradCAM(face, f"network.{layer.name}", upsampler=layer.onto, postprocessing=lambda heat: heat)
        maps[part] = np.stack([_one(cam, face, model, cubes, at, place) for at in range(len(cubes.image))])
    return maps


def randomised(model: Model, *, seed: int) -> Model:
    """The same network with the weights of a fresh start: maps that look the same after it say nothing of training."""
    network: Any = model.networks[IMAGE]
    name = next(one for one in nets.names() if isinstance(network, networks.get(one)))
    fresh = nets.build(name, network.config.model_dump(), seed=seed)
    return replace(model, networks={**model.networks, IMAGE: fresh})


@dataclass(frozen=True)
class _Layer:
    """A stage of convolutions whose voxel i lies over voxel `first` + `step` * i of the cube."""

    name: str
    step: float
    first: float

    def onto(self, size: torch.Size) -> Callable[[torch.Tensor], torch.Tensor]:
        """The map (1, 1, z, y, x) of the stage on a cube of `size`, linear between its voxels."""

        def spread(heat: torch.Tensor) -> torch.Tensor:
            for axis, length in enumerate(size, start=2):
                count = heat.shape[axis]
                at = ((torch.arange(length, device=heat.device) - self.first) / self.step).clamp(0, count - 1)
                low = at.floor().long().clamp(max=max(count - 2, 0))
                share = (at - low).reshape([-1 if one == axis else 1 for one in range(heat.ndim)])
                high = (low + 1).clamp(max=count - 1)
                heat = heat.index_select(axis, low) * (1 - share) + heat.index_select(axis, high) * share
            return heat

        return spread


def _layers(network: nn.Module | None) -> dict[str, _Layer]:
    """The last stage of each path; empty for a network of another build."""
    if isinstance(network, Resnet3d):
        return {LESION: _stage("layer4", network.config)}
    if isinstance(network, DualPath):
        local, lungs = network.config.local, network.config.lungs
        return {LESION: _stage("local.layer4", local), LUNGS: _stage("lungs.layer4", lungs)}
    if isinstance(network, NoduleClassifier):
        return {LESION: _Layer("features", 8.0, 3.5)}  # three poolings by two, each over a pair of voxels
    if isinstance(network, Cascade):
        return {LESION: _Layer("classifier.features", 8.0, 3.5)}
    return {}


def _stage(name: str, config: BackboneConfig) -> _Layer:
    """Every stride of these networks keeps the even voxels, so the first voxel of a stage lies over the cube's."""
    return _Layer(name, 8.0 if config.dilated else 32.0, 0.0)


class _Face(nn.Module):
    """A network as a function of one of its inputs: log odds of the last class, (1, 1), out; the other input fixed."""

    def __init__(self, network: nn.Module, part: str, classes: int) -> None:
        super().__init__()
        self.network = network
        self.part, self.classes = part, classes
        self.other: torch.Tensor | None = None

    def forward(self, cube: torch.Tensor) -> torch.Tensor:
        if self.other is None:
            output = self.network(cube)
        else:
            output = self.network(cube, self.other) if self.part == LESION else self.network(self.other, cube)
        logits = (output[0] if isinstance(output, tuple) else output)[:, : self.classes].float()
        odds: torch.Tensor = logits[:, -1:] - torch.logsumexp(logits[:, :-1], dim=1, keepdim=True)
        return odds


def _one(cam: Any, face: _Face, model: Model, cubes: Cubes, at: int, device: str) -> FloatArray:
    """The map of one cube, divided by its maximum."""
    fed = _fed(model, cubes, at, device)
    face.other = fed.get(LUNGS if face.part == LESION else LESION)
    # A gradient of the input reaches stages whose weights are frozen as well.
    heat = cam(fed[face.part].requires_grad_(), class_idx=0)
    array: AnyArray = heat.detach().float().cpu().numpy()[0, 0]
    peak = float(array.max())
    return np.asarray(array / peak if np.isfinite(peak) and peak > 0 else np.zeros_like(array), dtype=np.float32)


def _fed(model: Model, cubes: Cubes, at: int, device: str) -> dict[str, torch.Tensor]:
    """What the network sees of case `at`: (1, 1, z, y, x) each."""
    lesion = _tensor(cubes.image[at], device)
    if model.kind == "expert_mask":
        if cubes.mask is None:
            raise StudyError("this network sees the lesion under its outline, and the cases have none; add masks.")
        fill: Fill = "air" if model.fill == "air" else "zero"
        lesion = apply_mask(lesion, _tensor(cubes.mask[at], device), fill=fill)
    if model.kind != "two_inputs":
        return {LESION: lesion}
    if model.lungs not in cubes.lungs:
        raise StudyError("this network sees the lungs beside the lesion, and the cases have none; give whole chest CT.")
    return {LESION: lesion, LUNGS: _tensor(cubes.lungs[model.lungs][at], device)}


def _tensor(array: AnyArray, device: str) -> torch.Tensor:
    return torch.from_numpy(np.array(array, dtype=np.float32))[None, None].to(device)
