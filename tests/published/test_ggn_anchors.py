"""The numbers that the ggn study shows beside ours are those printed by Wang et al. (copied here by hand)."""

from __future__ import annotations

import pytest

from hounsfield.studies.load import load

# (target, arm, metric, source): printed value and spread; accuracy and F1 in %, MCC and AUC times 10.
PRINTED = {
    ("AAH+AIS_MIA_IAC", "raw", "accuracy", "Table 2, split 1"): (55.73, 0.34),
    ("AAH+AIS_MIA+IAC", "joint", "accuracy", "Table 2, split 1"): (78.22, 0.27),
    ("AAH+AIS+MIA_IAC", "multitask", "f1_weighted", "Table 2, split 1"): (80.74, 0.41),
    ("AIS_MIA", "expert_mask", "mcc", "Table 2, split 1"): (4.051, 0.039),
    ("AIS_MIA", "auto_mask", "auc", "Table 2, split 1"): (7.437, 0.031),
    ("AAH+AIS_MIA_IAC", "multitask", "accuracy", "Table 3, split 2"): (52.67, 0.41),
    ("AAH+AIS+MIA_IAC", "raw", "f1_weighted", "Table 3, split 2"): (81.20, 0.33),
    ("AAH+AIS_MIA+IAC", "raw", "mcc", "Table 3, split 2"): (3.204, None),  # its spread is cut off in print
    ("AAH+AIS_MIA+IAC", "joint", "auc", "Table 3, split 2"): (7.154, 0.025),
    ("AAH+AIS_MIA_IAC", "transfer", "mcc", "Table 4, split 1"): (3.399, 0.045),
    ("AIS_MIA", "transfer", "accuracy", "Table 4, split 2"): (67.55, 0.39),
    ("AAH+AIS+MIA_IAC", "transfer", "auc", "Table 4, split 2"): (7.967, 0.034),
}
SCALE = {"accuracy": 100, "f1_weighted": 100, "mcc": 10, "auc": 10}


@pytest.fixture(scope="module")
def anchors():
    rows = load("ggn").anchors
    found = {(row.target, row.arm, row.metric, row.source): row for row in rows}
    assert len(found) == len(rows)  # none stands twice
    return found


@pytest.mark.parametrize("place", PRINTED, ids=" ".join)
def test_printed_number(anchors, place):
    value, spread = PRINTED[place]
    row = anchors[place]
    assert row.value * SCALE[row.metric] == pytest.approx(value, abs=1e-9)
    assert row.spread is spread is None or row.spread * SCALE[row.metric] == pytest.approx(spread, abs=1e-9)


def test_every_printed_cell_is_there(anchors):
    # Tables 2 and 3: 15 rows of five arms each; table 4: two splits of 3 + 4 + 4 + 4 cells.
    assert len(anchors) == 2 * 15 * 5 + 2 * 15
    assert not any(row.metric == "auc" and row.target == "AAH+AIS_MIA_IAC" for row in anchors.values())


def test_joint_above_raw_as_the_paper_says(anchors):
    # Table 2, accuracy, (d) against (a), in points: 58.67 - 55.73, 78.22 - 74.22, 82.67 - 82.22, 72.30 - 67.29
    gains = {"AAH+AIS_MIA_IAC": 2.94, "AAH+AIS_MIA+IAC": 4.00, "AAH+AIS+MIA_IAC": 0.45, "AIS_MIA": 5.01}
    for target, gain in gains.items():
        joint, raw = (anchors[target, arm, "accuracy", "Table 2, split 1"].value for arm in ("joint", "raw"))
        assert 100 * (joint - raw) == pytest.approx(gain, abs=1e-9)
