"""The promises of a decision, each on its own and then for whatever a cluster may hand in."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.scaling.decision import Bound, Decisions, Plan
from foretide.scaling.memory import Memory
from foretide.scaling.observation import Gap
from foretide.scaling.readings import Readings
from foretide.scaling.tuning import Tuning
from tests.scaling.build import (
    NOW,
    SETTINGS,
    World,
    bools,
    bounds,
    floats,
    foreseen,
    held_since_long,
    join_worlds,
    judge,
)
from tests.scaling.strategies import often, plausible, random_world, seeds, seldom


def known(value: float) -> Readings:
    """As a careless caller makes it."""
    return Readings(value=floats(value), known=bools(True))


def outcome(made: Decisions) -> tuple[int, Bound]:
    return int(made.desired[0]), Bound(made.bound[0])


# One service of 10 items/s a replica; minimum 1, maximum 10.


@pytest.mark.parametrize(
    ("demand", "replicas", "expected"),
    [
        (31.0, 1, (4, Bound.REACTIVE)),  # growth is immediate, however large
        (30.0, 1, (3, Bound.REACTIVE)),  # exactly full is enough
        (30.0, 3, (3, Bound.REACTIVE)),
        (99.0, 10, (10, Bound.REACTIVE)),
        (101.0, 10, (10, Bound.MAXIMUM)),
        (5000.0, 2, (10, Bound.MAXIMUM)),
        (0.0, 1, (1, Bound.MINIMUM)),
        (0.0, 2, (1, Bound.MINIMUM)),  # true idle goes to the minimum
        (28.0, 4, (4, Bound.MARGIN)),  # 3 would run at 93 %
        (27.0, 4, (3, Bound.REACTIVE)),
        (10.0, 10, (8, Bound.STEP_LIMIT)),  # 20 % a decision
        (10.0, 5, (4, Bound.STEP_LIMIT)),  # at least one
    ],
)
def test_replicas_follow_the_load(demand: float, replicas: int, expected: tuple[int, Bound]) -> None:
    assert outcome(judge(demand, replicas=replicas)) == expected


def test_where_the_caller_says_so_replicas_only_grow() -> None:
    assert outcome(judge(5.0, replicas=6, may_shrink=False)) == (6, Bound.DIRECT)
    assert outcome(judge(75.0, replicas=6, may_shrink=False)) == (8, Bound.REACTIVE)
    # What users order holds.
    assert outcome(judge(5.0, replicas=6, limits=bounds(1, 4), may_shrink=False)) == (4, Bound.MAXIMUM)
    assert outcome(judge(5.0, replicas=6, limits=bounds(pinned=3), may_shrink=False)) == (3, Bound.PINNED)


def test_nothing_shrinks_below_what_was_needed_within_the_hold() -> None:
    assert outcome(judge(5.0, replicas=6, memory=held_since_long(6))) == (6, Bound.HOLD)
    assert outcome(judge(5.0, replicas=6, memory=held_since_long(5))) == (5, Bound.HOLD)


@pytest.mark.parametrize(
    ("demand", "memory"), [(5.0, Memory.fresh(1)), (5.0, held_since_long(0, now_seconds=NOW - 600))]
)
def test_after_a_start_or_a_gap_nothing_shrinks(demand: float, memory: Memory) -> None:
    assert outcome(judge(demand, replicas=6, memory=memory)) == (6, Bound.HOLD)


def test_unknown_load_changes_nothing_and_is_no_zero() -> None:
    assert outcome(judge(None, replicas=6)) == (6, Bound.UNKNOWN)


def test_below_the_minimum_the_minimum_comes_at_once_without_metrics_too() -> None:
    assert outcome(judge(None, replicas=1, limits=bounds(3, 9))) == (3, Bound.MINIMUM)
    assert outcome(judge(2.0, replicas=0, limits=bounds(3, 9))) == (3, Bound.MINIMUM)


def test_a_maximum_set_below_the_present_number_wins_even_over_unknown_metrics() -> None:
    # "Unknown never shrinks" is about ignorance; this is the user's explicit order.
    assert outcome(judge(None, replicas=9, limits=bounds(1, 4))) == (4, Bound.MAXIMUM)
    assert outcome(judge(80.0, replicas=9, limits=bounds(1, 4))) == (4, Bound.MAXIMUM)
    assert outcome(judge(None, replicas=4, limits=bounds(1, 4))) == (4, Bound.UNKNOWN)


@pytest.mark.parametrize("demand", [None, 0.0, 500.0])
@pytest.mark.parametrize("replicas", [0, 3, 40])
def test_paused_changes_nothing_and_pinned_is_that_number(demand: float | None, replicas: int) -> None:
    assert outcome(judge(demand, replicas=replicas, limits=bounds(paused=True))) == (replicas, Bound.PAUSED)
    assert outcome(judge(demand, replicas=replicas, limits=bounds(pinned=7))) == (7, Bound.PINNED)
    assert outcome(judge(demand, replicas=replicas, limits=bounds(paused=True, pinned=7))) == (replicas, Bound.PAUSED)


def test_a_rollout_holds_shrinking_and_lets_growth_through() -> None:
    assert outcome(judge(5.0, replicas=6, rolling=True)) == (6, Bound.ROLLOUT)
    assert outcome(judge(75.0, replicas=6, rolling=True)) == (8, Bound.REACTIVE)


def test_a_queue_adds_what_drains_it_within_a_minute_and_holds_shrinking() -> None:
    # 4 reporting replicas hold 32 items in healthy queues; 632 - 32 = 600 more drain at 10 items/s.
    assert outcome(judge(25.0, replicas=1, pending=632.0)) == (4, Bound.REACTIVE)
    assert outcome(judge(25.0, replicas=6, pending=33.0)) == (6, Bound.BACKLOG)
    assert outcome(judge(25.0, replicas=6, pending=32.0)) == (4, Bound.STEP_LIMIT)


def test_a_burst_is_believed_at_once_and_a_ripple_is_not() -> None:
    assert outcome(judge(25.0, replicas=3, short=75.0)) == (8, Bound.REACTIVE)
    # 1.2 times the load and half a replica more: 35 items/s.
    assert outcome(judge(25.0, replicas=3, short=35.0)) == (3, Bound.REACTIVE)
    assert outcome(judge(25.0, replicas=3, short=2.0)) == (3, Bound.REACTIVE)
    assert outcome(judge(None, replicas=3, short=75.0)) == (3, Bound.UNKNOWN)


def test_a_trickle_is_no_burst() -> None:
    """Of a model that serves a request in 5 s: two more in the queue of a pod within 15 s."""
    assert outcome(judge(0.1, replicas=1, expected=1, rate_rps=0.15, short=0.23)) == (1, Bound.REACTIVE)


def test_without_a_pod_old_enough_to_show_the_load_nothing_shrinks() -> None:
    assert outcome(judge(5.0, replicas=6, expected=0)) == (6, Bound.NOT_READY)


@pytest.mark.parametrize(
    ("demand", "replicas", "silent", "expected"),
    [
        (25.0, 8, 4, (7, Bound.SILENT_PODS)),  # 25 x 1.1 / 10 and 4 silent ones are 6.75
        (25.0, 4, 2, (4, Bound.SILENT_PODS)),
        (75.0, 4, 2, (8, Bound.REACTIVE)),  # silent pods count 0 for growing, so 8 and not 10
        (5.0, 10, 1, (8, Bound.STEP_LIMIT)),  # one silent pod of ten pins nothing
        (5.0, 3, 1, (2, Bound.SILENT_PODS)),
    ],
)
def test_silent_pods_count_nothing_for_growth_and_fully_for_shrinking(
    demand: float, replicas: int, silent: int, expected: tuple[int, Bound]
) -> None:
    made = judge(demand, replicas=replicas, expected=replicas, silent=silent)
    assert outcome(made) == expected


@pytest.mark.parametrize(
    ("demand", "replicas", "young", "expected"),
    [
        (16.8, 4, 3, (4, Bound.NEW_PODS)),
        (16.8, 6, 3, (5, Bound.NEW_PODS)),  # 16.8 x 1.1 / 10 and three new ones are 4.85
        (16.8, 10, 1, (8, Bound.STEP_LIMIT)),
        (45.0, 4, 3, (5, Bound.REACTIVE)),  # they count 0 for growing, so 5 and not 8
    ],
)
def test_new_pods_count_fully_for_shrinking(
    demand: float, replicas: int, young: int, expected: tuple[int, Bound]
) -> None:
    """Prometheus finds them some seconds late: of 25.8 items/s on four pods, three of them new, it told 16.8."""
    assert outcome(judge(demand, replicas=replicas, expected=replicas - young, young=young)) == expected


def test_a_hold_does_not_remember_that_pods_were_new() -> None:
    new = judge(16.8, replicas=4, expected=1, young=3)
    assert int(new.held[0]) == 2
    later = judge(16.8, replicas=4, memory=new.memory, now_seconds=NOW + SETTINGS.tick_seconds)
    assert outcome(later)[0] == 3


def test_a_forecast_adds_and_never_takes_away() -> None:
    assert outcome(judge(25.0, replicas=3, plan=foreseen(62.0))) == (7, Bound.FORECAST)
    assert outcome(judge(25.0, replicas=3, plan=foreseen(1.0))) == (3, Bound.REACTIVE)
    assert outcome(judge(5.0, replicas=5, plan=foreseen(48.0))) == (5, Bound.FORECAST)
    assert outcome(judge(25.0, replicas=3, plan=foreseen(1e300))) == (10, Bound.MAXIMUM)
    assert outcome(judge(25.0, replicas=3, plan=foreseen(float("nan")))) == (3, Bound.REACTIVE)
    assert outcome(judge(None, replicas=3, plan=foreseen(62.0))) == (3, Bound.UNKNOWN)


# Whatever a cluster may hand in: 200 services of every kind at once.


def free(world: World) -> np.ndarray:
    return ~world.bounds.paused & ~world.bounds.is_pinned


@seldom
@given(seeds)
def test_any_world_gives_bounded_numbers_without_a_warning(seed: int) -> None:
    world = random_world(seed)
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        made = world.decide()
    assert made.desired.dtype == np.int64
    assert (made.desired[free(world)] >= world.bounds.minimum[free(world)]).all()
    assert (made.desired[free(world)] <= world.bounds.maximum[free(world)]).all()
    for numbers in (made.asked, made.foreseen, made.spacious, made.held, made.staying, made.backlog, made.hpa):
        assert np.isfinite(numbers).all()
        assert (numbers >= 0).all()


@seldom
@given(seeds)
def test_what_is_unknown_never_shrinks(seed: int) -> None:
    world = random_world(seed)
    made = world.decide()
    unknown = free(world) & ~made.seen.demand.known
    least = np.minimum(world.fleet.replicas, world.bounds.maximum)
    assert unknown.any()
    assert (made.desired[unknown] == np.maximum(least, world.bounds.minimum)[unknown]).all()
    assert (made.memory.window.peaks[unknown] == world.memory.window.peaks[unknown]).all()


@seldom
@given(seeds)
def test_shrinking_is_one_step_and_never_in_doubt(seed: int) -> None:
    world = random_world(seed)
    made = world.decide()
    current = world.fleet.replicas
    within = free(world) & (current <= world.bounds.maximum)
    step = np.maximum(1, np.ceil(0.2 * current))
    assert (made.desired[within] >= (current - step)[within]).all()
    doubt = world.fleet.rolling | (made.backlog > 0) | (made.seen.expected == 0)
    assert (made.desired[within & doubt] >= current[within & doubt]).all()


@seldom
@given(seeds)
def test_the_same_input_gives_the_same_answer_and_stays_untouched(seed: int) -> None:
    world, twin = random_world(seed), random_world(seed)
    first, second = world.decide(), world.decide()
    assert (first.desired == second.desired).all()
    assert (first.bound == second.bound).all()
    assert (first.memory.window.peaks == second.memory.window.peaks).all()
    for table in ("window", "evidence"):
        for column in fields(getattr(world.memory, table)):
            before, after = (getattr(getattr(one.memory, table), column.name) for one in (twin, world))
            assert np.array_equal(before, after, equal_nan=True)


@seldom
@given(seeds, seeds)
def test_no_service_changes_the_decision_about_another(seed: int, other: int) -> None:
    mine, theirs = random_world(seed, 40), random_world(other, 25)
    alone, together = mine.decide(), join_worlds([theirs, mine]).decide()
    assert (together.desired[25:] == alone.desired).all()
    assert (together.bound[25:] == alone.bound).all()
    assert (together.memory.window.peaks[25:] == alone.memory.window.peaks).all()
    assert (together.seen.gap[25:] == alone.seen.gap).all()


@seldom
@given(seeds)
def test_any_forecast_gives_at_least_what_no_forecast_gives(seed: int) -> None:
    world = random_world(seed)
    unknown = Readings.unknown(len(world))
    without = replace(world, plan=replace(world.plan, ahead=unknown, meanwhile=unknown))
    assert (world.decide().desired >= without.decide().desired).all()


@seldom
@given(seeds, st.floats(1.0, 50.0))
def test_more_demand_never_gives_fewer_replicas(seed: int, factor: float) -> None:
    world = random_world(seed, numbers=plausible)
    success = replace(world.pods.success_rps, value=world.pods.success_rps.value * factor)
    items = replace(world.pods.inference_rps, value=world.pods.inference_rps.value * factor)
    hits = replace(world.pods.cache_hits_rps, value=world.pods.cache_hits_rps.value * factor)
    pods = replace(world.pods, success_rps=success, inference_rps=items, cache_hits_rps=hits)
    more = replace(world, pods=pods)
    assert (more.decide().desired >= world.decide().desired).all()


@seldom
@given(seeds)
def test_a_silent_pod_never_turns_growth_into_shrinking_or_back(seed: int) -> None:
    world = random_world(seed, numbers=plausible)
    made = world.decide()
    current = np.clip(world.fleet.replicas, world.bounds.minimum, world.bounds.maximum)
    wanted = np.maximum(made.asked, made.foreseen)
    grows = free(world) & made.seen.demand.known & (wanted > current)
    assert (made.desired[grows] >= current[grows]).all()
    assert (made.spacious >= wanted).all()


@often
@given(st.floats(0, 200), st.floats(0, 200), st.integers(0, 12), st.integers(0, 12), st.integers(0, 4))
def test_demand_is_monotone_at_any_hold(less: float, more: float, replicas: int, peak: int, silent: int) -> None:
    less, more = sorted((less, more))
    low, high = (
        judge(demand, replicas=replicas, memory=held_since_long(peak), silent=silent) for demand in (less, more)
    )
    assert low.desired[0] <= high.desired[0]
    assert low.memory.window.highest[0] <= high.memory.window.highest[0]


def test_no_services_are_no_decisions() -> None:
    assert len(random_world(0, 0).decide()) == 0


def test_of_what_is_foreseen_only_numbers_are_believed_and_told() -> None:
    for nonsense in (float("nan"), -float("inf"), -5.0):
        made = judge(25.0, replicas=3, plan=replace(foreseen(), ahead=known(nonsense), meanwhile=known(nonsense)))
        assert outcome(made) == (3, Bound.REACTIVE)
        assert not made.plan.ahead.known[0]
        assert made.plan.ahead.value[0] == 0.0


def with_plan(plan: Plan, *, demand: float = 25.0, replicas: int = 6) -> tuple[int, Bound]:
    return outcome(judge(demand, replicas=replicas, plan=plan))


def test_what_comes_before_new_replicas_are_ready_keeps_those_that_are_there_and_adds_none() -> None:
    assert with_plan(foreseen(meanwhile=58.0)) == (6, Bound.STAYING)
    assert with_plan(foreseen(meanwhile=41.0))[0] == 5
    assert with_plan(foreseen(meanwhile=500.0), replicas=4) == (4, Bound.STAYING)
    assert with_plan(foreseen(ahead=1.0, meanwhile=2.0), replicas=3) == (3, Bound.REACTIVE)


def test_an_unknown_load_is_not_guessed_from_a_forecast() -> None:
    for plan in (foreseen(90.0, 90.0), foreseen(0.0, 0.0)):
        assert outcome(judge(None, replicas=5, plan=plan)) == (5, Bound.UNKNOWN)


def test_the_hold_is_that_of_the_plan() -> None:
    memory = held_since_long(0)
    short = judge(5.0, replicas=6, memory=memory, plan=foreseen(hold_seconds=60.0))
    assert outcome(short) == (6, Bound.HOLD), "another hold begins anew"
    assert short.memory.window.hold_seconds[0] == 60.0


@seldom
@given(seeds, st.floats(1.0, 20.0))
def test_a_higher_forecast_never_gives_fewer_replicas(seed: int, factor: float) -> None:
    world = random_world(seed, numbers=plausible)
    plan = world.plan
    higher = replace(
        plan,
        ahead=replace(plan.ahead, value=plan.ahead.value * factor),
        meanwhile=replace(plan.meanwhile, value=plan.meanwhile.value * factor),
    )
    assert (replace(world, plan=higher).decide().desired >= world.decide().desired).all()


@seldom
@given(seeds)
def test_a_forecast_moves_no_memory_but_the_hold(seed: int) -> None:
    world = random_world(seed)
    without = replace(world, plan=Plan.none(len(world), hold_seconds=300.0)).decide()
    same_hold = replace(world, plan=replace(world.plan, hold_seconds=np.full(len(world), 300.0))).decide()
    assert (same_hold.memory.window.peaks >= without.memory.window.peaks).all()
    assert (same_hold.desired >= without.desired).all()
    assert (same_hold.hpa == without.hpa).all(), "the counterfactual knows no forecast"
    assert (same_hold.asked == without.asked).all()


def test_a_step_up_is_limited_where_its_user_says_so() -> None:
    limited = replace(Tuning.usual(1), step_up=floats(0.5))
    assert judge(118.0, replicas=4, tuning=limited, limits=bounds(1, 20)).desired.tolist() == [6]
    assert judge(118.0, replicas=4, tuning=limited, limits=bounds(1, 20)).reason(0) == "StepUpLimit"
    assert judge(118.0, replicas=1, tuning=limited, limits=bounds(1, 20)).desired.tolist() == [2], "at least one"
    assert judge(48.0, replicas=4, tuning=limited, limits=bounds(1, 20)).reason(0) == "Reactive", "within a step"
    assert judge(118.0, replicas=4, tuning=limited, limits=bounds(9, 20)).desired.tolist() == [9], "orders come first"


def test_a_step_down_is_as_large_as_its_user_says() -> None:
    assert judge(1.0, replicas=10).desired.tolist() == [8]
    assert judge(1.0, replicas=10, tuning=replace(Tuning.usual(1), step_down=floats(0.5))).desired.tolist() == [5]


@pytest.mark.parametrize(("silence", "desired"), [(60.0, 3), (1_700.0, 3), (1_900.0, 9)])
def test_a_load_unknown_for_long_is_taken_for_the_most_of_the_last_day_where_that_is_ordered(
    silence: float, desired: int
) -> None:
    memory = held_since_long(3, now_seconds=NOW - silence)
    grows = replace(Tuning.usual(1), grows_blind=bools(True))
    plan = foreseen(highest=85.0)
    made = judge(None, replicas=3, tuning=grows, plan=plan, memory=memory, limits=bounds(1, 20))
    assert made.desired.tolist() == [desired]
    assert judge(None, replicas=3, plan=plan, memory=memory, limits=bounds(1, 20)).desired.tolist() == [3], "Hold"
    fewer = judge(None, replicas=12, tuning=grows, plan=plan, memory=memory, limits=bounds(1, 20))
    assert fewer.desired.tolist() == [12], "never shrinks"
    nothing = judge(None, replicas=3, tuning=grows, memory=memory, limits=bounds(1, 20))
    assert nothing.desired.tolist() == [3], "nothing is known of the last day"


def test_blind_growth_is_for_metrics_that_fail_and_keeps_to_the_step() -> None:
    memory = held_since_long(3, now_seconds=NOW - 3_600.0)
    grows = replace(Tuning.usual(1), grows_blind=bools(True))
    plan, limits = foreseen(highest=85.0), bounds(1, 20)

    def grown(tuning: Tuning = grows, *, expected: int = 4, rolling: bool = False) -> int:
        made = judge(
            None,
            replicas=3,
            tuning=tuning,
            plan=plan,
            memory=memory,
            limits=limits,
            rolling=rolling,
            gap=Gap.NO_SERIES if expected else Gap.NO_READY_REPLICAS,
        )
        return int(made.desired[0])

    assert grown() == 9
    assert grown(expected=0) == 3, "no pod is ready: more of the same are no cure"
    assert grown(rolling=True) == 3
    assert grown(replace(grows, step_up=floats(0.5))) == 5
