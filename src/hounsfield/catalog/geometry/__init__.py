"""Objects of a series -> its volumes: planes, spacing, gaps, phases."""
