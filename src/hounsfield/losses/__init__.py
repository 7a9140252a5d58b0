"""Losses: reference tensor first, predicted tensor second, a scalar out; one loss a file. Loads no torch by itself."""
