"""`hounsfield study`: list the studies, show one as YAML to start your own from, run one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Run a published study, or one of your own, on your cases.", no_args_is_help=True)


@app.command("list")
def list_studies() -> None:
    """List the package's studies and the question each asks."""
    from hounsfield.studies import load

    for name in load.names():
        typer.echo(f"{name:20} {load.load(name).question}")


@app.command()
def show(name: Annotated[str, typer.Argument(help="Name of a study, or path of a .yaml file.")]) -> None:
    """Print a study's YAML, to start a study of your own from: hounsfield study show ggn > mine.yaml"""
    from hounsfield.studies import load

    typer.echo(load.source(name), nl=False)


@app.command()
def run(
    study: Annotated[str, typer.Argument(help="Name of a study (see list), or path of a .yaml file of your own.")],
    cases: Annotated[Path, typer.Option(help="Cases table, CSV or Parquet.")],
    out: Annotated[Path, typer.Option(help="Run folder. Stopped? The same command goes on.")],
    profile: Annotated[
        str, typer.Option(help="full: as the study says. quick, where a study has it: one split, short training.")
    ] = "full",
    targets: Annotated[
        str, typer.Option(help="Only these targets, separated by commas; an optional one runs when named here.")
    ] = "",
    arms: Annotated[str, typer.Option(help="Only these arms, separated by commas; trivial arms always run.")] = "",
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change a key of the study, e.g. training.classifier.epochs=30; may be repeated."),
    ] = None,
    seed: Annotated[
        list[int] | None, typer.Option(help="Seed of the training; may be repeated. All are reported.")
    ] = None,
    folds: Annotated[
        str,
        typer.Option(
            help="Train only these folds now, e.g. 0,1. Several processes can share OUT so; the last one reports."
        ),
    ] = "",
    device: Annotated[str, typer.Option(help="Where networks run: auto, cpu, cuda, cuda:1, mps.")] = "auto",
    workers: Annotated[int, typer.Option(help="Processes that prepare cases; 0 takes all cores.")] = 0,
    engine: Annotated[str, typer.Option(help="Where cases are prepared: local, threads, serial, ray, dask.")] = "local",
) -> None:
    """Run STUDY on CASES: train and validate every arm, write OUT/report.html and a bundle of each in OUT/bundles."""
    from hounsfield.cli.progress import Bars
    from hounsfield.studies import load
    from hounsfield.studies.runner import Machine, run_study

    wanted = _numbers(folds)
    protocol = load.load(
        study,
        profile=profile,
        overrides=set_ or (),
        targets=_listed(targets),
        arms=_listed(arms),
        seeds=seed or (),
    )
    machine = Machine(device=device, workers=workers, engine=engine)
    result = run_study(protocol, cases, out, machine=machine, folds=wanted, progress=Bars())
    for line in result.summary:
        typer.echo(line)
    if result.report is not None:
        typer.echo(f"report: {result.report}")


@app.command()
def perturb(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    cases: Annotated[Path, typer.Option(help="The cases table that it ran on.")],
    device: Annotated[str, typer.Option(help="Where networks run: auto, cpu, cuda, cuda:1, mps.")] = "auto",
    workers: Annotated[int, typer.Option(help="Processes that prepare cases; 0 takes all cores.")] = 0,
    engine: Annotated[str, typer.Option(help="Where cases are prepared: local, threads, serial, ray, dask.")] = "local",
) -> None:
    """Predict RUN's test cases with outlines eroded, dilated and shifted; a table in RUN/mask_perturbation.md."""
    from hounsfield.cli.progress import Bars
    from hounsfield.studies.mask_perturbation import perturb_run

    found = perturb_run(run, cases, device=device, workers=workers, engine=engine, progress=Bars())
    if found.set_aside:
        typer.echo(f"left out: {len(found.set_aside)}, named at the end of {found.files[0].name}", err=True)
    for file in found.files:
        typer.echo(f"table: {file}")


def _numbers(text: str) -> tuple[int, ...]:
    if not all(item.isdecimal() for item in _listed(text)):
        raise typer.BadParameter(f"--folds takes numbers separated by commas, counted from 0; got '{text}'")
    return tuple(int(item) for item in _listed(text))


@app.command()
def phantoms(
    out: Annotated[Path, typer.Option(help="Folder of the study; the same command on it again goes on.")],
    quick: Annotated[
        bool, typer.Option("--quick", help="Few cubes and epochs, to see it run; proves nothing.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of the simulated cubes and the training.")] = 1,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps")] = "auto",
    workers: Annotated[int, typer.Option(help="Processes that prepare cases; 0 takes all cores.")] = 0,
) -> None:
    """Prove on simulated cubes of known truth that the arms behave as theory says; a page of verdicts in OUT."""
    from hounsfield.cli.progress import Bars
    from hounsfield.studies.phantoms import run_phantoms
    from hounsfield.studies.runner import Machine

    machine = Machine(device=device, workers=workers)
    for line in run_phantoms(out, quick=quick, seed=seed, machine=machine, progress=Bars()):
        typer.echo(line)


@app.command("granuloma-phantoms")
def granuloma_phantoms(
    out: Annotated[Path, typer.Option(help="Folder of the study; the same command on it again goes on.")],
    quick: Annotated[
        bool, typer.Option("--quick", help="Few patients, one epoch, to see it run; proves nothing.")
    ] = False,
    only: Annotated[
        str, typer.Option(help="Run these phantoms now, separated by commas; the last process writes the page.")
    ] = "",
    seed: Annotated[int, typer.Option(help="Of the simulated patients and the training.")] = 1,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps")] = "auto",
    workers: Annotated[int, typer.Option(help="Processes that write and prepare cases; 0 takes all cores.")] = 0,
) -> None:
    """Prove on simulated chests, from DICOM on, that each arm sees what it may see and nothing else."""
    from hounsfield.cli.progress import Bars
    from hounsfield.studies.granuloma_phantoms import run_granuloma_phantoms
    from hounsfield.studies.runner import Machine

    machine = Machine(device=device, workers=workers)
    lines = run_granuloma_phantoms(out, quick=quick, seed=seed, only=_listed(only), machine=machine, progress=Bars())
    for line in lines:
        typer.echo(line)


@app.command("ti-rads")
def ti_rads(
    data: Annotated[Path, typer.Argument(help="Folder of the released tables (data_all.csv and the others).")],
    out: Annotated[Path, typer.Option(help="Folder for ti-rads.md, its tables and figures.")],
    seed: Annotated[int, typer.Option(help="Of the first search; the others count up.")] = 0,
    runs: Annotated[int, typer.Option(min=1, help="Searches whose ends are compared.")] = 100,
) -> None:
    """What the revision of TI-RADS by a genetic algorithm is worth: near ties, held-out gain, equal sensitivity."""
    from hounsfield.cli.progress import Bars
    from hounsfield.studies.ti_rads import run_ti_rads

    for line in run_ti_rads(data, out, seed=seed, runs=runs, progress=Bars()):
        typer.echo(line)


@app.command("tcia-labels")
def tcia_labels(
    out: Annotated[Path, typer.Option(help="Folder for tcia-labels.md and tcia-labels.csv.")],
    rules: Annotated[Path | None, typer.Option(help="Rules of your own; the shipped ones by default.")] = None,
) -> None:
    """The label rules on the public index of series: how many each keeps, beside the published counts."""
    from hounsfield.catalog.labels.rules import RADNET
    from hounsfield.studies.tcia_labels import run_tcia_labels

    for line in run_tcia_labels(out, rules=rules or RADNET):
        typer.echo(line)


def _listed(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]
