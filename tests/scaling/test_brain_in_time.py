"""The whole brain, tick after tick: what its forecast does to fleets in hours, not in a moment."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.scaling import rows
from foretide.scaling.arrays import Floats, Ints
from foretide.scaling.brain import Brain
from foretide.scaling.capacity import BatchCounts
from foretide.scaling.decision import Bounds, Decisions, Fleet
from foretide.scaling.lead_time import remembered
from foretide.scaling.memory import Memory
from foretide.scaling.parts import Part
from foretide.scaling.policy import Observation, PodList, Promise, Quantity
from foretide.scaling.readings import Readings
from foretide.scaling.tuning import Told, Tuning
from tests.scaling.build import SETTINGS, evidence_of, same
from tests.scaling.forecast.loads import DAY, HOUR, MIDNIGHT, SHAPES, Load, past, stepped
from tests.scaling.strategies import rarely

BRAIN: Final = Brain(SETTINGS)
REACTIVE: Final = Brain(SETTINGS, without=frozenset({Part.GLOBAL_MODEL, Part.EXPERTS}))
MOST: Final = 50


class Services:
    """Services under their loads; a replica that is asked for serves at the next tick."""

    def __init__(
        self, *loads: Load, replicas: int = 1, now: float = MIDNIGHT, days: float = 0.0, hit_share: float = 0.0
    ) -> None:
        """Loads of the models; of all requests their caches answer a share."""
        self.loads, self.now, self.hit_share = loads, now, hit_share
        self.replicas = np.full(len(loads), replicas)
        evidence = rows.concatenate([evidence_of(0.02, 0.05)] * len(loads))
        begun = past(loads, until=now, days=days)
        self.memory = replace(BRAIN.start(begun), evidence=evidence)

    def observed(self) -> Observation:
        """What is seen of them now."""
        services = len(self.loads)
        owner = np.repeat(np.arange(services), self.replicas)
        asked = np.array([load(np.array([self.now]))[0] for load in self.loads])
        each, pods = (asked / np.maximum(self.replicas, 1))[owner], len(owner)
        answered = each / (1.0 - self.hit_share)
        by_quantity = {
            Quantity.SUCCESS: answered,
            Quantity.CACHE_HITS: self.hit_share * np.where(np.isfinite(answered), answered, 0.0),
            Quantity.INFERENCE: each,
            Quantity.REQUEST_SECONDS: 0.08 * each,
        }
        answers = {}
        for name, query in BRAIN.questions.items():
            value = by_quantity.get(query.quantity, np.zeros(pods))
            if name == "sample_age_seconds":
                value = np.full(pods, 2.0)
            answers[query] = Readings(value=value, known=np.isfinite(each))
        return Observation(
            now_seconds=self.now,
            pods=PodList(
                service=owner,
                ready=np.ones(pods, dtype=np.bool_),
                leaving=np.zeros(pods, dtype=np.bool_),
                ready_age_seconds=np.full(pods, 3600.0),
                age_seconds=np.full(pods, 3660.0),
            ),
            answers=answers,
            batches=BatchCounts.gather([]),
            fleet=Fleet(replicas=self.replicas, rolling=np.zeros(services, dtype=np.bool_)),
            bounds=Bounds(
                minimum=np.ones(services, dtype=np.int64),
                maximum=np.full(services, MOST),
                paused=np.zeros(services, dtype=np.bool_),
                is_pinned=np.zeros(services, dtype=np.bool_),
                pinned=np.ones(services, dtype=np.int64),
            ),
            tuning=Tuning.usual(services),
            told=Told.nothing(services),
            promise=Promise(
                slo_latency_seconds=np.full(services, 0.5),
                objective=np.full(services, 0.99),
                max_batch=np.full(services, 8),
                instances=np.ones(services, dtype=np.int64),
                window_seconds=np.full(services, 7 * 86_400.0),
            ),
        )

    def tick(self, brain: Brain = BRAIN, *, seconds: float = SETTINGS.tick_seconds) -> Decisions:
        self.now += seconds
        made = brain.decide(self.observed(), self.memory)
        self.memory, self.replicas = made.memory, made.desired
        return made

    def live(self, ticks: int, brain: Brain = BRAIN) -> Ints:
        """[ticks, services] replicas."""
        return np.stack([self.tick(brain).desired for _ in range(ticks)])


def trembling(load: float, seed: int) -> Load:
    """Within 3 %, and another number each tick."""
    noise = np.random.default_rng(seed).uniform(0.97, 1.03, 1_024)
    return lambda times: load * noise[(times // SETTINGS.tick_seconds).astype(int) % 1_024]


TREMBLING: Final = [trembling(load, seed) for seed, load in enumerate(np.geomspace(50.0, 900.0, 4).tolist())]


def turns(history: Ints) -> list[int]:
    """Ticks between a move and the next one the other way, of all services."""
    found: list[int] = []
    for moves in np.diff(history, axis=0).T:
        ticks = np.flatnonzero(moves)
        opposite = np.diff(np.sign(moves[ticks])) != 0
        found += np.diff(ticks)[opposite].tolist()
    return found


@cache
def trembled(days: float) -> Ints:
    return Services(*TREMBLING, replicas=2, days=days).live(120)


@pytest.mark.parametrize("days", [0.0, 2.1])
def test_a_load_that_trembles_moves_a_fleet_by_little(days: float) -> None:
    settled = trembled(days)[80:]
    assert (settled.max(axis=0) <= np.ceil(1.25 * settled.min(axis=0))).all()


def test_a_load_that_trembles_hardly_moves_a_new_fleet_and_never_back_and_forth() -> None:
    history = trembled(0.0)
    assert min(turns(history), default=99) >= 4, "up and down within a minute"
    assert (np.count_nonzero(np.diff(history[80:], axis=0), axis=0) <= 4).all()


def test_a_load_that_trembles_and_is_long_known_hardly_moves_a_fleet() -> None:
    moves = np.count_nonzero(np.diff(trembled(2.1), axis=0), axis=0)
    assert (moves <= 20).all()
    assert np.median(moves) <= 2


def test_what_a_cache_answers_needs_no_replica_and_is_in_the_budget() -> None:
    """Nine of ten requests, which take no time that tells how fast a replica is."""
    plain, cached = (Services(*TREMBLING, replicas=2, days=0.1, hit_share=share) for share in (0.0, 0.9))
    for _ in range(8):
        one, other = plain.tick(), cached.tick()
        np.testing.assert_array_equal(other.desired, one.desired)
        np.testing.assert_allclose(other.seen.demand.value, one.seen.demand.value)
        np.testing.assert_allclose(other.memory.kappa, one.memory.kappa)
        np.testing.assert_allclose(other.memory.spending.asked, 10.0 * one.memory.spending.asked)
        np.testing.assert_allclose(other.memory.spending.late, one.memory.spending.late)
    assert (plain.memory.kappa != 1.0).any(), "latencies were learned from"


def test_it_is_never_below_what_the_measured_load_needs_and_never_out_of_bounds() -> None:
    services = Services(*SHAPES.values(), days=1.1)
    for _ in range(12):
        made = services.tick()
        assert (made.desired >= np.minimum(made.asked, MOST)).all()
        assert ((made.desired >= 1) & (made.desired <= MOST)).all()
        known = made.seen.demand.known
        assert (made.desired[~known] >= made.fleet.replicas[~known]).all(), "unknown never shrinks"
        for numbers in (made.plan.ahead.value, made.plan.meanwhile.value, made.plan.hold_seconds, made.hpa):
            assert np.isfinite(numbers).all()
            assert (numbers >= 0).all()


@rarely
@given(st.lists(st.sampled_from([15.0, 15.0, 0.0, -5.0, HOUR, -HOUR, 30 * HOUR, -30 * HOUR]), max_size=5))
def test_a_clock_that_jumps_breaks_nothing_and_shrinks_nothing(jumps: list[float]) -> None:
    services = Services(*SHAPES.values(), replicas=9, days=0.1)
    for jump in jumps:
        made = services.tick(seconds=jump)
        assert (made.desired >= 9).all(), "within the hold, whatever the clock says"
        services.replicas = np.full(len(SHAPES), 9)


def test_with_its_forecast_a_fleet_is_ready_when_the_day_begins() -> None:
    """From 20 to 200 items/s at nine, as on both days before; a pod takes three minutes by all that is known."""
    needed = Services(stepped, now=MIDNIGHT + 10.0 * HOUR).live(3, REACTIVE)[-1, 0]
    start = 8.9 * HOUR
    services = Services(stepped, now=MIDNIGHT + start, days=2.0 + start / DAY)
    assert services.live(23)[-1, 0] >= needed, "a tick before nine"
    assert Services(stepped, now=MIDNIGHT + 4 * HOUR, days=2.2).live(12)[-1, 0] <= needed / 2


def test_deciding_twice_is_the_same_and_changes_no_memory() -> None:
    services, twin = (Services(*SHAPES.values(), days=1.1) for _ in range(2))
    services.tick()
    twin.tick()
    first, second = (BRAIN.decide(services.observed(), services.memory) for _ in range(2))
    assert same(first, second)
    assert same(services.memory, twin.memory)


def test_a_glitch_every_few_minutes_does_not_keep_a_fleet_large_for_ever() -> None:
    def load(times: Floats) -> Floats:
        return np.where(times // SETTINGS.tick_seconds % 10 == 9, np.nan, 20.0)

    services = Services(load, replicas=8)
    assert services.live(60)[-1, 0] <= 5


def test_an_operator_that_was_restarted_shrinks_nothing_before_the_hold_is_over() -> None:
    services = Services(*TREMBLING, replicas=40)
    services.live(12)
    before = services.replicas
    services.memory = replace(Memory.fresh(len(TREMBLING)), evidence=services.memory.evidence)
    assert (services.live(8) >= before).all(), "two minutes of metrics are not trusted yet"


def test_one_low_sample_after_a_lost_tick_shrinks_nothing() -> None:
    def load(times: Floats) -> Floats:
        tick = times // SETTINGS.tick_seconds - MIDNIGHT // SETTINGS.tick_seconds
        return np.where(tick == 200, np.nan, np.where(tick == 201, 75.0, 150.0))

    services = Services(load, replicas=8, days=0.5)
    # Starts of 20 s, all of them: the hold is as short as it can be.
    services.memory = replace(services.memory, lead_times=remembered([[20.0] * 32, []]))
    before = services.live(199)[-1, 0]
    assert services.live(2).tolist() == [[before], [before]]
