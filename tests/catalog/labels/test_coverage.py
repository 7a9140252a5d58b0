"""Coverage of made-up headers: which region they name, and which organs fit entirely into a stack of that length.

Lengths are an adult's: a brain needs 120 mm, a liver and both kidneys 220, lungs 240, a pelvis 200, a trunk from lung
apex to ischium 550, skull to thigh 900. Anything shorter than what it names is unknown, a slab below 60 mm holds none.
"""

from __future__ import annotations

from typing import Any

from tests.catalog.labels.made_up import AXIAL, CORONAL, SAGITTAL, ct, mr, outcomes_of

BODY = "Liver;Kidney;Intestine;Pelvis"
ALL = f"Brain;Upper Head-Neck;Lower Head-Neck;Lung;{BODY}"


def long_ct(length: float, description: str | None = "Serie 2", **more: Any) -> dict[str, Any]:
    """A CT of `length` mm from head to foot."""
    return ct(description, slices=round(length / 5), spacing_mm=5.0, length_mm=length, **more)


CASES: list[tuple[dict[str, Any], str]] = [
    # By body part, with the length that holds it and one that doesn't.
    (long_ct(300, body_part="CHEST"), "Lung"),
    (long_ct(200, body_part="CHEST"), "unknown"),
    (long_ct(250, body_part="ABDOMEN"), "Liver;Kidney"),
    (long_ct(400, body_part="ABDOMENPELVIS"), BODY),
    (long_ct(450, body_part="CHESTABDOMEN"), "Lung;Liver;Kidney"),
    (long_ct(650, body_part="CHESTABDPELVIS"), f"Lung;{BODY}"),
    (long_ct(205, "CAP", body_part="CHEST"), "unknown"),
    (long_ct(220, body_part="PELVIS"), "Pelvis"),
    (long_ct(140, body_part="HEAD"), "Brain"),
    (long_ct(100, body_part="HEAD"), "unknown"),
    (long_ct(250, body_part="NECK"), "Upper Head-Neck;Lower Head-Neck"),
    (long_ct(350, body_part="HEADNECK"), "Brain;Upper Head-Neck;Lower Head-Neck"),
    (long_ct(950, body_part="WHOLEBODY"), ALL),
    (long_ct(900, body_part="NECKCHESTABDPELV"), f"Upper Head-Neck;Lower Head-Neck;Lung;{BODY}"),
    (long_ct(300, body_part="KNEE"), "none"),
    (long_ct(300, body_part="TSPINE"), "none"),
    (long_ct(40, body_part="LIVER"), "none"),
    (long_ct(300), "unknown"),
    # By description, in the words of several languages.
    (long_ct(650, "Thorax/Abdomen/Becken"), f"Lung;{BODY}"),
    (long_ct(650, "C-A-P 5.0 B30f"), f"Lung;{BODY}"),
    (long_ct(650, "CH/ABD/PEL"), f"Lung;{BODY}"),
    (long_ct(650, "TÓRAX ABDOMEN Y PELVIS"), f"Lung;{BODY}"),
    (long_ct(300, "Poumons"), "Lung"),
    (long_ct(300, "胸部平扫"), "Lung"),
    (long_ct(300, "胸椎"), "none"),
    (long_ct(400, "腹部盆腔"), BODY),
    (long_ct(250, "Buik"), "Liver;Kidney"),
    (long_ct(250, "Leber"), "Liver;Kidney"),
    (long_ct(140, "Schädel nativ"), "Brain"),
    (long_ct(140, "CCT"), "Brain"),
    (long_ct(140, "Crâne"), "Brain"),
    (long_ct(140, "头颅"), "Brain"),
    (long_ct(300, "Columna lumbar"), "none"),
    (long_ct(300, "Thoracic spine"), "none"),
    (long_ct(300, "Knie rechts"), "none"),
    # A part of an organ is none of the nine.
    (long_ct(130, "Sinus coronal", body_part="HEAD"), "none"),
    (long_ct(140, "Cardiac CTA", body_part="CHEST"), "none"),
    (mr("Hypophyse sag", body_part="HEAD"), "none"),
    # Head included is no head; how the patient lies is none either.
    (long_ct(300, "CT ATTEN COR HEAD IN", body_part="CHEST"), "Lung"),
    (long_ct(220, "Images head first supine", body_part="PELVIS"), "Pelvis"),
    # The study is asked when the series names nothing.
    (long_ct(300, "5.0 B70f", study_description="CT Thorax"), "Lung"),
    (long_ct(950, "CTAC", study_description="PET SKULL/MID-THIGH"), ALL),
    (mr("T2 sag", study_description="MRI Thoracic Spine"), "none"),
    (long_ct(250, "Leber", study_description="CT Thorax"), "Liver;Kidney"),
    # The collection when nothing else says it.
    (mr("t2", collection="TCGA-GBM"), "Brain"),
    (mr("t2", collection="tcga_gbm"), "Brain"),
    (mr("t2", collection="unheard of"), "unknown"),
    # MR: thickness of the slab and extent from head to foot both count.
    (mr("t2", body_part="BRAIN"), "Brain"),
    (mr("t2", body_part="BRAIN", length_mm=100.0), "unknown"),
    (mr("t1", body_part="BRAIN", orientation=SAGITTAL, length_mm=140.0), "Brain"),
    (mr("t1", body_part="BRAIN", orientation=CORONAL, rows=128, row_mm=0.8, length_mm=170.0), "unknown"),
    (mr("8CH coil t2", body_part="BRAIN"), "Brain"),
    (mr("t2_tse_tra", body_part="PROSTATE", length_mm=75.0), "unknown"),
    (mr("Mamma", orientation=SAGITTAL), "Breast"),
    (mr("t2", body_part="BREAST"), "Breast"),
    # On CT the word is the disease, not what was imaged.
    (long_ct(300, "CTAC", body_part="BREAST"), "unknown"),
    # Neither CT nor MR.
    ({**ct("WB", body_part="WHOLEBODY"), "modality": "PT"}, "unknown"),
]


def test_coverage():
    found = [one.labels["coverage"] for one in outcomes_of([row for row, _ in CASES])]
    wrong = [
        (row["series_description"], row.get("body_part"), expected, got)
        for (row, expected), got in zip(CASES, found, strict=True)
        if got != expected
    ]
    assert wrong == []


def test_every_label_names_the_rule_that_made_it():
    (one,) = outcomes_of([long_ct(300, body_part="CHEST")])
    assert (one.rules["region"], one.rules["coverage"]) == ("names-chest", "chest")
    (one,) = outcomes_of([long_ct(200, body_part="CHEST")])
    assert (one.rules["region"], one.rules["coverage"]) == ("names-chest", "no-rule-matched")


def test_extent_from_head_to_foot():
    """Axial: the stack's length. Coronal and sagittal: the image's rows, here 256 of 0.9 or of 0.7 mm."""
    rows = [
        mr("t2", body_part="PELVIS", length_mm=length, orientation=orientation, row_mm=row_mm)
        for orientation, length, row_mm in (
            (AXIAL, 205.0, 0.1),
            (AXIAL, 195.0, 0.9),
            (SAGITTAL, 160.0, 0.9),  # 230 mm high
            (CORONAL, 160.0, 0.7),  # 179 mm high
        )
    ]
    found = [one.labels["coverage"] for one in outcomes_of(rows)]
    assert found == ["Pelvis", "unknown", "Pelvis", "unknown"]
