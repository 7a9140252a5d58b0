"""IBSI's own test. In: a folder with its two phantoms and the table of reference values; out: a row a value, ours
beside the consensus.

The table says what most teams found, in three digits, and how many of them. A feature agrees when our value, rounded to
three digits, is that number: the tolerance of half a unit in the last digit is narrower than any that the manual grants
to configurations A to E (they allow for another interpolation).
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path
from typing import cast, get_args

from hounsfield.core.errors import TableError
from hounsfield.radiomics.config import Aggregation, RadiomicsConfig
from hounsfield.radiomics.extract import features
from hounsfield.radiomics.sets import catalogue
from hounsfield.volume.read import read_mask, read_volume

# The manual's table 5.1: A and B by slice, C to E in 3-D; B to E resampled to 2 mm, B within slices only.
_LINEAR = {"image_interpolator": "linear", "mask_interpolator": "linear"}
_RANGE_A, _RANGE_C = (-500.0, 400.0), (-1000.0, 400.0)
CONFIGURATIONS: dict[str, RadiomicsConfig] = {
    name: RadiomicsConfig.model_validate(settings)
    for name, settings in {
        "digital phantom": {"spacing_mm": None, "intensity_range": None, "bin_width": None},
        "configuration A": {"spacing_mm": None, "intensity_range": _RANGE_A, "bin_width": 25},
        "configuration B": {
            **_LINEAR,
            "spacing_mm": (0, 2, 2),
            "intensity_range": _RANGE_A,
            "bin_width": None,
            "bin_count": 32,
        },
        "configuration C": {**_LINEAR, "spacing_mm": (2, 2, 2), "intensity_range": _RANGE_C, "bin_width": 25},
        "configuration D": {
            **_LINEAR,
            "spacing_mm": (2, 2, 2),
            "intensity_range": None,
            "outlier_sd": 3,
            "bin_width": None,
            "bin_count": 32,
        },
        "configuration E": {
            **_LINEAR,
            "image_interpolator": "cubic",
            "spacing_mm": (2, 2, 2),
            "intensity_range": _RANGE_C,
            "outlier_sd": 3,
            "bin_width": None,
            "bin_count": 32,
        },
    }.items()
}
# What stands in brackets behind a family in the table of reference values.
_AGGREGATIONS = {
    "": "3d_merged",
    "2D": "2d_averaged",
    "2.5D": "2.5d_merged",
    "3D": "3d_merged",
    "2D, averaged": "2d_averaged",
    "2D, slice-merged": "2d_merged",
    "2.5D, direction-merged": "2.5d_averaged",
    "2.5D, merged": "2.5d_merged",
    "3D, averaged": "3d_averaged",
    "3D, merged": "3d_merged",
}


@dataclass(frozen=True)
class Judged:
    """One reference value and ours.

    Attributes:
        configuration, family, feature: as the table of reference values has them.
        name: ours; empty when it is not implemented, `value` is then NaN.
        teams: how many agreed on the consensus.
    """

    configuration: str
    family: str
    feature: str
    name: str
    teams: int
    consensus: float
    value: float

    @property
    def agrees(self) -> bool:
        """True when both are the same number in three digits."""
        return abs(three_digits(self.value) - self.consensus) <= 1e-9 * abs(self.consensus)


def judge(folder: Path, configuration: str) -> list[Judged]:
    """Every reference value of a configuration beside ours.

    Args:
        folder: holds reference.csv, digital_phantom/ and ct_radiomics_phantom/, each with image/ and mask/.
        configuration: a name of `CONFIGURATIONS`.
    Raises: TableError when the table has no such configuration.
    """
    with (folder / "reference.csv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["configuration"] == configuration]
    rows = [row for row in rows if not row["family"].startswith("Diagnostics")]
    if not rows:
        raise TableError(f"reference.csv has no '{configuration}'. Known here: {', '.join(CONFIGURATIONS)}.")
    ours = {(one.ibsi_family, one.ibsi_feature): one.name for one in catalogue().values() if one.ibsi_code}
    measured: dict[Aggregation, dict[str, float]] = {}
    found = []
    for row in rows:
        family, _, way = row["family"].partition(" (")
        aggregation = _aggregation(way.rstrip(")"))
        name = ours.get((family, row["feature"]), "")
        if name and aggregation not in measured:
            measured[aggregation] = _measure(folder, configuration, aggregation)
        value = measured[aggregation][name] if name else math.nan
        teams, consensus = int(row["teams_agreeing"]), float(row["value"])
        found.append(Judged(configuration, row["family"], row["feature"], name, teams, consensus, value))
    return found


def three_digits(value: float) -> float:
    """`value` rounded to three significant digits."""
    if value == 0 or not math.isfinite(value):
        return value
    return round(value, 2 - math.floor(math.log10(abs(value))))


def _measure(folder: Path, configuration: str, aggregation: Aggregation) -> dict[str, float]:
    place = folder / ("digital_phantom" if configuration == "digital phantom" else "ct_radiomics_phantom")
    image = read_volume(place / "image" / "phantom.nii.gz")
    mask = read_mask(place / "mask" / "mask.nii.gz", like=image)
    config = CONFIGURATIONS[configuration].model_copy(update={"aggregation": aggregation})
    return dict(features(image.array, mask.array, spacing_mm=image.spacing_mm, config=config, names="ibsi").values)


def _aggregation(way: str) -> Aggregation:
    name = _AGGREGATIONS[way]
    assert name in get_args(Aggregation)
    return cast(Aggregation, name)
