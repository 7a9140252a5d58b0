"""The scan on a cluster of this machine's own gives the catalog that local cores give. Needs the optional engines."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.catalog.dicom_made import series
from tests.catalog.scan.test_scan import content

from hounsfield.catalog.scan.scan import scan
from hounsfield.core.engine import slots
from hounsfield.core.errors import RunError

pytestmark = pytest.mark.slow


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    for number in range(3):
        series(tmp_path / "archive" / str(number), 12, series=f"1.2.3.{number}")
    return tmp_path / "archive"


def test_ray(archive: Path, tmp_path: Path) -> None:
    ray = pytest.importorskip("ray")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        assert slots(engine="ray") == 2
        scan(archive, tmp_path / "ray.duckdb", engine="ray")
    finally:
        ray.shutdown()
    scan(archive, tmp_path / "local.duckdb", workers=2)
    assert content(tmp_path / "ray.duckdb") == content(tmp_path / "local.duckdb")


def test_dask(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = pytest.importorskip("distributed")
    import dask

    with pytest.raises(RunError, match="DASK_SCHEDULER_ADDRESS"):
        slots(engine="dask")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None
    ) as cluster:
        with dask.config.set({"scheduler-address": cluster.scheduler_address}):
            assert slots(engine="dask") == 2
            scan(archive, tmp_path / "dask.duckdb", engine="dask")
        distributed.get_client().close()
    scan(archive, tmp_path / "local.duckdb", workers=2)
    assert content(tmp_path / "dask.duckdb") == content(tmp_path / "local.duckdb")
