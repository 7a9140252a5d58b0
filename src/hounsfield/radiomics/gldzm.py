"""Grey level distance zone matrix (IBSI 3.9, VMDZ). In: a lattice, its zones and the morphological mask; out: its 16
features. None of them is among PyRadiomics' 107.

Cell (i, j) counts zones of grey level i whose nearest voxel lies j steps from the lesion's border. Steps lead through
faces (6 in 3-D, 4 by slice), a voxel at the border has distance 1, and the border is that of the morphological mask, so
that voxels dropped by re-segmentation make no new one.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from hounsfield.core.types import BoolArray, IntArray
from hounsfield.radiomics.emphasis import emphasis
from hounsfield.radiomics.lattice import Lattice
from hounsfield.radiomics.matrices import Cells, cells_of, mean_of
from hounsfield.radiomics.zones import Zones

NAMES = {
    "small": "small_distance_emphasis",  # 3.9.1
    "large": "large_distance_emphasis",
    "low": "low_grey_level_zone_emphasis",
    "high": "high_grey_level_zone_emphasis",
    "small_low": "small_distance_low_grey_level_emphasis",
    "small_high": "small_distance_high_grey_level_emphasis",
    "large_low": "large_distance_low_grey_level_emphasis",
    "large_high": "large_distance_high_grey_level_emphasis",
    "level_non_uniformity": "grey_level_non_uniformity",
    "normalised_level_non_uniformity": "normalised_grey_level_non_uniformity",
    "size_non_uniformity": "zone_distance_non_uniformity",
    "normalised_size_non_uniformity": "normalised_zone_distance_non_uniformity",
    "percentage": "zone_percentage",
    "level_variance": "grey_level_variance",
    "size_variance": "zone_distance_variance",
    "entropy": "zone_distance_entropy",  # 3.9.16
}


def features(lattice: Lattice, zones: Zones, shape_mask: BoolArray) -> dict[str, float]:
    """The family's features by name."""
    found = emphasis(cells(lattice, zones, shape_mask), lattice.voxels())
    return mean_of({name: found[key] for key, name in NAMES.items()})


def cells(lattice: Lattice, zones: Zones, shape_mask: BoolArray) -> Cells:
    """The matrices, in counts of zones."""
    steps = _steps_to_border(np.pad(shape_mask, 1), by_slice=lattice.by_slice).ravel()[lattice.index]
    nearest = np.full(len(zones.size), np.iinfo(np.int64).max)
    np.minimum.at(nearest, zones.of_voxel, steps.astype(np.int64))
    rows, columns = lattice.level_count + 1, int(nearest.max()) + 1
    codes = (zones.owner * rows + zones.level) * columns + nearest
    return cells_of([codes], owners=lattice.owners, rows=rows, columns=columns)


def _steps_to_border(mask: BoolArray, *, by_slice: bool) -> IntArray:
    if not by_slice:
        return np.asarray(ndimage.distance_transform_cdt(mask, metric="taxicab"))
    return np.stack([ndimage.distance_transform_cdt(plane, metric="taxicab") for plane in mask])
