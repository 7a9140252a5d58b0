"""Probabilities of a two-class network made true on the validation part: network and cases in, its last layer moved.

A loss of pairs fixes the order of outputs and nothing else: the same may be added to all of them, and the network of
each fold ends elsewhere. Pooled figures, means of fold models and a threshold need outputs that mean the same, so a
logistic curve of the logits' difference is fitted (Platt's scaling) and folded into the last linear layer. The order of
cases stays.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import minimize
from torch import nn

from hounsfield.core.errors import RunError
from hounsfield.core.types import FloatArray, IntArray
from hounsfield.data.batches import Tensors
from hounsfield.data.two_inputs import TwoInputs

_SLOPE = (0.01, 100.0)  # above 0, so that the order stays


def calibrate(network: nn.Module, validation: Tensors, *, batch_size: int = 16) -> tuple[float, float]:
    """Moves the last linear layer so that its probabilities fit `validation`.

    Args:
        network: two class logits first; on the CPU, in evaluation mode.
        validation: N cases with labels 0 and 1, of both classes.
    Returns: slope and offset of the curve, in logits.
    Raises: RunError when there is no such layer, or no label.
    """
    layer = _last_linear(network)
    if validation.label is None:
        raise RunError("calibration needs the labels of the validation part; give Tensors(label=...).")
    lead = leads(network, validation, batch_size=batch_size)
    slope, offset = platt(lead, validation.label.cpu().numpy())
    with torch.no_grad():
        layer.weight[:2] *= slope
        layer.bias[:2] *= slope
        layer.bias[1] += offset
    return slope, offset


def platt(lead: FloatArray, label: IntArray) -> tuple[float, float]:
    """Slope and offset of the logistic curve that fits `label` best.

    As in the source a case counts as 1 or 0 only nearly, by one case more of either class: a part that is told apart
    without error would else have an endless slope.

    Args:
        lead: (N,) logit of class 1 less that of class 0. label: (N,) 0 or 1.
    Source: Platt, Advances in Large Margin Classifiers, 1999, section 2.2.
    """
    middle, spread = float(np.mean(lead)), float(np.std(lead)) or 1.0
    positive = np.asarray(label) == 1
    aim = np.where(positive, (positive.sum() + 1) / (positive.sum() + 2), 1 / ((~positive).sum() + 2))

    def loss(values: FloatArray) -> float:
        score = values[0] * (lead - middle) / spread + values[1]
        return float((np.logaddexp(0, score) - aim * score).sum())

    bounds = [(_SLOPE[0] * spread, _SLOPE[1] * spread), (-30, 30)]
    steep, height = minimize(loss, np.array([1.0, 0.0]), method="L-BFGS-B", bounds=bounds).x
    return float(steep / spread), float(height - steep * middle / spread)


def leads(network: nn.Module, cases: Tensors, *, batch_size: int = 16) -> FloatArray:
    """(N,) logit of class 1 less that of class 0."""
    parts = []
    with torch.inference_mode():
        for index in torch.split(torch.arange(len(cases)), batch_size):
            part = cases.take(index)
            lungs = part.lungs if isinstance(part, TwoInputs) else None
            scores = network(part.image.float()) if lungs is None else network(part.image.float(), lungs.float())
            parts.append((scores[:, 1] - scores[:, 0]).double())
    return np.asarray(torch.cat(parts).numpy(), dtype=np.float64)


def _last_linear(network: nn.Module) -> nn.Linear:
    linear = [module for module in network.modules() if isinstance(module, nn.Linear) and module.bias is not None]
    if not linear or linear[-1].out_features < 2:
        raise RunError(f"{type(network).__name__} ends with no linear layer of two classes and can't be calibrated.")
    return linear[-1]
