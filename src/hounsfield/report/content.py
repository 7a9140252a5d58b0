"""What a report is made from: one frozen object that a study fills and `write_report` reads. It opens no file.

In: predictions (schema of `tables.predictions`), the arms, the paper's numbers, training curves, a few cases as arrays.
Out: nothing but these, checked: an arm named in a comparison or an anchor must be one of the arms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hounsfield.core.errors import Problem, StudyError
from hounsfield.core.registry import nearest
from hounsfield.core.types import BoolArray, FloatArray

if TYPE_CHECKING:
    import pandas as pd

    from hounsfield.catalog.splits.leakage import Leakage
    from hounsfield.report.detections import DetectionStudy


@dataclass(frozen=True)
class ArmInfo:
    """One way compared.

    Args:
        trivial: size or covariates alone.
        needs_mask: an expert must outline at test time, as the arm measures or sees the outline.
        placed: the arm reads no outline, but one says where its cube lies, or is joined with the lungs that it sees.
        network: False for a model of measured features; such an arm is compared, but is no answer to whether a
            network beats the trivial arm.
    """

    name: str
    title: str
    description: str = ""
    trivial: bool = False
    needs_mask: bool = False
    network: bool = True
    placed: bool = False


@dataclass(frozen=True)
class Anchor:
    """A number printed in a paper, on this package's scale (accuracy 0.782, not 78.2); `spread` as printed, or None."""

    target: str
    arm: str
    metric: str
    value: float
    spread: float | None = None
    source: str = ""


@dataclass(frozen=True)
class Example:
    """One case to look at.

    Args:
        image: (z, y, x) float32 in [-1, 1], the map of `volume.intensity.scale_hu` over `window_hu`.
        reference, predicted: (z, y, x) mask and soft mask in [0, 1] on the same grid, or None.
        probs: probability of each class by name.
    """

    case_id: str
    image: FloatArray
    reference: BoolArray | None
    predicted: FloatArray | None
    label: str
    probs: Mapping[str, float]
    dice: float | None = None
    caption: str = ""
    spacing_mm: tuple[float, float, float] = (1.0, 0.7, 0.7)
    window_hu: tuple[float, float] = (-1024.0, 400.0)


@dataclass(frozen=True)
class Choice:
    """The features that one model chose among many.

    Args:
        model: its fold and seed in a word.
        weights: by feature, after standardising; above 0 a larger value speaks for the target's last class.
        own: whether the weights are those that predict, or else those of the linear model that chose for another kind
            of classifier (a forest, support vectors).
    """

    target: str
    arm: str
    model: str
    weights: Mapping[str, float]
    own: bool = True


@dataclass(frozen=True)
class AttentionView:
    """Where one network looked in one cube of one case.

    Args:
        why: the rule by which the case was taken.
        part: what the cube holds, "lesion" or "lungs".
        image: (z, y, x) float32 in [-1, 1] over `window_hu`; heat: the map on the same grid, in [0, 1], its maximum 1,
            or 0 throughout where nothing spoke for the class.
        reference: (z, y, x) outline on the same grid, or None.
        label: class of the case; positive: the class that the map is of; prob: what the network gives it.
        random_rho: Spearman correlation of the map with that of the same network with random weights, or None.
    """

    target: str
    arm: str
    case_id: str
    why: str
    part: str
    image: FloatArray
    heat: FloatArray
    reference: BoolArray | None
    label: str
    positive: str
    prob: float
    spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0)
    window_hu: tuple[float, float] = (-1024.0, 400.0)
    random_rho: float | None = None


@dataclass(frozen=True)
class ReportContent:
    """Everything that a report shows.

    Args:
        targets: ordered classes of each target; the last of two is the positive one.
        predictions: rows of split "validation" (for operating points) and "test", by repetition, fold and seed.
        anchors_note: why the paper's numbers can or cannot be set beside ours.
        flaws: known flaws of the data; the first page shows them and every figure refers to them.
        histories: per training piece, its epochs: `epoch`, `loss`, `learning_rate` and validation metrics by name.
        comparisons: pairs of arms that the study asks about (first against second), beside every network against the
            best trivial arm.
        dice_pair: the arms whose Dice is shown before and after the joint stage.
        ranked: arms whose `prob_` columns hold ranks and no probabilities: nothing that needs one is computed.
        cohort: covariates by `case_id`, for the table of the cohort and for subgroups.
        whole_cohort: whether `cohort` holds every case of the study with `patient_id` and `label` (of the first
            target), so that the table is of all patients; else it is of those in the test part.
        cohorts: covariates by `case_id` of targets whose cases are others than those of `cohort` (patients).
        subgroups: columns of `cohort` by which the AUC is split.
        choices: what each model that chooses features chose.
        attention: maps of attention, an arm's cases one after the other, lesion before lungs.
        detections: marks of detectors on volumes, for the FROC section.
        readings: ratings of the test cases by readers (`tables.ratings`), beside the arms of the first target of two
            classes.
    Raises: StudyError for an arm or target that is named but not there.
    """

    title: str
    question: str
    citation: str
    targets: Mapping[str, tuple[str, ...]]
    arms: tuple[ArmInfo, ...]
    predictions: pd.DataFrame
    summary_note: str = ""
    leakage: tuple[Leakage, ...] = ()
    anchors: tuple[Anchor, ...] = ()
    anchors_note: str = ""
    flaws: tuple[str, ...] = ()
    manifest: Mapping[str, Any] = field(default_factory=dict)
    histories: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    examples: tuple[Example, ...] = ()
    set_aside: tuple[Problem, ...] = ()
    comparisons: tuple[tuple[str, str], ...] = ()
    dice_pair: tuple[str, str] = ("auto_mask", "joint")
    ranked: frozenset[str] = frozenset()
    cohort: pd.DataFrame | None = None
    whole_cohort: bool = False
    cohorts: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    subgroups: tuple[str, ...] = ()
    choices: tuple[Choice, ...] = ()
    attention: tuple[AttentionView, ...] = ()
    detections: DetectionStudy | None = None
    readings: pd.DataFrame | None = None

    def __post_init__(self) -> None:
        arms = [arm.name for arm in self.arms]
        for target, classes in self.targets.items():
            if len(classes) < 2 or len(set(classes)) < len(classes):
                raise StudyError(f"target '{target}' needs two or more different classes in order; got {classes}.")
        named = [name for pair in self.comparisons for name in pair] + [anchor.arm for anchor in self.anchors]
        named += [*(one.arm for one in self.choices), *(one.arm for one in self.attention)]
        arms += [] if self.detections is None else list(self.detections.found)
        for name in named:
            if name not in arms:
                raise StudyError(f"no arm '{name}' among the report's arms.{nearest(name, arms)} Add it or drop it.")
        for anchor in self.anchors:
            if anchor.target not in self.targets:
                known = ", ".join(self.targets)
                raise StudyError(f"anchor of target '{anchor.target}', but the report has {known}. Drop or rename it.")
        columns = [] if self.cohort is None else [str(name) for name in self.cohort]
        for name in self.subgroups:
            if name not in columns:
                raise StudyError(f"no column '{name}' to make subgroups by.{nearest(name, columns)} Add it or drop it.")
