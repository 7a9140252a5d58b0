"""Multi-reader multi-case studies: every reader's scores under every modality in, differences for readers at large out.

The analysis of variance of Obuchowski and Rockette with Hillis' degrees of freedom. Readers and cases are random, so a
difference counts only if it stands out against how readers vary, how cases vary, and how both vary together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from hounsfield.core.errors import HounsfieldError
from hounsfield.core.types import FloatArray
from hounsfield.stats.auc import auc_covariance
from hounsfield.stats.compare import Comparison
from hounsfield.stats.estimate import Estimate
from hounsfield.stats.inputs import binary_labels, checked_level, patient_codes

RANDOM = ("readers and cases", "cases", "readers")


@dataclass(frozen=True)
class Covariances:
    """Error variance and covariances of figures of merit, averaged over pairs.

    Attributes:
        variance: of one reader with one modality.
        same_reader: Cov1, one reader, two modalities.
        same_modality: Cov2, two readers, one modality.
        neither: Cov3, two readers, two modalities.
        each_modality: (T,) Cov2 of each modality by itself.
        each_variance: (T,) error variance of each modality by itself; empty where only the average is known.
    """

    variance: float
    same_reader: float
    same_modality: float
    neither: float
    each_modality: tuple[float, ...]
    each_variance: tuple[float, ...] = ()


@dataclass(frozen=True)
class ReaderStudy:
    """Result of the analysis.

    Attributes:
        figure: (T, R) figure of merit of every modality and reader.
        modality: mean over readers of each modality with its interval.
        f: F statistic of no difference between the modalities.
        freedom: its degrees of freedom; the second may be infinite.
        p: p-value of that test; NaN with one modality.
        differences: every pair of modalities, first minus second, in the order (0, 1), (0, 2), ...
        covariances: what the tests rest on.
    """

    figure: FloatArray
    modality: tuple[Estimate, ...]
    f: float
    freedom: tuple[float, float]
    p: float
    differences: tuple[Comparison, ...]
    covariances: Covariances


def reader_study(
    label: npt.ArrayLike,
    score: npt.ArrayLike,
    *,
    random: str = "readers and cases",
    patient_id: npt.ArrayLike | None = None,
    level: float = 0.95,
) -> ReaderStudy:
    """AUCs of T modalities read by the same R readers on the same N cases.

    Args:
        label: (N,) 0 or 1, both present.
        score: (T, R, N) rating of each case; every reader reads every case with every modality.
        random: what stands for more than itself: "readers and cases" (the usual claim), "cases" (these readers
            alone), "readers" (these cases alone).
        patient_id: (N,); with several cases a patient the covariances are Obuchowski's.

    Raises: HounsfieldError for another shape, missing ratings, one reader where readers are random.
    Source: Obuchowski & Rockette, Commun Stat Simul 1995;24:285; Hillis, Stat Med 2007;26:596; Hillis, Stat Med
        2014;33:330.
    """
    positive = binary_labels(label)
    given = np.asarray(score, dtype=np.float64)
    if given.ndim != 3 or given.shape[2] != len(positive):
        raise HounsfieldError(f"score is modalities x readers x {len(positive)} cases; got shape {given.shape}.")
    modalities, readers, cases = given.shape
    codes, patients = patient_codes(patient_id, cases=cases)
    areas, covariance = auc_covariance(positive, given.reshape(-1, cases), patient_id=codes)
    found = covariances(covariance, modalities=modalities, readers=readers)
    unit = "patients" if patients < cases else "cases"
    return analyse(areas.reshape(modalities, readers), found, random=random, n=patients, unit=unit, level=level)


def model_against_readers(
    label: npt.ArrayLike,
    model: npt.ArrayLike,
    readers: npt.ArrayLike,
    *,
    random: str = "readers and cases",
    patient_id: npt.ArrayLike | None = None,
    level: float = 0.95,
) -> ReaderStudy:
    """The AUC of a model by itself against that of readers in general, on the same cases.

    The model is fixed, whoever reads; its area varies with the cases as the readers' do. What varies over readers is
    each one's difference to the model, a study of one modality; entering the model as a second modality in which
    everybody has its scores gives that study's test and interval exactly. Said of this model as it is: how another
    training would have turned out is no part of it.

    Args:
        model: (N,) its score of each case.
        readers: (R, N) ratings, two or more readers unless `random` is "cases".

    Returns: modality 0 is the model, 1 the readers' mean, and the one difference is the model minus that mean.
    Raises: HounsfieldError as `reader_study` does.
    Source: Hillis et al., Stat Med 2005;24:1579 (one modality); Chakraborty, Observer Performance Methods for
        Diagnostic Imaging, 2017, chapter 22 (difference to the model, and the equality of both ways).
    """
    ratings = np.asarray(readers, dtype=np.float64)
    score = np.asarray(model, dtype=np.float64)
    if ratings.ndim != 2 or score.shape != ratings.shape[1:]:
        raise HounsfieldError(f"readers are (R, N) and the model (N,); got {ratings.shape} and {score.shape}.")
    both = np.stack([np.broadcast_to(score, ratings.shape), ratings])
    return reader_study(label, both, random=random, patient_id=patient_id, level=level)


def analyse(
    figure: npt.ArrayLike,
    found: Covariances,
    *,
    random: str = "readers and cases",
    n: int = 0,
    unit: str = "cases",
    level: float = 0.95,
) -> ReaderStudy:
    """The same from figures of merit and covariances, as papers and other programs print them.

    Args:
        figure: (T, R) any figure of merit.
        n: what the estimates report as number of units.
    """
    checked_level(level)
    table = np.asarray(figure, dtype=np.float64)
    if table.ndim != 2 or not np.isfinite(table).all() or not table.size:
        raise HounsfieldError(f"figures of merit are modalities x readers, finite; got shape {table.shape}.")
    if random not in RANDOM:
        raise HounsfieldError(f"random is one of {', '.join(RANDOM)}; got {random!r}.")
    modalities, readers = table.shape
    if readers < 2 and random != "cases":
        raise HounsfieldError("a claim for readers in general needs two or more readers. Take random='cases'.")
    means = table.mean(axis=1)
    rest = table - means[:, None] - table.mean(axis=0)[None] + table.mean()
    between = readers * float(((means - table.mean()) ** 2).sum()) / max(1, modalities - 1)
    interaction = float((rest**2).sum()) / max(1, (modalities - 1) * (readers - 1))
    error, freedom = _error(interaction, found, random, modalities, readers)
    f = between / error if modalities > 1 and error > 0 else math.nan
    first = float(modalities - 1)
    p = math.nan
    if not math.isnan(f):
        p = float(stats.chi2.sf(f * first, first) if math.isinf(freedom) else stats.f.sf(f, first, freedom))
    tail = (n, unit, f"Obuchowski-Rockette, random {random}", level)
    differences = []
    for a in range(modalities):
        for b in range(a + 1, modalities):
            gap, se = float(means[a] - means[b]), math.sqrt(max(0.0, 2 / readers * error))
            differences.append(_difference(gap, se, freedom, tail))
    each = tuple(_modality(table[k], found, k, random, tail) for k in range(modalities))
    return ReaderStudy(table, each, f, (first, freedom), p, tuple(differences), found)


def covariances(covariance: FloatArray, *, modalities: int, readers: int) -> Covariances:
    """Averages of a (T R, T R) covariance matrix whose rows run over readers within modalities; 0 where no pair is."""
    table = np.asarray(covariance, dtype=np.float64).reshape(modalities, readers, modalities, readers)
    same_t = np.eye(modalities, dtype=bool)[:, None, :, None]
    same_r = np.eye(readers, dtype=bool)[None, :, None, :]
    shape = table.shape

    def mean(chosen: npt.NDArray[np.bool_]) -> float:
        picked = table[np.broadcast_to(chosen, shape)]
        return float(picked.mean()) if picked.size else 0.0

    off = ~np.eye(readers, dtype=bool)
    blocks = [table[k, :, k, :] for k in range(modalities)]
    return Covariances(
        variance=mean(same_t & same_r),
        same_reader=mean(~same_t & same_r),
        same_modality=mean(same_t & ~same_r),
        neither=mean(~same_t & ~same_r),
        each_modality=tuple(float(block[off].mean()) if readers > 1 else 0.0 for block in blocks),
        each_variance=tuple(float(block.diagonal().mean()) for block in blocks),
    )


def _error(interaction: float, found: Covariances, random: str, modalities: int, readers: int) -> tuple[float, float]:
    """Mean square that the modalities' is held against, and its degrees of freedom."""
    shared = max(0.0, found.same_modality - found.neither)
    if random == "cases":
        return found.variance - found.same_reader + (readers - 1) * shared, math.inf
    freedom = float((modalities - 1) * (readers - 1))
    if random == "readers":
        return interaction, freedom
    error = interaction + readers * shared
    return error, (error**2 / (interaction**2 / freedom) if interaction > 0 and freedom else math.inf)


