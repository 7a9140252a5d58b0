"""The measured part of the TI-RADS page: the study's result in, Markdown tables out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from hounsfield.guideline.compare import spared_at
from hounsfield.stats.estimate import Estimate
from hounsfield.studies.ti_rads_numbers import PARTS, TableRow, TiRadsResult, near_ties, side
from hounsfield.studies.ti_rads_ways import RULE_RUNS, TOLERANCE


def page(result: TiRadsResult) -> str:
    """All measured numbers, in the order in which the page speaks of them."""
    parts = [*_tables(result), *_searches(result), *_honest(result), *_permuted(result), *_matched(result)]
    return "\n".join(parts).rstrip() + "\n"


def _tables(result: TiRadsResult) -> list[str]:
    rows = [*result.given, *result.picks.values()]
    header = ("table", "options changed", *_part_header(result, "training"), "p", *_part_header(result, "test"))
    cells = [
        (
            one.name,
            str(one.changed),
            *_side(one, "training"),
            _p(one.training_p) if one.changed else "",
            *_side(one, "test"),
        )
        for one in rows
    ]
    return [
        "## Tables",
        "",
        "FNA follows from points and size. p: exact McNemar test against ACR, malignant training nodules with FNA. "
        f'"Highest AUC" and "declared rule" come from the {len(result.ends)} searches below, the others are the best '
        f"of {result.tries} tries of their way.",
        "",
        *_grid(header, cells),
        "",
    ]


def _searches(result: TiRadsResult) -> list[str]:
    ends, after = result.ends, result.ends_after
    near = near_ties(result)
    header = (
        "table",
        "runs",
        "options changed",
        "AUC before",
        *_part_header(result, "training"),
        *_part_header(result, "test"),
    )
    cells = [
        (one.name, str(one.runs), str(one.changed), f"{one.before:.4f}", *_side(one, "training"), *_side(one, "test"))
        for one in result.searched
    ]
    return [
        f"## {len(ends)} searches",
        "",
        f"They ended at a training AUC of {_span(ends, '.4f')} ({_span(after, '.4f')} after the smallest points of "
        f"each category were subtracted), in {len(result.searched)} distinct tables. Of these {len(near)} lie within "
        f"{TOLERANCE:g} of the best; on the test nodules: {_test(result, near)}. All {len(result.searched)}: "
        f"{_test(result, result.searched)}.",
        "",
        *_grid(header, cells),
        "",
    ]


def _honest(result: TiRadsResult) -> list[str]:
    header = (
        "way",
        "apparent gain",
        "gain out of fold",
        "p",
        "verdict",
        "distinct tables",
        "sensitivity of FNA",
        "specificity of FNA",
        "specificity at equal sensitivity",
        "p",
    )
    cells = []
    for name, one in result.honest.items():
        verdict = "gain" if one.auc.low > 0 else "loss" if one.auc.high < 0 else "not distinguishable"
        distinct = f"{len({tuple(row) for row in one.tables.tolist()})} of {len(one.tables)}"
        cells.append(
            (name, f"{one.apparent:+.4f}", _gain(one.auc, 4), _p(one.p[0]), verdict, distinct, _points(one.sensitivity),
             _points(one.specificity), _points(one.matched), _p(one.p[3]))
        )  # fmt: skip
    first = next(iter(result.honest.values()))
    return [
        "## On patients left out",
        "",
        f"Gains over ACR in AUC (ACR: {first.start:.4f} in the mean of the folds) and, in percentage points, of the "
        f"FNA recommendation, as it comes and with totals shifted to the sensitivity of ACR. {len(first.tables)} parts "
        "were left out in turn, patients kept together. 95 % intervals and p: paired bootstrap of patients, the tables "
        f"as they were made. The rule and the FNA fitness choose among {RULE_RUNS} searches in each fold.",
        "",
        *_grid(header, cells),
        "",
    ]


def _permuted(result: TiRadsResult) -> list[str]:
    inside, outside = result.permuted[:, 0], result.permuted[:, 1]
    return [
        "## Outcomes permuted",
        "",
        f"{len(inside)} times: training AUC {_span(inside, '.3f')}, mean {inside.mean():.3f}, with nothing to find. "
        f"Searched on one half, AUC on the other half {_span(outside, '.3f')}, mean {outside.mean():.3f}.",
        "",
    ]


def _matched(result: TiRadsResult) -> list[str]:
    cells = []
    for part in PARTS:
        acr, ai = (side(one, part) for one in result.given)
        for found in sorted({acr[1], ai[1]}, reverse=True):
            spared = [spared_at(result.shifts[part, name], found) for name in ("ACR", "AI")]
            shown = [f"{value:.0f} ({words})" for value, words in spared]
            gap = 100 * (spared[1][0] - spared[0][0]) / result.counts[part][1]
            cells.append((part, f"{found} of {result.counts[part][0]}", *shown, f"{gap:+.1f}"))
    return [
        "## At equal sensitivity",
        "",
        "Benign nodules spared when a constant is added to every total before the levels are read, so that both "
        "tables find the same number of malignant nodules.",
        "",
        *_grid(
            ("nodules", "malignant with FNA", "ACR spares", "AI spares", "difference, points of specificity"), cells
        ),
        "",
        "At ACR's sensitivity, in percentage points of specificity, with the interval of a bootstrap that matches "
        "anew in each resample: "
        + "; ".join(f"{part} {_points(gain)}, p {_p(p)}" for part, (gain, p) in result.matched.items())
        + ". The training nodules made the AI table, so theirs flatters.",
        "",
    ]


def _test(result: TiRadsResult, rows: Sequence[TableRow]) -> str:
    malignant, benign = result.counts["test"]
    return (
        f"AUC {_span((one.test_auc for one in rows), '.3f')}, "
        f"FNA for {_span((one.test_found for one in rows), 'd')} of {malignant} malignant, "
        f"spared {_span((one.test_spared for one in rows), 'd')} of {benign} benign nodules"
    )


def _part_header(result: TiRadsResult, part: str) -> tuple[str, str, str]:
    malignant, benign = result.counts[part]
    return f"{part} AUC", f"FNA, of {malignant} malignant", f"spared, of {benign} benign"


def _side(row: TableRow, part: str) -> tuple[str, str, str]:
    area, found, spared = side(row, part)
    return f"{area:.4f}", str(found), str(spared)


def _gain(value: Estimate, digits: int) -> str:
    return f"{value.value:+.{digits}f} ({value.low:+.{digits}f} to {value.high:+.{digits}f})"


def _points(value: Estimate) -> str:
    return f"{100 * value.value:+.1f} ({100 * value.low:+.1f} to {100 * value.high:+.1f})"


def _p(value: float) -> str:
    if math.isnan(value):
        return ""
    return "< .001" if value < 0.001 else f"{value:.3f}".lstrip("0") if value < 1 else "1"


def _span(values: Iterable[float], spec: str) -> str:
    listed = list(values)
    low, high = format(min(listed), spec), format(max(listed), spec)
    return low if low == high else f"{low} to {high}"


def _grid(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]
