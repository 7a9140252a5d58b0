"""DICOM -> DICOM without the patient (PS3.15 annex E)."""
