"""`hounsfield radiomics`: features of every lesion of a cases table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    import pandas as pd

    from hounsfield.core.errors import Problem
    from hounsfield.radiomics.config import RadiomicsConfig
    from hounsfield.radiomics.table import FeatureTable


def radiomics(
    cases: Annotated[Path, typer.Argument(help="Cases table, CSV or Parquet: case_id, patient_id, image, mask, ...")],
    out: Annotated[Path, typer.Option(help="Table of features, .parquet or .csv; more is written beside it.")],
    feature_set: Annotated[
        str,
        typer.Option("--set", help="standard107, paper91-without-glrlm, ..., shape, first_order, texture, ibsi, all."),
    ] = "standard107",
    spacing: Annotated[str, typer.Option(help="In mm: one number, z,y,x, or native for the voxels as they are.")] = "1",
    interpolation: Annotated[
        Literal["linear", "cubic", "nearest"], typer.Option(help="Of the image; cubic is a B-spline.")
    ] = "cubic",
    hu_range: Annotated[str, typer.Option("--range", help="Intensities measured, LOW,HIGH, or none.")] = "-1000,400",
    bin_width: Annotated[float, typer.Option(help="Of grey levels, in HU.")] = 25.0,
    bins: Annotated[int, typer.Option(help="Grey levels from minimum to maximum in place of --bin-width.")] = 0,
    shells: Annotated[str, typer.Option(help="Widths in mm of shells round the lesion, e.g. 5,10.")] = "",
    stable: Annotated[
        float,
        typer.Option(min=0, max=1, help="Keep features whose ICC under changes of outline and noise is surely above."),
    ] = 0.0,
    cache: Annotated[Path | None, typer.Option(help="Folder of what is measured; beside OUT when not given.")] = None,
    workers: Annotated[int, typer.Option(help="Processes; 0 takes all cores.")] = 0,
    engine: Annotated[str, typer.Option(help="Where the work runs: local, threads, serial, ray, dask.")] = "local",
) -> None:
    """Measure IBSI's radiomic features of every lesion of CASES; run again, it goes on where it stopped."""
    from hounsfield.cli.paths import refuse_input
    from hounsfield.cli.progress import Bars
    from hounsfield.core.errors import ProblemsError
    from hounsfield.radiomics.table import Measurement, measure_cases
    from hounsfield.tables.cases import read_cases

    if out.suffix not in (".parquet", ".csv"):
        raise typer.BadParameter(f"--out ends in .parquet or .csv; got '{out.name}'")
    refuse_input(out, cases)
    config = _config(spacing, interpolation, hu_range, bin_width=bin_width, bins=bins)
    wanted = Measurement(config=config, names=feature_set, shells_mm=tuple(_numbers("--shells", shells)))
    rows = read_cases(cases)
    cache = cache or out.parent / f"{out.stem}-cache"
    found = measure_cases(rows, wanted, cache=cache, workers=workers, engine=engine, progress=Bars())
    if found.frame.empty:
        raise ProblemsError("no case could be measured:", found.set_aside[:20])
    kept: Sequence[str] = wanted.columns()
    aside = list(found.set_aside)
    tested = None
    if stable:
        from hounsfield.radiomics.robustness import robustness

        tested = robustness(rows, wanted, cache=cache, workers=workers, engine=engine, progress=Bars())
        kept = tested.stable(stable)
        aside += [one for one in tested.set_aside if str(one) not in {str(other) for other in aside}]
    settings = {"set": feature_set, "shells_mm": list(wanted.shells_mm), "stable": stable or None}
    _write(None if tested is None else tested.frame, out.with_name(f"{out.stem}.robustness.csv"))
    missing = found.missing[found.missing["feature"].isin(kept)]
    _write_all(found, kept, missing, aside, out, {**settings, "config": config.model_dump(mode="json")})
    for problem in aside:
        typer.echo(f"set aside: {problem}", err=True)
    if not kept:
        typer.echo(_nothing_kept(stable, len(found.frame)), err=True)
    typer.echo(f"{len(found.frame)} case(s), {len(kept)} feature(s), {len(missing)} value(s) missing: {out}")


def _nothing_kept(stable: float, cases: int) -> str:
    return (
        f"no feature is surely above {stable:g} over {cases} lesion(s), and the table holds none: see the intervals in "
        "robustness.csv. With few lesions no feature can be sure; take more of them, or a lower --stable."
    )


def _config(spacing: str, interpolation: str, hu_range: str, *, bin_width: float, bins: int) -> RadiomicsConfig:
    from pydantic import ValidationError

    from hounsfield.radiomics.config import RadiomicsConfig

    sides = None if spacing == "native" else _numbers("--spacing", spacing)
    limits = None if hu_range == "none" else _numbers("--range", hu_range)
    if sides is not None and len(sides) not in (1, 3):
        raise typer.BadParameter(f"--spacing takes one number, z,y,x or native; got '{spacing}'")
    if limits is not None and len(limits) != 2:
        raise typer.BadParameter(f"--range takes LOW,HIGH or none; got '{hu_range}'")
    settings = {
        "spacing_mm": sides * 3 if sides is not None and len(sides) == 1 else sides,
        "image_interpolator": interpolation,
        "intensity_range": limits,
        "bin_width": None if bins else bin_width,
        "bin_count": bins or None,
    }
    try:
        return RadiomicsConfig.model_validate(settings)
    except ValidationError as error:
        raise typer.BadParameter(
            "; ".join(str(item["msg"]).removeprefix("Value error, ") for item in error.errors())
        ) from error


def _numbers(option: str, text: str) -> list[float]:
    try:
        found = [float(part) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise typer.BadParameter(f"{option} takes numbers separated by commas; got '{text}'") from error
    if not all(math.isfinite(number) for number in found):
        raise typer.BadParameter(f"{option} takes finite numbers; got '{text}'")
    return found


def _write_all(
    found: FeatureTable,
    kept: Sequence[str],
    missing: pd.DataFrame,
    aside: Sequence[Problem],
    out: Path,
    settings: dict[str, object],
) -> None:
    """The table, what is missing in it, the cases set aside, and the settings; a file with nothing to say goes."""
    from hounsfield import __version__
    from hounsfield.core.atomic import write_json

    identity = [name for name in found.frame.columns if name.endswith(("_id", "voxels"))]
    _write(found.frame[[*identity, *kept]], out)
    _write(missing, out.with_name(f"{out.stem}.missing.csv"))
    _write(_as_frame(aside), out.with_name(f"{out.stem}.set_aside.csv"))
    said = {"hounsfield": __version__, **settings, "features": list(kept)}
    write_json(out.with_name(f"{out.stem}.settings.json"), said)


def _as_frame(problems: Sequence[Problem]) -> object:
    import pandas as pd

    return pd.DataFrame([{"where": one.where, "what": one.what, "remedy": one.remedy} for one in problems])


def _write(frame: object, path: Path) -> None:
    import pandas as pd

    from hounsfield.core.atomic import atomic_file

    if not isinstance(frame, pd.DataFrame) or frame.empty:
        path.unlink(missing_ok=True)
        return
    with atomic_file(path) as temporary:
        if path.suffix == ".parquet":
            frame.to_parquet(temporary, index=False)
        else:
            frame.to_csv(temporary, index=False, lineterminator="\n")
