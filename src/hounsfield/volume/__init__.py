"""Images of patients: reading and writing, geometry, resampling, crops, windows, measures. Loads nothing by itself."""
