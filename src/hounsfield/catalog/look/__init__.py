"""Catalog -> tables, outliers and thumbnails that a person looks at."""
