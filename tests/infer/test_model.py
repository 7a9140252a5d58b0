"""Models put together from their parts: each is fed what it was trained on."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hounsfield import nets
from hounsfield.core.errors import BundleError, MaskError, RunError
from hounsfield.infer.device import device_of
from hounsfield.infer.measure import MeasureCubes
from hounsfield.infer.model import Cubes, Model, Output, mean_output, mixer_table, models_of
from hounsfield.nets.feature_model import FeatureModel


@pytest.fixture
def cubes(finished_run):
    from hounsfield.data.prepare import prepare_cases
    from hounsfield.tables.cases import read_cases

    cases = read_cases(finished_run.cases).cases()[:5]
    found = prepare_cases(cases, finished_run.study.preparation, finished_run.out / "cache", workers=1)
    numbers = found.features.select_dtypes("number")
    return Cubes(found.images, found.masks, {name: numbers[name].to_numpy(float) for name in numbers})


@pytest.fixture
def measure(finished_run):
    return MeasureCubes(finished_run.study.preparation)


def predict(bundle, cubes, measure) -> Output:
    return models_of(bundle)[0].predict(cubes, measure=measure)


def test_a_mix_is_fed_by_the_network_as_it_was_trained(bundle_of, cubes, measure):
    # Under the expert's mask: the network of the mix gives exactly what its own arm gives.
    fusion = models_of(bundle_of("fusion"))[0]
    image = predict(bundle_of("expert_mask"), cubes, measure).prob
    features = fusion.features["features"].prob(cubes.table)
    expected = fusion.features["mix"].prob(mixer_table(features, image))
    assert fusion.predict(cubes, measure=measure).prob == pytest.approx(expected, abs=1e-6)
    with pytest.raises(MaskError, match="add masks"):
        fusion.predict(Cubes(cubes.image), measure=measure)


def test_a_mix_by_itself_measures_the_outline_its_features_were_fitted_on(bundle_of, cubes, measure):
    bundle = bundle_of("fusion_auto")
    fusion = models_of(bundle)[0]
    joint = predict(bundle_of("joint"), cubes, measure)
    frozen = predict(bundle_of("auto_mask"), cubes, measure)  # its U-Net is the shared one
    features = fusion.features["features"].prob(measure(cubes.image, frozen.mask))
    expected = fusion.features["mix"].prob(mixer_table(features, joint.prob))
    found = fusion.predict(Cubes(cubes.image), measure=measure)  # needs no expert
    assert found.prob == pytest.approx(expected, abs=1e-6)
    assert found.mask == pytest.approx(joint.mask, abs=1e-6)


def test_the_expert_mask_matters_to_those_that_need_it(bundle_of, cubes, measure):
    bare = Cubes(cubes.image)
    for arm in ("volume", "density", "expert_mask"):
        with pytest.raises(MaskError, match="add masks"):
            predict(bundle_of(arm), bare, measure)
    for arm in ("raw", "auto_mask", "joint", "multitask", "transfer"):
        assert predict(bundle_of(arm), bare, measure).prob == pytest.approx(
            predict(bundle_of(arm), cubes, measure).prob
        )


def test_which_arms_draw_an_outline(bundle_of, cubes, measure):
    drawn = {arm: predict(bundle_of(arm), cubes, measure).mask is not None for arm in ("volume", "raw", "transfer")}
    assert drawn == {"volume": False, "raw": False, "transfer": True}


def test_flips_leave_a_mirrored_cube_with_the_same_probability(bundle_of, cubes, measure):
    from dataclasses import replace

    model = replace(models_of(bundle_of("raw"))[0], flips=True)
    mirrored = Cubes(np.ascontiguousarray(cubes.image[:, ::-1, :, ::-1]))
    assert model.predict(mirrored, measure=measure).prob == pytest.approx(
        model.predict(cubes, measure=measure).prob, abs=1e-5
    )


def test_mixer_table_holds_log_odds():
    found = mixer_table(np.array([[0.2, 0.8]]), np.array([[0.5, 0.5]]))
    assert found == {"features 1": pytest.approx([np.log(4)]), "image 1": pytest.approx([0.0])}


def test_mean_of_members():
    one = Output(np.array([[0.2, 0.8]]), np.full((1, 2, 2, 2), 0.4))
    two = Output(np.array([[0.6, 0.4]]), np.full((1, 2, 2, 2), 0.8))
    mean = mean_output([one, two])
    assert mean.prob == pytest.approx(np.array([[0.4, 0.6]]))
    assert mean.mask == pytest.approx(0.6)
    assert mean_output([Output(one.prob, None)]).mask is None


def test_a_network_without_classes_is_no_image_network(measure):
    unet = nets.build("dilated_unet", {"widths": [2, 2, 2, 2]}, seed=0).eval()
    model = Model("raw", 2, {"image": unet}, {})
    with pytest.raises(BundleError, match="damaged"):
        model.predict(Cubes(np.zeros((1, 16, 16, 16), np.float32)), measure=measure)


def test_automatic_features_need_a_segmenter(measure):
    one = FeatureModel(("volume_mm3",), *(np.ones(1),) * 4, np.ones((2, 1)), np.zeros(2))
    with pytest.raises(BundleError, match="segmenter"):
        Model("features", 2, {}, {"features": one}, mask="auto").predict(
            Cubes(np.zeros((1, 16, 16, 16), np.float32)), measure=measure
        )


def test_devices():
    assert device_of("cpu") == "cpu"
    assert device_of("auto") == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(RunError, match="no kind of device 'gpu'"):
        device_of("gpu")
    with pytest.raises(RunError, match="sees none"):
        device_of("cuda:97")
