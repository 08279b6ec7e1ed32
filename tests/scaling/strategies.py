"""Hypothesis strategies of the scaling tests: everything a cluster, a user or a broken pipeline may hand in.

Whole worlds are made by numpy from a drawn seed, hundreds of services at once: drawing each number by hypothesis
takes 70 ms a service, and the arrays under test are vectorised anyway. A failure names seed and row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from foretide.scaling.arrays import Floats
from foretide.scaling.budget import WINDOWS_SECONDS, Spending
from foretide.scaling.capacity import BatchCounts, Evidence, learn
from foretide.scaling.decision import Bounds, Fleet, Plan
from foretide.scaling.forecast.history import DAY_MINUTES, History
from foretide.scaling.forecast.history import SLOTS as QUARTER_MINUTES
from foretide.scaling.forecast.sight import Sight
from foretide.scaling.lead_time import KINDS, REMEMBERED, LeadTimes
from foretide.scaling.memory import Memory
from foretide.scaling.observation import Pods
from foretide.scaling.readings import Readings
from foretide.scaling.risk import LEAST_SHIFT, Risk
from foretide.scaling.tuning import Tuning
from foretide.scaling.window import SLOTS, Window
from tests.scaling.build import NOW, SETTINGS, World

# Time per example says nothing on a busy machine; the deadline of the test does.
often = settings(deadline=None, max_examples=100)
seldom = settings(deadline=None, max_examples=30)
rarely = settings(deadline=None, max_examples=10)  # an example is a hundred forecasts

NASTY: Final = (0.0, -0.0, 1e308, -1e308, 5e-324, -1.0, 1e9, 1e12, float("nan"), float("inf"), float("-inf"))
any_float = st.one_of(st.floats(), st.sampled_from(NASTY), st.floats(0.0, 1e4))

Numbers = Callable[[np.random.Generator, int], Floats]


def anything(random: np.random.Generator, length: int) -> Floats:
    """Plausible rates, each tenth replaced by what a broken pipeline hands in."""
    return np.where(random.random(length) < 0.1, random.choice(NASTY, length), plausible(random, length))


def plausible(random: np.random.Generator, length: int) -> Floats:
    """Rates of 0 and from a hundredth to ten thousand."""
    return np.where(random.random(length) < 0.2, 0.0, 10.0 ** random.uniform(-2, 4, length))


def readings(random: np.random.Generator, length: int, numbers: Numbers, *, known: float = 0.95) -> Readings:
    """As a careless caller makes them: `known` may be true of a NaN."""
    return Readings(value=numbers(random, length), known=random.random(length) < known)


def random_evidence(random: np.random.Generator, services: int, numbers: Numbers) -> Evidence:
    """A third of the services have a law, a third garbage, a third nothing."""
    rows = random.integers(0, services, 4 * services)
    sizes = random.integers(-1, 70, len(rows))
    times = (random.uniform(0, 0.05, services)[rows] * sizes + random.uniform(1e-4, 0.2, services)[rows]) * 100.0
    broken = rows % 3 == 1
    counts = BatchCounts(
        service=rows,
        batch_size=sizes,
        executions=np.where(broken, numbers(random, len(rows)), 100.0),
        seconds=np.where(broken, numbers(random, len(rows)), times),
    )
    evidence = learn(Evidence.none(services), counts)
    nothing = (np.arange(services) % 3 == 2)[:, None]
    return Evidence(
        executions=np.where(nothing, 0.0, evidence.executions),
        items=np.where(nothing, 0.0, evidence.items),
        seconds=np.where(nothing, 0.0, evidence.seconds),
    )


def random_spending(random: np.random.Generator, services: int) -> Spending:
    asked = random.choice([0.0, 50.0, 1e4, 1e12], (services, len(WINDOWS_SECONDS) + 1))
    return Spending(
        asked=asked,
        late=asked * random.choice([0.0, 0.001, 0.5, 1.0], asked.shape),
        measured=asked[:, 1:2]
        * random.choice([0.0, 0.3, 0.5, 1.0], (services, 1))
        * random.choice([0, 1], (services, 2)),
        newest=np.zeros((services, 2)),
    )


def random_memory(random: np.random.Generator, services: int, numbers: Numbers) -> Memory:
    """Fresh, of just now, or of any other time, with any needs in it."""
    slot = int(NOW // (SETTINGS.scale_down_hold_seconds / 7))
    large = random.random((services, SLOTS)) < 0.02
    window = Window(
        started=random.random(services) < 0.9,
        last_seen_seconds=random.choice(
            [NOW - 15, NOW - 15, NOW - 30, NOW - 3600, NOW + 3600, NOW, 0.0, 1e11], services
        ),
        hold_seconds=random.choice([SETTINGS.scale_down_hold_seconds] * 4 + [60.0, 0.0], services),
        slot=random.choice([slot, slot, slot - 1, slot - 9, slot + 3, 0, 10**11], services),
        peaks=np.where(large, 2**31 - 1, random.integers(0, 12, (services, SLOTS))),
    )
    return Memory(
        window=window,
        items_per_request=random.uniform(1.0, 64.0, services),
        evidence=random_evidence(random, services, numbers),
        kappa=random.uniform(0.5, 2.0, services),
        lead_times=random_lead_times(random, services),
        sight=Sight.fresh(services),
        risk=Risk(
            saved=random.uniform(LEAST_SHIFT, 0.0, services),
            late_rps=plausible(random, services),
            demand_rps=plausible(random, services),
            foreseen_hours=random.uniform(0.0, 50.0, services),
            late_hours=random.uniform(0.0, 50.0, services),
        ),
        spending=random_spending(random, services),
        looked_seconds=random.choice([0.0, NOW - 15.0, NOW - 15.0, NOW - 3600.0, NOW + 60.0], services),
    )


def random_lead_times(random: np.random.Generator, services: int) -> LeadTimes:
    """Rings with no, some or as many starts as they hold."""
    seen = random.integers(0, REMEMBERED + 1, (services, KINDS))
    seconds = random.uniform(1.0, 900.0, (services, KINDS, REMEMBERED)).astype(np.float32)
    place = np.where(seen == REMEMBERED, random.integers(0, REMEMBERED, seen.shape), seen)
    return LeadTimes(seconds=np.where(np.arange(REMEMBERED) < seen[..., None], seconds, 0), seen=seen, place=place)


def random_sight(random: np.random.Generator, services: int) -> Sight:
    """Up to the last tick, of a day or two, with gaps."""
    slot = int(NOW // 15) - 1
    recent = random.uniform(0.0, 90.0, (services, QUARTER_MINUTES))
    roots = random.uniform(0.0, 9.5, (2, services, DAY_MINUTES))
    recent, roots = (np.where(random.random(one.shape) < 0.2, np.nan, one) for one in (recent, roots))
    history = History(
        slot=slot,
        recent=recent.astype(np.float32),
        day=slot // (4 * DAY_MINUTES),
        minutes=tuple(roots.astype(np.float16)),
    )
    return Sight.of(history)


def random_plan(random: np.random.Generator, services: int, numbers: Numbers) -> Plan:
    """Any forecast, half of them not known, and any hold."""
    return Plan(
        ahead=readings(random, services, numbers, known=0.5),
        likely=readings(random, services, numbers, known=0.5),
        meanwhile=readings(random, services, numbers, known=0.5),
        hold_seconds=random.choice([SETTINGS.scale_down_hold_seconds] * 4 + [15.0, 60.0, 3600.0], services),
        lead_seconds=random.uniform(1.0, 900.0, services),
        score=random.uniform(-1.0, 3.3, services),
        trust=random.integers(0, 4, services),
        highest=readings(random, services, numbers, known=0.5),
    )


def random_world(seed: int, services: int = 200, numbers: Numbers = anything) -> World:
    """Services with no to five pods each, everything about them random; the same for the same seed."""
    with np.errstate(all="ignore"):  # inf - inf while garbage is made is no fault of the code under test
        return _random_world(np.random.default_rng(seed), services, numbers)


def _random_world(random: np.random.Generator, services: int, numbers: Numbers) -> World:
    owner = np.sort(random.integers(0, services, int(2.5 * services)))
    pods = len(owner)
    low, high = np.sort(random.integers(1, 13, (2, services)), axis=0)
    return World(
        bounds=Bounds(
            minimum=low,
            maximum=high,
            paused=random.random(services) < 0.1,
            is_pinned=random.random(services) < 0.1,
            pinned=random.integers(0, 10_001, services),
        ),
        fleet=Fleet(replicas=random.integers(0, 15, services), rolling=random.random(services) < 0.2),
        pods=Pods(
            service=owner,
            ready=random.random(pods) < 0.8,
            ready_age_seconds=random.choice([0.0, 29.0, 31.0, 1e6, 1e6, 1e6, np.nan, -5.0], pods),
            success_rps=readings(random, pods, numbers),
            failure_rps=readings(random, pods, numbers),
            cache_hits_rps=readings(random, pods, lambda r, n: numbers(r, n) * (r.random(n) < 0.5)),
            inference_rps=readings(random, pods, numbers),
            pending=readings(random, pods, lambda r, n: numbers(r, n) * (r.random(n) < 0.5)),
            pending_growth_rps=readings(random, pods, lambda r, n: numbers(r, n) - numbers(r, n)),
            short_failure_rps=readings(random, pods, numbers),
            short_pending_growth_rps=readings(random, pods, lambda r, n: numbers(r, n) - numbers(r, n)),
            sample_age_seconds=readings(random, pods, lambda r, n: r.choice([2.0] * 8 + [31.0, -600.0, np.nan], n)),
        ),
        memory=random_memory(random, services, numbers),
        slo_seconds=np.where(
            random.random(services) < 0.05, anything(random, services), random.uniform(0.01, 2, services)
        ),
        objective=random.choice([0.99, 0.999, 0.5, 1.0, 0.0, np.nan], services),
        max_batch=random.choice([0, 1, 8, 32, 4096], services),
        instances=random.choice([0, 1, 1, 2, 64], services),
        plan=random_plan(random, services, numbers),
        tuning=Tuning.usual(services),
    )


seeds = st.integers(0, 2**32 - 1)


@st.composite
def evidences(draw: st.DrawFn) -> Evidence:
    """Of one service, from readings of any counters."""
    evidence = Evidence.none(1)
    for _ in range(draw(st.integers(0, 3))):
        sizes = draw(st.dictionaries(st.integers(-1, 5000), st.tuples(any_float, any_float), max_size=4))
        evidence = learn(evidence, BatchCounts.gather([(0, sizes)]))
    return evidence
