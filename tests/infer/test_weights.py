"""Published checkpoints: what is taken, what is refused, and in which words. The checkpoints are made here, with the
names, wrappers and prefixes of the published ones."""

from __future__ import annotations

import json
import os
import pickle

import pytest
import torch
from monai.networks.nets import resnet as monai_resnet
from safetensors import safe_open
from safetensors.torch import load_file

from hounsfield import nets
from hounsfield.core.errors import BundleError
from hounsfield.infer.weights import import_weights, load_weights, read_weights
from hounsfield.nets.pretrained import fill

WIDTH = 4
HEAD = ("fc.weight", "fc.bias")


def published(depth=50, prefix="module.", **changes):
    """A backbone's state dict as MONAI, an independent implementation of the same layout, names it."""
    block, layers, shortcut, _, _ = monai_resnet.resnet_params[f"resnet{depth}"]
    planes = [WIDTH << stage for stage in range(4)]
    options = {"n_input_channels": 1, "conv1_t_stride": 2, "shortcut_type": shortcut, "bias_downsample": False}
    network = monai_resnet.ResNet(block, layers, planes, feed_forward=False, **(options | changes))
    return {f"{prefix}{name}": value for name, value in network.state_dict().items()}


@pytest.fixture
def file(tmp_path):
    def write(content, name="resnet_50.pth", **options):
        torch.save(content, tmp_path / name, **options)
        return tmp_path / name

    return write


def network_of(depth=50, **changes):
    return nets.build("resnet3d", {"depth": depth, "width": WIDTH, **changes}, seed=3)


@pytest.mark.parametrize("depth", [10, 18, 34, 50, 101])
def test_a_published_checkpoint_comes_in_whole(depth, file, tmp_path):
    state = published(depth)
    done = import_weights(
        file({"epoch": 3, "state_dict": state, "optimizer": {"state": {}}}), tmp_path / "w.safetensors"
    )
    assert done.look.depth == depth
    assert done.look.shortcut == ("A" if depth in (18, 34) else "B")
    assert done.report.missing == HEAD
    assert done.report.unexpected == ()
    network = network_of(depth)
    head = network.fc.weight.clone()
    report = load_weights(network, done.path)
    assert report.missing == HEAD
    assert set(report.matched) == {name.removeprefix("module.") for name in state}
    assert torch.equal(network.fc.weight, head)
    assert all(torch.equal(network.state_dict()[name.removeprefix("module.")], state[name]) for name in state)
    with safe_open(done.path, framework="pt") as opened:
        notes = json.loads(opened.metadata()["weights"])
    assert (notes["depth"], notes["source"], notes["sha256"]) == (depth, "resnet_50.pth", done.sha256)


def test_both_paths_start_from_the_same_weights_in_storage_of_their_own(file, tmp_path):
    done = import_weights(file(published()), tmp_path / "w.safetensors")
    path = {"depth": 50, "width": WIDTH}
    dual = nets.build("dual_path", {"local": path, "lungs": path}, seed=0)
    report = load_weights(dual, done.path)
    assert report.missing == HEAD
    assert report.unexpected == ()
    assert torch.equal(dual.local.layer3[0].conv2.weight, dual.lungs.layer3[0].conv2.weight)
    assert dual.local.conv1.weight.data_ptr() != dual.lungs.conv1.weight.data_ptr()


def test_a_head_of_another_size_is_missing_and_unexpected():
    other = network_of(classes=5)
    report = fill(network_of(), other.state_dict())
    assert report.missing == HEAD
    assert report.unexpected == HEAD
    assert fill(network_of(), network_of().state_dict()).missing == ()


def test_the_segmentation_head_of_med3d_is_told_and_left_out(file, tmp_path):
    state = published() | {
        "module.conv_seg.0.weight": torch.ones(4, 4, 2, 2, 2),
        "module.conv_seg.0.bias": torch.ones(4),
    }
    done = import_weights(file({"state_dict": state}), tmp_path / "w.safetensors")
    assert done.report.unexpected == ("conv_seg.0.weight", "conv_seg.0.bias")
    assert "unexpected: 2 (conv_seg.0.weight, conv_seg.0.bias)" in done.report.lines()
    assert not any(name.startswith("conv_seg") for name in load_file(done.path))


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "module.model.", "model.backbone."])
@pytest.mark.parametrize("wrapper", [None, "state_dict", "model_state_dict", "net"])
def test_wrappers_and_prefixes(prefix, wrapper, file, tmp_path):
    state = published(10, prefix)
    done = import_weights(file(state if wrapper is None else {wrapper: state, "lr": 0.1}), tmp_path / "w.safetensors")
    assert done.report.missing == HEAD
    assert done.look.depth == 10


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_become_float32(kind, file, tmp_path):
    state = published(10)
    other = {name: value.to(kind) if value.is_floating_point() else value for name, value in state.items()}
    done = import_weights(file(other), tmp_path / "w.safetensors")
    found = load_file(done.path)
    assert {value.dtype for value in found.values()} == {torch.float32, torch.int64}
    torch.testing.assert_close(found["conv1.weight"], other["module.conv1.weight"].float(), rtol=0, atol=0)


def test_old_files_have_no_counters_and_old_pickles_are_read(file, tmp_path):
    state = {name: value for name, value in published(10).items() if "num_batches" not in name}
    old = file({"state_dict": state}, _use_new_zipfile_serialization=False)
    done = import_weights(old, tmp_path / "w.safetensors")
    assert done.report.missing == HEAD
    assert load_weights(network_of(10), done.path).missing == HEAD


