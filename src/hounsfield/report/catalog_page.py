"""The overview of a catalog as one HTML page. In: an open catalog and a filter; out: catalog.html, pictures inside.

The page shows counts, odd geometry and the middle slice of series of every kind. No path, no folder and no identifier
of a patient is on it; a series is named by the end of its UID and its description.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from hounsfield import __version__
from hounsfield.catalog.look.outliers import THRESHOLD
from hounsfield.catalog.look.overview import Overview, overview
from hounsfield.catalog.look.show import Filter
from hounsfield.catalog.look.thumbnail import NoPicture, Place, archive_of, middle_planes, thumbnail
from hounsfield.core.atomic import write_text
from hounsfield.core.progress import Progress, silent
from hounsfield.core.types import AnyArray

_ROWS = 60  # of one table on the page
_NAME = re.compile(r"\s*[^\W\d_]+(?:[ -][^\W\d_]+)*\s*,\s*[^\W\d_]+(?:[ -][^\W\d_]+)*\s*")  # Doe, Jane
_MEASURES = {
    "spacing_mm": "slice spacing, mm",
    "slices": "slices",
    "row_mm": "row distance, mm",
    "column_mm": "column distance, mm",
}
_STATES = {
    "object": "DICOM objects",
    "copy": "copies of an object that is there already",
    "clash": "other content under a UID that is taken",
    "other": "no DICOM",
    "broken": "broken",
    "unreadable": "not readable",
    "archive": "zip and tar files",
    "directory": "lists of discs (DICOMDIR)",
}


def write_catalog_page(
    connection: duckdb.DuckDBPyConnection,
    out: Path,
    wanted: Filter | None = None,
    *,
    thumbnails: int = 200,
    words: str = "",
    progress: Progress = silent,
) -> Path:
    """Writes OUT/catalog.html.

    Args:
        wanted: which series; all when None.
        thumbnails: at most so many, chosen over modalities and exclusion reasons.
        words: the filter as the person wrote it, for the page's head.
    Returns: the page's path.
    Raises: CatalogError as `show.chosen`.
    """
    wanted = wanted or Filter()
    counted = overview(connection, wanted)
    places = middle_planes(connection, wanted, most=thumbnails) if thumbnails else []
    archive = archive_of(connection) if places else Path()
    pictures: list[AnyArray | str] = []
    for place in progress(places, len(places), "thumbnails"):
        try:
            pictures.append(thumbnail(archive, place))
        except NoPicture as error:
            pictures.append(str(error))
    page = out / "catalog.html"
    write_text(page, render(page_values(counted, places, pictures, words=words)))
    return page


def page_values(
    counted: Overview, places: Sequence[Place], pictures: Sequence[AnyArray | str], *, words: str = ""
) -> dict[str, Any]:
    """What `catalog.html.j2` needs, by the names it uses.

    Args:
        places, pictures: of the same length; a picture is its grey values, or the reason why there is none.
    """
    totals = {str(key): int(value) for key, value in counted.totals.iloc[0].items()}
    shown = [_picture(place, one) for place, one in zip(places, pictures, strict=True)]
    values: dict[str, Any] = {
        "version": __version__,
        "words": words,
        "totals": {key: f"{value:,}" for key, value in totals.items()},
        "used": f"{totals['series'] - totals['excluded']:,}",
        "empty": totals["series"] == 0,
        "kinds": _rows(counted.kinds),
        "labels": [
            {"name": str(name), "rows": _rows(rows), "most": int(rows["series"].max())}
            for name, rows in counted.labels.groupby("label", sort=True)
        ],
        "reasons": _rows(counted.reasons),
        "irregular": _rows(counted.irregular),
        "outliers": [_outlier(row) for row in counted.outliers.head(_ROWS).to_dict("records")],
        "outliers_left": max(len(counted.outliers) - _ROWS, 0),
        "threshold": THRESHOLD,
        "files": [{**row, "words": _STATES.get(str(row["state"]), "")} for row in _rows(counted.files)],
        "file_reasons": _rows(counted.file_reasons.head(_ROWS)),
        "remarks": _rows(counted.remarks.head(_ROWS)),
        "groups": _groups(shown),
        "failures": _failures(shown),
        "pictures": len(shown),
        "pictures_left": totals["series"] - len(shown),
    }
    values["contents"] = _contents(values)
    return values


def render(values: Mapping[str, Any]) -> str:
    """The page; every value is escaped, since descriptions come from headers."""
    environment = Environment(
        loader=PackageLoader("hounsfield.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("catalog.html.j2").render(values) + "\n"


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as text: whole numbers with separators, GB with digits that matter, nothing for a missing value."""
    return [{str(key): _cell(str(key), value) for key, value in row.items()} for row in table.to_dict("records")]


def _cell(name: str, value: Any) -> Any:
    if value is None or value != value:
        return ""
    if name == "gb":
        return f"{value:.3g}"
    return value if isinstance(value, str) else int(value)


def _outlier(row: Mapping[Any, Any]) -> dict[str, str]:
    return {
        "name": _name(str(row["series_uid"])),
        "modality": str(row["modality"]),
        "description": _described(row["series_description"]),
        "measure": _MEASURES[str(row["measure"])],
        "value": f"{row['value']:.4g}",
        "usual": f"{row['usual']:.4g}",
        "z": f"{row['z']:+.1f}",
    }


def _picture(place: Place, one: AnyArray | str) -> dict[str, Any]:
    return {
        "name": _name(place.series_uid),
        "modality": place.modality or "no modality",
        "description": _described(place.description),
        "excluded": place.excluded,
        "uri": "" if isinstance(one, str) else _uri(one),
        "why": one if isinstance(one, str) else "",
    }


def _uri(grey: AnyArray) -> str:
    from PIL import Image

    data = io.BytesIO()
    Image.fromarray(grey).save(data, format="JPEG", quality=82)
    return f"data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode()}"


def _name(series_uid: str) -> str:
    return f"…{series_uid[-8:]}"


def _described(text: Any) -> str:
    """A series' description, unless a person's name may have been typed into it."""
    said = "" if text is None or text != text else str(text)
    return "(withheld: it may be a name)" if "^" in said or _NAME.fullmatch(said) else said


def _groups(shown: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Pictures by modality; series without an image plane (SR, RTSTRUCT) are counted, not drawn."""
    drawn = [one for one in shown if one["why"] != "it has no image plane"]
    names = list(dict.fromkeys(one["modality"] for one in drawn))
    return [{"name": name, "pictures": [one for one in drawn if one["modality"] == name]} for name in names]


def _failures(shown: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    why: dict[str, list[str]] = {}
    for one in shown:
        if one["why"]:
            why.setdefault(one["why"], []).append(f"{one['name']} ({one['modality']})")
    return [{"why": reason, "count": len(names), "names": ", ".join(names[:12])} for reason, names in why.items()]


def _contents(values: Mapping[str, Any]) -> list[dict[str, str]]:
    entries = [("labels", "Labels", "labels"), ("reasons", "Exclusions", "excluded"), ("geometry", "Geometry", "")]
    entries += [("groups", "Pictures", "pictures"), ("files", "Files", "files"), ("remarks", "Remarks", "remarks")]
    return [
        {"anchor": anchor or key, "title": title} for key, title, anchor in entries if key == "geometry" or values[key]
    ]
