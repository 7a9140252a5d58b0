"""Progress bars on standard error, where results never go; plain lines where no terminal is there to draw on."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TextIO


class Bars:
    """A `Progress` for people: a rich bar on a terminal, a line now and then in a log file.

    Args:
        stream: where to; standard error by default.
        clock: seconds; an argument so that a test can set it.
        every_s: in a log, the least time between two lines of one task.
    """

    def __init__(
        self, stream: TextIO | None = None, *, clock: Callable[[], float] = time.monotonic, every_s: float = 15.0
    ) -> None:
        self.stream = stream or sys.stderr
        self.clock = clock
        self.every_s = every_s

    def __call__(self, items: Iterable[Any], total: int, label: str) -> Iterator[Any]:
        return self._bar(items, total, label) if self.stream.isatty() else self._lines(items, total, label)

    def say(self, text: str) -> None:
        """One line of news between bars."""
        self.stream.write(text + "\n")
        self.stream.flush()

    def _bar(self, items: Iterable[Any], total: int, label: str) -> Iterator[Any]:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description:32}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(file=self.stream), transient=False) as bar:
            task = bar.add_task(label, total=total)
            for item in items:
                yield item
                bar.advance(task)
            # A stage that stops early (no gain any more) has done all it had to do.
            bar.update(task, completed=total)

    def _lines(self, items: Iterable[Any], total: int, label: str) -> Iterator[Any]:
        start = last = self.clock()
        done = 0
        for item in items:
            yield item
            done += 1
            now = self.clock()
            if now - last >= self.every_s:
                left = (now - start) / done * (total - done)
                self.say(f"{label}: {done} of {total}, about {left / 60:.1f} min left")
                last = now
        self.say(f"{label}: done, {done} in {self.clock() - start:.0f} s")
