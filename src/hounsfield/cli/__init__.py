"""The command line: one thin command a verb. It parses, calls one Python function and prints what came out."""

from hounsfield.cli.app import help_text, main

__all__ = ["help_text", "main"]
