"""Where work runs: one function that maps another over independent items, on this machine's cores or on a cluster.

A thin face of joblib, whose own backends reach Ray and Dask. Nothing else in the package starts processes.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import BrokenExecutor
from typing import Any, TypeVar

from hounsfield.core.errors import RunError
from hounsfield.core.progress import Progress, silent

Item = TypeVar("Item")
Result = TypeVar("Result")

_BACKENDS = {"local": "loky", "threads": "threading", "serial": "sequential", "ray": "ray", "dask": "dask"}


def cores() -> int:
    """Cores this process may use: its affinity, not the machine's count."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


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
        workers: processes or threads; 0 takes all cores this process may use.
        engine: local (processes), threads, serial, ray or dask (optional extras of the package).
    Raises: what `function` raises; RunError for an unknown engine or one whose package is missing.
    """
    import joblib

    work: Sequence[Item] = list(items)
    if engine not in _BACKENDS:
        raise RunError(f"engine is one of {', '.join(_BACKENDS)}; got '{engine}'.")
    _register(engine)
    count = min(workers or cores(), max(len(work), 1))
    if engine == "local" and count == 1:
        engine = "serial"  # one process more would only cost its start
    results: list[Any] = []
    try:
        with joblib.parallel_config(backend=_BACKENDS[engine]):
            calls = (joblib.delayed(function)(item) for item in work)
            results.extend(progress(joblib.Parallel(n_jobs=count, return_as="generator")(calls), len(work), label))
    except BrokenExecutor as error:  # a worker was killed from outside
        raise RunError(
            "a worker process was ended by the system, most often for want of memory; run it again with fewer workers "
            "(--workers 1)."
        ) from error
    return results


def _register(engine: str) -> None:
    try:
        if engine == "ray":
            # By name: the package is optional, and its functions have no types.
            importlib.import_module("ray.util.joblib").register_ray()
        elif engine == "dask":
            import distributed

            distributed.get_client()
    except ImportError as error:
        raise RunError(f"engine '{engine}' needs its package: pip install 'hounsfield[{engine}]'.") from error
    except ValueError as error:
        raise RunError("engine 'dask' needs a running client: create distributed.Client(...) first.") from error
