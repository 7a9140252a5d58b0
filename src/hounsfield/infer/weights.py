"""Published checkpoints made into safetensors. In: a PyTorch file (or a safetensors one) from elsewhere; out: a
safetensors file of plain float32 weights, and a report of its keys. Nothing that is loaded can run code.
"""

from __future__ import annotations

import json
import pickle
import re
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from hounsfield import __version__
from hounsfield.core.atomic import atomic_file
from hounsfield.core.content import sha256_of_file
from hounsfield.core.errors import BundleError, RunError
from hounsfield.nets.pretrained import COUNTER, KeyReport, Look, Named, fill, look_of, unwrapped
from hounsfield.nets.resnet3d import Resnet3d, Resnet3dConfig

_SAFE = ".safetensors"
_HEAD = "fc."


@dataclass(frozen=True)
class Imported:
    """What came of an import: the file written, what the checkpoint looks like, how its keys fit a fresh network."""

    path: Path
    look: Look
    report: KeyReport
    sha256: str


def import_weights(file: Path, out: Path, *, depth: int | None = None) -> Imported:
    """Makes safetensors of a published 3-D ResNet checkpoint.

    Args:
        file: as saved by torch.save: a state dict, alone or wrapped, with or without the prefixes of DataParallel;
            half precision becomes float32. A safetensors file of such keys is taken, too.
        depth: what the checkpoint must be (10, 18, 34, 50 or 101); None takes what it looks like.
    Returns: the report compares with a fresh network: its head is always missing, and heads of other tasks (conv_seg
        of Med3D, an fc of other classes) are unexpected and not written.
    Raises: BundleError when the file can't be read without running code, is damaged, or is of another architecture.
    """
    if out.suffix != _SAFE:
        raise BundleError(f"weights are written as safetensors: name the file {out.stem}{_SAFE}, not {out.name}.")
    tensors = unwrapped(_read(file))
    look = look_of(tensors)
    if look.depth is None or look.shortcut is None:
        raise BundleError(
            f"{file.name} looks like {look.words}; what can be imported is a 3-D ResNet-10, -18, -34, -50 or -101 "
            "laid out as Med3D's (stem 7^3)."
        )
    if depth is not None and depth != look.depth:
        raise BundleError(f"{file.name} looks like {look.words}, and ResNet-{depth} was asked for. Check the file.")
    how = {"depth": look.depth, "shortcut": look.shortcut, "channels": look.channels, "width": look.width}
    with torch.device("meta"):  # names and shapes are all that is needed
        network = Resnet3d(Resnet3dConfig.model_validate(how))
    heads = tuple(name for name in tensors if name.startswith(_HEAD))  # two classes of another task fit, and are wrong
    report = fill(network, {name: value.to("meta") for name, value in tensors.items() if name not in heads})
    report = replace(report, unexpected=(*report.unexpected, *heads))
    kept = {name: tensors[name].contiguous().clone() for name in tensors if _kept(name, report)}
    digest = sha256_of_file(file)
    notes = {**how, "source": file.name, "sha256": digest, "made_with": __version__}
    try:
        with atomic_file(out) as temporary:
            save_file(kept, temporary, metadata={"weights": json.dumps(notes)})
    except SafetensorError as error:
        raise RunError(
            f"{out.name} could not be written. See that its folder exists, may be written to and has room."
        ) from error
    return Imported(out, look, report, digest)


def read_weights(file: Path) -> Named:
    """The tensors of a safetensors file of weights.

    Raises: BundleError when it is none, or a PyTorch file that has to be imported first.
    """
    if file.suffix != _SAFE:
        raise BundleError(f"{file.name} is no safetensors file; make one with `hounsfield weights import {file.name}`.")
    return unwrapped(_read(file))


def load_weights(network: nn.Module, file: Path) -> KeyReport:
    """Fills a network from a safetensors file; both paths of a dual-path network start from the same weights.

    Raises: BundleError as `read_weights`, and when the weights are of another architecture.
    """
    return fill(network, read_weights(file))


def _kept(name: str, report: KeyReport) -> bool:
    return name in report.matched or (name.endswith(COUNTER) and name.startswith(("bn1", "layer")))


def _read(file: Path) -> Any:
    if not file.is_file():
        raise BundleError(f"there is no file {file.name}.")
    try:
        if file.suffix == _SAFE:
            with safe_open(file, framework="pt") as opened:
                return {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - not a mapping
        return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise _refused(file, str(error)) from None  # torch's message tells how to run the code
    except MemoryError:
        raise
    except Exception as error:  # whatever a damaged file makes its reader raise
        raise BundleError(f"{file.name} can't be read as a checkpoint: {_fault(file)} Download it anew.") from error


def _refused(file: Path, message: str) -> BundleError:
    named = re.search(r"GLOBAL ([\w.]+)", message)
    if named is None and ("truncated" in message or "Ran out of input" in message or not _is_pickle(file)):
        return BundleError(f"{file.name} can't be read as a checkpoint: {_fault(file)} Download it anew.")
    what = f"it calls {named[1]}" if named else "it calls functions"
    return BundleError(
        f"{file.name} holds more than tensors: {what} when it is opened, which could run any code, so it is refused. "
        "Ask its authors for the weights alone: torch.save(network.state_dict(), FILE), or safetensors."
    )


def _fault(file: Path) -> str:
    if file.stat().st_size == 0:
        return "it is empty."
    with file.open("rb") as stream:
        start = stream.read(512)
    if start.lstrip()[:1] == b"<" or start.startswith(b"version https://git-lfs"):
        return "it is a web page or a pointer to a file, not the file itself."
    if start.startswith(b"PK") and not zipfile.is_zipfile(file):
        return "its end is missing, so the download broke off."
    return "it is damaged, cut short, or no file of PyTorch."


def _is_pickle(file: Path) -> bool:
    with file.open("rb") as stream:
        return stream.read(2)[:1] in (b"\x80", b"P")
