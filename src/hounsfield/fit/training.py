"""How a network is trained: one frozen, checked object. The defaults are the published settings where there are any.

Source: Wang et al., Comput Med Imaging Graph 2021;88:101814 (optimisation); schedule and stop rule look at the
validation part here, at the test part there.
"""

from __future__ import annotations

import math
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

from hounsfield.data.augment import Augmentation
from hounsfield.data.augment_affine import AffineAugmentation
from hounsfield.losses.class_loss import class_loss

_LATER = ("loss", "loss_settings", "sampler", "optimiser", "rates")  # keys that came after the first release


class Training(BaseModel):
    """Settings of one training."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int = Field(default=120, ge=1)  # at most; 150 for a segmenter
    batch_size: int = Field(default=24, ge=2)
    learning_rate: float = Field(default=1e-4, gt=0)  # 1e-5 for the joint stage
    weight_decay: float = Field(default=1e-4, ge=0)  # coupled L2, as in classic Adam
    schedule: Literal["plateau", "step", "constant", "one_cycle"] = "plateau"
    stop_patience: int = Field(default=50, ge=1)  # epochs without gain on the validation part
    augmentation: Augmentation | AffineAugmentation = Augmentation()
    class_weights: Literal["none", "balanced"] = "none"
    auxiliary_weight: float = Field(default=0.0, ge=0)  # of the readers' ratings, for networks with such outputs
    dice_weight: float = Field(default=1.0, ge=0)  # lambda of the joint loss
    dice_floor: float | None = Field(default=None, ge=0, le=1)  # joint stages end when validation Dice falls below
    loss: str = "cross_entropy"  # of the class, by name in `losses`; others than this one for a `RankingTask` alone
    loss_settings: dict[str, Any] = {}
    sampler: Literal["shuffled", "two_class"] = "shuffled"  # two_class: half of each batch is positive
    optimiser: Literal["adam", "adamw"] = "adam"  # adamw: weight decay apart from the gradient
    # Factor on the learning rate by the beginning of a weight's name, e.g. {"": 0.1, fc: 1}: see `nets.freezing`.
    rates: dict[str, float] = {}
    # How it is computed; none of these is meant to change what is learnt.
    device: str = "auto"  # auto, cpu, cuda, cuda:1 ...
    precision: Literal["auto", "32", "bf16"] = "auto"
    compile: Literal["auto", "on", "off"] = "auto"
    threads: int = Field(default=0, ge=0)  # of the CPU; 0 leaves torch's own choice
    checkpoint_s: float = Field(default=60.0, ge=0)  # seconds between checkpoints, which are made between epochs

    @field_validator("rates")
    @classmethod
    def _rates_are_positive(cls, value: dict[str, float]) -> dict[str, float]:
        low = [name for name, factor in value.items() if not 0 < factor < math.inf]
        if low:
            raise ValueError(f"a factor of rates is above 0; '{low[0]}' has {value[low[0]]}. To hold weights, freeze.")
        return value

    @model_validator(mode="after")
    def _loss_is_known(self) -> Training:
        class_loss(self.loss, self.loss_settings)
        return self

    @model_serializer(mode="wrap")
    def _only_what_is_said(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # A run folder is claimed by the text of its resolved study: one begun before these keys existed must go on.
        fields: dict[str, Any] = handler(self)
        for name in _LATER:
            if getattr(self, name) == type(self).model_fields[name].default:
                fields.pop(name, None)
        return fields


SEGMENTER = Training(epochs=150)
CLASSIFIER = Training(epochs=120)
JOINT = Training(epochs=120, learning_rate=1e-5, schedule="step")
MULTITASK = Training(epochs=150)
