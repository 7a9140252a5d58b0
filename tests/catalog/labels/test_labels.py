"""Kind, view, contrast, coverage and spacing of made-up headers of many vendors and languages."""

from __future__ import annotations

from typing import Any

import pytest
from tests.catalog.labels.made_up import CORONAL, SAGITTAL, ct, mr, outcomes_of

SC, SEG, PM = "1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.30"
LABEL_MAP, SURFACE, XA_3D = (f"1.2.840.10008.5.1.4.1.1.{end}" for end in ("66.7", "66.5", "13.1.1"))

KINDS: list[tuple[str, dict[str, Any]]] = [
    ("original", ct(image_type="ORIGINAL\\PRIMARY\\AXIAL")),
    # A CT Image object, so no capture; value 1 says original.
    ("original", ct(image_type="ORIGINAL\\SECONDARY\\AXIAL")),
    ("original", mr(image_type="ORIGINAL\\PRIMARY\\M_SE\\M\\SE")),
    ("derived", ct("Cor MPR", image_type="DERIVED\\SECONDARY\\REFORMATTED\\AVERAGE")),
    ("derived", ct("Thorax MIP", image_type="DERIVED\\PRIMARY\\PROJECTION IMAGE\\COLLAPSE")),
    ("derived", ct(image_type="ORIGINAL\\PRIMARY\\MPR")),
    ("derived", mr("sub", image_type="DERIVED\\PRIMARY\\M\\SUB\\NORM")),
    ("derived", mr("sub", image_type="ORIGINAL\\PRIMARY\\M\\SUB\\NORM")),
    ("derived", mr("ADC", image_type="DERIVED\\PRIMARY\\ADC\\NONE")),
    ("derived", mr("pmap", sop_class=PM, image_type=None)),
    ("derived", mr("AX MIP", image_type=None)),
    # Planning images of six vendors and several languages.
    ("localiser", ct("Topogram  1.0  T20s", image_type="ORIGINAL\\PRIMARY\\LOCALIZER\\CT_SOM5 TOP")),
    ("localiser", ct("Surview", image_type="ORIGINAL\\PRIMARY\\LOCALIZER")),
    ("localiser", ct("Scanogram 2.0", image_type="ORIGINAL\\PRIMARY")),
    ("localiser", ct("Scout AP/Lat", image_type=None)),
    ("localiser", ct("ÜBERSICHT", image_type=None)),
    ("localiser", ct("Mode radio", image_type=None)),
    ("localiser", ct("定位像", image_type=None)),
    ("localiser", mr("Survey_SHC", image_type="ORIGINAL\\PRIMARY\\M_FFE\\M\\FFE")),
    ("localiser", mr("3-pl LOC FGRE", image_type="ORIGINAL\\PRIMARY\\OTHER")),
    ("localiser", mr("AAHScout_MPR_sag", image_type="ORIGINAL\\PRIMARY\\M\\ND")),
    ("localiser", mr("haste_localizer_3-plane")),
    ("localiser", mr("Localizador")),
    ("localiser", mr("Lokalisator axial")),
    ("localiser", mr("3 Plane Loc SSFSE")),
    ("localiser", mr("Repérage")),
    # No planning image: value 3 of a CT is trusted; a skeletal survey is a diagnostic CT; "loc" within a word.
    ("original", ct("Post scout thorax", image_type="ORIGINAL\\PRIMARY\\AXIAL")),
    ("original", ct("Bone survey", image_type="ORIGINAL\\PRIMARY\\AXIAL")),
    ("original", mr("Allocated T2")),
    ("original", mr("Biological T1")),
    # Pages and captures.
    ("secondary_capture", ct("Dose Report", sop_class=SC, image_type="DERIVED\\SECONDARY\\SCREEN SAVE")),
    ("secondary_capture", ct("Patientenprotokoll")),
    ("secondary_capture", ct("Dose Info", image_type="DERIVED\\SECONDARY\\DOSE_INFO")),
    ("secondary_capture", ct("Rapport de dose")),
    ("secondary_capture", ct("Informe de Dosis")),
    ("secondary_capture", mr("Screenshot 3")),
    ("secondary_capture", {"modality": "OT", "sop_class": SC, "series_description": "paper"}),
    ("sr", {"modality": "SR", "sop_class": "1.2.840.10008.5.1.4.1.1.88.67", "series_description": "Dose Record"}),
    ("segmentation", {"modality": "SEG", "sop_class": SEG}),
    ("segmentation", {"modality": "SEG", "sop_class": LABEL_MAP}),
    ("segmentation", {"modality": "SEG", "sop_class": SURFACE}),
    ("rtstruct", {"modality": "RTSTRUCT", "sop_class": "1.2.840.10008.5.1.4.1.1.481.3"}),
    ("other", {"modality": "KO", "sop_class": "1.2.840.10008.5.1.4.1.1.88.59"}),
    ("other", {"modality": "PR", "sop_class": "1.2.840.10008.5.1.4.1.1.11.1"}),
    ("other", {"modality": "RTDOSE", "sop_class": "1.2.840.10008.5.1.4.1.1.481.2"}),
    ("other", {"modality": "REG", "sop_class": "1.2.840.10008.5.1.4.1.1.66.1"}),
    ("original", {"modality": "XA", "sop_class": XA_3D, "image_type": "ORIGINAL\\PRIMARY\\VOLUME"}),
    ("unknown", ct("Thorax", image_type=None)),
]

