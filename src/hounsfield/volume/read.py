"""Reading volumes and masks. In: a path, whatever the format; out: a Volume in LPS mm, right-handed, CT in HU.

Formats: NIfTI (.nii, .nii.gz), NRRD (.nrrd), MetaImage (.mha, .mhd), a folder with one DICOM series, one enhanced
    multi-frame DICOM file;
for masks also DICOM Segmentation and RT Structure Set. A left-handed file (every NIfTI of dcm2niix is one) is turned
into right-handed form by reversing one axis: no voxel moves in the patient. With left_handed="refuse" it is an error
instead.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from hounsfield.core.errors import ImageError, MaskError
from hounsfield.core.types import AnyArray
from hounsfield.volume.align import onto
from hounsfield.volume.itk import itk, quiet_itk
from hounsfield.volume.nifti import read_nifti
from hounsfield.volume.volume import Volume, right_handed

LeftHanded = Literal["turn", "refuse"]
_ITK_ENDINGS = (".nrrd", ".nhdr", ".mha", ".mhd")
_FORMATS = ".nii, .nii.gz, .nrrd, .mha, .mhd, a folder of DICOM files or a DICOM file"


def read_volume(path: Path | str, *, series_uid: str | None = None, left_handed: LeftHanded = "turn") -> Volume:
    """The one 3-D image at `path`.

    Args:
        path: an image file, or a folder that holds a DICOM series (searched with its subfolders).
        series_uid: SeriesInstanceUID, or its last digits, when the folder holds several series.
        left_handed: what to do with a file whose axes are left-handed: turn one axis round, or refuse it.
    Returns: Volume; DICOM and rescaled values as int16 where they fit, else float32; other formats in the file's own
        type.
    Raises: ImageError (SeriesError for DICOM) that says what is wrong, all of it, and what to do.
    """
    path = Path(path)
    if not path.exists():
        raise ImageError(
            f"{path.name}: no such file or folder. Check the path; relative paths in a table are relative to the table."
        )
    if path.is_dir() or _is_dicom(path):
        from hounsfield.volume.dicom_series import (
            read_series,
        )  # pydicom takes a third of a second to load; NIfTI users need none of it

        return read_series(path, series_uid=series_uid).volume
    volume, turned = _read_file(path)
    if turned and left_handed == "refuse":
        raise ImageError(
            f"{path.name}: the direction is left-handed (determinant -1). Save it with right-handed axes, or read it "
            "with left_handed='turn'."
        )
    return volume


def read_mask(path: Path | str, *, like: Volume, segment: int | str | None = None) -> Volume:
    """The mask at `path` as booleans on the grid of `like`.

    Args:
        path: an image file of whole numbers, a DICOM Segmentation or an RT Structure Set.
        like: the volume that the mask belongs to.
        segment: value of the wanted label (image file), number or label (DICOM SEG), or name (RTSTRUCT); without it
            every value above 0 of an image file, or the only segment of a DICOM object.
    Raises: MaskError when the mask is on another grid, empty, not of whole numbers, or has no such segment; ImageError
        when unreadable.
    """
    path = Path(path)
    if path.is_file() and _is_dicom(path):
        from hounsfield.volume.dicom_masks import read_dicom_mask

        return read_dicom_mask(path, like=like, segment=segment)
    volume = read_volume(path)
    if isinstance(segment, str):
        if not segment.isdigit():
            raise MaskError(
                f"{path.name}: an image file has numbered labels; got segment '{segment}'. Give the label's value."
            )
        segment = int(segment)
    chosen = _labelled(volume.array, segment, path.name)
    mask = onto(volume.with_array(chosen), like, path.name, whole=True)
    if not mask.array.any():
        wanted = "" if segment is None else f" of label {segment}"
        raise MaskError(
            f"{path.name}: the mask{wanted} is empty: no voxel is marked. Draw the lesion, or leave the mask's cell "
            "empty."
        )
    return mask


def _labelled(array: AnyArray, segment: int | None, name: str) -> AnyArray:
    if np.issubdtype(array.dtype, np.floating) and not np.array_equal(array, np.rint(array)):
        raise MaskError(
            f"{name}: a mask holds whole numbers; this one has fractions (or not a number). Threshold it, e.g. at 0.5."
        )
    return np.asarray(array > 0 if segment is None else array == segment)


def _read_file(path: Path) -> tuple[Volume, bool]:
    name = path.name.lower()
    if name.endswith((".nii", ".nii.gz")):
        return read_nifti(path)
    if not name.endswith(_ITK_ENDINGS):
        raise ImageError(f"{path.name}: this is no format that can be read. Readable are {_FORMATS}.")
    with quiet_itk():
        try:
            image = itk().ReadImage(str(path))
        except RuntimeError as error:
            raise ImageError(
                f"{path.name}: the file can't be read; it is damaged, truncated or of another format. Save it again."
            ) from error
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        size = " x ".join(str(value) for value in image.GetSize())
        raise ImageError(
            f"{path.name}: expected one 3-D image of single numbers, got {image.GetDimension()} axes ({size}) with "
            f"{image.GetNumberOfComponentsPerPixel()} value(s) a voxel. Save the 3-D volume wanted as a file of its "
            "own."
        )
    direction = np.asarray(image.GetDirection()).reshape(3, 3)
    try:
        volume = right_handed(itk().GetArrayFromImage(image), image.GetSpacing()[::-1], image.GetOrigin(), direction)
    except ImageError as error:
        raise ImageError(f"{path.name}: {error}") from error
    return volume, bool(np.linalg.det(direction) < 0)


def _is_dicom(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return stream.read(132)[128:] == b"DICM"
