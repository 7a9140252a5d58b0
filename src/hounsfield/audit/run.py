"""The audit itself: a table in, every verdict and the table-wide search for the interval method out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from hounsfield.audit.confusion import Solution, confusion_verdicts, exact_share, matrix_verdicts
from hounsfield.audit.moments import (
    Group,
    pooled_verdict,
    range_verdict,
    t_verdict,
    whole_numbers_verdict,
)
from hounsfield.audit.p_values import p_verdicts
from hounsfield.audit.proportions import (
    MethodScore,
    PrintedInterval,
    counts_behind,
    implied_n,
    interval_verdicts,
    method_scores,
    share_verdict,
)
from hounsfield.audit.relations import auc_verdict, change_verdict, overlap_verdict, total_verdict
from hounsfield.audit.table import AuditTable, Confusion, Means
from hounsfield.audit.verdict import STATUSES, UNEXPLAINED, Verdict


@dataclass(frozen=True)
class Audit:
    """What was found.

    Attributes:
        verdicts: in the order of the table's sections.
        scores: how many printed intervals of shares each method reproduces; empty when none is printed.
    """

    title: str
    source: str
    verdicts: tuple[Verdict, ...]
    scores: tuple[MethodScore, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Number of verdicts of each status, the gravest first."""
        found = Counter(verdict.status for verdict in self.verdicts)
        return {status: found[status] for status in STATUSES}

    def lines(self, statuses: Collection[str] = STATUSES) -> list[str]:
        """The audit as text for a terminal, verdicts of these statuses alone."""
        return list(_lines(self, statuses))


def audit(table: AuditTable) -> Audit:
    """Audits every entry of a table."""
    verdicts: list[Verdict] = []
    intervals: list[PrintedInterval] = []
    for share in table.shares:
        verdicts.append(share_verdict(share.name, share.value, share.of, share.count))
        if share.interval:
            counts = [share.count] if share.count is not None else list(counts_behind(share.value, share.of))
            pairs = tuple((k, share.of) for k in counts)
            intervals.append(PrintedInterval(share.name, pairs, *share.interval, share.level, share.among))
    others: list[Verdict] = []
    for one in table.confusions:
        found, solution = confusion_verdicts(
            one.name, one.positives, one.negatives, one.metrics, intervals=one.intervals, level=one.level
        )
        verdicts += found
        shares, rest = _intervals(one, solution)
        intervals += shares
        others += rest
    verdicts += [*interval_verdicts(intervals), *others]
    for matrix in table.matrices:
        verdicts += matrix_verdicts(matrix.name, matrix.matrix, matrix.metrics)
    for pair in table.comparisons:
        one_way = (pair.among or pair.first[1]) if pair.one_way else None
        verdicts += p_verdicts(
            pair.name, pair.p, pair.first, pair.second, paired=pair.paired, strata=pair.strata, one_way=one_way
        )
    for means in table.means:
        verdicts += _means(means)
    verdicts += [overlap_verdict(o.name, o.dice, o.iou, of=o.of) for o in table.overlaps]
    verdicts += [
        auc_verdict(a.name, a.value, *a.interval, positives=a.positives, negatives=a.negatives) for a in table.areas
    ]
    verdicts += [total_verdict(t.name, t.parts, t.total) for t in table.totals]
    verdicts += [change_verdict(c.name, c.before, c.after, c.change) for c in table.changes]
    return Audit(table.title, table.source, tuple(verdicts), tuple(method_scores(intervals)) if intervals else ())


def _intervals(one: Confusion, solution: Solution) -> tuple[list[PrintedInterval], list[Verdict]]:
    """The printed intervals of a model's metrics; F1 apart, since it is no share of cases."""
    shares, others = [], []
    for metric, (low, high) in one.intervals.items():
        found = {exact_share(counts, metric) for counts in solution.counts}
        pairs = tuple(sorted(pair for pair in found if pair is not None))
        interval = PrintedInterval(f"{one.name}, {metric}", pairs, low, high, one.level)
        if metric != "f1":
            shares.append(interval)
            continue
        (verdict,) = interval_verdicts([interval])
        if verdict.status == UNEXPLAINED and len(pairs) == 1:
            k, n = pairs[0]
            cases = implied_n(k / n, (low, high))
            width = f" Its width is that of a share of about {cases:.0f} cases; 2TP + FP + FN is {n}."
            verdict = Verdict(verdict.kind, verdict.name, verdict.status, verdict.reason + width)
        others.append(verdict)
    return shares, others


def _means(means: Means) -> Iterator[Verdict]:
    groups = [Group(group.mean, group.sd, group.n) for group in means.groups]
    if means.p is not None and len(groups) == 2:
        yield t_verdict(means.name, groups[0], groups[1], means.p)
    if means.pooled is not None:
        yield pooled_verdict(means.name, groups, means.pooled)
    for number, group in enumerate(groups, start=1):
        label = means.name if len(groups) == 1 else f"{means.name}, group {number}"
        if means.limits is not None:
            yield range_verdict(label, group, *means.limits)
        if means.whole_numbers:
            yield whole_numbers_verdict(label, group)


def _lines(found: Audit, statuses: Collection[str]) -> Iterator[str]:
    yield found.title
    if found.source:
        yield found.source
    yield ""
    yield from (str(verdict) for verdict in found.verdicts if verdict.status in statuses)
    if found.scores:
        rows = found.scores[0].of_rows
        yield ""
        yield f"Intervals of shares, {rows} rows and {2 * rows} end points; reproduced by"
        for score in found.scores:
            yield f"  {score.method:36s} {score.rule:14s} {score.rows:3d} rows  {score.ends:3d} end points"
    yield ""
    yield ", ".join(f"{count} {status}" for status, count in found.counts.items())
