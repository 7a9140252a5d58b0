"""How the models did on the parts that chose them: the validation rows of several folds in, a table out.

Epochs, mixing weights and operating points were chosen on these rows, so the figures flatter and are no result; they
are what papers print as the result of a cross-validation, and show how much the folds differ.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from hounsfield.core.seeds import generator
from hounsfield.core.types import FloatArray
from hounsfield.report.content import Anchor, ReportContent
from hounsfield.report.evaluate import ALL
from hounsfield.report.metrics import area_of
from hounsfield.report.repeats import Repeat, repeats_of, shares_test
from hounsfield.report.resampling import interval_of, sample_of
from hounsfield.report.wording import NOTHING, counted, interval, number
from hounsfield.stats.auc import auc
from hounsfield.stats.estimate import Estimate, UndefinedMetric

VALIDATION_AUC = "validation_auc"  # metric of an anchor: mean AUC over the folds of a paper, its SD as the spread
FOLD, MEAN, POOLED = "fold", "mean over folds", "out of fold, pooled"
COLUMNS = (
    *("target", "arm", "metric", "of", "value", "low", "high", "sd", "n", "unit", "method", "note"),
    *("repetition", "seed", "fold", "models"),
)
_ROUND = ["repetition", "seed"]
_LISTED = 6  # models of an arm whose values stand on the page; all are in the table beside it


def validation_table(content: ReportContent, *, seed: int, resamples: int) -> pd.DataFrame:
    """The AUC of each arm on validation rows, of arms with several folds in a repetition; else empty.

    Rows `of` "fold": each model. "mean over folds": over all folds, repetitions and seeds, `sd` (n - 1) likewise.
    "out of fold, pooled": the rows of all folds in one ranking, where the folds share one test part and each case was
    validated once; mean over repetitions and seeds, patients resampled. With three classes the AUC is the mean of each
    against the rest.
    """
    rows: list[dict[str, Any]] = []
    table = content.predictions[content.predictions["label"].notna()]
    held = table[table["split"] == "validation"]
    # Counted first: most tables have one fold or no validation rows, and a million of rows need not be gone through.
    if held.empty or held.groupby(["target", "arm", *_ROUND])["fold"].nunique().max() < 2:
        return pd.DataFrame(columns=list(COLUMNS))
    for target, classes in content.targets.items():
        for arm in content.arms:
            of_arm = table[(table["target"] == target) & (table["arm"] == arm.name)]
            rows += _of_arm(of_arm, target, classes, seed=seed, resamples=resamples)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def validation_section(content: ReportContent, table: pd.DataFrame | None) -> dict[str, Any]:
    """What `validation.html.j2` needs; no rows without several folds."""
    if table is None or table.empty:
        return {"rows": [], "note": "", "models": "", "printed": False, "pooled": False}
    titles = {arm.name: arm.title for arm in content.arms}
    printed = {(one.target, one.arm): one for one in content.anchors if one.metric == VALIDATION_AUC}
    several = table["target"].nunique() > 1
    rows: list[dict[str, Any]] = []
    for (target, arm), part in table.groupby(["target", "arm"], sort=False):
        heading = str(target) if several and (not rows or rows[-1]["target"] != target) else ""
        rows.append(
            {
                "target": target,
                "heading": heading,
                "title": titles[str(arm)],
                **_cells(part),
                "printed": _printed(printed.get((str(target), str(arm)))),
            }
        )
    macro = any(len(content.targets[str(target)]) > 2 for target in table["target"].unique())
    pooled = bool((table["of"] == POOLED).any())
    kinds = {row["models"] for row in rows}
    models = kinds.pop() if len(kinds) == 1 else ""  # said once in the heading, else beside each arm
    note = _note(macro=macro, pooled=pooled)
    return {"rows": rows, "note": note, "models": models, "printed": bool(printed), "pooled": pooled}


def _of_arm(
    rows: pd.DataFrame, target: str, classes: tuple[str, ...], *, seed: int, resamples: int
) -> list[dict[str, Any]]:
    """Rows of each model, of their mean and of the pooled predictions; none where no repetition has two folds."""
    held = rows[rows["split"] == "validation"]
    if held.empty or held.groupby(_ROUND)["fold"].nunique().max() < 2:
        return []
    found: list[dict[str, Any]] = []
    for (repetition, of_seed, fold), part in held.groupby([*_ROUND, "fold"]):
        one = _repeats(part, target, classes)[0]
        place = {"repetition": str(repetition), "seed": str(of_seed), "fold": str(fold), "models": 1}
        alone = Estimate(_area(one), math.nan, math.nan, len(one.label), "cases", "value alone")
        found.append({**_row(one, FOLD, alone), **place})
    values = np.array([row["value"] for row in found])
    known = values[np.isfinite(values)]
    note = "" if len(known) == len(values) else f"of {len(known)} models; the others' parts lack a class"
    mean = float(known.mean()) if len(known) else math.nan
    spread = float(np.std(known, ddof=1)) if len(known) > 1 else math.nan
    estimate = Estimate(mean, math.nan, math.nan, len(known), "models", "mean and SD of values", note=note)
    found.append({**_row(one, MEAN, estimate), "sd": spread, "models": len(values)})
    if _once(rows, held):
        together = _pooled(_repeats(held, target, classes), seed=seed, resamples=resamples)
        found.append({**_row(one, POOLED, together), "models": len(values)})
    return found


def _repeats(rows: pd.DataFrame, target: str, classes: tuple[str, ...]) -> list[Repeat]:
    """Validation rows of one arm in the shape of test rows, in which their AUC is computed."""
    return next(iter(repeats_of(rows.assign(split="test"), target, classes).values()))


def _once(rows: pd.DataFrame, held: pd.DataFrame) -> bool:
    """Whether in every repetition and seed each case outside a shared test part was validated in one fold."""
    if held.duplicated([*_ROUND, "case_id"]).any():
        return False
    splits = (part for _, part in rows.groupby(_ROUND))
    return all(shares_test(one[one["split"] == "test"], one[one["split"] == "validation"]) for one in splits)


def _pooled(repeats: Sequence[Repeat], *, seed: int, resamples: int) -> Estimate:
    rng = generator(seed, "validation", repeats[0].target)  # the same for all arms: they see the same patients drawn
    first = repeats[0]
    sample = sample_of(repeats, seed=seed)
    if len(repeats) == 1 and len(first.classes) == 2:
        patients = first.patients[0]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UndefinedMetric)
            drawn = None if sample.large else rng
            return auc(first.label == 1, first.prob[:, 1], patient_id=patients, rng=drawn, resamples=resamples)

    def mean(parts: Sequence[Repeat], weights: Sequence[FloatArray]) -> FloatArray:
        each = [area_of(one)(weight) for one, weight in zip(parts, weights, strict=True)]
        return np.asarray(np.mean(each, axis=0), dtype=np.float64)

    value = float(np.mean([_area(one) for one in repeats]))
    return interval_of(sample, mean, rng=rng, resamples=resamples, value=value)


def _area(one: Repeat) -> float:
    return float(area_of(one)(np.ones((1, len(one.label))))[0])


def _row(one: Repeat, of: str, estimate: Estimate) -> dict[str, Any]:
    numbers = {name: getattr(estimate, name) for name in ("value", "low", "high", "n", "unit", "method", "note")}
    place = dict.fromkeys(("repetition", "seed", "fold"), ALL)
    return {"target": one.target, "arm": one.arm, "metric": "auc", "of": of, **numbers, "sd": math.nan, **place}


def _cells(part: pd.DataFrame) -> dict[str, Any]:
    """The cells of one arm: which models, each value or their range, mean and SD, pooled with interval."""
    each = part[part["of"] == FOLD]
    mean = part[part["of"] == MEAN].to_dict("records")[0]
    values = each["value"].to_numpy(dtype=np.float64)
    listed = ", ".join(number(value) for value in values)
    if len(values) > _LISTED and np.isfinite(values).any():
        listed = f"{number(np.nanmin(values))} to {number(np.nanmax(values))}"
    one = next(iter(part[part["of"] == POOLED].to_dict("records")), None)
    return {
        "models": _models(each),
        "each": listed,
        "mean": {"value": f"{number(mean['value'])} ± {number(mean['sd'])}", "under": mean["note"]},
        "pooled": {"value": number(one["value"]) if one else NOTHING, "under": interval(one) if one else ""},
    }


def _printed(anchor: Anchor | None) -> dict[str, str]:
    if anchor is None:
        return {"value": NOTHING, "under": ""}
    spread = "" if anchor.spread is None else f" ± {number(anchor.spread)}"
    return {"value": f"{number(anchor.value)}{spread}", "under": anchor.source}


def _models(each: pd.DataFrame) -> str:
    """'5 folds', '2 repetitions x 5 folds x 3 seeds', or the plain count where these don't multiply."""
    counts = [each[name].nunique() for name in ("repetition", "fold", "seed")]
    if math.prod(counts) != len(each):
        return counted(len(each), "model")
    words = zip(counts, ("repetition", "fold", "seed"), strict=True)
    return " × ".join(counted(count, name) for count, name in words if count > 1)


def _note(*, macro: bool, pooled: bool) -> str:
    words = [
        "AUC of each fold's model on its validation part, on which epochs were chosen and operating points set: these "
        "figures flatter and are not the result, which is that of the test part.",
        "Values stand in the order of repetition, seed and fold; of more than six the range. SD (n − 1) is over all "
        "models of an arm, folds and seeds together, and no interval: the folds' training parts overlap.",
    ]
    if pooled:
        words.append(
            "Pooled: every case by the model that was not trained on it, all folds in one ranking, mean over seeds; "
            "95 % interval by patients. Models of different folds need not score alike, which can lower it."
        )
    if macro:
        words.append("With three classes or more: mean AUC of each class against the rest.")
    return f"{' '.join(words)} Every value is in validation.csv and validation.parquet."
