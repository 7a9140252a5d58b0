"""Pixels of DICOM files as HU. In: a data set with pixels, its file, rescale slope and intercept; out: an array, or
what is wrong with it.

pydicom decodes what its installed plug-ins can; for single images with another compression (JPEG lossless, common in
archives) ITK's own decoder, which is always there, steps in.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
from pydicom.pixels.decoders.base import get_decoder

from hounsfield.core.errors import SeriesError
from hounsfield.core.types import AnyArray
from hounsfield.volume.dicom_files import quiet_pydicom
from hounsfield.volume.itk import itk, quiet_itk


def stored_values(dataset: pydicom.Dataset) -> AnyArray:
    """Stored values (rows, columns), or (frames, rows, columns) of a multi-frame object.

    Raises: SeriesError when pixels are absent, truncated, in colour or compressed in a way that no installed decoder
        reads.
    """
    _check_present(dataset)
    syntax = dataset.file_meta.TransferSyntaxUID
    if not _decodable(dataset):
        raise SeriesError(f"its compression ({syntax.name}) needs a decoder: pip install 'hounsfield[jpeg]'.")
    with quiet_pydicom():
        try:
            return np.asarray(dataset.pixel_array)
        except Exception as error:  # decoders raise whatever their library raises
            raise SeriesError("its pixel data can't be decoded: damaged or truncated. Export it again.") from error


def hu_of_slice(dataset: pydicom.Dataset, path: Path) -> AnyArray:
    """One slice (rows, columns) as float64, rescaled.

    Raises: SeriesError as `stored_values`.
    """
    slope, intercept = rescale_of(dataset)
    _check_present(dataset)
    if _decodable(dataset):
        values = stored_values(dataset)
        if values.ndim == 3 and values.shape[0] == 1:
            values = values[0]
        return values.astype(np.float64) * slope + intercept
    with quiet_itk():
        try:
            image = itk().ReadImage(str(path))
        except RuntimeError as error:
            syntax = dataset.file_meta.TransferSyntaxUID
            raise SeriesError(
                f"its compression ({syntax.name}) needs a decoder: pip install 'hounsfield[jpeg]'."
            ) from error
    values = np.asarray(itk().GetArrayFromImage(image), dtype=np.float64)  # ITK has rescaled them already
    return values.reshape(values.shape[-2:])


def rescale_of(dataset: pydicom.Dataset) -> tuple[float, float]:
    """Rescale slope and intercept of a data set or functional group; 1 and 0 where it has none."""
    slope, intercept = dataset.get("RescaleSlope"), dataset.get("RescaleIntercept")
    return (1.0 if slope is None else float(slope)), (0.0 if intercept is None else float(intercept))


def compact(array: AnyArray) -> AnyArray:
    """int16 when all values are whole numbers that fit (CT), else float32."""
    if array.dtype == np.int16:
        return array
    if array.min() >= -32768 and array.max() <= 32767 and np.array_equal(array, np.rint(array)):
        return array.astype(np.int16)
    return array.astype(np.float32)


def _check_present(dataset: pydicom.Dataset) -> None:
    if "PixelData" not in dataset:
        raise SeriesError("it holds no pixel data, or ends before it (truncated). Export it again.")
    if int(dataset.get("SamplesPerPixel", 1)) != 1:
        raise SeriesError("it is a colour image (a screenshot or secondary capture). Leave it out.")
    if not dataset.file_meta.TransferSyntaxUID.is_compressed:
        frames = int(dataset.get("NumberOfFrames", 1) or 1)
        bits = int(dataset.Rows) * int(dataset.Columns) * frames * int(dataset.BitsAllocated)
        expected, got = (bits + 7) // 8, len(dataset.PixelData)
        if got < expected:
            raise SeriesError(f"its pixel data is truncated ({got} of {expected} bytes). Export it again.")


def _decodable(dataset: pydicom.Dataset) -> bool:
    try:
        return bool(get_decoder(dataset.file_meta.TransferSyntaxUID).is_available)
    except NotImplementedError:
        return False
