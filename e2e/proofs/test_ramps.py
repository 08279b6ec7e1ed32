"""A ramp that comes again: after three repetitions the next replica is Ready before the load needs it."""

from __future__ import annotations

import time
from contextlib import ExitStack
from statistics import median
from typing import Final

import numpy as np
from numpy.typing import NDArray

from e2e.demo.days import Morning, morning
from e2e.load import Profile
from e2e.proofs import loads
from e2e.scenarios.each_second import each_second
from e2e.scenarios.measured import Measured
from e2e.scenarios.operator import Operator
from e2e.scenarios.tenant import Tenant
from e2e.scenarios.traffic import Traffic
from foretide.adapters.resources import DEPLOYMENT

# 45 s from created to Ready, of which some four are the pod's own.
LOAD_SECONDS: Final = 41.0
# A night that one replica serves, a minute's ramp to what three serve, a day, an evening. In a night of 2 min nothing
# is saved by giving replicas back: they are paid for 45 s before they serve again. In one of 5 min it is.
SEASON: Final = ((0.0, 4.0), (300.0, 4.0), (360.0, 22.0), (550.0, 22.0), (580.0, 4.0), (600.0, 4.0))
SEASON_SECONDS: Final = 600
LEARNED: Final = 3
JUDGED: Final = 2
SERVICES: Final = 10
APART_SECONDS: Final = 30
# One more than the day needs.
MOST: Final = 4
# A service whose first ramp was late keeps the day's replicas over the next nights. So many ramps must be met by new
# ones, or the proof says nothing; ten of twenty were.
LEAST_GROWN: Final = 8


def test_a_repeated_ramp_is_met_by_replicas_that_are_ready(
    tenant: Tenant, operator: Operator, measured: Measured
) -> None:
    """Ten services whose ramps come at different times; nobody tells the operator that anything repeats."""
    services = [
        tenant.serve(f"tide-{row}", loads.spec(load_seconds=LOAD_SECONDS, minReplicas=1, maxReplicas=MOST))
        for row in range(SERVICES)
    ]
    for service in services:
        service.until_ready(replicas=1, within_seconds=180)
        service.until_answers()
    delays = [row * APART_SECONDS for row in range(SERVICES)]
    with tenant.record(DEPLOYMENT) as recording, ExitStack() as stack:
        traffic = [
            stack.enter_context(Traffic(service.following(tides(delay), seed=row)))
            for row, (service, delay) in enumerate(zip(services, delays, strict=True))
        ]
        time.sleep(max(delays) + (LEARNED + JUDGED) * SEASON_SECONDS)
        series = operator.metrics(operator.until_leading())
        since_boot = time.monotonic() - time.time()
        began = [load.end().started_at + since_boot for load in traffic]

    unknown: list[Morning | None] = []
    repeated: list[Morning | None] = []
    for service, delay, start in zip(services, delays, began, strict=True):
        labels = f'{{namespace="{tenant.namespace}",service="{service.name}"}}'
        capacity = series[f"foretide_capacity_items_per_second{labels}"]
        states = recording.of(service.deployment_name)
        for number in range(LEARNED + JUDGED):
            since = start + delay + number * SEASON_SECONDS
            ready = each_second(states, "status", "readyReplicas", since=since, seconds=SEASON_SECONDS)
            found = morning(asked(), ready, capacity)
            print(f"{service.name}, season {number + 1}: {'the night kept enough' if found is None else found.words}")
            (unknown if number < LEARNED else repeated).append(found)
    grown = [each for each in repeated if each is not None]
    middle = median(-np.inf if each.ready_ahead_seconds is None else each.ready_ahead_seconds for each in grown)
    for what, ramps, bar in (
        ("ramps met by Ready replicas, first three repetitions", unknown, "none"),
        ("the same after three repetitions, cold start 45 s", repeated, ">= 95 %"),
    ):
        measured.add(what, f"{sum(map(is_met, ramps))} of {len(ramps)}", bar=bar)
    measured.add(
        "of these, ramps before which the night had fewer replicas",
        f"{len(grown)}; the next one Ready {middle:.0f} s before it was needed in the median",
        bar=f">= {LEAST_GROWN}",
    )
    assert len(grown) >= LEAST_GROWN, "nearly every night kept what the day needs, which foresees nothing"
    assert sum(map(is_met, repeated)) >= 0.95 * len(repeated), [each.words for each in grown]


def is_met(ramp: Morning | None) -> bool:
    """Whether all replicas that the ramp needs were Ready before it needed them; None: the night kept them."""
    return ramp is None or (ramp.ready_ahead_seconds is not None and ramp.ready_ahead_seconds > 0)


def tides(delay_seconds: int) -> Profile:
    """All seasons, the first of them so long after the start."""
    seasons = [
        (delay_seconds + number * SEASON_SECONDS + second, rate)
        for number in range(LEARNED + JUDGED)
        for second, rate in SEASON
    ]
    return loads.through([(0.0, SEASON[0][1]), *seasons] if delay_seconds else seasons)


def asked() -> NDArray[np.float64]:
    """The rate in each second of a season, without the chance of arrivals."""
    seconds, rates = zip(*SEASON, strict=True)
    each: NDArray[np.float64] = np.interp(np.arange(SEASON_SECONDS) + 0.5, seconds, rates)
    return each
