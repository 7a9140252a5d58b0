"""Features of one lesion. In: image and mask (z, y, x) with their spacing, settings, names; out: values, and the reason
for each that is missing. Pure: no file is opened, nothing is drawn by chance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite, nan

import numpy as np

from hounsfield.core.errors import MaskError
from hounsfield.core.types import AnyArray
from hounsfield.radiomics import first_order, glcm, gldm, gldzm, glrlm, glszm, histogram, ngtdm, shape
from hounsfield.radiomics.config import RadiomicsConfig
from hounsfield.radiomics.lattice import lattice_of
from hounsfield.radiomics.processing import Place, Region, place, region
from hounsfield.radiomics.sets import TEXTURE, catalogue, names_of
from hounsfield.radiomics.zones import zones_of

Spacing = tuple[float, float, float]
_REASONS: dict[str, dict[str, str]] = {
    "shape": shape.REASONS,
    "first_order": first_order.REASONS,
    "histogram": histogram.REASONS,
    "glcm": glcm.REASONS,
}
_ABSENT = {"glcm": glcm.ABSENT, "ngtdm": ngtdm.ABSENT}  # of the whole family


@dataclass(frozen=True)
class Features:
    """What was measured.

    Attributes:
        values: a number for every name asked for, in the order of the catalogue; NaN where missing.
        missing: for each NaN why it could not be measured.
        voxels: of the intensity mask after all processing; None when only the outline was asked for.
    """

    values: Mapping[str, float]
    missing: Mapping[str, str]
    voxels: int | None = None


def features(
    image: AnyArray,
    mask: AnyArray,
    *,
    spacing_mm: Spacing,
    config: RadiomicsConfig | None = None,
    names: str | Iterable[str] = "standard107",
) -> Features:
    """Features of the lesion that `mask` marks in `image`.

    Args:
        image: (z, y, x) intensities, CT in HU.
        mask: (z, y, x) of the same shape; every voxel that is not 0 belongs to the lesion.
        spacing_mm: (z, y, x).
        names: a set of `sets.SETS`, or feature names of `sets.catalogue`.
    Raises: MaskError when the mask is empty, of another shape, or lost in interpolation; ImageError when values that
        are needed are no numbers or the bins are too narrow; HounsfieldError for an unknown name.
    """
    config = config or RadiomicsConfig()
    wanted = names_of(names)
    if image.shape != mask.shape:
        raise MaskError(
            f"image and mask must have one shape; got {image.shape} and {mask.shape}. Bring both on one grid."
        )
    found = place(mask, spacing_mm, config)
    if not any(catalogue()[name].needs_intensity for name in wanted):
        return _chosen(wanted, _outline(found), {}, None)
    return of_region(region(image, found, config), config, wanted)


def of_region(measured: Region, config: RadiomicsConfig, wanted: tuple[str, ...]) -> Features:
    """Features of a lesion that is processed already; names in the catalogue's order."""
    families = {catalogue()[name].family for name in wanted}
    values: dict[str, float] = {}
    reasons: dict[str, str] = {}
    count = int(np.count_nonzero(measured.mask))
    if "shape" in families:
        values |= _named("shape", shape.features(measured.shape_mask, measured.spacing_mm))
    if count == 0:
        text = "re-segmentation leaves no voxel"
        reasons = {name: text for name in wanted if name not in values}
        return _chosen(wanted, values, reasons, 0)
    if any(catalogue()[name].needs_intensity and catalogue()[name].family == "shape" for name in wanted):
        values |= _named("shape", shape.with_intensity(measured))
    if "first_order" in families:
        values |= _named("first_order", first_order.features(measured.values(), float(np.prod(measured.spacing_mm))))
    if "histogram" in families:
        values |= _named("histogram", histogram.features(measured.levels[measured.mask], measured.level_count))
    if count >= config.minimum_texture_voxels:
        values |= _texture(measured, config, families)
    else:
        text = f"texture of {count} voxels says nothing; at least {config.minimum_texture_voxels} are asked for"
        reasons = {name: text for name in wanted if catalogue()[name].family in TEXTURE}
    return _chosen(wanted, values, reasons, count)


def _texture(measured: Region, config: RadiomicsConfig, families: set[str]) -> dict[str, float]:
    lattice = lattice_of(measured, config.aggregation)
    values: dict[str, float] = {}
    if "glcm" in families:
        values |= _named("glcm", glcm.features(lattice))
    if "glrlm" in families:
        values |= _named("glrlm", glrlm.features(lattice))
    if families & {"glszm", "gldzm"}:
        zones = zones_of(lattice)
        if "glszm" in families:
            values |= _named("glszm", glszm.features(lattice, zones))
        if "gldzm" in families:
            values |= _named("gldzm", gldzm.features(lattice, zones, measured.shape_mask))
    if "ngtdm" in families:
        values |= _named("ngtdm", ngtdm.features(lattice))
    if "gldm" in families:
        values |= _named("gldm", gldm.features(lattice))
    return values


def _outline(found: Place) -> dict[str, float]:
    return _named("shape", shape.features(found.mask, found.grid.spacing_mm))


def _named(family: str, values: Mapping[str, float]) -> dict[str, float]:
    return {f"{family}_{name}": value for name, value in values.items()}


def _chosen(
    wanted: tuple[str, ...], values: Mapping[str, float], reasons: Mapping[str, str], voxels: int | None
) -> Features:
    """The wanted values, each NaN with its reason."""
    kept = {name: float(values.get(name, nan)) for name in wanted}
    missing = {}
    for name in (name for name, value in kept.items() if not isfinite(value)):
        family = catalogue()[name].family
        own = _REASONS.get(family, {}).get(name.removeprefix(f"{family}_"))
        # A family that is missing as a whole has a reason of its own.
        whole = all(not isfinite(value) for key, value in kept.items() if catalogue()[key].family == family)
        absent = _ABSENT.get(family) if whole else None
        missing[name] = reasons.get(name) or absent or own or "it is not defined for this lesion"
        kept[name] = nan
    return Features(kept, missing, voxels)
