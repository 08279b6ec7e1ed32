"""Several hardware classes: the cheapest mix over time that serves the load, as a linear program.

Replicas of class c that serve in step t are at most those of the step before and those whose start ends with it;
each costs its price while it serves and through its cold start (as far as that lies in the window). Together they
serve the load, but for the violations that the budget allows. Whole replicas are left out of it, and a class that
idles may be counted as one that serves: every real schedule is a solution, so that the least cost is a lower bound.
With one class and loads that are whole multiples of its rate it is the exact optimum of `exact`, for the constraints
of one class are a network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from foretide.scaling.arrays import Floats
from foretide.simulate.optimum.exact import check_times

SECONDS_PER_HOUR: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HardwareOption:
    """One class, as the optimum sees it."""

    served_rps: float  # of one replica within the SLO
    price_per_hour: float
    cold_start_seconds: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.served_rps) and self.served_rps > 0.0):
            raise ValueError(f"served_rps is {self.served_rps}, must be above 0")
        if not (np.isfinite(self.price_per_hour) and self.price_per_hour >= 0.0):
            raise ValueError(f"price_per_hour is {self.price_per_hour}, must be 0 or more")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mix:
    """The solution: replicas need not be whole."""

    cost: float  # in the currency of the prices; no real schedule costs less
    serving: Floats  # [classes, steps]
    starting: Floats  # [classes, steps], mean of each step
    violated: Floats  # [steps], requests


def cheapest_mix(
    load_rps: Floats, options: Sequence[HardwareOption], *, step_seconds: float, violations: float = 0.0
) -> Mix:
    """The cheapest mix for this load when at most so many requests may violate."""
    if load_rps.ndim != 1 or load_rps.size == 0 or not bool(np.all(np.isfinite(load_rps) & (load_rps >= 0.0))):
        raise ValueError("load_rps must be one row of finite numbers, 0 or more")
    if not options:
        raise ValueError("options must hold at least one class")
    if not violations >= 0.0:
        raise ValueError(f"violations is {violations}, must be 0 or more")
    for option in options:
        check_times(step_seconds=step_seconds, cold_start_seconds=option.cold_start_seconds)
    steps, classes = len(load_rps), len(options)
    rate = np.array([option.served_rps for option in options])
    price = np.array([option.price_per_hour for option in options]) / SECONDS_PER_HOUR
    cold = np.array([option.cold_start_seconds for option in options])
    since_begin = step_seconds * np.arange(steps)

    # Unknowns: serving [classes, steps], started [classes, steps], violated [steps].
    run = np.repeat(price * step_seconds, steps)
    start = (price[:, None] * np.minimum(cold[:, None], since_begin)).reshape(-1)
    one_step = sparse.eye_array(steps)
    grown = sparse.block_diag([(one_step - sparse.eye_array(steps, k=-1)).tocsr()[1:]] * classes)
    started = sparse.block_diag([one_step.tocsr()[1:]] * classes)
    rows = [
        [grown, -started, None],
        [sparse.hstack([-each * one_step for each in rate]), None, -one_step / step_seconds],
        [None, None, sparse.csr_array(np.ones((1, steps)))],
    ]
    limits = np.concatenate([np.zeros(classes * (steps - 1)), -load_rps, [violations]])
    found = linprog(
        np.concatenate([run, start, np.zeros(steps)]),
        A_ub=sparse.block_array(rows, format="csr"),
        b_ub=limits,
        bounds=(0, None),
        method="highs",
    )
    if not found.success:
        raise RuntimeError(f"HiGHS found no cheapest mix: {found.message}")
    serving, starts = found.x[: 2 * classes * steps].reshape(2, classes, steps)
    starting = [_under_way(row, cold_steps=seconds / step_seconds) for row, seconds in zip(starts, cold, strict=True)]
    return Mix(cost=float(found.fun), serving=serving, starting=np.array(starting), violated=found.x[-steps:])


def _under_way(starts: Floats, *, cold_steps: float) -> Floats:
    """Mean number of replicas that start in each step, from the number whose start ends as each step begins."""
    steps = len(starts)
    reach = min(steps, int(np.ceil(cold_steps)))
    share = np.clip(cold_steps - np.arange(reach), 0.0, 1.0)  # of the 1st, 2nd, ... step before
    # starting[t] = sum over j of share[j] * starts[t + 1 + j]
    later = np.append(starts[1:], np.zeros(reach + 1))
    return np.convolve(later, share[::-1])[reach - 1 : reach - 1 + steps] if reach else np.zeros(steps)
