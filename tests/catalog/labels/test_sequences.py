"""Sequence class and reasons of exclusion of made-up headers, by the published rules and by what scanners write."""

from __future__ import annotations

from typing import Any

import pytest
from tests.catalog.labels.made_up import Outcome, ct, mr, outcomes_of

T1, T2, T1F, T2F, NO = "T1 - SE", "T2 - SE", "T1 - FLAIR", "T2 - FLAIR", "unknown"
B1000: dict[str, Any] = {"b_value": 1000.0}
ENHANCED: dict[str, Any] = {"sop_class": "1.2.840.10008.5.1.4.1.1.4.1", "sequence_variant": None}
TWICE: dict[str, Any] = {"regular": False, "repeated": True, "planes": 48}

# What it is, the row, the class, the reasons in order.
CASES: list[tuple[str, dict[str, Any], str, tuple[str, ...]]] = [
    # The limits: SE is T1 below 1000/30 ms, T2 from 2000/60 ms on, and nothing in between; IR by TE alone.
    ("T1", mr("t1_se_tra", "SE", 500, 12), T1, ()),
    ("T2", mr("t2_tse_tra", "SE", 4000, 100), T2, ()),
    ("proton density", mr("pd_tse_tra", "SE", 3000, 15), NO, ("sequence",)),
    ("just T1", mr("a", "SE", 999.9, 29.9), T1, ()),
    ("TR of 1000 is no longer short", mr("a", "SE", 1000, 12), NO, ("sequence",)),
    ("TE of 30 is no longer short", mr("a", "SE", 500, 30), NO, ("sequence",)),
    ("just T2", mr("a", "SE", 2000, 60), T2, ()),
    ("TR below 2000 is not long", mr("a", "SE", 1999, 90), NO, ("sequence",)),
    ("TE below 60 is not long", mr("a", "SE", 4000, 59.9), NO, ("sequence",)),
    ("T1 FLAIR", mr("Ax T1 FLAIR", "SE\\IR", 2200, 10, 860), T1F, ()),
    ("T2 FLAIR", mr("Ax T2 FLAIR", "SE\\IR", 9000, 125, 2250), T2F, ()),
    ("IR alone, as Philips writes it", mr("FLAIR_longTR", "IR", 11000, 125, 2800), T2F, ()),
    ("IR with TE between", mr("IR", "IR", 5000, 50, 900), NO, ("sequence",)),
    ("TE of 40 is between, 70 is long", mr("IR", "IR", 5000, 40, 900), NO, ("sequence",)),
    ("TE of 70", mr("IR", "IR", 5000, 70, 900), T2F, ()),
    ("IR wins over SE", mr("SE\\IR without a name", "SE\\IR", 500, 12, 700), T1F, ()),
    ("several values in another order", mr("a", "IR\\SE", 9000, 120, 2500), T2F, ()),
    # STIR: by name or by TI below 250 ms. It is a class of its own to leave out, not a wrong sequence.
    ("STIR by TI", mr("t2_tse_fs", "SE\\IR", 5000, 40, 150), NO, ("stir",)),
    ("TI of 250 is no STIR", mr("t2 ir", "SE\\IR", 5000, 90, 250), T2F, ()),
    ("STIR by name, TI not stated", mr("SAG STIR", "SE", 4000, 60), NO, ("stir",)),
    ("TIRM without TI", mr("t2_tirm_cor_p2", "SE\\IR", 4800, 60), NO, ("stir",)),
    ("Siemens' FLAIR is called TIRM too", mr("t2_tirm_tra_dark-fluid", "SE\\IR", 9000, 90, 2500), T2F, ()),
    ("TIRM by name, FLAIR by TI: the header decides", mr("t2_tirm_tra", "SE\\IR", 9000, 90, 2370), T2F, ()),
    ("fat saturation is no STIR", mr("AX T2 FS SPAIR", "SE", 4500, 80), T2, ()),
    ("a TI on a sequence without inversion means nothing", mr("T2 SPIR", "SE", 4500, 80, 100), T2, ()),
    # Gradient echo, echo-planar and research sequences go, whatever else they say.
    ("MPRAGE: GR wins over IR", mr("t1_mprage_sag_p2_iso", "GR\\IR", 2000, 2.3, 900), NO, ("sequence",)),
    ("FSPGR with preparation", mr("Sag 3D BRAVO", "GR", 8.9, 3.2, 450), NO, ("sequence",)),
    ("VIBE", mr("t1_vibe_dixon_tra_bh_W", "GR", 6.7, 2.4), NO, ("sequence",)),
    ("LAVA", mr("LAVA-Flex pv", "GR", 4.1, 1.7), NO, ("sequence",)),
    ("SWI", mr("SWI_Images", "GR", 28, 20), NO, ("sequence",)),
    ("T2*", mr("t2*_fl2d_tra_hemo", "GR", 800, 20), NO, ("sequence",)),
    ("MPRAGE by name, no sequence stated", mr("3D MPRAGE", None, None, None), NO, ("sequence",)),
    ("echo-planar spin echo", mr("EPI", "SE\\EP", 6000, 90), NO, ("sequence",)),
    ("RM alone", mr("research", "RM", 500, 12), NO, ("sequence",)),
    ("RM beside SE", mr("t1 research", "SE\\RM", 500, 12), T1, ()),
    ("small letters and blanks", mr("a", " se ", 500, 12), T1, ()),
    # Three-dimensional spin echoes have effective echo times far above 60 ms.
    ("SPACE", mr("t2_space_sag_p4_iso", "SE", 3200, 409), T2, ()),
    ("SPACE FLAIR", mr("t2_space_dark-fluid_sag", "SE\\IR", 5000, 386, 1800), T2F, ()),
    ("CUBE T1", mr("Sag CUBE T1", "SE", 600, 11), T1, ()),
    ("HASTE, TR above 2 s", mr("t2_haste_cor_mbh", "SE", 2000, 92), T2, ()),
    ("HASTE, TR below 2 s", mr("t2_haste_cor_mbh", "SE", 1000, 92), NO, ("sequence",)),
    ("Canon FASE", mr("T2 FASE 3D MRCP", "SE", 5000, 500), T2, ()),
    ("Fujifilm RADAR", mr("T2W isoFSE RADAR", "SE", 4200, 96), T2, ()),
    ("United Imaging", mr("t2_fse_tra_fs", "SE", 3400, 88), T2, ()),
    ("GE PROPELLER", mr("Ax T2 PROPELLER", "SE", 5500, 100), T2, ()),
    ("mDIXON of a TSE", mr("T2W_mDIXON_TSE_W", "SE", 3000, 80), T2, ()),
    # Diffusion: by b-value above 0, by Image Type, by name.
    ("diffusion without EP, Philips", mr(None, "SE", 12638, 123, **B1000), NO, ("no_description", "sequence")),
    ("b-value 0 in an anatomical series", mr("3D Brain VIEW", "SE", 3000, 300, b_value=0.0), T2, ()),
    ("DWI by name", mr("DWI b=800", "SE", 5000, 70), NO, ("sequence",)),
    ("b-value in the name", mr("RESOLVE_4scan b1000", "SE", 5000, 70), NO, ("sequence",)),
    ("ADC map", mr("x", "SE", 5000, 70, image_type="DERIVED\\PRIMARY\\DIFFUSION\\ADC\\ND"), NO, ("sequence",)),
    ("DWIBS", mr("sDWIBS", "SE", 7000, 68), NO, ("sequence",)),
    ("French", mr("AX Diffusion", "SE", 5000, 70), NO, ("sequence",)),
    ("Spanish, with an accent", mr("DIFUSIÓN AX", "SE", 5000, 70), NO, ("sequence",)),
    ("Chinese, no blanks between words", mr("横断位弥散成像", "SE", 5000, 70), NO, ("sequence",)),
    # Functional, angiography, perfusion.
    ("angio flag", mr("a", "SE", 500, 12, angio_flag="Y"), NO, ("sequence",)),
    ("TOF", mr("3DTOF Hals", "GR", 22, 7), NO, ("sequence",)),
    ("time of flight in Image Type", mr("a", image_type="ORIGINAL\\PRIMARY\\TOF\\NONE"), NO, ("sequence",)),
    ("German", mr("CE-Angiographie", "SE", 500, 12), NO, ("sequence",)),
    ("phase contrast", mr("Phase Contrast Venogram", "SE", 500, 12), NO, ("sequence",)),
    ("resting state", mr("rsfMRI", "EP\\GR", 2000, 30), NO, ("sequence",)),
    # The word stands for a time series as well; the sequence comes first in the order of reasons.
    ("perfusion", mr("ep2d_perf_p2", "EP", 1500, 30), NO, ("sequence", "time_series")),
    ("a map of it", mr("RCBV", "EP\\GR", 1500, 30, image_type="DERIVED\\PRIMARY\\RCBV"), NO, ("sequence",)),
    ("spin labelling", mr("3D ASL", "SE", 4800, 11), NO, ("sequence",)),
    ("perfusion only in the study", mr("T1", "SE", 500, 12, study_description="MR BRAIN RCBV PERFUSION"), T1, ()),
    # Maps of a quantity carry TR and TE of their source; a subtraction is still T1-weighted.
    ("T2 map", mr("T2_map", "SE", 2000, 80, image_type="DERIVED\\PRIMARY\\T2 MAP"), NO, ("sequence",)),
    ("subtraction", mr("t1_se_sub", "SE", 500, 12, image_type="DERIVED\\PRIMARY\\M\\SUB"), T1, ()),
    ("an unnamed derived series", mr("HCrop", None, None, None, image_type="DERIVED\\SECONDARY"), NO, ("sequence",)),
    # Header silent: the name of the series helps, of the study never.
    ("T2 without TR and TE", mr("AXIAL SE T2 FAT SAT", "SE", None, None), T2, ()),
    ("T1 without TE", mr("Ax T1 SE", "SE", 500, None), T1, ()),
    ("zeros are fillers", mr("Ax T1 SE", "SE", 0, 0), T1, ()),
    ("FLAIR by name is T2 by custom", mr("AX FLAIR", None, None, None), T2F, ()),
    ("T1 FLAIR by name", mr("SAG T1 FLAIR", None, None, None), T1F, ()),
    ("FLAIR within a word", mr("3DFLAIR", None, None, None), T2F, ()),
    ("both weightings in the name", mr("T1 T2 SE", "SE", None, None), NO, ("sequence",)),
    ("no weighting in the name", mr("SE AX", "SE", None, None), NO, ("sequence",)),
    ("T2 without a sequence", mr("AX T2", None, None, None), NO, ("sequence",)),
    ("kind of echo from the name, weighting from TR and TE", mr("T2W TSE", None, 4000, 100), T2, ()),
    ("TR and TE overrule the name", mr("T2W TSE", None, 500, 10), T1, ()),
    ("T2 in the study only", mr("Serie 4", "SE", None, None, study_description="T2 SE"), NO, ("sequence",)),
    # Enhanced objects: Scanning Sequence is not there, the functional groups say what it is.
    ("enhanced, spin", mr("T1", None, 600, 10, pulse_sequence="SPIN", **ENHANCED), T1, ()),
    ("enhanced, gradient", mr("T1", None, 600, 10, pulse_sequence="GRADIENT", **ENHANCED), NO, ("sequence",)),
    ("enhanced, both (GRASE)", mr("T2", None, 4000, 90, pulse_sequence="BOTH", **ENHANCED), NO, ("sequence",)),
    ("enhanced FLAIR", mr("x", None, 9000, 120, 2500, pulse_sequence="SPIN", **ENHANCED), T2F, ()),
    ("enhanced STIR", mr("x", None, 4000, 60, 160, pulse_sequence="SPIN", **ENHANCED), NO, ("stir",)),
    # Time series. Repeated positions are one when an attribute of time tells them apart, else the spacing is invalid.
    ("three phases in one", mr("DCE", "GR", 5, 2, temporal="content time", **TWICE), NO,
     ("time_series", "spacing", "sequence")),
    ("repeated without a time", mr("t1", "SE", 500, 12, **TWICE), T1, ("spacing",)),
    ("temporal positions stated", mr("t1", "SE", 500, 12, temporal_positions=3), T1, ("time_series",)),
    ("one temporal position", mr("t1", "SE", 500, 12, temporal_positions=1), T1, ()),
    ("dynamic by name", mr("Ax T1 dyn", "SE", 500, 12), T1, ("time_series",)),
    ("Portuguese", mr("T1 DINÂMICO", "SE", 500, 12), T1, ("time_series",)),
    ("Chinese", mr("T1动态增强", "SE", 500, 12), T1, ("time_series",)),
    ("Japanese", mr("肝ダイナミック", "SE", 500, 12), T1, ("time_series",)),
    ("CT perfusion", ct("VPCT Perfusion 5.0"), "CT", ("time_series",)),
    ("a phase of a CT", ct("Multiphase Liver arterial"), "CT", ()),
    ("bolus tracking", ct("Monitoring", slices=1, planes=12, repeated=True, regular=False, spacing_mm=None,
                          length_mm=None, temporal="acquisition time"), "CT", ("time_series", "spacing", "few_slices")),
    # Others.
    ("15 slices", ct(slices=15, planes=15), "CT", ("few_slices",)),
    ("16 slices", ct(slices=16, planes=16), "CT", ()),
    ("no description", ct(None), "CT", ("no_description",)),
    ("a blank is no description", ct("  "), "CT", ("no_description",)),
    ("everything at once", mr(None, "GR", 5, 2, slices=3, regular=False), NO,
     ("spacing", "few_slices", "no_description", "sequence")),
    ("cone beam CT", ct("CBCT", manufacturer="Planmeca"), "CT", ()),
    ("PET", {**ct("WB AC"), "modality": "PT"}, NO, ("modality",)),
    ("CT of a PET/CT", ct("CTAC 3.75 thk", study_description="PET/CT"), "CT", ()),
    ("structure set", {"modality": "RTSTRUCT", "series_description": "GTV", "planes": 0}, NO, ("modality",)),
    ("report", {"modality": "SR", "series_description": "Dose Report"}, NO, ("modality",)),
    ("dose page stored as CT", ct("Dose Report", sop_class="1.2.840.10008.5.1.4.1.1.7", slices=1, planes=1,
                                  regular=False), "CT", ("spacing", "few_slices")),
    # Effective spacing: 200 slices of 5 mm become 48 of 20.83; 144 exactly 15.0, which the limit allows.
    ("covers too much", ct(slices=200, spacing_mm=5.0), "CT", ("effective_spacing",)),
    ("exactly at the limit", ct(slices=144, spacing_mm=5.0), "CT", ()),
    ("tilted beyond 30 degrees", mr("t1", orientation=[1, 0, 0, 0, 0.7, -0.7]), T1, ("orientation",)),
]  # fmt: skip


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    return outcomes_of([row for _, row, _, _ in CASES])


