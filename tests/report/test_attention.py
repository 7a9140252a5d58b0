"""Figures of attention: which slice is shown, what their words say, that a grey print still reads."""

from __future__ import annotations

import io

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from hounsfield.report.attention_section import attention_pictures
from hounsfield.report.content import ArmInfo, AttentionView, ReportContent
from hounsfield.report.figures.attention import attention_figure, shown_slice


def view(part: str = "lesion", **more: object) -> AttentionView:
    heat = np.zeros((12, 16, 20), np.float32)
    heat[9, 4, 15] = 1
    reference = np.zeros((12, 16, 20), bool)
    reference[5, 4:9, 4:9] = True
    reference[6, 4:10, 4:10] = True
    settings: dict[str, object] = {
        "target": "t",
        "arm": "net",
        "case_id": "c$1",
        "why": "highest",
        "part": part,
        "image": np.random.default_rng(0).uniform(-1, 1, (12, 16, 20)).astype(np.float32),
        "heat": heat,
        "reference": reference if part == "lesion" else None,
        "label": "cancer",
        "positive": "granuloma",
        "prob": 0.83,
        "random_rho": 0.25,
    }
    return AttentionView(**{**settings, **more})  # type: ignore[arg-type]


def test_the_slice_of_a_lesion_is_its_largest_that_of_lungs_the_brightest():
    assert shown_slice(view()) == 6
    assert shown_slice(view("lungs")) == 9
    assert shown_slice(view(reference=None)) == 6  # the middle of 12
    assert shown_slice(view("lungs", heat=np.zeros((12, 16, 20), np.float32))) == 6


def test_words_say_where_the_maximum_lies():
    drawn = attention_figure([view(), view("lungs", random_rho=None)], name="attention_1", title="Two paths")
    assert (
        "c$1 (cancer, granuloma 0.83, highest), lesion: maximum at 75% along z, 25% along y, 75% along x" in drawn.alt
    )
    assert "0.25 on average (0.25 to 0.25)" in drawn.caption
    empty = attention_figure([view(heat=np.zeros((12, 16, 20), np.float32))], name="a", title="T")
    assert "no voxel speaks for it" in empty.alt
    assert "1 of 1 maps are empty" in empty.caption


def test_the_map_is_brighter_where_it_is_higher_in_grey_too():
    luminance = mpl.colormaps["magma"](np.linspace(0, 1, 64))[:, :3] @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(luminance) > 0).all()
    left, right = np.zeros((1, 16, 16), np.float32), np.zeros((1, 16, 16), np.float32)
    left[..., :8], right[..., 8:] = 1, 1
    image = np.full((1, 16, 16), -1, np.float32)
    grey = []
    for heat in (left, right):
        drawn = attention_figure([view(image=image, heat=heat, reference=None)], name="a", title="T")
        grey.append(np.asarray(Image.open(io.BytesIO(drawn.png)).convert("L"), dtype=float))
    moved = grey[0] - grey[1]
    columns = np.flatnonzero((moved > 60).any(axis=0))
    assert columns.max() < np.flatnonzero((moved < -60).any(axis=0)).max()
    assert (moved > 60).sum() == pytest.approx((moved < -60).sum(), rel=0.1)


def test_one_picture_an_arm_and_the_same_bytes_twice(make_rows):
    arms = (ArmInfo("net", "Net"), ArmInfo("two", "Two paths"))
    views = (view(), view(case_id="c2"), view(arm="two"), view("lungs", arm="two"))
    rows = make_rows("net", [0, 1], [0.1, 0.9])
    content = ReportContent("T", "Q", "", {"malignancy": ("benign", "malignant")}, arms, rows, attention=views)
    once, again = attention_pictures(content), attention_pictures(content)
    assert [(one.name, one.title) for one in once] == [("attention_1", "Net"), ("attention_2", "Two paths")]
    assert [one.svg for one in once] == [one.svg for one in again]
