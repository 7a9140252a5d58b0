"""One row a series from its headers and its geometry. In: the tables `headers`, `objects`, `planes` and `geometry`."""

from __future__ import annotations

import duckdb

# What most objects of the series say; of equally many the smaller digest, so that no order of files matters.
_MAIN = """
CREATE OR REPLACE TEMP TABLE main_header AS
SELECT series_uid, header, count(*) OVER (PARTITION BY series_uid) AS variants
FROM headers QUALIFY row_number() OVER (PARTITION BY series_uid ORDER BY objects DESC, variant) = 1;
"""
_TEXT = {
    "study_uid": "StudyInstanceUID",
    "patient_id": "PatientID",
    "accession": "AccessionNumber",
    "modality": "Modality",
    "sop_class": "SOPClassUID",
    "image_type": "ImageType",
    "series_description": "SeriesDescription",
    "study_description": "StudyDescription",
    "protocol_name": "ProtocolName",
    "body_part": "BodyPartExamined",
    "study_date": "StudyDate",
    "patient_age": "PatientAge",
    "patient_sex": "PatientSex",
    "manufacturer": "Manufacturer",
    "model": "ManufacturerModelName",
    "institution": "InstitutionName",
    "kernel": "ConvolutionKernel",
    "scanning_sequence": "ScanningSequence",
    "sequence_variant": "SequenceVariant",
    "scan_options": "ScanOptions",
    "sequence_name": "SequenceName",
    "angio_flag": "AngioFlag",
    "contrast_agent": "ContrastBolusAgent",
    "patient_position": "PatientPosition",
    "burned_in": "BurnedInAnnotation",
    "transfer_syntax": "TransferSyntaxUID",
}
_NUMBERS = {
    "series_number": ("SeriesNumber",),
    "field_strength": ("MagneticFieldStrength",),
    "kvp": ("KVP",),
    "repetition_time": ("RepetitionTime",),
    "echo_time": ("EchoTime", "EffectiveEchoTime"),
    "inversion_time": ("InversionTime", "InversionTimes"),
    "flip_angle": ("FlipAngle",),
    "echo_train": ("EchoTrainLength", "RFEchoTrainLength"),
    "temporal_positions": ("NumberOfTemporalPositions",),
    "slice_thickness": ("SliceThickness",),
    "header_tilt": ("GantryDetectorTilt",),
    "segments": ("Segments",),
}
# Enhanced MR has no Scanning Sequence; what it says instead is put into words of the same kind.
_PULSE = """
CASE WHEN upper({EchoPulseSequence}) IN ('SPIN', 'GRADIENT', 'BOTH') THEN upper({EchoPulseSequence})
     WHEN coalesce({GradientEchoTrainLength}, 0) > 0 AND coalesce({RFEchoTrainLength}, 0) = 0 THEN 'GRADIENT'
     WHEN coalesce({RFEchoTrainLength}, 0) > 0 THEN 'SPIN'
     ELSE {PulseSequenceName} END
"""
_PULSE_TEXT = ("EchoPulseSequence", "PulseSequenceName")
_PULSE_NUMBERS = ("GradientEchoTrainLength", "RFEchoTrainLength")
_GEOMETRY = (
    *("planes", "volumes", "slices", "rows", "columns", "spacing_mm", "row_mm", "column_mm", "length_mm"),
    *("orientation", "regular", "repeated", "temporal", "irregular", "tilt_degrees"),
)
_KEYWORDS = tuple(
    dict.fromkeys(
        (
            *_TEXT.values(),
            *(keyword for keywords in _NUMBERS.values() for keyword in keywords),
            *(*_PULSE_TEXT, *_PULSE_NUMBERS, "ContrastBolusAgentSequence"),
        )
    )
)
_PATHS = str([f"$.{keyword}" for keyword in _KEYWORDS])
_FOLDERS = """
SELECT series_uid, count(*)::INTEGER AS objects, regexp_replace(min(name), '/?[^/]*$', '') AS folder,
       CASE WHEN contains(min(name), '/') THEN split_part(min(name), '/', 1) END AS collection
FROM (SELECT series_uid, CASE WHEN member = '' THEN path ELSE path || '/' || member END AS name FROM objects)
GROUP BY 1
"""


def fill_series(connection: duckdb.DuckDBPyConnection) -> None:
    """Fills `series`; `kind` stays empty until the rules say it."""
    connection.execute(_MAIN)
    text, number = _readers()
    columns = {name: text[keyword] for name, keyword in _TEXT.items()}
    for name, keywords in _NUMBERS.items():
        columns[name] = f"coalesce({', '.join(number[keyword] for keyword in keywords)}, NULL)"
    said = {name: text[name] for name in _PULSE_TEXT} | {name: number[name] for name in _PULSE_NUMBERS}
    columns["pulse_sequence"] = _PULSE.format(**said)
    columns["contrast_given"] = f"TRY_CAST({text['ContrastBolusAgentSequence']} AS BOOLEAN)"
    # Empty is not absent here: an empty agent says that there was none.
    empty = f"trim(m.said[{_KEYWORDS.index('ContrastBolusAgent') + 1}])"
    columns["contrast_agent"] = f"coalesce({text['ContrastBolusAgent']}, {empty})"
    columns |= {name: f"g.{name}" for name in _GEOMETRY}
    columns["slices"] = "nullif(g.slices, 0)"  # a structure set has no slices, which is not too few of them
    columns |= {"objects": "c.objects", "b_value": "b.b_value", "variants": "m.variants::INTEGER"}
    columns |= {"folder": "c.folder", "collection": "c.collection"}
    connection.execute(
        f"""
        INSERT INTO series (series_uid, {", ".join(columns)})
        SELECT m.series_uid, {", ".join(columns.values())}
        FROM (
            SELECT series_uid, variants, json_extract_string(header, {_PATHS}) AS said,
                   json_type(header, {_PATHS}) AS sort
            FROM main_header
        ) m
        JOIN ({_FOLDERS}) c USING (series_uid)
        LEFT JOIN (SELECT series_uid, max(b_value) AS b_value FROM planes GROUP BY 1) b USING (series_uid)
        LEFT JOIN geometry g USING (series_uid)
        """
    )


def _readers() -> tuple[dict[str, str], dict[str, str]]:
    """Expressions for the text and for the first number of each keyword; several texts are joined as DICOM does.

    All keywords are taken from the JSON in one go: a call for each would parse it a hundred times.
    """
    text, number = {}, {}
    for place, keyword in enumerate(_KEYWORDS, start=1):
        value, several = f"m.said[{place}]", f"m.sort[{place}] = 'ARRAY'"
        values = f"from_json({value}, '[\"VARCHAR\"]')"
        text[keyword] = f"nullif(trim(CASE WHEN {several} THEN array_to_string({values}, '\\') ELSE {value} END), '')"
        number[keyword] = f"TRY_CAST(CASE WHEN {several} THEN {values}[1] ELSE {value} END AS DOUBLE)"
    return text, number
