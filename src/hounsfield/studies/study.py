"""What a study is: cases merged into targets, split, arms, training, comparisons and the paper's numbers.

One frozen, checked object; `load.py` makes it from YAML. Functions of the run take the values they need from it.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hounsfield.core.registry import nearest
from hounsfield.data.prepare import Preparation
from hounsfield.fit.training import CLASSIFIER, JOINT, MULTITASK, SEGMENTER, Training


class Settings(BaseModel):
    """Base of every part of a study: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Target(Settings):
    """What is predicted: a column of the cases table and the classes that its values are merged into."""

    column: str
    # Class: the values of the column that are merged into it; the last class is the positive one.
    classes: dict[str, list[str]] = Field(min_length=2)
    optional: bool = False  # runs only when it is asked for by name

    @model_validator(mode="after")
    def _each_value_once(self) -> Target:
        values = [value for merged in self.classes.values() for value in merged]
        if len(values) != len(set(values)):
            raise ValueError("a value of the column belongs to two classes; name each value once.")
        return self

    def class_of(self, value: Any) -> str | None:
        """The class of a cell's value, or None when no class holds it."""
        text = plain(value)
        return next((name for name, values in self.classes.items() if text in values), None)


class Split(Settings):
    """How patients are parted; `stratify` is a column, by default that of the first target."""

    kind: Literal["hold_out", "k_fold"] = "hold_out"
    folds: int = Field(default=5, ge=2)
    repetitions: int = Field(default=1, ge=1)
    test: float = Field(default=0.3, gt=0, lt=1)  # hold-out only: share of cases
    validation: float = Field(default=0.2, gt=0, lt=1)  # share of the training part
    stratify: str | None = None


class Arm(Settings):
    """One way compared: its kind (an arrangement of networks, a model of measured features) and its particulars."""

    kind: Literal["features", "raw", "expert_mask", "auto_mask", "joint", "multitask", "transfer", "fusion"]
    title: str
    description: str = ""
    trivial: bool = False
    features: list[
        str
    ] = []  # features and fusion: names as measured by preparation; 'log ' before a name takes the log
    mask: Literal["expert", "auto"] = "expert"  # features and fusion: on which outline the features are measured
    image: str = ""  # fusion: the arm whose network is mixed with the features

    @property
    def needs_mask(self) -> bool:
        """Whether an expert must outline the lesion at prediction time."""
        return self.kind == "expert_mask" or (self.kind in ("features", "fusion") and self.mask == "expert")

    @property
    def needs_segmenter(self) -> bool:
        """Whether the shared U-Net has to be trained for it."""
        return self.kind in ("auto_mask", "joint", "transfer") or self.mask == "auto"


class Trainings(Settings):
    """How each stage is trained; the defaults are the published ones."""

    segmenter: Training = SEGMENTER
    classifier: Training = CLASSIFIER
    joint: Training = JOINT
    multitask: Training = MULTITASK


class Networks(Settings):
    """Settings of the networks that differ from the published ones."""

    segmenter: dict[str, Any] = {}
    classifier: dict[str, Any] = {}
    fill: Literal["zero", "air"] = "zero"  # what lies outside a mask: 0 on the [-1, 1] scale as published, or air
    flips: bool = False  # mean over the eight mirrored cubes at prediction


class AnchorRow(Settings):
    """A number printed in the paper, to stand beside ours."""

    target: str
    arm: str
    metric: str
    value: float
    spread: float | None = None
    source: str = ""


class Study(Settings):
    """The protocol of one study, resolved."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str
    question: str
    citation: str = ""
    flaws: list[str] = []
    targets: dict[str, Target] = Field(min_length=1)
    # Readers' ratings as further things to learn, never as input: column: (lowest, highest). They count by
    # training.*.auxiliary_weight; columns that a cases table lacks are left out.
    ratings: dict[str, tuple[float, float]] = {}
    preparation: Preparation = Preparation()
    split: Split = Split()
    arms: dict[str, Arm] = Field(min_length=1)
    comparisons: list[tuple[str, str]] = []
    networks: Networks = Networks()
    training: Trainings = Trainings()
    seeds: list[int] = Field(default=[1], min_length=1)
    bootstrap: int = Field(default=2000, ge=100)  # resamples of patients behind an interval
    anchors: list[AnchorRow] = []
    anchors_note: str = ""

    @model_validator(mode="after")
    def _parts_fit(self) -> Study:
        if not any(arm.trivial for arm in self.arms.values()):
            raise ValueError(
                "arms: a study has at least one trivial arm (lesion volume, age, ...); mark it trivial: true."
            )
        for name, arm in self.arms.items():
            if arm.kind == "fusion" and arm.image not in self.arms:
                raise ValueError(f"arms.{name}.image: no arm named '{arm.image}'.{nearest(arm.image, self.arms)}")
            if arm.kind in ("features", "fusion") and not arm.features:
                raise ValueError(f"arms.{name}.features: list at least one measured feature.")
        for pair in self.comparisons:
            for name in pair:
                if name not in self.arms:
                    raise ValueError(f"comparisons: no arm named '{name}'.{nearest(name, self.arms)}")
        return self


def plain(value: Any) -> str:
    """A cell as text: '1' for 1, 1.0 and '1', because a column with one empty cell is read as floats."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()
