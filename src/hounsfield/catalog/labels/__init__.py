"""Headers and geometry -> labels and reasons for exclusion, by rules that are data."""
