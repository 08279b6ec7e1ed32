"""The cheapest schedule of one hardware class that serves every step, exactly.

A replica is paid from its creation to the end of its drain and serves only once its cold start is over. So whoever
serves at time s was created at s - cold start or before, and is paid at every moment in between: at time t at least
as many replicas are paid as serve at any moment of [t, t + cold start]. That running maximum of what is needed is a
lower bound for every schedule, and creating replicas exactly when it rises attains it: it is the optimum.

It is the rule of `merge gaps` seen from above: per level k the steps that need k replicas or more, each stretched to
the left by the cold start; stretched intervals that meet are gaps not longer than the cold start, in which idling is
cheaper than to start again. One running maximum does it for all levels at once, in time O(steps).

Where the window begins, replicas that are there cost nothing to have been started. How many there are does not
matter to the cost: a level first needed at time t costs min(t, cold start) before that, be it by a replica that idles
or by one that starts, and replicas that are not needed leave at once. What is paid outside the window is not counted.

A bound for a simulated policy holds with the SHORTEST cold start that the simulation can draw.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from foretide.scaling.arrays import Floats, Ints

# A cold start of 0.3 s is 3 steps of 0.1 s, though 0.3 / 0.1 is less than 3 in floating point.
ROUNDING: Final = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Schedule:
    """Replicas over time, and what they cost."""

    step_seconds: float
    serving: Ints  # replicas that can serve, through each step
    starting: Floats  # replicas that start, mean of each step (a start need not begin with a step)

    @property
    def replica_seconds(self) -> float:
        """What is paid for: serving and starting."""
        return float(self.step_seconds * (self.serving.sum() + self.starting.sum()))

    @property
    def present(self) -> int:
        """Replicas that are there when the window begins."""
        return int(np.ceil(self.serving[0] + self.starting[0] - ROUNDING))


def zero_violation(needed: Ints, *, step_seconds: float, cold_start_seconds: float) -> Schedule:
    """The cheapest schedule with at least `needed` replicas serving in each step."""
    if needed.ndim != 1 or needed.size == 0 or needed.min() < 0:
        raise ValueError("needed must be one row of at least one step, with no number below 0")
    check_times(step_seconds=step_seconds, cold_start_seconds=cold_start_seconds)
    whole = int(cold_start_seconds / step_seconds + ROUNDING)
    rest = cold_start_seconds / step_seconds - whole
    rest = rest if rest > ROUNDING else 0.0

    paid = maximum_ahead(needed, steps=whole)
    # The start of a replica that is needed from step s on begins within step s - whole - 1, for a share of it.
    longer = maximum_ahead(needed, steps=whole + 1)
    mean_paid = paid + rest * (longer - paid)
    # A replica that is paid throughout the last cold start serves; before the window all are thought to be there.
    serving = -maximum_ahead(-paid[::-1], steps=whole)[::-1]
    return Schedule(step_seconds=step_seconds, serving=serving, starting=mean_paid - serving)


def maximum_ahead(values: Ints, *, steps: int) -> Ints:
    """The largest of each value and the `steps` after it, as far as there are any (van Herk's two scans)."""
    length = len(values)
    width = min(steps, length - 1) + 1
    blocks = -(-(length + width - 1) // width)
    padded = np.full(blocks * width, values.min())
    padded[:length] = values
    table = padded.reshape(blocks, width)
    from_start = np.maximum.accumulate(table, axis=1).reshape(-1)
    to_end = np.maximum.accumulate(table[:, ::-1], axis=1)[:, ::-1].reshape(-1)
    return np.maximum(to_end[:length], from_start[width - 1 : width - 1 + length])


def check_times(*, step_seconds: float, cold_start_seconds: float) -> None:
    """Refuses times that mean nothing."""
    if not (np.isfinite(step_seconds) and step_seconds > 0.0):
        raise ValueError(f"step_seconds is {step_seconds}, must be above 0")
    if not (np.isfinite(cold_start_seconds) and cold_start_seconds >= 0.0):
        raise ValueError(f"cold_start_seconds is {cold_start_seconds}, must be 0 or more")
