"""Expectation against outcome on the granuloma phantoms: test predictions in, a row for each arm and verdicts out.

The margins were set before the run. An arm that has nothing to see is judged by the null interval of its AUC: the
classes are dealt out among the patients anew, 20,000 times, with the arm's own scores. Where several arms are expected
there, the interval holds all of them at once (Bonferroni); that for one arm stands beside it.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hounsfield.core.seeds import generator
from hounsfield.core.types import AnyArray, FloatArray, IntArray
from hounsfield.phantom.solitary_archive import POSITIVE
from hounsfield.stats.auc import auc
from hounsfield.stats.compare import compare_auc
from hounsfield.stats.estimate import Estimate
from hounsfield.stats.inputs import patient_codes

GLOBAL, LOCAL, LEAK, FINGERPRINT = "global_only", "local_only", "leak", "fingerprint"
UNMASKED, SCANS = "leak, nothing masked", "fingerprint, split by series"  # controls that are made the wrong way
FOUND = 0.95  # an AUC from which a signal counts as found
EQUAL = 0.05  # AUCs within this are equal
DRAWS = 20_000
MET, NOT_MET, UNCLEAR, FINDING = "met", "not met", "not distinguishable", "finding"

TRIVIAL, RADIOMICS, SINGLE, DUAL, SHAPE = "volume_age_sex", "radiomics", "single_path", "dual_path", "lung_shape"
BLIND: Mapping[str, tuple[str, ...]] = {  # arms that can't see the signal, by phantom
    GLOBAL: (TRIVIAL, RADIOMICS, SINGLE, SHAPE),
    LOCAL: (TRIVIAL,),
    LEAK: (TRIVIAL, RADIOMICS, SINGLE, DUAL, SHAPE),
    UNMASKED: (TRIVIAL,),
    FINGERPRINT: (TRIVIAL, RADIOMICS, SINGLE, DUAL, SHAPE),
    SCANS: (),
}
SEEING: Mapping[str, tuple[str, ...]] = {  # arms that must find it
    GLOBAL: (DUAL,),
    LOCAL: (RADIOMICS, SINGLE, DUAL, SHAPE),
    LEAK: (),
    UNMASKED: (DUAL,),
    FINGERPRINT: (),
    SCANS: (),
}

Rows = Mapping[tuple[str, str], Mapping[Hashable, Any]]  # of the table, by phantom and arm


@dataclass(frozen=True)
class ArmResult:
    """N test rows of one arm: label 0 or 1, probability of the positive class, and whose they are."""

    label: IntArray
    prob: FloatArray
    patient_id: AnyArray


@dataclass(frozen=True)
class Verdict:
    """What is expected of a run, what was found, and whether they agree."""

    phantom: str
    expectation: str
    found: str
    verdict: str


def results_of(predictions: pd.DataFrame, *, patients: pd.Series | None = None) -> dict[str, ArmResult]:
    """The test part of a finished run, arm by arm.

    Args:
        predictions: of the run; its patients' target counts, the mean of each patient's series.
        patients: true patient by case_id, where a run was deceived about them: then series count, tied to these.
    """
    own = predictions[predictions["split"] == "test"]
    pooled = own["target"].str.endswith("of the patient")
    own = own[pooled] if patients is None else own[~pooled]
    found = {}
    for arm in dict.fromkeys(own["arm"]):
        rows = own[own["arm"] == arm].sort_values("case_id")
        whose = rows["patient_id"] if patients is None else rows["case_id"].map(patients)
        found[str(arm).removesuffix(", mean")] = ArmResult(
            (rows["label"] == POSITIVE).to_numpy(dtype=np.int64),
            rows[f"prob_{POSITIVE}"].to_numpy(dtype=np.float64),
            whose.to_numpy(dtype=str),
        )
    return found


def null_interval(
    one: ArmResult, *, rng: np.random.Generator, tests: int = 1, level: float = 0.95
) -> tuple[float, float]:
    """Ends of the interval that holds the AUC of these scores when the class of each patient is drawn by lot.

    Args:
        tests: how many arms it is to hold at once.
    """
    codes, count = patient_codes(one.patient_id, cases=len(one.label))
    of_patient = np.zeros(count, dtype=np.int64)
    of_patient[codes] = one.label
    order = np.argsort(rng.random((DRAWS, count)), axis=1)
    dealt = of_patient[order][:, codes]
    rank = pd.Series(one.prob).rank().to_numpy(dtype=np.float64)
    ups = dealt.sum(axis=1)
    downs = len(rank) - ups
    keep = (ups > 0) & (downs > 0)
    areas = ((dealt @ rank - ups * (ups + 1) / 2)[keep]) / (ups * downs)[keep]
    tail = (1 - level) / (2 * tests)
    return float(np.quantile(areas, tail, method="lower")), float(np.quantile(areas, 1 - tail, method="higher"))


def table_of(phantom: str, results: Mapping[str, ArmResult]) -> pd.DataFrame:
    """One row an arm: AUC with its interval, the null interval of one arm and of all blind arms, what is expected."""
    rows = []
    for arm, one in results.items():
        area = _area(one)
        tests = max(1, len(BLIND[phantom]))
        alone, together = (null_interval(one, rng=_rng(phantom, arm), tests=count) for count in (1, tests))
        rows.append(
            {
                "phantom": phantom,
                "arm": arm,
                "patients": len(set(one.patient_id.tolist())),
                "rows": len(one.label),
                "positive": int(one.label.sum()),
                "auc": area.value,
                "auc_low": area.low,
                "auc_high": area.high,
                "null_low": alone[0],
                "null_high": alone[1],
                "null_low_all": together[0],
                "null_high_all": together[1],
                "expected": "blind" if arm in BLIND[phantom] else "found" if arm in SEEING[phantom] else "",
            }
        )
    return pd.DataFrame(rows)


def judge(runs: Mapping[str, Mapping[str, ArmResult]], table: pd.DataFrame) -> list[Verdict]:
    """Every expectation, judged.

    Args:
        runs: by phantom and arm.
        table: rows of `table_of` for all of them.
    """
    rows = {(str(row["phantom"]), str(row["arm"])): row for row in table.to_dict("records")}
    verdicts = []
    for phantom in runs:
        if BLIND[phantom] and phantom not in (LOCAL, UNMASKED):
            verdicts.append(_blind(phantom, rows))
        verdicts += [_found(phantom, arm, rows) for arm in SEEING[phantom]]
        if phantom == LOCAL:
            verdicts.append(_not_worse(runs[LOCAL]))
            verdicts.append(_blind(LOCAL, rows))
        if phantom == SCANS:
            verdicts += [_above(arm, rows) for arm in (SINGLE, DUAL)]
    return verdicts


def _area(one: ArmResult) -> Estimate:
    return auc(one.label, one.prob, patient_id=one.patient_id)


def _rng(phantom: str, arm: str) -> np.random.Generator:
    return generator(0, "null interval", phantom, arm)


def _blind(phantom: str, rows: Rows) -> Verdict:
    arms = BLIND[phantom]
    own = [rows[phantom, arm] for arm in arms]
    inside = all(row["null_low_all"] <= row["auc"] <= row["null_high_all"] for row in own)
    words = ", ".join(f"{row['arm']} {row['auc']:.3f}" for row in own)
    low, high = max(row["null_low_all"] for row in own), min(row["null_high_all"] for row in own)
    many = f" for all {len(arms)} at once" if len(arms) > 1 else ""
    beyond = [row["arm"] for row in own if not row["null_low"] <= row["auc"] <= row["null_high"]]
    note = f"; outside the interval of one arm: {', '.join(beyond)}" if beyond and len(arms) > 1 else ""
    found = f"{words}; null interval {low:.3f} to {high:.3f}{many}{note}"
    return Verdict(phantom, _blind_words(arms), found, MET if inside else NOT_MET)


def _blind_words(arms: Sequence[str]) -> str:
    return "nothing is found" if len(arms) > 1 else f"{arms[0]} finds nothing"


def _found(phantom: str, arm: str, rows: Rows) -> Verdict:
    row = rows[phantom, arm]
    found = f"{row['auc']:.3f} ({row['auc_low']:.3f} to {row['auc_high']:.3f})"
    return Verdict(phantom, f"{arm} reaches {FOUND}", found, MET if row["auc"] >= FOUND else NOT_MET)


def _not_worse(local: Mapping[str, ArmResult]) -> Verdict:
    single, dual = local[SINGLE], local[DUAL]
    gap = compare_auc(dual.label, dual.prob, single.prob, patient_id=dual.patient_id).difference
    if not gap.has_interval:
        verdict, found = (MET if gap.value >= 0 else UNCLEAR), f"{gap.value:+.3f} ({gap.note or 'no interval'})"
    else:
        verdict = NOT_MET if gap.high < 0 else MET if gap.low > -EQUAL else UNCLEAR
        found = f"{gap.value:+.3f} ({gap.low:+.3f} to {gap.high:+.3f})"
    return Verdict(LOCAL, f"{DUAL} not below {SINGLE}", found, verdict)


def _above(arm: str, rows: Rows) -> Verdict:
    row = rows[SCANS, arm]
    found = (
        f"{row['auc']:.3f} ({row['auc_low']:.3f} to {row['auc_high']:.3f}), "
        f"null interval {row['null_low']:.3f} to {row['null_high']:.3f}"
    )
    return Verdict(SCANS, f"{arm} above chance", found, MET if row["auc_low"] > row["null_high"] else NOT_MET)
