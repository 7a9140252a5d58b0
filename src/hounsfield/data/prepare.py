"""Preparation of many cases. In: cases, settings, a cache folder; out: cubes, masks and native features as arrays, and
the cases set aside.

Nothing is prepared twice: each case has an entry on disk under the hash of its files and settings. A run that was
killed goes on where it stopped. Cases that share an image (several lesions of one CT) are prepared together, so the
image is read once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.core.content import sha256_of
from hounsfield.core.engine import each
from hounsfield.core.errors import HounsfieldError, Problem, RunError
from hounsfield.core.progress import Progress, silent
from hounsfield.core.types import AnyArray, BoolArray, FloatArray
from hounsfield.data.cache import content_digest, entry_key, load, store
from hounsfield.data.cube import OF_THE_IMAGE, native_features, paste_cube, prepare_case
from hounsfield.data.preparation import Preparation, PreparedCase
from hounsfield.volume.read import read_mask, read_volume
from hounsfield.volume.volume import Volume

if TYPE_CHECKING:
    import pandas as pd

    from hounsfield.tables.cases import Case

__all__ = [
    "Preparation",
    "PreparedCase",
    "PreparedSet",
    "native_features",
    "paste_cube",
    "prepare_case",
    "prepare_cases",
    "read_case",
]


@dataclass(frozen=True, eq=False)
class PreparedSet:
    """Prepared cases in the order they were given, without those set aside.

    Attributes:
        cases: the N cases kept.
        prepared: their prepared form; `image` and `mask` are views of the arrays below.
        images: (N, z, y, x) float32 in [-1, 1].
        masks: (N, z, y, x) uint8; all 0 where a case has no mask, see `has_mask`.
        has_mask: (N,) booleans.
        features: one row a case: case_id, the native features (missing where there is no mask), mask_leaves_cube,
            pixel_digest.
        set_aside: one Problem for each case left out, naming it.
    """

    cases: tuple[Case, ...]
    prepared: tuple[PreparedCase, ...]
    images: AnyArray
    masks: AnyArray
    has_mask: AnyArray
    features: pd.DataFrame
    set_aside: tuple[Problem, ...]

    def __len__(self) -> int:
        return len(self.cases)

    def table(self, keep: BoolArray | None = None) -> dict[str, FloatArray]:
        """Features of the cases of `keep` (default all) by name, (N,) each.

        Where one of these cases has no mask, only the features that take none are there.
        """
        chosen = np.ones(len(self), dtype=bool) if keep is None else keep
        numbers = self.features.loc[chosen].select_dtypes("number")
        masked = bool(self.has_mask[chosen].all())
        names = [name for name in numbers.columns if masked or str(name).startswith(OF_THE_IMAGE)]
        return {str(name): numbers[name].to_numpy(dtype=np.float64) for name in names}


def prepare_cases(
    cases: Iterable[Case],
    config: Preparation,
    cache: Path,
    *,
    workers: int = 0,
    engine: str = "local",
    progress: Progress = silent,
) -> PreparedSet:
    """Prepares `cases`, in parallel, from `cache` where possible.

    Args:
        cache: folder of entries; made when absent, shared by any number of runs.
        workers, engine, progress: as in `core.engine.each`.
    Raises: RunError when the cache can't be written. A case that can't be prepared raises nothing: it is in
        `set_aside`.
    """
    cases = list(cases)
    cache = Path(cache)
    keys, problems = _keys(cases, config, workers)
    found = {key: load(cache, key) for key in dict.fromkeys(keys) if key is not None}
    missing = {key: case for case, key in zip(cases, keys, strict=True) if key is not None and found[key] is None}
    failed = _make(missing, found, config, cache, each_options=(workers, engine, progress))
    for case, key in zip(cases, keys, strict=True):
        if key in failed:
            problems[case.case_id] = replace(failed[key], where=f"case {case.case_id}")
    kept = [
        (case, found[key])
        for case, key in zip(cases, keys, strict=True)
        if key is not None and case.case_id not in problems
    ]
    aside = tuple(problems[case.case_id] for case in cases if case.case_id in problems)
    return _assemble([(case, one) for case, one in kept if one is not None], config, aside)


def _make(
    missing: dict[str, Case],
    found: dict[str, PreparedCase | None],
    config: Preparation,
    cache: Path,
    *,
    each_options: tuple[int, str, Progress],
) -> dict[str, Problem]:
    """Prepares the cases of `missing` (by key) into the cache and `found`; returns the problem of each key that
    failed."""
    groups: dict[tuple[Path, str | None], dict[str, Case]] = {}
    for key, case in missing.items():
        groups.setdefault((case.image, case.series_uid), {})[key] = case
    tasks = [_task(members, config, cache) for members in groups.values()]
    workers, engine, progress = each_options
    made = each(_run, tasks, workers=workers, engine=engine, progress=progress, label="preparing cases")
    failed = {}
    for task, results in zip(tasks, made, strict=True):
        for (*_, key), problem in zip(task.members, results, strict=True):
            if problem is None:
                found[key] = _stored(cache, key)
            else:
                failed[key] = problem
    return failed


def read_case(case: Case) -> tuple[Volume, Volume | None]:
    """The image of a case and its mask on the image's grid (None when it has none).

    Raises: ImageError, MaskError as `read_volume` and `read_mask`.
    """
    image = read_volume(case.image, series_uid=case.series_uid)
    return image, None if case.mask is None else read_mask(case.mask, like=image)


@dataclass(frozen=True)
class _Task:
    """Cases of one image that are not in the cache: case_id, mask, centre_mm and key of each.

    No `Case` travels to the workers: unpickling one would load pandas there.
    """

    image: Path
    series_uid: str | None
    members: tuple[tuple[str, Path | None, tuple[float, float, float] | None, str], ...]
    config: Preparation
    cache: Path


def _task(members: dict[str, Case], config: Preparation, cache: Path) -> _Task:
    first = next(iter(members.values()))
    light = tuple((case.case_id, case.mask, case.centre_mm, key) for key, case in members.items())
    return _Task(first.image, first.series_uid, light, config, cache)


def _run(task: _Task) -> list[Problem | None]:
    """Prepares and stores the cases of one image; runs in a worker process, so only problems travel back."""
    try:
        image = read_volume(task.image, series_uid=task.series_uid)
    except Exception as error:  # whatever a damaged file makes a reader raise, the other cases go on
        return [_problem(case_id, error) for case_id, *_ in task.members]
    digest = sha256_of(image.array)
    results: list[Problem | None] = []
    for case_id, mask_path, centre_mm, key in task.members:
        try:
            mask = None if mask_path is None else read_mask(mask_path, like=image)
            prepared = prepare_case(image, mask, task.config, centre_mm=centre_mm, pixel_digest=digest)
        except Exception as error:  # as above
            results.append(_problem(case_id, error))
            continue
        store(task.cache, key, prepared)  # outside the try: a full disk ends the run, it is no fault of the case
        results.append(None)
    return results


def _stored(cache: Path, key: str) -> PreparedCase:
    prepared = load(cache, key)
    if prepared is None:
        raise RunError(f"an entry of the cache folder '{cache.name}' vanished or was altered in use; run it again.")
    return prepared


def _problem(case_id: str, error: Exception) -> Problem:
    if isinstance(error, HounsfieldError):
        return Problem(f"case {case_id}", str(error))
    what = error.strerror if isinstance(error, OSError) and error.strerror else f"{type(error).__name__}"
    return Problem(f"case {case_id}", f"its files can't be read ({what}).", "Run `hounsfield check` on the table.")


def _keys(cases: Sequence[Case], config: Preparation, workers: int) -> tuple[list[str | None], dict[str, Problem]]:
    """The cache key of each case, each file hashed once; None, and a problem, where a file can't be read."""
    paths = list(dict.fromkeys(path for case in cases for path in (case.image, case.mask) if path is not None))
    # Hashing frees the interpreter's lock, so threads do, and save the start of processes when all is in the cache.
    digests = dict(zip(paths, each(_digest_or_none, paths, workers=workers, engine="threads"), strict=True))
    keys: list[str | None] = []
    problems = {}
    for case in cases:
        missing = [path.name for path in (case.image, case.mask) if path is not None and digests[path] is None]
        if missing:
            problems[case.case_id] = Problem(
                f"case {case.case_id}",
                f"{', '.join(missing)}: no such file, or not readable.",
                "Correct the path in the table.",
            )
            keys.append(None)
            continue
        mask = None if case.mask is None else digests[case.mask]
        centre = case.centre_mm if case.mask is None else None
        keys.append(entry_key(str(digests[case.image]), mask, config, centre_mm=centre, series_uid=case.series_uid))
    return keys, problems


def _digest_or_none(path: Path) -> str | None:
    try:
        return content_digest(path)
    except OSError:
        return None


def _assemble(kept: list[tuple[Case, PreparedCase]], config: Preparation, aside: tuple[Problem, ...]) -> PreparedSet:
    import pandas as pd  # half a second that worker processes need not spend

    images = np.empty((len(kept), *config.size), dtype=np.float32)
    masks = np.zeros((len(kept), *config.size), dtype=np.uint8)
    prepared, rows = [], []
    for number, (case, one) in enumerate(kept):
        images[number] = one.image
        if one.mask is not None:
            masks[number] = one.mask
        prepared.append(replace(one, image=images[number], mask=None if one.mask is None else masks[number]))
        state = {"mask_leaves_cube": one.mask_leaves_cube, "pixel_digest": one.pixel_digest}
        rows.append({"case_id": case.case_id, **one.features, **state})
    return PreparedSet(
        cases=tuple(case for case, _ in kept),
        prepared=tuple(prepared),
        images=images,
        masks=masks,
        has_mask=np.array([one.mask is not None for _, one in kept], dtype=bool),
        features=pd.DataFrame(rows) if rows else pd.DataFrame({"case_id": []}),
        set_aside=aside,
    )
