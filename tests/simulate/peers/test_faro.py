"""Faro: when it plans, what it plans on, and what reacts in between."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from foretide.scaling.policy import Over, Quantity, Query
from foretide.simulate.peers.faro import Faro
from foretide.simulate.peers.faro_solver import Objective
from tests.simulate.peers.forecasts import Foreseen
from tests.simulate.peers.observations import (
    NOW,
    Run,
    Service,
    Total,
    check_rows_are_independent,
    past,
    profile,
    profile_of_saturation,
)

# Without a plan for as long as a test runs, unless one is asked for.
LATE, FINE = 0.9, 0.2  # seconds of average latency, against an SLO of 0.72 s


def faro(*, foreseen: float = 12.0, services: int = 1, history: int = 60, rate: float = 12.0, **knobs: Any) -> Run:
    """Requests of 180 ms, one at a time, with an hour of history behind it."""
    policy = Faro(
        **{
            "profile": profile_of_saturation(*[1.0 / 0.18] * services, slo_latency_seconds=0.72),
            "forecaster": Foreseen([foreseen]),
            **knobs,
        }
    )
    begun = past(*[[rate] * history] * services, services=services)
    return Run(policy, memory=policy.start(begun))


def serving(replicas: int, *, latency: float | None = FINE, rate: float = 12.0, **others: Any) -> Service:
    answers: dict[Quantity | Query, Any] = {Quantity.SUCCESS: Total(rate)}
    if latency is not None:
        answers[Quantity.REQUEST_SECONDS] = Total(rate * latency)
    return Service(**{"ready": replicas, "slo_latency_seconds": 0.72, "answers": answers, **others})


def ticks(run: Run, count: int, *services: Service) -> list[list[int]]:
    return [run.tick(*services) for _ in range(count)]


# --- when it plans


def test_the_first_plan_comes_after_a_minute_and_the_next_at_whole_intervals() -> None:
    run = faro(foreseen=12.0)
    planned = [(tick, desired) for tick, desired in enumerate(ticks(run, 62, serving(1))) if desired != [1]]
    # Ticks of 10 s: the sixth is a minute after the start, the 30th and 60th are whole intervals of 300 s.
    assert [tick for tick, _ in planned] == [6, 30, 60]
    assert all(desired == [3] for _, desired in planned)
    assert run.reason == "Held"


def test_a_missed_tick_delays_the_plan_and_nothing_else() -> None:
    run = faro()
    run.tick(serving(1))
    assert run.tick(serving(1), after_seconds=200.0) == [3], "the first plan"
    assert run.tick(serving(1), after_seconds=200.0) == [3], "the one of 300 s"
    assert run.tick(serving(1)) == [1]


# --- what it plans on


def test_without_a_quota_it_plans_the_replicas_that_a_service_is_better_off_with() -> None:
    run = faro(foreseen=20.0)
    run.tick(serving(1))
    assert run.tick(serving(1), after_seconds=60.0) == [5]
    assert run.reason == "Planned"


def test_a_large_fleet_is_planned_into_overload_unless_overload_counts() -> None:
    found = {}
    for counts in (False, True):
        run = faro(foreseen=300.0, overload_counts=counts)
        run.tick(serving(40))
        found[counts] = run.tick(serving(40), after_seconds=60.0)[0]
    assert found[False] * (1.0 / 0.18) < 200.0, "300 requests a second need 54 replicas at the least"
    assert found[True] * (1.0 / 0.18) > 300.0


def test_a_higher_quantile_of_the_forecast_plans_more() -> None:
    plans = []
    for quantile in (0.5, 0.9):
        run = faro(forecaster=Foreseen([20.0], deviation=8.0), quantile=quantile)
        run.tick(serving(1))
        plans.append(run.tick(serving(1), after_seconds=60.0)[0])
    assert plans[0] < plans[1]


def test_spare_quota_raises_the_quantile_of_the_app_variants() -> None:
    found = {}
    for raised in (False, True):
        for quota in (11, 60):
            run = faro(forecaster=Foreseen([20.0], deviation=8.0), services=2, quota=quota, raise_quantile=raised)
            run.tick(serving(6), serving(6))
            found[raised, quota] = sum(run.tick(serving(6), serving(6), after_seconds=60.0))
    assert found[True, 60] > found[False, 60], "quota is left over"
    assert found[True, 11] == found[False, 11], "a higher quantile would use it up"


def test_fewer_minutes_than_its_context_let_the_observed_ones_stand_for_the_next() -> None:
    run = faro(foreseen=100.0, history=14, rate=20.0)
    run.tick(serving(1, rate=20.0))
    assert run.tick(serving(1, rate=20.0), after_seconds=30.0) == [1]
    assert run.tick(serving(1, rate=20.0), after_seconds=30.0) == [17], "the 15th minute: it is foreseen"
    shorter = faro(foreseen=100.0, history=3, rate=20.0)
    shorter.tick(serving(1, rate=20.0))
    assert shorter.tick(serving(1, rate=20.0), after_seconds=60.0) == [5], "as for 20 requests a second"


def test_an_unknown_demand_keeps_the_replicas() -> None:
    run = faro(history=0)
    silent = Service(ready=3, slo_latency_seconds=0.72)
    run.tick(silent)
    assert run.tick(silent, after_seconds=60.0) == [3]
    assert run.reason == "Unknown"


def test_an_unknown_minute_repeats_the_one_before_and_is_no_zero() -> None:
    run = faro(rate=20.0)
    silent = Service(ready=3, slo_latency_seconds=0.72)
    run.tick(silent)
    run.tick(silent, after_seconds=60.0)
    history = run.memory.foresight.history
    assert history.value[0, -1] == pytest.approx(20.0)
    assert not history.known[0, -1]


def test_what_comes_counts_as_demand_whatever_is_answered() -> None:
    """Its router counts requests before the replicas."""
    run = faro()
    service = Service(
        ready=1, slo_latency_seconds=0.72, answers={Quantity.SUCCESS: Total(10.0), Quantity.ARRIVED: Total(14.0)}
    )
    run.tick(service)
    run.tick(service, after_seconds=60.0)
    assert run.memory.foresight.history.value[0, -1] == pytest.approx(14.0)


def test_a_forecast_of_nothing_plans_one_replica() -> None:
    run = faro(foreseen=0.0)
    run.tick(serving(4))
    assert run.tick(serving(4), after_seconds=60.0) == [1]


def test_a_replica_with_batches_is_as_many_servers_as_its_usable_batch_has_items() -> None:
    # tau(8) = 120 ms fits twice into 250 ms: 66.7 requests a second, where single requests of 50 ms give 20.
    batched = faro(profile=profile(), foreseen=100.0)
    alone = faro(profile=profile(), foreseen=100.0, batching=False)
    service = serving(1, slo_latency_seconds=0.25)
    for run in (batched, alone):
        run.tick(service)
    assert batched.tick(service, after_seconds=60.0) == [2]
    assert alone.tick(service, after_seconds=60.0)[0] > 5


# --- the quota


def test_services_share_the_quota() -> None:
    run = faro(foreseen=40.0, services=2, quota=9)
    services = (serving(2), serving(2))
    run.tick(*services)
    desired = run.tick(*services, after_seconds=60.0)
    assert sum(desired) == 9
    assert min(desired) >= 1


def test_a_service_of_unknown_demand_keeps_its_part_of_the_quota() -> None:
    policy = Faro(
        profile=profile_of_saturation(*[1.0 / 0.18] * 2, slo_latency_seconds=0.72),
        forecaster=Foreseen([40.0]),
        quota=10,
    )
    run = Run(policy, memory=policy.start(past([40.0] * 60, [None] * 60)))
    services = (serving(2), Service(ready=4, slo_latency_seconds=0.72))
    run.tick(*services)
    assert run.tick(*services, after_seconds=60.0) == [6, 4]


def test_objectives_that_compare_services_need_a_quota() -> None:
    with pytest.raises(ValueError, match="fair compares services and needs a quota"):
        Faro(profile=profile(), objective=Objective.FAIR)


# --- the reaction


def reacting(*, services: int = 1, **knobs: Any) -> Run:
    """Just after a plan, with the next one five minutes away."""
    run = faro(services=services, **knobs)
    fleet = [serving(4)] * services
    run.tick(*fleet)
    run.tick(*fleet, after_seconds=301.0)
    return run


def test_three_checks_above_the_slo_add_one_replica() -> None:
    run = reacting()
    assert ticks(run, 3, serving(4, latency=LATE)) == [[4], [4], [5]]
    assert run.reason == "Reactive"
    assert ticks(run, 3, serving(5, latency=LATE)) == [[5], [5], [6]], "and the count begins anew"


def test_a_check_below_the_slo_does_not_reset_the_count() -> None:
    run = reacting()
    found = [run.tick(serving(4, latency=latency)) for latency in (LATE, FINE, LATE, FINE, LATE)]
    assert found == [[4], [4], [4], [4], [5]]


def test_it_never_reacts_by_taking_away() -> None:
    run = reacting()
    assert ticks(run, 25, serving(4, latency=0.01)) == [[4]] * 25


def test_nothing_reacts_while_replicas_of_the_last_action_start() -> None:
    run = reacting()
    assert ticks(run, 6, serving(4, latency=LATE, starting=1)) == [[5]] * 6
    assert ticks(run, 3, serving(5, latency=LATE)) == [[5], [5], [6]]


def test_a_plan_clears_the_checks() -> None:
    run = reacting()
    ticks(run, 2, serving(4, latency=LATE))
    run.tick(serving(4, latency=LATE), after_seconds=300.0)
    assert run.reason == "Planned"
    assert ticks(run, 2, serving(4, latency=LATE)) == [[4], [4]]


def test_an_unknown_latency_is_no_check() -> None:
    run = reacting()
    ticks(run, 2, serving(4, latency=LATE))
    assert run.tick(Service(ready=4, slo_latency_seconds=0.72)) == [4]
    assert run.tick(serving(4, latency=LATE)) == [5]


def test_the_reaction_stays_within_the_quota_in_the_order_of_services() -> None:
    run = reacting(services=2, quota=9)
    late = (serving(4, latency=LATE), serving(4, latency=LATE))
    assert ticks(run, 3, *late) == [[4, 4], [4, 4], [5, 4]]
    full = reacting(quota=4)
    assert ticks(full, 3, serving(4, latency=LATE)) == [[4]] * 3
    assert full.reason == "Quota"


def test_the_reaction_stays_below_the_maximum() -> None:
    run = reacting()
    assert ticks(run, 3, serving(4, latency=LATE, maximum=4)) == [[4]] * 3


# --- seam


def test_it_asks_for_the_rate_of_a_minute_and_the_latency_of_half_a_minute() -> None:
    assert set(faro().policy.queries) == {
        Query(Quantity.ARRIVED, Over.RATE, 60.0),
        Query(Quantity.SUCCESS, Over.RATE, 30.0),
        Query(Quantity.REQUEST_SECONDS, Over.RATE, 30.0),
    }


@pytest.mark.parametrize("seed", range(3))
def test_without_a_quota_rows_are_independent(seed: int) -> None:
    check_rows_are_independent(lambda profile: Faro(profile=profile, raise_quantile=bool(seed % 2)), seed=seed)


def test_a_quota_divides_the_same_each_time() -> None:
    found = []
    for _ in range(2):
        run = faro(foreseen=40.0, services=3, quota=12, objective=Objective.FAIR_SUM)
        services = (serving(2), serving(3), serving(4))
        run.tick(*services)
        found.append(run.tick(*services, after_seconds=60.0))
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("knob", "value"),
    [
        ("quantile", 1.0),
        ("demand_factor", 0.0),
        ("plan_seconds", 10.0),
        ("horizon_steps", 0),
        ("context_steps", 0),
        ("start_delay_seconds", -1.0),
        ("percentile", 100.0),
        ("tick_seconds", 0.0),
    ],
)
def test_knobs_outside_their_range_are_refused_by_name(knob: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{knob} must be within"):
        faro(**{knob: value})


def test_time_of_the_first_plan_does_not_depend_on_the_epoch() -> None:
    policy = Faro(profile=profile(), forecaster=Foreseen([10.0]))
    memory = policy.start(past([10.0] * 30, end_seconds=NOW + 17.0))
    run = Run(policy, memory=memory, now_seconds=NOW + 17.0)
    run.tick(Service())
    run.tick(Service(), after_seconds=60.0)
    assert np.isfinite(run.memory.planned_seconds)
