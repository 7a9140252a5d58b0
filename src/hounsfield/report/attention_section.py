"""The section on attention: views in; one picture an arm, and the words that go with all of them, out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hounsfield.report.content import ReportContent
from hounsfield.report.figures.attention import attention_figure
from hounsfield.report.style import Picture

_WORDS = (
    "Grad-CAM: channels of the last convolutions, weighted by how much each moves the log odds of the class, laid "
    "over the CT. Cases were taken by rule from the test part of the first fold: the two of highest and the two of "
    "lowest probability, then the two that the model got most wrong."
)
_NOTE = (
    "What it can show: a network that looks past the lesion, at the edge of the cube, the table or the chest wall. "
    "What it can't: how the network judges what it sees there, what speaks against the class, anything finer than "
    "its last grid (a voxel of which is 8 of the cube, 32 in a ResNet that is not dilated), and whether the model is "
    "right. Each map is scaled to its own maximum, so a bright one is no surer than a faint one. A map much like that "
    "of a network with random weights (rank correlation near 1) shows the image's structure and not what was learnt "
    "(Adebayo et al. 2018). Six cases are examples, no evidence."
)


def attention_pictures(content: ReportContent) -> tuple[Picture, ...]:
    """One picture an arm that has views."""
    titles = {arm.name: arm.title for arm in content.arms}
    arms = list(dict.fromkeys(one.arm for one in content.attention))
    return tuple(
        attention_figure(
            [one for one in content.attention if one.arm == arm], name=f"attention_{place + 1}", title=titles[arm]
        )
        for place, arm in enumerate(arms)
    )


def attention_section(pictures: Sequence[dict[str, str]]) -> dict[str, Any]:
    """What `attention.html.j2` needs."""
    return {"pictures": list(pictures), "words": _WORDS, "note": _NOTE}
