"""A volume seen upright, and made coarse. In: a volume of any orientation; out: the same voxels with axes up, back and
left, block means of them, and the ways back.

Upright is a view, not a copy: axis 0 runs to the head, axis 1 to the back, axis 2 to the patient's left, as nearly as
the index axes allow. Block means need no filter of their own, and each coarse voxel stands for exactly the voxels in
it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np

from hounsfield.core.types import AnyArray, BoolArray, FloatArray
from hounsfield.volume.morphology import components
from hounsfield.volume.resample import Grid, resample_box
from hounsfield.volume.volume import Volume

Triple = tuple[int, int, int]
LOWEST_HU, HIGHEST_HU = -1024.0, 1500.0  # beyond lie padding and metal, which would spoil the means around them
_PADDED_HU = -1100.0  # neither tissue nor air: filling outside the field of view, often -2000 or -3024
_CORNER_HU = -1000.0
_AIR_HU, _AIR_SHARE = -500.0, 1e-3


@dataclass(frozen=True)
class Turn:
    """How an array was turned upright: the order in which its axes were taken, and which of them were reversed
    then."""

    order: Triple
    reverse: tuple[bool, bool, bool]

    def apply(self, array: AnyArray) -> AnyArray:
        """The array upright, as a view."""
        return array.transpose(self.order)[self._slices()]

    def undo(self, array: AnyArray) -> AnyArray:
        """An upright array back in its old order, contiguous."""
        back = np.argsort(self.order)
        return np.ascontiguousarray(array[self._slices()].transpose(back))

    def _slices(self) -> tuple[slice, ...]:
        return tuple(slice(None, None, -1 if flag else 1) for flag in self.reverse)


@dataclass(frozen=True)
class Work:
    """A CT made ready for work on blocks.

    Attributes:
        fine: the CT upright; turn: how it was turned.
        block: voxels of a block; ct: mean HU of each block.
        padded: which blocks are the scanner's filling outside its field of view.
    """

    fine: Volume
    turn: Turn
    block: Triple
    ct: Volume
    padded: BoolArray

    def ml(self, mask: AnyArray) -> float:
        """Volume of a mask of blocks."""
        return float(np.count_nonzero(mask) * self.ct.voxel_mm3 / 1000)


def work_on(volume: Volume, work_mm: float) -> Work:
    """`volume` upright and in blocks of about `work_mm`."""
    fine, turn = upright(volume)
    block = block_of(fine.spacing_mm, work_mm)
    ct = block_means(fine, block, low=LOWEST_HU, high=HIGHEST_HU)
    return Work(fine, turn, block, ct, _padded(fine, block))


def _padded(fine: Volume, block: Triple) -> BoolArray:
    """Blocks that the scanner filled up: values below any air, or what hangs together with the corners where all four
    have one value throughout."""
    low = np.zeros(_coarse(fine.shape, block), dtype=bool)
    if (fine.array < _PADDED_HU).any():
        low = block_means(fine.with_array(fine.array < _PADDED_HU), block, low=0, high=1).array > 0.5
    corners = fine.array[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    value = corners[0, 0]
    if value > _CORNER_HU or value < _PADDED_HU or not (corners == value).all():
        return low
    same = block_means(fine.with_array(fine.array == value), block, low=0, high=1).array > 0.5
    labels, _ = components(same, in_plane=True)
    at_corners = np.unique(labels[:, [0, 0, -1, -1], [0, -1, 0, -1]])
    return low | np.isin(labels, at_corners[at_corners > 0])


def shows_air(work: Work) -> bool:
    """Whether a thousandth of the blocks is as low as air, which it is in any CT in HU and in nothing else."""
    seen = work.ct.array[~work.padded]
    return bool(seen.size) and float((seen < _AIR_HU).mean()) > _AIR_SHARE


def upright(volume: Volume) -> tuple[Volume, Turn]:
    """`volume` with axes nearest to head, back and left, and the turn that led there."""
    # Row k: the world vector (left, back, head in LPS) of array axis k, which is ITK's index axis 2 - k.
    axes = volume.direction.T[::-1]
    wanted = (2, 1, 0)  # the world component that array axes 0, 1 and 2 should follow
    order = max(permutations(range(3)), key=lambda way: sum(abs(axes[way[k], wanted[k]]) for k in range(3)))
    reverse = [bool(axes[order[k], wanted[k]] < 0) for k in range(3)]
    turn = Turn((order[0], order[1], order[2]), (reverse[0], reverse[1], reverse[2]))
    corner = np.zeros(3)
    for k in range(3):
        corner[order[k]] = volume.shape[order[k]] - 1 if reverse[k] else 0
    x, y, z = volume.to_world(corner)[0]
    signs = [-1.0 if flag else 1.0 for flag in reverse]
    direction = np.stack([signs[k] * axes[order[k]] for k in (2, 1, 0)], axis=1)
    spacing = volume.spacing_mm
    turned = (spacing[order[0]], spacing[order[1]], spacing[order[2]])
    return Volume(turn.apply(volume.array), turned, (float(x), float(y), float(z)), direction), turn


def block_of(spacing_mm: tuple[float, float, float], wanted_mm: float) -> Triple:
    """How many voxels of each axis make a block of about `wanted_mm`; 1 where they are as large already."""
    z, y, x = (max(1, round(wanted_mm / value)) for value in spacing_mm)
    return z, y, x


def block_means(volume: Volume, block: Triple, *, low: float, high: float) -> Volume:
    """Means over blocks of voxels, each first held within low..high; not a number counts as `low`.

    Returns: float32; the last block of an axis may be filled up by its border's values.
    """
    shape = _coarse(volume.shape, block)
    array = np.empty(shape, dtype=np.float32)
    for k in range(shape[0]):  # slab by slab: the whole CT as float32 would take a quarter of a GB more
        slab = np.asarray(volume.array[k * block[0] : (k + 1) * block[0]], dtype=np.float32)
        plane = np.nan_to_num(np.clip(slab, low, high), nan=low).mean(axis=0)
        rows, columns = (shape[axis] * block[axis] - plane.shape[axis - 1] for axis in (1, 2))
        plane = np.pad(plane, ((0, rows), (0, columns)), mode="edge")
        array[k] = plane.reshape(shape[1], block[1], shape[2], block[2]).mean(axis=(1, 3))
    x, y, z = volume.to_world((np.asarray(block) - 1) / 2)[0]
    spacing = tuple(float(s * b) for s, b in zip(volume.spacing_mm, block, strict=True))
    return Volume(array, (spacing[0], spacing[1], spacing[2]), (float(x), float(y), float(z)), volume.direction)


def spread(coarse: AnyArray, block: Triple, shape: Triple, start: int, stop: int) -> AnyArray:
    """Slices start:stop (fine) of a coarse array on the fine grid of `shape`, each block filled with its value."""
    rows = np.arange(start, stop) // block[0]
    part = coarse[rows].repeat(block[1], axis=1).repeat(block[2], axis=2)
    return np.asarray(part[:, : shape[1], : shape[2]])


def spread_smooth(coarse: BoolArray, block: Triple, shape: Triple, start: int, stop: int) -> BoolArray:
    """As `spread`, for a mask whose faces are not to be blocks: linear between block centres, cut at one half."""
    grid = Grid((1.0, 1.0, 1.0), shape, _offset(block), _step(block))
    box = resample_box(coarse.astype(np.float32), grid, (start, 0, 0), (stop, shape[1], shape[2]))
    found: FloatArray = box
    return np.asarray(found > 0.5)


def _coarse(shape: Triple, block: Triple) -> Triple:
    z, y, x = (-(-n // b) for n, b in zip(shape, block, strict=True))
    return z, y, x


def _step(block: Triple) -> tuple[float, float, float]:
    return 1 / block[0], 1 / block[1], 1 / block[2]


def _offset(block: Triple) -> tuple[float, float, float]:
    z, y, x = (-(b - 1) / 2 / b for b in block)
    return z, y, x
