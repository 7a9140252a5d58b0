"""LICENSE.txt and CITATION.txt beside data: rows of the manifest and of the data sets' table in; text out."""

from __future__ import annotations

import pandas as pd

_COMMONS = (
    "Fedorov, A., Longabaugh, W. J. R., Pot, D., et al. (2023). National Cancer Institute Imaging Data Commons: Toward "
    "Transparency, Reproducibility, and Scalability in Imaging Artificial Intelligence. RadioGraphics 43(12), e230180. "
    "https://doi.org/10.1148/rg.230180"
)


def licence_text(series: pd.DataFrame, sources: pd.DataFrame) -> str:
    """Which licence each data set of one collection is under, and where its text is.

    Args:
        series: rows of one collection; columns collection, license, source_doi.
        sources: as `idc_index.read_sources`.
    """
    lines = [f"Collection {series['collection'].iloc[0]} of the Imaging Data Commons.", ""]
    for doi, license_, count in _data_sets(series):
        known = _known(sources, doi, license_)
        lines += [f"{license_}: {count} series of {known.get('title') or 'the data set'}, https://doi.org/{doi}"]
        lines += [f"  {known['license_url']}"] if known.get("license_url") else []
        if not commercial(license_):
            lines += ["  Not for commercial use."]
        lines += [""]
    lines += ["Keep this file and CITATION.txt beside the data, and cite the data sets in whatever is made with them."]
    return "\n".join(lines) + "\n"


def citation_text(series: pd.DataFrame, sources: pd.DataFrame, *, version: str) -> str:
    """What to cite for one collection: each of its data sets, and the commons itself.

    Args:
        version: of the index the series were chosen from.
    """
    lines = []
    for doi, license_, _ in _data_sets(series):
        known = _known(sources, doi, license_)
        lines += [known.get("citation") or f"{known.get('title') or 'Data set'}. https://doi.org/{doi}", ""]
    lines += [_COMMONS, ""]
    if version:
        lines += [f"Chosen from release {version} of the index (idc-index-data)."]
    return "\n".join(lines).rstrip() + "\n"


def commercial(license_: str) -> bool:
    """False when a licence's short name says that commercial use is not allowed."""
    return "NC" not in license_.upper().replace("-", " ").split()


def _data_sets(series: pd.DataFrame) -> list[tuple[str, str, int]]:
    counts = series.groupby(["source_doi", "license"], sort=True).size().reset_index(name="series")
    counts = counts.sort_values("series", ascending=False, kind="stable")
    return [(str(row["source_doi"]), str(row["license"]), int(row["series"])) for row in counts.to_dict("records")]


def _known(sources: pd.DataFrame, doi: str, license_: str) -> dict[str, str]:
    found = sources[sources["source_doi"] == doi.lower()]
    exact = found[found["license"] == license_]
    rows = (exact if len(exact) else found.assign(license_url="")).to_dict("records")
    return {str(key): str(value) for key, value in rows[0].items()} if rows else {}
