"""The reader study's numbers as tables for other programs: a `ReaderComparison` in, one row a number out."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from hounsfield.stats.estimate import Estimate
from hounsfield.studies.readers import ReaderComparison
from hounsfield.studies.readers_figures import names
from hounsfield.studies.readers_panel import MEAN, Plan
from hounsfield.studies.readers_performance import METRICS


def performance_table(found: ReaderComparison) -> pd.DataFrame:
    """Every metric of everybody: `reader, metric, value, low, high, n, unit, method, right, of`."""
    rows = []
    for name in names(found):
        counts = found.counts(name) if name != MEAN else {}
        for metric in METRICS:
            right, of_all = counts.get(metric, (None, None))
            one = found.estimates[name, metric]
            rows.append({"reader": name, "metric": metric, **_ends(one), "right": right, "of": of_all})
    return pd.DataFrame(rows)


def details_table(found: ReaderComparison, plan: Plan) -> pd.DataFrame:
    """All the rest: `section, what, value, low, high, n, unit, method, note, p`."""
    rows: list[dict[str, Any]] = []

    def add(section: str, what: str, one: Estimate, p: float = math.nan) -> None:
        rows.append({"section": section, "what": what, **_ends(one), "note": one.note, "p": p})

    if found.at_large is not None:
        (gap,) = found.at_large.differences
        add("readers at large", f"AUC, {MEAN}", found.at_large.modality[1])
        add("readers at large", f"AUC, {plan.model} minus {MEAN}", gap.difference, gap.p)
    for subset in found.subsets:
        for name, one in subset.estimates.items():
            add(f"{subset.name} nodules", f"AUC, {name}", one)
        for row in subset.comparisons:
            one = Estimate(row["difference"], row["low"], row["high"], row["n"], row["unit"], row["method"])
            add(f"{subset.name} nodules", f"AUC, {row['first']} minus {row['second']}", one, row["p"])
        alone = Estimate(subset.left_out, math.nan, math.nan, len(found.label), "nodules", "subset made by the others")
        add(f"{subset.name} nodules", f"AUC, {MEAN}, each left out of the split", alone)
    for name, one in found.overlap.items():
        add("shared errors", name, one)
    for name, one in found.agreement.items():
        add("agreement", f"Fleiss' kappa, {name}", one)
    for name, pair in found.pairs.items():
        add("agreement", f"mean weighted kappa, {name}", pair.mean)
        for what, value in (("smallest", pair.smallest), ("largest", pair.largest)):
            alone = Estimate(value, math.nan, math.nan, pair.mean.n, pair.mean.unit, f"of {pair.pairs} pairs")
            add("agreement", f"{what} weighted kappa, {name}", alone)
    return pd.DataFrame(rows)


def _ends(one: Estimate) -> dict[str, Any]:
    ends = {"value": one.value, "low": one.low, "high": one.high}
    return {**ends, "n": one.n, "unit": one.unit, "method": one.method}
