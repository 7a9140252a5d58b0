"""Writing a volume as one file. In: a Volume and a path; out: NIfTI, NRRD or MetaImage, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hounsfield.core.atomic import atomic_file
from hounsfield.core.errors import ImageError
from hounsfield.volume.itk import itk
from hounsfield.volume.volume import Volume

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
        try:
            sitk.WriteImage(image, str(temporary), useCompression=not path.name.lower().endswith(".nii"))
        except RuntimeError as error:
            raise OSError(
                f"{path.name}: the file could not be written. Is the disk full, or the folder read-only?"
            ) from error
