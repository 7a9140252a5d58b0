"""Bundles: what is written is read; whatever was altered is refused with a remedy, and no code is ever run."""

from __future__ import annotations

import json
import os
import pickle

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from hounsfield.core.content import sha256_of_file
from hounsfield.core.errors import BundleError
from hounsfield.infer.bundle import read_bundle
from hounsfield.infer.model import models_of


def refused(folder, words: str) -> None:
    with pytest.raises(BundleError, match=words) as caught:
        models_of(read_bundle(folder))
    assert "anew" in str(caught.value) or "update" in str(caught.value) or "name one" in str(caught.value)
    assert str(folder.parent) not in str(caught.value)


def edit(folder, change) -> None:
    card = json.loads((folder / "bundle.json").read_text())
    change(card)
    (folder / "bundle.json").write_text(json.dumps(card))


def replace_weights(folder, change) -> None:
    """Other weights under a digest that fits them, as a forger would."""
    path = folder / "members" / "0.safetensors"
    weights = load_file(path)
    change(weights)
    save_file(weights, path)
    edit(folder, lambda card: card["members"][0].update(sha256=sha256_of_file(path)))


def test_weights_and_card_survive(finished_run, bundle_of):
    bundle = bundle_of("auto_mask")
    card = bundle.card
    assert (card.kind, card.classes, card.values, card.column) == (
        "auto_mask",
        ["small", "large"],
        [["0"], ["1"]],
        "malignant",
    )
    stored = load_file(finished_run.out / "pieces" / "r0-f0-s1" / "large" / "auto_mask" / "weights.safetensors")
    read = {f"{part}.{key}": value for part, keys in bundle.members[0].weights.items() for key, value in keys.items()}
    assert read.keys() == stored.keys()
    assert all(np.array_equal(read[name], stored[name]) for name in read)
    assert "Not a medical device" in (finished_run.out / "bundles" / "auto_mask" / "card.md").read_text()


def test_two_arms_have_two_digests(bundle_of):
    assert bundle_of("auto_mask").card.digest != bundle_of("joint").card.digest


def test_an_altered_byte(copied):
    path = copied / "members" / "0.safetensors"
    data = bytearray(path.read_bytes())
    data[-7] ^= 1
    path.write_bytes(bytes(data))
    refused(copied, "not the file that was trained")


def test_a_missing_member(copied):
    (copied / "members" / "0.safetensors").unlink()
    refused(copied, "is missing")


def test_a_later_format_even_with_keys_that_are_unknown_here(copied):
    edit(copied, lambda card: card.update(format=99, flux=1))
    refused(copied, "has format 99, this version reads 1; update hounsfield")


@pytest.mark.parametrize("file", ["../stolen.safetensors", "/etc/hostname", "members/../../x", "a\0b", "x" * 5000])
def test_a_member_outside_of_the_folder(copied, file):
    edit(copied, lambda card: card["members"][0].update(file=file))
    refused(copied, "outside of the bundle|missing")


def test_a_link_out_of_the_folder(copied, tmp_path):
    path = copied / "members" / "0.safetensors"
    path.rename(tmp_path / "elsewhere.safetensors")
    path.symlink_to(tmp_path / "elsewhere.safetensors")
    refused(copied, "outside of the bundle")


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


def test_a_pickle_in_place_of_the_weights_is_not_run(copied, tmp_path):
    path = copied / "members" / "0.safetensors"
    path.write_bytes(pickle.dumps(Bomb(tmp_path / "exploded")))
    edit(copied, lambda card: card["members"][0].update(sha256=sha256_of_file(path)))
    refused(copied, "no safetensors file")
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"format": 1}',
        '{"format": "x"}',
        "[" * 100_000,
        "\0\1\2",
    ],
)
def test_cards_that_are_none(copied, text):
    (copied / "bundle.json").write_text(text, encoding="utf-8")
    refused(copied, "damaged")


@pytest.mark.parametrize(
    "change",
    [
        lambda card: card.update(flux=1),
        lambda card: card.update(members=[]),
        lambda card: card.update(classes=["small"]),
        lambda card: card.update(classes=["small", "small"]),
        lambda card: card.update(kind="oracle"),
        lambda card: card["preparation"].update(size=[0, 0, 0]),
    ],
)
def test_cards_with_wrong_values(copied, change):
    edit(copied, change)
    refused(copied, "damaged")


@pytest.mark.parametrize(
    "change",
    [
        lambda card: card["members"][0]["networks"]["image"].update(network="os.system"),
        lambda card: card["members"][0]["networks"]["image"]["settings"].update(widths=[1]),
        lambda card: card["members"][0]["networks"].update(extra={"network": "dilated_unet"}),
        lambda card: card["members"][0].update(features={"mix": ["a"]}),
        lambda card: card["members"][0].update(networks={}),
    ],
)
def test_members_that_do_not_fit_their_weights(copied, change):
    edit(copied, change)
    refused(copied, "do not fit|lacks the part")


def test_weights_of_another_shape(copied, finished_run, tmp_path):
    replace_weights(copied, lambda weights: weights.update({name: value[:1] for name, value in weights.items()}))
    refused(copied, "do not fit")


def test_feature_weights_of_another_shape(finished_run, tmp_path):
    import shutil

    folder = shutil.copytree(finished_run.out / "bundles" / "density", tmp_path / "density")
    replace_weights(folder, lambda weights: weights.update({"features.mean": np.zeros(1)}))
    refused(folder, "do not fit")


def test_a_folder_of_bundles_names_them(finished_run, tmp_path):
    with pytest.raises(BundleError, match="It holds bundles: auto_mask, density"):
        read_bundle(finished_run.out / "bundles")
    with pytest.raises(BundleError, match="is no bundle"):
        read_bundle(tmp_path / "nothing")
