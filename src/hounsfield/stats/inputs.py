"""Checks of the arrays that metrics receive: anything array-like in, checked NumPy arrays out.

Every function of this room passes its input through here, so that the same mistake gives the same message.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from hounsfield.core.errors import HounsfieldError
from hounsfield.core.types import AnyArray, BoolArray, FloatArray, IntArray


def binary_labels(label: npt.ArrayLike, *, name: str = "label") -> BoolArray:
    """(N,) labels 0/1 or False/True as booleans; True is the positive class.

    Raises: HounsfieldError when they are not one-dimensional or hold anything but 0 and 1.
    """
    given = np.asarray(label)
    if given.ndim != 1:
        raise HounsfieldError(f"{name} has one axis, the cases; got shape {given.shape}. Pass one value a case.")
    if given.dtype == bool:
        return given
    if given.dtype == object:  # pandas' own missing value can't even be compared
        given = np.array([np.nan if _is_missing(value) else value for value in given], dtype=object)
    is_one = np.asarray(given == 1, dtype=bool)
    is_zero = np.asarray(given == 0, dtype=bool)
    wrong = ~(is_one | is_zero)
    if wrong.any():
        raise HounsfieldError(
            f"{name} holds 0 (negative) and 1 (positive) only; got {given[wrong][0]!r} at position "
            f"{int(np.argmax(wrong))}. Compare with the positive class first, as in label == 'malignant'."
        )
    return is_one


def scores(prob: npt.ArrayLike, *, cases: int, name: str = "prob") -> FloatArray:
    """(N,) finite scores as float64; need not be probabilities.

    Raises: HounsfieldError on another length than `cases`, or on NaN or infinity.
    """
    given = np.asarray(prob, dtype=np.float64)
    if given.shape != (cases,):
        raise HounsfieldError(
            f"{name} has one value for each of the {cases} labels; got shape {given.shape}. "
            "Pass the probability of the positive class alone, in the order of the labels."
        )
    wrong = ~np.isfinite(given)
    if wrong.any():
        raise HounsfieldError(
            f"{name} is finite; got {given[wrong][0]} at position {int(np.argmax(wrong))} ({int(wrong.sum())} in all). "
            "Set such cases aside, and count them, before evaluating."
        )
    return given


def probabilities(prob: npt.ArrayLike, *, cases: int, name: str = "prob") -> FloatArray:
    """(N,) probabilities in [0, 1]. Raises: HounsfieldError as `scores`, and outside [0, 1]."""
    given = scores(prob, cases=cases, name=name)
    if given.size and (given.min() < 0 or given.max() > 1):
        raise HounsfieldError(
            f"{name} is a probability in [0, 1]; got {given.min():g} to {given.max():g}. Apply the sigmoid to logits."
        )
    return given


def class_codes(
    label: npt.ArrayLike, predicted: npt.ArrayLike, *, classes: Sequence[Any] | None = None
) -> tuple[IntArray, IntArray, tuple[Any, ...]]:
    """Positions of two (N,) lists of class names in the list of classes, and that list.

    Args:
        classes: the order to use; the names that occur, sorted, when absent.

    Raises: HounsfieldError on unequal lengths, a doubled class, or a name that `classes` lacks.
    """
    reference, given = np.asarray(label), np.asarray(predicted)
    if reference.ndim != 1 or reference.shape != given.shape:
        raise HounsfieldError(
            f"label and predicted have one class a case each; got shapes {reference.shape} and {given.shape}. "
            "Take the most probable class before counting."
        )
    both = [*reference.tolist(), *given.tolist()]
    missing = sum(map(_is_missing, both))
    if missing:
        raise HounsfieldError(f"every case has a class; {missing} are missing. Set such cases aside, and count them.")
    padded = sorted({repr(value) for value in both if isinstance(value, str) and value != value.strip()})
    if padded:
        raise HounsfieldError(
            f"classes have no blanks at their ends; got {', '.join(padded[:3])}. Strip them, or one class becomes two."
        )
    # By type first, so that a column of 0, 1 and "unknown" can be sorted at all.
    names = tuple(sorted(set(both), key=_sort_key)) if classes is None else tuple(classes)
    position = {name: k for k, name in enumerate(names)}
    if len(position) != len(names):
        raise HounsfieldError(f"classes holds every class once; got {list(names)}. Remove the doubled one.")
    unknown = sorted({repr(value) for value in both if value not in position})
    if unknown:
        raise HounsfieldError(f"classes are {list(names)}; got also {', '.join(unknown)}. Add it or merge it first.")
    codes = np.array([position[value] for value in both], dtype=np.int64)
    return codes[: len(reference)], codes[len(reference) :], names


def class_probabilities(
    label: npt.ArrayLike, prob: npt.ArrayLike, classes: Sequence[Any]
) -> tuple[IntArray, FloatArray]:
    """(N,) positions of the labels in the list of C classes, and the (N, C) probabilities in its order.

    Raises: HounsfieldError as `class_codes` and `probabilities`, and on another shape.
    """
    codes, _, names = class_codes(label, label, classes=classes)
    table = np.asarray(prob, dtype=np.float64)
    if table.shape != (len(codes), len(names)):
        raise HounsfieldError(
            f"prob is cases by classes, {(len(codes), len(names))}; got shape {table.shape}. Order it as `classes`."
        )
    probabilities(table.ravel(), cases=table.size)
    return codes, table


def patient_codes(patient_id: npt.ArrayLike | None, *, cases: int) -> tuple[IntArray, int]:
    """(N,) number of each case's patient, 0 to P - 1 in the order of the sorted identifiers, and P.

    Args:
        patient_id: (N,) identifiers; None says that every case is another patient.

    Raises: HounsfieldError on another length than `cases` or a missing identifier.
    """
    if patient_id is None:
        return np.arange(cases), cases
    numbers = np.asarray(patient_id)
    if numbers.shape == (cases,) and _are_codes(numbers):
        return numbers.astype(np.int64), int(numbers.max()) + 1
    if numbers.shape == (cases,) and np.issubdtype(numbers.dtype, np.integer):
        found, codes = np.unique(numbers, return_inverse=True)
        return codes.reshape(-1).astype(np.int64), len(found)
    given: AnyArray = np.asarray(patient_id, dtype=object)
    if given.shape != (cases,):
        raise HounsfieldError(
            f"patient_id has one value for each of {cases} cases; got shape {given.shape}. Align them."
        )
    missing = [k for k, value in enumerate(given) if _is_missing(value) or str(value) == ""]
    if missing:
        raise HounsfieldError(
            f"every case has a patient_id; it is missing at position {missing[0]} ({len(missing)} in all). "
            "Give cases of unknown origin one identifier each."
        )
    names, codes = np.unique(np.array([str(value) for value in given], dtype=str), return_inverse=True)
    return codes.reshape(-1).astype(np.int64), len(names)


def _are_codes(numbers: AnyArray) -> bool:
    """Whether these are whole numbers from 0 without a gap, as when one function hands its codes to the next."""
    if not len(numbers) or not np.issubdtype(numbers.dtype, np.integer):
        return False
    return bool(numbers.min() == 0 and numbers.max() < len(numbers) and np.bincount(numbers).all())


def checked_level(level: float) -> float:
    """The coverage of an interval. Raises: HounsfieldError outside (0, 1)."""
    if not 0 < level < 1:
        raise HounsfieldError(f"level is the coverage, between 0 and 1; got {level}. Use 0.95 for 95 %.")
    return level


def _is_missing(value: object) -> bool:
    """Whether a table's cell is empty: None, NaN, or pandas' NA and NaT."""
    return value is None or str(value) in ("<NA>", "NaT") or (isinstance(value, float) and value != value)


def _sort_key(value: object) -> tuple[bool, Any]:
    return isinstance(value, str), value
