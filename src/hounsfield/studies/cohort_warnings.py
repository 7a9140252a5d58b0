"""What is odd about a cohort as a whole and stops nothing: cases and their inputs in, sentences for report and terminal
out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from hounsfield.core.types import FloatArray
from hounsfield.tables.cases import Case
from hounsfield.tables.cells import as_text

CONTRAST = "contrast"  # column that the catalog's label of that name fills
_OUTSIDE = 0.5  # share of a lesion outside of the lungs above which one of the masks is likely wrong
_NAMED = 5


def cohort_warnings(
    cases: Sequence[Case], table: Mapping[str, FloatArray], *, leaves_cube: Sequence[bool] = ()
) -> list[str]:
    """Sentences, most important first.

    Args:
        cases: N of them; a column `contrast` is looked at where there is one.
        table: (N,) features, of which `lesion_outside` is looked at.
        leaves_cube: (N,) whether a part of the outline lies outside of the cube that networks see; empty for none.
    """
    return [*_contrast(cases), *_outside(cases, table), *_cut(cases, leaves_cube)]


def _contrast(cases: Sequence[Case]) -> list[str]:
    counts = Counter(as_text(case.values.get(CONTRAST)) or "not said" for case in cases)
    if len(counts) < 2:
        return []
    words = ", ".join(f"{count} {value}" for value, count in counts.most_common())
    return [
        f"Contrast differs within the cohort ({words}): densities can't be compared across it, and where it goes along "
        "with the label a model learns it. Select one, or name contrast among the subgroups."
    ]


def _outside(cases: Sequence[Case], table: Mapping[str, FloatArray]) -> list[str]:
    if "lesion_outside" not in table:
        return []
    wrong = [cases[int(row)].case_id for row in np.flatnonzero(table["lesion_outside"] > _OUTSIDE)]
    if not wrong:
        return []
    return [
        f"More than half of the lesion lies outside of the lungs in {_some(wrong)}: check both masks. The union of "
        "lungs and lesion was used."
    ]


def _cut(cases: Sequence[Case], leaves_cube: Sequence[bool]) -> list[str]:
    cut = [cases[int(row)].case_id for row in np.flatnonzero(leaves_cube)]
    if not cut:
        return []
    return [
        f"The outline leaves the cube in {_some(cut)}: networks see a part of the lesion there. Choose a larger "
        "preparation.size or coarser spacing_mm if there are many."
    ]


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{len(names)} case(s) ({', '.join(names[:_NAMED])}{more})"
