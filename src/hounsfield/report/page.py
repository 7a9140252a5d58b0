"""Everything the templates print, as plain values: content and evaluation in; strings, rows and pictures out.

No template computes anything; nothing here is escaped, which is the template engine's work.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hounsfield import __version__
from hounsfield.report.attention_section import attention_section
from hounsfield.report.checklist import checklist_section
from hounsfield.report.chosen_features import chosen_section
from hounsfield.report.cohort_table import cohort_section
from hounsfield.report.comparisons import family_words
from hounsfield.report.content import ReportContent
from hounsfield.report.detection_section import detection_section
from hounsfield.report.evaluate import Evaluation
from hounsfield.report.extra import Extra
from hounsfield.report.figures.case_images import AUTOMATIC, REFERENCE
from hounsfield.report.pictures import Pictures
from hounsfield.report.proof import leakage_section
from hounsfield.report.reading_section import reading_section
from hounsfield.report.style import Picture
from hounsfield.report.subgroups import subgroup_section
from hounsfield.report.tables import (
    anchor_rows,
    comparison_rows,
    confusion_tables,
    full_tables,
    headline_table,
    seed_table,
)
from hounsfield.report.validation import validation_section
from hounsfield.report.wording import counted, number, verdict_of


def page_context(
    content: ReportContent,
    evaluation: Evaluation,
    pictures: Pictures,
    extra: Extra,
) -> dict[str, Any]:
    """What `report.html.j2` needs, by the names it uses."""
    targets = [_target(content, evaluation, pictures, name, at) for at, name in enumerate(content.targets)]
    context: dict[str, Any] = {
        "title": content.title,
        "question": content.question,
        "citation": content.citation,
        "summary_note": content.summary_note,
        "version": __version__,
        "flaws": content.flaws,
        "verdicts": [_verdict(content, evaluation, target) for target in content.targets],
        "family_note": family_words(evaluation.comparisons, len(content.targets)),
        "headlines": [headline_table(content, evaluation, target) for target in content.targets],
        "anchors": anchor_rows(content, evaluation),
        "anchors_note": content.anchors_note,
        "leakage": leakage_section(content.leakage),
        "targets": targets,
        "cohort": cohort_section(extra.cohort, whole=content.whole_cohort),
        "subgroups": subgroup_section(content, extra.groups, [shown(one) for one in pictures.subgroups]),
        "chosen": chosen_section(content, extra.chosen),
        "attention": attention_section([shown(one, png=True) for one in pictures.attention]),
        "detections": detection_section(
            content.detections, extra.detections, shown(pictures.froc) if pictures.froc else None
        ),
        "readers": reading_section(extra.readers, shown(pictures.readers) if pictures.readers else None),
        "dice_pictures": [shown(picture) for picture in pictures.dice],
        "training": [shown(picture) for picture in pictures.training],
        "cases": _cases(content, pictures),
        "validation": validation_section(content, extra.validation),
        "reference_colour": REFERENCE,
        "automatic_colour": AUTOMATIC,
        "seeds": [seed_table(content, evaluation, target) for target in content.targets],
        "repeated": bool((evaluation.metrics["repeats"] > 1).any()),
        "set_aside": content.set_aside,
        "full": [table for target in content.targets for table in full_tables(content, evaluation, target)],
        "checklists": checklist_section(extra.checklists),
        "manifest": list(_flat(content.manifest)),
    }
    context["contents"] = _contents(context)
    return context


def shown(picture: Picture, *, png: bool = False) -> dict[str, str]:
    """A picture with its bytes as a data address, so that the page needs no other file."""
    data, kind = (picture.png, "image/png") if png else (picture.svg, "image/svg+xml")
    uri = f"data:{kind};base64,{base64.b64encode(data).decode()}"
    return {"title": picture.title, "alt": picture.alt, "caption": picture.caption, "uri": uri}


def _verdict(content: ReportContent, evaluation: Evaluation, target: str) -> dict[str, Any]:
    verdict = verdict_of(evaluation, content.arms, target)
    css = {"beats": "beats", "falls below": "below"}
    cases = {case for by in evaluation.repeats[target].values() for one in by for case in one.case_id}
    patients = {name for by in evaluation.repeats[target].values() for one in by for name in one.patient_id}
    return {
        "target": target,
        "answer": verdict.answer,
        "kind": verdict.kind,
        "detail": verdict.detail,
        "classes": " / ".join(content.targets[target]),
        "metric": verdict.metric,
        "cases": f"{counted(len(cases), 'test case')} of {counted(len(patients), 'patient')}.",
        "lines": [{**vars(line), "css": css.get(line.verdict, "")} for line in verdict.lines],
    }


def _target(
    content: ReportContent, evaluation: Evaluation, pictures: Pictures, target: str, place: int
) -> dict[str, Any]:
    classes = content.targets[target]
    note = (
        "Three arms at most, those first that the study's comparisons name, then those of highest AUC, and the best "
        "trivial arm; every arm's numbers are below."
    )
    if len(classes) > 2:
        note = "The arm of highest AUC, each class against the rest."
    matrices, matrices_note = confusion_tables(content, evaluation, target)
    return {
        "name": target,
        "anchor": f"target-{place + 1}",
        "heading": "Discrimination and calibration",
        "forest": shown(pictures.forests[target]),
        "curves": [shown(picture) for picture in pictures.curves[target]],
        "curves_note": note,
        "matrices": matrices,
        "matrices_note": matrices_note,
        "called": confusion_tables(content, evaluation, target, called=True)[0],
        "differences": shown(pictures.differences[target]) if target in pictures.differences else None,
        "comparisons": comparison_rows(content, evaluation, target),
    }


def _cases(content: ReportContent, pictures: Pictures) -> list[dict[str, Any]]:
    rows = []
    for example, picture in zip(content.examples, pictures.cases, strict=True):
        probs = ", ".join(f"{name} {value:.2f}" for name, value in example.probs.items())
        rows.append(
            {
                **shown(picture, png=True),
                "case_id": example.case_id,
                "label": example.label,
                "probs": f"Model: {probs}." if probs else "",
                "dice": "" if example.dice is None else number(example.dice, 2),
            }
        )
    return rows


def _contents(context: Mapping[str, Any]) -> list[dict[str, str]]:
    entries = [("verdict", "Verdict")] if context["targets"] else []
    entries += [("leakage", "Leakage"), ("flaws", "Flaws")]
    entries += [("headline", "Every arm")] if context["targets"] else []
    entries += [("cohort", "Cohort")] if context["cohort"]["rows"] else []
    targets: Sequence[Mapping[str, Any]] = context["targets"]
    several = len(targets) > 1
    entries += [(one["anchor"], one["name"] if several else "Discrimination and calibration") for one in targets]
    entries += [("subgroups", "Subgroups")] if context["subgroups"]["rows"] else []
    entries += [("chosen", "Features")] if context["chosen"]["blocks"] else []
    entries += [("attention", "Attention")] if context["attention"]["pictures"] else []
    entries += [("detections", "Detection")] if context["detections"]["rows"] else []
    entries += [("readers", "Readers")] if context["readers"]["rows"] else []
    for key, anchor, title in (
        ("dice_pictures", "dice", "Outlines"),
        ("cases", "cases", "Cases"),
        ("training", "training", "Training"),
    ):
        entries += [(anchor, title)] if context[key] else []
    entries += [("validation", "Validation")] if context["validation"]["rows"] else []
    entries += [("seeds", "Seeds")] if context["targets"] else []
    entries += [("set-aside", "Set aside")]
    entries += [("metrics", "All metrics")] if context["targets"] else []
    entries += [("manifest", "Repeat it"), ("checklists", "Checklists")]
    return [{"anchor": anchor, "title": title} for anchor, title in entries]


def _flat(manifest: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Nested manifest as (a.b.c, value) rows; lists on one line."""
    for key, value in manifest.items():
        name = f"{path}.{key}" if path else str(key)
        if isinstance(value, Mapping):
            yield from _flat(value, name)
        elif isinstance(value, (list, tuple)):
            yield name, ", ".join(str(one) for one in value)
        else:
            yield name, str(value)
