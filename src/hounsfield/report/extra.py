"""Results that only some reports have, in one place: cohort, subgroups, validation, detections and others.

None or empty: absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from hounsfield.report.detections import DetectionResult
    from hounsfield.report.filled import Filled
    from hounsfield.report.reading import ReadingResult


@dataclass(frozen=True)
class Extra:
    """What was computed beside the metrics."""

    cohort: pd.DataFrame | None = None
    groups: pd.DataFrame | None = None
    detections: DetectionResult | None = None
    readers: ReadingResult | None = None
    chosen: pd.DataFrame | None = None
    validation: pd.DataFrame | None = None
    checklists: tuple[Filled, ...] = ()

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """By file name; empty ones are not written, and one of an earlier report is removed."""
        nothing = pd.DataFrame()
        return {
            "cohort": nothing if self.cohort is None else self.cohort,
            "subgroups": nothing if self.groups is None else self.groups,
            "chosen_features": nothing if self.chosen is None else self.chosen,
            "validation": nothing if self.validation is None else self.validation,
            "detections": nothing if self.detections is None else self.detections.metrics,
            "detection_comparisons": nothing if self.detections is None else self.detections.comparisons,
            "readers": nothing if self.readers is None else self.readers.metrics,
            "reader_comparisons": nothing if self.readers is None else self.readers.comparisons,
        }
