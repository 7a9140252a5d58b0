"""Bars and lines: everything is passed through, and a log gets a line now and then."""

from __future__ import annotations

import io

from hounsfield.cli.progress import Bars


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_log_gets_a_line_every_so_often_and_one_at_the_end():
    seconds = iter(range(0, 1000, 10))  # the clock is read at the start, after each item and at the end
    stream = io.StringIO()
    bars = Bars(stream, clock=lambda: float(next(seconds)), every_s=25)
    assert list(bars(iter("abcdef"), 6, "reading")) == list("abcdef")
    # Items end at 10, 20, ... 60 s: lines at 30 and 60 s; ten seconds an item, three left at the first.
    assert stream.getvalue().splitlines() == [
        "reading: 3 of 6, about 0.5 min left",
        "reading: 6 of 6, about 0.0 min left",
        "reading: done, 6 in 70 s",
    ]


def test_a_terminal_gets_a_bar():
    stream = Terminal()
    assert list(Bars(stream)(range(3), 3, "training")) == [0, 1, 2]
    assert "training" in stream.getvalue()
    assert "3/3" in stream.getvalue()


def test_a_stage_that_ends_early_counts_as_done():
    stream = Terminal()
    list(Bars(stream)(range(2), 5, "training"))
    assert "5/5" in stream.getvalue()


def test_nothing_to_do():
    stream = io.StringIO()
    assert list(Bars(stream)([], 0, "reading")) == []
    assert stream.getvalue().startswith("reading: done, 0 in")