VIEWS: list[tuple[str, list[float] | None]] = [
    ("axial", [1, 0, 0, 0, 1, 0]),
    ("coronal", CORONAL),
    ("sagittal", SAGITTAL),
    ("sagittal", [-0.0, 1, 0, -0.0, -0.0, -1]),
    # A tilt of 29 degrees rounds away, one of 31 doesn't (sin 29 = 0.485, sin 31 = 0.515).
    ("axial", [1, 0, 0, 0, 0.875, -0.485]),
    ("oblique", [1, 0, 0, 0, 0.857, -0.515]),
    # Tilted about two axes, and still each cosine rounds to the axial one.
    ("axial", [0.91, 0.35, -0.2, -0.29, 0.91, 0.28]),
    # Along the axes, but none of the three vectors: the exclusion is the same.
    ("flipped", [-1, 0, 0, 0, -1, 0]),
    ("flipped", [1, 0, 0, 0, -1, 0]),
    ("flipped", [1, 0, 0, 0, 0, 1]),
    ("flipped", [0, -1, 0, 0, 0, -1]),
    ("unknown", None),
]

# What sites type into Contrast/Bolus Agent, parted by "|".
NO_AGENT = """
|NONE|None |NO|no|N|0|0 ml|0.0|0,0 mL|00|NEG|Nein|keine|ohne|ohne KM|sin contraste|sans injection|sem contraste
|senza mdc|geen|Não|NÃO|无|平扫|単純|нет|NO IV CONTRAST|no contrast|NON CONTRAST|Noncontrast|NO I.V. contrast given
|none used|without contrast|W/O|w/o gad|No oral|Not given|N/A|NIL|-|UNENHANCED
"""
AGENT = """
OMNIPAQUE 350|100 CC NON IONIC|Non-ionic contrast|NONIONIC|Ultravist 370|Iomeron|GASTRO & OMNI|APPLIED|YES|Y|1|CE|IV
|Oral|contrast|Kontrastmittel|碘海醇|Novisol|80ml Visipaque|Gadovist 7.5ml|10ml multihance|GD|Dotarem|Gd-DTPA 0.1
"""
DOUBTFUL_AGENT = "unknown|UNKNOWN AGENT|?|not recorded|unbekannt"
# Names of MR series without the attribute. "post" may be after something else than contrast.
NAMES_CONTRAST = """
T1 post|t1_se_tra_KM|T1 +C|AX T1 C+|T1 Gd|T1W_TSE_CE|T1 con contraste|T1增强|post-contrast|T1 + Gado
|T1 mit KM|3D T1 postgad|造影後T1|FS增强
"""
NAMES_NONE = """
t1_se_tra|T1 pre contrast|T1 ohne KM|T1 nativ|T1 sans contraste|T1 sin contraste|T1平扫|T1 unenhanced|T1 w/o contrast
|T1 post OP|T1 post-surgery|postoperativ|Posterior fossa T1|Cervical T1
"""


