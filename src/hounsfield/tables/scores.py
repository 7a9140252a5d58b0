"""Scores of any model in any table: files and the names of their columns in, a predictions table out.

For models made elsewhere: one column holds the label, one or more the scores, one the patient. Several score columns,
or several files, are several arms. A score that is no probability is replaced by its rank, which leaves the ROC curve
as it is; figures that need a probability are then left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv as arrow_csv
from scipy import stats

from hounsfield.core.errors import Problem, ProblemsError, TableError
from hounsfield.tables.cells import MISSING, texts_of
from hounsfield.tables.findings import finding, some
from hounsfield.tables.frames import absent_columns, read_frame
from hounsfield.tables.predictions import with_classes

_LARGE = 50_000_000  # bytes from which on the fast reader takes over, which wants a plain CSV
TRAIN = "train"  # rows that a model learnt from are never evaluated
EACH_CASE = "none"  # says that every row is another patient


@dataclass(frozen=True)
class Columns:
    """Which column is what.

    Attributes:
        label: reference class.
        scores: one arm each; higher for the positive class.
        patient: whose case it is; `EACH_CASE` when every row is another patient.
        case: identifier of the row; the row's number when empty.
        positive: the label's value for the positive class; the larger of 0 and 1 when empty.
        split: column with "validation" and "test"; all rows are test rows when empty.
        site: column of the site, or empty.
    """

    label: str
    scores: tuple[str, ...]
    patient: str
    case: str = ""
    positive: str = ""
    split: str = ""
    site: str = ""


@dataclass(frozen=True)
class Scored:
    """A predictions table made from scores.

    Attributes:
        predictions: schema of `tables.predictions`, target "label".
        classes: negative and positive class.
        ranked: arms whose scores are no probabilities; their `prob_` columns hold ranks.
        covariates: other columns of the first file by case, for subgroups.
        notes: what was set aside, in words.
    """

    predictions: pd.DataFrame
    classes: tuple[str, str]
    ranked: frozenset[str]
    covariates: pd.DataFrame
    notes: tuple[str, ...]


def read_scores(paths: Sequence[Path], columns: Columns) -> Scored:
    """Reads one or more tables of scores.

    Args:
        paths: CSV or Parquet; with several, the arm is named after the file, and after the column too if there are
            several columns.

    Returns: rows without a label or a score are set aside and counted; labels lose stray spaces.
    Raises: TableError for an unreadable file; ProblemsError listing absent columns, labels that can't be two classes,
        patients without an identifier, cases that stand twice or carry different labels in different files.
    """
    problems: list[Problem] = []
    frames: list[tuple[Path, pd.DataFrame]] = []
    for path in paths:
        frame = _read(path)
        absent = absent_columns(frame, _needed(columns), path)
        problems += absent
        if not absent:
            frames.append((path, frame))
    if problems:
        raise ProblemsError("the scores can't be evaluated:", problems)
    labels = [_label(frame[columns.label], path, columns.positive, problems) for path, frame in frames]
    if problems:
        raise ProblemsError("the scores can't be evaluated:", problems)
    classes = labels[0][1]
    notes: list[str] = []
    ranked: set[str] = set()
    tables = []
    for (path, frame), (label, own) in zip(frames, labels, strict=True):
        if own != classes:
            problems.append(finding(f"{path.name} has classes {own}, others {classes}.", "Use the same words."))
            continue
        who = _identifiers(frame, columns)
        for name in columns.scores:
            arm = _arm(path, name, len(paths), len(columns.scores))
            tables.append(_rows(frame, label, who, name, arm, columns, classes, (problems, notes, ranked)))
    if problems:
        raise ProblemsError("the scores can't be evaluated:", problems)
    predictions = pd.concat(tables, ignore_index=True)
    first = frames[0][1]
    used = set(_needed(columns))
    covariates = first[[name for name in first if name not in used]].copy()
    covariates.insert(0, "case_id", _cases(first, columns))
    return Scored(with_classes(predictions, {"label": classes}), classes, frozenset(ranked), covariates, tuple(notes))


def _needed(columns: Columns) -> list[str]:
    given = (columns.label, *columns.scores, columns.case, columns.split, columns.site)
    patient = () if columns.patient == EACH_CASE else (columns.patient,)
    return [name for name in (*given, *patient) if name]


def _read(path: Path) -> pd.DataFrame:
    if path.suffix.lower() != ".parquet" and path.exists() and path.stat().st_size >= _LARGE:
        return _read_large(path)
    return read_frame(path)


def _read_large(path: Path) -> pd.DataFrame:
    with path.open("rb") as stream:
        first = stream.readline(65536).decode("utf-8-sig", errors="replace")
    delimiter = max((",", ";", "\t", "|"), key=first.count)
    try:
        table = arrow_csv.read_csv(
            path,
            parse_options=arrow_csv.ParseOptions(delimiter=delimiter),
            convert_options=arrow_csv.ConvertOptions(
                null_values=sorted(MISSING), strings_can_be_null=True, decimal_point="," if delimiter == ";" else "."
            ),
        )
    except pa.ArrowInvalid as error:
        reason = str(error).splitlines()[0]
        raise TableError(f"{path.name} is no regular CSV ({reason}). Save it as Parquet, or split it.") from error
    frame: pd.DataFrame = table.to_pandas()
    frame.columns = [str(name).strip().lstrip("\ufeff") for name in frame.columns]
    return frame


def _label(
    values: pd.Series[Any], path: Path, positive: str, problems: list[Problem]
) -> tuple[pd.Series[Any], tuple[str, str]]:
    """Text of each label, None when missing, and the two classes with the positive one last."""
    text = texts_of(values)
    found = sorted(set(text.dropna()))
    if len(found) > 2:
        close = {name.lower() for name in found}
        hint = "Some differ in upper and lower case only." if len(close) < len(found) else "Recode it to two."
        problems.append(finding(f"{path.name}: the label has {len(found)} values: {some(found)}.", hint))
        return text, ("", "")
    if len(found) < 2:
        what = f"{path.name}: the label has one class only ({some(found) or 'none'})."
        problems.append(finding(what, "AUC and all else compare two classes; add cases of the other."))
        return text, ("", "")
    if positive and positive not in found:
        problems.append(finding(f"{path.name}: no label is '{positive}'.", f"There are {' and '.join(found)}."))
    elif not positive and found not in (["0", "1"], ["false", "true"]):
        problems.append(
            finding(f"{path.name}: which of {found[0]} and {found[1]} is positive?", "Say so with --positive.")
        )
    else:
        last = positive or found[1]
        return text, (next(name for name in found if name != last), last)
    return text, ("", "")


def _identifiers(frame: pd.DataFrame, columns: Columns) -> tuple[pd.Series[Any], pd.Series[Any]]:
    """Case and patient of every row."""
    cases = pd.Series(_cases(frame, columns), dtype=object)
    return cases, cases if columns.patient == EACH_CASE else texts_of(frame[columns.patient]).reset_index(drop=True)


def _cases(frame: pd.DataFrame, columns: Columns) -> list[Any]:
    if not columns.case:
        return [f"row {number + 2}" for number in range(len(frame))]
    return texts_of(frame[columns.case]).tolist()


def _rows(
    frame: pd.DataFrame,
    label: pd.Series[Any],
    who: tuple[pd.Series[Any], pd.Series[Any]],
    score: str,
    arm: str,
    columns: Columns,
    classes: tuple[str, str],
    said: tuple[list[Problem], list[str], set[str]],
) -> pd.DataFrame:
    """The rows of one arm in the schema of predictions."""
    problems, notes, ranked = said
    values = pd.to_numeric(frame[score], errors="coerce").to_numpy(dtype=np.float64)
    words = frame[score].notna().to_numpy() & np.isnan(values)
    if words.any():
        row = int(np.argmax(words))
        what = f"column '{score}' holds '{frame[score].iloc[row]}', which is no number ({int(words.sum())} rows)."
        problems.append(finding(what, "Remove it or leave the cell empty.", row=row + 2))
    kept = np.isfinite(values) & label.notna().to_numpy()
    if not kept.all() and not words.any():
        notes.append(f"{arm}: {int((~kept).sum())} of {len(kept)} rows have no label or no finite score; set aside.")
    cases, patients = who
    unknown = patients.isna().to_numpy() & kept
    if unknown.any():
        what = f"{int(unknown.sum())} rows have no patient in column '{columns.patient}'."
        problems.append(finding(what, "Fill it; give cases of unknown origin one identifier each."))
    doubled = cases[kept].duplicated()
    if columns.case and doubled.any():
        what = f"{int(doubled.sum())} cases stand more than once, such as {some(cases[kept][doubled], limit=3)}."
        problems.append(finding(what, "Give every row its own identifier, or leave --case out."))
    prob = values[kept]
    if len(prob) and (prob.min() < 0 or prob.max() > 1):
        ranked.add(arm)
        prob = (stats.rankdata(prob) - 0.5) / len(prob)
    split = _split(frame, columns, kept, problems)
    site = texts_of(frame[columns.site]).to_numpy()[kept] if columns.site else None
    rows = pd.DataFrame(
        {
            "case_id": cases.to_numpy()[kept],
            "patient_id": patients.to_numpy()[kept],
            "site": site,
            "arm": arm,
            "split": split,
            "repetition": 0,
            "fold": 0,
            "seed": 0,
            "target": "label",
            "label": label.to_numpy()[kept],
            f"prob_{classes[0]}": 1 - prob,
            f"prob_{classes[1]}": prob,
        }
    )
    trained = rows["split"] == TRAIN
    both = set(rows["patient_id"][trained]) & set(rows["patient_id"][~trained]) if trained.any() else ()
    if both:
        what = f"{len(both)} patients stand in the training part and in another part."
        problems.append(finding(what, "Split by patient and predict again.", column=columns.split))
    return rows[~trained]


def _split(
    frame: pd.DataFrame, columns: Columns, kept: np.ndarray[Any, np.dtype[np.bool_]], problems: list[Problem]
) -> Any:
    if not columns.split:
        return "test"
    values = texts_of(frame[columns.split]).to_numpy()[kept]
    unknown = sorted({str(value) for value in values} - {"validation", "test", TRAIN})
    if unknown:
        problems.append(finding(f"column '{columns.split}' holds {some(unknown)}.", "Use validation, test and train."))
    elif "test" not in values:
        problems.append(finding(f"column '{columns.split}' has no test row.", "Mark the rows to be evaluated."))
    return values


def _arm(path: Path, score: str, files: int, scores: int) -> str:
    if files == 1:
        return score
    return path.stem if scores == 1 else f"{path.stem} {score}"
