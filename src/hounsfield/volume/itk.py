"""SimpleITK, loaded when first needed and kept quiet. In: nothing; out: the module, and a context in which its
warnings don't print."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any


def itk() -> Any:
    """The SimpleITK module; it takes a quarter of a second to load and has no type annotations."""
    return import_module("SimpleITK")


@contextmanager
def quiet_itk() -> Iterator[None]:
    """Keeps ITK's warnings from the user's terminal; what matters is raised as an error."""
    settings = itk().ProcessObject
    shown = settings.GetGlobalWarningDisplay()
    settings.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        settings.SetGlobalWarningDisplay(shown)
