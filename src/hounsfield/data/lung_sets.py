"""The lungs of many cases. In: cases with the path of each lung mask, settings, a cache folder; out: one array of lung
grids in the order of the cases, and the cases set aside. Nothing is prepared twice, as in `data.prepare`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.core.content import sha256_of
from hounsfield.core.engine import each
from hounsfield.core.errors import HounsfieldError, Problem
from hounsfield.core.progress import Progress, silent
from hounsfield.core.types import AnyArray, FloatArray
from hounsfield.data.cache import content_digest, load, store
from hounsfield.data.lungs import LungPreparation, prepare_lungs
from hounsfield.volume.read import read_mask, read_volume

if TYPE_CHECKING:
    from hounsfield.tables.cases import Case

VERSION = 2  # to be raised whenever a change of code changes a prepared number


@dataclass(frozen=True, eq=False)
class LungSet:
    """Prepared lungs in the order of the cases, without those set aside.

    Attributes:
        case_ids: the N cases kept.
        images: (N, z, y, x) float16 in [-1, 1]: its step, 0.7 HU at most at a window of 1400 HU, is below the noise
            of any CT, and 700 cases of 128^3 then take 3 GB.
        features: (N,) each: lungs_spacing_mm, lungs_ml and lesion_outside, see `prepare_lungs`.
        set_aside: one Problem for each case left out, naming it.
    """

    case_ids: tuple[str, ...]
    images: AnyArray
    features: Mapping[str, FloatArray]
    set_aside: tuple[Problem, ...]


def prepare_lung_set(
    cases: Sequence[Case],
    masks: Mapping[str, Path | None],
    config: LungPreparation,
    cache: Path,
    *,
    workers: int = 0,
    engine: str = "local",
    progress: Progress = silent,
) -> LungSet:
    """Prepares the lungs of many cases, in parallel, from `cache` where possible.

    Args:
        masks: path of the lung mask by case_id; None or absent sets the case aside.
        workers, engine, progress: as in `core.engine.each`.
    Raises: RunError when the cache can't be written. A case that can't be prepared raises nothing.
    """
    tasks = [
        _Task(case.case_id, case.image, case.series_uid, masks.get(case.case_id), case.mask, config, Path(cache))
        for case in cases
    ]
    done = each(_run, tasks, workers=workers, engine=engine, progress=progress, label="preparing lungs")
    images = np.empty((sum(isinstance(one, str) for one in done), *config.grid), dtype=np.float16)
    kept: list[str] = []
    features: dict[str, list[float]] = {"lungs_spacing_mm": [], "lungs_ml": [], "lesion_outside": []}
    aside = []
    for task, one in zip(tasks, done, strict=True):
        found = load(task.cache, one) if isinstance(one, str) else None
        if found is None:
            gone = Problem(f"case {task.case_id}", "its cache entry vanished while in use.", "Run it again.")
            aside.append(one if isinstance(one, Problem) else gone)
            continue
        images[len(kept)] = found.image
        kept.append(task.case_id)
        for name, values in features.items():
            values.append(found.features[name])
    columns = {name: np.asarray(values, dtype=np.float64) for name, values in features.items()}
    return LungSet(tuple(kept), images[: len(kept)], columns, tuple(aside))


@dataclass(frozen=True)
class _Task:
    case_id: str
    image: Path
    series_uid: str | None
    lungs: Path | None
    lesion: Path | None
    config: LungPreparation
    cache: Path


def _run(task: _Task) -> str | Problem:
    """The key of the case's entry, made where it was absent, or what is wrong; runs in a worker process."""
    where = f"case {task.case_id}"
    if task.lungs is None:
        return Problem(where, "has no lung mask, and the path of the whole lungs needs one.", "Add it to the table.")
    try:
        files = [task.image, task.lungs, *([task.lesion] if task.lesion else [])]
        parts = {"lungs": VERSION, "files": [content_digest(file) for file in files], "series_uid": task.series_uid}
        key = sha256_of({**parts, "config": task.config.model_dump(mode="json")})
        if load(task.cache, key) is not None:
            return key
        image = read_volume(task.image, series_uid=task.series_uid)
        lesion = None if task.lesion is None else read_mask(task.lesion, like=image)
        prepared = prepare_lungs(image, read_mask(task.lungs, like=image), lesion, task.config)
    except HounsfieldError as error:
        return Problem(where, str(error))
    except Exception as error:  # whatever a damaged file makes a reader raise, the other cases go on
        what = error.strerror if isinstance(error, OSError) and error.strerror else f"{type(error).__name__}"
        return Problem(where, f"its files can't be read ({what}).", "Run `hounsfield check` on the table.")
    store(task.cache, key, prepared)  # outside the try: a full disk ends the run, it is no fault of the case
    return key
