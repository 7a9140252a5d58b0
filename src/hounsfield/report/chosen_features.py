"""The features that models chose: what each of them chose in, how often and in which direction out.

A feature that every fold chooses with one sign is a finding of the data; one that a single fold chooses is a chance of
its split.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from hounsfield.report.content import Choice, ReportContent
from hounsfield.report.wording import counted, number

COLUMNS = ["target", "arm", "feature", "times", "models", "weight", "low", "high", "direction"]
_SHOWN = 15  # features of an arm on the page; all are in the table beside it
_PREFIX = "radiomics."


def chosen_table(content: ReportContent) -> pd.DataFrame:
    """One row a target, arm and feature, those chosen most often first, then the largest mean weight.

    `times` of `models` chose it; `weight` is the mean over these, `low` and `high` are the smallest and largest.
    """
    rows: list[dict[str, Any]] = []
    for target, arm in dict.fromkeys((one.target, one.arm) for one in content.choices):
        models = [one for one in content.choices if (one.target, one.arm) == (target, arm)]
        found: dict[str, list[float]] = {}
        for one in models:
            for feature, weight in one.weights.items():
                found.setdefault(feature, []).append(float(weight))
        order = sorted(found, key=lambda name: (-len(found[name]), -abs(float(np.mean(found[name]))), name))
        for feature in order:
            weights = np.array(found[feature])
            row = {"target": target, "arm": arm, "feature": feature, "times": len(weights), "models": len(models)}
            row |= {"weight": float(weights.mean()), "low": float(weights.min()), "high": float(weights.max())}
            rows.append({**row, "direction": direction(weights, content.targets[target])})
    return pd.DataFrame(rows, columns=COLUMNS)


def direction(weights: Any, classes: tuple[str, ...]) -> str:
    """What a larger value speaks for, in words; models that disagree are counted."""
    values = np.asarray(weights, dtype=np.float64)
    against = classes[0] if len(classes) == 2 else f"a class other than {classes[-1]}"
    up, down = int((values > 0).sum()), int((values < 0).sum())
    if not up and not down:
        return f"says nothing of {classes[-1]}"
    if not down:
        return f"larger speaks for {classes[-1]}"
    if not up:
        return f"larger speaks for {against}"
    return f"not steady: larger speaks for {classes[-1]} in {up}, for {against} in {down}"


def chosen_section(content: ReportContent, table: pd.DataFrame | None) -> dict[str, Any]:
    """What `chosen.html.j2` needs; no blocks without choices."""
    if table is None or table.empty:
        return {"blocks": [], "note": ""}
    titles = {arm.name: arm.title for arm in content.arms}
    blocks = []
    for (target, arm), part in table.groupby(["target", "arm"], sort=False):
        own = _own(content.choices, str(target), str(arm))
        models = int(part["models"].iloc[0])
        steady = part[part["times"] == models]
        place = f", {target}" if len({one.target for one in content.choices}) > 1 else ""
        chose = "The one model" if models == 1 else f"{models} models"
        words = f"{chose} chose {counted(len(part), 'feature')}{' in all' if models > 1 else ''}"
        words += f", {len(steady)} of them every time." if models > 1 else "."
        more = f" {len(part) - _SHOWN} more are in chosen_features.csv." if len(part) > _SHOWN else ""
        blocks.append(
            {
                "title": f"{titles[str(arm)]}{place}",
                "words": f"{words}{more} {'' if own else _ANOTHER}".strip(),
                "rows": [_row(row) for row in part.head(_SHOWN).to_dict("records")],
            }
        )
    return {"blocks": blocks, "note": NOTE}


NOTE = (
    "Weights are changes of the log odds for one standard deviation of the feature in the training part, all other "
    "chosen features unchanged; the mean of the models that chose it, with the smallest and the largest. Features "
    "that say nearly the same stand in for one another: one that is missing here is not thereby without meaning, and "
    "a weight beside a correlated one may have the other sign than the feature alone would have. 'log' before a name: "
    "its logarithm."
)
_ANOTHER = (
    "The classifier of this arm has no weights: these are of the L1-penalised linear model that chose its features, "
    "and so are the directions; what the classifier makes of them may bend."
)


def _own(choices: tuple[Choice, ...], target: str, arm: str) -> bool:
    return all(one.own for one in choices if (one.target, one.arm) == (target, arm))


def _row(row: dict[Any, Any]) -> dict[str, str]:
    several = int(row["times"]) > 1
    return {
        "feature": str(row["feature"]).replace(_PREFIX, ""),
        "times": f"{row['times']} of {row['models']}",
        "weight": number(row["weight"], 2, sign=True),
        "span": f"{number(row['low'], 2, sign=True)} to {number(row['high'], 2, sign=True)}" if several else "",
        "direction": str(row["direction"]),
    }
