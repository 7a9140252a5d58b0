"""Whether the arms of a study find what they are fed besides the cube. In: a study; out: everything that is wrong."""

from __future__ import annotations

from contextlib import suppress
from fnmatch import fnmatchcase
from functools import cache

import numpy as np
from pydantic import ValidationError

from hounsfield import nets
from hounsfield.core.errors import HounsfieldError, Problem
from hounsfield.core.registry import nearest
from hounsfield.data.cube import native_features
from hounsfield.infer.inputs import OF_THE_CASE, RADIOMIC
from hounsfield.nets.registry import networks
from hounsfield.studies.study import Arm, Study
from hounsfield.volume.volume import Volume

_TWO = "dual_path"


@cache
def known_features() -> tuple[str, ...]:
    """Names of the features that preparation measures, learnt by measuring a small box."""
    box = np.zeros((4, 4, 4))
    box[1:3, 1:3, 1:3] = 1
    volume = Volume(box, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), np.eye(3))
    return tuple(native_features(volume, volume.with_array(box > 0)))


def input_features(study: Study) -> list[str]:
    """Names of the features that the study's inputs give: covariates, and radiomic features."""
    names = [f"{OF_THE_CASE}{name}" for name in study.inputs.covariates]
    asked = study.inputs.radiomics
    if asked is not None:
        with suppress(HounsfieldError):  # named by `inputs_problems`
            names += [f"{RADIOMIC}{name}" for name in asked.measurement().columns()]
    return names


def inputs_problems(study: Study) -> list[Problem]:
    """Inputs that can't be made, arms that lack theirs, networks that are none, and patients' arms that are none."""
    problems = [problem for name, arm in study.arms.items() for problem in _arm(study, name, arm)]
    asked = study.inputs.radiomics
    if asked is not None:
        try:
            asked.measurement().columns()
        except HounsfieldError as error:
            problems.append(Problem("inputs.radiomics.names", str(error)))
    for name, words in study.inputs.covariates.items():
        if len(words) not in (0, 2):
            what = f"a covariate is a number (an empty list) or one of two words; got {words}."
            problems.append(Problem(f"inputs.covariates.{name}", what, "Give [] or [first, last]."))
    for name in study.patient.arms if study.patient is not None else []:
        if name not in study.arms:
            problems.append(Problem("patient.arms", f"there is no arm '{name}'.", nearest(name, study.arms).strip()))
    return problems


def _arm(study: Study, name: str, arm: Arm) -> list[Problem]:
    where = f"arms.{name}"
    problems = _misplaced(where, arm)
    if arm.kind == "radiomics":
        problems += _radiomics(study, where, arm)
    if arm.names_network:
        problems += _network(study, where, arm)
    return problems


def _misplaced(where: str, arm: Arm) -> list[Problem]:
    """Keys that an arm of this kind has no use for: said, because they would do nothing."""
    of_network = {"network": arm.network, "training": arm.training, "weights": arm.weights, "settings": arm.settings}
    owners: dict[str, tuple[str, ...]] = {key: ("network", "two_inputs") for key, value in of_network.items() if value}
    owners |= {"lungs": ("two_inputs",)} if arm.lungs != "image" else {}
    owners |= {"selection": ("radiomics",)} if arm.selection is not None else {}
    return [
        Problem(f"{where}.{key}", f"an arm of kind {arm.kind} has no such key.", f"Take kind: {' or '.join(kinds)}.")
        for key, kinds in owners.items()
        if arm.kind not in kinds
    ]


def _radiomics(study: Study, where: str, arm: Arm) -> list[Problem]:
    if study.inputs.radiomics is None:
        return [Problem(where, "it chooses among radiomic features and none are measured.", "Add inputs.radiomics.")]
    known = (*known_features(), *input_features(study))
    return [
        Problem(
            f"{where}.features",
            f"no radiomic feature is named '{one}'.",
            f"Names begin with {RADIOMIC}, e.g. {next((name for name in known if name.startswith(RADIOMIC)), '')}.",
        )
        for one in arm.features
        if not any(fnmatchcase(name, one.removeprefix("!")) for name in known)
    ]


def _network(study: Study, where: str, arm: Arm) -> list[Problem]:
    problems = []
    if arm.network not in nets.names():
        proposal = nearest(arm.network, nets.names()).strip() or f"Known: {', '.join(nets.names())}."
        return [Problem(f"{where}.network", f"there is no network '{arm.network}'.", proposal)]
    try:
        networks.get(arm.network).Config.model_validate({**arm.settings, "classes": 2})
    except ValidationError as error:
        problems += [
            Problem(".".join([where, "settings", *map(str, item["loc"])]), item["msg"].removeprefix("Value error, "))
            for item in error.errors()
        ]
    if (arm.kind == "two_inputs") != (arm.network == _TWO):
        what = (
            f"kind two_inputs goes with network {_TWO}, and kind network with any other; got {arm.kind}, {arm.network}."
        )
        problems.append(Problem(where, what))
    if arm.kind == "two_inputs" and study.inputs.lungs is None:
        problems.append(Problem(where, "it sees the lungs, and no lungs are prepared.", "Add inputs.lungs: {}."))
    return problems
