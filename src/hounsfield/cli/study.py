"""`hounsfield study`: list the studies, show one as YAML to start your own from, run one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Run a published study, or one of your own, on your cases.", no_args_is_help=True)


@app.command("list")
def list_studies() -> None:
    """Name the studies that come with the package and the question each asks."""
    from hounsfield.studies import load

    for name in load.names():
        typer.echo(f"{name:20} {load.load(name).question}")


@app.command()
def show(name: Annotated[str, typer.Argument(help="Name of a study, or path of a .yaml file.")]) -> None:
    """Print a study's YAML: redirect it to a file, edit it, run it."""
    from hounsfield.studies import load

    typer.echo(load.source(name), nl=False)


@app.command()
def run(
    study: Annotated[str, typer.Argument(help="Name of a study (see list), or path of a .yaml file of your own.")],
    cases: Annotated[Path, typer.Option(help="Cases table, CSV or Parquet.")],
    out: Annotated[Path, typer.Option(help="Run folder; the same command on it again goes on where it stopped.")],
    profile: Annotated[
        str, typer.Option(help="quick: one split, one seed, short training. full: as the study says.")
    ] = "full",
    arms: Annotated[str, typer.Option(help="Only these arms, separated by commas (trivial arms always run).")] = "",
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="key=value, e.g. training.classifier.epochs=30.")
    ] = None,
    seed: Annotated[
        list[int] | None, typer.Option(help="Seed; repeat the option for several. All are reported.")
    ] = None,
    folds: Annotated[
        str, typer.Option(help="Train only these folds now (e.g. 0,1): one process a GPU, one folder.")
    ] = "",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps")] = "auto",
    workers: Annotated[int, typer.Option(help="Processes that prepare cases; 0 takes all cores.")] = 0,
    engine: Annotated[str, typer.Option(help="Where cases are prepared: local, threads, serial, ray, dask.")] = "local",
) -> None:
    """Run STUDY on CASES: prepare, train every arm, evaluate, report, and leave a bundle a model in OUT/bundles."""
    from hounsfield.cli.progress import Bars
    from hounsfield.studies import load
    from hounsfield.studies.runner import Machine, run_study

    protocol = load.load(study, profile=profile, overrides=set_ or (), arms=_listed(arms), seeds=seed or ())
    machine = Machine(device=device, workers=workers, engine=engine)
    wanted = tuple(int(fold) for fold in _listed(folds))
    result = run_study(protocol, cases, out, machine=machine, folds=wanted, progress=Bars())
    for line in result.summary:
        typer.echo(line)
    if result.report is not None:
        typer.echo(f"report: {result.report}")


def _listed(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]