def test_safetensors_from_elsewhere_come_in_too(file, tmp_path):
    first = import_weights(file(published(10)), tmp_path / "a.safetensors")
    second = import_weights(first.path, tmp_path / "b.safetensors")
    assert first.report == second.report


class Hostile:
    def __init__(self, folder):
        self.command = f"touch {folder}/was_run"

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_what_could_run_code_is_refused(file, tmp_path):
    hidden = file({"state_dict": published(10), "note": Hostile(tmp_path)}, "hidden.pth")
    bare = tmp_path / "bare.pth"
    bare.write_bytes(pickle.dumps(Hostile(tmp_path)))
    whole = file(network_of(10), "whole.pth")
    for path, named in ((hidden, "system"), (bare, "functions"), (whole, "Resnet3d")):
        with pytest.raises(BundleError, match=f"holds more than tensors: it calls .*{named}.* refused") as caught:
            import_weights(path, tmp_path / "w.safetensors")
        assert "weights_only" not in str(caught.value)  # torch's own advice is to switch the check off
        assert str(tmp_path) not in str(caught.value)
    assert not (tmp_path / "was_run").exists()
    assert not (tmp_path / "w.safetensors").exists()


def test_damaged_files_are_told(file, tmp_path):
    good = file(published(10)).read_bytes()
    old = file(published(10), "old.pth", _use_new_zipfile_serialization=False).read_bytes()
    contents = {
        "half.pth": (good[: len(good) // 2], "its end is missing"),
        "half_old.pth": (old[: len(old) // 2], "damaged, cut short"),
        "byte.pth": (old[:1], "damaged, cut short"),
        "empty.pth": (b"", "it is empty"),
        "page.pth": (b"<!DOCTYPE html><html>404</html>", "a web page"),
        "pointer.pth": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "a pointer"),
        "noise.pth": (b"hello", "no file of PyTorch"),
        "half.safetensors": (b"\x40\x00\x00\x00\x00\x00\x00\x00{", "damaged"),
    }
    for name, (content, words) in contents.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(BundleError, match=words):
            import_weights(tmp_path / name, tmp_path / "w.safetensors")
    with pytest.raises(BundleError, match=r"no file absent\.pth"):
        import_weights(tmp_path / "absent.pth", tmp_path / "w.safetensors")


def test_another_architecture_is_told_by_its_look(file, tmp_path):
    flat = {name: value[..., 0] if value.ndim == 5 else value for name, value in published(50).items()}
    deeper = published(50) | {
        name.replace(".0.", f".{block}."): value
        for name, value in published(50).items()
        for layer, count in (("layer2", 8), ("layer3", 36))
        for block in range(count)
        if f"{layer}.0." in name
    }
    seen = {
        "a 2-D ResNet-50": flat,
        "ResNet-152": deeper,
        "a vision transformer": {"patch_embed.proj.weight": torch.ones(2), "blocks.0.attn.qkv.weight": torch.ones(2)},
        "a DenseNet": {"features.denseblock1.denselayer1.conv1.weight": torch.ones(2)},
        "a Swin UNETR": {"swinViT.patch_embed.proj.weight": torch.ones(2)},
        r"nothing this package knows \(parts: dense, head\)": {
            "dense.weight": torch.ones(2),
            "head.bias": torch.ones(2),
        },
    }
    for words, state in seen.items():
        with pytest.raises(BundleError, match=f"looks like .*{words}"):
            import_weights(file(state), tmp_path / "w.safetensors")
    with pytest.raises(BundleError, match="looks like a 3-D ResNet-18 .*shortcut A.*ResNet-50 was asked for"):
        import_weights(file(published(18)), tmp_path / "w.safetensors", depth=50)


def test_a_network_of_another_layout_is_not_filled_by_half():
    state = {name.removeprefix("module."): value for name, value in published(34).items()}
    for network in (
        network_of(18),
        network_of(10),
        network_of(50),
        network_of(34, shortcut="B"),
        network_of(34, channels=2),
    ):
        before = {name: value.clone() for name, value in network.state_dict().items()}
        with pytest.raises(BundleError, match=r"another architecture: it looks like a 3-D ResNet-34"):
            fill(network, state)
        assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    with pytest.raises(BundleError, match="no place for layer1.0.downsample.0.bias"):
        fill(
            network_of(50),
            {name.removeprefix("module."): value for name, value in published(bias_downsample=True).items()},
        )


def test_contents_without_weights(file, tmp_path):
    for content, held in (
        ({"epoch": 1}, "epoch"),
        ({}, "nothing"),
        ([torch.ones(2)], "list"),
        (torch.ones(2), "Tensor"),
    ):
        with pytest.raises(BundleError, match=f"no state dict .* it holds: {held}"):
            import_weights(file(content), tmp_path / "w.safetensors")
    broken = published(10)
    broken["module.bn1.weight"][0] = float("nan")
    with pytest.raises(BundleError, match=r"not finite \(bn1.weight\)"):
        import_weights(file(broken), tmp_path / "w.safetensors")
    with pytest.raises(BundleError, match="holds 'bn1.weight' twice, with and without the prefix 'module.'"):
        import_weights(file(published(10) | {"bn1.weight": torch.ones(WIDTH)}), tmp_path / "w.safetensors")


def test_only_safetensors_are_written_and_loaded(file, tmp_path):
    path = file(published(10))
    with pytest.raises(BundleError, match=r"name the file w.safetensors, not w.pth"):
        import_weights(path, tmp_path / "w.pth")
    with pytest.raises(BundleError, match=r"hounsfield weights import resnet_50.pth"):
        read_weights(path)
