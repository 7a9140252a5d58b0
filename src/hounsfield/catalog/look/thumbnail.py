"""The middle slice of a series as a small picture. In: an open catalog. Out: its place and its grey values.

One plane is read, from a file or from a member of a zip or tar, and nothing else of the object's pixels. Series whose
pixels may hold text are not read: a name that was burned in would be shown.
"""

from __future__ import annotations

import io
import re
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import duckdb
import numpy as np
import pydicom
from pydicom.pixels.processing import apply_color_lut
from pydicom.pixels.utils import pixel_array

from hounsfield.catalog.look.show import Filter, chosen
from hounsfield.catalog.scan.walk import shown
from hounsfield.catalog.store import CatalogError
from hounsfield.core.types import AnyArray, FloatArray
from hounsfield.volume.dicom_files import quiet_pydicom
from hounsfield.volume.dicom_pixels import rescale_of
from hounsfield.volume.itk import itk, quiet_itk

EDGE = 144  # pixels of a thumbnail's longer side
_MEMBER = 1 << 29  # bytes of an archive's member that are unpacked at most
_PACKED = 1 << 28  # a compressed tar is read from its beginning for each member: up to this size
_TEXT = frozenset({"US", "IVUS", "SC", "OT", "XC", "ES", "GM", "DOC", "ECG", "HD", "SR"})
_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"

_PLANES = """
WITH base AS (
    SELECT s.*, e.reason AS excluded FROM series s
    LEFT JOIN (SELECT series_uid, reason FROM exclusions WHERE place = 0) e USING (series_uid)
    WHERE s.series_uid IN ({chosen})
), picked AS (
    SELECT *, row_number() OVER (PARTITION BY modality, excluded ORDER BY md5(series_uid)) AS turn FROM base
    ORDER BY turn, modality, series_uid LIMIT ?
), main AS (
    SELECT v.series_uid, sop_uids[len(sop_uids) // 2 + 1] AS sop_uid, frames[len(frames) // 2 + 1] AS frame
    FROM volumes v JOIN picked USING (series_uid) WHERE len(sop_uids) > 0
    QUALIFY row_number() OVER (PARTITION BY v.series_uid ORDER BY v.slices DESC, v.volume) = 1
), loose AS (
    SELECT p.series_uid, p.sop_uid, p.frame FROM planes p JOIN picked USING (series_uid)
    WHERE p.series_uid NOT IN (SELECT series_uid FROM main)
    QUALIFY row_number() OVER (PARTITION BY p.series_uid ORDER BY p.instance_number, p.sop_uid, p.frame)
            = count(*) OVER (PARTITION BY p.series_uid) // 2 + 1
), middle AS (FROM main UNION ALL FROM loose)
SELECT b.series_uid, b.modality, b.series_description, b.excluded, b.burned_in, b.image_type, b.sop_class,
       b.row_mm, b.column_mm, m.frame, o.path, o.member
FROM picked b LEFT JOIN middle m USING (series_uid) LEFT JOIN objects o ON o.sop_uid = m.sop_uid
ORDER BY b.modality, b.excluded NULLS FIRST, b.series_uid
"""


class NoPicture(Exception):
    """Why a series has no thumbnail, in words."""


@dataclass(frozen=True)
class Place:
    """The middle plane of a series: what it is of, and where it lies (`frame` 0: the object has one only).

    `why_not` says why it is not to be read; `pixel_mm` is row distance, column distance.
    """

    series_uid: str
    modality: str
    description: str
    excluded: str
    path: str
    member: str
    frame: int
    pixel_mm: tuple[float, float]
    why_not: str = ""


def middle_planes(connection: duckdb.DuckDBPyConnection, wanted: Filter, *, most: int) -> list[Place]:
    """Middle planes of at most `most` series, of every modality and exclusion reason some, by modality."""
    inner = chosen(connection, wanted)
    sql = _PLANES.replace("{chosen}", inner.sql)
    cursor = connection.execute(sql, [*inner.values, most])
    names = [column[0] for column in cursor.description or ()]
    return [_place(dict(zip(names, row, strict=True))) for row in cursor.fetchall()]


def archive_of(connection: duckdb.DuckDBPyConnection) -> Path:
    """The folder that the catalog's paths are relative to.

    Raises: CatalogError when the catalog does not say.
    """
    found = connection.execute("SELECT value FROM about WHERE key = 'archive'").fetchone()
    if found is None:
        raise CatalogError("the catalog does not say which archive it is of. Build it again.")
    return Path(str(found[0]))


def thumbnail(archive: Path, place: Place, *, edge: int = EDGE) -> AnyArray:
    """The plane as uint8, (y, x) or (y, x, 3), `edge` pixels on its longer side, with the proportions of the body.

    Raises: NoPicture with the reason when it can't be shown.
    """
    if place.why_not:
        raise NoPicture(place.why_not)
    try:
        with quiet_pydicom(), _opened(archive, place) as stream:
            header = pydicom.dcmread(stream, stop_before_pixels=True)
            stream.seek(0)
            values = _stored(stream, archive, place)
        return _resized(_grey(values, header), place.pixel_mm, edge)
    except NoPicture:
        raise
    except FileNotFoundError as error:
        raise NoPicture("its file is gone; build the catalog again") from error
    except OSError as error:
        raise NoPicture(f"its file can't be read ({error.strerror or type(error).__name__})") from error
    except Exception as error:  # decoders raise whatever their library raises
        raise NoPicture(_words(error)) from error


