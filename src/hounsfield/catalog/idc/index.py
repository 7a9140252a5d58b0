"""The index of the Imaging Data Commons inside the package idc-index-data: which public series there are, and whose.

In: names of collections. Out: a table of their series, one row each, and a table of the data sets' licences and
citations. Nothing here needs a network. The package is an optional extra.
"""

from __future__ import annotations

import difflib
import html
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd

from hounsfield.core.errors import HounsfieldError

# The index's column -> ours.
COLUMNS = {
    "collection_id": "collection",
    "PatientID": "patient_id",
    "StudyInstanceUID": "study_uid",
    "SeriesInstanceUID": "series_uid",
    "Modality": "modality",
    "SeriesDescription": "series_description",
    "instanceCount": "objects",
    "license_short_name": "license",
    "source_DOI": "source_doi",
    "series_aws_url": "url",
    "series_size_MB": "size_bytes",
}


class FetchError(HounsfieldError):
    """Public data that can't be selected or downloaded: an unknown collection, no network, a damaged file."""


def index_folder() -> Path:
    """Where idc-index-data keeps its tables.

    Raises: FetchError when the package is not installed.
    """
    found = find_spec("idc_index_data")  # not an import, which would read all of its schemas
    if found is None or found.origin is None:
        raise FetchError(
            "the index of the Imaging Data Commons is not installed: pip install 'hounsfield[idc]' "
            "(the package idc-index-data, 90 MB; no network is needed after that to choose series)."
        )
    return Path(found.origin).parent


def index_version() -> str:
    """Release of the index, whose first number is that of the Imaging Data Commons; empty when not installed."""
    try:
        return metadata.version("idc-index-data")
    except metadata.PackageNotFoundError:
        return ""


def read_index(collections: Sequence[str], *, folder: Path | None = None) -> pd.DataFrame:
    """All series of some collections.

    Args:
        collections: as in the index (`lidc_idri`) or as people write them (`LIDC-IDRI`).
        folder: of idc_index.parquet; that of the installed package when None.
    Returns: columns as the values of `COLUMNS`; `size_bytes` is exact.
    Raises: FetchError for a collection that is not there (the nearest name is proposed), or without the package.
    """
    import pyarrow.parquet as parquet

    path = (folder or index_folder()) / "idc_index.parquet"
    wanted = list(dict.fromkeys(_identifier(name) for name in collections))
    if not wanted:
        raise FetchError("name at least one collection: --collection lidc_idri.")
    rows = parquet.read_table(path, columns=list(COLUMNS), filters=[("collection_id", "in", wanted)])
    frame: pd.DataFrame = rows.to_pandas().rename(columns=COLUMNS)
    missing = [name for name in wanted if name not in set(frame["collection"])]
    if missing:
        known = parquet.read_table(path, columns=["collection_id"])["collection_id"].unique().to_pylist()
        raise FetchError(_unknown(missing[0], sorted(known)))
    # The index gives the sum of the objects' bytes over 1e6, unrounded.
    frame["size_bytes"] = (frame["size_bytes"] * 1e6).round().astype("int64")
    return frame


def read_sources(*, folder: Path | None = None) -> pd.DataFrame:
    """Licence and citation of each data set: columns source_doi, license, license_url, title, citation.

    Older releases of the index come without these tables; there the result has no rows.
    """
    import pyarrow.parquet as parquet

    place = folder or index_folder()
    rows: list[dict[str, str]] = []
    if (place / "collections_index.parquet").exists():
        for sources in parquet.read_table(place / "collections_index.parquet")["sources"].to_pylist():
            rows.extend(_source(one, one.get("license") or {}, "source_title") for one in sources or ())
    if (place / "analysis_results_index.parquet").exists():
        for one in parquet.read_table(place / "analysis_results_index.parquet").to_pylist():
            rows.append(_source(one, one, "analysis_result_title"))
    columns = ["source_doi", "license", "license_url", "title", "citation"]
    return pd.DataFrame(rows, columns=columns).drop_duplicates(["source_doi", "license"], ignore_index=True)


def _source(one: Mapping[str, Any], license_: Mapping[str, Any], title: str) -> dict[str, str]:
    return {
        "source_doi": str(one.get("source_doi") or "").lower(),
        "license": str(license_.get("license_short_name") or ""),
        "license_url": str(license_.get("license_url") or ""),
        "title": _plain(one.get(title)),
        "citation": _plain(one.get("citation")),
    }


def _plain(text: Any) -> str:
    """HTML of the index as one line of text."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", str(text or ""))).split())


def _identifier(name: str) -> str:
    return re.sub(r"[\s-]+", "_", name.strip().lower())


def _unknown(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(near)}?" if near else " See https://portal.imaging.datacommons.cancer.gov."
    return f"the index {index_version()} has no collection '{name}'.{hint}"
