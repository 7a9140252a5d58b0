"""Reporting checklists, filled as far as the tables go: lists and facts in; one row an item, a section and files out.

TRIPOD+AI, CLAIM 2024 and METRICS. An item that no table can answer is left blank for the authors: a checklist that a
program ticked in full would be worth nothing. Item numbers are the sources'; the wording is this package's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import pandas as pd
import yaml
from pydantic import BaseModel, ConfigDict

from hounsfield.report import checklist_results  # noqa: F401, enters its facts
from hounsfield.report.checklist_facts import FACTS
from hounsfield.report.content import ReportContent
from hounsfield.report.evaluate import Evaluation
from hounsfield.report.extra import Extra
from hounsfield.report.filled import Filled

LISTS = ("tripod_ai", "claim_2024", "metrics")
FULL, PART, BLANK = "from the tables", "in part; authors to complete", "to be filled in by the authors"


class Item(BaseModel):
    """One item of a list.

    Args:
        answer: facts of `checklist_facts` that answer it.
        complete: whether they answer it in full.
        weight: in the list's score, where it has one; condition: when the item applies at all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: str
    section: str
    text: str
    answer: tuple[str, ...] = ()
    complete: bool = False
    weight: float | None = None
    condition: str = ""


class Checklist(BaseModel):
    """A list and where it comes from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    source: str
    items: tuple[Item, ...]


def read_checklist(key: str) -> Checklist:
    """One of `LISTS`, as shipped; a fact that does not exist fails here, not in a user's report."""
    text = files("hounsfield.report").joinpath("checklists", f"{key}.yaml").read_text(encoding="utf-8")
    found = Checklist.model_validate(yaml.safe_load(text))
    unknown = {name for item in found.items for name in item.answer} - set(FACTS)
    assert not unknown, f"{key}: no facts {unknown}"
    return found


def facts_of(content: ReportContent, evaluation: Evaluation, extra: Extra) -> dict[str, str]:
    """Every fact by name, empty where the tables don't know."""
    return {name: one(content, evaluation, extra) for name, one in FACTS.items()}


def filled(facts: Mapping[str, str]) -> tuple[Filled, ...]:
    """Every list with what the facts say."""
    return tuple(_filled(key, read_checklist(key), facts) for key in LISTS)


def _filled(key: str, checklist: Checklist, facts: Mapping[str, str]) -> Filled:
    rows: list[dict[str, Any]] = []
    for item in checklist.items:
        said = [facts[name] for name in item.answer if facts[name]]
        # In full only when every fact that the item asks for is known.
        whole = item.complete and len(said) == len(item.answer)
        row: dict[str, Any] = {
            "number": item.number,
            "section": item.section,
            "item": item.text,
            "answer": " ".join(said),
            "state": FULL if whole else PART if said else BLANK,
            "authors": "",
        }
        if any(one.weight is not None for one in checklist.items):
            row |= {"weight": item.weight, "applies if": item.condition}
        rows.append(row)
    return Filled(key, checklist.name, checklist.source, pd.DataFrame(rows))


def checklist_section(lists: tuple[Filled, ...]) -> list[dict[str, Any]]:
    """What `checklists.html.j2` needs."""
    return [
        {
            "name": one.name,
            "source": one.source,
            "words": (
                f"{one.counted(FULL)} of {len(one.rows)} items answered from the tables, {one.counted(PART)} in part, "
                f"{one.counted(BLANK)} left to the authors"
            ),
            "rows": [
                {
                    "number": row["number"],
                    "section": row["section"],
                    "item": row["item"] + (f" [if: {row['applies if']}]" if row.get("applies if") else ""),
                    "answer": row["answer"],
                    "state": row["state"],
                    "css": {FULL: "full", PART: "part", BLANK: "blank"}[row["state"]],
                }
                for row in one.rows.to_dict("records")
            ],
        }
        for one in lists
    ]
