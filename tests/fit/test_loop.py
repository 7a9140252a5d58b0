"""The training loop: it learns, it resumes to the same bytes, it chooses by validation, it says what is wrong."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

from hounsfield import nets
from hounsfield.core.errors import RunError
from hounsfield.data.augment import Augmentation
from hounsfield.fit.checkpoint import FILE
from hounsfield.fit.loop import train
from hounsfield.fit.tasks import BothTask, ClassifyTask, SegmentTask

TASKS = {
    "nodule_classifier": ClassifyTask(masked=True),
    "dilated_unet": SegmentTask(),
    "cascade": BothTask(),
    "multitask_unet": BothTask(),
}


class Killed(KeyboardInterrupt):
    """Stands for Ctrl-C at a chosen step."""


@dataclass
class DiesAt:
    """A task that is interrupted at its n-th training step and is otherwise `task`."""

    task: object
    step: int

    def __post_init__(self):
        self.done = 0

    def __getattr__(self, name):
        return getattr(self.task, name)

    def __repr__(self):  # the fingerprint of a training holds its task
        return repr(self.task)

    def loss(self, network, batch):
        self.done += 1
        if self.done == self.step:
            raise Killed
        return self.task.loss(network, batch)


def without_time(history):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in history]


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


# Steps 2, 7 and 9 lie in the first epoch, within the second, at the start of the third.
@pytest.mark.parametrize(
    ("name", "step"),
    [("nodule_classifier", 2), ("nodule_classifier", 9), *((name, 7) for name in TASKS)],
)
def test_interrupted_training_resumes_to_the_same_bytes(name, step, parts, small, quick, tmp_path):
    task = TASKS[name]

    def run(task, folder):
        network = nets.build(name, small[name], seed=4)
        return train(network, task, *parts, quick, seed=9, folder=folder)

    whole = run(task, None)
    with pytest.raises(KeyboardInterrupt):
        run(DiesAt(task, step), tmp_path)
    torch.manual_seed(123)  # whatever was drawn in between must not matter
    resumed = run(task, tmp_path)
    assert same(whole.network, resumed.network)
    assert without_time(whole.history) == without_time(resumed.history)
    assert whole.best_epoch == resumed.best_epoch

    again = run(DiesAt(task, 1), tmp_path)  # finished: no further step is made
    assert same(whole.network, again.network)
    assert without_time(again.history) == without_time(whole.history)


def test_random_state_of_the_caller_is_left_alone(parts, small, quick):
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    train(nets.build("nodule_classifier", small["nodule_classifier"], seed=0), ClassifyTask(), *parts, quick, seed=1)
    assert torch.equal(before, torch.random.get_rng_state())


def test_another_seed_gives_other_weights(parts, small, quick):
    results = [
        train(
            nets.build("nodule_classifier", small["nodule_classifier"], seed=0), ClassifyTask(), *parts, quick, seed=s
        )
        for s in (1, 2)
    ]
    assert not same(results[0].network, results[1].network)


def test_segmenter_learns_bright_balls(parts, small, quick):
    settings = {**small["dilated_unet"], "prior": 0.2}
    config = quick.model_copy(update={"epochs": 25, "learning_rate": 2e-2, "schedule": "one_cycle"})
    fitted = train(nets.build("dilated_unet", settings, seed=0), SegmentTask(), *parts, config, seed=1)
    assert fitted.history[fitted.best_epoch]["dice"] > 0.9
    assert fitted.best_epoch == max(range(25), key=lambda epoch: fitted.history[epoch]["dice"])
    assert not fitted.network.training


def test_classifier_learns_the_size(parts, small, quick):
    config = quick.model_copy(update={"epochs": 25, "learning_rate": 5e-3, "schedule": "one_cycle"})
    network = nets.build("nodule_classifier", small["nodule_classifier"], seed=0)
    fitted = train(network, ClassifyTask(masked=True), *parts, config, seed=1)
    assert fitted.history[fitted.best_epoch]["accuracy"] == 1.0


def test_stop_rule_and_rate_follow_the_gains(parts, small, quick):
    config = quick.model_copy(update={"epochs": 30, "learning_rate": 1e-12, "stop_patience": 2})
    # With so small a rate the network stays as it is: batch statistics alone move the metrics.
    network = nets.build("dilated_unet", small["dilated_unet"], seed=0)
    fitted = train(network, SegmentTask(), *parts, config, seed=1)
    assert [row["gain"] for row in fitted.history] == [True, False, False]
    assert fitted.best_epoch == 0


def test_dice_floor_ends_a_joint_stage(parts, small, quick):
    network = nets.build("cascade", small["cascade"], seed=0)
    with pytest.raises(RunError, match="dice_floor"):
        train(network, BothTask(dice_floor=0.99), *parts, quick, seed=1)


def test_frozen_segmenter_stays_bit_identical(parts, small, quick):
    network = nets.build("cascade", {**small["cascade"], "freeze_segmenter": True}, seed=0)
    before = {name: value.clone() for name, value in network.segmenter.state_dict().items()}
    classifier = {name: value.clone() for name, value in network.classifier.state_dict().items()}
    train(network, BothTask(dice_weight=0), *parts, quick, seed=1)
    assert all(torch.equal(before[name], value) for name, value in network.segmenter.state_dict().items())
    assert not all(torch.equal(classifier[name], value) for name, value in network.classifier.state_dict().items())


def test_adam_steps_are_those_of_plain_torch(parts, small, quick):
    """Two epochs without augmentation and dropout against a loop written out with torch alone."""
    settings = {**small["nodule_classifier"], "dropout": 0.0}
    update = {"epochs": 2, "batch_size": 14, "schedule": "constant", "augmentation": Augmentation.none()}
    network = nets.build("nodule_classifier", settings, seed=3)
    fitted = train(network, ClassifyTask(), *parts, quick.model_copy(update=update), seed=1)
    plain = nets.build("nodule_classifier", settings, seed=3)
    adam = torch.optim.Adam(plain.parameters(), lr=1e-3, weight_decay=1e-4)
    losses = []
    for _ in range(2):
        adam.zero_grad()
        loss = torch.nn.functional.cross_entropy(plain(parts[0].image), parts[0].label)
        loss.backward()
        adam.step()
        losses.append(float(loss.detach()))
    assert [row["loss"] for row in fitted.history] == pytest.approx(losses, abs=2e-5)


def test_nan_in_the_cubes_is_said(parts, small, quick):
    parts[0].image[3, 0, 0, 0, 0] = float("nan")
    network = nets.build("nodule_classifier", small["nodule_classifier"], seed=0)
    with pytest.raises(RunError, match="loss of epoch 0 is nan; lower learning_rate"):
        train(network, ClassifyTask(), *parts, quick, seed=1)


def test_empty_parts_and_lone_cases(parts, small, quick):
    network = nets.build("dilated_unet", small["dilated_unet"], seed=0)
    with pytest.raises(RunError, match="validation part is empty"):
        train(network, SegmentTask(), parts[0], parts[1].take([]), quick, seed=1)
    with pytest.raises(RunError, match="at least 2 cases"):
        train(network, SegmentTask(), parts[0].take([0]), parts[1], quick, seed=1)
    one_left = train(network, SegmentTask(), parts[0].take(range(5)), parts[1].take([0]), quick, seed=1)
    assert len(one_left.history) == 3


def test_checkpoint_of_another_training_or_damaged_is_refused(parts, small, quick, tmp_path):
    def run(seed):
        network = nets.build("dilated_unet", small["dilated_unet"], seed=0)
        return train(network, SegmentTask(), *parts, quick, seed=seed, folder=tmp_path)

    run(1)
    assert [file.name for file in tmp_path.iterdir()] == [FILE]
    with pytest.raises(RunError, match="other settings, data, seed"):
        run(2)
    content = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(content[: len(content) // 2])
    with pytest.raises(RunError, match="remove it to start this training anew"):
        run(1)
