"""What the tables can say of an evaluation's results, for a checklist: content and results in, sentences out.

See `checklist_facts`; this file holds the facts on performance, comparisons and training.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hounsfield.report.checklist_facts import fact
from hounsfield.report.comparisons import BEATS
from hounsfield.report.content import ReportContent
from hounsfield.report.evaluate import Evaluation
from hounsfield.report.extra import Extra
from hounsfield.report.metrics import METRICS
from hounsfield.report.operating import ALL_FOLDS, OWN_FOLD, RULE
from hounsfield.report.reading import EVERYONE, MEAN
from hounsfield.report.wording import counted, interval, number


@fact
def _threshold(content: ReportContent, evaluation: Evaluation, extra: Extra) -> str:
    rows = evaluation.metrics[evaluation.metrics["metric"] == "threshold"]
    if rows.empty:
        return ""
    repeats = [one for by_arm in evaluation.repeats.values() for several in by_arm.values() for one in several]
    kinds = {one.pooled for one in repeats if one.called is not None}
    places = [words for pooled, words in ((False, OWN_FOLD), (True, ALL_FOLDS)) if pooled in kinds]
    return f"Threshold of {RULE} on {', or on '.join(places)}; applied unchanged to the test part."


@fact
def _metrics(content: ReportContent, evaluation: Evaluation, extra: Extra) -> str:
    names = [METRICS[name].title for name in METRICS if (evaluation.metrics["metric"] == name).any()]
    if extra.detections is not None:
        names += ["FROC with sensitivity at 1/8 to 8 false positives per volume", "CPM", "JAFROC"]
    return f"{', '.join(names)}; see 'All metrics' and the figures." if names else ""


@fact
def _uncertainty(content: ReportContent, evaluation: Evaluation, extra: Extra) -> str:
    return (
        f"95 % intervals that respect patients: closed forms where each patient has one case, else patients resampled "
        f"({evaluation.resamples} resamples, seed {evaluation.seed}); the method of each is in metrics.csv."
    )


@fact
def _comparisons(content: ReportContent, evaluation: Evaluation, extra: Extra) -> str:
    if evaluation.comparisons.empty:
        return ""
    tests = sorted(set(evaluation.comparisons["method"]))
    return f"Paired tests ({', '.join(tests)}), p-values corrected by Holm's method within each family."


@fact
def _utility(content: ReportContent, evaluation: Evaluation, extra: Extra) -> str:
    able = [arm for arm in content.arms if arm.name not in content.ranked]
    binary = any(len(classes) == 2 for classes in content.targets.values())
    return "Clinical use as net benefit: decision curve." if able and binary else ""


def _values(content: ReportContent, evaluation: Evaluation, metric: str) -> list[str]:
    found = []
    for target in content.targets:
        for arm in content.arms:
            row: Mapping[str, Any] | None = evaluation.headline(target, arm.name, metric)
            if row is not None:
                where = f"{target}, {arm.title}" if len(content.targets) > 1 else arm.title
                span = interval(row)
                found.append(f"{where} {number(row['value'])}" + (f" ({span})" if span else ""))
    return found


@fact
def _performance(content: ReportContent, evaluation: Evaluation, extra: Extra) -> str:
    found = _values(content, evaluation, "auc")
    text = f"AUC: {'; '.join(found)}." if found else ""
    if extra.detections is not None:
        rows = extra.detections.metrics[extra.detections.metrics["metric"] == "CPM"]
        each = [f"{row['arm']} {number(row['value'])} ({interval(row)})" for row in rows.to_dict("records")]
        text = f"{text} CPM: {'; '.join(each)}.".strip()
    return text


@fact
def _operating(content: ReportContent, evaluation: Evaluation, extra: Extra) -> str:
    up, down = (_values(content, evaluation, name) for name in ("sensitivity", "specificity"))
    return f"Sensitivity: {'; '.join(up)}. Specificity: {'; '.join(down)}." if up else ""


@fact
def _calibration(content: ReportContent, evaluation: Evaluation, extra: Extra) -> str:
    found = _values(content, evaluation, "calibration_slope")
    return f"Calibration slope: {'; '.join(found)}; figure 'Calibration'." if found else ""


@fact
def _subgroups(content: ReportContent, evaluation: Evaluation, extra: Extra) -> str:
    if extra.groups is None or extra.groups.empty:
        return ""
    names = ", ".join(dict.fromkeys(extra.groups["variable"]))
    return f"AUC by {names}, with a test of no difference between groups: section 'Subgroups'."


@fact
def _clusters(content: ReportContent, evaluation: Evaluation, extra: Extra) -> str:
    if extra.groups is None or "site" not in set(extra.groups["variable"]):
        return ""
    rows = extra.groups[extra.groups["variable"] == "site"].dropna(subset=["value"])
    if rows.empty:
        return ""
    return f"AUC by site from {number(rows['value'].min())} to {number(rows['value'].max())}; section 'Subgroups'."


@fact
def _trivial(content: ReportContent, evaluation: Evaluation, extra: Extra) -> str:
    rows = evaluation.comparisons
    found = []
    for target, name in evaluation.best_trivial.items():
        row = evaluation.headline(target, name, "auc") if name else None
        if name and row:
            held = rows[(rows["target"] == target) & (rows["metric"] == "auc") & (rows["second"] == name)]
            better = int((held["verdict"] == BEATS).sum())
            found.append(f"{target}: {name}, AUC {number(row['value'])}, beaten by {better} of {len(held)} arms")
    return f"Best arm without a model of the image: {'; '.join(found)}." if found else ""


@fact
def _readers(content: ReportContent, evaluation: Evaluation, extra: Extra) -> str:
    if extra.readers is None:
        return ""
    who = extra.readers.metrics
    count = len(set(who.loc[who["modality"] != "", "who"]) - {MEAN, EVERYONE})
    return f"{counted(count, 'reader')} beside the model on {counted(extra.readers.cases, 'case')}: section 'Readers'."


@fact
def _errors(content: ReportContent, evaluation: Evaluation, extra: Extra) -> str:
    if not content.targets:
        return ""
    cases = f" {counted(len(content.examples), 'case')} shown, the worst among them." if content.examples else ""
    return f"Confusion matrices of every arm.{cases}"


@fact
def _training(content: ReportContent, evaluation: Evaluation, extra: Extra) -> str:
    if not content.histories:
        return ""
    return (
        f"{counted(len(content.histories), 'training')} with curves; the epoch kept was chosen on the validation part."
    )


@fact
def _repeats(content: ReportContent, evaluation: Evaluation, extra: Extra) -> str:
    most = max((len(several) for by_arm in evaluation.repeats.values() for several in by_arm.values()), default=0)
    return f"{most} repetitions and seeds of an arm, all reported; headline values are their mean." if most > 1 else ""


@fact
def _segmentation(content: ReportContent, evaluation: Evaluation, extra: Extra) -> str:
    found = _values(content, evaluation, "dice")
    return f"Dice of automatic and reference mask: {'; '.join(found)}." if found else ""
