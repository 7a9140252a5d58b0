"""Trained models put to use: bundles, prediction of cases and of DICOM series."""
