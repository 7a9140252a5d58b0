"""The state of a training in one safetensors file, written whole or not at all.

Weights, Adam's moments and the best weights are its tensors; epoch, history and fingerprint are JSON in its header, so
that the two can never disagree after a crash. Nothing that is loaded can run code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from hounsfield.core.atomic import atomic_file
from hounsfield.core.errors import RunError

FILE = "training.safetensors"
Named = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Checkpoint:
    """A training between two epochs.

    Attributes:
        fingerprint: of settings, seed, data and initial weights; another training's checkpoint is refused.
        history: one dict of floats per epoch done.
        finished: nothing is left to do; `weights` and `adam` are then empty.
        weights, best: state dicts of the network now and at its best epoch.
        adam: the optimiser's state by parameter index, as in its own state dict.
    """

    fingerprint: str
    history: list[dict[str, Any]]
    finished: bool
    weights: Named
    best: Named
    adam: dict[int, Named]


def save(checkpoint: Checkpoint, folder: Path) -> None:
    """Writes the checkpoint into `folder`, in place of the one before."""
    tensors = {f"weights/{name}": value for name, value in checkpoint.weights.items()}
    tensors |= {f"best/{name}": value for name, value in checkpoint.best.items()}
    for index, state in checkpoint.adam.items():
        tensors |= {f"adam/{index}/{name}": value for name, value in state.items()}
    header = {"fingerprint": checkpoint.fingerprint, "history": checkpoint.history, "finished": checkpoint.finished}
    # Cloned row by row: the file format knows neither other memory layouts nor shared memory.
    plain = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    with atomic_file(folder / FILE) as temporary:
        save_file(plain, temporary, metadata={"training": json.dumps(header)})


def load(folder: Path, fingerprint: str) -> Checkpoint | None:
    """The checkpoint in `folder`, or None when there is none.

    Raises: RunError when the file is damaged or belongs to a training with other settings, data or seed.
    """
    path = folder / FILE
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads(file.metadata()["training"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise RunError(
            f"{FILE} can't be read as a checkpoint ({error}); remove it to start this training anew."
        ) from error
    if header["fingerprint"] != fingerprint:
        raise RunError(
            f"{FILE} belongs to a training with other settings, data, seed or initial weights; "
            "use another folder, or remove the file to start anew."
        )
    adam: dict[int, Named] = {}
    for name, value in _under(tensors, "adam/").items():
        index, key = name.split("/", 1)
        adam.setdefault(int(index), {})[key] = value
    return Checkpoint(
        fingerprint, header["history"], header["finished"], _under(tensors, "weights/"), _under(tensors, "best/"), adam
    )


def _under(tensors: Mapping[str, torch.Tensor], prefix: str) -> Named:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
