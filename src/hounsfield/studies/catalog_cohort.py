"""A cohort from a catalog, with its files and its drawing. In: catalog, rules, spreadsheet. Out: files.

The rules of published cohorts come with the package (`studies/cohorts/*.yaml`) and are read by name, one's own by path.
What a study then makes of the cases table (cubes, features, folds) is in `studies.cohort`.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

from hounsfield.catalog.cohort.cohort import Cohort, select_cohort
from hounsfield.catalog.cohort.files import write_cohort
from hounsfield.catalog.cohort.flow import Flow
from hounsfield.catalog.cohort.rules import KEYS, CohortRules, Outcomes, read_rules
from hounsfield.catalog.cohort.sheet import read_outcomes
from hounsfield.catalog.store import CatalogError, open_catalog
from hounsfield.core.atomic import atomic_file
from hounsfield.core.registry import nearest
from hounsfield.report.figures.flow import flow_figure


def rule_names() -> list[str]:
    """Names of the cohorts whose rules come with the package."""
    return sorted(Path(item.name).stem for item in _folder().iterdir() if item.name.endswith(".yaml"))


def load_rules(name_or_path: str) -> CohortRules:
    """The rules of a cohort of the package, or in a file of one's own.

    Raises: CatalogError when there are none; ProblemsError naming every mistake in them.
    """
    path = Path(name_or_path)
    if path.suffix in (".yaml", ".yml"):
        try:
            return read_rules(path.read_text(encoding="utf-8-sig"))
        except UnicodeDecodeError as error:
            raise CatalogError(f"'{path.name}' is no text in UTF-8; save it as such from your editor.") from error
        except OSError as error:
            raise CatalogError(f"there is no readable file '{path.name}'. Of the package: {_listed()}.") from error
    if name_or_path not in rule_names():
        hint = nearest(name_or_path, rule_names())
        raise CatalogError(f"no rules named '{path.name}'.{hint} Known: {_listed()}; or give a .yaml file.")
    return read_rules((_folder() / f"{name_or_path}.yaml").read_text(encoding="utf-8"))


def write_catalog_cohort(
    catalog: Path,
    rules: CohortRules,
    out: Path,
    *,
    outcomes: Path | None = None,
    join: str = "",
    key: str = "",
    archive: Path | None = None,
) -> tuple[Cohort, list[Path]]:
    """Selects the cohort, writes the cases table and its lists, and draws the flow.

    Args:
        join, key: what a row of the spreadsheet is about and its column, in the place of what the rules say.
        archive: folder that the catalog's paths start from, when it has moved.
    Returns: the cohort, and the files with the cases table last.
    Raises: CatalogError, TableError or ProblemsError saying what to do. When no case is left, the lists and the drawing
        are written all the same, since they say why, and the error names the step.
    """
    if join or key:
        rules = _joined(rules, join, key)
    sheet = read_outcomes(outcomes) if outcomes is not None else None
    with open_catalog(catalog) as connection:
        cohort = select_cohort(connection, rules, outcomes=sheet)
    written = write_cohort(cohort, out, archive=archive)
    drawn = draw_flow(cohort.flow, out)
    if not len(cohort.cases):
        old = f" {out.name} is of an earlier run." if out.exists() else ""
        raise CatalogError(
            f"no case is left: {cohort.flow.emptied()}. {written[0].name} and {drawn[0].name} show all steps.{old}"
            + "".join(f" Note: {note}" for note in cohort.notes)
        )
    return cohort, [*drawn, *written]


def draw_flow(flow: Flow, out: Path) -> list[Path]:
    """The diagram beside the cases table, `cases-flow.svg` and `cases-flow.png`."""
    drawing = flow_figure(flow, name=f"{out.stem}-flow")
    written = []
    for ending, content in (("svg", drawing.svg), ("png", drawing.png)):
        path = out.with_name(f"{drawing.name}.{ending}")
        with atomic_file(path) as temporary:
            temporary.write_bytes(content)
        written.append(path)
    return written


def _joined(rules: CohortRules, join: str, key: str) -> CohortRules:
    if join and join not in KEYS:
        raise CatalogError(f"--join is one of {', '.join(KEYS)}; got '{join}'.")
    known: dict[str, Any] = rules.outcomes.model_dump() if rules.outcomes else {}
    if join and join != known.get("join"):
        known |= {"join": join, "key": ""}  # the key of the rules belongs to what they join by
    return rules.model_copy(update={"outcomes": Outcomes(**(known | ({"key": key} if key else {})))})


def _folder() -> Any:
    return resources.files("hounsfield.studies") / "cohorts"


def _listed() -> str:
    return ", ".join(rule_names())
