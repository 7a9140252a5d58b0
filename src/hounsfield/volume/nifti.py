"""NIfTI files (.nii, .nii.gz, versions 1 and 2). In: a path; out: array and geometry in LPS, or an error for whatever
is wrong with it.

Read here and not by ITK, because ITK reads a truncated file or a spacing that is not a number without a word.
Geometry: sform if its code is above 0, else qform, else the pixel sizes alone along x, y, z of the patient (LPS), as
ITK has it.
Source: nifti1.h and nifti2.h of the NIfTI Data Format Working Group, https://nifti.nimh.nih.gov.
"""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np

from hounsfield.core.errors import ImageError
from hounsfield.core.types import AnyArray, FloatArray
from hounsfield.volume.volume import Volume, right_handed

# field: (offset, type, count); sizeof_hdr tells the version
_V1 = {
    "dim": (40, "i2", 8), "datatype": (70, "i2", 1), "pixdim": (76, "f4", 8), "vox_offset": (108, "f4", 1),
    "slope": (112, "f4", 1), "inter": (116, "f4", 1), "units": (123, "u1", 1), "qform_code": (252, "i2", 1),
    "sform_code": (254, "i2", 1), "quatern": (256, "f4", 6), "srow": (280, "f4", 12),
}  # fmt: skip
_V2 = {
    "dim": (16, "i8", 8), "datatype": (12, "i2", 1), "pixdim": (104, "f8", 8), "vox_offset": (168, "i8", 1),
    "slope": (176, "f8", 1), "inter": (184, "f8", 1), "units": (500, "i4", 1), "qform_code": (344, "i4", 1),
    "sform_code": (348, "i4", 1), "quatern": (352, "f8", 6), "srow": (400, "f8", 12),
}  # fmt: skip
_TYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8"}
_UNIT_MM = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}  # unknown is taken as mm, as everyone does
_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0])
_AGREE = 0.01  # relative: pixel sizes and sform of one file differ by rounding only, or one of them is wrong


def read_nifti(path: Path) -> tuple[Volume, bool]:
    """The volume in a NIfTI file, and whether the file's axes were left-handed (then one was turned round, see
    `right_handed`).

    Raises: ImageError for anything but one whole 3-D image with a sound, rectangular grid.
    """
    raw = _bytes_of(path)
    header, order = _header(raw, path.name)
    shape = _shape(header["dim"], path.name)
    spacing = header["pixdim"][1:4] * _UNIT_MM.get(int(header["units"][0]) & 7, 1.0)
    if not (np.isfinite(spacing).all() and (spacing > 0).all()):
        got = ", ".join(f"{value:g}" for value in spacing)
        raise ImageError(
            f"{path.name}: the header's spacing is three finite numbers above 0 mm; got {got}. Convert the image anew."
        )
    spacing, origin, direction = _geometry(header, spacing, path.name)
    array = _array(raw, header, order, shape, path.name)
    try:
        volume = right_handed(array, _xyz(spacing[::-1]), _xyz(origin), direction)
    except ImageError as error:
        raise ImageError(f"{path.name}: {error}") from error
    return volume, bool(np.linalg.det(direction) < 0)


def _bytes_of(path: Path) -> bytes:
    raw = path.read_bytes()
    if raw[:2] != b"\x1f\x8b":
        return raw
    parts = []
    try:
        while raw:
            stream = zlib.decompressobj(31)
            parts.append(stream.decompress(raw))
            if not stream.eof:
                raise ImageError(f"{path.name}: the compressed file ends too early. Copy or convert it again.")
            raw = stream.unused_data.lstrip(b"\0")
    except zlib.error as error:
        raise ImageError(f"{path.name}: the compressed file is damaged ({error}). Copy or convert it again.") from error
    return b"".join(parts) if len(parts) > 1 else parts[0]


def _header(raw: bytes, name: str) -> tuple[dict[str, FloatArray], str]:
    for order in "<>":
        size = int(np.frombuffer(raw[:4], order + "i4")[0]) if len(raw) >= 4 else 0
        fields = {348: _V1, 540: _V2}.get(size)
        if fields is not None and len(raw) >= size:
            found: dict[str, FloatArray] = {
                key: np.frombuffer(raw, order + kind, count, offset).astype(np.float64)
                for key, (offset, kind, count) in fields.items()
            }
            return found, order
    raise ImageError(
        f"{name}: not a NIfTI file (its header has neither 348 nor 540 bytes). Check the file or its ending."
    )


