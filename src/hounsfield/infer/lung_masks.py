"""The lung mask of every case as a file. In: cases, a cache folder; out: the user's mask where the table names one,
else one that was found in the CT, made once for all lesions of a series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hounsfield.core.content import sha256_of
from hounsfield.core.engine import each
from hounsfield.core.errors import HounsfieldError, Problem
from hounsfield.core.progress import Progress, silent
from hounsfield.data.cache import content_digest

if TYPE_CHECKING:
    from hounsfield.tables.cases import Case

VERSION = 1  # to be raised whenever a change of code changes a mask


def lung_mask_files(
    cases: Sequence[Case],
    folder: Path,
    *,
    workers: int = 0,
    engine: str = "local",
    progress: Progress = silent,
) -> tuple[dict[str, Path], dict[str, Problem]]:
    """Path of the lung mask by case_id, and the problem of each case that has none.

    Args:
        folder: of the masks that are found; made when absent, shared by any number of runs.
        workers, engine, progress: as in `core.engine.each`.
    """
    files: dict[str, Path] = {}
    problems: dict[str, Problem] = {}
    wanted: dict[tuple[Path, str | None], list[str]] = {}
    for case in cases:
        if case.lungs is None:
            wanted.setdefault((case.image, case.series_uid), []).append(case.case_id)
        elif case.lungs.exists():
            files[case.case_id] = case.lungs
        else:
            what = "its lung mask, column lungs, is no file."
            problems[case.case_id] = Problem(f"case {case.case_id}", what, "Correct the path in the table.")
    tasks = [_Task(image, uid, folder) for image, uid in wanted]
    made = each(_made, tasks, workers=workers, engine=engine, progress=progress, label="finding lungs")
    for ids, found in zip(wanted.values(), made, strict=True):
        for case_id in ids:
            if isinstance(found, Path):
                files[case_id] = found
            else:
                remedy = "Give a mask made elsewhere in column lungs."
                problems[case_id] = Problem(f"case {case_id}", found, remedy)
    return files, problems


@dataclass(frozen=True)
class _Task:
    image: Path
    series_uid: str | None
    folder: Path


def _made(task: _Task) -> Path | str:
    """The file of a mask, made where it was absent, or what is wrong; runs in a worker process."""
    from hounsfield.volume.lungs import LungConfig, lung_masks
    from hounsfield.volume.read import read_volume
    from hounsfield.volume.write import write_volume

    try:
        settings = LungConfig().model_dump(mode="json")
        key = sha256_of([VERSION, content_digest(task.image), task.series_uid, settings])
        path = task.folder / f"{key}.nii.gz"
        if not path.is_file():
            volume = read_volume(task.image, series_uid=task.series_uid)
            write_volume(volume.with_array(lung_masks(volume).labels), path)
        return path
    except HounsfieldError as error:
        return str(error)
    except OSError as error:
        return f"its files can't be read ({error.strerror or type(error).__name__})."
