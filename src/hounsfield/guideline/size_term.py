"""The size of a nodule as one more category of points: a table or sizes in, the longer table or size classes out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hounsfield.guideline.point_table import Category, Option, PointTable

_SIZES = (("below_1_cm", "below 1 cm", 0.0), ("from_1_cm", "1 to 1.4 cm", 1.0), ("from_1_5_cm", "1.5 to 2.4 cm", 1.5))
SIZE_CLASSES = (*_SIZES, ("from_2_5_cm", "2.5 cm and more", 2.5))


def with_size(table: PointTable) -> PointTable:
    """The table with a category of size classes, all at 0 points, so that a search may weigh the size itself."""
    options = tuple(Option(key=key, title=title, points=0) for key, title, _ in SIZE_CLASSES)
    size = Category(key="size_class", title="Size", options=options)
    return PointTable(
        name=f"{table.name} with size",
        source=table.source,
        categories=(*table.categories, size),
        overrides=table.overrides,
        levels=table.levels,
    )


def size_classes(size_cm: Sequence[float]) -> list[str]:
    """The key of each size's class; empty where the size is missing, which sets the reading aside."""
    starts = [start for _, _, start in SIZE_CLASSES]
    places = np.searchsorted(starts, np.asarray(size_cm, dtype=np.float64) + 1e-8, side="right") - 1
    known = np.isfinite(np.asarray(size_cm, dtype=np.float64))
    return [SIZE_CLASSES[place][0] if there else "" for place, there in zip(places, known, strict=True)]
