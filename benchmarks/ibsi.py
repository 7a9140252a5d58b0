"""The page docs/studies/ibsi.md: our features beside the consensus of the Image Biomarker Standardisation Initiative.

python benchmarks/ibsi.py FOLDER > docs/studies/ibsi.md

FOLDER holds reference.csv (configuration, family, feature, teams_agreeing, value), digital_phantom/ and
ct_radiomics_phantom/, each with image/phantom.nii.gz and mask/mask.nii.gz.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from hounsfield.radiomics.sets import catalogue
from hounsfield.radiomics.standard import CONFIGURATIONS, Judged, judge

HEAD = """# The IBSI reference values

The Image Biomarker Standardisation Initiative (IBSI; Zwanenburg et al., Radiology 2020;295:328) had 25 teams measure
two phantoms and published what most of them found, in three digits. This page is printed from both by
`python benchmarks/ibsi.py FOLDER > docs/studies/ibsi.md`; `tests/radiomics/test_ibsi.py` holds every number of it.

A value **agrees** when ours, rounded to three digits, is the consensus. The table carries no tolerances; this is the
strictest reading of it, and the tolerances that the manual grants to configurations A to E were not needed. Counted are
values on which three teams or more agree; each way of putting slices and directions together counts for itself.
"""
SETTINGS = {
    "digital phantom": "as it is, grey levels as stored",
    "configuration A": "by slice, as it is, -500 to 400 HU, bins of 25 HU",
    "configuration B": "by slice, 2 mm in plane (bilinear), -500 to 400 HU, 32 bins",
    "configuration C": "3-D, 2 mm (trilinear), -1000 to 400 HU, bins of 25 HU",
    "configuration D": "3-D, 2 mm (trilinear), 3 SD, 32 bins",
    "configuration E": "3-D, 2 mm (cubic B-spline), -1000 to 400 HU and 3 SD, 32 bins",
}
WHY = {
    (
        "configuration B",
        "Distance zone matrix (2D)",
        "Small distance low grey level emphasis",
    ): "more than rounding, but a tenth of what the manual allows here (0.0005); three teams, none of the 107",
}
LEFT = {
    "Intensity volume histogram": "not implemented: none of the 107, and of use in PET",
    "Local intensity": "not implemented: none of the 107, a peak in 1 ml for PET",
    "Morphology": "minimum bounding box and enclosing ellipsoid, not implemented: hardly any consensus",
}


def main(folder: Path) -> None:
    """Prints the page."""
    rows = {name: judge(folder, name) for name in CONFIGURATIONS}
    standard = {name for name, one in catalogue().items() if one.pyradiomics}
    print(HEAD)
    print("| phantom or configuration | processing | values checked | agree | of the 107: checked | agree |")
    print("|---|---|---|---|---|---|")
    for name, found in rows.items():
        known = [row for row in found if row.name and row.teams >= 3]
        core = [row for row in known if row.name in standard]
        print(f"| {name} | {SETTINGS[name]} | {_counts(known)} | {_counts(core)} |")
    checked = [row for found in rows.values() for row in found if row.name and row.teams >= 3]
    print(f"| **all** | | {_counts(checked)} | {_counts([row for row in checked if row.name in standard])} |")
    _print_differences(checked)
    _print_the_rest([row for found in rows.values() for row in found], standard)


def _counts(rows: list[Judged]) -> str:
    return f"{len(rows)} | {sum(row.agrees for row in rows)}"


def _print_differences(checked: list[Judged]) -> None:
    print("\n## What differs\n\n| where | feature | teams | consensus | ours | why |\n|---|---|---|---|---|---|")
    for row in (row for row in checked if not row.agrees):
        why = WHY.get((row.configuration, row.family, row.feature), "**not explained**")
        where = f"{row.configuration}, {row.family}"
        print(f"| {where} | {row.feature} | {row.teams} | {row.consensus:g} | {row.value:.6g} | {why} |")


def _print_the_rest(rows: list[Judged], standard: set[str]) -> None:
    print("\n## What is not judged\n\n| family | values with three teams or more | why |\n|---|---|---|")
    left = Counter(row.family for row in rows if not row.name and row.teams >= 3)
    for family, count in sorted(left.items()):
        print(f"| {family} | {count} | {LEFT[family]} |")
    few = [row for row in rows if row.name and row.teams < 3]
    print(f"\nWith fewer than three teams: {len(few)} of the values implemented.")
    foreign = sorted(name for name in standard if not catalogue()[name].ibsi_code)
    print(f"\nOf the 107, {len(foreign)} are not in the manual and have no consensus: {', '.join(foreign)}.")
    print("They are held against PyRadiomics 3.0.1 instead (`tests/radiomics/test_against_libraries.py`).")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
