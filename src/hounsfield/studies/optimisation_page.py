"""What a search of a point table leaves in its folder: searches, gains and the table in, lines and files out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from hounsfield.core.atomic import atomic_file
from hounsfield.guideline.hold_out import HeldOut
from hounsfield.guideline.nodules import Nodules
from hounsfield.guideline.out_of_fold import OutOfFold
from hounsfield.guideline.point_table import PointTable, write_point_table
from hounsfield.guideline.search import Found
from hounsfield.guideline.tasks import p_words, performance_table
from hounsfield.guideline.way import Made, Way
from hounsfield.report.figures.ga_history import ga_history
from hounsfield.report.figures.point_chart import point_chart

_FITNESS = {"auc": "AUC on the nodules searched on", "fna": "Specificity of FNA on the nodules searched on"}
_DECISIONS = ("sensitivity of FNA", "specificity of FNA", "specificity of FNA at the start table's sensitivity")
_METRICS = {"auc": "AUC", "sensitivity": _DECISIONS[0], "specificity": _DECISIONS[1]}


def lines_of(
    nodules: Nodules, made: Made, honest: OutOfFold | None, held: HeldOut | None, *, folds: int, repetitions: int
) -> list[str]:
    """The result in words, one line a fact: on the nodules searched on, on patients left out, on what was held out."""
    positives, negatives = int((nodules.label == 1).sum()), int((nodules.label == 0).sum())

    def words(one: Found) -> str:
        return (
            f"AUC {one.auc:.4f}, FNA for {one.sensitivity * positives:.0f} of {positives} malignant, "
            f"spared {one.specificity * negatives:.0f} of {negatives} benign, {one.changed} options changed"
        )

    lines = [
        f"{positives} malignant and {negatives} benign nodules; {len(made.searches)} runs ended at "
        f"{len(made.found)} distinct tables",
        f"start: {words(made.start)}",
        f"highest AUC: {words(made.found[0])}",
        f"chosen: {words(made.chosen)}",
    ]
    if honest is not None:
        lines += _left_out(honest, made, folds, repetitions)
    if held is not None:
        lines += _held_out(held)
        return [*lines, "What is held out comes from the same source. Test the table elsewhere before anyone uses it."]
    return [*lines, "What is searched on flatters. Test the chosen table on other patients before anyone uses it."]


def _left_out(honest: OutOfFold, made: Made, folds: int, repetitions: int) -> list[str]:
    gain = made.chosen.auc - made.start.auc
    gains = zip(_DECISIONS, (honest.sensitivity, honest.specificity, honest.matched), honest.p[1:], strict=True)
    return [
        f"gain in AUC: {gain:+.4f} on the nodules searched on, {honest.auc:+.4f}, p {p_words(honest.p[0])}, on "
        f"patients left out ({honest.start:.4f} to {honest.found:.4f}; {folds} folds, {repetitions} repetitions)",
        *(f"gain in {name} on patients left out: {one:+.3f}, p {p_words(p)}" for name, one, p in gains),
    ]


def _held_out(held: HeldOut) -> list[str]:
    dropped = f"; {held.dropped} other readings of these patients left out of the search" if held.dropped else ""
    lines = [
        f"held out ({held.how}), looked at once: {held.malignant} malignant and {held.benign} benign nodules of "
        f"{held.patients} patients{dropped}"
    ]
    for row in held.rows:
        exact = "" if row.metric == "auc" else f", exact McNemar p {p_words(row.mcnemar)}"
        lines.append(
            f"held out, {_METRICS[row.metric]}: start {row.first:.3f}, chosen {row.second:.3f}, "
            f"difference {row.difference:+.3f}, p {p_words(row.p)}{exact}"
        )
    return [
        *lines,
        f"held out, {_DECISIONS[2]}: difference {held.matched:+.3f}, p {p_words(held.p_matched)}",
    ]


def write_folder(
    folder: Path,
    table: PointTable,
    start: PointTable,
    made: Made,
    held: HeldOut | None,
    lines: Sequence[str],
    *,
    way: Way,
    seed: int,
) -> None:
    """Writes `table.yaml`, `history.csv`, `near_ties.csv`, `held_out.csv` where there is one, figures, the page."""
    folder.mkdir(parents=True, exist_ok=True)
    write_point_table(table, folder / "table.yaml")
    frames = {"history.csv": _history(made, seed), "near_ties.csv": _near_ties(made, start)}
    if held is not None:
        frames["held_out.csv"] = _held_table(held)
    else:
        (folder / "held_out.csv").unlink(missing_ok=True)  # of an earlier search into this folder
    for name, frame in frames.items():
        with atomic_file(folder / name) as part:
            frame.to_csv(part, index=False)
    figures = {
        "chart": point_chart(table, reference=start),
        "history": ga_history([one.record for one in made.searches], name=_FITNESS[way.fitness]),
    }
    for name, figure in figures.items():
        for ending in ("svg", "png", *(("pdf",) if name == "chart" else ())):
            with atomic_file(folder / f"{name}.{ending}") as part:
                figure.savefig(part, format=ending, dpi=150)
    with atomic_file(folder / "optimise.md") as part:
        part.write_text("\n".join([f"# {table.name}", "", *(f"- {line}" for line in lines)]) + "\n", encoding="utf-8")


def _held_table(held: HeldOut) -> pd.DataFrame:
    gain = held.matched
    matched = {
        "reader": held.rows[0].reader,
        "metric": _DECISIONS[2],
        "difference": gain.value,
        "difference low": gain.low,
        "difference high": gain.high,
        "p": held.p_matched,
        "n": gain.n,
        "unit": gain.unit,
        "method": gain.method,
    }
    return pd.concat([performance_table(held.rows, ("start", "chosen")), pd.DataFrame([matched])], ignore_index=True)


def _history(made: Made, seed: int) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"run": seed + run, "generation": generation, "record": record, "best": best, "mean": mean}
            for run, one in enumerate(made.searches)
            for generation, (record, best, mean) in enumerate(zip(one.record, one.best, one.mean, strict=True))
        ]
    )


def _near_ties(made: Made, start: PointTable) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "auc": one.auc,
                "fna_sensitivity": one.sensitivity,
                "fna_specificity": one.specificity,
                "changed": one.changed,
                "runs": one.runs,
                **dict(zip(start.option_names, one.points.tolist(), strict=True)),
            }
            for one in made.found
        ]
    )
