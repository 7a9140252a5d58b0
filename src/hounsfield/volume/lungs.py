"""Lung masks of a chest CT without trained weights. In: a CT in HU; out: right and left lung, their volumes in ml, and
remarks on what is unusual.

The steps are threshold, outside and airways out, connected spaces, sides, repair at the pleura. They are done on blocks
of about 2 mm; the edge is then drawn on the CT's own voxels. A mask given by the user is taken as it is. What a
threshold can't see stays outside: fluid, and consolidation or tumour that reaches the mediastinum; the union with a
nodule's mask (`lung_given.with_nodule`) brings the nodule in.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy import ndimage

from hounsfield.core.types import BoolArray, IntArray
from hounsfield.volume.airspace import Airspace, airspace
from hounsfield.volume.airways import airways
from hounsfield.volume.body_middle import column_of, middle_of
from hounsfield.volume.lung_edge import CoarseLungs, at_full_resolution
from hounsfield.volume.lung_given import given_lungs
from hounsfield.volume.lung_labels import LEFT, RIGHT, Lungs, NoLungs, measured
from hounsfield.volume.lung_remarks import remarks_on
from hounsfield.volume.lung_sides import Sides, sides
from hounsfield.volume.pleura import repair
from hounsfield.volume.upright import Work, shows_air, work_on
from hounsfield.volume.volume import Volume

_BESIDE_MM = 70.0  # from the middle of a lung to that of the chest
_ROUND_MM, _AMID = 30.0, 0.5  # a bronchus is inside the lung where this share of the cube around it is lung


class LungConfig(BaseModel):
    """Settings of the segmentation; the defaults were chosen on simulated and public CT and fit 0.5 to 10 mm slices."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    threshold_hu: float = Field(default=-400.0, gt=-900, lt=-150)  # midway between lung and muscle
    work_mm: float = Field(default=2.0, gt=0, le=4)  # blocks: fine enough for a pleural line, coarse enough for speed
    closing_mm: float = Field(default=8.0, ge=0, le=20)  # hilar vessels are at most twice as wide
    mouth_mm: float = Field(default=45.0, ge=0, le=100)  # a nodule of 40 mm, the largest eligible one, and a little
    least_ml: float = Field(default=30.0, gt=0)  # less is no lung: a newborn's two hold 60 to 100 ml


def lung_masks(volume: Volume, *, given: Volume | None = None, config: LungConfig | None = None) -> Lungs:
    """Right and left lung of a chest CT.

    Args:
        volume: CT in HU, any orientation, spacing and contrast phase.
        given: the user's own lung mask on the same grid, which wins: its voxels are taken as they are. Labels 1 and 2
            are right and left; a mask of one label is parted.
    Returns: Lungs; `labels` on the grid of `volume`.
    Raises: NoLungs when there are none, or the values are no HU; MaskError for a given mask that is empty, of other
        labels or on another grid.
    """
    config = config or LungConfig()
    work = work_on(volume, config.work_mm)
    if given is not None:
        return given_lungs(work, volume, given, threshold_hu=config.threshold_hu)
    holes = _not_numbers(volume)
    _check_hu(work)
    space = airspace(work.ct, work.padded, threshold_hu=config.threshold_hu)
    middle = middle_of(work.ct, space.body)
    tree = airways(work.ct, space.inside, column_of(work.ct, middle.x_mm))
    found = sides(work.ct, space.inside & ~tree, middle.x_mm)
    if work.ml(found.labels) < config.least_ml:
        raise NoLungs(_none_found(work.ml(found.labels), work.ml(found.gas), config.least_ml))
    coarse = _repaired(work, space, tree, found, config)
    labels = at_full_resolution(work.fine, coarse, work.ct.spacing_mm, work.block, threshold_hu=config.threshold_hu)
    labels = work.turn.undo(labels)
    labels[holes] = 0
    lungs = measured(labels, volume, ())
    remarks = remarks_on(lungs, coarse.labels, found.gas, work.ct, side_seen=middle.seen)
    return replace(lungs, remarks=(*_said_of(holes), *remarks))


def _not_numbers(volume: Volume) -> BoolArray:
    """Voxels that are NaN or infinite.

    Raises: NoLungs when all are.
    """
    holes = np.zeros(volume.shape, dtype=bool)
    if np.issubdtype(volume.array.dtype, np.floating):
        holes = ~np.isfinite(volume.array)
    if holes.all():
        raise NoLungs("every voxel is NaN or infinite. Convert the image again.")
    return holes


def _said_of(holes: BoolArray) -> tuple[str, ...]:
    count = int(holes.sum())
    if not count:
        return ()
    return (f"{count} voxels of the CT are no numbers (NaN or infinite); they are left out of the lungs.",)


def _check_hu(work: Work) -> None:
    """Refuses values that are no HU: without air near -1000 there is no threshold for it."""
    seen = work.ct.array[~work.padded]
    if not seen.size:
        raise NoLungs("the image is one value throughout, or nothing but padding. Is the file damaged?")
    if shows_air(work):
        return
    least = float(seen.min())
    raise NoLungs(
        f"no air is seen: a CT of the chest in HU has lung near -850, air near -1000; here the lowest is {least:.0f}. "
        "If this is a CT, its rescale slope and intercept were not applied (air is then near 0): read it from DICOM "
        "again. MR and other images have no HU; give a lung mask made elsewhere."
    )


def _none_found(lung_ml: float, gas_ml: float, least_ml: float) -> str:
    return (
        f"no lungs: {lung_ml:.0f} ml of air with tissue in it is enclosed by the body, at least {least_ml:.0f} ml is "
        f"expected, besides {gas_ml:.0f} ml of mere gas (bowel, stomach). Is this a CT of the chest? If the lungs are "
        "wholly filled (consolidation, fluid), give a lung mask made elsewhere."
    )


def _repaired(work: Work, space: Airspace, tree: BoolArray, found: Sides, config: LungConfig) -> CoarseLungs:
    """Both lungs with dents and vessels filled; neither enters the other, a wide airway, outside air or the bowel."""
    spacing = work.ct.spacing_mm
    labels = found.labels.copy()
    size = [max(1, round(_ROUND_MM / value)) for value in spacing]
    amid = ndimage.uniform_filter((labels > 0).astype(np.float32), size=size, mode="nearest") > _AMID
    never = space.outside | found.gas | (tree & ~amid)
    centre = _between(found.labels, spacing[2])
    for side in (RIGHT, LEFT):
        own = found.labels == side
        if own.any():
            whole = repair(own, spacing, centre=centre, closing_mm=config.closing_mm, mouth_mm=config.mouth_mm)
            labels[whole & ~never & (labels == 0)] = side
    return CoarseLungs(labels, (labels > 0) & (found.labels == 0), never | tree & (labels == 0))


def _between(labels: IntArray, spacing_x_mm: float) -> tuple[float, float]:
    """(row, column) of the middle between the lungs; where there is one alone, beside it."""
    seen = [labels == side for side in (RIGHT, LEFT) if (labels == side).any()]
    flat = [mask.any(axis=0) for mask in seen]
    row, column = (float(np.mean([np.nonzero(mask)[axis].mean() for mask in flat])) for axis in (0, 1))
    if len(seen) == 1:
        column += (1 if (labels == RIGHT).any() else -1) * _BESIDE_MM / spacing_x_mm
    return row, column
