"""What theory says of an arm that sees the cube and one that sees the masked nodule holds for a simple classifier.

The classifier is scikit-learn's logistic regression on shares of bright and of grey voxels in shells around the
centre; no network is needed to see whether a phantom poses the question it should.
"""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hounsfield.phantom.core_fraction import bayes_accuracy
from hounsfield.phantom.cubes import (
    CubeConfig,
    CubeSet,
    clean_cubes,
    confounder_cubes,
    no_signal_cubes,
    shape_leak_cubes,
)

TWO = CubeConfig(core_means=(0.1, 0.25))


def features(cubes: CubeSet, *, masked: bool) -> np.ndarray:
    images = np.where(cubes.masks, cubes.images, -1024) if masked else cubes.images
    axes = [(np.arange(32) - 16) * spacing for spacing in cubes.spacing_mm]
    radius = np.sqrt(sum(axis**2 for axis in np.meshgrid(*axes, indexing="ij")))
    columns = []
    for low, high in ((0, 2), (2, 4), (4, 6), (6, 8), (8, 10), (10, 30)):
        shell = images[:, (radius >= low) & (radius < high)]
        columns += [(shell > -250).mean(1), ((shell > -750) & (shell < -450)).mean(1)]
    return np.array(columns).T


def accuracy(train: CubeSet, test: CubeSet, *, masked: bool) -> float:
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    model.fit(features(train, masked=masked), train.labels)
    return float(model.score(features(test, masked=masked), test.labels))


def test_masked_arm_comes_near_the_bayes_rate():
    train, test = clean_cubes(200, seed=1, config=TWO), clean_cubes(150, seed=2, config=TWO)
    best = bayes_accuracy(TWO.core_means, TWO.core_sd)
    reached = accuracy(train, test, masked=True)
    error = np.sqrt(best * (1 - best) / len(test))
    assert best - 3 * error < reached < best + 3 * error


def test_confounder_misleads_the_raw_arm_and_not_the_masked_one():
    train = confounder_cubes(200, seed=1)
    same, reversed_ = (confounder_cubes(150, seed=2, reverse=reverse) for reverse in (False, True))
    assert accuracy(train, same, masked=False) - accuracy(train, reversed_, masked=False) > 0.1
    assert accuracy(train, same, masked=True) == accuracy(train, reversed_, masked=True)


@pytest.mark.parametrize("masked", [False, True])
def test_no_signal_gives_chance(masked):
    reached = accuracy(no_signal_cubes(150, seed=1), no_signal_cubes(150, seed=2), masked=masked)
    assert abs(reached - 0.5) < 3 * np.sqrt(0.25 / 150)


def test_shape_leak_serves_the_masked_arm_alone():
    train, test = shape_leak_cubes(200, seed=1), shape_leak_cubes(150, seed=2)
    assert accuracy(train, test, masked=True) > 0.7  # far above chance, though shells show shape badly
    assert abs(accuracy(train, test, masked=False) - 0.5) < 3 * np.sqrt(0.25 / 150)
