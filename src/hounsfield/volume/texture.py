"""Padding that looks like lung. In: a cube of HU values of which a box is known, and the texture of the lung around
it; out: the cube with the rest filled by a random field of that texture, the same for the same seed.

A constant pad shows a network where a cut-out ends. Where cut-outs were made with the outline in hand (as LIDC-IDRI
cut-outs that begin and end with the nodule) that is the answer to size and extent. The field is a separable
first-order autoregressive one: mean, SD and correlation between neighbours along z, y, x are those of the lung-like
voxels, and it continues the border's own lung-like voxels, so that no seam shows there. No mask enters: only HU and
the distance from the cube's centre, both known when the model is applied. What it can't
hide: bright structures (chest wall, vessels, the nodule itself) end at the border of the known box.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hounsfield.core.types import AnyArray, BoolArray, FloatArray

LUNG_HU = (-1000.0, -500.0)
_ENOUGH_VOXELS = 200  # below this, SD and correlation are guesses
# Interpolated thick slices correlate more by construction, but over one slice only; a field that did so without end
# would run in streaks through the whole padding.
_MOST_CORRELATED = 0.85


@dataclass(frozen=True)
class Texture:
    """Mean and SD in HU, and the correlation of neighbouring voxels along z, y, x."""

    mean_hu: float
    sd_hu: float
    correlation: tuple[float, float, float]


# Medians of `lung_texture` over the 792 cut-outs of LIDC-IDRI (Armato et al., Med Phys 2011;38:915) at 1.0 x 0.7 x 0.7
# mm.
TYPICAL = Texture(-855.0, 47.0, (0.73, 0.71, 0.74))


def lung_texture(
    block: AnyArray,
    centre: tuple[float, float, float],
    spacing_mm: tuple[float, float, float],
    *,
    away_mm: float = 10.0,
) -> Texture:
    """Texture of the lung-like voxels of `block` that lie far from `centre` in plane.

    Args:
        block: (z, y, x) HU values at `spacing_mm`.
        centre: index (z, y, x) of the lesion's place; voxels nearer than `away_mm` in plane are left out, whatever
            they hold.
    Returns: median, robust SD (1.4826 x median absolute deviation: vessels and blurred edges count little) and
        neighbour correlation of voxels between -1000 and -500 HU; `TYPICAL`, or its correlation on an axis, where
        fewer than 200 voxels (pairs) are found.
    """
    _, rows, columns = block.shape
    apart = np.hypot(
        (np.arange(rows)[:, None] - centre[1]) * spacing_mm[1], (np.arange(columns) - centre[2]) * spacing_mm[2]
    )
    lung = (block > LUNG_HU[0]) & (block < LUNG_HU[1]) & (apart >= away_mm)
    values = block[lung]
    if values.size < _ENOUGH_VOXELS:
        return TYPICAL
    mean = float(np.median(values))
    sd = float(1.4826 * np.median(np.abs(values - mean)))
    near = lung & (
        np.abs(block - mean) <= 3 * max(sd, 1.0)
    )  # pairs without vessels: these would correlate over many voxels
    z, y, x = (_correlation(block, near, axis) for axis in range(3))
    return Texture(mean, max(sd, 1.0), (z, y, x))


def fill_with_lung_texture(
    cube: AnyArray, start: tuple[int, int, int], stop: tuple[int, int, int], texture: Texture, *, seed: int
) -> FloatArray:
    """`cube` with everything outside the half-open box start:stop replaced by `texture`.

    Args:
        cube: (z, y, x) HU values; those outside the box are not looked at.
        seed: takes the place of chance; the same seed and input give the same bytes.
    Returns: float32 array, filled values within `LUNG_HU`.
    """
    rng = np.random.default_rng(seed)
    low, high = list(start), list(stop)
    if any(a >= b for a, b in zip(low, high, strict=True)):
        field = _field(cube.shape, texture.correlation, rng)
        return _in_hu(field, texture)
    filled = np.array(cube, dtype=np.float32)
    for axis in range(3):  # z, then y, then x: each pass extends the box to the cube's full length on one axis
        for step in (-1, 1):
            count = low[axis] if step < 0 else cube.shape[axis] - high[axis]
            edge = low[axis] if step < 0 else high[axis] - 1
            window = [slice(a, b) for a, b in zip(low, high, strict=True)]
            _extend(filled, axis, edge, step, count, window, texture, rng)
        low[axis], high[axis] = 0, cube.shape[axis]
    return filled


def _extend(
    cube: FloatArray,
    axis: int,
    edge: int,
    step: int,
    count: int,
    window: list[slice],
    texture: Texture,
    rng: np.random.Generator,
) -> None:
    """Writes `count` planes beyond plane `edge` into `cube`, each correlated with the one before."""
    if count == 0:
        return
    others = tuple(value for other, value in enumerate(texture.correlation) if other != axis)
    place = window.copy()
    place[axis] = slice(edge, edge + 1)
    border = np.take(cube[tuple(place)], 0, axis=axis)
    shape = border.shape
    # Where the border holds no lung (the lesion, a vessel, the chest wall) the field starts afresh instead of smearing
    # it outwards.
    lung = np.abs(border - texture.mean_hu) <= 3 * texture.sd_hu
    plane = np.where(lung, (border - texture.mean_hu) / texture.sd_hu, _field(shape, others, rng))
    along = texture.correlation[axis]
    for number in range(1, count + 1):
        plane = along * plane + np.sqrt(1 - along**2) * _field(shape, others, rng)
        place[axis] = slice(edge + step * number, edge + step * number + 1)
        cube[tuple(place)] = np.expand_dims(_in_hu(plane, texture), axis)


def _field(shape: tuple[int, ...], correlation: tuple[float, ...], rng: np.random.Generator) -> FloatArray:
    """Stationary Gaussian field of mean 0, SD 1 whose neighbours along axis a correlate by correlation[a]."""
    field = rng.standard_normal(shape)
    for axis, along in enumerate(correlation):
        planes = np.moveaxis(field, axis, 0)  # a view: the loop writes into `field`
        for number in range(1, len(planes)):  # the first plane keeps its full variance, else the field would fade in
            planes[number] *= np.sqrt(1 - along**2)
            planes[number] += along * planes[number - 1]
    return np.asarray(field)


def _in_hu(field: FloatArray, texture: Texture) -> FloatArray:
    return np.asarray(np.clip(texture.mean_hu + texture.sd_hu * field, *LUNG_HU).astype(np.float32))


def _correlation(block: AnyArray, lung: BoolArray, axis: int) -> float:
    first, second = np.moveaxis(block, axis, 0)[:-1], np.moveaxis(block, axis, 0)[1:]
    both = np.moveaxis(lung, axis, 0)[:-1] & np.moveaxis(lung, axis, 0)[1:]
    one, two = first[both].astype(np.float64), second[both].astype(np.float64)
    if one.size < _ENOUGH_VOXELS or one.std() == 0 or two.std() == 0:
        return TYPICAL.correlation[axis]
    return float(np.clip(np.corrcoef(one, two)[0, 1], 0.0, _MOST_CORRELATED))
