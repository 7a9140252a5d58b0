"""The page of the phantom study: results, verdicts and the optimism of the paper's protocol in, Markdown out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from hounsfield.phantom.core_fraction import bayes_accuracy
from hounsfield.studies.paper_protocol import Optimism
from hounsfield.studies.phantom_cases import CONFIG, CONFOUNDER, Sizes
from hounsfield.studies.phantom_results import NEAR_MM, PhantomResult
from hounsfield.studies.phantom_verdicts import EQUAL, WIDE, Verdict

_WORDS = {
    "clean": "clean: the solid core's share of the nodule sets the class",
    "confounder": "confounder: vessel contact goes with the class, 90/10 in training and validation, 10/90 in test",
    "no_signal": "no signal: labels have nothing to do with image or outline",
    "shape_leak": "shape leak: ground glass and noise throughout, only the expert's outline differs by class",
}


def page(
    results: Mapping[str, PhantomResult],
    table: pd.DataFrame,
    verdicts: Sequence[Verdict],
    optimism: Optimism,
    *,
    titles: Mapping[str, str],
    sizes: Mapping[str, Sizes],
    quick: bool = False,
) -> str:
    """The whole page.

    Args:
        quick: says first that so small a run proves nothing.
        table: rows of `phantom_results.table_of` with the column phantom.
        titles: of the arms.
    """
    parts = [
        "# Phantoms: do the arms behave as theory says?",
        "",
        *(["A quick run, to see it work: its verdicts mean nothing.", ""] if quick else []),
        *_setting(sizes),
        "",
        "## Verdicts",
        "",
        *_table(
            ("phantom", "expected", "found", "verdict"),
            [(one.phantom, one.expectation, one.found, f"**{one.verdict}**") for one in verdicts],
        ),
        "",
        f"Set before the run: accuracies within {100 * EQUAL:.0f} points are equal, {100 * WIDE:.0f} points are a wide "
        'margin. "Met" and "not met" need a 95 % interval that settles it. Differences are paired, cube by cube; '
        "clean and confounder phantom hold the same nodules and noise, so that runs of both can be paired as well.",
        "",
        "## Every arm",
        "",
    ]
    for phantom in results:
        parts += [_WORDS[phantom][0].upper() + _WORDS[phantom][1:] + ".", "", *_arms(table, phantom, titles), ""]
    parts += [*_aligned(results[CONFOUNDER], titles), *_masks(results, titles), *_protocol(optimism)]
    return "\n".join(parts).rstrip() + "\n"


def _setting(sizes: Mapping[str, Sizes]) -> list[str]:
    low, high = CONFIG.core_means
    z, _, _ = CONFIG.spacing_mm
    return [
        f"Cubes of {CONFIG.size}^3 voxels of {z:g} mm; for training, validation and test "
        f"{'; '.join(f'{name} {one.train}, {one.validation}, {one.test}' for name, one in sizes.items())}; no patient "
        f"in two parts. Ground glass {CONFIG.tissue.ground_glass:g} HU in lung "
        f"{CONFIG.tissue.lung:g} HU with a core of {CONFIG.tissue.core:g} HU, noise SD {CONFIG.tissue.noise_sd:g} HU; "
        f"the core's share is {low:.0%} in class A and {high:.0%} in class B with SD {CONFIG.core_sd:.0%}, which "
        f"limits every rule to {bayes_accuracy(CONFIG.core_means, CONFIG.core_sd):.1%} in the mean. Vessels are "
        "cylinders of 3 mm at 40 HU, drawn outside the outline only. Epochs were chosen on the validation part, the "
        "called class is the more probable one, and the test part was opened once.",
    ]


def _arms(table: pd.DataFrame, phantom: str, titles: Mapping[str, str]) -> list[str]:
    rows = []
    for row in table[table["phantom"] == phantom].to_dict("records"):
        rows.append(
            (
                titles.get(row["arm"], row["arm"]),
                f"{row['accuracy']:.1%} ({row['accuracy_low']:.1%} to {row['accuracy_high']:.1%})",
                f"{row['auc']:.3f} ({row['auc_low']:.3f} to {row['auc_high']:.3f})",
                _number(row["dice"]),
                _number(row["vessel"]),
                f"{row['bayes']:.1%}",
            )
        )
    return _table(("arm", "accuracy (95 % CI)", "AUC (95 % CI)", "Dice", "mask on vessel", "Bayes rate"), rows)


def _aligned(confounder: PhantomResult, titles: Mapping[str, str]) -> list[str]:
    if not confounder.aligned:
        return []
    rows = []
    for name, reached in confounder.aligned.items():
        reversed_ = float((confounder.arms[name].called == confounder.label).mean())
        rows.append((titles.get(name, name), f"{reached:.1%}", f"{reversed_:.1%}"))
    return [
        "## What an ordinary test part would have shown",
        "",
        "The confounder's models on the same test nodules, once with vessels that go along with the class as in "
        "training and once reversed. An accuracy above the Bayes rate is owed to the vessels.",
        "",
        *_table(("arm", "vessels as in training", "vessels reversed"), rows),
        "",
    ]


def _masks(results: Mapping[str, PhantomResult], titles: Mapping[str, str]) -> list[str]:
    rows = []
    for phantom, result in results.items():
        for name, values in result.masks.items():
            numbers = (values.vessel, values.near_vessel, values.near_lung, values.nodule)
            rows.append((phantom, titles.get(name, name), *(_number(value) for value in numbers)))
    header = (
        "run",
        "arm",
        "touching vessels",
        f"vessel within {NEAR_MM:g} mm",
        f"lung within {NEAR_MM:g} mm",
        "nodule",
    )
    return [
        "## Where the soft masks open",
        "",
        "Mean mask value on the test nodules of clean and confounder phantom, drawn once more with a pair of vessels "
        "touching each and nothing else around. A mask that lets the vessel through shows more on the vessel beside "
        "the nodule than on the lung beside it.",
        "",
        *_table(header, rows),
        "",
    ]


def _protocol(optimism: Optimism) -> list[str]:
    runs = ", ".join(f"{value:.1%}" for value in optimism.reported)
    fresh = ", ".join(f"{value:.1%}" for value in optimism.fresh)
    last = ", ".join(f"{value:.1%}" for value in optimism.last)
    return [
        "## The paper's own protocol where there is nothing to find",
        "",
        f"On the phantom without signal, the classifier of raw cubes was run {len(optimism.reported)} times for "
        f"{optimism.epochs} epochs and judged on {optimism.test_cubes} test cubes after every epoch. The best epoch of "
        f"each run: {runs}. The best of all, which that protocol reports: **{optimism.best:.1%}**, a gap of "
        f"**{100 * optimism.gap:+.1f} points** to the truth of 50 %. The same weights on {optimism.fresh_cubes} cubes "
        f"that chose nothing: {fresh} ({optimism.best_fresh:.1%} for the one reported). The last epochs, which nothing "
        f"chose: {last}. The paper trains up to 120 epochs and so has more to choose from.",
        "",
    ]


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(cell.replace("|", "/") for cell in line) + " |" for line in lines]


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3f}"
