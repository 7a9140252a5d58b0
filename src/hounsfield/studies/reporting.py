"""From a finished run to its report: gathers what the report shows, and says the headline in words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hounsfield.catalog.splits.leakage import leakage_of
from hounsfield.core.atomic import write_text
from hounsfield.core.progress import Progress
from hounsfield.infer.model import FEATURES
from hounsfield.nets.feature_model import FeatureModel
from hounsfield.report.chosen_features import chosen_table
from hounsfield.report.content import Anchor, ArmInfo, Choice, ReportContent
from hounsfield.report.write import write_report
from hounsfield.studies.attention import attention_of
from hounsfield.studies.cohort import Cohort
from hounsfield.studies.cohort_warnings import cohort_warnings
from hounsfield.studies.covariates import case_covariates, patient_covariates, subgroup_columns
from hounsfield.studies.examples import examples_of
from hounsfield.studies.patient_level import patient_arms, patient_comparisons, patient_targets
from hounsfield.studies.piece_files import load_piece, read_json
from hounsfield.studies.pieces import Unit
from hounsfield.studies.study import Arm, Study
from hounsfield.studies.summary import arm_seconds, chosen_lines, summary_tables


def content_of(
    out: Path, study: Study, cohort: Cohort, units: Sequence[Unit], predictions: pd.DataFrame
) -> ReportContent:
    """What the report of a finished run shows."""
    digests = dict(zip(cohort.prepared.features["case_id"], cohort.prepared.features["pixel_digest"], strict=True))
    outlined = bool(cohort.prepared.has_mask.any())
    arms = tuple(_arm_info(name, arm.title, arm, outlined) for name, arm in study.arms.items())
    arms += tuple(
        _arm_info(name, f"{study.arms[of].title}; patient by {how.replace('_', '-')}", study.arms[of], outlined)
        for name, (of, how) in patient_arms(study).items()
    )
    anchors = tuple(
        Anchor(row.target, row.arm, row.metric, row.value, row.spread, row.source)
        for row in study.anchors
        if row.arm in study.arms and row.target in study.targets
    )
    covariates = case_covariates(study, cohort)
    of_patients = dict.fromkeys(patient_targets(study).values(), patient_covariates(covariates))
    return ReportContent(
        title=study.title,
        question=study.question,
        citation=study.citation,
        targets=_classes(study),
        arms=arms,
        predictions=predictions,
        leakage=(leakage_of(cohort.split, digests=digests),),
        anchors=anchors,
        anchors_note=study.anchors_note,
        flaws=(*study.flaws, *warnings_of(cohort)),
        manifest=read_json(out / "manifest.json"),
        histories=_histories(out, study, units),
        examples=examples_of(out, study, cohort, units, predictions),
        set_aside=cohort.set_aside,
        comparisons=(*study.comparisons, *patient_comparisons(study)),
        cohort=covariates,
        whole_cohort=True,
        cohorts=of_patients,
        subgroups=subgroup_columns(study, cohort, covariates),
        choices=choices_of(out, study, units),
        attention=attention_of(out, study, cohort, units),
    )


def choices_of(out: Path, study: Study, units: Sequence[Unit]) -> tuple[Choice, ...]:
    """What every model of a radiomics arm chose; a logistic model's own weights, else those of the model that chose."""
    found = []
    for target, how in study.targets.items():
        for name, arm in study.arms.items():
            for unit in units if arm.kind == "radiomics" else ():
                folder = out / "pieces" / unit.name / target / name
                chosen = {row["feature"]: float(row["weight"]) for row in read_json(folder / "features.json")}
                model = load_piece(folder, study, target, arm).features[FEATURES]
                own = isinstance(model, FeatureModel)
                if isinstance(model, FeatureModel):
                    others = model.weight[: len(how.classes) - 1].mean(axis=0)
                    chosen = dict(zip(model.features, (model.weight[-1] - others).tolist(), strict=True))
                found.append(Choice(target, name, unit.name, chosen, own))
    return tuple(found)


def _classes(study: Study) -> dict[str, tuple[str, ...]]:
    """Classes of every target, those of patients included."""
    classes = {name: tuple(target.classes) for name, target in study.targets.items()}
    return classes | {name: classes[of] for of, name in patient_targets(study).items()}