def _stored(stream: BinaryIO, archive: Path, place: Place) -> AnyArray:
    try:
        return np.asarray(pixel_array(stream, index=max(place.frame - 1, 0)))
    except Exception as error:
        if place.member or place.frame or not _lacks_decoder(error):
            raise
    # ITK, which is always there, decodes some single images that pydicom needs a plug-in for.
    with quiet_itk():
        values = np.asarray(itk().GetArrayFromImage(itk().ReadImage(str(_file(archive, place)))))
    return values.reshape(values.shape[-2:])


def _place(row: dict[str, Any]) -> Place:
    pixel = (row["row_mm"], row["column_mm"])
    return Place(
        series_uid=str(row["series_uid"]),
        modality=str(row["modality"] or ""),
        description=str(row["series_description"] or ""),
        excluded=str(row["excluded"] or ""),
        path=str(row["path"] or ""),
        member=str(row["member"] or ""),
        frame=int(row["frame"] or 0),
        pixel_mm=(float(pixel[0]), float(pixel[1])) if all(pixel) else (1.0, 1.0),
        why_not=_why_not(row),
    )


def _why_not(row: dict[str, Any]) -> str:
    if not row["path"]:
        return "it has no image plane"
    said = str(row["burned_in"] or "").strip().upper()
    if said == "YES":
        return "not shown: text is burned into its pixels"
    capture = str(row["sop_class"] or "").startswith(_CAPTURE) or "SCREEN SAVE" in str(row["image_type"] or "").upper()
    if said != "NO" and (capture or str(row["modality"] or "").upper() in _TEXT):
        return "not shown: text may be burned into its pixels"
    return ""


def _opened(archive: Path, place: Place) -> BinaryIO:
    path = _file(archive, place)
    if not place.member:
        return path.open("rb")
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as packed:
            info = next((one for one in packed.infolist() if shown(one.filename) == place.member), None)
            if info is None:
                raise NoPicture("its archive no longer holds it; build the catalog again")
            with packed.open(info) as stream:
                return _unpacked(stream, info.file_size)
    with tarfile.open(path, "r:*") as tar:
        if not isinstance(tar.fileobj, io.BufferedReader) and path.stat().st_size > _PACKED:
            raise NoPicture("it lies in a large compressed tar; unpack that to see it")
        member = next((one for one in tar if shown(one.name) == place.member), None)
        inside = tar.extractfile(member) if member is not None else None
        if member is None or inside is None:
            raise NoPicture("its archive no longer holds it; build the catalog again")
        return _unpacked(inside, member.size)


def _unpacked(stream: Any, size: int) -> BinaryIO:
    if size > _MEMBER:
        raise NoPicture("it is a large object in an archive; unpack that to see it")
    return io.BytesIO(stream.read(_MEMBER))


def _file(archive: Path, place: Place) -> Path:
    """The catalog writes bytes of a name that are no UTF-8 as \\xNN; an archive may be a single file."""
    text = place.path
    path = archive if archive.is_file() else archive / text
    if path.exists() or "\\x" not in text:
        return path
    raw = re.sub(rb"\\x([0-9a-f]{2})", lambda found: bytes([int(found[1], 16)]), text.encode())
    return archive / raw.decode("utf-8", "surrogateescape")


def _grey(values: AnyArray, header: pydicom.Dataset) -> AnyArray:
    """Stored values as uint8: windowed as the header says, or from the 1st to the 99th percentile."""
    if str(header.get("PhotometricInterpretation", "")) == "PALETTE COLOR":
        values = apply_color_lut(values, header)
    if values.ndim == 3:  # colour
        most = np.iinfo(values.dtype).max if values.dtype.kind == "u" else values.max()
        return np.asarray(values / max(float(most), 1.0) * 255).astype(np.uint8)
    slope, intercept = rescale_of(header)
    numbers: FloatArray = values.astype(np.float64) * slope + intercept
    low, high = _window(numbers, header)
    grey = np.clip((numbers - low) / (high - low), 0, 1)
    if str(header.get("PhotometricInterpretation", "")) == "MONOCHROME1":
        grey = 1 - grey
    return np.asarray(np.rint(grey * 255)).astype(np.uint8)


def _window(numbers: FloatArray, header: pydicom.Dataset) -> tuple[float, float]:
    try:
        centre, width = (float(_first(header.get(name))) for name in ("WindowCenter", "WindowWidth"))
        low, high = centre - width / 2, centre + width / 2
        # Some windows have nothing to do with the values they come with.
        if width > 0 and np.mean((numbers > low) & (numbers < high)) > 0.05:
            return low, high
    except (TypeError, ValueError):
        pass
    inside = numbers[numbers > numbers.min()]  # padding and air are one value, and often most of the picture
    low, high = np.percentile(inside if inside.size > numbers.size / 20 else numbers, (1, 99))
    return (float(low), float(high)) if high > low else (float(numbers.min()), float(numbers.min()) + 1)


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, (list, tuple, pydicom.multival.MultiValue)) else value


def _resized(grey: AnyArray, pixel_mm: tuple[float, float], edge: int) -> AnyArray:
    from PIL import Image

    height, width = grey.shape[0] * pixel_mm[0], grey.shape[1] * pixel_mm[1]
    scale = edge / max(height, width)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    return np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BILINEAR))


def _words(error: Exception) -> str:
    if _lacks_decoder(error):
        return "its compression needs a decoder: pip install 'hounsfield[jpeg]'"
    return f"its pixels can't be decoded ({type(error).__name__})"


def _lacks_decoder(error: Exception) -> bool:
    text = str(error).lower()
    return isinstance(error, NotImplementedError) or "plugin" in text or "missing dependencies" in text
