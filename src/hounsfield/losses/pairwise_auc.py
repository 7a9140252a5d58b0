"""Pairwise squared hinge, a smooth stand-in for the AUC: labels and probabilities of a batch in, a scalar out.

Each pair of a positive p and a negative n costs (p - n - gamma)^2 unless p leads by more than gamma. A mis-ordered or
tied pair costs at least gamma^2, so AUC >= 1 - L / (M N gamma^2). Small batches are summed pair by pair, larger ones
exactly by sorting and running sums in O((M + N) log(M + N)).
Source: Guo and Yin, "Distinguish solitary cryptococcosis from malignant pulmonary nodules based on lung contrast CT
using deep learning" (the sum over all pairs, gamma 0.2); the mean over the pairs of a batch is a choice.
"""

from __future__ import annotations

import torch
from pydantic import Field

from hounsfield.losses.class_loss import ClassLoss, RunningLoss, class_losses

SORT_ABOVE = 2**16  # pairs; up to here the table of all pairs is as fast


def pairwise_auc(label: torch.Tensor, prob: torch.Tensor, *, gamma: float = 0.2, total: bool = False) -> torch.Tensor:
    """Mean squared hinge over the pairs of a positive and a negative case.

    Args:
        label: (B,) 1 or True for positive cases, 0 or False for negative ones.
        prob: (B,) probability of the positive class, in [0, 1]; half precision is summed in float32.
        gamma: margin in [0, 1].
        total: the published sum over pairs instead of their mean.
    Returns: scalar; 0 with a zero gradient where a class is missing.
    Raises: ValueError for shapes that differ, labels other than 0 and 1, or a gamma outside [0, 1].
    """
    if label.shape != prob.shape or prob.ndim != 1:
        raise ValueError(f"label and prob are both (B,); got {tuple(label.shape)} and {tuple(prob.shape)}.")
    if not 0 <= gamma <= 1:
        raise ValueError(f"gamma is the margin between two probabilities, in [0, 1]; got {gamma}.")
    positive = label == 1
    if not bool((positive | (label == 0)).all()):
        raise ValueError(f"labels are 0 or 1; got {sorted(set(label.tolist()))}.")
    prob = prob if prob.dtype == torch.float64 else prob.float()
    value = pair_sum(prob[positive], prob[~positive], gamma=gamma)
    pairs = int(positive.sum()) * int((~positive).sum())
    return value if total or pairs == 0 else value / pairs


def pair_sum(positive: torch.Tensor, negative: torch.Tensor, *, gamma: float) -> torch.Tensor:
    """Sum of the hinge over all pairs of (M,) and (N,) probabilities; 0, still in the graph, where one is empty."""
    pairs = len(positive) * len(negative)
    if pairs == 0:
        return positive.sum() * 0 + negative.sum() * 0
    if pairs <= SORT_ABOVE:
        return sum_by_pairs(positive, negative, gamma=gamma)
    return sum_by_sorting(positive, negative, gamma=gamma)


def sum_by_pairs(positive: torch.Tensor, negative: torch.Tensor, *, gamma: float) -> torch.Tensor:
    """The sum as it is defined, with a table of (M, N)."""
    return (positive[:, None] - negative[None, :] - gamma).clamp(max=0).square().sum()


def sum_by_sorting(positive: torch.Tensor, negative: torch.Tensor, *, gamma: float) -> torch.Tensor:
    """The same without the table: sum over i of k a^2 - 2 a S1 + S2 with a = p_i - gamma.

    k, S1 and S2 are number, sum and sum of squares of the negatives not below a: running sums over the negatives in
    falling order. In float64, because the three terms all but cancel for outputs close to each other; the shift to a
    common middle, which changes no difference, keeps them small (and leaves the float32 of machines without float64
    usable).
    """
    kind = positive.dtype
    wide = torch.float32 if positive.device.type == "mps" else torch.float64
    middle = negative.detach().to(wide).mean()
    a = positive.to(wide) - gamma - middle
    n = (negative.to(wide) - middle).sort(descending=True).values
    count = torch.searchsorted(-n.detach(), -a.detach(), right=True)  # negatives that are not below a
    none = n.new_zeros(1)
    first = torch.cat([none, n.cumsum(0)])[count]
    second = torch.cat([none, n.square().cumsum(0)])[count]
    return (count * a.square() - 2 * a * first + second).sum().to(kind)


@class_losses.add("pairwise_auc")
class PairwiseAuc(ClassLoss):
    """Settings of the loss; the last of two classes is the positive one.

    With `memory` each output is also paired with the latest outputs of earlier batches of the epoch, as constants: for
    batches so small, or classes so rare, that one is often missing. They are some steps old, so it is kept small.
    """

    weighted = False
    gamma: float = Field(default=0.2, ge=0, le=1)  # published
    memory: int = Field(default=0, ge=0)  # outputs remembered of each class

    def begin(self) -> RunningLoss:
        return RunningPairwiseAuc(self)


class RunningPairwiseAuc:
    """The loss within an epoch, with the outputs that it remembers."""

    def __init__(self, settings: PairwiseAuc) -> None:
        self.settings = settings
        self.recent: dict[bool, torch.Tensor] = {}
        self.seen = {True: 0, False: 0}  # cases of each class so far

    def learns_from(self, label: torch.Tensor) -> bool:
        """Whether some case of these labels finds a partner, in the batch or in memory."""
        present = set((label == 1).tolist())
        return len(present) == 2 or any((not value) in self.recent for value in present)

    def __call__(
        self, label: torch.Tensor, logits: torch.Tensor, *, weights: tuple[float, ...] | None = None
    ) -> torch.Tensor:
        """Mean over the pairs of this batch, or with memory over those that hold a case of it.

        Args:
            label: (B,) 0 or 1.
            logits: (B, 2); the probability is their softmax.
            weights: must be None: every pair holds one case of each class, so the classes weigh alike by themselves.
        """
        if weights is not None:
            raise ValueError("a pairwise loss takes no class weights: each pair holds one case of each class.")
        kind = logits.dtype if logits.dtype == torch.float64 else torch.float32
        prob = torch.softmax(logits, dim=1, dtype=kind)[:, 1]
        if self.settings.memory == 0:
            return pairwise_auc(label, prob, gamma=self.settings.gamma)
        return self._with_memory({True: prob[label == 1], False: prob[label == 0]})

    def _with_memory(self, outputs: dict[bool, torch.Tensor]) -> torch.Tensor:
        """Outputs of either class against all of the other, which stand still there.

        Each class pulls as hard as its cases in this batch are, by the counts so far, to be expected: a mean over all
        pairs would let the class that is more often there push every output to its end of the scale.
        """
        batch = sum(len(live) for live in outputs.values())
        loss = torch.cat(list(outputs.values())).sum() * 0
        everything = {
            kind: torch.cat([self.recent.get(kind, live[:0].detach()), live.detach()]) for kind, live in outputs.items()
        }
        for positive, live in outputs.items():
            self.seen[positive] += len(live)
        for positive, live in outputs.items():
            other = everything[not positive]
            if len(live) and len(other):
                sides = (live, other) if positive else (other, live)
                weight = sum(self.seen.values()) / (batch * self.seen[positive])
                loss = loss + weight * pair_sum(*sides, gamma=self.settings.gamma) / len(other)
            if len(everything[positive]):
                self.recent[positive] = everything[positive][-self.settings.memory :]
        # Every pair was counted from both sides, which the gradient needs and the value must not.
        return loss - loss.detach() / 2
