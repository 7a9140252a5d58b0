"""A folder of DICOM -> catalog, cohort and splits, and the proof that no patient stands on two sides of one."""
