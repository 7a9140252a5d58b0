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


def cohort_warnings(cases: Sequence[Case], table: Mapping[str, FloatArray]) -> list[str]:
    """Sentences, most important first.

    Args:
        cases: N of them; a column `contrast` is looked at where there is one.
        table: (N,) features, of which `lesion_outside` is looked at.
    """
    return [*_contrast(cases), *_outside(cases, table)]


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
    more = f" and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
    return [
        f"More than half of the lesion lies outside of the lungs in {len(wrong)} case(s) ({', '.join(wrong[:_NAMED])}"
        f"{more}): check both masks. The union of lungs and lesion was used."
    ]
