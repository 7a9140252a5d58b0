"""SimpleITK, loaded when first needed and kept quiet. In: nothing; out: the module, and a context in which its
warnings don't print."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any


def itk() -> Any:
    """The SimpleITK module; it takes a quarter of a second to load and has no type annotations."""
    return import_module("SimpleITK")


@contextmanager
def quiet_itk() -> Iterator[None]:
    """Keeps ITK's warnings from the user's terminal; what matters is raised as an error.

    Some of its libraries (MetaImage) write past its switch for warnings, straight to the process's standard error, so
    that is pointed elsewhere for the moment too.
    """
    settings = itk().ProcessObject
    shown = settings.GetGlobalWarningDisplay()
    settings.SetGlobalWarningDisplay(False)
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
        settings.SetGlobalWarningDisplay(shown)
