"""How far it is: said on stderr, and only where somebody would begin to wonder."""

from __future__ import annotations

import io
from itertools import pairwise

import pytest

from foretide.simulate.command.progress import Progress, spoken


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def told(stream: io.StringIO, *moments: tuple[float, float]) -> str:
    """At each (second, share)."""
    now = 0.0
    progress = Progress("hpa on 4 lanes", stream=stream, clock=lambda: now)
    for seconds, share in moments:
        now = seconds
        progress.at(share)
    progress.end()
    return stream.getvalue()


def test_nothing_is_said_in_the_first_five_seconds() -> None:
    assert told(io.StringIO(), (1.0, 0.1), (4.9, 0.9)) == ""
    assert told(Terminal(), (1.0, 0.1), (4.9, 0.9)) == ""


def test_after_that_a_line_each_ten_seconds_with_the_time_that_is_left() -> None:
    text = told(io.StringIO(), *((float(second), second / 100.0) for second in range(1, 30)))
    assert text.splitlines() == [
        "hpa on 4 lanes: 5 %, 1 min 35 s left",
        "hpa on 4 lanes: 15 %, 1 min 25 s left",
        "hpa on 4 lanes: 25 %, 1 min 15 s left",
    ]


def test_in_a_terminal_it_is_one_line_that_goes_away() -> None:
    text = told(Terminal(), (6.0, 0.5), (6.1, 0.6), (7.0, 0.7))
    assert text.count("\n") == 0
    assert text.count("left") == 2
    assert text.endswith("\r\033[K")


def test_without_any_progress_nothing_is_promised() -> None:
    assert told(io.StringIO(), (6.0, 0.0)) == "hpa on 4 lanes: 0 %\n"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0, "0 s"), (59.4, "59 s"), (80.0, "1 min 20 s"), (7_500.0, "2 h 5 min")]
)
def test_times_are_spoken(seconds: float, text: str) -> None:
    assert spoken(seconds) == text


def test_a_longer_time_is_never_spoken_as_nothing() -> None:
    texts = [spoken(seconds) for seconds in (30.0, 60.0, 3_600.0, 7_200.0)]
    assert all(one != other for one, other in pairwise(texts))
