"""The largest rate that keeps an objective: roughly by a search, then exactly by rounds that several take in turn."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

# Rates are steps of 6 % from 1/s on, the same for all: at the same one two servers get the same arrivals.
STEP: Final = 1.06
MOST_STRIDES: Final = 24


def rate_of(level: int) -> float:
    """The rate of a level, in requests a second."""
    return STEP**level


def level_of(rate_rps: float) -> int:
    """The level nearest to a rate above 0."""
    return round(math.log(rate_rps) / math.log(STEP))


def roughly(keeps: Callable[[int], bool], *, first: int, floor: int, stride: int, close: int) -> int | None:
    """The highest level found that keeps the objective, `close` levels at most below one that does not.

    Goes up or down by strides from the first level, then halves the gap. None where the floor does not keep it: below
    that nobody asks. A level that fails is asked once more: a machine stalls now and then, and no stall makes a rate
    look kept that is not.
    """

    def kept(level: int) -> bool:
        return any(keeps(level) for _ in range(2))

    low, high, level = None, None, max(first, floor)
    for _ in range(MOST_STRIDES):
        if kept(level):
            low, level = level, level + stride
        elif level > floor:
            high, level = level, max(floor, level - stride)
        else:
            return None
        if low is not None and high is not None:
            break
    while low is not None and high is not None and high - low > close:
        middle = (low + high) // 2
        if kept(middle):
            low = middle
        else:
            high = middle
    return low


@dataclass(slots=True)
class Staircase:
    """One level up after each that kept the objective, one down after each that did not (Dixon and Mood, 1948).

    So it goes to and fro around the rate that keeps the objective in every second window, and a stall of the machine
    costs one step, not the search. Until it first turns the steps are two, to make up for a poor beginning.
    """

    level: int
    asked: list[tuple[int, bool]] = field(default_factory=list)

    def told(self, kept: bool) -> None:
        """What came of the level that was asked."""
        self.asked.append((self.level, kept))
        self.level += (1 if kept else -1) * (1 if self._first_turn is not None else 2)

    @property
    def _first_turn(self) -> int | None:
        return next((place for place, (_, kept) in enumerate(self.asked) if kept != self.asked[0][1]), None)

    @property
    def levels(self) -> list[int]:
        """Those since the first turn, and the one that would be next; only the next one where it never turned."""
        turn = self._first_turn
        return [*(level for level, _ in self.asked[turn:]), self.level] if turn is not None else [self.level]

    @property
    def rate_rps(self) -> float:
        """The geometric mean of the rates since the first turn."""
        levels = self.levels
        return float(STEP ** (sum(levels) / len(levels)))

    @property
    def between_rps(self) -> tuple[float, float]:
        """The lowest and the highest of them: how unsteady the machine, or the server, was."""
        return rate_of(min(self.levels)), rate_of(max(self.levels))
