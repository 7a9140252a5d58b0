"""`hounsfield readers`: a model against radiologists on the same nodules."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def readers(
    mapping: Annotated[str, typer.Argument(help="YAML of how columns map to readings and scores, or: thyroid.")],
    data: Annotated[Path, typer.Option(help="Folder of the files that the mapping names.")],
    out: Annotated[Path, typer.Option(help="Folder for readers.html, three tables and two figures.")],
    table: Annotated[str, typer.Option(help="Point table of the readers: acr, ai, or a YAML file.")] = "acr",
    model: Annotated[str, typer.Option(help="The reader of the mapping that is the model.")] = "algorithm",
    annotator: Annotated[str, typer.Option(help="Whose levels on the training part the model's are matched to.")] = "1",
    consensus: Annotated[str, typer.Option(help="The reader of the mapping that is the consensus.")] = "consensus",
    sizes: Annotated[
        str, typer.Option(help="Whose measurement counts: own of each, common (the annotator's), or a reader's name.")
    ] = "common",
    resample: Annotated[str, typer.Option(help="What the bootstrap draws: patients or nodules.")] = "patients",
    resamples: Annotated[int, typer.Option(min=100, help="Of the bootstrap.")] = 2000,
    seed: Annotated[int, typer.Option(help="Of the bootstrap.")] = 0,
) -> None:
    """Compare a model with radiologists: AUC, FNA and follow-up, readers at large, difficult nodules, shared errors."""
    from hounsfield.guideline.nodules import find_map
    from hounsfield.guideline.point_table import read_point_table
    from hounsfield.studies.readers import run_readers
    from hounsfield.studies.readers_page import write_readers
    from hounsfield.studies.readers_panel import Plan
    from hounsfield.tables.readings import read_reading_map, read_readings

    if resample not in ("patients", "nodules"):
        raise typer.BadParameter("--resample takes patients or nodules")
    plan = Plan(
        seed=seed,
        model=model,
        annotator=annotator,
        consensus=consensus,
        sizes=sizes,
        by_patient=resample == "patients",
        resamples=resamples,
    )
    described = read_reading_map(find_map(mapping))
    found = run_readers(read_readings(described, data), read_point_table(table), plan)
    for line in write_readers(found, plan, out, title=described.title, citation=described.citation):
        typer.echo(line)
    typer.echo(f"report: {out / 'readers.html'}")
