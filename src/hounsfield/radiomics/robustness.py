"""Which features survive another outline and another scan. In: cases and changes; out: each feature's intraclass
correlation over the changed lesions, and the names of the stable ones.

Every lesion is measured as it is and after each change (`perturb`). A feature is as good as its agreement with itself:
ICC(1,1), lesions against changes, as in Zwanenburg et al., Sci Rep 2019;9:614. The interval treats lesions as
independent, so several of one patient make it too narrow. Choose features on the training part only.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.core.errors import Problem, RunError
from hounsfield.core.progress import Progress, silent
from hounsfield.core.types import FloatArray
from hounsfield.radiomics.perturb import USUAL, Perturbation
from hounsfield.radiomics.table import FeatureTable, Measurement, measure_cases, rows_of
from hounsfield.stats.agreement import icc
from hounsfield.stats.estimate import UndefinedMetric

if TYPE_CHECKING:
    import pandas as pd

    from hounsfield.tables.cases import Case, Cases

_FEWEST = 3  # lesions with a value under every change; an ICC of two means nothing


@dataclass(frozen=True, eq=False)
class Robustness:
    """Agreement of features with themselves.

    Attributes:
        frame: feature, icc, low, high (95 %), cases (with a value under every change), reason (why there is no icc).
        tables: what was measured under each change, by its name.
        set_aside: cases that some change left without values; they count under no change.
    """

    frame: pd.DataFrame
    tables: dict[str, FeatureTable]
    set_aside: tuple[Problem, ...]

    def stable(self, least: float = 0.75) -> tuple[str, ...]:
        """Features whose interval's lower end is at least `least`, in the table's order; one that no change moves at
        all has no interval and counts by its ICC of 1."""
        lower = self.frame["low"].fillna(self.frame["icc"])
        return tuple(self.frame.loc[lower >= least, "feature"])


def robustness(
    cases: Cases | Iterable[Case],
    measurement: Measurement | None = None,
    *,
    changes: Sequence[Perturbation] = USUAL,
    cache: Path | None = None,
    workers: int = 0,
    engine: str = "local",
    progress: Progress = silent,
) -> Robustness:
    """Measures `cases` under each of `changes` and gives each feature's ICC.

    Args:
        changes: two or more, one of them a `Perturbation` that changes nothing, if the lesion itself is to count.
        cache, workers, engine, progress: as in `table.measure_cases`.
    Raises: RunError with fewer than two changes, or two of one name.
    """
    if len(changes) < 2 or len({change.name for change in changes}) < len(changes):
        raise RunError(f"two or more changes with different names are needed; got {[one.name for one in changes]}.")
    wanted = measurement or Measurement()
    rows = rows_of(cases)
    tables, aside = {}, []
    for change in changes:
        found = measure_cases(
            rows, replace(wanted, change=change), cache=cache, workers=workers, engine=engine, progress=progress
        )
        tables[change.name] = found
        aside += [replace(problem, where=f"{problem.where}, {change.name}") for problem in found.set_aside]
    return Robustness(agreement(list(tables.values()), wanted.columns()), tables, tuple(aside))


def agreement(tables: Sequence[FeatureTable], features: Sequence[str]) -> pd.DataFrame:
    """The ICC of each feature over tables of the same cases; see `Robustness.frame`."""
    import pandas as pd

    frames = [table.frame.set_index("case_id") for table in tables]
    shared = [case for case in frames[0].index if all(case in frame.index for frame in frames)]
    rows = []
    for feature in features:
        values = np.stack([frame.loc[shared, feature].to_numpy(dtype=np.float64) for frame in frames], axis=1)
        rows.append({"feature": feature, **_icc(values[np.isfinite(values).all(axis=1)])})
    return pd.DataFrame(rows, columns=["feature", "icc", "low", "high", "cases", "reason"])


def _icc(values: FloatArray) -> dict[str, object]:
    nothing: dict[str, object] = {"icc": np.nan, "low": np.nan, "high": np.nan, "cases": len(values)}
    if len(values) < _FEWEST:
        return nothing | {"reason": f"{len(values)} case(s) have it under every change; {_FEWEST} are needed"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetric)  # said in the column `reason`
        found = icc(values, form="1,1")
    reason = "" if np.isfinite(found.value) else "it is the same in every case"
    return {"icc": found.value, "low": found.low, "high": found.high, "cases": len(values), "reason": reason}
