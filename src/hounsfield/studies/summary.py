"""A finished run as Markdown tables, for pages and papers: every arm, every arm on cases matched in volume, and the
features that were chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from hounsfield.catalog.splits.match import matched_pairs
from hounsfield.core.errors import HounsfieldError
from hounsfield.core.seeds import generator
from hounsfield.stats.auc import auc
from hounsfield.studies.patient_level import patient_arms, patient_targets
from hounsfield.studies.study import Arm, Study

_FEATURES = 12  # of an arm
CALIPER = float(np.log(1.1))  # volumes of a pair differ by a tenth at most


def summary_tables(
    study: Study,
    metrics: pd.DataFrame,
    comparisons: pd.DataFrame,
    predictions: pd.DataFrame,
    features: pd.DataFrame,
    seconds: Mapping[str, float],
) -> str:
    """Markdown of a run.

    Args:
        metrics, comparisons: as `report.evaluate` makes them.
        features: case_id and measured features of every case.
        seconds: training time of each arm, shared stages counted with each arm that needs them.
    """
    blocks = []
    for target, how in study.targets.items():
        own = {name: (arm.title, arm) for name, arm in study.arms.items()}
        blocks += [f"### {target}: {', '.join(how.classes)}", "", *_arms(own, target, metrics, comparisons, seconds)]
        matched = _matched(study, target, predictions, features) if len(how.classes) == 2 else []
        blocks += ["", *matched] if matched else []
        pooled = patient_targets(study).get(target)
        if pooled is not None:
            blocks += ["", f"### {pooled}", "", *_arms(_of_patients(study), pooled, metrics, comparisons, {})]
        blocks.append("")
    return "\n".join(blocks)


def chosen_lines(study: Study, chosen: pd.DataFrame) -> list[str]:
    """Markdown of the features that models chose (`report.chosen_features.chosen_table`), a table an arm."""
    lines: list[str] = []
    for (target, arm), part in chosen.groupby(["target", "arm"], sort=False):
        heading = f"### {target}: features chosen by {study.arms[str(arm)].title}"
        lines += [heading, "", "| feature | chosen by | weight (lowest to highest) | direction |", "|---|---|---|---|"]
        for row in part.head(_FEATURES).to_dict("records"):
            span = f"{row['weight']:+.2f} ({row['low']:+.2f} to {row['high']:+.2f})"
            times = f"{row['times']} of {row['models']}"
            lines.append(f"| {row['feature']} | {times} | {span} | {row['direction']} |")
        lines.append("")
    return lines


def _of_patients(study: Study) -> dict[str, tuple[str, Arm]]:
    """Title and arm by the name of the pooled arm."""
    return {
        name: (f"{study.arms[arm].title}; {way.replace('_', '-')}", study.arms[arm])
        for name, (arm, way) in patient_arms(study).items()
    }


def _arms(
    arms: Mapping[str, tuple[str, Arm]],
    target: str,
    metrics: pd.DataFrame,
    comparisons: pd.DataFrame,
    seconds: Mapping[str, float],
) -> list[str]:
    rows = [
        "| arm | expert outline | AUC (95 % CI) | accuracy (95 % CI) | Dice | minus best trivial arm, AUC (95 % CI) | "
        "p (Holm) | training, min |",
        "|---|---|---|---|---|---|---|---|",
    ]
    headline = metrics[(metrics["target"] == target) & (metrics["seed"].astype(str) == "all")]
    found = {(row["arm"], row["metric"]): row for row in headline.to_dict("records")}
    versus = comparisons[(comparisons["target"] == target) & (comparisons["metric"] == "auc")]
    against = {row["first"]: row for row in versus[versus["family"].str.contains("trivial")].to_dict("records")}
    for arm in sorted(arms, key=lambda name: -_value(found.get((name, "auc")))):
        title, how = arms[arm]
        tag = " (trivial)" if how.trivial else ""
        other = against.get(arm)
        apart = "" if other is None else f"{other['difference']:+.3f} ({other['low']:+.3f} to {other['high']:+.3f})"
        cells = [
            f"{title}{tag}",
            "yes" if how.needs_mask else "no",
            _cell(found.get((arm, "auc"))),
            _cell(found.get((arm, "accuracy"))),
            _cell(found.get((arm, "dice"))),
            apart,
            "" if other is None else f"{other['p_holm']:.3g}",
            f"{seconds[arm] / 60:.0f}" if seconds.get(arm) else "",
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def _matched(study: Study, target: str, predictions: pd.DataFrame, features: pd.DataFrame) -> list[str]:
    """AUC of every arm on pairs of equal volume, first repetition and seed; empty without volumes or with few pairs."""
    if "volume_mm3" not in features:
        return []
    test = predictions[(predictions["split"] == "test") & (predictions["target"] == target)]
    test = test[(test["repetition"] == test["repetition"].min()) & (test["seed"] == test["seed"].min())]
    positive = list(study.targets[target].classes)[-1]
    one = test.drop_duplicates("case_id").merge(features[["case_id", "volume_mm3"]], on="case_id")
    label = (one["label"] == positive).to_numpy(dtype=int)
    pairs = matched_pairs(label, np.log(one["volume_mm3"].to_numpy(dtype=float)), caliper=CALIPER)
    if len(pairs) < 10:
        return []
    chosen = set(one["case_id"].to_numpy()[pairs.ravel()])
    lines = [
        f"On {len(pairs)} pairs of one case of either class whose volumes differ by a tenth at most:",
        "",
        "| arm | AUC on pairs of equal volume (95 % CI) |",
        "|---|---|",
    ]
    for arm, how in study.arms.items():
        rows = test[(test["arm"] == arm) & test["case_id"].isin(chosen)]
        lines.append(f"| {how.title} | {_auc(rows, positive)} |")
    return lines


def _auc(rows: pd.DataFrame, positive: str) -> str:
    try:
        found = auc(
            (rows["label"] == positive).to_numpy(dtype=int),
            rows[f"prob_{positive}"].to_numpy(),
            patient_id=rows["patient_id"].to_numpy(),
            rng=generator(0, "matched"),
        )
    except HounsfieldError:
        return "not defined"
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"


def arm_seconds(histories: Sequence[Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]]]) -> dict[str, float]:
    """Training time of each arm over all units.

    Args:
        histories: per unit, by arm, the history of each stage that led to it.
    """
    total: dict[str, float] = {}
    for unit in histories:
        for arm, stages in unit.items():
            spent = sum(float(epoch["seconds"]) for history in stages.values() for epoch in history)
            total[arm] = total.get(arm, 0.0) + spent
    return total


def _cell(row: Mapping[Any, Any] | None) -> str:
    if row is None or not np.isfinite(row["value"]):
        return ""
    span = f" ({row['low']:.3f} to {row['high']:.3f})" if np.isfinite(row["low"]) else ""
    return f"{row['value']:.3f}{span}"


def _value(row: Mapping[Any, Any] | None) -> float:
    return -1.0 if row is None or not np.isfinite(row["value"]) else float(row["value"])
