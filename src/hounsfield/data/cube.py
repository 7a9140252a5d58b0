"""One case to one cube and back. In: an image, its mask or a point; out: the scaled cube, the mask's cube and the
lesion's native features.

Only the voxels that the cube needs are resampled; the result equals resampling the whole image and cutting afterwards.
Source: Wang et al., Comput Med Imaging Graph 2021;88:101814, section on pre-processing.
"""

from __future__ import annotations

import numpy as np

from hounsfield.core.content import sha256_of
from hounsfield.core.errors import ImageError, MaskError
from hounsfield.core.seeds import derive
from hounsfield.core.types import AnyArray
from hounsfield.data.preparation import Preparation, PreparedCase
from hounsfield.volume.crop import bounding_box, box_centre, centroid
from hounsfield.volume.density import axial_area_mm2, calcification
from hounsfield.volume.intensity import scale_hu
from hounsfield.volume.measure import axial_diameters_mm, equivalent_diameter_mm, extent_mm, hu_statistics, volume_mm3
from hounsfield.volume.resample import Grid, grid_of, resample_box, resample_like, volume_on
from hounsfield.volume.texture import fill_with_lung_texture, lung_texture
from hounsfield.volume.volume import Volume

AIR_HU = -1024.0
_TEXTURE_MARGIN_MM = 12.0  # in plane, around the cube: where its lung texture is learnt
OF_THE_IMAGE = "field_"  # begins the names of features that take no mask
Index = tuple[int, int, int]


