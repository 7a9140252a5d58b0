"""The population of known proportions that tests of this room share."""

from __future__ import annotations

import pytest

from hounsfield.guideline.point_table import PointTable, read_point_table
from hounsfield.guideline.population import Population, population

# Counts of the TI-RADS study's table 3, training nodules: 1189 benign and 136 malignant.
BENIGN = {
    "composition": {"cystic": 3, "spongiform": 119, "mixed": 480, "solid": 580, "cannot_classify": 7},
    "echogenicity": {
        "hyperechoic": 146,
        "isoechoic": 473,
        "hypoechoic": 497,
        "very_hypoechoic": 38,
        "cannot_classify": 35,
    },
    "shape": {"taller": 119, "wider": 1070},
    "margin": {"smooth": 830, "ill_defined": 272, "lobulated": 81, "cannot_classify": 6},
    "foci": {
        "comet_tail": 87 / 1189,
        "macrocalcification": 167 / 1189,
        "peripheral": 42 / 1189,
        "punctate": 266 / 1189,
    },
}
MALIGNANT = {
    "composition": {"mixed": 20, "solid": 116},
    "echogenicity": {"hyperechoic": 7, "isoechoic": 22, "hypoechoic": 89, "very_hypoechoic": 15, "cannot_classify": 3},
    "shape": {"taller": 25, "wider": 111},
    "margin": {"smooth": 75, "ill_defined": 25, "lobulated": 34, "cannot_classify": 2},
    "foci": {"comet_tail": 2 / 136, "macrocalcification": 26 / 136, "peripheral": 11 / 136, "punctate": 74 / 136},
}


@pytest.fixture(scope="session")
def acr() -> PointTable:
    return read_point_table("acr")


@pytest.fixture(scope="session")
def ai() -> PointTable:
    return read_point_table("ai")


@pytest.fixture(scope="session")
def cells(acr: PointTable) -> Population:
    return population(acr, BENIGN, MALIGNANT)
