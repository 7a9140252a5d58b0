"""Whether the parts of a study fit together. In: a study; out: everything that is wrong with it, before work begins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from hounsfield.core.errors import Problem
from hounsfield.core.registry import nearest
from hounsfield.nets.dilated_unet import DilatedUnetConfig
from hounsfield.nets.feature_model import TRANSFORMS
from hounsfield.nets.nodule_classifier import NoduleClassifierConfig
from hounsfield.studies.rules_inputs import input_features, inputs_problems, known_features
from hounsfield.studies.study import Arm, Study

_FED = ("features", "fusion")  # kinds of arms that are fed measured features by name
_CUBIC = (
    "raw",
    "expert_mask",
    "auto_mask",
    "joint",
    "multitask",
    "transfer",
)  # kinds of the published U-Net and classifier
_POOLED = 8  # three poolings by two: the side of a cube is a multiple of it


def problems_of(study: Study) -> list[Problem]:
    """Every mistake that no key or value shows by itself; empty when there is none."""
    return [
        *_names(study),
        *_trivial(study),
        *(problem for name, arm in study.arms.items() for problem in _arm(study, name, arm)),
        *_mentions(study),
        *_networks(study),
        *_ratings(study),
        *_sizes(study),
        *inputs_problems(study),
    ]


def _sizes(study: Study) -> list[Problem]:
    if study.diameter_mm is None or 0 <= study.diameter_mm[0] < study.diameter_mm[1]:
        return []
    low, high = study.diameter_mm
    return [Problem("diameter_mm", f"no lesion is from {low:g} to {high:g} mm.", "Give [lowest, highest] in mm.")]


def _names(study: Study) -> list[Problem]:
    """Arms and targets give folders their names."""
    problems = []
    for kind, names in (("arms", study.arms), ("targets", study.targets)):
        for name in names:
            if not name or name.startswith(".") or any(sign in name for sign in '/\\:*?"<>|\n\0'):
                remedy = "It becomes a folder: use letters, digits, '_', '-' and '+'."
                problems.append(Problem(f"{kind}.{name}", "this name can't be used.", remedy))
    for name, target in study.targets.items():
        problems += [
            Problem(f"targets.{name}.classes.{one}", "the class has no values.", "List the values merged into it.")
            for one, values in target.classes.items()
            if not values
        ]
    return problems


def _trivial(study: Study) -> list[Problem]:
    if any(arm.trivial for arm in study.arms.values()):
        return []
    what = "a study has at least one trivial arm (lesion volume, for example), which a network has to beat."
    return [Problem("arms", what, "Mark one with trivial: true.")]


def _arm(study: Study, name: str, arm: Arm) -> list[Problem]:
    problems = []
    if arm.kind in _FED and not arm.features:
        problems.append(Problem(f"arms.{name}.features", "it is empty.", "List at least one measured feature."))
    for feature in arm.features if arm.kind in _FED else []:
        prefix = next((text for text in TRANSFORMS if feature.startswith(text)), "")
        plain = feature.removeprefix(prefix)
        known = (*known_features(), *input_features(study))
        if plain not in known:
            remedy = nearest(plain, known).strip() or f"Known: {', '.join(sorted(known_features()))}."
            problems.append(Problem(f"arms.{name}.features", f"no feature '{plain}' is measured.", remedy))
    if arm.kind == "fusion":
        problems += _mixed(study, name, arm)
    return problems


def _mixed(study: Study, name: str, arm: Arm) -> list[Problem]:
    where = f"arms.{name}.image"
    if arm.image not in study.arms:
        return [Problem(where, f"there is no arm '{arm.image}'.", _proposal(arm.image, study.arms))]
    if study.arms[arm.image].kind in _FED or study.arms[arm.image].fed_features:
        return [Problem(where, f"the arm '{arm.image}' is no network.", "Name an arm whose network is to be mixed in.")]
    if study.arms[arm.image].needs_mask and not arm.needs_mask:
        what = f"the network of '{arm.image}' needs an expert's outline, the features of this arm an automatic one."
        return [Problem(where, what, "Take mask: expert, or another network.")]
    return []


def _mentions(study: Study) -> list[Problem]:
    """Arms and targets that comparisons and anchors name."""
    arms, targets = list(study.arms), list(study.targets)
    named = [(f"comparisons.{i}", "arm", name, arms) for i, pair in enumerate(study.comparisons) for name in pair]
    for i, row in enumerate(study.anchors):
        named += [(f"anchors.{i}", "arm", row.arm, arms), (f"anchors.{i}", "target", row.target, targets)]
    return [
        Problem(where, f"there is no {kind} '{name}'.", _proposal(name, known))
        for where, kind, name, known in named
        if name not in known
    ]


def _networks(study: Study) -> list[Problem]:
    problems = []
    kinds: tuple[tuple[str, type[BaseModel], Mapping[str, Any]], ...] = (
        ("segmenter", DilatedUnetConfig, study.networks.segmenter),
        ("classifier", NoduleClassifierConfig, study.networks.classifier),
    )
    for part, kind, settings in kinds:
        try:
            kind.model_validate(settings)
        except ValidationError as error:
            problems += [_setting(part, kind, item) for item in error.errors()]
    size = study.preparation.size
    if any(arm.kind in _CUBIC or arm.mask == "auto" for arm in study.arms.values()) and any(
        side % _POOLED for side in size
    ):
        what = f"networks pool three times, so each side is a multiple of {_POOLED}; got {size}."
        problems.append(Problem("preparation.size", what, "Take [32, 32, 32], as published."))
    return problems


def _setting(part: str, kind: type[BaseModel], item: Any) -> Problem:
    where = ".".join(["networks", part, *map(str, item["loc"])])
    if item["type"] == "extra_forbidden":
        return Problem(where, "there is no such key.", _proposal(str(item["loc"][-1]), kind.model_fields))
    return Problem(where, item["msg"].removeprefix("Value error, "))


def _ratings(study: Study) -> list[Problem]:
    return [
        Problem(f"ratings.{name}", f"give [lowest, highest], the lowest first; got [{low:g}, {high:g}].")
        for name, (low, high) in study.ratings.items()
        if not low < high
    ]


def _proposal(word: str, known: Iterable[str]) -> str:
    known = list(known)
    return nearest(word, known).strip() or f"Known: {', '.join(known)}."
