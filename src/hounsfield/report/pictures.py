"""Which figures a report has, and their data. In: content and evaluation. Out: pictures by section."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from hounsfield.core.progress import Progress, silent
from hounsfield.report.attention_section import attention_pictures
from hounsfield.report.content import ArmInfo, ReportContent
from hounsfield.report.curve_data import (
    Band,
    decision_points,
    mean_precision,
    operating_point,
    precision_points,
    prevalence_of,
    reliability_points,
    roc_points,
)
from hounsfield.report.detection_section import froc_picture
from hounsfield.report.evaluate import Evaluation
from hounsfield.report.extra import Extra
from hounsfield.report.figures.case_images import case_image
from hounsfield.report.figures.curves import (
    Curve,
    Reliability,
    precision_recall_figure,
    reliability_figure,
    roc_figure,
)
from hounsfield.report.figures.decision import decision_figure
from hounsfield.report.figures.dice_boxes import dice_boxes
from hounsfield.report.figures.dice_scatter import dice_scatter
from hounsfield.report.figures.forest import ForestRow, difference_forest, forest
from hounsfield.report.figures.training_curves import training_curves
from hounsfield.report.forests import difference_rows, subgroup_pictures
from hounsfield.report.reading_section import readers_picture
from hounsfield.report.repeats import Repeat
from hounsfield.report.resampling import Sample, sample_of
from hounsfield.report.style import Picture
from hounsfield.report.wording import interval, number
from hounsfield.stats.auc import auc

_SHOWN = 3  # beside the best trivial arm: more bands than four can't be told apart
_NAMED_LEFT = 8  # arms without a curve that a caption names


@dataclass(frozen=True)
class Pictures:
    """All figures: of each target by its name, then those of the whole study."""

    forests: Mapping[str, Picture]
    curves: Mapping[str, tuple[Picture, ...]]
    dice: tuple[Picture, ...]
    training: tuple[Picture, ...]
    cases: tuple[Picture, ...]
    subgroups: tuple[Picture, ...] = ()
    differences: Mapping[str, Picture] = field(default_factory=dict)
    froc: Picture | None = None
    readers: Picture | None = None
    attention: tuple[Picture, ...] = ()

    def all(self) -> list[Picture]:
        by_target = [picture for group in self.curves.values() for picture in group]
        some = [one for one in (self.froc, self.readers) if one is not None]
        compared = [*self.forests.values(), *self.differences.values(), *self.subgroups]
        return [*compared, *by_target, *some, *self.dice, *self.attention, *self.training, *self.cases]


def pictures_of(
    content: ReportContent, evaluation: Evaluation, *, extra: Extra | None = None, progress: Progress = silent
) -> Pictures:
    """Draws everything that the content allows; what has no data is absent."""
    extra = extra or Extra()
    forests, curves, differences = {}, {}, {}
    for place, target in enumerate(progress(list(content.targets), len(content.targets), "drawing")):
        # File names carry a number, not the target's name, which may hold any character.
        forests[target] = _forest(content, evaluation, target, f"forest_{place + 1}")
        curves[target] = tuple(_curves(content, evaluation, target, place + 1))
        rows = difference_rows(content, evaluation, target)
        if len(rows) > 1:
            differences[target] = difference_forest(rows, name=f"differences_{place + 1}")
    cases = [case_image(one, name=f"case_{place + 1:02d}") for place, one in enumerate(content.examples)]
    dice = tuple(_dice(content, evaluation))
    return Pictures(
        forests,
        curves,
        dice,
        tuple(training_curves(content.histories)),
        tuple(cases),
        subgroups=tuple(subgroup_pictures(content, evaluation, extra.groups)),
        differences=differences,
        froc=froc_picture(extra.detections) if extra.detections is not None else None,
        readers=readers_picture(extra.readers) if extra.readers is not None else None,
        attention=attention_pictures(content),
    )


def ranked_arms(content: ReportContent, evaluation: Evaluation, target: str) -> list[ArmInfo]:
    """Arms with test rows of a target, highest AUC first, undefined ones last."""
    there = [arm for arm in content.arms if arm.name in evaluation.repeats[target]]

    def key(arm: ArmInfo) -> float:
        value = float((evaluation.headline(target, arm.name, "auc") or {"value": np.nan})["value"])
        return value if np.isfinite(value) else -1.0

    return sorted(there, key=key, reverse=True)


def printed(content: ReportContent, target: str, arm: str, metric: str) -> float | None:
    """The paper's number (the mean if several are printed), or None."""
    values = [one.value for one in content.anchors if (one.target, one.arm, one.metric) == (target, arm, metric)]
    return float(np.mean(values)) if values else None


