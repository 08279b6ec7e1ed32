"""Lines as SVG, drawn by hand: a report must open anywhere, without a network and without a library."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from foretide.scaling.arrays import Floats

# Told apart by those who see fewer colours, too (Okabe and Ito); on a dark page the same hues, lighter.
COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#666666", "#000000")
DARK_COLOURS: Final = ("#4fa8e0", "#f2813a", "#2fc296", "#dd9fc2", "#f0b840", "#9ad4f5", "#a0a0a0", "#ffffff")
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
    """One line of a chart; NaN is a gap in it."""

    label: str
    colour: str  # as CSS has it
    values: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """What is between two lines; a gap where either has one."""

    label: str
    colour: str
    low: Floats
    high: Floats


@dataclass(frozen=True, slots=True)
class Span:
    """The time that is shown."""

    start_seconds: float  # Unix time
    seconds: float


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis."""

    place: float
    label: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """A line, or the outline of a band, as a path."""

    label: str
    colour: str
    path: str


@dataclass(frozen=True, slots=True)
class Chart:
    """All that the template needs."""

    title: str
    lines: tuple[Drawn, ...]
    band: Drawn | None
    note: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


def thinned(values: npt.NDArray[np.int32 | np.floating[Any]], *, largest: bool) -> Floats:
    """At most MOST_POINTS values, each the largest, or the sum, of those that it stands for. NaN is
    never the largest, and a gap where all are."""
    together = max(math.ceil(len(values) / MOST_POINTS), 1)
    nothing = np.full(-len(values) % together, np.nan if largest else 0.0)
    groups = np.concatenate([np.asarray(values, dtype=np.float64), nothing]).reshape(-1, together)
    return np.asarray(np.fmax.reduce(groups, axis=1) if largest else groups.sum(axis=1))


def chart(title: str, lines: Sequence[Line], span: Span, *, band: Band | None = None, note: str = "") -> Chart:
    """Lines over the same time, the first in front of all and a band behind them; the axis of values begins at 0."""
    drawn = [line.values for line in lines] + ([] if band is None else [band.low, band.high])
    highest = max([float(np.fmax.reduce(values, initial=0.0)) for values in drawn], default=0.0)
    step = _nice(highest / 4.0) if highest > 0.0 else 1.0
    top = step * max(math.ceil(highest / step - 1e-9), 1)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * value / top

    def x(share: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * share

    def points(values: Floats, places: Sequence[int]) -> list[str]:
        return [f"{x(at / max(len(values) - 1, 1)):.1f},{y(values[at]):.1f}" for at in places]

    def path(line: Line) -> str:
        # A value alone is a dot: a line to itself.
        each = (points(line.values, run if len(run) > 1 else [run[0], run[0]]) for run in _runs(line.values))
        return "".join("M" + "L".join(run) for run in each)

    def outline(band: Band) -> str:
        each = ((points(band.high, run), points(band.low, run[::-1])) for run in _runs(band.low + band.high))
        return "".join("M" + "L".join([*high, *low]) + "Z" for high, low in each)

    form = ",.0f" if step >= 1.0 else ".6g"
    y_ticks = tuple(Tick(y(step * at), f"{step * at:{form}}") for at in range(round(top / step) + 1))
    return Chart(
        title,
        tuple(Drawn(line.label, line.colour, path(line)) for line in lines),
        None if band is None else Drawn(band.label, band.colour, outline(band)),
        note,
        tuple(_times(span, x)),
        y_ticks,
    )


def _runs(values: Floats) -> Iterator[range]:
    """The places of neighbours, none of which is NaN."""
    known = np.concatenate([[0], np.isfinite(values), [0]])
    for begin, end in np.flatnonzero(np.diff(known)).reshape(-1, 2).tolist():
        yield range(begin, end)


def _nice(value: float) -> float:
    """1, 2 or 5 times a power of ten, not below."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(nice * power for nice in (1.0, 2.0, 5.0, 10.0) if nice * power >= value * (1.0 - 1e-9))


def _times(span: Span, x: Callable[[float], float]) -> Sequence[Tick]:
    start_seconds, seconds = span.start_seconds, span.seconds
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
