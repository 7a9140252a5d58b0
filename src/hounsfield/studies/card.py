"""The model card of a bundle, in Markdown: what it is for, what it learnt from, how well it did, where it fails."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hounsfield.core.errors import HounsfieldError
from hounsfield.infer.bundle import BundleCard
from hounsfield.stats.auc import auc
from hounsfield.studies.study import Study


def model_card(study: Study, card: BundleCard, rows: pd.DataFrame) -> str:
    """The text of card.md.

    Args:
        rows: predictions of this arm and target, validation and test.
    """
    grid = f"{card.preparation.size} voxels (z, y, x) at {card.preparation.spacing_mm} mm"
    outline = (
        "needs an expert's outline of the lesion" if card.needs_mask else "needs a point or box on the lesion only"
    )
    lines = [
        f"# {study.name}: {card.arm}",
        "",
        f"{card.title}. {study.arms[card.arm].description}".strip(),
        "",
        "**Research use. Not a medical device.** Validate at your own site before anyone relies on it.",
        "",
        "| | |",
        "|---|---|",
        f"| Question | {study.question} |",
        f"| Target, classes | {card.target}: {', '.join(card.classes)} |",
        f"| Input | CT cube of {grid}; {outline} |",
        f"| Members | {len(card.members)} (folds and seeds), mean of their probabilities |",
        f"| Learnt from | {card.trained_on['cases']} cases of {card.trained_on['patients']} patients |",
        f"| Operating point | {_point(card)} |",
        f"| Performance on test parts | {_performance(card, rows)} |",
        "",
        "Performance is that of the mean of each seed's fold models on patients that none of them has seen."
        if study.split.kind == "nested"
        else "Performance is that of the single members on patients they have not seen, not of their mean.",
        "",
    ]
    if study.flaws:
        lines += ["## Known flaws of the data", "", *(f"- {flaw}" for flaw in study.flaws), ""]
    if study.citation:
        lines += ["## Source of the method", "", study.citation, ""]
    return "\n".join(lines)


def _point(card: BundleCard) -> str:
    point = card.operating_point
    if point is None:
        return "the most probable class"
    return f"probability of {card.classes[-1]} at least {point.threshold:.3f}; {point.rule}, {point.chosen_on}"


def _performance(card: BundleCard, rows: pd.DataFrame) -> str:
    test = rows[rows["split"] == "test"]
    probs = test[[f"prob_{name}" for name in card.classes]].to_numpy()
    right = np.asarray(card.classes, dtype=object)[probs.argmax(axis=1)] == test["label"].to_numpy(dtype=object)
    words = [f"accuracy {right.mean():.3f} ({len(test)} predictions)"]
    if len(card.classes) == 2:
        one = test[(test["repetition"] == test["repetition"].min()) & (test["seed"] == test["seed"].min())]
        label = (one["label"] == card.classes[-1]).to_numpy(dtype=int)
        try:
            found = auc(
                label,
                one[f"prob_{card.classes[-1]}"].to_numpy(),
                patient_id=one["patient_id"].to_numpy(),
                rng=np.random.default_rng(0),
            )
            words.append(f"AUC {found}")
        except HounsfieldError:
            words.append("AUC undefined (one class only)")
    if "dice" in test and test["dice"].notna().any():
        words.append(f"mean Dice {test['dice'].mean():.3f}")
    return "; ".join(words)