def _forest(content: ReportContent, evaluation: Evaluation, target: str, name: str) -> Picture:
    rows = []
    for arm in ranked_arms(content, evaluation, target):
        row = evaluation.headline(target, arm.name, "auc") or {}
        value, low, high = (float(row.get(key, np.nan)) for key in ("value", "low", "high"))
        paper = printed(content, target, arm.name, "auc")
        rows.append(ForestRow(arm.title, value, low, high, arm.trivial, arm.needs_mask, paper))
    metric = "AUC" if len(content.targets[target]) == 2 else "Macro AUC"
    return forest(rows, name=name, metric=metric, chance=0.5)


def _curves(content: ReportContent, evaluation: Evaluation, target: str, place: int) -> list[Picture]:
    classes = content.targets[target]
    shown = _shown(content, evaluation, target)
    settings = {"seed": evaluation.seed, "resamples": min(evaluation.resamples, 1000)}
    lines = []
    if len(classes) > 2:
        arm = shown[0]
        for position, name in enumerate(classes):
            repeats = evaluation.repeats[target][arm.name]
            band = roc_points(sample_of(repeats, seed=evaluation.seed), positive=position, **settings)
            if band.defined:
                lines.append(_curve(f"{name} against the rest", band, legend=_class_auc(repeats, position)))
        title = f"ROC of {arm.title}"
        return [roc_figure(lines, name=f"roc_{place}", positive="the named class", title=title)] if lines else []
    samples = {arm.name: sample_of(evaluation.repeats[target][arm.name], seed=evaluation.seed) for arm in shown}
    for arm in shown:
        band = roc_points(samples[arm.name], positive=1, **settings)
        if band.defined:
            row = evaluation.headline(target, arm.name, "auc") or {}
            legend = f"AUC {number(row['value'])} ({interval(row)})"
            point = operating_point(evaluation.repeats[target][arm.name])
            lines.append(_curve(arm.title, band, point=point, legend=legend, trivial=arm.trivial))
    if not lines:
        return []
    others = _binary_pictures(evaluation, target, shown, samples, ranked=content.ranked, place=place)
    roc = roc_figure(lines, name=f"roc_{place}", positive=classes[-1])
    left = [arm for arm in content.arms if arm.name in evaluation.repeats[target] and arm not in shown]
    return [replace(roc, caption=f"{roc.caption}{_left_out(left)}"), *others]


def _left_out(arms: Sequence[ArmInfo]) -> str:
    """Which arms have no curve, and why."""
    if not arms:
        return ""
    names = "; ".join(arm.title for arm in arms[:_NAMED_LEFT])
    more = f"; and {len(arms) - _NAMED_LEFT} more" if len(arms) > _NAMED_LEFT else ""
    return f" Left out, as more than four bands can't be told apart: {names}{more}."


def _curve(title: str, band: Band, **settings: Any) -> Curve:
    return Curve(title, band.x, band.y, band.low, band.high, **settings)


def _class_auc(repeats: Sequence[Repeat], position: int) -> str:
    areas = [auc(one.label == position, one.prob[:, position]) for one in repeats]
    return f"AUC {number(float(np.mean(areas)))}"


