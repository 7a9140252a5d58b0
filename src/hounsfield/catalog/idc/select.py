"""Which public series to take: the rows of the index go in, those of whole patients that fit come out.

Nothing here opens a file. Patients are taken in an order that depends on the seed and their ids alone, so that a
larger limit only adds patients to a smaller one, and a new release of the index moves nobody.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pandas as pd

from hounsfield.catalog.idc.index import FetchError

GB = 1_000_000_000
_PATIENT = ["collection", "patient_id"]


def select(
    index: pd.DataFrame,
    *,
    modalities: Sequence[str] = (),
    max_gb: float | None = None,
    patients: int | None = None,
    seed: int,
) -> pd.DataFrame:
    """Series of whole patients, as many patients as fit.

    The order ends at the first patient who does not fit: to go on with smaller ones would prefer those with few images.

    Args:
        index: columns as `idc_index.read_index` gives.
        modalities: taken of each patient, as in the index (CT, MR, SEG); all when empty.
        max_gb: largest sum of sizes, in 1e9 bytes.
        patients: largest number of patients.
        seed: of the order of patients.
    Returns: rows of `index` in the order of patients, then of series.
    Raises: FetchError when no series has such a modality, or the first patient does not fit.
    """
    if max_gb is not None and not max_gb > 0:
        raise FetchError(f"--max-gb is above 0; got {max_gb:g}.")
    if patients is not None and patients < 1:
        raise FetchError(f"--patients is at least 1; got {patients}.")
    rows = _of_modalities(index, modalities)
    sizes = rows.groupby(_PATIENT, sort=True)["size_bytes"].sum().reset_index()
    sizes["turn"] = [_turn(seed, one, other) for one, other in sizes[_PATIENT].itertuples(index=False)]
    sizes = sizes.sort_values(["turn", *_PATIENT], ignore_index=True)
    sizes = _fitting(sizes, max_gb, seed)
    if patients is not None:
        sizes = sizes.head(patients)
    sizes = sizes.assign(place=range(len(sizes)))
    taken = rows.merge(sizes[[*_PATIENT, "place"]], on=_PATIENT)
    return taken.sort_values(["place", "series_uid"], ignore_index=True).drop(columns="place")


def summary(selection: pd.DataFrame) -> pd.DataFrame:
    """What a selection holds: columns collection, modality, license, series, patients, gb; one row each combination."""
    by = ["collection", "modality", "license"]
    groups = selection.groupby(by, sort=True, dropna=False)
    counts = groups.agg(series=("series_uid", "size"), patients=("patient_id", "nunique"), gb=("size_bytes", "sum"))
    return counts.assign(gb=counts["gb"] / GB).reset_index()


def patients_of(selection: pd.DataFrame) -> int:
    """Number of patients; an id that two collections share counts twice."""
    return len(selection.drop_duplicates(_PATIENT))


def _of_modalities(index: pd.DataFrame, modalities: Sequence[str]) -> pd.DataFrame:
    wanted = [name.strip().upper() for name in modalities]
    rows = index[index["modality"].isin(wanted)] if wanted else index
    there = sorted(index["modality"].dropna().unique())
    missing = [name for name in wanted if name not in there]
    if missing or rows.empty:
        raise FetchError(f"no series has the modality {', '.join(missing) or '?'}; there are: {', '.join(there)}.")
    return rows


def _fitting(sizes: pd.DataFrame, max_gb: float | None, seed: int) -> pd.DataFrame:
    if max_gb is None:
        return sizes
    fits = sizes["size_bytes"].cumsum() <= max_gb * GB
    if not fits.iloc[0]:
        least = sizes["size_bytes"].iloc[0] / GB
        raise FetchError(
            f"the first patient in the order of seed {seed} has {least:.3f} GB, above --max-gb {max_gb:g}. "
            f"Raise the limit, name fewer modalities, or take another seed."
        )
    return sizes[fits]


def _turn(seed: int, collection: str, patient: str) -> str:
    # A digest rather than a shuffled list: a list's shuffle changes for everybody when one patient is added.
    return hashlib.sha256(f"{seed}/{collection}/{patient}".encode()).hexdigest()