def parted(text: str) -> list[str]:
    return text.replace("\n", "").split("|")


CONTRAST: list[tuple[str, dict[str, Any]]] = [
    *(("no", ct(contrast_agent=agent)) for agent in parted(NO_AGENT)),
    *(("yes", mr(contrast_agent=agent)) for agent in parted(AGENT)),
    *(("unknown", ct(contrast_agent=agent)) for agent in parted(DOUBTFUL_AGENT)),
    # The sequence of agents stands for one; when it is empty, none was given.
    ("yes", mr(contrast_given=True)),
    ("no", mr(contrast_given=False)),
    # The attribute is absent: for CT that says nothing, whatever the name. An MR that names contrast is in doubt.
    ("unknown", ct("Thorax nativ")),
    ("unknown", ct("Abdomen +C")),
    *(("unknown", mr(name)) for name in parted(NAMES_CONTRAST)),
    *(("no", mr(name)) for name in parted(NAMES_NONE)),
    ("unknown", {"modality": "PT", "series_description": "WB"}),
]


def labels_of(rows: list[dict[str, Any]], name: str) -> list[str]:
    return [one.labels[name] for one in outcomes_of(rows)]


def disagreements(cases: list[tuple[str, dict[str, Any]]], name: str, *shown: str) -> list[tuple[Any, ...]]:
    found = labels_of([row for _, row in cases], name)
    return [
        (expected, got, *(row.get(column) for column in shown))
        for (expected, row), got in zip(cases, found, strict=True)
        if got != expected
    ]


def test_kinds():
    assert disagreements(KINDS, "kind", "series_description", "image_type") == []


def test_views():
    assert labels_of([mr(orientation=one) for _, one in VIEWS], "view") == [name for name, _ in VIEWS]


def test_contrast():
    assert disagreements(CONTRAST, "contrast", "contrast_agent", "series_description", "modality") == []


@pytest.mark.parametrize(
    ("slices", "spacing", "expected"),
    [
        (30, 6.0, "6.0"),  # fewer than 48 are filled up, not stretched
        (48, 5.0, "5.0"),
        (120, 5.0, "12.5"),
        (144, 5.0, "15.0"),
        (200, 5.0, "20.8333"),
        (20, None, "unknown"),
    ],
)
def test_effective_slice_spacing(slices: int, spacing: float | None, expected: str):
    assert labels_of([ct(slices=slices, spacing_mm=spacing)], "slice_spacing") == [expected]


def test_values_that_no_scanner_writes():
    """Headers lie: numbers without sense, text of a megabyte, control signs. Each row gets its labels all the same."""
    odd = [float("nan"), float("inf"), float("-inf"), 1e300, -1.0, 0.0]
    rows: list[dict[str, Any]] = [mr(orientation=[value] * 6) for value in odd]
    rows += [ct(spacing_mm=value, length_mm=value, row_mm=value) for value in odd]
    rows += [mr("x", "SE", value, value, value, b_value=value) for value in odd]
    rows += [ct("A" * 1_000_000), ct("a\0b\x1b[31m"), ct("'; DROP TABLE series; --"), {}, {"modality": "\u202eRM"}]
    found = outcomes_of(rows)
    assert len(found) == len(rows)
    assert not {one.labels["view"] for one in found[:6]} & {"axial", "coronal", "sagittal"}
    # What is no finite length above 0 is no spacing.
    assert [one.labels["slice_spacing"] for one in found[6:9]] == ["unknown"] * 3
    assert {one.labels["slice_spacing"] for one in found[10:12]} == {"unknown"}
    assert {one.labels["modality"] for one in found[12:18]} == {"unknown"}
    assert (found[-2].labels["kind"], found[-2].reasons[0]) == ("unknown", "modality")
