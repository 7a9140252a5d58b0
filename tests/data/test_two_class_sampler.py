"""Two-class batches: hand counts of what an epoch holds."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from hounsfield.core.errors import RunError
from hounsfield.data.two_class_sampler import two_class_batches


def epoch(positives, negatives, batch_size, seed=0, **options):
    label = torch.tensor([1] * positives + [0] * negatives)
    label = label[torch.randperm(len(label), generator=torch.Generator().manual_seed(99))]
    return label, two_class_batches(label, batch_size, torch.Generator().manual_seed(seed), **options)


@pytest.mark.parametrize(("positives", "negatives"), [(87, 208), (208, 87), (1, 30), (8, 92), (3, 3)])
@pytest.mark.parametrize("batch_size", [2, 7, 16])
def test_every_batch_has_both_and_every_case_comes_up(positives, negatives, batch_size):
    label, batches = epoch(positives, negatives, batch_size)
    half = round(batch_size / 2)
    assert {len(batch) for batch in batches} == {batch_size}
    assert {int(label[batch].sum()) for batch in batches} == {half}
    drawn = Counter(torch.cat(batches).tolist())
    assert set(drawn) == set(range(len(label)))
    for value in (0, 1):
        counts = [drawn[index] for index in range(len(label)) if label[index] == value]
        assert max(counts) - min(counts) <= 1


def test_as_many_batches_as_the_larger_class_needs():  # 208 in eights: 26; 87 positives are then drawn 2.4 times
    assert len(epoch(87, 208, 16)[1]) == 26
    assert len(epoch(87, 208, 16, share=0.25)[1]) == 22  # 87 in fours


def test_order_follows_the_generator_alone():
    first, same, other = (epoch(20, 50, 8, seed=seed)[1] for seed in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(first, same, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first, other, strict=True))


def test_share_leaves_at_least_one_of_each():
    label, batches = epoch(10, 10, 4, share=0.01)
    assert {int(label[batch].sum()) for batch in batches} == {1}


@pytest.mark.parametrize("label", [[0, 0, 0], [1, 1], [0, 1, 2], []])
def test_other_labels_are_refused(label):
    with pytest.raises(RunError, match="cases by class"):
        two_class_batches(torch.tensor(label, dtype=torch.long), 4, torch.Generator())


def test_sizes_are_checked():
    for batch_size, share in ((1, 0.5), (4, 0.0), (4, 1.0)):
        with pytest.raises(RunError, match="at least 2 cases"):
            two_class_batches(torch.tensor([0, 1]), batch_size, torch.Generator(), share=share)
