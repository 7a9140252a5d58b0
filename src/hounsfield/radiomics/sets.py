"""Which features there are, and named sets of them. In: a set's name or feature names; out: the names, in one order.

The table `features.csv` beside this file has a row a feature: its name (family first), the manual's family, name and
four-letter code, PyRadiomics' name where it is among that library's 107, the unit, and where the two differ.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from hounsfield.core.errors import HounsfieldError
from hounsfield.core.registry import nearest

FAMILIES = ("shape", "first_order", "histogram", "glcm", "glrlm", "glszm", "gldzm", "ngtdm", "gldm")
TEXTURE = ("glcm", "glrlm", "glszm", "gldzm", "ngtdm", "gldm")

# What each set holds. The paper on cryptococcal granuloma names 91 features of PyRadiomics without saying which; of its
# 107, whole classes add up to 91 in two ways only: without the 16 of run lengths or without the 16 of size zones.
SETS = {
    "standard107": "PyRadiomics' 107 of an unfiltered image",
    "paper91-without-glrlm": "the 107 without run lengths",
    "paper91-without-glszm": "the 107 without size zones",
    "shape": "the 14 of the 107 that need the outline alone",
    "first_order": "the 18 of the 107 on intensities without their places",
    "texture": "the 75 of the 107 on grey levels and their places",
    "ibsi": "all that is implemented of the manual",
    "all": "every feature there is",
}


@dataclass(frozen=True)
class Feature:
    """A row of the table of features.

    Attributes:
        name: family and feature, e.g. glcm_joint_entropy.
        ibsi_family, ibsi_feature, ibsi_code: as in the manual and in its reference values; empty where not of IBSI.
        pyradiomics: class and feature there; empty when not among its 107.
        unit: of CT; 1 for a plain number.
        note: where it departs from PyRadiomics or from IBSI.
    """

    name: str
    ibsi_family: str
    ibsi_feature: str
    ibsi_code: str
    pyradiomics: str
    unit: str
    note: str

    @cached_property
    def family(self) -> str:
        """The file that computes it."""
        return next(family for family in FAMILIES if self.name.startswith(f"{family}_"))

    @cached_property
    def needs_intensity(self) -> bool:
        """False for what the outline alone decides."""
        return self.family != "shape" or self.name.removeprefix("shape_") in _WITH_INTENSITY


_WITH_INTENSITY = ("centre_of_mass_shift", "integrated_intensity", "moran_i", "geary_c")


@cache
def catalogue() -> dict[str, Feature]:
    """All features by name, in the order of their families."""
    with (Path(__file__).parent / "features.csv").open(encoding="utf-8", newline="") as stream:
        return {row["name"]: Feature(**row) for row in csv.DictReader(stream)}


def names_of(chosen: str | Iterable[str]) -> tuple[str, ...]:
    """Feature names of a set, or those given, without doubles and in the catalogue's order.

    Raises: HounsfieldError for an unknown set or feature, with the nearest known one.
    """
    known = catalogue()
    if isinstance(chosen, str):
        if chosen not in SETS:
            raise HounsfieldError(f"no feature set '{chosen}'.{nearest(chosen, SETS)} Known: {', '.join(SETS)}.")
        return tuple(name for name, feature in known.items() if _in_set(feature, chosen))
    wanted = set(chosen)
    for name in sorted(wanted - set(known)):
        raise HounsfieldError(f"no feature '{name}'.{nearest(name, known)} All are in radiomics/features.csv.")
    return tuple(name for name in known if name in wanted)


def _in_set(feature: Feature, chosen: str) -> bool:
    if chosen == "all":
        return True
    if chosen == "ibsi":
        return bool(feature.ibsi_code)
    kind = feature.pyradiomics.partition("_")[0]
    return {
        "standard107": kind != "",
        "paper91-without-glrlm": kind not in ("", "glrlm"),
        "paper91-without-glszm": kind not in ("", "glszm"),
        "shape": kind == "shape",
        "first_order": kind == "firstorder",
        "texture": kind not in ("", "shape", "firstorder"),
    }[chosen]