def _binary_pictures(
    evaluation: Evaluation,
    target: str,
    shown: Sequence[ArmInfo],
    samples: Mapping[str, Sample],
    *,
    ranked: Collection[str],
    place: int,
) -> list[Picture]:
    """Precision against recall and, of arms with probabilities, calibration and net benefit."""
    precise, reliable, decisions = [], [], []
    settings = {"seed": evaluation.seed, "resamples": min(evaluation.resamples, 1000)}
    for arm in shown:
        repeats = evaluation.repeats[target][arm.name]
        area = f"average precision {number(mean_precision(repeats))}"
        points = precision_points(samples[arm.name], **settings)
        precise.append(_curve(arm.title, points, legend=area, trivial=arm.trivial))
        if arm.name in ranked:
            continue
        benefit = decision_points(samples[arm.name], **settings)
        decisions.append(_curve(arm.title, benefit, trivial=arm.trivial))
        slope = evaluation.headline(target, arm.name, "calibration_slope") or {"value": np.nan}
        large = evaluation.headline(target, arm.name, "calibration_intercept") or {"value": np.nan}
        legend = f"slope {number(slope['value'], 2)}, in the large {number(large['value'], 2, sign=True)}"
        reliable.append(Reliability(arm.title, reliability_points(repeats), legend, arm.trivial))
    everyone = [one for arm in shown for one in evaluation.repeats[target][arm.name]]
    positive, prevalence = everyone[0].classes[-1], prevalence_of(everyone)
    drawn = [precision_recall_figure(precise, name=f"precision_{place}", positive=positive, prevalence=prevalence)]
    if reliable:
        drawn.append(reliability_figure(reliable, name=f"calibration_{place}", positive=positive))
        drawn.append(decision_figure(decisions, name=f"decision_{place}", positive=positive, prevalence=prevalence))
    return drawn


def _shown(content: ReportContent, evaluation: Evaluation, target: str) -> list[ArmInfo]:
    """The arms that the study's comparisons name, in their order, then those of highest AUC; last the best trivial arm.

    Several classes have a figure of one arm alone, that of highest AUC.
    """
    arms = ranked_arms(content, evaluation, target)
    asked = [name for pair in content.comparisons for name in pair] if len(content.targets[target]) == 2 else []
    place = {name: number for number, name in reversed(list(enumerate(asked)))}
    others = sorted((arm for arm in arms if not arm.trivial), key=lambda arm: place.get(arm.name, len(asked)))
    return others[:_SHOWN] + [arm for arm in arms if arm.name == evaluation.best_trivial[target]] or arms[:1]


def _dice(content: ReportContent, evaluation: Evaluation) -> list[Picture]:
    titles = {arm.name: arm.title for arm in content.arms}
    first, second = content.dice_pair
    found = []
    for place, (target, by_arm) in enumerate(evaluation.repeats.items()):
        by_case = {arm.name: _dice_by_case(by_arm[arm.name]) for arm in content.arms if arm.name in by_arm}
        boxes = {titles[arm]: np.array(list(values.values())) for arm, values in by_case.items() if values}
        if boxes:
            found.append(dice_boxes(boxes, name=f"dice_arms_{place + 1}", target=target))
        before, after = by_case.get(first, {}), by_case.get(second, {})
        both = sorted(set(before) & set(after))
        if both:
            pair = (np.array([before[case] for case in both]), np.array([after[case] for case in both]))
            name, words = f"dice_{place + 1}", (titles[first], titles[second])
            found.append(dice_scatter(*pair, name=name, titles=words, target=target))
    return found


def _dice_by_case(repeats: Sequence[Repeat]) -> dict[str, float]:
    """Mean Dice of each case over repeats; cases without one are absent."""
    values: dict[str, list[float]] = {}
    for repeat in repeats:
        for case, value in zip(repeat.case_id, repeat.columns.get("dice", np.array([])), strict=False):
            if np.isfinite(value):
                values.setdefault(str(case), []).append(float(value))
    return {case: float(np.mean(several)) for case, several in values.items()}
