"""Ranking by any loss, two inputs, rates by group and skipped steps in the training loop."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from hounsfield import nets
from hounsfield.core.errors import RunError
from hounsfield.data.augment import Augmentation
from hounsfield.data.batches import Tensors
from hounsfield.data.two_inputs import TwoInputs
from hounsfield.fit.loop import train
from hounsfield.fit.ranking import RankingTask, ranking_task
from hounsfield.fit.tasks import ClassifyTask
from hounsfield.fit.training import CLASSIFIER, Training

NETWORK = {"depth": 10, "width": 4, "dropout": 0.0}
DUAL = {"local": {"depth": 10, "width": 4}, "lungs": {"depth": 10, "width": 4}, "dropout": 0.0}


@pytest.fixture
def ranked(quick):
    return quick.model_copy(update={"loss": "pairwise_auc", "sampler": "two_class"})


def fitted(parts, config, *, name="resnet3d", settings=NETWORK, seed=1, folder=None, task=None):
    network = nets.build(name, settings, seed=4)
    return train(network, task or ranking_task(config), *parts, config, seed=seed, folder=folder)


def weights_of(network):
    return {name: value.clone() for name, value in network.named_parameters()}


def two(part: Tensors, seed: int) -> TwoInputs:
    """The label shows in the second cube alone: the first is noise."""
    noise = torch.randn(part.image.shape, generator=torch.Generator().manual_seed(seed))
    return TwoInputs(noise, None, part.label, lungs=part.image.half())


def test_auc_is_that_of_scikit_learn_and_chooses_the_epoch():
    rng = np.random.default_rng(3)
    label, logits = rng.integers(0, 2, 40), rng.normal(size=(40, 2)).round(1)
    task = RankingTask()
    metrics = task.metrics({"logits": torch.from_numpy(logits), "label": torch.from_numpy(label)})
    assert metrics["auc"] == pytest.approx(roc_auc_score(label, logits[:, 1] - logits[:, 0]))
    better, worse = (
        {"auc": 0.8, "cross_entropy": 2.0, "accuracy": 0.1},
        {"auc": 0.7, "cross_entropy": 0.1, "accuracy": 1},
    )
    assert task.rank(better) > task.rank(worse)
    assert task.rank(better | {"cross_entropy": 1.0}) > task.rank(better)


@pytest.mark.parametrize("loss", ["pairwise_auc", "cross_entropy", "focal"])
def test_each_loss_learns_the_size(loss, parts, ranked):
    changes = {"loss": loss, "epochs": 12, "learning_rate": 5e-3, "schedule": "one_cycle"}
    found = fitted(parts, ranked.model_copy(update=changes))
    best = found.history[found.best_epoch]
    assert best["auc"] == 1.0
    assert found.best_epoch == max(
        range(12), key=lambda i: (found.history[i]["auc"], -found.history[i]["cross_entropy"])
    )


def test_two_inputs_reach_the_network(parts, ranked):
    both = tuple(two(part, seed) for seed, part in enumerate(parts))
    changes = {"epochs": 12, "learning_rate": 5e-3, "schedule": "one_cycle"}
    found = fitted(both, ranked.model_copy(update=changes), name="dual_path", settings=DUAL)
    assert found.history[found.best_epoch]["auc"] == 1.0
    augmented = ranked.model_copy(update={"augmentation": Training(augmentation={"kind": "affine"}).augmentation})
    assert len(fitted(both, augmented, name="dual_path", settings=DUAL).history) == 3


def test_a_batch_of_one_class_moves_no_weight(parts, ranked):
    """Batches of 2 shuffled: some hold one class; AdamW with a large decay would shrink the weights there.

    The weights are noted before each such batch and before the one that follows it.
    """
    changes = {"sampler": "shuffled", "optimiser": "adamw", "weight_decay": 10.0, "epochs": 1, "batch_size": 2}
    config = ranked.model_copy(update=changes)

    class Watching(RankingTask):
        alone: ClassVar[list[Tensors]] = []

        def loss(self, network, batch):
            if self.alone:
                after.append(weights_of(watched))
            self.alone[:] = [batch] if len(set(batch.label.tolist())) == 1 else []
            if self.alone:
                before.append(weights_of(watched))
            return super().loss(network, batch)

    before: list[dict[str, torch.Tensor]] = []
    after: list[dict[str, torch.Tensor]] = []
    watched = nets.build("resnet3d", NETWORK, seed=4)
    train(watched, Watching(), *parts, config, seed=1)
    assert len(after) >= 2
    for one, other in zip(before, after, strict=False):  # the last batch may be of one class
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_skipping_is_what_keeps_them(parts, ranked):
    """The same batches with a task that claims to learn from all: decay moves the weights at a zero gradient."""

    class Eager(RankingTask):
        def learns_from(self, batch):
            return True

    one_class = parts[0].take([index for index in range(14) if parts[0].label[index] == 0])
    changes = {"sampler": "shuffled", "optimiser": "adamw", "weight_decay": 1.0, "epochs": 1, "batch_size": 7}
    config = ranked.model_copy(update=changes)
    network = nets.build("resnet3d", NETWORK, seed=4)
    before = weights_of(network)

    def check(part, name):
        pass

    eager, lazy = Eager(), RankingTask()
    for task in (eager, lazy):
        object.__setattr__(task, "check", check)
    with pytest.raises(RunError, match="no batch of epoch 0 could be learnt from: each held one class only"):
        train(network, lazy, one_class, parts[1], config, seed=1)
    assert all(torch.equal(before[name], value) for name, value in network.named_parameters())
    train(network, eager, one_class, parts[1], config, seed=1)
    assert not torch.equal(before["conv1.weight"], network.conv1.weight)


def test_rates_are_times_their_factor(parts, ranked):
    """One step of Adam moves every weight by about its rate: ten times less where the factor is a tenth."""
    update = {"rates": {"": 0.1, "fc": 1.0}, "epochs": 1, "batch_size": 14, "schedule": "constant", "weight_decay": 0.0}
    config = ranked.model_copy(update=update | {"augmentation": Augmentation.none()})
    before = weights_of(nets.build("resnet3d", NETWORK, seed=4))
    after = weights_of(fitted(parts, config).network)
    moved = {name: float((after[name] - before[name]).detach().abs().median()) for name in before}
    assert moved["fc.weight"] == pytest.approx(1e-3, rel=0.01)
    assert moved["layer1.0.conv2.weight"] == pytest.approx(1e-4, rel=0.01)


def test_adamw_steps_are_those_of_plain_torch(parts, ranked):
    update = {"epochs": 2, "batch_size": 14, "schedule": "constant", "sampler": "shuffled", "optimiser": "adamw"}
    config = ranked.model_copy(update=update | {"augmentation": Augmentation.none(), "weight_decay": 0.1})
    found = fitted(parts, config)
    plain = nets.build("resnet3d", NETWORK, seed=4)
    steps = torch.optim.AdamW(plain.parameters(), lr=1e-3, weight_decay=0.1)
    losses = []
    for _ in range(2):
        prob = torch.softmax(plain(parts[0].image), dim=1)[:, 1]
        positive, negative = prob[parts[0].label == 1], prob[parts[0].label == 0]
        loss = (positive[:, None] - negative[None] - 0.2).clamp(max=0).square().mean()
        steps.zero_grad()
        loss.backward()
        steps.step()
        losses.append(float(loss.detach()))
    assert [row["loss"] for row in found.history] == pytest.approx(losses, abs=1e-5)


class Killed(KeyboardInterrupt):
    pass


@pytest.mark.parametrize("kill_at", [1, 6])
@pytest.mark.parametrize("changes", [{}, {"loss_settings": {"memory": 4}, "sampler": "shuffled", "rates": {"fc": 3.0}}])
def test_interrupted_training_resumes_to_the_same_bytes(changes, kill_at, parts, ranked, tmp_path):
    config = ranked.model_copy(update=changes)
    whole = fitted(parts, config)

    class Dies(RankingTask):
        steps = 0

        def loss(self, network, batch):
            Dies.steps += 1
            if Dies.steps == kill_at:
                raise Killed
            return super().loss(network, batch)

        def __repr__(self):
            return repr(ranking_task(config))

    with pytest.raises(KeyboardInterrupt):
        fitted(parts, config, folder=tmp_path, task=Dies(loss_settings=config.loss_settings))
    resumed = fitted(parts, config, folder=tmp_path)
    pairs = zip(whole.network.state_dict().values(), resumed.network.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert [row["loss"] for row in whole.history] == [row["loss"] for row in resumed.history]


def test_frozen_stages_stay_as_they_were(parts, ranked):
    settings = NETWORK | {"frozen": "layer2"}
    before = nets.build("resnet3d", settings, seed=4).state_dict()
    after = fitted(parts, ranked, settings=settings).network.state_dict()
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"layer3", "layer4", "fc"}


def test_unfit_settings_and_parts_are_told(parts, ranked, quick):
    with pytest.raises(RunError, match="ask for the loss 'pairwise_auc', and this stage learns the class by 'cross_"):
        fitted(parts, ranked, task=ClassifyTask())
    with pytest.raises(RunError, match="the validation part holds class indices \\[0\\]"):
        fitted((parts[0], parts[1].take([0, 2])), ranked)
    with pytest.raises(RunError, match="takes no class weights"):
        RankingTask(class_weights=(1.0, 2.0)).check(parts[0], "training")
    RankingTask(loss_name="focal", class_weights=(1.0, 2.0)).check(parts[0], "training")
    three = replace(parts[0], label=torch.arange(14) % 3)
    with pytest.raises(RunError, match="indices 0 to 1"):
        RankingTask().check(three, "training")
    with pytest.raises(ValueError, match="Did you mean 'pairwise_auc'"):
        Training(loss="pairwise_auk")
    with pytest.raises(ValueError, match="To hold weights, freeze"):
        Training(rates={"layer1": 0.0})
    with pytest.raises(ValueError, match="gamma"):
        Training(loss="pairwise_auc", loss_settings={"gamma": 3})


def test_settings_of_earlier_runs_keep_their_text():
    """A run folder is claimed by the text of its settings; keys that say nothing new do not appear in it."""
    known = {"loss", "loss_settings", "sampler", "optimiser", "rates"}
    assert known.isdisjoint(CLASSIFIER.model_dump(mode="json"))
    said = Training(loss="focal", rates={"fc": 2.0}).model_dump(mode="json")
    assert known & set(said) == {"loss", "rates"}
    assert Training(**said).rates == {"fc": 2.0}
