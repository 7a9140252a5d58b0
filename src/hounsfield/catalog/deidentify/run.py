"""A folder or zip of DICOM without its patients. In: a source, a key, options; out: a folder of objects and a report.

First every header is read (which patient, which new name, what identifies), then each object is written once, whole or
not at all. The new name of an object follows from its UID and the key, so the same command after a stop goes on where
it was, and nothing in the folder (names, report) tells who a patient is. Logs and messages name no source file either.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pydicom
from pydicom.errors import InvalidDicomError
from pydicom.uid import MediaStorageDirectoryStorage

from hounsfield import __version__
from hounsfield.catalog.deidentify.burned_in import suspicions, text_in_pixels
from hounsfield.catalog.deidentify.deidentify import METHOD, NotDeidentified, deidentify, notes_of, patient_of
from hounsfield.catalog.deidentify.objects import read_header, write_object
from hounsfield.catalog.deidentify.profile import EDITION, Options, profile_of
from hounsfield.catalog.deidentify.secret import Secret
from hounsfield.catalog.deidentify.sources import Place, digest_of, opened, places
from hounsfield.catalog.deidentify.text import NOTHING, Known, known_of
from hounsfield.core.atomic import atomic_file, write_json
from hounsfield.core.engine import each
from hounsfield.core.errors import RunError
from hounsfield.core.progress import Progress, silent
from hounsfield.volume.dicom_files import quiet_pydicom

REPORT = "deidentification.json"
BurnedIn = Literal["warn", "leave-out"]


@dataclass(frozen=True)
class Found:
    """One file after the first reading: where its new self belongs, or why it has none.

    Attributes:
        target: path below the folder of the results; empty when it is set aside or passed over.
        patient: pseudonym.
        state: object, other (no DICOM) or aside.
    """

    place: Place
    state: str
    reason: str = ""
    target: str = ""
    patient: str = ""
    known: Known = NOTHING
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Written:
    """One object after the second reading."""

    place: Place
    target: str
    state: str  # written, there or aside
    reason: str = ""
    changes: tuple[tuple[str, int], ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    """What became of a source.

    Attributes:
        report: as in the file `deidentification.json`; the same however often the run was stopped.
        written: objects written this time; the others were there.
        aside: files that were not taken over, with the reason. The paths may name patients: not for the report.
    """

    report: dict[str, Any]
    written: int
    aside: tuple[tuple[Place, str], ...] = field(default=(), repr=False)


def deidentify_folder(
    source: Path,
    out: Path,
    secret: Secret,
    options: Options | None = None,
    *,
    burned_in: BurnedIn = "warn",
    workers: int = 0,
    engine: str = "local",
    progress: Progress = silent,
) -> Result:
    """Writes OUT/PATIENT/SERIES/OBJECT.dcm for every DICOM object in `source`, and OUT/deidentification.json.

    Args:
        burned_in: whether objects that say, or seem, to have text in their pixels are written with a warning, or left
            out.
    Raises: RunError when `out` belongs to another key or other options, or lies in the source.
    """
    options = options or Options()
    settings = {"options": options.model_dump(), "burned_in": burned_in, "key": secret.fingerprint, "method": METHOD}
    _check_out(source, out, settings)
    run = partial(each, workers=workers, engine=engine, progress=progress)
    found = run(partial(_look, secret=secret, options=options), places(source), label="headers")
    found, repeated = _unique(found)
    known = _known(found)
    write_json(out / REPORT, {**settings, "complete": False})
    for rest in out.rglob(".*.part.dcm"):
        rest.unlink()  # a run that was killed could not clear up after itself
    tasks = [(one, known.get(one.patient, NOTHING)) for one in found if one.state == "object"]
    write = partial(_write, out=out, secret=secret, options=options, burned_in=burned_in)
    written = run(write, tasks, label="objects")
    report = {**settings, "complete": True, **_summary(found, written, repeated)}
    write_json(out / REPORT, report)
    aside = [(one.place, one.reason) for part in (found, written) for one in part if one.state == "aside"]
    return Result(report, sum(one.state == "written" for one in written), tuple(aside))


def _check_out(source: Path, out: Path, settings: dict[str, Any]) -> None:
    if out.resolve().is_relative_to(source.resolve()):
        raise RunError(
            "the folder of the results lies in the source, and would be read as part of it. Give another one."
        )
    if (out / REPORT).exists():
        before = json.loads((out / REPORT).read_text(encoding="utf-8"))
        differ = [name for name in settings if before.get(name) != settings[name]]
        if differ:
            raise RunError(
                f"{out.name} was written with another {' and '.join(differ)}: mixed, its UIDs and dates would not fit "
                "together. Give a new folder, or the same settings."
            )
    elif out.exists() and any(out.iterdir()):
        raise RunError(f"{out.name} holds other files. Give a new or empty folder.")


def _look(place: Place, *, secret: Secret, options: Options) -> Found:
    try:
        with opened(place) as stream, quiet_pydicom():
            dataset = read_header(stream)
            if dataset.file_meta.get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage:
                return Found(place, "other")
            target = _target(dataset, secret, options)
            known = known_of(dataset, profile_of(options))
            warnings = (*suspicions(dataset), *notes_of(dataset))
            return Found(place, "object", "", target, secret.patient(patient_of(dataset)), known, warnings)
    except InvalidDicomError:
        return Found(place, "other")
    except NotDeidentified as error:
        return Found(place, "aside", str(error))
    except OSError as error:
        return Found(place, "aside", f"it can't be opened ({type(error).__name__}).")
    except Exception as error:  # pydicom raises many types on damaged files; its message may quote a value
        return Found(place, "aside", f"it is damaged ({type(error).__name__}).")


def _target(dataset: pydicom.Dataset, secret: Secret, options: Options) -> str:
    for keyword in ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID"):
        if not dataset.get(keyword):
            raise NotDeidentified(f"it has no {keyword}.")
    series, instance = str(dataset.SeriesInstanceUID), str(dataset.SOPInstanceUID)
    # Kept UIDs come from outside: only numbers with single dots between them may become a name.
    if not options.uids or not all(re.fullmatch(r"(?=.{1,64}\Z)\d+(?:\.\d+)*", uid) for uid in (series, instance)):
        series, instance = secret.uid(series), secret.uid(instance)
    return f"{secret.patient(patient_of(dataset))}/{series}/{instance}.dcm"


def _unique(found: Iterable[Found]) -> tuple[list[Found], int]:
    """Each object once: of the same file twice the first in order, and how many were repeated; another file under a UID
    that is taken is set aside."""
    first: dict[str, Found] = {}
    kept, repeated = [], 0
    for one in found:
        earlier = first.setdefault(one.target, one) if one.target else one
        if earlier is one:
            kept.append(one)
        elif digest_of(earlier.place) == digest_of(one.place):
            repeated += 1
        else:
            kept.append(Found(one.place, "aside", "its UID belongs to another object of the source, too."))
    return kept, repeated


def _known(found: Iterable[Found]) -> dict[str, Known]:
    """What all objects of a patient say of him or her."""
    known: dict[str, Known] = {}
    for one in found:
        if one.target:
            known[one.patient] = known.get(one.patient, NOTHING) | one.known
    return known


def _write(task: tuple[Found, Known], *, out: Path, secret: Secret, options: Options, burned_in: BurnedIn) -> Written:
    found, known = task
    path = out / found.target
    state = "there" if path.exists() else "written"
    try:
        with opened(found.place) as stream, quiet_pydicom():
            # Also of what is there already: the report of a run that was stopped is that of one that was not.
            done = deidentify(read_header(stream), secret, options, known=known)
            if state == "there":
                warnings = _looked_through(found, done.dataset, path, burned_in)
            else:
                with atomic_file(path) as temporary:
                    write_object(done.dataset, stream, temporary)
                    warnings = _looked_through(found, done.dataset, temporary, burned_in)
    except NotDeidentified as error:
        return Written(found.place, "", "aside", str(error))
    except OSError:
        raise  # a full disk is no fault of the file
    except Exception as error:
        return Written(found.place, "", "aside", f"it is damaged ({type(error).__name__}).")
    changes = Counter[str]()
    for (name, word), count in done.changes.items():
        changes[f"{name.split('.')[-1]} {word}"] += count
    return Written(found.place, found.target, state, "", tuple(changes.items()), warnings)


def _looked_through(found: Found, dataset: pydicom.Dataset, path: Path, burned_in: BurnedIn) -> tuple[str, ...]:
    """The warnings of an object, whose pixels lie in the new file at `path`.

    Raises: NotDeidentified when it is to be left out.
    """
    warnings = found.warnings
    if text_in_pixels(dataset, path):
        warnings = (*warnings, "text is seen in the pixels")
    if burned_in == "leave-out" and any(_certain(text) for text in warnings):
        raise NotDeidentified("text may be burned into its pixels.")
    return warnings


def _certain(warning: str) -> bool:
    return warning.startswith(("the header says", "text is seen"))


def _summary(found: Sequence[Found], written: Sequence[Written], repeated: int) -> dict[str, Any]:
    aside = Counter(one.reason for part in (found, written) for one in part if one.state == "aside")
    changes: Counter[str] = Counter()
    series: dict[str, Counter[str]] = {}
    for one in written:
        changes.update(dict(one.changes))
        if one.target:
            series.setdefault(one.target.rpartition("/")[0], Counter()).update(one.warnings)
    targets = [one.target for one in written if one.target]
    return {
        "package": __version__,
        "edition": EDITION,
        "patients": len({target.split("/")[0] for target in targets}),
        "series": len(series),
        "objects": len(targets),
        "repeated": repeated,
        "no_dicom": sum(one.state == "other" for one in found),
        "set_aside": dict(sorted(aside.items())),
        "look_at": {name: dict(sorted(seen.items())) for name, seen in sorted(series.items()) if seen},
        "changes": dict(sorted(changes.items())),
    }
