"""Grey level size zone matrix (IBSI 3.8, 9SAK). In: a lattice; out: its 16 features.

Cell (i, j) counts zones of grey level i with j voxels; see `zones`. By slice, zones do not reach from slice to slice;
2-D takes the mean over slices, 2.5-D one matrix of all. There are no directions.
"""

from __future__ import annotations

import numpy as np

from hounsfield.radiomics.emphasis import emphasis
from hounsfield.radiomics.lattice import Lattice
from hounsfield.radiomics.matrices import Cells, cells_of, mean_of
from hounsfield.radiomics.zones import Zones, zones_of

NAMES = {
    "small": "small_zone_emphasis",  # 3.8.1
    "large": "large_zone_emphasis",
    "low": "low_grey_level_zone_emphasis",
    "high": "high_grey_level_zone_emphasis",
    "small_low": "small_zone_low_grey_level_emphasis",
    "small_high": "small_zone_high_grey_level_emphasis",
    "large_low": "large_zone_low_grey_level_emphasis",
    "large_high": "large_zone_high_grey_level_emphasis",
    "level_non_uniformity": "grey_level_non_uniformity",
    "normalised_level_non_uniformity": "normalised_grey_level_non_uniformity",
    "size_non_uniformity": "zone_size_non_uniformity",
    "normalised_size_non_uniformity": "normalised_zone_size_non_uniformity",
    "percentage": "zone_percentage",
    "level_variance": "grey_level_variance",
    "size_variance": "zone_size_variance",
    "entropy": "zone_size_entropy",  # 3.8.16
}


def features(lattice: Lattice, zones: Zones | None = None) -> dict[str, float]:
    """The family's features by name; `zones` where they are known already."""
    found = emphasis(cells(lattice, zones or zones_of(lattice)), lattice.voxels())
    return mean_of({name: found[key] for key, name in NAMES.items()})


def cells(lattice: Lattice, zones: Zones) -> Cells:
    """The matrices, in counts of zones."""
    rows, columns = lattice.level_count + 1, int(zones.size.max()) + 1
    codes = (zones.owner * rows + zones.level) * columns + zones.size.astype(np.int64)
    return cells_of([codes], owners=lattice.owners, rows=rows, columns=columns)
