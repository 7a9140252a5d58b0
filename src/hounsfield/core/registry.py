"""An explicit list of things found by name: networks, losses, arms, studies. A name taken twice is an error."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from hounsfield.core.errors import StudyError

Thing = TypeVar("Thing")


def nearest(word: str, known: Iterable[str]) -> str:
    """' Did you mean ...?' when a known word is close to `word`, else an empty text."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" Did you mean '{close[0]}'?" if close else ""


class Registry(Generic[Thing]):
    """Things of one kind by name, in the order they were added."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._things: dict[str, Thing] = {}

    def add(self, name: str) -> Callable[[Thing], Thing]:
        """Decorator that enters what it decorates under `name`."""

        def enter(thing: Thing) -> Thing:
            if name in self._things:
                raise StudyError(f"the {self.kind} name '{name}' is taken; choose another.")
            self._things[name] = thing
            return thing

        return enter

    def get(self, name: str) -> Thing:
        """The thing of that name; StudyError proposes the nearest and lists all when there is none."""
        if name not in self._things:
            known = ", ".join(sorted(self._things))
            raise StudyError(f"no {self.kind} named '{name}'.{nearest(name, self._things)} Known: {known}.")
        return self._things[name]

    def names(self) -> tuple[str, ...]:
        return tuple(self._things)
