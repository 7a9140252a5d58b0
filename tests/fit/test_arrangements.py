"""The six arrangements on small cubes: stages shared, networks as published, predictions in order."""

from __future__ import annotations

import pytest
import torch

from hounsfield.core.errors import StudyError
from hounsfield.fit.arrangements import ArrangementSettings, Stages, arrangements, train_arm
from hounsfield.nets.masking import apply_mask


@pytest.fixture
def settings(small, quick):
    training = quick.model_copy(update={"epochs": 2})
    network = {key: value for key, value in small["nodule_classifier"].items() if key != "grid"}
    stages = dict.fromkeys(("segmenter", "classifier", "joint", "multitask"), training)
    return ArrangementSettings(unet=small["dilated_unet"], network=network, **stages)


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


def test_all_arms_share_their_stages_and_resume(parts, settings, tmp_path):
    stages = Stages(*parts, settings, seed=2, folder=tmp_path)
    arms = {name: train_arm(name, stages) for name in arrangements.names()}
    assert set(arms) == {"raw", "expert_mask", "auto_mask", "joint", "multitask", "transfer"}
    assert {file.name for file in tmp_path.iterdir()} == {
        "segmenter",
        "raw",
        "expert_mask",
        "auto_mask",
        "joint",
        "multitask",
    }
    # Frozen stages carry the segmenter as it was trained; the joint stage has moved it.
    for name, equal in (("auto_mask", True), ("transfer", True), ("joint", False)):
        assert same(arms[name].network.segmenter, stages.segmenter.network) is equal
    assert same(arms["transfer"].network.classifier, arms["expert_mask"].network)
    assert same(arms["auto_mask"].network.classifier, stages.auto.network)
    again = train_arm("joint", Stages(*parts, settings, seed=2, folder=tmp_path))
    assert same(again.network, arms["joint"].network)
    for arm in arms.values():
        answer = arm.predict(parts[1])
        assert answer.prob.shape == (5, 2)
        assert (answer.mask is not None) == (arm.network_name != "nodule_classifier")
        backwards = arm.predict(parts[1].take([4, 3, 2, 1, 0]))
        torch.testing.assert_close(backwards.prob.flip(0), answer.prob)


def test_frozen_cascade_answers_as_its_parts_do(parts, settings):
    stages = Stages(*parts, settings, seed=2)
    arm = train_arm("auto_mask", stages)
    masked = apply_mask(parts[1].image, stages.soft_mask(parts[1]), fill="zero")
    with torch.no_grad():
        expected = torch.softmax(stages.auto.network(masked), dim=1)
    torch.testing.assert_close(arm.predict(parts[1]).prob, expected)


def test_expert_arm_looks_at_the_expert_mask_alone(parts, settings):
    arm = train_arm("expert_mask", Stages(*parts, settings, seed=2))
    assert arm.masked_input
    inside = parts[1].mask
    changed = torch.where(inside, parts[1].image, torch.full_like(parts[1].image, 0.9))
    other = type(parts[1])(changed, inside, parts[1].label)
    assert torch.equal(arm.predict(other).prob, arm.predict(parts[1]).prob)


def test_classes_weights_and_ratings_reach_the_training(parts, settings):
    ratings = torch.rand(14, 3, generator=torch.Generator().manual_seed(0))
    training = type(parts[0])(parts[0].image, parts[0].mask, parts[0].label, ratings)
    validation = type(parts[1])(parts[1].image, parts[1].mask, parts[1].label, ratings[:5])
    update = {"auxiliary_weight": 1.0, "class_weights": "balanced"}
    changed = settings.model_copy(update={"classifier": settings.classifier.model_copy(update=update)})
    answer = train_arm("raw", Stages(training, validation, changed, seed=2)).predict(validation)
    assert answer.ratings.shape == (5, 3)
    assert answer.prob.shape == (5, 2)


def test_a_given_segmenter_is_used(parts, settings, tmp_path):
    first = Stages(*parts, settings, seed=2)
    second = Stages(*parts, settings, seed=3, folder=tmp_path, given_segmenter=first.segmenter.network)
    train_arm("auto_mask", second)
    assert not (tmp_path / "segmenter").exists()


def test_unknown_arm(parts, settings):
    with pytest.raises(StudyError, match="Did you mean 'joint'"):
        train_arm("joined", Stages(*parts, settings, seed=2))
