"""Where work runs: one function that maps another over independent items, on this machine's cores or on a cluster.

A thin face of joblib, whose own backends reach Ray and Dask. Nothing else in the package starts processes.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from typing import Any, TypeVar

from hounsfield.core.errors import RunError
from hounsfield.core.progress import Progress, silent

Item = TypeVar("Item")
Result = TypeVar("Result")

_BACKENDS = {"local": "loky", "threads": "threading", "serial": "sequential", "ray": "ray", "dask": "dask"}
_CLUSTERS = ("ray", "dask")


def cores() -> int:
    """Cores this process may use: its affinity, not the machine's count."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def slots(workers: int = 0, engine: str = "local") -> int:
    """How many items run at once: `workers`, or with 0 the cores of this process or of the whole cluster.

    Raises: RunError as `each`.
    """
    _check(engine)
    if workers or engine not in _CLUSTERS:
        return workers or cores()
    import joblib

    _register(engine)
    with joblib.parallel_config(backend=_BACKENDS[engine]):
        return max(1, int(joblib.effective_n_jobs(-1)))


def each(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int = 0,
    engine: str = "local",
    progress: Progress = silent,
    label: str = "",
) -> list[Result]:
    """`[function(item) for item in items]`, in parallel, in the order of `items`.

    Args:
        workers: processes or threads; 0 takes all cores this process may use, or those of the cluster.
        engine: local (processes), threads, serial, ray or dask (optional extras of the package).
    Raises: what `function` raises; RunError for an unknown engine or one whose package is missing.
    """
    import joblib

    work: Sequence[Item] = list(items)
    count = min(slots(workers, engine), max(len(work), 1))
    _register(engine)
    if engine == "local" and count == 1:
        engine = "serial"  # one process more would only cost its start
    results: list[Any] = []
    try:
        with joblib.parallel_config(backend=_BACKENDS[engine]):
            found = _ray_results(function, work, count) if engine == "ray" else _results(function, work, count)
            results.extend(progress(found, len(work), label))
    except BrokenExecutor as error:  # a worker was killed from outside
        raise RunError(
            "a worker process was ended by the system, most often for want of memory; run it again with fewer workers "
            "(--workers 1)."
        ) from error
    return results


def _results(function: Callable[[Item], Result], work: Sequence[Item], count: int) -> Iterable[Result]:
    import joblib

    found: Iterable[Result] = joblib.Parallel(n_jobs=count, return_as="generator")(
        joblib.delayed(function)(item) for item in work
    )
    return found


def _ray_results(function: Callable[[Item], Result], work: Sequence[Item], count: int) -> Iterator[Result]:
    """Ray's backend of joblib returns lists only: work goes out in portions, so that progress can be seen."""
    import joblib

    portion = 8 * count
    for start in range(0, len(work), portion):
        yield from joblib.Parallel(n_jobs=count)(
            joblib.delayed(function)(item) for item in work[start : start + portion]
        )


def _check(engine: str) -> None:
    if engine not in _BACKENDS:
        raise RunError(f"engine is one of {', '.join(_BACKENDS)}; got '{engine}'.")


def _register(engine: str) -> None:
    try:
        if engine == "ray":
            # By name: the package is optional, and its functions have no types.
            importlib.import_module("ray.util.joblib").register_ray()
        elif engine == "dask":
            _join_dask()
    except ImportError as error:
        raise RunError(f"engine '{engine}' needs its package: pip install 'hounsfield[{engine}]'.") from error


def _join_dask() -> None:
    """Uses the client there is, or the cluster whose address Dask's own settings give."""
    import dask
    import distributed

    try:
        distributed.get_client()
    except ValueError as error:
        address = dask.config.get("scheduler-address", None)
        if not address:
            raise RunError(
                "engine 'dask' needs a running cluster: start `dask scheduler` and `dask worker`, and set "
                "DASK_SCHEDULER_ADDRESS=tcp://HOST:8786, or create distributed.Client(...) first."
            ) from error
        distributed.Client(address)
