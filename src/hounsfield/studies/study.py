"""What a study is: cases merged into targets, split, arms, training, comparisons and the paper's numbers.

One frozen, checked object; `load.py` makes it from YAML. Functions of the run take the values they need from it.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from hounsfield.data.cube import OF_THE_IMAGE
from hounsfield.data.prepare import Preparation
from hounsfield.fit.selection import Selection
from hounsfield.fit.training import CLASSIFIER, JOINT, MULTITASK, SEGMENTER, Training
from hounsfield.infer.bundle import Kind
from hounsfield.infer.inputs import OF_THE_CASE, Inputs
from hounsfield.tables.cells import as_text


class Settings(BaseModel):
    """Base of every part of a study: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Target(Settings):
    """What is predicted: a column of the cases table and the classes that its values are merged into."""

    column: str
    # Class: the values of the column that are merged into it; the last class is the positive one.
    classes: dict[str, list[str]] = Field(min_length=2)
    optional: bool = False  # runs only when it is asked for by name

    @field_validator("classes", mode="before")
    @classmethod
    def _in_words(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        lists = {name: merged if isinstance(merged, list) else [merged] for name, merged in value.items()}
        return {_word(name): [_word(one) for one in merged] for name, merged in lists.items()}

    @model_validator(mode="after")
    def _each_value_once(self) -> Target:
        values = [value for merged in self.classes.values() for value in merged]
        if len(values) != len(set(values)):
            raise ValueError("a value of the column belongs to two classes; name each value once.")
        return self

    def class_of(self, value: Any) -> str | None:
        """The class of a cell's value, or None when no class holds it."""
        text = as_text(value)
        return next((name for name, values in self.classes.items() if text in values), None)


class Split(Settings):
    """How patients are parted; `stratify` is a column, by default that of the first target.

    With kind `column` nothing is drawn: the column of that name says train, validation or test of each case. It is for
    cases whose test part is another population by design. Kind `nested` holds a test part out and makes folds of the
    rest: each fold's model is validated on the fold left out, and the test part is told by the mean of all of them.
    """

    kind: Literal["hold_out", "k_fold", "column", "nested"] = "hold_out"
    folds: int = Field(default=5, ge=2)
    repetitions: int = Field(default=1, ge=1)
    test: float = Field(default=0.3, gt=0, lt=1)  # hold-out and nested: share of cases
    validation: float = Field(default=0.2, gt=0, lt=1)  # share of the training part
    stratify: str | None = None
    column: str | None = None  # kind column only

    @model_validator(mode="after")
    def _column_goes_with_its_kind(self) -> Split:
        if (self.kind == "column") != (self.column is not None):
            raise ValueError(
                f"kind is {self.kind} and column is {self.column}; kind: column needs the name of the column that "
                "says train, validation or test, and no other kind has one."
            )
        return self

    @model_serializer(mode="wrap")
    def _only_what_is_said(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # A run folder is claimed by the text of its resolved study: one begun before this key existed must go on.
        fields: dict[str, Any] = handler(self)
        if self.column is None:
            fields.pop("column", None)
        return fields


_NETWORKS = ("network", "two_inputs")  # kinds that name their network
_CUBE_ALONE = ("raw", *_NETWORKS)  # kinds that learn without outlines
_LATER: dict[str, Any] = {  # keys that came after the first release, left out of the text of a study without them
    "network": "",
    "settings": {},
    "training": None,
    "weights": "",
    "lungs": "image",
    "selection": None,
}


class Arm(Settings):
    """One way compared: its kind (an arrangement of networks, a model of measured features) and its particulars.

    Kinds `network` and `two_inputs` name a network of `nets`, which sees the lesion's cube, or that and the lungs';
    `radiomics` chooses among the measured radiomic features inside each fold.
    """

    kind: Kind
    title: str
    description: str = ""
    trivial: bool = False
    # features and fusion: as measured by preparation; 'log ' before a name takes the log; 'case.age' is a covariate.
    # radiomics: patterns of features to choose among, such as radiomics.shape_*.
    features: list[str] = []
    mask: Literal["expert", "auto"] = "expert"  # features and fusion: on which outline the features are measured
    image: str = ""  # fusion: the arm whose network is mixed with the features
    network: str = ""  # network and two_inputs: name of the network
    settings: dict[str, Any] = {}  # of that network
    training: Training | None = None  # of that network; None takes the published one of a classifier
    weights: str = ""  # file of imported weights that training starts from (`hounsfield weights import`)
    lungs: Literal["image", "mask"] = "image"  # two_inputs: the CT inside the lungs, or as a control their shape alone
    selection: Selection | None = None  # radiomics: how features are chosen, and the classifier

    @property
    def needs_mask(self) -> bool:
        """Whether an expert must outline the lesion at prediction time."""
        measured = any(not feature.split()[-1].startswith((OF_THE_IMAGE, OF_THE_CASE)) for feature in self.features)
        return self.kind in ("expert_mask", "radiomics") or (measured and self.mask == "expert")

    @property
    def learns_from_masks(self) -> bool:
        """Whether training it takes experts' outlines."""
        return self.kind not in _CUBE_ALONE

    @property
    def needs_segmenter(self) -> bool:
        """Whether the shared U-Net has to be trained for it."""
        return self.kind in ("auto_mask", "joint", "transfer") or self.mask == "auto"

    @property
    def names_network(self) -> bool:
        """Whether it is a network by name."""
        return self.kind in _NETWORKS

    @property
    def fed_features(self) -> bool:
        """Whether it is a model of measured features and no network."""
        return self.kind in ("features", "radiomics")

    @model_serializer(mode="wrap")
    def _only_what_is_said(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # As for `Split`: a run begun before these keys existed must go on.
        fields: dict[str, Any] = handler(self)
        return {name: value for name, value in fields.items() if name not in _LATER or value != _LATER[name]}


class PatientLevel(Settings):
    """A result of each patient from those of the patient's cases (lesions, or series of one lesion).

    A patient counts as the most advanced class (the last) that any of the cases has.
    """

    pooling: list[Literal["mean", "maximum", "noisy_or", "attention"]] = Field(min_length=1)
    arms: list[str] = []  # whose results are pooled; all when empty


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
    """The protocol of one study, resolved. Whether its parts fit together is judged by `rules.problems_of`."""

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
    inputs: Inputs = Inputs()  # what arms are fed besides the cube
    diameter_mm: tuple[float, float] | None = None  # lesions that enter, by the outline's diameter; None takes all
    patient: PatientLevel | None = None
    # Columns of the cases table by which the report splits the AUC; also 'site', and 'size' (the lesion's diameter).
    subgroups: list[str] = []
    split: Split = Split()
    arms: dict[str, Arm] = Field(min_length=1)
    comparisons: list[tuple[str, str]] = []
    networks: Networks = Networks()
    training: Trainings = Trainings()
    seeds: list[int] = Field(default=[1], min_length=1)
    bootstrap: int = Field(default=2000, ge=100)  # resamples of patients behind an interval
    anchors: list[AnchorRow] = []
    anchors_note: str = ""

    @property
    def gathered(self) -> Inputs:
        """The inputs that its arms use: lungs take minutes a case, and only arms of kind two_inputs see them."""
        return self.inputs if self.lung_contents else self.inputs.model_copy(update={"lungs": None})

    @property
    def lung_contents(self) -> list[str]:
        """What arms see of the lungs: image, mask, both or nothing."""
        return sorted({arm.lungs for arm in self.arms.values() if arm.kind == "two_inputs"})

    @model_serializer(mode="wrap")
    def _only_what_is_said(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = handler(self)
        unsaid = {
            "inputs": self.inputs == Inputs(),
            "patient": self.patient is None,
            "subgroups": not self.subgroups,
            "diameter_mm": self.diameter_mm is None,
        }
        return {name: value for name, value in fields.items() if not unsaid.get(name)}


def _word(value: Any) -> Any:
    """A class or value as text: YAML reads an unquoted 1 as a number."""
    if isinstance(value, bool):
        raise ValueError("YAML takes an unquoted yes, no, true or false for a truth value; put it in quotation marks.")
    return as_text(value) if isinstance(value, int | float) else value
