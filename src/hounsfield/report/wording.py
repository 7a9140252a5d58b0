"""Numbers and comparisons in words: what the first page says. In: rows of an `Evaluation`. Out: plain text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hounsfield.report.comparisons import BEATS, BELOW, UNDECIDED, UNDEFINED, VERSUS_TRIVIAL
from hounsfield.report.content import ArmInfo
from hounsfield.report.evaluate import Evaluation

NOTHING = "–"
MARKS = {BEATS: "▲", BELOW: "▼", UNDECIDED: "≈", UNDEFINED: "?"}  # a sign beside the colour, for grey prints
_LOW_BAR = "On this test part the trivial arm lies below chance (0.5), so that beating it proves little."


@dataclass(frozen=True)
class VerdictLine:
    """One network against the bar: all that its line in the verdict says."""

    title: str
    verdict: str
    mark: str
    difference: str
    p: str
    needs_mask: bool
    network: bool = True
    placed: bool = False


@dataclass(frozen=True)
class Verdict:
    """The first page's answer for one target."""

    target: str
    answer: str
    kind: str
    detail: str
    lines: tuple[VerdictLine, ...]
    metric: str = "AUC"


def number(value: Any, digits: int = 3, *, sign: bool = False) -> str:
    """'0.921', or a dash where there is no number; a true minus sign."""
    if value is None or math.isnan(float(value)):
        return NOTHING
    if math.isinf(float(value)):
        return "∞"
    rounded = round(float(value), digits) + 0.0  # no "-0.000"
    return f"{rounded:{'+' if sign and rounded else ''}.{digits}f}".replace("-", "−")


def interval(row: Mapping[Any, Any], digits: int = 3, *, sign: bool = False) -> str:
    """'0.900 to 0.942', or empty where there is no interval."""
    if math.isnan(float(row["low"])) or math.isnan(float(row["high"])):
        return ""
    return f"{number(row['low'], digits, sign=sign)} to {number(row['high'], digits, sign=sign)}"


def p_value(p: float) -> str:
    """'p = 0.012', 'p < 0.001', or 'p not defined'."""
    if math.isnan(p):
        return "p not defined"
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def short_p(p: float) -> str:
    """The same for a column that is headed p: '0.012', '< 0.001' or a dash."""
    return NOTHING if math.isnan(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"


def counted(count: int, one: str, many: str | None = None) -> str:
    """'1 patient', '3 patients'."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def verdict_of(evaluation: Evaluation, arms: Sequence[ArmInfo], target: str) -> Verdict:
    """Whether any network beats the best trivial arm of a target, in words."""
    infos = {arm.name: arm for arm in arms}
    bar = evaluation.best_trivial[target]
    if bar is None:
        answer = "Not known: no trivial arm was evaluated."
        return Verdict(
            target, answer, "open", "Whether a network does more than read size can't be said from this.", ()
        )
    row = evaluation.headline(target, bar, "auc") or {"value": math.nan}
    classes = len(next(iter(evaluation.repeats[target].values()))[0].classes)
    metric = "AUC" if classes == 2 else "macro AUC"
    name = f"{infos[bar].title} ({metric} {number(row['value'])})"
    table = evaluation.comparisons
    rows = table[(table["target"] == target) & (table["family"] == VERSUS_TRIVIAL) & (table["metric"] == "auc")]
    lines = tuple(_line(record, infos) for record in rows.sort_values("difference", ascending=False).to_dict("records"))
    networks = [line for line in lines if line.network]
    also = _also([line for line in lines if not line.network])
    if not networks:
        answer = f"Not known: no network was evaluated. The best trivial arm is {name}."
        return Verdict(target, answer, "open", also, lines, metric)
    winners = [line for line in networks if line.verdict == BEATS]
    if not winners:
        answer = f"No. No network beats the best trivial arm, {name}."
        return Verdict(target, answer, "no", f"{_rest(networks)} {also}".strip(), lines, metric)
    verb = "beats" if len(winners) == 1 else "beat"
    answer = f"Yes. {len(winners)} of {counted(len(networks), 'network')} {verb} the best trivial arm, {name}."
    low = _LOW_BAR if float(row["value"]) < 0.5 else ""
    detail = " ".join(part for part in (low, _outline(winners, networks), _rest(networks), also) if part)
    return Verdict(target, answer, "yes", detail, lines, metric)


def _also(others: Sequence[VerdictLine]) -> str:
    """What models without a network do, lest their merit be taken for a network's."""
    winners = [line.title for line in others if line.verdict == BEATS]
    if not winners:
        return ""
    return f"Without a network, {' and '.join(winners)} {'beats' if len(winners) == 1 else 'beat'} it too."


def _line(record: Mapping[Any, Any], infos: Mapping[str, ArmInfo]) -> VerdictLine:
    span = interval(record, sign=True) or "no interval"
    info = infos[str(record["first"])]
    difference = f"{number(record['difference'], sign=True)} ({span})"
    p = p_value(float(record["p_holm"]))
    mark = MARKS[record["verdict"]]
    return VerdictLine(
        info.title, record["verdict"], mark, difference, p, info.needs_mask, info.network, placed=info.placed
    )


def _outline(winners: Sequence[VerdictLine], lines: Sequence[VerdictLine]) -> str:
    if not any(line.needs_mask for line in lines):
        return ""
    free = sum(not line.needs_mask for line in winners)
    placed = ", though one placed the cubes" if any(line.placed and not line.needs_mask for line in winners) else ""
    if len(winners) == 1:
        if free:
            return f"It does not read an expert's outline at test time{placed}."
        return "It needs an expert's outline at test time; no network without one beats the trivial arm."
    if not free:
        return "Each of them needs an expert's outline at test time; no network without one beats the trivial arm."
    if free == len(winners):
        return f"They do not read an expert's outline at test time{placed}."
    return f"{free} of them {'does' if free == 1 else 'do'} not read an expert's outline at test time{placed}."


def _rest(lines: Sequence[VerdictLine]) -> str:
    parts = []
    for verdict, words in ((UNDECIDED, "not distinguishable from it"), (BELOW, "below it"), (UNDEFINED, "undefined")):
        count = sum(line.verdict == verdict for line in lines)
        if count:
            parts.append(f"{count} {words}")
    text = "; ".join(parts)
    return f"{text}." if text else ""
