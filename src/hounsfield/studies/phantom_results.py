"""What a phantom's run shows: predictions and trained pieces in, one row of numbers an arm out.

Accuracy is that of the more probable class, so no threshold is chosen anywhere. Intervals take patients as the unit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.ndimage import distance_transform_edt

from hounsfield.core.types import BoolArray, FloatArray, IntArray
from hounsfield.infer.measure import MeasureCubes
from hounsfield.infer.model import Cubes, Model, Output
from hounsfield.phantom.core_fraction import bayes_accuracy, core_fraction_density
from hounsfield.phantom.cubes import CubeSet
from hounsfield.stats.auc import auc
from hounsfield.stats.classification import accuracy
from hounsfield.studies.phantom_cases import CLASSES, CLEAN, CONFIG, CONFOUNDER, SHAPE_LEAK
from hounsfield.studies.study import Study
from hounsfield.volume.intensity import scale_hu

NEAR_MM = 2.4
"""How far from the outline a voxel still counts as beside the nodule: two voxels."""


@dataclass(frozen=True)
class ArmResult:
    """The N test cubes as one arm sees them, in the order of the phantom's test part.

    Attributes:
        prob: (N,) probability of the last class.
        dice: (N,) Dice of the soft mask at 0.5; NaN where the arm draws none.
    """

    prob: FloatArray
    dice: FloatArray

    @property
    def called(self) -> IntArray:
        """(N,) the more probable class."""
        return (self.prob > 0.5).astype(np.int64)


@dataclass(frozen=True)
class MaskValues:
    """Mean value of a soft mask: on vessels that touch the nodule, beside the nodule (vessel, lung), and in it."""

    vessel: float
    near_vessel: float
    near_lung: float
    nodule: float


@dataclass(frozen=True)
class PhantomResult:
    """One phantom's run.

    Attributes:
        label, patient_id: (N,) of the test part.
        best_rule: (N,) class by the rule that knows the core fraction; None where the image has nothing to know.
        bayes: accuracy that no rule can pass in the mean, from image and mask together.
        arms: by name, in the order of the study.
        masks: by name, of the arms that draw a soft mask; clean and confounder phantom only.
        aligned: accuracy of each network on test cubes whose vessels go along with the class as in training;
            confounder phantom only.
    """

    label: IntArray
    patient_id: tuple[str, ...]
    best_rule: IntArray | None
    bayes: float
    arms: Mapping[str, ArmResult]
    masks: Mapping[str, MaskValues] = field(default_factory=dict)
    aligned: Mapping[str, float] = field(default_factory=dict)


def result_of(phantom: str, predictions: pd.DataFrame, test: CubeSet) -> PhantomResult:
    """Gathers the test predictions of a finished run.

    Args:
        predictions: of the run; one fold, one seed.
        test: the test part, whose n-th cube has the n-th case_id.
    """
    rows = predictions[predictions["split"] == "test"].sort_values(["arm", "case_id"])
    arms = {}
    for name in dict.fromkeys(predictions["arm"]):
        own = rows[rows["arm"] == name]
        dice = own["dice"] if "dice" in own else pd.Series(np.nan, index=own.index)
        arms[str(name)] = ArmResult(own[f"prob_{CLASSES[-1]}"].to_numpy(float), dice.to_numpy(float))
    patients = tuple(f"test-{name}" for name in test.patient_ids)
    rule = best_rule(test.core_fraction) if phantom in (CLEAN, CONFOUNDER) else None
    return PhantomResult(test.labels, patients, rule, bayes_rate(phantom), arms)


def best_rule(core_fraction: FloatArray) -> IntArray:
    """(N,) class of highest density at each true core fraction, classes being equally frequent."""
    densities = [core_fraction_density(core_fraction, mean, CONFIG.core_sd) for mean in CONFIG.core_means]
    return np.asarray(np.argmax(densities, axis=0), dtype=np.int64)


def bayes_rate(phantom: str) -> float:
    """Highest accuracy in the mean that image and expert's outline allow."""
    if phantom in (CLEAN, CONFOUNDER):
        return bayes_accuracy(CONFIG.core_means, CONFIG.core_sd)
    return 1.0 if phantom == SHAPE_LEAK else 0.5  # the two outlines of the leak are never alike


def table_of(result: PhantomResult) -> pd.DataFrame:
    """One row an arm: accuracy and AUC with 95 % intervals, mean Dice, mask on the vessel."""
    rows = []
    for name, arm in result.arms.items():
        right = accuracy(result.label, arm.called, patient_id=result.patient_id)
        area = auc(result.label, arm.prob, patient_id=result.patient_id)
        rows.append(
            {
                "arm": name,
                "cubes": len(result.label),
                "accuracy": right.value,
                "accuracy_low": right.low,
                "accuracy_high": right.high,
                "auc": area.value,
                "auc_low": area.low,
                "auc_high": area.high,
                "dice": float(arm.dice.mean()),
                "vessel": result.masks[name].vessel if name in result.masks else float("nan"),
                "bayes": result.bayes,
            }
        )
    return pd.DataFrame(rows)


def predict_cubes(model: Model, cubes: CubeSet, study: Study, *, device: str = "cpu") -> Output:
    """A trained network on drawn cubes, which have the study's grid already."""
    image = np.asarray(scale_hu(cubes.images, study.preparation.window_hu), dtype=np.float32)
    return model.predict(Cubes(image, cubes.masks), measure=MeasureCubes(study.preparation), device=device)


def mask_values(soft: FloatArray, probe: CubeSet) -> MaskValues:
    """Mean soft mask on the parts of the probe's cubes.

    Args:
        soft: (N, z, y, x) foreground probability.
        probe: cubes whose only vessels are those that touch the nodule.
    """
    near = np.stack([_beside(mask, probe.spacing_mm) for mask in probe.masks])
    return MaskValues(
        vessel=float(soft[probe.vessels].mean()),
        near_vessel=float(soft[probe.vessels & near].mean()),
        near_lung=float(soft[~probe.vessels & near].mean()),
        nodule=float(soft[probe.masks].mean()),
    )


def _beside(mask: BoolArray, spacing_mm: tuple[float, float, float]) -> BoolArray:
    distance = distance_transform_edt(~mask, sampling=spacing_mm)
    return np.asarray((distance > 0) & (distance <= NEAR_MM))
