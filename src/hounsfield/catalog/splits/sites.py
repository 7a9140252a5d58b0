"""Splits by site and by several labels: a frame of cases goes in, a split as of `splits.split` comes out.

`split.hold_out` and `k_fold` stratify by one column. Here several label columns and the site are balanced together: the
classes of each column, and each combination of all of them, get their share of every part as nearly as whole patients
allow. `leave_one_site_out` tests on one site after the other, `hold_out_sites` on sites that are named. `shares` reads
proportions as papers print them.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

import numpy as np
import pandas as pd

from hounsfield.catalog.splits.split import COLUMNS, TEST, TRAIN, VALIDATION, assert_patients_apart
from hounsfield.catalog.splits.strata import Strata, texts
from hounsfield.core.errors import StudyError
from hounsfield.core.seeds import generator
from hounsfield.core.types import AnyArray
from hounsfield.tables.cells import as_text
from hounsfield.tables.findings import nearest, some

SharedPatients = Literal["refuse", "home"]


def shares(text: str) -> tuple[float, float]:
    """Proportions as printed, "4:1", "70:15:15" or "56/14/30", as shares for `balanced_hold_out`.

    Two numbers are training and test, three are training, validation and test; only their proportion counts.

    Returns: share of the cases in the test part; share of the rest in the validation part.
    Raises: StudyError for anything else.
    """
    words = text.replace("/", ":").split(":")
    try:
        parts = [Fraction(word.strip()) for word in words]
    except (ValueError, ZeroDivisionError):
        parts = []
    if len(parts) not in (2, 3) or min(parts) <= 0:
        raise StudyError(
            f"proportions are two or three numbers above 0, such as 4:1 or 70:15:15 (training, validation, test); "
            f"got '{text}'."
        )
    train, validation, test = parts if len(parts) == 3 else (parts[0], Fraction(0), parts[1])
    return float(test / sum(parts)), float(validation / (train + validation))


def balanced_hold_out(
    frame: pd.DataFrame,
    *,
    labels: Sequence[str],
    seed: int,
    site: str | None = None,
    test: float = 0.30,
    validation: float = 0.20,
    repetitions: int = 1,
) -> pd.DataFrame:
    """One split into up to three parts per repetition, balanced in every label and in the site.

    Every class of every label is in every part; a site with few patients need not be.

    Args:
        frame: one row a case with `case_id`, `patient_id`, the label columns and the site; nothing missing in them.
        test: share of the cases in the test part.
        validation: share of the rest in the validation part; 0 for none.
    Returns: columns of `splits.split.COLUMNS`, sorted by repetition and case_id; `fold` is 0.
    Raises: StudyError for missing values, when a class has too few patients, and when the shares are not reached to
        within 2 % of the cases and one patient.
    """
    _require_share("test", test, zero=False)
    _require_share("validation", validation, zero=True)
    strata = Strata.of(frame, labels, site)
    least = np.array([2 if validation else 1, 1])
    strata.require(int(least.sum()), f"a split into {'3' if validation else '2'} parts")
    rounds = []
    for repetition in range(repetitions):
        rng = generator(seed, "balanced_hold_out", repetition)
        in_test = strata.deal(np.array([1 - test, test]), least, rng, np.arange(len(strata.ids))) == 1
        rng = generator(seed, "balanced_hold_out", repetition, "validation")
        rounds.append(strata.rows(strata.cut_validation(in_test, validation, rng), repetition, 0))
    wanted = {TRAIN: (1 - test) * (1 - validation), VALIDATION: (1 - test) * validation, TEST: test}
    return _checked(rounds, wanted)


def balanced_k_fold(
    frame: pd.DataFrame,
    *,
    labels: Sequence[str],
    seed: int,
    site: str | None = None,
    folds: int = 5,
    validation: float = 0.20,
    repetitions: int = 1,
) -> pd.DataFrame:
    """Cross-validation balanced in every label and in the site; see `balanced_hold_out`.

    Returns: columns of `splits.split.COLUMNS`; every case is in the test part of one fold per repetition.
    """
    if folds < 2:
        raise StudyError(f"folds is 2 or more; got {folds}. For a single split take a hold-out.")
    _require_share("validation", validation, zero=True)
    strata = Strata.of(frame, labels, site)
    least = np.full(folds, 2 if validation and folds == 2 else 1)
    strata.require(int(least.sum()), f"{folds} folds" + (" with a validation part" if validation else ""))
    rounds = []
    for repetition in range(repetitions):
        rng = generator(seed, "balanced_k_fold", repetition)
        fold_of = strata.deal(np.full(folds, 1 / folds), least, rng, np.arange(len(strata.ids)))
        for fold in range(folds):
            own = generator(seed, "balanced_k_fold", repetition, "validation", fold)
            part = strata.cut_validation(fold_of == fold, validation, own)
            rounds.append(strata.rows(part, repetition, fold))
    return _checked(rounds)


def balanced_nested(
    frame: pd.DataFrame,
    *,
    labels: Sequence[str],
    seed: int,
    site: str | None = None,
    test: float = 0.20,
    folds: int = 5,
    repetitions: int = 1,
) -> pd.DataFrame:
    """A test part that is held out of every fold, and folds of the rest: 4:1 and 5 folds.

    Fold i validates on the i-th fold of the training part and trains on the others; the test part is the same in all.

    Args:
        test: share of the cases in the test part.
    Returns: columns of `splits.split.COLUMNS`, sorted by repetition, fold and case_id.
    Raises: StudyError as `balanced_hold_out` does.
    Source: Guo and Yin, Distinguish Solitary Cryptococcosis from Malignant Pulmonary Nodules, section on the split.
    """
    if folds < 2:
        raise StudyError(f"folds is 2 or more; got {folds}. For a single split take a hold-out.")
    _require_share("test", test, zero=False)
    strata = Strata.of(frame, labels, site)
    least = np.array([folds, 1])
    strata.require(int(least.sum()), f"a test part and {folds} folds")
    rounds = []
    for repetition in range(repetitions):
        rng = generator(seed, "balanced_nested", repetition)
        in_test = strata.deal(np.array([1 - test, test]), least, rng, np.arange(len(strata.ids))) == 1
        rest = np.flatnonzero(~in_test)
        rng = generator(seed, "balanced_nested", repetition, "folds")
        fold_of = strata.deal(np.full(folds, 1 / folds), np.ones(folds, dtype=np.int64), rng, rest)
        for fold in range(folds):
            part = np.where(in_test, TEST, TRAIN).astype(object)
            part[rest[fold_of == fold]] = VALIDATION
            rounds.append(strata.rows(part, repetition, fold))
    wanted = {TRAIN: (1 - test) * (1 - 1 / folds), VALIDATION: (1 - test) / folds, TEST: test}
    return _checked(rounds, wanted)


def leave_one_site_out(
    frame: pd.DataFrame,
    *,
    labels: Sequence[str],
    site: str,
    seed: int,
    validation: float = 0.20,
    shared: SharedPatients = "refuse",
) -> pd.DataFrame:
    """One fold a site: its cases are the test part, those of all other sites train and validate.

    Args:
        site: column of the site; fold i tests on the i-th site in alphabetical order (`sites_of`).
        validation: share of the other sites' cases in the validation part; balanced in labels and sites.
        shared: what to do with a patient seen at several sites: refuse, or count all of the patient's cases to the site
            of most of them ("home"; of equals the first in the alphabet).
    Returns: columns of `splits.split.COLUMNS`.
    Raises: StudyError for one site only, patients at several sites, or a class that the other sites lack.
    """
    _require_share("validation", validation, zero=True)
    strata = Strata.of(frame, labels, site)
    names = sites_of(frame, site)
    if len(names) < 2:
        raise StudyError(f"leave one site out needs two sites or more in column '{site}'; found {some(names)}.")
    home = _homes(frame, site, strata, shared)
    rounds = []
    for fold, name in enumerate(names):
        in_test = home == name
        strata.require(2 if validation else 1, f"training without site '{name}'", who=np.flatnonzero(~in_test))
        own = generator(seed, "leave_one_site_out", name)
        rounds.append(strata.rows(strata.cut_validation(in_test, validation, own), 0, fold))
    return _checked(rounds)


def hold_out_sites(
    frame: pd.DataFrame,
    *,
    labels: Sequence[str],
    site: str,
    test_sites: Sequence[str],
    seed: int,
    validation: float = 0.20,
    shared: SharedPatients = "refuse",
) -> pd.DataFrame:
    """One split whose test part is the cases of the sites that are named; those of all others train and validate.

    Args:
        site, validation, shared: see `leave_one_site_out`.
    Returns: columns of `splits.split.COLUMNS`; `fold` is 0.
    Raises: StudyError for sites that are not there (with the nearest name) or when none is left to train on.
    Source: Du and Vardhanabhuti, 3D-RADNet, MIDL 2020: whole collections are held out.
    """
    _require_share("validation", validation, zero=True)
    strata = Strata.of(frame, labels, site)
    names = sites_of(frame, site)
    unknown = [name for name in test_sites if name not in names]
    if unknown or not test_sites:
        close = nearest(unknown[0], names) if unknown else None
        hint = f" Did you mean '{close}'?" if close else ""
        raise StudyError(
            f"no such site in column '{site}': {some(unknown) or 'none named'}.{hint} Sites: {some(names)}."
        )
    in_test = np.isin(_homes(frame, site, strata, shared).astype(str), list(test_sites))
    strata.require(2 if validation else 1, "training on the other sites", who=np.flatnonzero(~in_test))
    own = generator(seed, "hold_out_sites", *sorted(test_sites))
    return _checked([strata.rows(strata.cut_validation(in_test, validation, own), 0, 0)])


def sites_of(frame: pd.DataFrame, site: str) -> list[str]:
    """The sites in the order of the folds."""
    return sorted({str(as_text(value)) for value in frame[site]})


def _homes(frame: pd.DataFrame, site: str, strata: Strata, shared: SharedPatients) -> AnyArray:
    """(P,) site of each patient."""
    table = texts(frame, ["patient_id", site])
    counts = table.groupby(["patient_id", site]).size().reset_index(name="cases")
    several = counts.groupby("patient_id").size()
    several = several[several > 1]
    if len(several) and shared == "refuse":
        raise StudyError(
            f"{len(several)} patients have cases at several sites, so that leaving one out would leave them on two "
            "sides. Leave them out, or count each to the site of most cases (shared patients: home)."
        )
    best = counts.sort_values(["patient_id", "cases", site], ascending=[True, False, True])
    home = best.drop_duplicates("patient_id").set_index("patient_id")[site]
    return np.asarray(home.loc[strata.ids].to_numpy(dtype=object))


def _checked(rounds: list[pd.DataFrame], wanted: dict[str, float] | None = None) -> pd.DataFrame:
    if not rounds:
        raise StudyError("repetitions is 1 or more.")
    split = pd.concat(rounds, ignore_index=True)[list(COLUMNS)]
    assert_patients_apart(split)
    if wanted is not None:
        for one in rounds:
            assert_shares(one, wanted)
    return split


def assert_shares(split: pd.DataFrame, wanted: dict[str, float]) -> None:
    """Check that one round's parts have their share of the cases, to 2 % of the cases and one patient.

    Raises: StudyError with the shares that came out.
    """
    largest = int(split.groupby("patient_id").size().max())
    found = split["part"].value_counts()
    off = [
        f"{part} {found.get(part, 0) / len(split):.1%} (wanted {share:.1%})"
        for part, share in wanted.items()
        if abs(int(found.get(part, 0)) - share * len(split)) > 0.02 * len(split) + largest
    ]
    if off:
        raise StudyError(
            f"whole patients and the classes that every part needs don't allow these shares: {', '.join(off)}. "
            "Merge rare classes, or take other shares."
        )


def _require_share(name: str, value: float, *, zero: bool) -> None:
    if not (0 < value < 1 or (zero and value == 0)):
        raise StudyError(f"{name} is a share between 0 and 1{' (or 0 for none)' if zero else ''}; got {value}.")
