"""A points guideline as data: a YAML file in, a frozen and checked `PointTable` out, and back.

Categories hold options with points; the sum gives a level, the level and the size the management. ACR and AI TI-RADS
ship; any other guideline of this form is a file that a user writes, or that `guideline optimise` makes.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hounsfield.core.atomic import atomic_file
from hounsfield.core.errors import Problem, ProblemsError, TableError
from hounsfield.core.registry import nearest
from hounsfield.core.types import BoolArray, IntArray

SHIPPED = Path(__file__).parent / "tables"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Option(_Part):
    """One finding of a category and its points; `data` is False where a table was made without any case of it."""

    key: str
    title: str
    points: int = Field(ge=0)
    data: bool = True


class Category(_Part):
    """Options of which a reader chooses one, or any number; `none` is the option that stands for no choice."""

    key: str
    title: str
    choose: Literal["one", "any"] = "one"
    none: str = ""
    options: tuple[Option, ...] = Field(min_length=2)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        keys = [option.key for option in self.options]
        if len(set(keys)) < len(keys):
            raise ValueError(f"options of {self.key} have different keys; got {', '.join(keys)}.")
        if self.choose == "any" and self.none not in keys:
            raise ValueError(f"{self.key} lets any number be chosen, so `none` names the option of no finding.")
        return self


class Level(_Part):
    """A risk level from `points` upwards; sizes in cm, inclusive, None where there is no such recommendation."""

    name: str
    title: str
    points: int = Field(ge=0)
    fna_cm: float | None = Field(default=None, gt=0)
    follow_up_cm: float | None = Field(default=None, gt=0)
    follow_up_years: tuple[int, ...] = ()

    @model_validator(mode="after")
    def _follow_up_below_fna(self) -> Self:
        if self.fna_cm is not None and self.follow_up_cm is not None and self.follow_up_cm > self.fna_cm:
            raise ValueError(f"{self.name}: follow-up starts at a size below FNA; {self.follow_up_cm} > {self.fna_cm}.")
        return self


class PointTable(_Part):
    """A points guideline.

    Attributes:
        overrides: "category/option" that set the total to 0 whatever else is seen.
        levels: in rising order of points, the first from 0.
    """

    name: str
    source: str = ""
    categories: tuple[Category, ...] = Field(min_length=1)
    overrides: tuple[str, ...] = ()
    levels: tuple[Level, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        keys = [category.key for category in self.categories]
        if len(set(keys)) < len(keys):
            raise ValueError(f"categories have different keys; got {', '.join(keys)}.")
        unknown = sorted(set(self.overrides) - set(self.option_names))
        if unknown:
            raise ValueError(f"overrides are written category/option; got {', '.join(unknown)}.")
        starts = [level.points for level in self.levels]
        if starts[0] != 0 or any(b <= a for a, b in pairwise(starts)):
            raise ValueError(f"levels rise from 0 points; got {starts}.")
        return self

    @property
    def option_names(self) -> tuple[str, ...]:
        """Every option as "category/option", in the table's order: the columns of an indicator matrix."""
        return tuple(f"{category.key}/{option.key}" for category in self.categories for option in category.options)

    @property
    def points(self) -> IntArray:
        """(O,) points of every option, in the order of `option_names`."""
        return np.array([option.points for category in self.categories for option in category.options])

    @property
    def is_override(self) -> BoolArray:
        """(O,) whether an option sets the total to 0."""
        return np.array([name in self.overrides for name in self.option_names])

    def category(self, key: str) -> Category:
        """The category of that key; TableError proposes the nearest."""
        for category in self.categories:
            if category.key == key:
                return category
        keys = [category.key for category in self.categories]
        raise TableError(f"{self.name} has no category '{key}'.{nearest(key, keys)} It has {', '.join(keys)}.")

    def with_points(self, points: Mapping[str, int], *, name: str, source: str = "") -> PointTable:
        """The same table with other points for the options named "category/option".

        Raises: TableError for an option that it lacks.
        """
        unknown = sorted(set(points) - set(self.option_names))
        if unknown:
            raise TableError(f"{self.name} has no option {', '.join(unknown)}.")
        categories = []
        for category in self.categories:
            options = [
                option.model_copy(update={"points": int(points.get(f"{category.key}/{option.key}", option.points))})
                for option in category.options
            ]
            categories.append(category.model_copy(update={"options": tuple(options)}))
        return PointTable(
            name=name, source=source, categories=tuple(categories), overrides=self.overrides, levels=self.levels
        )


def shipped() -> dict[str, Path]:
    """The tables that ship with the package, by name."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.yaml"))}


def read_point_table(name_or_path: str | Path) -> PointTable:
    """Reads a table by the name of one that ships ("acr", "ai") or from a YAML file.

    Raises: TableError when there is neither or it is no YAML; ProblemsError listing everything that is wrong in it.
    """
    path = Path(name_or_path)
    known = shipped()
    if not path.is_file():
        if str(name_or_path) not in known:
            hint = nearest(str(name_or_path), list(known))
            raise TableError(f"no point table '{path.name}': neither a file nor one of {', '.join(known)}.{hint}")
        path = known[str(name_or_path)]
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
        return PointTable.model_validate(content)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise TableError(f"{path.name} is no readable YAML ({str(error).splitlines()[0]}).") from error
    except ValidationError as error:
        problems = [Problem(" / ".join(map(str, one["loc"])) or "table", one["msg"]) for one in error.errors()]
        raise ProblemsError(f"{path.name} is no point table:", problems) from None


def write_point_table(table: PointTable, path: Path) -> None:
    """Writes a table that `read_point_table` reads back as it was; whole or not at all."""
    content = table.model_dump(mode="json", exclude_defaults=True)
    with atomic_file(path) as part:
        part.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110), encoding="utf-8")
