"""Writing a volume as one file. In: a Volume and a path; out: NIfTI, NRRD or MetaImage, whole or not at all."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from hounsfield.core.atomic import atomic_file
from hounsfield.core.errors import ImageError
from hounsfield.volume.itk import itk
from hounsfield.volume.volume import Volume

_HEADER_BYTES = 352  # of a NIfTI-1 file, with the four bytes that say there is no extension
_ENDINGS = (".nii", ".nii.gz", ".nrrd", ".mha")


def write_volume(volume: Volume, path: Path | str) -> None:
    """Writes `volume` to `path`; the ending chooses the format (.nii, .nii.gz, .nrrd, .mha). Booleans become uint8.

    Raises: ImageError for another ending; OSError when the disk is full, with nothing left behind.
    """
    sitk = itk()
    path = Path(path)
    if not path.name.lower().endswith(_ENDINGS):
        raise ImageError(f"{path.name}: a volume is written as {', '.join(_ENDINGS)}. Choose one of these endings.")
    array = volume.array.astype(np.uint8) if volume.array.dtype == np.bool_ else volume.array
    array = array.astype(np.float32) if array.dtype == np.float16 else array
    image = sitk.GetImageFromArray(np.ascontiguousarray(array))
    image.SetSpacing(volume.spacing_mm[::-1])
    image.SetOrigin(volume.origin_mm)
    image.SetDirection(volume.direction.ravel().tolist())
    with atomic_file(path) as temporary:
        failed = OSError(f"{path.name}: the file could not be written. Is the disk full, or the folder read-only?")
        try:
            sitk.WriteImage(image, str(temporary), useCompression=not path.name.lower().endswith(".nii"))
        except RuntimeError as error:
            raise failed from error
        # The library's NIfTI writer cuts the file off on a full disk and says nothing.
        if path.name.lower().endswith((".nii", ".nii.gz")) and not _is_whole(temporary, array.nbytes):
            raise failed


def _is_whole(nifti: Path, voxel_bytes: int) -> bool:
    """Whether the file holds a header and so many bytes of voxels."""
    opened = gzip.open if nifti.name.lower().endswith(".gz") else open
    size = 0
    try:
        with opened(nifti, "rb") as stream:
            while block := stream.read(1 << 20):
                size += len(block)
    except EOFError:
        return False
    return size >= _HEADER_BYTES + voxel_bytes
