"""A volume: a 3-D array (z, y, x) with its place in the patient. In: an array and its geometry, checked; out: maps
between voxel and world.

World coordinates are DICOM's (LPS, mm, as x, y, z). The direction matrix is right-handed by rule, so that the slice
axis always follows from the in-plane axes as DICOM demands; readers bring a left-handed file into this form by turning
one axis round (`right_handed`).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

import numpy as np

from hounsfield.core.errors import ImageError
from hounsfield.core.types import AnyArray, FloatArray

_ORTHONORMAL = (
    1e-4  # float32 headers (NIfTI) give direction cosines to about 1e-6, decimal strings (DICOM) to about 1e-5
)


@dataclass(frozen=True, eq=False)
class Volume:
    """A 3-D image in patient space.

    Attributes:
        array: (z, y, x), any numeric or boolean type; CT in HU.
        spacing_mm: distance of voxel centres along z, y, x.
        origin_mm: centre of voxel (0, 0, 0) as (x, y, z).
        direction: (3, 3), columns are the unit vectors of the x, y and z index axes (ITK's convention), determinant +1.
    Raises: ImageError naming what is wrong.
    """

    array: AnyArray
    spacing_mm: tuple[float, float, float]
    origin_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    direction: FloatArray = field(default_factory=lambda: np.eye(3))

    def __post_init__(self) -> None:
        if self.array.ndim != 3 or 0 in self.array.shape:
            raise ImageError(f"a volume has 3 axes (z, y, x), none of them empty; got shape {self.array.shape}.")
        spacing = tuple(float(value) for value in self.spacing_mm)
        if len(spacing) != 3 or not all(np.isfinite(value) and value > 0 for value in spacing):
            raise ImageError(
                f"spacing is three finite numbers above 0, in mm; got {spacing}. Correct the image's header."
            )
        origin = tuple(float(value) for value in self.origin_mm)
        if len(origin) != 3 or not np.isfinite(origin).all():
            raise ImageError(f"the origin is three finite numbers in mm; got {origin}. Correct the image's header.")
        direction = np.array(self.direction, dtype=np.float64)
        if direction.shape != (3, 3) or not np.allclose(direction.T @ direction, np.eye(3), atol=_ORTHONORMAL):
            raise ImageError(
                "the direction matrix is (3, 3) with orthonormal columns; this one is sheared, scaled or not finite. "
                "Resample the image on a rectangular grid, or correct its header."
            )
        if np.linalg.det(direction) < 0:
            raise ImageError("the direction matrix is left-handed; turn one axis round with volume.right_handed().")
        direction.setflags(write=False)
        object.__setattr__(self, "spacing_mm", spacing)
        object.__setattr__(self, "origin_mm", origin)
        object.__setattr__(self, "direction", direction)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels along z, y, x."""
        z, y, x = self.array.shape
        return z, y, x

    @property
    def voxel_mm3(self) -> float:
        """Volume of one voxel."""
        return float(np.prod(self.spacing_mm))

    def affine(self) -> FloatArray:
        """(4, 4) matrix that takes the index (z, y, x, 1) to the world point (x, y, z, 1) in LPS mm."""
        matrix = np.eye(4)
        matrix[:3, :3] = self.direction[:, ::-1] * np.asarray(self.spacing_mm)
        matrix[:3, 3] = self.origin_mm
        return matrix

    def to_world(self, index_zyx: AnyArray) -> FloatArray:
        """World points (N, 3) as (x, y, z) of voxel indices (N, 3) as (z, y, x); fractions allowed."""
        affine = self.affine()
        return np.asarray(np.atleast_2d(np.asarray(index_zyx, dtype=np.float64)) @ affine[:3, :3].T + affine[:3, 3])

    def to_index(self, points_xyz: AnyArray) -> FloatArray:
        """Fractional voxel indices (N, 3) as (z, y, x) of world points (N, 3) as (x, y, z)."""
        offset = np.atleast_2d(np.asarray(points_xyz, dtype=np.float64)) - np.asarray(self.origin_mm)
        return np.asarray((offset @ self.direction)[:, ::-1] / np.asarray(self.spacing_mm))

    def centre_mm(self) -> tuple[float, float, float]:
        """World point (x, y, z) of the middle of the volume."""
        x, y, z = self.to_world((np.asarray(self.shape) - 1) / 2)[0]
        return float(x), float(y), float(z)

    def same_grid(self, other: Volume, tolerance_mm: float = 1e-3) -> bool:
        """True when both have the same shape and every voxel centre coincides within `tolerance_mm`."""
        if self.shape != other.shape:
            return False
        corners = np.array(np.meshgrid(*[(0, n - 1) for n in self.shape], indexing="ij")).reshape(3, -1).T
        return bool(np.abs(self.to_world(corners) - other.to_world(corners)).max() <= tolerance_mm)

    def with_array(self, array: AnyArray) -> Volume:
        """The same place with other values; `array` must have this volume's shape."""
        if array.shape != self.array.shape:
            raise ImageError(f"an array of shape {self.array.shape} is needed for this grid; got {array.shape}.")
        return dataclasses.replace(self, array=array)


def right_handed(
    array: AnyArray,
    spacing_mm: tuple[float, float, float],
    origin_mm: tuple[float, float, float],
    direction: FloatArray,
) -> Volume:
    """A Volume from a grid of either handedness: a left-handed one gets one axis reversed, so no voxel moves in the
    world.

    The axis turned is the one that runs most against its patient axis (for files of dcm2niix the rows, which brings
    back the order of the DICOM files); with none against, the slices.
    """
    direction = np.asarray(direction, dtype=np.float64)
    if direction.shape == (3, 3) and np.isfinite(direction).all() and np.linalg.det(direction) < 0:
        main = [direction[np.abs(direction[:, axis]).argmax(), axis] for axis in range(3)]
        axis = int(np.argmin(main)) if min(main) < 0 else 2
        steps = array.shape[2 - axis] - 1
        end = np.asarray(origin_mm) + direction[:, axis] * steps * spacing_mm[2 - axis]
        direction = direction.copy()
        direction[:, axis] *= -1
        array = np.flip(array, 2 - axis)
        origin_mm = (float(end[0]), float(end[1]), float(end[2]))
    return Volume(array, spacing_mm, origin_mm, direction)