def _difference(gap: float, se: float, freedom: float, tail: tuple[int, str, str, float]) -> Comparison:
    name = tail[2]
    if se <= 0:
        note = "no spread: the difference shows no variance"
        return Comparison(Estimate(gap, math.nan, math.nan, *tail, note), 1.0 if gap == 0 else math.nan, name)
    law = stats.norm if math.isinf(freedom) else stats.t(freedom)
    half = se * float(law.ppf((1 + tail[3]) / 2))
    return Comparison(Estimate(gap, gap - half, gap + half, *tail), 2 * float(law.sf(abs(gap) / se)), name)


def _modality(
    row: FloatArray, found: Covariances, place: int, random: str, tail: tuple[int, str, str, float]
) -> Estimate:
    """Mean over readers of one modality, from that modality's figures alone."""
    readers, mean = len(row), float(row.mean())
    spread = float(row.var(ddof=1)) if readers > 1 else 0.0
    shared = max(0.0, found.each_modality[place])
    if random == "cases":
        alone = found.each_variance[place] if found.each_variance else found.variance
        variance, freedom = (alone + (readers - 1) * shared) / readers, math.inf
    else:
        error = spread + (readers * shared if random != "readers" else 0.0)
        variance = error / readers
        freedom = error**2 / (spread**2 / (readers - 1)) if spread > 0 else math.inf
    if variance <= 0:
        return Estimate(mean, math.nan, math.nan, *tail, "no spread")
    law = stats.norm if math.isinf(freedom) else stats.t(freedom)
    half = math.sqrt(variance) * float(law.ppf((1 + tail[3]) / 2))
    return Estimate(mean, max(0.0, mean - half), min(1.0, mean + half), *tail)
