"""After how long a load repeats itself, where no calendar tells it, and what it did the last time.

The period is the first high peak of the autocorrelation of the last day's minutes (Box, Jenkins 1970, ch. 2), of which
three repetitions must have been seen, or two that are all but equal: a job that a timer starts every seven minutes, a
test that runs every two hours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from foretide.scaling.arrays import Bools, Floats, Ints
from foretide.scaling.forecast.history import (
    DAY_MINUTES,
    MINUTE_SECONDS,
    SLOT_SECONDS,
    SLOTS,
    History,
    Singles,
    mean,
)

REPETITIONS: Final = 3
# A window is a minute wider on either side than it is asked for, so that a shorter period is all one window.
SHORTEST_MINUTES: Final = 4
LONGEST_MINUTES: Final = DAY_MINUTES // REPETITIONS
# Of the autocorrelation at the period; noise of a quarter of what the load moves leaves 0.94 of it.
ALIKE: Final = 0.7
# Of two repetitions alone, of so many minutes at least: of fewer a walk at random is like itself by chance.
ALIKE_TWICE: Final = 0.9
FEWEST_MINUTES: Final = 8
# And how far above its lowest before: a load that only drifts is like itself at every lag.
RISE: Final = 0.3
# The first lag that is about as good as the best one: twice a period is a period, too.
ABOUT: Final = 0.93
# Of the minutes of a repetition.
KNOWN: Final = 0.9
# Longer than the whole day and the lags behind it, so that nothing wraps around.
POINTS: Final = 2_048
# The level then is a mean over so long. By quarter minutes as the level of now (`features.level`), to which the growth
# is applied: with two minutes then and one now, of a day that is played in four minutes each rise was foreseen half as
# high again. By minutes as at the lags of `features`.
LEVEL_SECONDS: Final = 60.0
COARSE_LEVEL_SECONDS: Final = 120.0

Spectrum: TypeAlias = npt.NDArray[np.complexfloating]


def period_minutes(day: Singles, floor: Floats, began_before: Bools) -> Floats:
    """[services], of the minutes of a day, [services, DAY_MINUTES]; NaN where it does not repeat itself. `floor`: the
    demand that does not matter; `began_before`: whether there was more before that day."""
    # Square roots make the noise of counts the same at every level.
    roots = np.sqrt(np.where(_begun(day, floor, began_before), day, np.nan))
    known = np.isfinite(roots)
    moved = np.where(known, roots - mean(roots)[:, None], 0.0).astype(np.float32)
    there, away, power = (_spectrum(each) for each in (known, moved, np.square(moved)))
    pairs, before, after = _products(there, there), _products(power, there), _products(there, power)
    both = np.sqrt(np.maximum(before * after, 0.0))
    # A load that does not move is like itself at no lag.
    sound = both > 1e-4 * np.maximum(pairs, 0.5)
    alike = np.where(sound, _products(away, away) / np.where(sound, both, 1.0), -1.0)
    return _first_peak(alike, _repeated(pairs, alike))


def _begun(day: Singles, floor: Floats, began_before: Bools) -> Bools:
    """All minutes, or of a load that began on that day those after the first with a demand that matters, which is
    seldom a whole one. Nobody asks for a service before it is announced, and half a minute of that made two equal days
    of ten minutes 0.86 alike, not 0.98: the night that followed had 2.7 times the replicas that it needed, not 1.8."""
    matters = day[:, :-1] >= floor[:, None]
    begun: Bools = np.logical_or.accumulate(np.column_stack([began_before, matters]), axis=1)
    return begun


def _spectrum(values: npt.NDArray[np.generic]) -> Spectrum:
    return np.fft.rfft(values.astype(np.float32), POINTS)


def _products(first: Spectrum, second: Spectrum) -> Floats:
    """[services, lags]: sum of first[t] x second[t + lag], for lags up to one beyond the longest."""
    found: Floats = np.fft.irfft(np.conj(first) * second, POINTS)[:, : LONGEST_MINUTES + 2]
    return found


def _repeated(pairs: Floats, alike: Floats) -> Bools:
    """Whether so many minutes are known with the one a lag later that the lag was seen three times, or twice where that
    is enough, less the very first one; a tenth of them may be gaps."""
    lag = np.arange(pairs.shape[1])
    twice = (pairs >= KNOWN * lag - 1.0) & (pairs >= FEWEST_MINUTES) & (alike >= ALIKE_TWICE)
    found: Bools = twice | (pairs >= KNOWN * (REPETITIONS - 1) * lag)
    return found


def _first_peak(alike: Floats, repeated: Bools) -> Floats:
    lag = np.arange(alike.shape[1])
    rises = alike - np.minimum.accumulate(alike, axis=1) >= RISE
    peak = np.zeros_like(rises)
    peak[:, 1:-1] = (alike[:, 1:-1] >= alike[:, :-2]) & (alike[:, 1:-1] >= alike[:, 2:])
    fit = rises & peak & repeated & (alike >= ALIKE) & (lag >= SHORTEST_MINUTES) & (lag <= LONGEST_MINUTES)
    best = np.where(fit, alike, -np.inf).max(axis=1, keepdims=True)
    first = (fit & (alike >= ABOUT * best)).argmax(axis=1)
    return np.where(fit.any(axis=1), first.astype(np.float64), np.nan)


def growth(
    history: History, period_minutes: Floats, *, start_seconds: Floats, width_seconds: Floats, floor: Floats
) -> Floats:
    """[services]: log of the largest demand in the same window one period ago over the level then; of as many periods
    ago as it takes for the window to be over. NaN where there is no period or nothing is known of then.

    By quarter minutes where those reach back so far, else by minutes: of a day that is played in four minutes a window
    that is a minute wider on either side is half a day wider.
    """
    found = np.full(len(history), np.nan)
    periodic = np.flatnonzero(period_minutes >= SHORTEST_MINUTES)
    if not len(periodic):
        return found
    rows = (periodic, period_minutes[periodic] * MINUTE_SECONDS, start_seconds[periodic], width_seconds[periodic])
    peak, level = _then(_quarters(history), SLOT_SECONDS, LEVEL_SECONDS, *rows)
    coarse_peak, coarse_level = _then(_minutes(history), MINUTE_SECONDS, COARSE_LEVEL_SECONDS, *rows)
    fine = np.isfinite(peak) & np.isfinite(level)
    some = floor[periodic]
    peak, level = np.where(fine, peak, coarse_peak), np.where(fine, level, coarse_level)
    found[periodic] = np.log(peak + some) - np.log(level + some)
    return found


# Demand of rows of services (first argument) so many steps after the newest one; NaN where it is not known.
At: TypeAlias = Callable[[Ints, Floats], Floats]


def _then(
    at: At,
    step_seconds: float,
    level_seconds: float,
    rows: Ints,
    period_seconds: Floats,
    start_seconds: Floats,
    width_seconds: Floats,
) -> tuple[Floats, Floats]:
    """(largest demand in the window, level at its beginning), the last time that both are over."""
    first = np.floor(start_seconds / step_seconds)
    last = np.ceil((start_seconds + width_seconds) / step_seconds)
    ago = np.rint(period_seconds * np.ceil((last + 2.0) * step_seconds / period_seconds) / step_seconds)
    span = np.arange(int((last - first).max()) + 3)
    wanted = (first - ago - 1.0)[:, None] + span
    values = np.where(wanted <= (last - ago + 1.0)[:, None], at(rows, wanted), np.nan)
    before = at(rows, -ago[:, None] - np.arange(round(level_seconds / step_seconds)))
    # Unknown where some of it is: at the very beginning of a service a rate is of half a window, and the load of the
    # whole one right after it seemed to be a rise fourfold, which a day later was provided for.
    level = np.where(np.isfinite(before).all(axis=1), mean(before), np.nan)
    return np.asarray(np.fmax.reduce(values, axis=1), dtype=np.float64), level


def _quarters(history: History) -> At:
    def at(rows: Ints, steps: Floats) -> Floats:
        column = (SLOTS - 1 + steps).astype(np.int64)
        inside = (column >= 0) & (column < SLOTS)
        values = history.recent[rows[:, None], np.clip(column, 0, SLOTS - 1)]
        return np.where(inside, values, np.nan).astype(np.float64)

    return at


def _minutes(history: History) -> At:
    def at(rows: Ints, steps: Floats) -> Floats:
        day, place = np.divmod(history.minute + steps.astype(np.int64), DAY_MINUTES)
        back = history.day - day
        found = np.full(steps.shape, np.nan)
        for age in np.unique(back):
            if 0 <= age < len(history.minutes):
                here = back == age
                row = np.broadcast_to(rows[:, None], steps.shape)[here]
                found[here] = np.square(history.minutes[-1 - age][row, place[here]].astype(np.float64))
        return found

    return at