@pytest.mark.parametrize("number", range(len(CASES)), ids=[name for name, *_ in CASES])
def test_class_and_reasons(outcomes: list[Outcome], number: int):
    _, _, label, reasons = CASES[number]
    assert (outcomes[number].labels["modality"], outcomes[number].reasons) == (label, reasons)


def test_each_series_has_one_outcome_and_one_value_of_each_label(outcomes: list[Outcome]):
    for one in outcomes:
        assert set(one.labels) == {"kind", "region", "coverage", "modality", "view", "contrast", "slice_spacing"}
        assert len(set(one.reasons)) == len(one.reasons)
        assert all(one.rules.values())


def test_what_header_and_description_disagree_about_is_remarked():
    rows = [
        mr("AX T2 TSE", "SE", 500, 12),
        mr("AX T1 SE", "SE", 4000, 100),
        mr("T1 VIBE", "SE", 500, 12),
        mr("T1 post Gd", "SE", 500, 12, contrast_agent="NONE"),
        mr("T1 nativ", "SE", 500, 12, contrast_agent="Gadovist"),
        mr("T1 post OP", "SE", 500, 12, contrast_agent="NONE"),
        mr("AX T1 post Gd", "SE", 500, 12, contrast_agent="Gadovist"),
    ]
    found = [
        [what.removeprefix("header and description disagree: ") for what in one.remarks] for one in outcomes_of(rows)
    ]
    assert found == [
        ["T1-weighted by TR and TE, T2 by its name"],
        ["T2-weighted by TR and TE, T1 by its name"],
        ["spin echo by Scanning Sequence, gradient echo by its name"],
        ["no contrast agent by the header, contrast by its name"],
        ["a contrast agent in the header, none by its name"],
        [],
        [],
    ]
    # The header decides, whatever the remark.
    assert [one.labels["modality"] for one in outcomes_of(rows[:3])] == [T1, T2, T1]
