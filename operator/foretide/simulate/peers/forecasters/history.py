"""What a forecasting peer remembers of demand: one value per step, the newest last."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from foretide.scaling.arrays import Bools, Floats, Ints
from foretide.scaling.policy import Past
from foretide.scaling.readings import Readings


class Fold(Enum):
    """What the readings within one step become."""

    LAST = "last"  # each reading covers the whole step, e.g. a rate over its length
    MEAN = "mean"
    MAXIMUM = "maximum"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DemandHistory:
    """Demand of each step, shape [services, steps]. An unknown step repeats the last known value before it, and
    `known` is false there; before the first known one the value is 0.

    Steps follow the end of the past; `aligned` ones begin at multiples of their length since the epoch, so that steps
    of an hour are hours of the clock.
    """

    value: Floats
    known: Bools
    lengths: Ints  # steps since the first known one, per service
    step_seconds: float
    end_seconds: float  # Unix time at which the newest step ended
    most_steps: int
    open_value: Floats  # of the step that runs: its readings so far, folded; one row per service
    open_count: Ints

    @classmethod
    def of(cls, past: Past, *, step_seconds: float, most_steps: int, aligned: bool = False) -> DemandHistory:
        """The past, cut into steps of that length: each is the mean of what is known of it."""
        end = math.floor(past.end_seconds / step_seconds) * step_seconds if aligned else past.end_seconds
        length = past.demand.value.shape[1] * past.step_seconds
        steps = min(most_steps, max(0, math.floor((end - (past.end_seconds - length)) / step_seconds + 1e-9)))
        edges = end - step_seconds * np.arange(steps, -1, -1)
        value, known = _resampled(past, edges)
        zeros = np.zeros(past.services, dtype=np.int64)
        return cls(
            value=_filled(value, known),
            known=known,
            lengths=np.where(known.any(axis=1), steps - np.argmax(known, axis=1), 0) if steps else zeros,
            step_seconds=step_seconds,
            end_seconds=end,
            most_steps=most_steps,
            open_value=np.zeros(past.services),
            open_count=zeros,
        )

    def __len__(self) -> int:
        return len(self.value)

    @property
    def steps(self) -> int:
        return int(self.value.shape[1])

    @property
    def end_step(self) -> int:
        """Number of the step that comes next, counted since the epoch: what a time of day is reckoned by."""
        return round(self.end_seconds / self.step_seconds)

    def newest(self, steps: int) -> Floats:
        """The last values, oldest first; where fewer are known, the last one stands for them (0 if there is none)."""
        if self.steps == 0:
            return np.zeros((len(self), steps))
        age = np.minimum(np.arange(steps - 1, -1, -1), self.steps - 1)
        return np.where(age < self.lengths[:, None], self.value[:, self.steps - 1 - age], self.value[:, -1:])

    def ended(self, now_seconds: float) -> int:
        """How many steps ended since the newest one."""
        # A tick that comes a millisecond early belongs to the step that it was meant to end.
        return max(0, math.floor((now_seconds - self.end_seconds) / self.step_seconds + 1e-4))

    def told(self, reading: Readings, *, now_seconds: float, fold: Fold = Fold.LAST) -> DemandHistory:
        """The history with one more reading in it; steps that passed without any are unknown."""
        value, count = self._folded(reading, fold)
        ended = self.ended(now_seconds)
        if ended == 0:
            return replace(self, open_value=value, open_count=count)
        missed = min(ended - 1, self.most_steps)
        known = count > 0
        last = self.value[:, -1] if self.steps else np.zeros(len(self))
        # The newest of several steps that passed at once gets what was read.
        silent = np.repeat(last[:, None], missed, axis=1)
        newest = np.where(known, value, last)
        all_known = np.zeros((len(self), missed + 1), dtype=np.bool_)
        all_known[:, -1] = known
        lengths = np.where(self.lengths > 0, self.lengths + missed + 1, known)
        return replace(
            self,
            lengths=np.minimum(lengths, self.most_steps),
            value=np.concatenate([self.value, silent, newest[:, None]], axis=1)[:, -self.most_steps :],
            known=np.concatenate([self.known, all_known], axis=1)[:, -self.most_steps :],
            end_seconds=self.end_seconds + ended * self.step_seconds,
            open_value=np.zeros(len(self)),
            open_count=np.zeros(len(self), dtype=np.int64),
        )

    def _folded(self, reading: Readings, fold: Fold) -> tuple[Floats, Ints]:
        count = self.open_count + reading.known
        fresh = reading.known & (self.open_count == 0)
        if fold is Fold.MEAN:
            value = self.open_value + (reading.value - self.open_value) / np.maximum(count, 1)
        elif fold is Fold.MAXIMUM:
            value = np.where(fresh, reading.value, np.maximum(self.open_value, reading.value))
        else:
            value = reading.value
        return np.where(reading.known, value, self.open_value), count


def _resampled(past: Past, edges: Floats) -> tuple[Floats, Bools]:
    """The mean between neighbouring edges, over the time that is known."""
    services, count = past.demand.value.shape
    steps = len(edges) - 1
    if steps == 0 or count == 0:
        return np.zeros((services, 0)), np.zeros((services, 0), dtype=np.bool_)
    if edges[1] - edges[0] == past.step_seconds and edges[-1] == past.end_seconds:
        return past.demand.value[:, -steps:], past.demand.known[:, -steps:]
    times = past.end_seconds - past.step_seconds * np.arange(count, -1, -1)
    value, known = np.zeros((services, steps)), np.zeros((services, steps), dtype=np.bool_)
    for row in range(services):
        seconds = np.concatenate([[0.0], np.cumsum(past.demand.known[row] * past.step_seconds)])
        amount = np.concatenate([[0.0], np.cumsum(past.demand.value[row] * past.step_seconds)])
        covered = np.diff(np.interp(edges, times, seconds))
        known[row] = covered > 1e-6 * past.step_seconds
        asked = np.diff(np.interp(edges, times, amount))
        value[row] = np.where(known[row], asked / np.where(known[row], covered, 1.0), 0.0)
    return value, known


def _filled(value: Floats, known: Bools) -> Floats:
    """Each unknown value replaced by the last known one before it."""
    if value.shape[1] == 0:
        return value
    newest = np.maximum.accumulate(np.where(known, np.arange(value.shape[1]), -1), axis=1)
    found = np.take_along_axis(value, np.maximum(newest, 0), axis=1)
    return np.where(newest >= 0, found, 0.0)
