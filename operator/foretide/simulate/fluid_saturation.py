"""What a replica does in a step through which its queue lasts: full batches, one after the other.

That follows from the law, whatever comes, and has to be exact: an error of 0.4 % is one of a tenth in a queue that
grows by 5 %, and a policy that divides what is answered by what a replica can serve asks for the next whole number.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from foretide.scaling.arrays import Bools, Floats
from foretide.simulate.fluid_grid import Grid
from foretide.simulate.scenario import Law, Noise, Queue

# A queue that refuses is never longer than its timeout. So many times what a replica can serve must be there or come,
# and so many largest batches within the timeout, for it to last through the step; and for all batches to be full.
EVEN_TOTAL, EVEN_BATCHES = 1.75, 1.0
FULL_TOTAL, FULL_BATCHES = 2.0, 1.4


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Saturated:
    """At the nodes of a grid, [rows, columns]."""

    even: Bools  # the queue lasts
    full: Bools  # and all batches are full
    completed: Floats  # requests answered in a step where batches are full, elsewhere at most (inf: that is not told)
    executions: Floats
    variance: Floats  # of these requests, that lasts: what the phase of a batch adds to one step the next takes back


def saturated(grid: Grid, law: Law, queue: Queue, step_seconds: float) -> Saturated:
    """Of a renewal process (Cox 1962, section 4.4): its intervals are a batch and, after a missed wake-up, the time to
    the next arrival, which in saturation comes before the end of another instance's batch."""
    most = law.saturation_rps * step_seconds
    batch = law.max_batch * law.instances / law.saturation_rps
    noise_cv = 1.0 if law.noise is Noise.EXPONENTIAL else law.noise_cv
    missed = queue.missed_wake_ups if queue.limited else 0.0
    gap = step_seconds / np.maximum(grid.total - grid.there[:, None], 1.0)
    interval = batch + missed * gap
    variance = (noise_cv * batch) ** 2 + missed * (2.0 - missed) * gap**2
    executions = law.instances * step_seconds / interval
    completed = law.max_batch * executions
    if math.isfinite(queue.timeout_seconds):
        batches = queue.timeout_seconds / gap / law.max_batch
        fits = queue.max_size >= law.max_batch
        even = (grid.total >= EVEN_TOTAL * most) & (batches >= EVEN_BATCHES) & fits
        full = (grid.total >= FULL_TOTAL * most) & (batches >= FULL_BATCHES) & fits
        completed = np.where(full, completed, np.inf)  # a fit that is cut at its nodes is 0.5 % too low between them
    else:
        even = full = np.broadcast_to(grid.there[:, None] >= most, interval.shape)
    return Saturated(
        even=even,
        full=full,
        completed=completed,
        executions=executions,
        variance=law.max_batch**2 * executions * variance / interval**2,
    )
