"""Lines as SVG, drawn by hand: a report must open anywhere, without a network and without a library."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np
import numpy.typing as npt

from foretide.scaling.arrays import Floats

# Told apart by those who see fewer colours, too (Okabe and Ito).
COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#666666", "#000000")
WIDTH: Final = 1_080
HEIGHT: Final = 240
LEFT: Final = 64
RIGHT: Final = 28
TOP: Final = 10
BOTTOM: Final = 26
# More points than pixels show nothing.
MOST_POINTS: Final = 1_000
DAY_SECONDS: Final = 86_400.0
HOUR_SECONDS: Final = 3_600.0


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """One line of a chart."""

    label: str
    colour: str
    values: Floats


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis."""

    place: float
    label: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """A line as a path."""

    label: str
    colour: str
    path: str


@dataclass(frozen=True, slots=True)
class Chart:
    """All that the template needs."""

    title: str
    lines: tuple[Drawn, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


def thinned(values: npt.NDArray[np.int32] | Floats, *, largest: bool) -> Floats:
    """At most MOST_POINTS values, each the largest, or the sum, of those that it stands for."""
    together = max(math.ceil(len(values) / MOST_POINTS), 1)
    padded = np.concatenate([np.asarray(values, dtype=np.float64), np.zeros(-len(values) % together)])
    groups = padded.reshape(-1, together)
    return np.asarray(groups.max(axis=1) if largest else groups.sum(axis=1))


def chart(title: str, lines: Sequence[Line], *, start_seconds: float, seconds: float) -> Chart:
    """Lines over the same time; the axis of values begins at 0."""
    highest = max([float(line.values.max()) for line in lines if len(line.values)], default=0.0)
    step = _nice(highest / 4.0) if highest > 0.0 else 1.0
    top = step * max(math.ceil(highest / step - 1e-9), 1)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * value / top

    def x(share: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * share

    drawn = tuple(
        Drawn(
            line.label,
            line.colour,
            "M"
            + "L".join(
                f"{x(at / max(len(line.values) - 1, 1)):.1f},{y(value):.1f}" for at, value in enumerate(line.values)
            ),
        )
        for line in lines
    )
    y_ticks = tuple(Tick(y(step * at), f"{step * at:,.6g}") for at in range(round(top / step) + 1))
    return Chart(title, drawn, tuple(_times(start_seconds, seconds, x)), y_ticks)


def _nice(value: float) -> float:
    """1, 2 or 5 times a power of ten, not below."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(nice * power for nice in (1.0, 2.0, 5.0, 10.0) if nice * power >= value * (1.0 - 1e-9))


def _times(start_seconds: float, seconds: float, x: Callable[[float], float]) -> Sequence[Tick]:
    days = seconds / DAY_SECONDS
    step = DAY_SECONDS * math.ceil(days / 14.0) if days > 2.0 else HOUR_SECONDS * max(math.ceil(24.0 * days / 12.0), 1)
    form = "%b %d" if days > 2.0 else "%H:%M"
    first = math.ceil(start_seconds / step) * step
    found = []
    while first <= start_seconds + seconds:
        label = datetime.fromtimestamp(first, UTC).strftime(form)
        found.append(Tick(x((first - start_seconds) / seconds), label))
        first += step
    return found
