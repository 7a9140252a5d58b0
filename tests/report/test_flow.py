"""The flow diagram: the numbers of every step are in it, boxes don't overlap, and two equal flows give equal bytes."""

from __future__ import annotations

from matplotlib.patches import FancyBboxPatch

from hounsfield.catalog.cohort.flow import Count, Flow, Step
from hounsfield.report.figures import flow as module
from hounsfield.report.figures.flow import flow_figure


def made(*, steps: int = 3, classes: int = 2, reason: str = "not CT") -> Flow:
    counts = [Count(100 - 10 * k, 200 - 20 * k, 1000 - 100 * k, 1000 - 100 * k) for k in range(steps + 1)]
    listed = tuple(
        Step(f"{reason} {k}", counts[k].minus(counts[k + 1]), counts[k + 1], "Half way" if k == 1 else "")
        for k in range(steps)
    )
    return Flow("Cohort", counts[0], listed, "Archive", "Cases", {f"y: {k}": Count(1, 2, 3, 3) for k in range(classes)})


def drawn(flow: Flow, monkeypatch) -> tuple[list[str], list[tuple[float, float, float, float]]]:
    """Texts and boxes (left, bottom, right, top) of the figure."""
    kept = []
    monkeypatch.setattr(module, "picture", lambda figure, *rest, **more: kept.append(figure))
    flow_figure(flow)
    axes = kept[0].axes[0]
    boxes = [patch.get_bbox() for patch in axes.patches if isinstance(patch, FancyBboxPatch)]
    return [text.get_text() for text in axes.texts], [(box.x0, box.y0, box.x1, box.y1) for box in boxes]


def test_every_count_is_drawn(monkeypatch) -> None:
    texts, boxes = drawn(made(), monkeypatch)
    words = " ".join(texts).replace("\u00a0", " ")
    for part in (
        "Archive n = 100 patients 200 studies, 1,000 series",
        "Excluded (n = 20 patients, 40 studies, 200 series)",  # two steps share the box up to the next heading
        "• not CT 0 (n = 10 patients, 20 studies, 100 series)",
        "Half way n = 80 patients",
        "Cases n = 70 patients 140 studies, 700 series",
        "y: 1 n = 1 patient 2 studies 3 series",
    ):
        assert part.replace(" ", "") in words.replace(" ", ""), part
    assert len(boxes) == 3 + 2 + 2


def test_boxes_never_overlap_and_text_stays_inside(monkeypatch) -> None:
    for flow in (
        made(steps=9, classes=6, reason="a long reason " * 12),
        made(steps=0, classes=0),
        made(steps=1, classes=40, reason="$x^2$ <b>&amp; ö"),
        Flow("t", Count(0, 0, 0, 0), (Step("", Count(0, 0, 0, 0), Count(0, 0, 0, 0)),)),
    ):
        _, boxes = drawn(flow, monkeypatch)
        for number, one in enumerate(boxes):
            for two in boxes[:number]:
                apart = one[0] >= two[2] or two[0] >= one[2] or one[1] >= two[3] or two[1] >= one[3]
                assert apart, flow
        monkeypatch.undo()


def test_the_same_bytes_again_and_words_for_who_cannot_see_it() -> None:
    one, two = flow_figure(made()), flow_figure(made())
    assert (one.svg, one.png) == (two.svg, two.png)
    assert one.alt.startswith(
        "Flow of the cohort. Archive: 100 patients, 200 studies, 1,000 series. not CT 0: 10 patients"
    )
    assert one.name == "flow"
