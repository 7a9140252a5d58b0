"""Where and how exactly a training is computed: device, precision, compilation. All by rule, none by trial."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from hounsfield.core.errors import RunError
from hounsfield.fit.training import Training

# What compilation must save to be worth its time. Measured on two CPU cores and on one data-centre GPU.
COMPILE_COST_S = 120.0
COMPILE_GAIN = {"cpu": 0.15, "cuda": 0.25}  # fraction of a step's time
STEP_S = {"cpu": 1.0, "cuda": 0.02}  # a step of 24 cubes of 32^3


@dataclass(frozen=True)
class Hardware:
    """The choice made: torch device, Fabric precision ("32-true" or "bf16-mixed"), whether to compile."""

    device: torch.device
    precision: str
    compiled: bool


def choose(config: Training, *, steps: int) -> Hardware:
    """The hardware settings of a training of `steps` optimiser steps.

    The rule sees the settings and the machine alone, so that a training that is started again decides the same.

    Raises: RunError when a CUDA device is asked for and there is none.
    """
    name = config.device
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(name)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise RunError(f"device '{name}' was asked for, but torch sees no CUDA device; use device: auto or cpu.")
    if config.precision == "auto":
        precision = "bf16-mixed" if native_bfloat16(device) else "32-true"
    else:
        precision = {"32": "32-true", "bf16": "bf16-mixed"}[config.precision]
    compiled = config.compile == "on" or (config.compile == "auto" and compilation_pays(device, steps))
    return Hardware(device, precision, compiled)


def native_bfloat16(device: torch.device) -> bool:
    """Whether the hardware multiplies bfloat16 itself; where it is emulated it is many times slower than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        return any(getattr(torch.cpu, check, lambda: False)() for check in checks)
    return False


def compilation_pays(device: torch.device, steps: int) -> bool:
    """Whether `torch.compile` works here and can be expected to save twice its cost over `steps` steps."""
    if device.type not in STEP_S:
        return False
    saved = steps * STEP_S[device.type] * COMPILE_GAIN[device.type]
    return saved > 2 * COMPILE_COST_S and can_compile(device)


def can_compile(device: torch.device) -> bool:
    """Whether a C++ compiler and Python's headers are there, which torch's compiler needs, and Triton for a GPU."""
    compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")
    headers = (Path(sysconfig.get_paths()["include"]) / "Python.h").exists()
    triton = device.type != "cuda" or importlib.util.find_spec("triton") is not None
    return compiler is not None and headers and triton


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Within the block the C library keeps freed memory for the next step instead of giving it back to the system.

    A training step on the CPU frees and asks again for some hundred arrays of up to 100 MB; giving each back costs a
    page fault per 4 kB, about an eighth of the step. It holds for the whole process, changes no number, and does
    nothing where the C library is not glibc.
    """
    trim_threshold, mmap_max = -1, -4  # M_TRIM_THRESHOLD and M_MMAP_MAX of glibc's malloc.h
    try:
        library = ctypes.CDLL("libc.so.6")
        library.mallopt(trim_threshold, 2**31 - 1)
        library.mallopt(mmap_max, 0)
    except (OSError, AttributeError):
        yield
        return
    try:
        yield
    finally:
        library.mallopt(trim_threshold, 128 * 1024)  # glibc's defaults
        library.mallopt(mmap_max, 65536)
        library.malloc_trim(0)
