"""The page of the granuloma phantoms: rows of all arms and verdicts in, Markdown out, as one `##` section."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from hounsfield.phantom.solitary import (
    CLEAR_MM,
    FAR_MM,
    NODULE_HU,
    NODULE_MM,
    SATELLITE_MM,
    SATELLITES,
    SHAPE,
    SPACING_MM,
)
from hounsfield.studies.granuloma_phantom_cases import Sizes
from hounsfield.studies.granuloma_phantom_verdicts import (
    DRAWS,
    EQUAL,
    FINGERPRINT,
    FOUND,
    GLOBAL,
    LEAK,
    LOCAL,
    SCANS,
    UNMASKED,
    Verdict,
)
from hounsfield.studies.study import Study

_WORDS = {
    GLOBAL: "**Global-only signal.** Identical nodules; positive patients have satellites elsewhere in the lungs.",
    LOCAL: "**Local-only signal.** The nodule of positive patients has a texture of the same mean; lungs are alike.",
    LEAK: (
        "**Leak.** Positive patients have balls of 400 HU in the chest wall and a metal plate under the table, on the "
        "far side; outside of lungs and cube nothing may be seen."
    ),
    UNMASKED: (
        "**Leak, nothing masked.** A control that shows the leak is there to be found: the same patients, and a lung "
        "mask that is 1 everywhere."
    ),
    FINGERPRINT: (
        "**Patient fingerprint.** Each patient's nodule has a texture of its own, the class is drawn by lot, and there "
        "are two or three series a patient. Split by patient, as this package always does."
    ),
    SCANS: (
        "**Fingerprint, split by series.** The wrong way, made on purpose outside of the package's own: each series is "
        "given out as a patient. Rows are series; intervals are tied to the true patients."
    ),
}


def section(table: pd.DataFrame, verdicts: Sequence[Verdict], study: Study, sizes: Sizes, *, quick: bool) -> str:
    """The whole section.

    Args:
        table: rows of `granuloma_phantom_verdicts.table_of`.
        quick: says first that so small a run proves nothing.
    """
    titles = {name: arm.title for name, arm in study.arms.items()}
    parts = [
        "## Phantoms: does each arm see what it may see, and nothing else?",
        "",
        *(["A quick run, to see it work: its verdicts mean nothing.", ""] if quick else []),
        *_setting(study, sizes),
        "",
        "### Verdicts",
        "",
        *_table(
            ("phantom", "expected", "found", "verdict"),
            [
                (one.phantom, _named(one.expectation, titles), _named(one.found, titles), f"**{one.verdict}**")
                for one in verdicts
            ],
        ),
        "",
        f"Set before the run: a signal counts as found from an AUC of {FOUND} on; AUCs within {EQUAL} are equal; above "
        "chance means that the 95 % interval lies above the null interval. The null interval of an AUC is simulated: "
        f"classes are dealt out among the patients of the test part {DRAWS:,} times, scores as they are. Where several "
        "arms are expected in it, it holds all of them at once (Bonferroni).",
        "",
        "### Every arm",
        "",
    ]
    for phantom in dict.fromkeys(table["phantom"]):
        parts += [_WORDS[phantom], "", *_arms(table[table["phantom"] == phantom], titles), ""]
    return "\n".join(parts).rstrip() + "\n"


def _setting(study: Study, sizes: Sizes) -> list[str]:
    z, y, x = SHAPE
    low, high = SATELLITE_MM
    inputs = study.inputs.lungs
    grid = "" if inputs is None else " x ".join(str(n) for n in inputs.grid)
    training = study.arms["dual_path"].training
    epochs = "" if training is None else f"{training.epochs} epochs in batches of {training.batch_size}"
    cube = study.preparation.size[0] * study.preparation.spacing_mm[0]
    return [
        f"From DICOM on: series of {z} slices of {y} x {x} pixels, {SPACING_MM[0]:g} mm along every axis; archive, "
        "catalog, spreadsheet of outcomes, cases table, lungs found in the CT, study. Patients: "
        f"global-only {sizes.global_only}, local-only {sizes.local_only}, leak {sizes.leak}, fingerprint "
        f"{sizes.fingerprint}, half of them positive; {study.split.test:.0%} of them are the test part, the others "
        f"make {study.split.folds} folds whose models are averaged on it. Nodules: balls of {NODULE_MM[0]:g} to "
        f"{NODULE_MM[1]:g} mm at {NODULE_HU:g} HU in both classes. Satellites: {SATELLITES[0]} to {SATELLITES[1]} "
        f"balls of {low:g} to {high:g} mm, wholly in the lung, centres more than {FAR_MM:g} mm from the nodule's and "
        f"no point nearer than {CLEAR_MM:g} mm, where the corner of an augmented cube of {cube:g} mm ends at 68.5 mm. "
        f"They are larger than the 8 mm that a fine grid would need, because the lungs' grid of {grid} voxels has "
        f"about 5 mm: three voxels across. Networks: ResNet-10 of width 8 for each path, pairwise AUC loss, {epochs}; "
        "the epoch is chosen on the fold left out. A patient has the same body, nodule, age and sex in either class: "
        "all is drawn without looking at the class, and only the signal is then added. Two phantoms train in another "
        "way: local-only for 40 epochs at three times the rate, since a texture without a fixed pattern takes longer "
        "to learn; the fingerprint without mirror images and with small turns only, so that patients are learnt by "
        "heart most easily.",
    ]


def _arms(rows: pd.DataFrame, titles: Mapping[str, str]) -> list[str]:
    found = []
    for row in rows.to_dict("records"):
        expected = {"blind": "nothing to see", "found": f"{FOUND} or more"}.get(str(row["expected"]), "")
        found.append(
            (
                titles.get(str(row["arm"]), str(row["arm"])),
                f"{row['auc']:.3f} ({row['auc_low']:.3f} to {row['auc_high']:.3f})",
                f"{row['null_low']:.3f} to {row['null_high']:.3f}",
                expected,
            )
        )
    first = rows.iloc[0]
    count = f"{first['patients']} patients" + (f", {first['rows']} series" if first["rows"] > first["patients"] else "")
    return _table(("arm", f"test AUC (95 % CI), {count}", "null interval of one arm", "expected"), found)


def _named(text: str, titles: Mapping[str, str]) -> str:
    for name, title in titles.items():
        text = text.replace(name, title)
    return text


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(cell.replace("|", "/") for cell in line) + " |" for line in lines]
