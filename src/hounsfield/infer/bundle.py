"""A bundle: a trained model with all that is needed to use it again, in one folder.

    bundle.json      what it is: classes, preparation, operating point, members with the SHA-256 of their weights
    members/N.safetensors   weights; a cross-validated model has one member a fold, whose probabilities are averaged
    card.md          the same for people: what it is for, what it was trained on, how well it did, where it fails

Nothing in a bundle can run code, and a file that was altered is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from hounsfield import __version__
from hounsfield.core.atomic import atomic_folder, write_json, write_text
from hounsfield.core.content import sha256_of, sha256_of_file
from hounsfield.core.errors import BundleError
from hounsfield.core.types import AnyArray
from hounsfield.data.preparation import Preparation
from hounsfield.infer.inputs import Inputs
from hounsfield.tables.cells import as_text

FORMAT = 1

# fmt: off
Kind = Literal[
    "features", "raw", "expert_mask", "auto_mask", "joint", "multitask", "transfer", "fusion",
    "radiomics", "network", "two_inputs",
]
# fmt: on


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class OperatingPoint(_Part):
    """Threshold on the probability of the positive class, and where it was chosen."""

    threshold: float
    rule: str
    chosen_on: str


class NetworkPart(_Part):
    """One network of a member: its name in the registry and its settings."""

    network: str
    settings: dict[str, Any] = {}


class MemberCard(_Part):
    """One trained model; its weights are `file`, keys prefixed with the part's name."""

    file: str
    sha256: str
    repetition: int
    fold: int
    seed: int
    networks: dict[str, NetworkPart] = {}
    features: dict[str, list[str]] = {}  # feature models: part and the names of what it is fed
    classifiers: dict[str, str] = {}  # kind of these parts as `nets.table_models` knows it; logistic when not said


class BundleCard(_Part):
    """What bundle.json holds."""

    format: int = FORMAT
    name: str
    arm: str
    title: str
    kind: Kind
    target: str
    column: str = ""  # of the cases table, from which labels are read where there are any
    classes: list[str]
    values: list[list[str]] = []  # per class, the values of the column that are merged into it
    needs_mask: bool
    mask: Literal["expert", "auto"] = "expert"
    image_kind: Kind | None = None  # fusion: kind of the arm whose network is mixed in
    fill: Literal["zero", "air"] = "zero"
    flips: bool = False
    preparation: Preparation
    inputs: Inputs = Inputs()
    lungs: Literal["image", "mask"] = "image"
    operating_point: OperatingPoint | None = None  # two classes only; otherwise the most probable class
    members: list[MemberCard]
    made_with: str = __version__
    trained_on: dict[str, Any] = {}

    def class_of(self, value: Any) -> str | None:
        """The class of a cell of the label column: by the values that the study merged, else by its own name."""
        text = as_text(value)
        own = text if text in self.classes else None
        return next((name for name, merged in zip(self.classes, self.values, strict=False) if text in merged), own)

    @property
    def digest(self) -> str:
        """Identity of the weights: changes when any of them does."""
        return sha256_of([member.sha256 for member in self.members])


@dataclass(frozen=True)
class Member:
    """Weights of one member by part: {"network": {"features.0.weight": array, ...}, "features": {...}}."""

    card: MemberCard
    weights: Mapping[str, Mapping[str, AnyArray]]


@dataclass(frozen=True)
class Bundle:
    """A bundle in memory: the card, and weights that have been checked against it."""

    card: BundleCard
    members: tuple[Member, ...]


def write_bundle(
    folder: Path, card: BundleCard, weights: Sequence[Mapping[str, Mapping[str, AnyArray]]], text: str
) -> BundleCard:
    """Writes a bundle in one go: all of it or nothing.

    Args:
        card: members without `sha256`, in the order of `weights`.
        weights: per member, arrays by part and key.
        text: the model card in Markdown.
    Returns: the card as written, digests filled in.
    """
    with atomic_folder(folder) as temporary:
        (temporary / "members").mkdir()
        members = []
        for number, (member, parts) in enumerate(zip(card.members, weights, strict=True)):
            file = f"members/{number}.safetensors"
            flat = {
                f"{part}.{key}": np.ascontiguousarray(array)
                for part, keys in parts.items()
                for key, array in keys.items()
            }
            save_file(flat, temporary / file)
            members.append(member.model_copy(update={"file": file, "sha256": sha256_of_file(temporary / file)}))
        card = card.model_copy(update={"members": members})
        write_json(temporary / "bundle.json", card.model_dump(mode="json"))
        write_text(temporary / "card.md", text)
    return card


def read_bundle(folder: Path) -> Bundle:
    """A bundle checked and in memory.

    Raises: BundleError when it is no bundle, of a later format, incomplete, or when a weight file was altered.
    """
    file = folder / "bundle.json"
    if not file.is_file():
        inner = sorted(item.parent.name for item in folder.glob("*/bundle.json"))
        hint = f" It holds bundles: {', '.join(inner)}; name one of them." if inner else ""
        raise BundleError(f"'{folder.name}' is no bundle (no bundle.json in it).{hint}")
    card = _card(folder.name, file)
    return Bundle(card, tuple(_member(folder, member) for member in card.members))


def _card(name: str, file: Path) -> BundleCard:
    damaged = f"bundle '{name}': bundle.json is damaged or not of this package; copy the bundle anew."
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        found = content["format"] if isinstance(content, dict) else None
        # Before anything else: a later format may hold keys that this version does not know.
        if isinstance(found, int) and found > FORMAT:
            raise BundleError(f"bundle '{name}' has format {found}, this version reads {FORMAT}; update hounsfield.")
        card = BundleCard.model_validate(content)
    except BundleError:
        raise
    except (ValueError, KeyError, RecursionError, OSError) as error:
        raise BundleError(damaged) from error
    if not card.members or len(card.classes) < 2 or len(set(card.classes)) < len(card.classes):
        raise BundleError(damaged)
    return card


def _member(folder: Path, card: MemberCard) -> Member:
    try:
        path = (folder / card.file).resolve()
        inside, there = folder.resolve() in path.parents, path.is_file()
    except (OSError, ValueError, RuntimeError):  # a name that no file can have, a link to itself
        inside = there = False
    if not inside:
        raise BundleError(
            f"bundle '{folder.name}': bundle.json names a member outside of the bundle, which is not opened. "
            "Get the bundle anew from where it was made."
        )
    if not there:
        raise BundleError(f"bundle '{folder.name}': {card.file} is missing; copy the bundle anew.")
    if sha256_of_file(path) != card.sha256:
        raise BundleError(
            f"bundle '{folder.name}': {card.file} is not the file that was trained (its SHA-256 differs). "
            "It was altered or damaged in copying; copy the bundle anew."
        )
    try:
        flat = load_file(path)
    except (SafetensorError, KeyError, ValueError, TypeError) as error:  # the latter: a type of number NumPy lacks
        raise BundleError(
            f"bundle '{folder.name}': {card.file} is no safetensors file; copy the bundle anew."
        ) from error
    weights: dict[str, dict[str, AnyArray]] = {}
    for key, array in flat.items():
        part, _, name = key.partition(".")
        weights.setdefault(part, {})[name] = array
    return Member(card, weights)
