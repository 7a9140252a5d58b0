"""Which public series are taken: counted by hand on an index made up here, and the index that ships where installed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest

from hounsfield.catalog.idc.index import COLUMNS, FetchError, read_index, read_sources
from hounsfield.catalog.idc.notices import citation_text, commercial, licence_text
from hounsfield.catalog.idc.select import patients_of, select, summary

needs_index = pytest.mark.skipif(find_spec("idc_index_data") is None, reason="idc-index-data is not installed")


def index_of(sizes_gb: dict[str, list[float]], collection: str = "made_up", modality: str = "CT") -> pd.DataFrame:
    """An index of one series a size; the patient is the key."""
    rows = [
        {
            "collection": collection,
            "patient_id": patient,
            "study_uid": f"1.{patient}",
            "series_uid": f"1.{patient}.{modality}.{at}",
            "modality": modality,
            "series_description": "made up",
            "objects": 1,
            "license": "CC BY 4.0",
            "source_doi": "10.1/A",
            "url": f"s3://bucket/{patient}-{at}/*",
            "size_bytes": round(size * 1e9),
        }
        for patient, sizes in sizes_gb.items()
        for at, size in enumerate(sizes)
    ]
    return pd.DataFrame(rows)


EQUAL = index_of({f"p{k:02d}": [0.6, 0.4] for k in range(20)})  # 1 GB a patient


def test_as_many_whole_patients_as_fit():
    chosen = select(EQUAL, max_gb=5.5, seed=0)
    assert patients_of(chosen) == 5
    assert len(chosen) == 10  # both series of each
    assert chosen["size_bytes"].sum() == 5_000_000_000
    assert patients_of(select(EQUAL, max_gb=5, seed=0)) == 5  # the limit itself still fits
    assert patients_of(select(EQUAL, patients=3, seed=0)) == 3
    assert patients_of(select(EQUAL, patients=3, max_gb=2, seed=0)) == 2
    assert len(select(EQUAL, seed=0)) == 40


def test_the_seed_orders_patients_and_nothing_else_does():
    def order(index: pd.DataFrame, seed: int = 0) -> list[str]:
        return list(select(index, seed=seed)["patient_id"].drop_duplicates())

    assert order(EQUAL) == order(EQUAL.sample(frac=1, random_state=3))
    assert order(EQUAL) != order(EQUAL, seed=1)
    fewer = EQUAL[EQUAL["patient_id"] != "p07"]
    assert order(fewer) == [name for name in order(EQUAL) if name != "p07"]  # who leaves moves nobody else
    # A larger limit adds to the smaller selection.
    small, large = select(EQUAL, max_gb=3, seed=0), select(EQUAL, max_gb=8, seed=0)
    assert list(small["series_uid"]) == list(large["series_uid"])[: len(small)]


def test_the_order_ends_at_the_first_patient_who_does_not_fit():
    first, second, *_ = select(EQUAL, seed=0)["patient_id"].drop_duplicates()
    sizes = {f"p{k:02d}": [1.0] for k in range(20)} | {second: [7.0]}
    assert list(select(index_of(sizes), max_gb=5, seed=0)["patient_id"]) == [first]
    with pytest.raises(FetchError, match=r"first patient .* has 1.000 GB, above --max-gb 0.5"):
        select(index_of(sizes), max_gb=0.5, seed=0)


def test_modalities_and_limits_that_can_not_be():
    both = pd.concat([EQUAL, index_of({"p01": [0.1], "p30": [0.1]}, modality="SEG")])
    assert set(select(both, modalities=["seg"], seed=0)["patient_id"]) == {"p01", "p30"}
    assert len(select(both, modalities=["CT", "SEG"], seed=0)) == 42
    with pytest.raises(FetchError, match="modality MR; there are: CT, SEG"):
        select(both, modalities=["MR"], seed=0)
    with pytest.raises(FetchError, match="above 0"):
        select(EQUAL, max_gb=0, seed=0)
    with pytest.raises(FetchError, match="at least 1"):
        select(EQUAL, patients=0, seed=0)


def test_summary_counts():
    two = pd.concat([EQUAL, index_of({"p01": [0.1], "p30": [0.2]}, collection="other")])
    table = summary(two).set_index("collection")
    assert table.loc["made_up", ["series", "patients"]].tolist() == [40, 20]
    assert table.loc["other", "gb"] == pytest.approx(0.3)
    assert patients_of(two) == 22  # p01 of two collections is two people


def test_notices_name_every_data_set_once():
    series = pd.DataFrame(
        {
            "collection": "c",
            "license": ["CC BY 4.0"] * 3 + ["CC BY-NC 3.0"],
            "source_doi": ["10.1/A", "10.1/A", "10.1/B", "10.1/C"],
        }
    )
    sources = pd.DataFrame(
        [
            ("10.1/a", "CC BY 4.0", "https://licence", "Set A", "Author A (2020)."),
            ("10.1/c", "CC BY-NC 3.0", "https://nc", "Set C", "Author C (2021)."),
        ],
        columns=["source_doi", "license", "license_url", "title", "citation"],
    )
    text = licence_text(series, sources)
    assert "CC BY 4.0: 2 series of Set A, https://doi.org/10.1/A\n  https://licence\n" in text
    assert "CC BY 4.0: 1 series of the data set, https://doi.org/10.1/B\n\n" in text
    assert text.count("Not for commercial use") == 1
    cited = citation_text(series, sources, version="25.0.5")
    assert "Author A (2020)." in cited
    assert "Data set. https://doi.org/10.1/B" in cited
    assert "10.1148/rg.230180" in cited
    assert "25.0.5" in cited
    assert [commercial(name) for name in ("CC BY 3.0", "CC BY-NC 3.0", "CC BY NC-ND")] == [True, False, False]


@needs_index
def test_the_index_that_ships():
    index = read_index(["LIDC-IDRI"])
    assert set(COLUMNS.values()) == set(index.columns)
    # The collection's own page names 1010 patients with 1018 CT series.
    ct = index[index["modality"] == "CT"]
    assert (len(ct), ct["patient_id"].nunique()) == (1018, 1010)
    assert set(ct["source_doi"]) == {"10.7937/k9/tcia.2015.lo9ql9sx"}
    chosen = select(index, modalities=["CT"], max_gb=5, seed=0)
    assert 4.5 < chosen["size_bytes"].sum() / 1e9 <= 5
    assert "Armato" in citation_text(chosen, read_sources(), version="")


@needs_index
def test_an_unknown_collection_proposes_the_nearest():
    with pytest.raises(FetchError, match="no collection 'lidc_idr'. Did you mean lidc_idri"):
        read_index(["lidc_idr"])
    with pytest.raises(FetchError, match="at least one"):
        read_index([])


def test_without_the_package_the_command_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("hounsfield.catalog.idc.index.find_spec", lambda name: None)
    with pytest.raises(FetchError, match=r"pip install 'hounsfield\[idc\]'"):
        read_index(["lidc_idri"])


def test_an_index_without_tables_of_sources(tmp_path: Path):
    assert list(read_sources(folder=tmp_path)["citation"]) == []