def _shape(dim: FloatArray, name: str) -> tuple[int, int, int]:
    axes = int(dim[0])
    sizes = [int(value) for value in dim[1 : 1 + axes]] if 1 <= axes <= 7 else []
    if len(sizes) < 3 or any(value > 1 for value in sizes[3:]) or min(sizes) < 1:
        text = " x ".join(str(value) for value in sizes) or "an unreadable size"
        raise ImageError(
            f"{name}: expected one 3-D image, got {len(sizes)} axes ({text}). Save the 3-D volume wanted as a file "
            "of its own."
        )
    return sizes[2], sizes[1], sizes[0]


def _geometry(
    header: dict[str, FloatArray], spacing: FloatArray, name: str
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Spacing (x, y, z), origin and direction in LPS."""
    scale = _UNIT_MM.get(int(header["units"][0]) & 7, 1.0)
    if header["sform_code"][0] > 0:
        rows = header["srow"].reshape(3, 4) * scale
        lengths = np.linalg.norm(rows[:, :3], axis=0)
        if not np.isfinite(rows).all() or (lengths <= 0).any():
            raise ImageError(
                f"{name}: the header's sform holds numbers that are not finite or an axis of length 0. Convert the "
                "image anew."
            )
        if (np.abs(lengths - spacing) > _AGREE * spacing).any():
            pair = " against ".join(", ".join(f"{value:.4g}" for value in three) for three in (spacing, lengths))
            raise ImageError(
                f"{name}: the header contradicts itself: pixel sizes (x, y, z) {pair} mm in its sform. Convert the "
                "image anew."
            )
        return lengths, _RAS_TO_LPS @ rows[:, 3], _RAS_TO_LPS @ _orthonormal(rows[:, :3] / lengths)
    if header["qform_code"][0] > 0:
        b, c, d, *origin = header["quatern"]
        a = np.sqrt(max(0.0, 1.0 - (b * b + c * c + d * d)))
        rotation = np.array([
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - c * c - b * b],
        ])  # fmt: skip
        rotation[:, 2] *= -1.0 if header["pixdim"][0] < 0 else 1.0
        return spacing, _RAS_TO_LPS @ np.asarray(origin) * scale, _RAS_TO_LPS @ _orthonormal(rotation)
    return spacing, np.zeros(3), np.eye(3)


def _orthonormal(matrix: FloatArray) -> FloatArray:
    """The nearest orthonormal matrix when `matrix` is one up to single precision, else `matrix` itself (Volume refuses
    it)."""
    if not np.isfinite(matrix).all():
        return matrix
    left, _, right = np.linalg.svd(matrix)
    nearest = left @ right
    return np.asarray(nearest if np.abs(nearest - matrix).max() < 1e-3 else matrix)


def _array(raw: bytes, header: dict[str, FloatArray], order: str, shape: tuple[int, int, int], name: str) -> AnyArray:
    kind = _TYPES.get(int(header["datatype"][0]))
    if kind is None:
        raise ImageError(
            f"{name}: NIfTI data type {int(header['datatype'][0])} is no plain number (colour or complex). Convert "
            "the image."
        )
    dtype, count, start = np.dtype(order + kind), int(np.prod(shape)), int(header["vox_offset"][0])
    start = start if start > 0 else 352
    if len(raw) < start + count * dtype.itemsize:
        raise ImageError(
            f"{name}: the file is truncated: {count} voxels are announced, "
            f"{max(len(raw) - start, 0) // dtype.itemsize} are there. "
            "Copy or convert it again."
        )
    array: AnyArray = np.frombuffer(raw, dtype, count, start).reshape(shape)
    array = array.astype(dtype.newbyteorder("="), copy=False)
    slope, intercept = float(header["slope"][0]), float(header["inter"][0])
    if np.isfinite(slope) and slope != 0 and np.isfinite(intercept) and (slope, intercept) != (1.0, 0.0):
        array = (array * slope + intercept).astype(np.float32)
    return array


def _xyz(values: FloatArray) -> tuple[float, float, float]:
    one, two, three = (float(value) for value in values)
    return one, two, three
