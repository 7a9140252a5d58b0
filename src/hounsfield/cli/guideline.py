"""`hounsfield guideline`: nodules scored by a point table, two tables compared, a table searched, a chart printed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import pandas as pd

app = typer.Typer(help="Guidelines that add points (TI-RADS): score, compare, optimise, print.", no_args_is_help=True)

Readings = Annotated[
    Path, typer.Argument(help="Readings, CSV or Parquet: case_id, one column a category, size_cm, label, reader, ...")
]
Mapping = Annotated[
    str, typer.Option(help="YAML of how other columns map to these (or ti-rads, thyroid): READINGS is the folder then.")
]
Part = Annotated[str, typer.Option(help="Only readings of this part, such as test.")]
Reader = Annotated[str, typer.Option(help="Only this reader.")]


@app.command()
def score(
    readings: Readings,
    table: Annotated[str, typer.Option(help="acr, ai, or a YAML file.")] = "acr",
    out: Annotated[Path | None, typer.Option(help="CSV or Parquet; the terminal when absent.")] = None,
    mapping: Mapping = "",
    part: Part = "",
    reader: Reader = "",
) -> None:
    """Points, level and recommendation (FNA, follow-up, nothing) for every nodule of READINGS."""
    from hounsfield.guideline.point_table import read_point_table
    from hounsfield.guideline.tasks import score_readings

    guideline = read_point_table(table)
    result, problems = score_readings(_read(readings, mapping, part, reader), guideline, named_wins=bool(mapping))
    if out is None:
        typer.echo(result.to_csv(index=False), nl=False)
    else:
        _write(result, out)
    counts = result["level"].value_counts().reindex([level.name for level in guideline.levels], fill_value=0)
    typer.echo(f"{guideline.name}: " + ", ".join(f"{name} {count}" for name, count in counts.items()), err=True)
    _tell(problems)


@app.command()
def compare(
    readings: Readings,
    out: Annotated[Path, typer.Option(help="Folder for performance.csv, changes.csv, shifted.csv and compare.md.")],
    first: Annotated[str, typer.Option(help="The table in use: acr, ai, or a YAML file.")] = "acr",
    second: Annotated[str, typer.Option(help="The table proposed: acr, ai, or a YAML file.")] = "ai",
    mapping: Mapping = "",
    part: Part = "",
    reader: Reader = "",
    resample: Annotated[str, typer.Option(help="What the bootstrap draws: patients or nodules.")] = "patients",
    resamples: Annotated[int, typer.Option(min=100, help="Of the bootstrap.")] = 2000,
    seed: Annotated[int, typer.Option(help="Of the bootstrap.")] = 0,
) -> None:
    """Two point tables on the same READINGS: AUC, sensitivity, specificity, and which nodules change."""
    from hounsfield.guideline.point_table import read_point_table
    from hounsfield.guideline.tasks import compare_tables

    if resample not in ("patients", "nodules"):
        raise typer.BadParameter(f"--resample takes patients or nodules; got {resample}")
    frame = _read(readings, mapping, part, reader)
    tables = (read_point_table(first), read_point_table(second))
    found = compare_tables(
        frame, *tables, seed=seed, by_patient=resample == "patients", resamples=resamples, named_wins=bool(mapping)
    )
    for line in found.write(out):
        typer.echo(line)
    _tell(found.problems)


@app.command()
def optimise(
    readings: Readings,
    out: Annotated[Path, typer.Option(help="Folder for table.yaml, CSV tables, figures and optimise.md.")],
    start: Annotated[str, typer.Option(help="The table to start from: acr, ai, or a YAML file.")] = "acr",
    mapping: Mapping = "",
    part: Annotated[str, typer.Option(help="The part to search on; others never enter the search.")] = "",
    holdout: Annotated[str, typer.Option(help="A part held out by patient, to try the chosen table on once.")] = "",
    holdout_share: Annotated[
        float,
        typer.Option(min=0, max=0.9, help="Share of the patients held out by --seed; with --holdout, of the rest."),
    ] = 0.0,
    reader: Reader = "",
    seed: Annotated[
        int, typer.Option(help="Of the first run, the others count up; of folds, hold-out, bootstrap.")
    ] = 0,
    runs: Annotated[int, typer.Option(min=1, help="Searches from the same start.")] = 20,
    generations: Annotated[int, typer.Option(min=1, help="Of each search.")] = 50,
    population: Annotated[int, typer.Option(min=2, help="Tables in each generation.")] = 100,
    ordered: Annotated[
        bool, typer.Option("--ordered", help="Keep the order that TI-RADS has in each category.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Hold the reference option of each category at 0 throughout.")
    ] = False,
    fitness: Annotated[
        str, typer.Option(help="auc, or fna: specificity of FNA at the start table's sensitivity.")
    ] = "auc",
    size_term: Annotated[
        bool, typer.Option("--size-term", help="Add a category of size classes to the points.")
    ] = False,
    folds: Annotated[
        int, typer.Option(min=0, help="Of the cross-validation by patient, all runs in each; 0 leaves it out.")
    ] = 10,
    repetitions: Annotated[int, typer.Option(min=1, help="Of the cross-validation.")] = 5,
) -> None:
    """Search the points that separate malignant from benign best, by a genetic algorithm; and what that is worth."""
    from hounsfield.cli.progress import Bars
    from hounsfield.guideline.genetic import Settings
    from hounsfield.guideline.point_table import read_point_table
    from hounsfield.guideline.way import FITNESS, Way
    from hounsfield.studies.optimisation import Plan, optimise_table

    if fitness not in FITNESS:
        raise typer.BadParameter(f"--fitness takes {' or '.join(FITNESS)}; got {fitness}")
    if holdout and holdout == part:
        raise typer.BadParameter(f"--part and --holdout name different parts; got {part} for both")
    plan = Plan(
        seed=seed,
        way=Way(
            runs=runs,
            settings=Settings(population=population, generations=generations),
            ordered=ordered,
            strict=strict,
            fitness=fitness,
        ),
        size_term=size_term,
        folds=folds,
        repetitions=repetitions,
        hold_out_part=holdout,
        hold_out_share=holdout_share,
    )
    frame = _read(readings, mapping, part, reader, also=holdout)
    table = read_point_table(start)
    result = optimise_table(frame, table, plan, out, named_wins=bool(mapping), progress=Bars())
    for line in result.lines:
        typer.echo(line)
    _tell(result.problems)


@app.command()
def chart(
    out: Annotated[Path, typer.Argument(help="The file to draw: .pdf, .png or .svg.")],
    table: Annotated[str, typer.Option(help="acr, ai, or a YAML file.")] = "acr",
    reference: Annotated[str, typer.Option(help="Mark what differs from this table.")] = "",
) -> None:
    """The one page of a point table that a radiologist hangs up."""
    from hounsfield.core.atomic import atomic_file
    from hounsfield.guideline.point_table import read_point_table
    from hounsfield.report.figures.point_chart import point_chart

    if out.suffix.lower() not in (".pdf", ".png", ".svg"):
        raise typer.BadParameter(f"a chart is a .pdf, .png or .svg; got '{out.name}'")
    figure = point_chart(read_point_table(table), reference=read_point_table(reference) if reference else None)
    with atomic_file(out) as part:
        figure.savefig(part, format=out.suffix[1:].lower(), dpi=200)
    typer.echo(f"written: {out}")


def _read(readings: Path, mapping: str, part: str, reader: str, *, also: str = "") -> pd.DataFrame:
    """Readings of one part, of every part when `part` is empty, and with `part` those of the part `also`."""
    from hounsfield.core.errors import TableError
    from hounsfield.guideline.nodules import find_map
    from hounsfield.tables.readings import read_plain_readings, read_reading_map, read_readings

    if mapping:
        frame = read_readings(read_reading_map(find_map(mapping)), readings)
    else:
        frame = read_plain_readings(readings)
    for name, wanted in (("part", part), ("reader", reader)):
        if wanted:
            kept = frame[name] == wanted
            if not kept.any():
                raise TableError(f"no reading has {name} '{wanted}'; there are: {', '.join(sorted(set(frame[name])))}.")
            if name == "part" and also:
                kept |= frame[name] == also
            frame = frame[kept].reset_index(drop=True)
    return frame


def _write(frame: pd.DataFrame, out: Path) -> None:
    from hounsfield.core.atomic import atomic_file

    if out.suffix.lower() not in (".csv", ".parquet"):
        raise typer.BadParameter(f"--out ends in .csv or .parquet; got '{out.name}'")
    with atomic_file(out) as part:
        frame.to_parquet(part, index=False) if out.suffix.lower() == ".parquet" else frame.to_csv(part, index=False)


def _tell(problems: Sequence[object]) -> None:
    for problem in problems[:20]:
        typer.echo(str(problem), err=True)
    if len(problems) > 20:
        typer.echo(f"and {len(problems) - 20} more readings set aside.", err=True)
