"""Download of public series: selected rows of the index in; a folder tree of DICOM files, manifest.csv and, in the
folder of each collection, LICENSE.txt and CITATION.txt out.

The layout is COLLECTION/PATIENT/STUDY/MODALITY_SERIES/OBJECT.dcm. The same call goes on where an earlier one stopped: a
series whose files have the number and the bytes that the index states is not asked for again.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from hounsfield.catalog.idc.buckets import Source, Stored, TryAgain
from hounsfield.catalog.idc.index import FetchError, index_version, read_sources
from hounsfield.catalog.idc.notices import citation_text, licence_text
from hounsfield.catalog.idc.transfer import Retry, again, transfer
from hounsfield.core.atomic import atomic_file, write_text
from hounsfield.core.engine import each
from hounsfield.core.progress import Progress, silent

WORKERS = 16  # threads wait for the network nearly all of the time
MANIFEST = "manifest.csv"
_URL = re.compile(r"s3://(?P<bucket>[a-z0-9.-]+)/(?P<folder>[A-Za-z0-9._-]+)/\*?")
_PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
_COLUMNS = ["collection", "patient_id", "study_uid", "series_uid", "modality", "objects", "size_bytes", "license"]
_TEXT = ["source_doi", "url", "folder", "state", "reason"]


@dataclass(frozen=True)
class Series:
    """One series to be had: where it lies, where it goes (`folder`, relative), and what it must amount to."""

    uid: str
    bucket: str
    prefix: str
    folder: str
    objects: int
    size_bytes: int


@dataclass(frozen=True)
class Fetched:
    """What a download did.

    Attributes:
        manifest: rows of manifest.csv of the selected series; `state` is complete or incomplete, with the reason.
        bytes_new: brought by this call.
        failures: series_uid -> the first reason why something of it is missing.
    """

    manifest: pd.DataFrame
    bytes_new: int
    failures: Mapping[str, str] = field(default_factory=dict)


def fetch(
    selection: pd.DataFrame,
    out: Path,
    source: Source,
    *,
    workers: int = WORKERS,
    retry: Retry | None = None,
    progress: Progress = silent,
    sources: pd.DataFrame | None = None,
) -> Fetched:
    """Downloads the series of a selection into `out`.

    Args:
        selection: as `idc_select.select` returns.
        workers: threads.
        sources: licences and citations; those of the installed index when None.
    Returns: what came; failures of single series are in it, and the rest is downloaded all the same.
    Raises: FetchError when the place can't be reached at all, or the disk is too small.
    """
    retry = retry or Retry()
    plan = [_series(row) for row in selection.to_dict("records")]
    missing = [series for series in plan if not complete(series, out)]
    _check_space(sum(series.size_bytes for series in missing), out)
    _write_notices(selection, plan, out, read_sources() if sources is None else sources)
    jobs, failures = _jobs(missing, out, source, retry, workers, progress)
    bring = partial(_bring, source, retry)
    told = each(bring, jobs, workers=workers, engine="threads", progress=progress, label="downloading")
    fresh = 0
    for job, why in zip(jobs, told, strict=True):
        fresh += 0 if why else job.stored.size
        if why:
            failures.setdefault(job.series.uid, why)
    failures = {uid: why for uid, why in _odd(missing, out).items() if uid not in failures} | failures
    return Fetched(_write_manifest(selection, plan, out, failures), fresh, failures)


def complete(series: Series, out: Path) -> bool:
    """True when the folder holds as many files and bytes as the index states. (Files get their name when checked.)"""
    return _holds(out / series.folder) == (series.objects, series.size_bytes)


def _holds(folder: Path) -> tuple[int, int]:
    """Finished files of a folder, and their bytes."""
    files = [file for file in folder.iterdir() if not file.name.startswith(".")] if folder.is_dir() else []
    return len(files), sum(file.stat().st_size for file in files)


def _odd(series: Sequence[Series], out: Path) -> dict[str, str]:
    """Series of which all listed objects came, and which still are not what the index states."""
    found = {}
    for one in series:
        files, size = _holds(out / one.folder)
        if (files, size) != (one.objects, one.size_bytes):
            found[one.uid] = (
                f"its folder holds {files} files of {size} bytes, the index states {one.objects} of {one.size_bytes}. "
                f"Remove the folder and fetch it again; if that stays, update the index (idc-index-data)"
            )
    return found


@dataclass(frozen=True)
class _Job:
    series: Series
    stored: Stored
    path: Path


def _bring(source: Source, retry: Retry, job: _Job) -> str:
    """Brings one object; returns why it could not, or nothing."""
    try:
        transfer(source, job.series.bucket, job.stored, job.path, retry)
    except FetchError as error:
        return f"{job.path.name}: {error}"
    return ""


def _jobs(
    missing: Sequence[Series], out: Path, source: Source, retry: Retry, workers: int, progress: Progress
) -> tuple[list[_Job], dict[str, str]]:
    """Objects still to be had, and the series whose listing failed, with the reason."""

    def listing(series: Series) -> list[_Job] | str:
        try:
            found = again(lambda: source.objects(series.bucket, series.prefix), retry)
            return _checked(series, found, out)
        except FetchError as error:
            return str(error)

    _reach(missing, source, retry)
    listed = each(listing, missing, workers=workers, engine="threads", progress=progress, label="listing")
    failures = {series.uid: one for series, one in zip(missing, listed, strict=True) if isinstance(one, str)}
    jobs = [job for one in listed if not isinstance(one, str) for job in one]
    return [job for job in jobs if not (job.path.exists() and job.path.stat().st_size == job.stored.size)], failures


def _reach(missing: Sequence[Series], source: Source, retry: Retry) -> None:
    """Lists one series alone: a machine without a network is told at once, not after a thousand tries."""
    if not missing:
        return
    bucket, prefix = missing[0].bucket, missing[0].prefix
    try:
        source.objects(bucket, prefix)
        return
    except FetchError:
        return  # this series is not there, but somebody answered; it is said with the others
    except TryAgain:
        pass
    try:
        again(lambda: source.objects(bucket, prefix), retry)
    except FetchError as error:
        raise FetchError(
            f"{error}. Without a network: --dry-run chooses, --from FOLDER copies from a mirror; behind a proxy set "
            f"HTTPS_PROXY."
        ) from error


def _checked(series: Series, found: Sequence[Stored], out: Path) -> list[_Job]:
    names = [stored.key.removeprefix(f"{series.prefix}/") for stored in found]
    odd = [name for name in names if not _PLAIN.fullmatch(name)]
    if odd:  # such as ../x: what a server says must not choose where a file goes
        raise FetchError("the bucket lists an object whose name is no plain file name")
    return [_Job(series, stored, out / series.folder / name) for stored, name in zip(found, names, strict=True)]


def _series(row: Mapping[Any, Any]) -> Series:
    place = _URL.fullmatch(str(row["url"]))
    if place is None:
        raise FetchError(f"series ...{str(row['series_uid'])[-8:]}: the index gives no address of a bucket for it.")
    parts = [row["collection"], row["patient_id"], row["study_uid"], f"{row['modality']}_{row['series_uid']}"]
    return Series(
        uid=str(row["series_uid"]),
        bucket=place["bucket"],
        prefix=place["folder"],
        folder="/".join(_folder_name(str(part)) for part in parts),
        objects=int(row["objects"]),
        size_bytes=int(row["size_bytes"]),
    )


def _folder_name(text: str) -> str:
    name = re.sub(r"[^A-Za-z0-9._-]", "_", text)
    return name if name.strip(".") else "_"


def _check_space(needed: int, out: Path) -> None:
    place = next(folder for folder in (out, *out.absolute().parents) if folder.exists())
    free = shutil.disk_usage(place).free
    if needed > free:
        raise FetchError(
            f"{needed / 1e9:.2f} GB are still to come, and the disk of {out.name} has {free / 1e9:.2f} GB free. "
            f"Lower --max-gb, or give another folder."
        )


def _write_notices(selection: pd.DataFrame, plan: Sequence[Series], out: Path, sources: pd.DataFrame) -> None:
    """Before the first byte, so that no data lie anywhere without their licence."""
    _write_manifest(selection, plan, out, {})
    everything = _read_manifest(out)
    for name, series in everything.groupby("collection", sort=True):
        folder = out / _folder_name(str(name))
        write_text(folder / "LICENSE.txt", licence_text(series, sources))
        write_text(folder / "CITATION.txt", citation_text(series, sources, version=index_version()))


def _write_manifest(
    selection: pd.DataFrame, plan: Sequence[Series], out: Path, failures: Mapping[str, str]
) -> pd.DataFrame:
    """Rows of earlier calls stay; returns those of this one."""
    rows = selection[[*_COLUMNS, "source_doi", "url"]].assign(
        folder=[series.folder for series in plan],
        state=["complete" if complete(series, out) else "incomplete" for series in plan],
        reason=[failures.get(series.uid, "") for series in plan],
    )
    earlier = _read_manifest(out)
    others = earlier[~earlier["series_uid"].isin(rows["series_uid"])]
    together = pd.concat([others, rows], ignore_index=True) if len(others) else rows
    with atomic_file(out / MANIFEST) as temporary:
        together.to_csv(temporary, index=False)
    return rows


def _read_manifest(out: Path) -> pd.DataFrame:
    columns = [*_COLUMNS, *_TEXT]
    path = out / MANIFEST
    if not path.exists():
        return pd.DataFrame(columns=columns)
    rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    if list(rows.columns) != columns:
        raise FetchError(f"{MANIFEST} in {out.name} is not of this program. Give another folder for the download.")
    return rows
