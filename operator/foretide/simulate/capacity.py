"""The largest steady rate of a replica that keeps the SLO, found with the simulator itself: the unit of fleet sizes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np

from foretide.simulate import engine, fleet
from foretide.simulate.arriving import begin_arrivals
from foretide.simulate.scenario import Conditions, Lane, Law, Queue, Routing
from foretide.simulate.state import BIN_SECONDS, build, with_larger_pool

# The last correction of the result is no larger than this share of it.
TOLERANCE: Final = 0.005
# Steps until then; a smooth curve needs one or two.
MOST_SECANTS: Final = 8
# Bounds of the first searches are this close together.
BRACKET: Final = 0.04
# Results of ten seeds differ by 0.5 % (standard deviation) where the SLO is five times the time of a request.
REQUESTS: Final = 900_000
# To find between which two levels the answer lies, and between which two rates.
REQUESTS_AT_FIRST: Final = 20_000
REQUESTS_THEN: Final = 100_000
# Of a high objective few are late: there are more requests, so that each search sees about so many late ones.
LATE: Final = 300
LATE_AT_FIRST: Final = 20
LATE_THEN: Final = 50
# Thirty million requests show so many; for a higher one a search would take half an hour.
LARGEST_OBJECTIVE: Final = 0.99999
# Neighbouring levels of the first search: each is this share of the one above.
LEVEL: Final = 0.5**0.5
# Below this share of saturation a replica does nothing that is worth its price.
LEAST_SHARE: Final = 0.01
SEED: Final = 1
WARM_UP_SHARE: Final = 0.05
# A lane takes no longer steps.
LONGEST_STEP_SECONDS: Final = 86_400.0


class Infeasible(ValueError):
    """No steady rate keeps the objective: there is no answer, which is another thing than a rate of 0."""

    def __init__(self, law: Law, *, slo_latency_seconds: float, objective: float, least_rps: float) -> None:
        single = law.batch_seconds(1) + law.overhead_seconds
        others = "" if single > slo_latency_seconds else ", and too many meet others or a slow batch"
        super().__init__(
            f"no rate from {least_rps:.3g} requests a second on keeps {100.0 * objective:g} % of the requests within "
            f"{1e3 * slo_latency_seconds:g} ms: one request alone takes {1e3 * single:g} ms{others}"
        )
        self.single_request_seconds = single


def rate_at_slo(
    law: Law,
    *,
    slo_latency_seconds: float,
    objective: float,
    queue: Queue,
    arrival_cv: float = 1.0,
    replicas: int = 1,
    routing: Routing = Routing.RANDOM,
) -> float:
    """Requests a second per replica, at which a share of at least `objective` is within the SLO: within 1 %, and 3 %
    for an objective above 0.999, of whose few late requests many are late together.

    Rates above it break the objective. Rates below it usually keep it; a limited queue may stall lonely requests, so
    that very low rates break it too. Raises `Infeasible` where no rate keeps it.
    """
    if not 0.0 < objective <= LARGEST_OBJECTIVE:
        raise ValueError(f"objective must be above 0 and at most {LARGEST_OBJECTIVE}, not {objective}")
    first, then, last = (
        max(requests, round(late / (1.0 - objective)))
        for requests, late in ((REQUESTS_AT_FIRST, LATE_AT_FIRST), (REQUESTS_THEN, LATE_THEN), (REQUESTS, LATE))
    )

    def excess(rate_rps: float, requests: int) -> float:
        """Logarithm of the late share over the allowed one: nearly a line near its zero, which is the answer."""
        lane = _steady(
            rate_rps * replicas,
            requests,
            law=law,
            slo_latency_seconds=slo_latency_seconds,
            queue=queue,
            arrival_cv=arrival_cv,
            routing=routing,
            max_replicas=replicas,
            initial_replicas=replicas,
        )
        late = max(1.0 - share_in_time(lane), 0.5 / requests)
        return math.log(late / (1.0 - objective))

    # What is in time is served, and nothing serves more than full batches do.
    most = law.saturation_rps / objective
    high, low = most, most * LEVEL
    while excess(low, first) > 0.0:
        if low < LEAST_SHARE * most:
            raise Infeasible(law, slo_latency_seconds=slo_latency_seconds, objective=objective, least_rps=low)
        high, low = low, low * LEVEL
    return _zero(excess, low, high, requests_then=then, requests=last)


def _zero(
    excess: Callable[[float, int], float], low: float, high: float, *, requests_then: int, requests: int
) -> float:
    """Where it crosses zero: by bisection, then by secants with so many requests that the answer is good."""
    low_excess, high_excess = excess(low, requests_then), excess(high, requests_then)
    while high - low > BRACKET * low:
        middle = 0.5 * (low + high)
        found = excess(middle, requests_then)
        if found > 0.0:
            high, high_excess = middle, found
        else:
            low, low_excess = middle, found
    slope = max(high_excess - low_excess, 1e-9) / (high - low)
    rate = low - min(max(low_excess / slope, low - high), 0.0)
    before = found = excess(rate, requests)
    for _ in range(MOST_SECANTS):
        # Fewer requests may have misled the bisection: a step may leave its bounds, though never by much.
        step = min(max(-found / slope, -BRACKET * rate), BRACKET * rate)
        rate += step
        if abs(step) <= TOLERANCE * rate:
            break
        before, found = found, excess(rate, requests)
        slope = (found - before) / step if (found - before) * step > 0.0 else slope
    return rate


def share_in_time(lane: Lane) -> float:
    """The share of the requests of a lane, but for its first moments, that its initial replicas answer in time."""
    state = build([lane], Conditions(scrape_seconds=math.inf), counted_from_seconds=0.0)
    fleet.scale_all(state, np.array([lane.initial_replicas]), 0.0, True)
    begin_arrivals(state)
    while not engine.run_until(state, lane.seconds, False):
        state = with_larger_pool(state)
    engine.answer_until(state, np.inf)
    counted = state.bins[0, math.ceil(WARM_UP_SHARE * lane.seconds / BIN_SECONDS) :]
    return 1.0 - float(counted["violations"].sum()) / float(counted["arrivals"].sum())


def _steady(rate_rps: float, requests: int, **settings: object) -> Lane:
    """So many requests at one rate, over at least a minute."""
    seconds = max(BIN_SECONDS * math.ceil(requests / rate_rps / BIN_SECONDS), 4 * BIN_SECONDS)
    steps = math.ceil(seconds / LONGEST_STEP_SECONDS)
    return Lane(
        name="steady",
        seed=SEED,
        rates_rps=np.full(steps, rate_rps),
        step_seconds=seconds / steps,
        **settings,  # type: ignore[arg-type]
    )
