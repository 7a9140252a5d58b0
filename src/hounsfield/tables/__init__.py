"""The schemas of the cases and predictions tables: reading, checking, writing. Knows no model."""