def _arm_info(name: str, title: str, arm: Arm, outlined: bool) -> ArmInfo:
    """An arm as the report shows it; where cases have outlines, these place the cube that a network sees."""
    network = not arm.fed_features
    placed = outlined and network and not arm.needs_mask
    return ArmInfo(name, title, arm.description, arm.trivial, arm.needs_mask, network=network, placed=placed)


def warnings_of(cohort: Cohort) -> list[str]:
    """What is odd about the cohort as a whole."""
    table = {} if cohort.extra is None else cohort.extra.table
    return cohort_warnings(cohort.cases, table, leaves_cube=cohort.prepared.features["mask_leaves_cube"].tolist())


def report_run(
    out: Path,
    study: Study,
    cohort: Cohort,
    units: Sequence[Unit],
    predictions: pd.DataFrame,
    *,
    progress: Progress,
) -> tuple[Path, list[str]]:
    """Writes the report of a finished run; returns its path and the headline in words."""
    content = content_of(out, study, cohort, units, predictions)
    page = write_report(content, out, seed=study.seeds[0], resamples=study.bootstrap, progress=progress)
    metrics, comparisons = (pd.read_parquet(out / f"{name}.parquet") for name in ("metrics", "comparisons"))
    seconds = _seconds(out, study, units)
    text = summary_tables(study, metrics, comparisons, predictions, cohort.prepared.features, seconds)
    write_text(out / "summary.md", "\n".join([text, *chosen_lines(study, chosen_table(content))]))
    return page, [*headline(metrics, study), *(f"note: {one}" for one in warnings_of(cohort))]


def headline(metrics: pd.DataFrame, study: Study) -> list[str]:
    """The AUC (or, for several classes, the accuracy) of every arm, one line each; of the patients' targets as well."""
    lines = []
    classes = _classes(study)
    width = max(len(name) for name in (*study.arms, *patient_arms(study)))
    wide = max(len(name) for name in classes)
    for target, names in classes.items():
        name = "auc" if len(names) == 2 else "accuracy"
        for arm in study.arms if target in study.targets else patient_arms(study):
            rows = metrics[(metrics["target"] == target) & (metrics["arm"] == arm) & (metrics["metric"] == name)]
            rows = rows[rows["seed"].astype(str) == "all"]
            for value, low, high in rows[["value", "low", "high"]].to_numpy(dtype=float):
                interval = f" (95 % CI {low:.3f} to {high:.3f})" if np.isfinite(low) else ""
                lines.append(f"{target:{wide}}  {arm:{width}}  {name} {value:.3f}{interval}")
    return lines


def _seconds(out: Path, study: Study, units: Sequence[Unit]) -> dict[str, float]:
    """Training time of each arm over all units, the segmenter's included where it is needed."""
    histories = []
    for unit in units:
        folder = out / "pieces" / unit.name
        shared = folder / "segmenter.json"
        segmenter = read_json(shared) if shared.is_file() else {}
        for target in study.targets:
            one = {}
            for arm, how in study.arms.items():
                stages = read_json(folder / target / arm / "history.json")
                one[arm] = {**(segmenter if how.needs_segmenter else {}), **{k: v for k, v in stages.items() if v}}
            histories.append(one)
    return arm_seconds(histories)


def _histories(out: Path, study: Study, units: Sequence[Unit]) -> dict[str, list[dict[str, Any]]]:
    """Each training once: stages that arms share are stored with each of them."""
    found: dict[str, list[dict[str, Any]]] = {}
    for unit in units:
        shared = out / "pieces" / unit.name / "segmenter.json"
        files = [shared] if shared.is_file() else []
        files += [
            out / "pieces" / unit.name / target / arm / "history.json" for target in study.targets for arm in study.arms
        ]
        for file in files:
            target = "" if file is shared else f" {file.parent.parent.name}"
            for stage, history in read_json(file).items():
                if history:
                    place = target if len(study.targets) > 1 else ""
                    found.setdefault(f"{unit.name}{place} {stage}", history)
    return found
