"""When Faro plans, and what reacts between its plans: average latency above the SLO for so many checks.

Source: beomyeol/faro src/policy.py, src/autoscaler.py and config/autoscaler/autoscale_config.yaml.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from foretide.scaling.arrays import Bools, Ints
from foretide.scaling.policy import Observation, Over, Quantity, Query
from foretide.scaling.readings import Readings
from foretide.simulate.peers.bounds import between

INTERVAL_SECONDS: Final = 10.0
LOOK_BACK_SECONDS: Final = 30.0
UPSCALE_DELAY_SECONDS: Final = 30.0
DOWNSCALE_DELAY_SECONDS: Final = 600.0
FIRST_PLAN_SECONDS: Final = 60.0  # after the start, not a whole interval


def latency_queries(window_seconds: float) -> tuple[Query, Query]:
    """What `average_latency` needs to be answered."""
    return Query(Quantity.REQUEST_SECONDS, Over.RATE, window_seconds), Query(
        Quantity.SUCCESS, Over.RATE, window_seconds
    )


def average_latency(seen: Observation, window_seconds: float) -> Readings:
    """Seconds, of the requests answered in the window; 0 where there was none, as Faro has it."""
    seconds, answered = (seen.total(query) for query in latency_queries(window_seconds))
    some = answered.value > 0.0
    return Readings(
        value=np.where(some, seconds.value / np.where(some, answered.value, 1.0), 0.0),
        known=answered.known & (seconds.known | ~some),
    )


def in_progress(seen: Observation) -> Bools:
    """Services whose last action is not done: replicas are missing or not ready. Nothing reacts meanwhile."""
    return seen.pods.count(seen.pods.ready & ~seen.pods.leaving, services=len(seen)) < seen.fleet.replicas


@dataclass(frozen=True, slots=True, eq=False)
class Checks:
    """Checks above the SLO in a row (positive) or below it (negative), per service."""

    count: Ints

    @classmethod
    def none(cls, services: int) -> Checks:
        return cls(np.zeros(services, dtype=np.int64))

    def passed(self, latency: Readings, seen: Observation) -> Checks:
        """One more check; a service that is unknown or at work is left out."""
        above = latency.value > seen.promise.slo_latency_seconds
        next_count = np.where(above, np.maximum(self.count, 0) + 1, np.minimum(self.count, 0) - 1)
        return Checks(np.where(latency.known & ~in_progress(seen), next_count, self.count))

    def passed_above(self, latency: Readings, seen: Observation) -> Checks:
        """As `passed`, but a check below the SLO changes nothing: so it is in Faro's additive-increase rule, which
        overrides what would reset the count."""
        above = latency.known & (latency.value > seen.promise.slo_latency_seconds) & ~in_progress(seen)
        return Checks(self.count + above)

    def cleared(self, where: Bools) -> Checks:
        return Checks(np.where(where, 0, self.count))


def checks_in(delay_seconds: float, interval_seconds: float) -> int:
    """How many checks make up the delay."""
    return max(1, int(delay_seconds // interval_seconds))


def granted(desired: Ints, seen: Observation, quota: int | None) -> Ints:
    """What the quota lets through: services that shrink first, then the others in their order, as far as it goes."""
    if quota is None:
        return desired
    current = seen.fleet.replicas
    more = np.maximum(desired - current, 0)
    left = quota - np.minimum(desired, current).sum()
    before = np.cumsum(more) - more
    given: Ints = np.minimum(desired, current) + np.clip(left - before, 0, more)
    return given


def plan_due(started_seconds: float, planned_seconds: float, now_seconds: float, plan_seconds: float) -> bool:
    """A minute after the start, and at whole intervals after it; `planned_seconds` is -inf before the first plan."""
    # A tick that comes a millisecond early is the one that was meant.
    age = now_seconds - started_seconds + 1e-3
    if planned_seconds == -np.inf:
        return age >= FIRST_PLAN_SECONDS
    return age // plan_seconds > (planned_seconds - started_seconds + 1e-3) // plan_seconds


def additive_increase(seen: Observation, checks: Checks, interval_seconds: float) -> tuple[Ints, Checks, Bools]:
    """One replica more after three checks above the SLO: replicas, the checks from now on, and where it was so."""
    checks = checks.passed_above(average_latency(seen, LOOK_BACK_SECONDS), seen)
    late = checks.count >= checks_in(UPSCALE_DELAY_SECONDS, interval_seconds)
    current = seen.fleet.replicas
    desired = np.where(late, np.maximum(current, between(current + 1, seen.bounds)), current)
    return desired, checks.cleared(late), late
