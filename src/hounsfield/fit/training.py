"""How a network is trained: one frozen, checked object. The defaults are the published settings where there are any.

Source: Wang et al., Comput Med Imaging Graph 2021;88:101814 (optimisation); schedule and stop rule look at the
validation part here, at the test part there.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from hounsfield.data.augment import Augmentation


class Training(BaseModel):
    """Settings of one training."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int = Field(default=120, ge=1)  # at most; 150 for a segmenter
    batch_size: int = Field(default=24, ge=2)
    learning_rate: float = Field(default=1e-4, gt=0)  # 1e-5 for the joint stage
    weight_decay: float = Field(default=1e-4, ge=0)  # coupled L2, as in classic Adam
    schedule: Literal["plateau", "step", "constant", "one_cycle"] = "plateau"
    stop_patience: int = Field(default=50, ge=1)  # epochs without gain on the validation part
    augmentation: Augmentation = Augmentation()
    class_weights: Literal["none", "balanced"] = "none"
    auxiliary_weight: float = Field(default=0.0, ge=0)  # of the readers' ratings, for networks with such outputs
    dice_weight: float = Field(default=1.0, ge=0)  # lambda of the joint loss
    dice_floor: float | None = Field(default=None, ge=0, le=1)  # joint stages end when validation Dice falls below
    # How it is computed; none of these is meant to change what is learnt.
    device: str = "auto"  # auto, cpu, cuda, cuda:1 ...
    precision: Literal["auto", "32", "bf16"] = "auto"
    compile: Literal["auto", "on", "off"] = "auto"
    threads: int = Field(default=0, ge=0)  # of the CPU; 0 leaves torch's own choice
    checkpoint_s: float = Field(default=60.0, ge=0)  # seconds between checkpoints, which are made between epochs


SEGMENTER = Training(epochs=150)
CLASSIFIER = Training(epochs=120)
JOINT = Training(epochs=120, learning_rate=1e-5, schedule="step")
MULTITASK = Training(epochs=150)
