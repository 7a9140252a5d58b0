"""`hounsfield weights import` from the outside."""

from __future__ import annotations

import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from hounsfield import nets
from hounsfield.cli.weights import app
from hounsfield.core.errors import BundleError, HounsfieldError


def test_import_reports_the_keys(tmp_path):
    state = nets.build("resnet3d", {"depth": 10, "width": 4}, seed=0).state_dict()
    state = {f"module.{name}": value for name, value in state.items() if not name.startswith("fc.")}
    torch.save({"state_dict": state}, tmp_path / "resnet_10.pth")
    done = CliRunner().invoke(app, ["import", str(tmp_path / "resnet_10.pth")])
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0] == "resnet_10.pth looks like a 3-D ResNet-10 (basic blocks, shortcut B, 1 input channel)"
    assert lines[2:4] == ["missing: 2 (fc.weight, fc.bias)", "unexpected: 0"]
    assert (tmp_path / "resnet_10.safetensors").is_file()


def test_a_foreign_head_of_two_classes_stays_out(tmp_path):
    state = nets.build("resnet3d", {"depth": 10, "width": 4}, seed=0).state_dict()
    torch.save(state, tmp_path / "resnet_10.pth")
    done = CliRunner().invoke(app, ["import", str(tmp_path / "resnet_10.pth")])
    lines = done.stdout.splitlines()
    assert lines[2:4] == ["missing: 2 (fc.weight, fc.bias)", "unexpected: 2 (fc.weight, fc.bias)"]
    assert not {"fc.weight", "fc.bias"} & load_file(tmp_path / "resnet_10.safetensors").keys()


def test_a_source_is_not_written_over_and_a_place_that_cannot_be_written_is_told(tmp_path):
    save_file({"fc.weight": torch.ones(1)}, tmp_path / "a.safetensors")
    assert CliRunner().invoke(app, ["import", str(tmp_path / "a.safetensors")]).exit_code == 2
    state = nets.build("resnet3d", {"depth": 10, "width": 4}, seed=0).state_dict()
    torch.save(state, tmp_path / "resnet_10.pth")
    done = CliRunner().invoke(app, ["import", str(tmp_path / "resnet_10.pth"), "--out", "/proc/x.safetensors"])
    assert isinstance(done.exception, HounsfieldError | OSError)
    assert "x.safetensors" in str(done.exception)


def test_mistakes_are_told(tmp_path):
    assert CliRunner().invoke(app, ["import", "a.pth", "--depth", "20"]).exit_code == 2
    assert isinstance(CliRunner().invoke(app, ["import", str(tmp_path / "a.pth")]).exception, BundleError)
