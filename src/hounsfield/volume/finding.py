"""What a model says about one lesion, and which model said it: plain values that DICOM objects are written from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydicom.uid import generate_uid

from hounsfield.core.errors import MaskError


@dataclass(frozen=True)
class ModelIdentity:
    """Which model made something: enough to find the bundle again.

    Args:
        name: the study or product the model belongs to.
        version: of the package that ran it.
        digest: hexadecimal digest of the bundle's weights and settings.
        arm: the way compared in the study that this model is.
    """

    name: str
    version: str
    digest: str
    arm: str = ""

    @property
    def title(self) -> str:
        """Name and arm in one."""
        return f"{self.name}/{self.arm}" if self.arm else self.name

    @property
    def serial(self) -> str:
        """The digest's first 16 characters, which stand where DICOM asks for a serial number."""
        return self.digest[:16] or "0"


@dataclass(frozen=True)
class Finding:
    """One lesion in a volume: where, how large, and what the model holds it for.

    Args:
        lesion_id: unique within the volume; the tracking identifier in DICOM.
        segment_number: its segment in the segmentation object, from 1.
        diameter_mm: longest diameter in an axial plane.
        short_diameter_mm: longest diameter perpendicular to it, None when it was not measured.
        centre_mm: (x, y, z) in patient coordinates.
        probabilities: of every class, in the order of the classes; they sum to 1.
        decision: the class chosen at the operating point.
        tracking_uid: the lesion's unique identifier; made from `lesion_id` and the series when empty.
    """

    lesion_id: str
    segment_number: int
    diameter_mm: float
    volume_mm3: float
    centre_mm: tuple[float, float, float]
    probabilities: Mapping[str, float] = field(default_factory=dict)
    decision: str = ""
    short_diameter_mm: float | None = None
    tracking_uid: str = ""

    def __post_init__(self) -> None:
        sizes = [self.diameter_mm, self.volume_mm3, self.short_diameter_mm or 0.0, *self.centre_mm]
        if not all(math.isfinite(size) for size in sizes):
            raise MaskError(
                f"lesion {self.lesion_id}: sizes and centre must be finite; got {sizes}. Is its mask empty?"
            )
        if not all(0 <= value <= 1 for value in self.probabilities.values()):
            raise MaskError(f"lesion {self.lesion_id}: probabilities lie in [0, 1]; got {dict(self.probabilities)}.")
        if self.decision and self.probabilities and self.decision not in self.probabilities:
            raise MaskError(
                f"lesion {self.lesion_id}: the decision is one of {', '.join(self.probabilities)}; got "
                f"'{self.decision}'."
            )


def tracking_uid(series_uid: str, lesion_id: str) -> str:
    """The same unique identifier for the same lesion in every object written about it."""
    return str(generate_uid(entropy_srcs=["hounsfield", "tracking", series_uid, lesion_id]))
