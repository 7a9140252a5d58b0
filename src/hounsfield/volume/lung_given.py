"""Lungs with a mask from outside. In: the user's lung mask, or a nodule's mask; out: lungs that hold it.

A lung mask wins over what would be found, voxel by voxel; only right and left are found where it has one label. A
nodule's mask is united with the lungs: a tumour that reaches the mediastinum is no lung to a threshold.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from hounsfield.core.errors import MaskError
from hounsfield.core.types import AnyArray, BoolArray
from hounsfield.volume.airspace import airspace
from hounsfield.volume.align import onto
from hounsfield.volume.body_middle import middle_of
from hounsfield.volume.lung_labels import LEFT, RIGHT, Lungs, measured
from hounsfield.volume.lung_remarks import sides_remarks
from hounsfield.volume.lung_sides import sides
from hounsfield.volume.morphology import nearest_label
from hounsfield.volume.read import read_mask, read_volume
from hounsfield.volume.upright import Work, block_means, shows_air, spread
from hounsfield.volume.volume import Volume

_BOTH_SIDES = 0.2  # share of its width that a mask of two lungs has at least on either side of the image's middle
_WITH_LABELS = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")


def read_lungs(path: Path | str, *, like: Volume) -> Volume:
    """The user's lung mask at `path` on the grid of `like`, with its labels; a DICOM object's segment as one label.

    Raises: MaskError, ImageError as `read_mask`.
    """
    path = Path(path)
    if not path.name.lower().endswith(_WITH_LABELS):
        return read_mask(path, like=like)
    return onto(read_volume(path), like, path.name, whole=True)


def given_lungs(work: Work, volume: Volume, given: Volume, *, threshold_hu: float) -> Lungs:
    """The user's mask as lungs.

    Raises: MaskError when it is empty, on another grid than `volume`, or has labels other than 0, 1 and 2.
    """
    array = np.asarray(given.array)
    if not given.same_grid(volume):
        raise MaskError("the lung mask is on another grid than the CT; read it with read_mask(path, like=volume).")
    values = np.unique(array[array != 0])
    if not values.size or not set(values.tolist()) <= {1, 2}:
        shown = ", ".join(f"{value:g}" for value in values[:6]) or "nothing but 0"
        raise MaskError(
            f"a lung mask has 1 for the right lung and 2 for the left one, or 1 for both; got {shown}. Join lobes to "
            "lungs first."
        )
    if 2 in values:
        return measured(array.astype(np.uint8), volume, _swapped(array, volume))
    labels, seen = _parted(work, work.turn.apply(array != 0), threshold_hu)
    lungs = measured(work.turn.undo(labels), volume, ())
    return replace(lungs, remarks=tuple(sides_remarks(lungs, side_seen=seen)))


def with_nodule(lungs: Lungs, volume: Volume, nodule: Volume) -> Lungs:
    """The union of lungs and a nodule's mask; each nodule voxel outside joins the lung nearest to the nodule.

    Args:
        volume: the CT that `lungs` were found in.
        nodule: its mask on the same grid, any value above 0.
    Returns: Lungs, with a remark on how much of the nodule was outside.
    Raises: MaskError when the nodule's mask is empty or on another grid.
    Source: Guo and Yin's dual-path network masks all but the lungs; without the union a nodule at the pleura or the
        hilum would vanish from its global path.
    """
    mask = np.asarray(nodule.array) > 0
    if not nodule.same_grid(volume) or not mask.any():
        raise MaskError(
            "the nodule's mask is empty or on another grid than the CT; read it with read_mask(path, like=volume)."
        )
    outside = mask & (lungs.labels == 0)
    if not outside.any():
        return lungs
    side, gap = _nearest_side(lungs.labels, mask, volume)
    labels = np.where(outside, np.uint8(side), lungs.labels)
    share = outside.sum() / mask.sum()
    remark = f"{share:.0%} of the nodule lies outside the lung mask; the union of both is taken."
    if gap > 0:
        remark = f"the whole nodule lies outside the lung mask, {gap:.0f} mm from it; the union of both is taken."
    return replace(measured(labels, volume, ()), remarks=(*lungs.remarks, remark))


def _nearest_side(labels: AnyArray, mask: BoolArray, volume: Volume) -> tuple[int, float]:
    """The lung that holds most of the nodule, or is nearest to it, and the distance in mm (0 when it touches)."""
    held = np.bincount(labels[mask], minlength=3)[1:3]
    if held.any():
        return 1 + int(held.argmax()), 0.0
    at = volume.to_world(np.argwhere(mask)[:: max(1, int(mask.sum()) // 500)])
    gaps = []
    for side in (RIGHT, LEFT):
        own = labels == side
        if own.any():
            where = np.argwhere(own)
            gaps.append((_gap_mm(at, volume.to_world(where[:: max(1, len(where) // 200_000)])), side))
    return min(gaps)[1], min(gaps)[0]


def _gap_mm(one: AnyArray, other: AnyArray) -> float:
    from scipy.spatial import cKDTree

    return float(cKDTree(other).query(one)[0].min())


def _swapped(array: AnyArray, volume: Volume) -> tuple[str, ...]:
    """A remark when label 1 lies left of label 2: the user's mask is taken all the same."""
    own = [array == side for side in (RIGHT, LEFT)]
    if not all(mask.any() for mask in own):
        return ()
    right, left = (volume.to_world(np.argwhere(mask).mean(axis=0))[0, 0] for mask in own)
    if right <= left:
        return ()
    return ("in the given mask label 1 (right) lies on the patient's left; it was taken as it is.",)


def _parted(work: Work, mask: BoolArray, threshold_hu: float) -> tuple[AnyArray, bool]:
    """A mask of one label, parted into right and left (upright, uint8), and whether the body's middle was seen."""
    coarse = block_means(work.fine.with_array(mask), work.block, low=0, high=1).array > 0
    seen = shows_air(work)
    if seen:
        body = airspace(work.ct, work.padded, threshold_hu=threshold_hu).body | coarse
        found_middle = middle_of(work.ct, body)
        middle, seen = found_middle.x_mm, found_middle.seen
    else:  # no HU (MR): neither spine nor skin is known by its value
        middle = _middle_of_mask(work, coarse)
    found = sides(work.ct, coarse, middle, gas_is_lung=True).labels
    if not found.any():  # a mask of a few voxels: one lung, on its side of the middle
        found[coarse] = LEFT if _is_left(work, coarse, middle) else RIGHT
    owner = nearest_label(found, coarse, np.inf, work.ct.spacing_mm).astype(np.uint8)
    whole = spread(owner, work.block, work.fine.shape, 0, work.fine.shape[0])
    return np.asarray(whole * mask, dtype=np.uint8), seen


def _middle_of_mask(work: Work, coarse: BoolArray) -> float:
    """x in mm between two lungs: the middle of the mask, or that of the image where the mask lies beside it."""
    columns = np.flatnonzero(coarse.any(axis=(0, 1)))
    first, last, image = float(columns[0]), float(columns[-1]), (coarse.shape[2] - 1) / 2
    both = min(image - first, last - image) > _BOTH_SIDES * (last - first)
    column = (first + last) / 2 if both else image
    return float(work.ct.to_world(np.array([0.0, 0.0, column]))[0, 0])


def _is_left(work: Work, coarse: BoolArray, middle: float) -> bool:
    return bool(work.ct.to_world(np.argwhere(coarse).mean(axis=0))[0, 0] > middle)
