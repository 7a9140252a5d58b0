"""Choice of device, precision and compilation by rule."""

from __future__ import annotations

import pytest
import torch

from hounsfield.core.errors import RunError
from hounsfield.fit import hardware
from hounsfield.fit.training import Training

CPU = torch.device("cpu")


def test_bfloat16_only_where_the_processor_has_it(monkeypatch):
    for check in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, check, lambda: False, raising=False)
    config = Training(device="cpu", compile="off")
    assert hardware.choose(config, steps=10).precision == "32-true"
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True, raising=False)
    assert hardware.choose(config, steps=10).precision == "bf16-mixed"
    assert hardware.choose(config.model_copy(update={"precision": "32"}), steps=10).precision == "32-true"


def test_compilation_must_repay_itself_and_needs_a_compiler(monkeypatch):
    monkeypatch.setattr(hardware, "can_compile", lambda device: True)
    assert not hardware.compilation_pays(CPU, 300)  # a quick profile: 15 epochs of 20 steps
    assert hardware.compilation_pays(CPU, 120 * 22)
    monkeypatch.setattr(hardware, "can_compile", lambda device: False)
    assert not hardware.compilation_pays(CPU, 10**6)
    assert not hardware.choose(Training(device="cpu"), steps=10**6).compiled
    assert hardware.choose(Training(device="cpu", compile="on"), steps=1).compiled


def test_cuda_that_is_not_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert hardware.choose(Training(), steps=1).device == CPU
    with pytest.raises(RunError, match="no CUDA device"):
        hardware.choose(Training(device="cuda"), steps=1)
