"""The pairwise loss: its identities, its two ways of summing, its memory, and a toy that another AUC loss fails."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch

from hounsfield.losses.class_loss import class_loss
from hounsfield.losses.pairwise_auc import pairwise_auc, sum_by_pairs, sum_by_sorting
from hounsfield.stats.auc import auc

GAMMA = 0.2
POSITIVE, NEGATIVE = (0.9, 0.6, 0.5), (0.1, 0.45, 0.55, 0.7)
LABEL = torch.tensor([1] * 3 + [0] * 4)
SUMS = (sum_by_pairs, sum_by_sorting)


def worked() -> torch.Tensor:
    return torch.tensor(POSITIVE + NEGATIVE, dtype=torch.float64, requires_grad=True)


def drawn(seed: int, positives: int, negatives: int) -> tuple[torch.Tensor, torch.Tensor]:
    chance = torch.Generator().manual_seed(seed)
    return tuple(torch.rand(n, generator=chance, dtype=torch.float64) for n in (positives, negatives))


def loop_over_pairs(positive, negative, gamma):
    """The definition, written out: the second source of every sum."""
    return sum((p - n - gamma) ** 2 for p in positive.tolist() for n in negative.tolist() if p - n <= gamma)


def test_equal_outputs_cost_the_squared_margin():
    prob = torch.full((7,), 0.3, dtype=torch.float64)
    assert float(pairwise_auc(LABEL, prob)) == pytest.approx(0.04, abs=1e-15)
    assert float(pairwise_auc(LABEL, prob, total=True)) == pytest.approx(0.48, abs=1e-14)


def test_perfect_and_inverted_order():
    prob = LABEL.double().requires_grad_(True)
    loss = pairwise_auc(LABEL, prob)
    loss.backward()
    assert float(loss.detach()) == 0
    assert torch.equal(prob.grad, torch.zeros(7, dtype=torch.float64))
    assert float(pairwise_auc(LABEL, 1 - LABEL.double())) == pytest.approx(1.44, abs=1e-15)


@pytest.mark.parametrize("summed", SUMS)
def test_worked_example(summed):
    prob = worked()
    loss = summed(prob[:3], prob[3:], gamma=GAMMA)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(0.36, abs=1e-12)
    assert prob.grad.tolist() == pytest.approx([0, -1.0, -1.6, 0, 0.4, 0.8, 1.4], abs=1e-12)
    assert float(pairwise_auc(LABEL, prob.detach())) == pytest.approx(0.03, abs=1e-12)
    assert float(pairwise_auc(LABEL, prob.detach(), total=True)) == pytest.approx(0.36, abs=1e-12)
    assert auc(LABEL.numpy(), prob.detach().numpy()) == pytest.approx(0.75)


def test_area_is_bounded_by_the_loss():
    rng = np.random.default_rng(5)
    for _ in range(500):
        positives, negatives = rng.integers(1, 12, 2)
        label = np.repeat([1, 0], [positives, negatives])
        prob = np.round(rng.random(len(label)), 1)  # many ties
        loss = float(pairwise_auc(torch.from_numpy(label), torch.from_numpy(prob)))
        assert auc(label, prob) >= 1 - loss / GAMMA**2 - 1e-12


@pytest.mark.parametrize("summed", SUMS)
def test_a_constant_added_to_all_outputs_changes_nothing(summed):
    positive, negative = (part.requires_grad_(True) for part in drawn(1, 30, 50))
    loss = summed(positive, negative, gamma=GAMMA)
    loss.backward()
    moved = summed(positive + 0.37, negative + 0.37, gamma=GAMMA)
    assert float((moved - loss).detach()) == pytest.approx(0, abs=1e-10)
    assert float(positive.grad.sum() + negative.grad.sum()) == pytest.approx(0, abs=1e-10)
    assert float(positive.grad.max()) <= 0 <= float(negative.grad.min())


@pytest.mark.parametrize("summed", SUMS)
def test_gradient_is_that_of_central_differences(summed):
    positive, negative = drawn(3, 6, 8)
    kinks = (positive[:, None] - negative[None, :] - GAMMA).abs().min()
    assert kinks > 1e-4  # at the kink a difference quotient is off by itself
    scores = torch.cat([positive, negative]).requires_grad_(True)

    def value(at):
        return summed(at[:6], at[6:], gamma=GAMMA)

    value(scores).backward()
    step = 1e-5
    for index, found in enumerate(scores.grad.tolist()):
        nudge = torch.zeros(14, dtype=torch.float64)
        nudge[index] = step
        quotient = float((value(scores.detach() + nudge) - value(scores.detach() - nudge)) / (2 * step))
        assert found == pytest.approx(quotient, abs=1e-6)


def test_without_a_margin_the_loss_is_zero_when_the_order_is_right_and_only_then():
    right, wrong = torch.tensor([0.5, 0.6, 0.5, 0.2]), torch.tensor([0.49, 0.6, 0.5, 0.2])
    label = torch.tensor([1, 1, 0, 0])
    assert float(pairwise_auc(label, right, gamma=0)) == 0
    assert float(pairwise_auc(label, wrong, gamma=0)) == pytest.approx(0.01**2 / 4, rel=1e-4)


@pytest.mark.parametrize("value", [0, 1])
def test_one_class_gives_zero_and_a_zero_gradient(value):
    prob = torch.rand(5, requires_grad=True)
    loss = pairwise_auc(torch.full((5,), value), prob)
    loss.backward()
    assert float(loss.detach()) == 0
    assert torch.equal(prob.grad, torch.zeros(5))


@pytest.mark.parametrize(("positives", "negatives"), [(1, 1), (1, 40), (40, 1), (37, 91), (300, 500)])
def test_both_sums_equal_the_definition(positives, negatives):
    positive, negative = drawn(positives + negatives, positives, negatives)
    ties = negative.clone()
    ties[: min(positives, negatives)] = positive[: min(positives, negatives)]
    for other in (negative, ties):
        expected = loop_over_pairs(positive, other, GAMMA)
        for summed in SUMS:
            assert float(summed(positive, other, gamma=GAMMA)) == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_gradients_of_both_sums_agree():
    found = []
    for summed in SUMS:
        positive, negative = (part.requires_grad_(True) for part in drawn(11, 200, 333))
        summed(positive, negative, gamma=GAMMA).backward()
        found.append(torch.cat([positive.grad, negative.grad]))
    assert float((found[0] - found[1]).abs().max()) < 1e-9


def test_sorting_keeps_its_digits_for_outputs_that_hardly_differ():
    positive, negative = (0.5 + 1e-6 * part.float() for part in drawn(2, 700, 900))
    expected = loop_over_pairs(positive, negative, 0.0)
    assert float(sum_by_sorting(positive, negative, gamma=0.0)) == pytest.approx(expected, rel=1e-4)


def test_large_batches_take_no_table_of_pairs():
    positive, negative = (part.float().requires_grad_(True) for part in drawn(4, 100_000, 100_000))
    start = time.perf_counter()
    label = torch.repeat_interleave(torch.tensor([1, 0]), 100_000)
    loss = pairwise_auc(label, torch.cat([positive, negative]))  # a table would take 40 GB
    loss.backward()
    assert time.perf_counter() - start < 5
    # Integral over the unit square of (p - n - 0.2)^2 where p - n < 0.2: for uniform outputs 0.7 / 3 - 0.0008 + ...
    width = np.linspace(-1, 1, 200_001)
    density = (1 - np.abs(width)) * np.where(width <= GAMMA, (width - GAMMA) ** 2, 0)
    assert float(loss.detach()) == pytest.approx(float(np.trapezoid(density, width)), rel=0.01)


def test_half_precision_is_summed_in_float32():
    prob = worked().detach().to(torch.bfloat16).requires_grad_(True)
    loss = pairwise_auc(LABEL, prob)
    loss.backward()
    assert loss.dtype == torch.float32
    assert prob.grad.dtype == torch.bfloat16
    assert float(loss.detach()) == pytest.approx(0.03, rel=0.02)
    logits = torch.randn(8, 2, generator=torch.Generator().manual_seed(1)).to(torch.bfloat16)
    label = torch.tensor([0, 1] * 4)
    running = class_loss("pairwise_auc").begin()  # the softmax, too: bfloat16 probabilities would have steps of 0.004
    assert float(running(label, logits)) == pytest.approx(float(running(label, logits.float())), abs=1e-7)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = torch.randn(8, 4) @ torch.randn(4, 2)
        assert logits.dtype == torch.bfloat16
        assert class_loss("pairwise_auc").begin()(torch.tensor([0, 1] * 4), logits).dtype == torch.float32


def test_mistakes_are_told():
    prob = torch.rand(3)
    with pytest.raises(ValueError, match="labels are 0 or 1"):
        pairwise_auc(torch.tensor([0, 1, 2]), prob)
    with pytest.raises(ValueError, match=r"in \[0, 1\]; got 1.5"):
        pairwise_auc(torch.tensor([0, 1, 1]), prob, gamma=1.5)
    with pytest.raises(ValueError, match=r"both \(B,\)"):
        pairwise_auc(torch.tensor([0, 1]), prob)
    with pytest.raises(ValueError, match="takes no class weights"):
        class_loss("pairwise_auc").begin()(torch.tensor([0, 1]), torch.rand(2, 2), weights=(1.0, 2.0))


def logits_of(prob: torch.Tensor) -> torch.Tensor:
    return torch.stack([torch.zeros_like(prob), torch.logit(prob)], dim=1)


def test_memory_pairs_a_batch_with_outputs_of_earlier_ones():
    """By hand: negatives 0.4 and 0.6 first; then the positive 0.5 alone, against both of them."""
    loss = class_loss("pairwise_auc", {"memory": 8}).begin()
    assert not loss.learns_from(torch.tensor([0, 0]))
    assert float(loss(torch.tensor([0, 0]), logits_of(torch.tensor([0.4, 0.6])))) == 0
    assert not loss.learns_from(torch.tensor([0, 0]))
    assert loss.learns_from(torch.tensor([1]))
    positive = torch.tensor([0.5], requires_grad=True)
    value = loss(torch.tensor([1]), logits_of(positive))
    value.backward()
    # (0.5 - 0.4 - 0.2)^2 and (0.5 - 0.6 - 0.2)^2; one case of three is positive, a batch of one counts it threefold.
    assert float(value.detach()) == pytest.approx(3 * (0.01 + 0.09) / 2 / 2, abs=1e-6)
    assert float(positive.grad[0]) == pytest.approx(3 * 2 * (-0.1 - 0.3) / 2, abs=1e-5)


def test_memory_that_holds_nothing_yet_is_the_plain_loss():
    logits = logits_of(worked().detach()).requires_grad_(True)
    values = [class_loss("pairwise_auc", {"memory": memory}).begin()(LABEL, logits) for memory in (0, 9)]
    slopes = [torch.autograd.grad(value, logits)[0] for value in values]
    assert [float(value.detach()) for value in values] == pytest.approx([0.03, 0.03], abs=1e-12)
    assert torch.allclose(*slopes, atol=1e-12)


def test_memory_is_short_and_forgotten_at_the_next_epoch():
    settings = class_loss("pairwise_auc", {"memory": 3})
    loss = settings.begin()
    for start in (0.1, 0.5):
        loss(torch.tensor([0, 0]), logits_of(torch.tensor([start, start + 0.1])))
    assert loss.recent[False].tolist() == pytest.approx([0.2, 0.5, 0.6], abs=1e-6)
    assert not settings.begin().learns_from(torch.tensor([1]))


@pytest.mark.parametrize("memory", [0, 16])
@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_tiny_batches_give_finite_gradients(memory, batch_size):
    loss = class_loss("pairwise_auc", {"memory": memory}).begin()
    chance = torch.Generator().manual_seed(0)
    for _ in range(20):
        label = (torch.rand(batch_size, generator=chance) < 0.2).long()
        logits = torch.randn(batch_size, 2, generator=chance, requires_grad=True)
        learns = loss.learns_from(label)
        loss(label, logits).backward()
        assert torch.isfinite(logits.grad).all()
        assert learns or float(logits.grad.abs().max()) == 0


OPTIMISERS = {
    "Adam": lambda weights: torch.optim.Adam(weights, lr=1e-2),
    "AdamW": lambda weights: torch.optim.AdamW(weights, lr=1e-2),
    "RMSprop": lambda weights: torch.optim.RMSprop(weights, lr=1e-2),
    "SGD": lambda weights: torch.optim.SGD(weights, lr=0.2),
}


def rare_disease(count: int, chance: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """8 % positives, one of ten features shifted by 1.05 SD: no classifier gets beyond Phi(1.05 / sqrt 2) = 0.771."""
    label = (torch.rand(count, generator=chance) < 0.08).long()
    features = torch.randn(count, 10, generator=chance)
    features[:, 0] += 1.05 * label
    return label, features


def area_after_training(name: str, optimiser: str = "Adam", settings: dict[str, float] | None = None) -> float:
    """AUC on 20,000 new cases of a linear model trained in plain batches of 64, some of which hold no positive."""
    chance = torch.Generator().manual_seed(1)
    (label, features), (new_label, new_features) = (rare_disease(count, chance) for count in (4000, 20_000))
    with torch.random.fork_rng():
        torch.manual_seed(1)
        network = torch.nn.Linear(10, 2)
    steps = OPTIMISERS[optimiser](network.parameters())
    for _ in range(10):
        loss = class_loss(name, settings).begin()
        for index in torch.randperm(len(label), generator=chance).split(64):
            steps.zero_grad()
            loss(label[index], network(features[index])).backward()
            steps.step()
    with torch.no_grad():
        lead = network(new_features)
    return auc(new_label.numpy(), (lead[:, 1] - lead[:, 0]).double().numpy())


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_a_rare_class_is_learnt_with_any_optimiser(optimiser):
    assert 0.75 <= area_after_training("pairwise_auc", optimiser) <= 0.78


def test_the_other_losses_learn_it_as_well_as_they_can():
    assert area_after_training("pairwise_auc", settings={"memory": 64}) >= 0.75
    assert area_after_training("cross_entropy") >= 0.75
    assert area_after_training("focal") >= 0.75
