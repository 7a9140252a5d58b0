"""What is unusual about lungs that were found. In: lungs, their coarse mask, and the gas that was left out; out:
sentences."""

from __future__ import annotations

from hounsfield.core.types import BoolArray, IntArray
from hounsfield.volume.airspace import GAS_HU, gas_share
from hounsfield.volume.lung_labels import LEFT, NAMES, RIGHT, Lungs
from hounsfield.volume.morphology import erode
from hounsfield.volume.volume import Volume

_UNEQUAL = 0.4  # the left lung is nearly as large as the right one
_MUCH_GAS = 0.25
_GAS_ML = 100.0
_MOST_ML = 12_000.0


def remarks_on(lungs: Lungs, labels: IntArray, gas: BoolArray, ct: Volume, *, side_seen: bool) -> tuple[str, ...]:
    """What a reader of the volumes must know.

    Args:
        labels: both lungs on the coarse grid of `ct`.
        gas: enclosed gas there that is no lung.
        side_seen: whether the middle of the body was seen.
    """
    remarks = sides_remarks(lungs, side_seen=side_seen)
    if lungs.total_ml > _MOST_ML:
        remarks.append(
            f"{lungs.total_ml / 1000:.0f} l are more than any lungs hold: is the spacing of the image in mm?"
        )
    mask = labels > 0
    faces = {"lower": mask[0], "upper": mask[-1], "front": mask[:, 0], "back": mask[:, -1]}
    faces |= {"right": mask[:, :, 0], "left": mask[:, :, -1]}
    cut = [name for name, face in faces.items() if face.any()]
    if cut:
        remarks.append(f"lungs touch the border of the image ({', '.join(cut)}): the volume is that of the part shown.")
    core = erode(mask, max(ct.spacing_mm), ct.spacing_mm)
    for side, name in NAMES.items():
        share = gas_share(ct.array[core & (labels == side)])
        if share > _MUCH_GAS:
            remarks.append(
                f"{share:.0%} of the {name} lung is below {GAS_HU:.0f} HU: emphysema, bullae or a pneumothorax."
            )
    gas_ml = float(gas.sum() * ct.voxel_mm3 / 1000)
    if gas_ml >= _GAS_ML:
        remarks.append(f"{gas_ml:.0f} ml of enclosed gas was left out (bowel, stomach or a pneumothorax).")
    return tuple(remarks)


def sides_remarks(lungs: Lungs, *, side_seen: bool) -> list[str]:
    """What is unusual about right and left: one alone, one much smaller, or sides that are a guess."""
    ml = {RIGHT: lungs.right_ml, LEFT: lungs.left_ml}
    small, large = sorted(ml, key=lambda side: ml[side])
    if not ml[small]:
        found = [
            f"only the {NAMES[large]} lung was found: the other is missing, outside the image or without air "
            "(removed, collapsed, filled)."
        ]
        if not side_seen:
            found.append("whether it is the right or the left one is a guess: the image shows no spine and no outline.")
        return found
    found = []
    if not side_seen:
        found.append(
            "where the right lung ends and the left begins is a guess: the image shows no spine and no outline."
        )
    if ml[small] < _UNEQUAL * ml[large]:
        found.append(
            f"the {NAMES[small]} lung is small, {ml[small]:.0f} ml against {ml[large]:.0f} ml: parts without air "
            "(fluid, consolidation, a large tumour) are not in the mask."
        )
    return found
