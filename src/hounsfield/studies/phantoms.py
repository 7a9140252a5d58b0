"""Phantoms as proof that the arms behave as theory says: an empty folder in, four runs and one page of verdicts out.

OUT/PHANTOM/cubes   simulated cubes, masks and cases.csv     OUT/phantoms.csv   every arm of every phantom, a row each
OUT/PHANTOM/run     an ordinary run of phantoms.yaml         OUT/phantoms.md    the tables and what they mean
Source: Wang et al., Comput Med Imaging Graph 2021;88:101814 (arms, and the protocol whose optimism is measured).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from hounsfield.core.atomic import atomic_file, write_text
from hounsfield.core.progress import Progress, silent
from hounsfield.core.types import BoolArray, FloatArray, IntArray
from hounsfield.data.batches import Tensors
from hounsfield.nets.nodule_classifier import NoduleClassifierConfig
from hounsfield.phantom.cubes import CubeSet
from hounsfield.studies.cohort import Cohort, make_cohort
from hounsfield.studies.load import load
from hounsfield.studies.paper_protocol import Optimism, choose_on_the_test_part
from hounsfield.studies.phantom_cases import (
    CLEAN,
    CONFOUNDER,
    FULL,
    NO_SIGNAL,
    PHANTOMS,
    QUICK,
    Sizes,
    aligned_test_set,
    draw_part,
    probe_set,
    write_phantom,
)
from hounsfield.studies.phantom_page import page
from hounsfield.studies.phantom_results import PhantomResult, mask_values, predict_cubes, result_of, table_of
from hounsfield.studies.phantom_verdicts import judge
from hounsfield.studies.piece_files import load_piece
from hounsfield.studies.pieces import Unit, settings_of, tensors
from hounsfield.studies.runner import Machine, piece_folder, run_study
from hounsfield.studies.study import Study
from hounsfield.tables.predictions import read_predictions

_MASKED = ("auto_mask", "joint")  # arms that draw a mask of their own; that of (f) is that of (c)
_NETWORKS = ("raw", "expert_mask", "auto_mask", "joint", "transfer")
_TARGET = "label"
_PAPER_TEST = 225  # at most; nodules in the paper's test part, by which its protocol chooses
_PAPER_EPOCHS = 40


def run_phantoms(
    out: Path,
    *,
    quick: bool = False,
    seed: int = 1,
    machine: Machine | None = None,
    progress: Progress = silent,
) -> list[str]:
    """Runs the study in `out`; run again, it goes on or finds all done.

    Args:
        quick: few small cubes and epochs, to see it run; its verdicts mean nothing.
    Returns: the verdicts and where the page is, a line each.
    """
    machine = machine or Machine()
    study = load("phantoms", profile="quick" if quick else "full", seeds=[seed])
    sizes = QUICK if quick else FULL
    results = {}
    for phantom in PHANTOMS:
        cases = write_phantom(out / phantom / "cubes", phantom, sizes[phantom], seed=seed, progress=progress)
        run_study(study, cases, out / phantom / "run", machine=machine, progress=progress)
        results[phantom] = _result(phantom, out / phantom / "run", study, sizes[phantom], seed)
    optimism = _paper_protocol(out, study, machine, seed, progress)
    table = pd.concat([table_of(one).assign(phantom=name) for name, one in results.items()], ignore_index=True)
    with atomic_file(out / "phantoms.csv") as path:
        table[["phantom", *[name for name in table if name != "phantom"]]].to_csv(path, index=False)
    verdicts = judge(results)
    titles = {name: arm.title for name, arm in study.arms.items()}
    write_text(out / "phantoms.md", page(results, table, verdicts, optimism, titles=titles, sizes=sizes, quick=quick))
    lines = [f"{one.phantom:11} {one.verdict:20} {one.expectation}: {one.found}" for one in verdicts]
    return [*lines, f"page: {out / 'phantoms.md'}"]


def _result(phantom: str, run: Path, study: Study, sizes: Sizes, seed: int) -> PhantomResult:
    """The numbers of a finished run, and what its masks and networks do on cubes drawn for the purpose."""
    predictions = read_predictions(run / "predictions.parquet")
    result = result_of(phantom, predictions, draw_part(phantom, "test", sizes.test, seed=seed))
    if phantom in (CLEAN, CONFOUNDER):
        probe = probe_set(sizes.test, seed=seed)
        masks = {}
        for name in _MASKED:
            soft = _apply(run, study, name, probe, seed)[1]
            if soft is not None:
                masks[name] = mask_values(soft, probe)
        result = replace(result, masks=masks)
    if phantom == CONFOUNDER:
        aligned = aligned_test_set(sizes.test, seed=seed)
        right = {name: _apply(run, study, name, aligned, seed)[0] == aligned.labels for name in _NETWORKS}
        result = replace(result, aligned={name: float(np.mean(hit)) for name, hit in right.items()})
    return result


def _apply(run: Path, study: Study, name: str, cubes: CubeSet, seed: int) -> tuple[IntArray, FloatArray | None]:
    """Classes and soft masks by a trained arm of a run, on cubes that are in no table."""
    folder = piece_folder(run, Unit(0, 0, seed), _TARGET, name)
    output = predict_cubes(load_piece(folder, study, _TARGET, study.arms[name]), cubes, study)
    return output.prob.argmax(axis=1), output.mask


def _paper_protocol(out: Path, study: Study, machine: Machine, seed: int, progress: Progress) -> Optimism:
    """The paper's way of choosing, on the phantom without signal."""
    run = out / NO_SIGNAL / "run"
    cohort = make_cohort(study, out / NO_SIGNAL / "cubes" / "cases.csv", run / "cache", progress=progress)
    shown, fresh = halves(cohort.labels[_TARGET], cohort.part(0, 0, "test"), most=_PAPER_TEST)
    parts = [_cubes(cohort, rows) for rows in (np.flatnonzero(cohort.part(0, 0, "train")), shown, fresh)]
    how = settings_of(study, machine.device)
    z, y, x = study.preparation.size
    network = NoduleClassifierConfig(**(how.network.model_dump() | {"classes": 2, "grid": (z, y, x)}))
    # A constant rate, so that the late epochs differ among each other as those of a long training do.
    epochs = min(_PAPER_EPOCHS, 4 * how.classifier.epochs)
    training = how.classifier.model_copy(update={"schedule": "constant", "epochs": epochs})
    folder = out / NO_SIGNAL / "paper-protocol"
    return choose_on_the_test_part(*parts, network=network, how=training, seed=seed, folder=folder, progress=progress)


def halves(label: IntArray, test: BoolArray, *, most: int) -> tuple[IntArray, IntArray]:
    """Rows of the test part to choose by, and rows to judge by.

    Both hold both classes equally often where the part does: one class more often would reward a model that always
    says that class, and pass for optimism.

    Args:
        label: (N,) 0 or 1.
        test: (N,) membership.
        most: rows to choose by at the most; never more than half of a class.
    """
    classes = [np.flatnonzero(test & (label == one)) for one in (0, 1)]
    count = min(most // 2, *(len(rows) // 2 for rows in classes))
    return np.concatenate([rows[:count] for rows in classes]), np.concatenate([rows[count:] for rows in classes])


def _cubes(cohort: Cohort, rows: IntArray) -> Tensors:
    keep = np.zeros(len(cohort.cases), dtype=bool)
    keep[rows] = True
    return tensors(cohort, keep, cohort.labels[_TARGET])
