"""Simulated nodules and patients whose truth is known: arrays for phantom studies, and archives of valid DICOM.

`cubes` makes sets of small cubes for the studies of confounding and leakage, `patient` draws a small chest CT,
`archive` writes many of them with a cases table.
"""
