"""Weights of another training put into a network. In: tensors by name, as a checkpoint holds them; out: their names in
plain form, what architecture they look like, and a report of what fitted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from hounsfield.core.errors import BundleError
from hounsfield.nets.resnet3d import BLOCKS, Backbone

Named = dict[str, torch.Tensor]

PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.", "backbone.", "encoder.")
WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "network", "weights")
COUNTER = "num_batches_tracked"  # of batch normalisation; old files lack it, and it changes no output
_HEAD = "fc."  # all that may be new
_BACKBONE = re.compile(r"(local\.|lungs\.)?(conv1|bn1|layer[1-4])\.")
_NAMED = 6  # keys told one by one
# What betrays other architectures: a piece of a key's name, and the words for it.
_SIGNS = (
    ("swinViT.", "a Swin UNETR"),
    ("patch_embed", "a vision transformer"),
    ("attn.qkv", "a vision transformer"),
    ("denseblock", "a DenseNet"),
    ("down_layers.", "a SegResNet"),
    ("conv_blocks_context", "an nnU-Net"),
    ("encoder.stages", "an nnU-Net"),
    ("inc.double_conv", "a U-Net"),
    ("bottleneck.", "a U-Net"),
    ("_blocks.", "an EfficientNet"),
    ("Mixed_", "an Inception network"),
    ("features.0.", "a VGG or AlexNet"),
)
_OTHER_DEPTHS = {(3, 8, 36, 3): 152, (3, 24, 36, 3): 200}


@dataclass(frozen=True)
class KeyReport:
    """What of a checkpoint went into a network.

    Attributes:
        matched: the network's keys that were filled.
        missing: those that were not and keep their initial value; counters of batch normalisation are left out.
        unexpected: the checkpoint's keys that the network has no place for; a key of another shape is in both lists.
    """

    matched: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]

    def lines(self) -> list[str]:
        """The report for people."""
        found = [f"matched: {len(self.matched)}"]
        for word in ("missing", "unexpected"):
            keys: tuple[str, ...] = getattr(self, word)
            found.append(f"{word}: {len(keys)}" + (f" ({some(keys)})" if keys else ""))
        return found


@dataclass(frozen=True)
class Look:
    """What a set of keys looks like.

    Attributes:
        words: for people, e.g. "a 3-D ResNet-50".
        depth, shortcut: of a ResNet that this package has; None for anything else.
        channels, width: of its first convolution.
    """

    words: str
    depth: int | None = None
    shortcut: str | None = None
    channels: int = 1
    width: int = 64


def unwrapped(content: object) -> Named:
    """The tensors of a loaded checkpoint: its state dict, be it wrapped or not, under plain names.

    Names lose the prefixes that DataParallel, torch.compile and classes around the network gave them; floating-point
    tensors of any precision become float32.
    Raises: BundleError when there is no state dict, a value is not finite, or two names become one.
    """
    named = _state_dict(content)
    prefix = _prefix(named)
    plain: Named = {}
    for name, value in named.items():
        short = name.removeprefix(prefix)
        if short in plain:
            raise BundleError(f"the checkpoint holds '{short}' twice, with and without the prefix '{prefix}'.")
        if value.layout != torch.strided or value.is_quantized:
            raise BundleError(f"'{name}' is a sparse or quantised tensor; export the checkpoint in float32.")
        plain[short] = value.detach().float() if value.is_floating_point() else value.detach()
    wild = [name for name, value in plain.items() if not torch.isfinite(value).all()]
    if wild:
        raise BundleError(f"{len(wild)} tensors hold values that are not finite ({some(wild)}); the training diverged.")
    return plain


def look_of(tensors: Mapping[str, torch.Tensor]) -> Look:
    """What architecture these plain names and shapes look like."""
    one, two, three, four = (_count(tensors, f"layer{number}") for number in range(1, 5))
    counts = (one, two, three, four)
    stem = tensors.get("conv1.weight")
    if stem is None or min(counts) == 0:
        return Look(next((words for sign, words in _SIGNS if any(sign in name for name in tensors)), _heads(tensors)))
    bottleneck = "layer1.0.conv3.weight" in tensors
    projected = "layer2.0.downsample.0.weight" in tensors
    dimensions = f"{stem.ndim - 2}-D"
    known = [depth for depth, blocks in BLOCKS.items() if blocks == counts and (depth >= 50) == bottleneck]
    depth = known[0] if known else _OTHER_DEPTHS.get(counts) if bottleneck else None
    name = f"ResNet-{depth}" if depth else f"ResNet with {', '.join(map(str, counts))} blocks"
    kind = f"{'bottleneck' if bottleneck else 'basic'} blocks, shortcut {'B' if projected else 'A'}"
    channels = f"{stem.shape[1]} input channel" + ("" if stem.shape[1] == 1 else "s")
    words = f"a {dimensions} {name} ({kind}, {channels})"
    if not known or stem.ndim != 5 or stem.shape[2:] != (7, 7, 7):
        return Look(words)
    return Look(words, known[0], "B" if projected else "A", int(stem.shape[1]), int(stem.shape[0]))


def fill(network: nn.Module, tensors: Mapping[str, torch.Tensor]) -> KeyReport:
    """Copies into `network` every tensor that it has a place for; each backbone of a dual-path network gets its own.

    Raises: BundleError, before anything is copied, when anything but the head would be left incomplete, or a part of
        the checkpoint's backbone unused: it is of another architecture.
    """
    state = network.state_dict()
    branches = [f"{name}." for name, part in network.named_modules() if isinstance(part, Backbone) and name]
    sources = {key: _source(key, tensors, branches) for key in state}
    fitting = {key: source for key, source in sources.items() if source and tensors[source].shape == state[key].shape}
    used = set(fitting.values())
    missing = tuple(key for key in state if key not in fitting and not key.endswith(COUNTER))
    unexpected = tuple(name for name in tensors if name not in used and not name.endswith(COUNTER))
    _require_whole(network, tensors, missing, unexpected)
    with torch.no_grad():
        for key, source in fitting.items():
            state[key].copy_(tensors[source])
    return KeyReport(tuple(fitting), missing, unexpected)


def some(keys: tuple[str, ...] | list[str]) -> str:
    """The first keys, and how many more there are."""
    rest = len(keys) - _NAMED
    return ", ".join(keys[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def _state_dict(content: object) -> Named:
    for wrapper in ("", *WRAPPERS):
        inner = content if not wrapper else content.get(wrapper) if isinstance(content, Mapping) else None
        if isinstance(inner, Mapping):
            named = {str(name): value for name, value in inner.items() if isinstance(value, torch.Tensor)}
            if len(named) > len(inner) / 2:
                return named
    held = some(sorted(map(str, content))) if isinstance(content, Mapping) else type(content).__name__
    raise BundleError(
        f"no state dict of tensors was found in the checkpoint; it holds: {held or 'nothing'}. "
        "Save the network's weights alone: torch.save(network.state_dict(), FILE)."
    )


def _prefix(named: Named) -> str:
    """What stands before 'conv1.weight' of the stem, when it is made of known prefixes."""
    prefix = ""
    while not any(name == f"{prefix}conv1.weight" for name in named):
        longer = [one for one in PREFIXES if any(name.startswith(f"{prefix}{one}") for name in named)]
        if not longer or len(prefix) > 100:
            return "module." if all(name.startswith("module.") for name in named) else ""
        prefix += longer[0]
    return prefix


def _source(key: str, tensors: Mapping[str, torch.Tensor], branches: list[str]) -> str | None:
    if key in tensors:
        return key
    plain = next((key.removeprefix(branch) for branch in branches if key.startswith(branch)), key)
    return plain if plain in tensors else None


def _require_whole(
    network: nn.Module, tensors: Mapping[str, torch.Tensor], missing: tuple[str, ...], unexpected: tuple[str, ...]
) -> None:
    """A backbone is filled by all of a checkpoint's: two blocks of a stage of three would fit by name, and be wrong."""
    lacking = [key for key in missing if not key.startswith(_HEAD)]
    left = [name for name in unexpected if _BACKBONE.match(name)]
    if lacking or left:
        what = f"it lacks {some(lacking)}" if lacking else f"the network has no place for {some(left)}"
        raise BundleError(
            f"the checkpoint is of another architecture: it looks like {look_of(tensors).words}, and {what} (by name "
            "or by shape). Set depth, shortcut, channels and width of the network to those of the checkpoint, or take "
            "another checkpoint."
        )


def _count(tensors: Mapping[str, torch.Tensor], layer: str) -> int:
    found = (re.match(rf"{layer}\.(\d+)\.", name) for name in tensors)
    return len({match[1] for match in found if match})


def _heads(tensors: Mapping[str, torch.Tensor]) -> str:
    heads = sorted({name.split(".")[0] for name in tensors})
    return f"nothing this package knows (parts: {some(heads)})"
