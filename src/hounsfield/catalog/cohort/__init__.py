"""Catalog, rules and a table of outcomes -> cases, counted step by step."""