def prepare_case(
    image: Volume,
    mask: Volume | None,
    config: Preparation,
    *,
    centre_mm: tuple[float, float, float] | None = None,
    pixel_digest: str | None = None,
) -> PreparedCase:
    """The cube of one case.

    Args:
        mask: on the grid of `image`; its centre is the cube's centre.
        centre_mm: (x, y, z) in LPS, taken when there is no mask; without either the image's own centre.
        pixel_digest: SHA-256 of `image.array` when the caller knows it (several lesions of one CT), else computed.
    Raises: MaskError for an empty mask or one on another grid; ImageError for a point outside the image or values that
        are not finite.
    """
    if mask is not None and not mask.same_grid(image):
        raise MaskError(
            f"the mask is on another grid ({mask.shape}) than its image ({image.shape}); read it with "
            "read_mask(like=image)."
        )
    grid = grid_of(image, config.spacing_mm, config.grid)
    centre, marked = _centre(image, mask, grid, config, centre_mm)
    z, y, x = (middle - length // 2 for middle, length in zip(centre, config.size, strict=True))
    start, stop = (z, y, x), (z + config.size[0], y + config.size[1], x + config.size[2])
    digest = pixel_digest or sha256_of(image.array)
    cube = resample_box(image.array, grid, start, stop, fill=AIR_HU)
    if not np.isfinite(cube).all():
        raise ImageError(
            "the image holds values that are not finite near the lesion; replace them (for CT by -1024) first."
        )
    if config.fill == "texture":
        cube = _with_texture(cube, image, grid, start, stop, derive(0, "texture", digest, *start))
    cut = None if mask is None else resample_box(mask.array, grid, start, stop, mode="nearest").astype(np.uint8)
    place = volume_on(image, grid, start, cube)
    return PreparedCase(
        image=scale_hu(cube, config.window_hu),
        mask=cut,
        features=native_features(image, mask),
        origin_mm=place.origin_mm,
        spacing_mm=place.spacing_mm,
        direction=place.direction,
        mask_leaves_cube=cut is not None and int(cut.sum()) < marked,
        pixel_digest=digest,
    )


def native_features(image: Volume, mask: Volume | None) -> dict[str, float]:
    """Size and density of a lesion on the native grid, nothing resampled.

    Returns: field_z_mm, field_y_mm, field_x_mm (extent of the image itself: of a cut-out it may give the lesion's size
        away); with a mask also volume_mm3, diameter_mm (of the ball of that volume), longest_mm, across_mm and
        axial_area_mm2 (axial), extent_z_mm, extent_y_mm, extent_x_mm and the keys of `volume.measure.hu_statistics`
        and `volume.density.calcification`.
    """
    spacing = image.spacing_mm
    field = {f"{OF_THE_IMAGE}{axis}_mm": n * s for axis, n, s in zip("zyx", image.shape, spacing, strict=True)}
    if mask is None:
        return field
    start, stop = bounding_box(mask.array)
    box = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
    lesion, values = mask.array[box], image.array[box]
    size = volume_mm3(lesion, spacing)
    longest, across = axial_diameters_mm(lesion, spacing)
    extents = dict(zip(("extent_z_mm", "extent_y_mm", "extent_x_mm"), extent_mm(lesion, spacing), strict=True))
    measured = {
        "volume_mm3": size,
        "diameter_mm": equivalent_diameter_mm(size),
        "longest_mm": longest,
        "across_mm": across,
        "axial_area_mm2": axial_area_mm2(lesion, spacing),
    }
    density = {**hu_statistics(values, lesion), **calcification(values, lesion, spacing)}
    return {**measured, **extents, **density, **field}


def paste_cube(cube_mask: AnyArray, prepared: PreparedCase, like: Volume) -> Volume:
    """A mask of the cube's shape put back on a source grid, e.g. for a DICOM Segmentation.

    Args:
        cube_mask: probabilities in [0, 1] (interpolated, float32 comes back; threshold it after) or booleans / whole
            numbers (nearest).
        prepared: the case that the cube belongs to.
        like: the volume whose grid is wanted, e.g. the series that the case came from.
    Returns: Volume on the grid of `like`, 0 outside the cube.
    """
    soft = np.issubdtype(cube_mask.dtype, np.floating)
    return resample_like(prepared.volume(cube_mask), like, mode="linear" if soft else "nearest", fill=0.0)


def _centre(
    image: Volume, mask: Volume | None, grid: Grid, config: Preparation, centre_mm: tuple[float, float, float] | None
) -> tuple[Index, int]:
    """Index of the cube's centre on `grid`, and the number of the mask's voxels there."""
    if mask is None:
        return _index_of(image, grid, image.centre_mm() if centre_mm is None else centre_mm), 0
    start, stop = bounding_box(mask.array)
    low = np.floor(grid.from_source(np.asarray(start) - 0.5)).astype(int) - 1
    high = np.ceil(grid.from_source(np.asarray(stop) - 0.5)).astype(int) + 2
    box = resample_box(mask.array, grid, _index(low), _index(high), mode="nearest")
    marked = int(np.count_nonzero(box))
    if marked == 0:  # a lesion thinner than the new spacing can fall between its voxels: its native centre stands in
        middle = np.argwhere(mask.array).mean(axis=0)
        return _index(np.floor(grid.from_source(middle) + 0.5)), 0
    found = centroid(box) if config.centre == "centroid" else box_centre(box)
    return _index(np.asarray(found) + low), marked


def _index_of(image: Volume, grid: Grid, point: tuple[float, float, float]) -> Index:
    at = image.to_index(np.asarray([point]))[0]
    last = np.asarray(image.shape) - 1
    if not np.isfinite(at).all() or (at < -0.5).any() or (at > last + 0.5).any():
        text = ", ".join(f"{value:.1f}" for value in point)
        raise ImageError(
            f"the point ({text}) mm lies outside the image; it is (x, y, z) in patient coordinates (LPS), as in DICOM."
        )
    return _index(np.floor(grid.from_source(at) + 0.5))


def _with_texture(cube: AnyArray, image: Volume, grid: Grid, start: Index, stop: Index, seed: int) -> AnyArray:
    known_start = _index(np.maximum(np.negative(start), 0))
    known_stop = _index(np.minimum(np.asarray(grid.shape) - start, cube.shape))
    if known_start == (0, 0, 0) and known_stop == cube.shape:
        return cube
    margin = np.ceil(np.array([0.0, _TEXTURE_MARGIN_MM, _TEXTURE_MARGIN_MM]) / grid.spacing_mm).astype(int)
    low = np.clip(np.asarray(start) - margin, 0, grid.shape)
    high = np.clip(np.asarray(stop) + margin, 0, grid.shape)
    around = resample_box(image.array, grid, _index(low), _index(high))
    middle = (np.asarray(start) + np.asarray(stop)) // 2 - low
    texture = lung_texture(around, (float(middle[0]), float(middle[1]), float(middle[2])), grid.spacing_mm)
    return fill_with_lung_texture(cube, known_start, known_stop, texture, seed=seed)


def _index(values: AnyArray) -> Index:
    z, y, x = (int(value) for value in values)
    return z, y, x
