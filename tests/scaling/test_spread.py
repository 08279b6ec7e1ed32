"""What was decided for services that list several classes, divided among these within quotas; others are untouched."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import given

from foretide.scaling.arbitrate import NO_QUOTA, Why
from foretide.scaling.arrays import Ints
from foretide.scaling.capacity.rate import Capacity
from foretide.scaling.classes import Classes
from foretide.scaling.decision import Bound, Decisions, Divided, Hindrance, Quotas, Stuck
from foretide.scaling.ration import ration
from foretide.scaling.spread import spread
from tests.scaling.build import bounds, capacity, floats, ints, join, judge, same
from tests.scaling.strategies import seeds
from tests.scaling.test_ration import foreseen, random_case, services


def classes(*each: dict[str, Any]) -> Classes:
    """Each says its service, and what is not usual of the class."""

    def column(name: str, default: Any) -> Any:
        return np.array([one.get(name, default) for one in each])

    def rates(one: dict[str, Any]) -> Capacity:
        return capacity(one.get("rate", 10.0), measured=one.get("known", True), feasible=one.get("feasible", True))

    stuck = [one.get("stuck", 0) for one in each]
    running = [one.get("running", 0) for one in each]
    return Classes(
        service=column("service", 0),
        capacity=join([rates(one) for one in each]),
        lead_seconds=column("lead", 60.0),
        running=ints(*running),
        counted=ints(*(one.get("counted", run - held) for one, run, held in zip(each, running, stuck, strict=True))),
        ready=ints(*(one.get("ready", run - held) for one, run, held in zip(each, running, stuck, strict=True))),
        stuck=Stuck(
            cause=ints(*(int(Hindrance.UNSCHEDULABLE if one else Hindrance.NONE) for one in stuck)),
            count=ints(*stuck),
            going=ints(*(run - held for run, held in zip(running, stuck, strict=True))),
        ),
        gone=column("gone", False),
        group=column("group", NO_QUOTA),
    )


def decided(*replicas: int, maximum: int = 20) -> Decisions:
    """10 a second a replica."""
    return services(*(judge(10.0 * one, replicas=one, limits=bounds(1, maximum)) for one in replicas))


def quotas(*limits: int, priority: tuple[int, ...] = (0,), group: tuple[int, ...] = (NO_QUOTA,)) -> Quotas:
    return Quotas(group=ints(*group), priority=ints(*priority), limit=ints(*limits))


def divided(made: Decisions) -> Divided:
    assert made.divided is not None
    return made.divided


def test_the_next_class_takes_what_a_quota_leaves() -> None:
    listed = classes({"running": 6, "group": 0}, {"running": 0})
    made = spread(decided(6), listed, quotas(4), foreseen(60.0))
    assert divided(made).replicas.tolist() == [4, 2]
    assert made.desired.tolist() == [6]
    assert [Why(one) for one in divided(made).why] == [Why.QUOTA, Why.ENOUGH]
    assert made.bound[0] != Bound.QUOTA  # all of the need is carried


def test_what_no_class_can_take_is_told_as_the_bound() -> None:
    made = spread(decided(6), classes({"running": 6, "group": 0}, {"gone": True}), quotas(4), foreseen(60.0))
    assert (made.desired[0], made.bound[0], made.quota[0]) == (4, Bound.QUOTA, 4)
    made = spread(decided(6), classes({"running": 6, "stuck": 3}, {"gone": True}), quotas(), foreseen(60.0))
    assert (made.desired[0], made.bound[0]) == (3, Bound.UNSCHEDULABLE)
    assert (made.stuck.count[0], made.stuck.going[0]) == (3, 3)


def test_services_share_quotas_by_place_and_then_by_priority() -> None:
    listed = classes(
        {"service": 0, "running": 9},
        {"service": 1, "running": 4, "group": 0},
        {"service": 1, "group": 1},
        {"service": 2, "running": 4, "group": 0},
        {"service": 2, "group": 1},
    )
    three = quotas(4, 3, priority=(0, 0, 9), group=(NO_QUOTA,) * 3)
    made = spread(decided(9, 4, 4), listed, three, foreseen(90.0, 40.0, 40.0))
    assert divided(made).replicas.tolist() == [9, 0, 3, 4, 0]
    assert made.desired.tolist() == [9, 3, 4]


def test_a_service_of_one_class_has_its_place_in_the_same_quota() -> None:
    listed = classes({"service": 1, "running": 4, "group": 0}, {"service": 1})
    shared = quotas(4, priority=(9, 0), group=(0, 0))
    made = spread(decided(3, 4), listed, shared, foreseen(30.0, 40.0))
    assert made.desired.tolist() == [3, 4]
    assert divided(made).replicas.tolist() == [1, 3]


def test_what_is_paused_keeps_what_it_has_and_its_part_of_the_quota() -> None:
    paused = services(judge(100.0, replicas=5, limits=bounds(1, 9, paused=True)), judge(40.0, replicas=4))
    listed = classes({"service": 0, "running": 3, "group": 0}, {"service": 0, "running": 2})
    shared = quotas(4, priority=(0, 0), group=(0, 0))
    made = spread(paused, listed, shared, foreseen(100.0, 40.0))
    assert divided(made).replicas.tolist() == [3, 2]
    assert made.desired.tolist() == [5, 1]


def test_the_maximum_at_a_slow_rate_hides_no_load_from_a_fast_class() -> None:
    """900 a second at 10 each are 90 replicas, of which 40 are allowed; at 100 each nine do."""
    slow = services(judge(900.0, replicas=40, limits=bounds(1, 40)))
    listed = classes({"rate": 100.0}, {"rate": 10.0, "running": 40})
    made = spread(slow, listed, quotas(), foreseen(900.0))
    assert divided(made).counted.tolist() == [9, 0]
    assert divided(made).replicas.tolist() == [9, 40]  # until the nine are ready


# Which class sets the pace


def test_the_slowest_class_in_use_is_what_a_replica_is_counted_on_for() -> None:
    listed = classes({"rate": 100.0, "running": 2}, {"rate": 10.0, "running": 3}, {"rate": 1.0})
    assert listed.slowest(capacity(7.0)).rate_rps.tolist() == [10.0]


def test_what_only_waits_or_is_handed_over_sets_no_pace() -> None:
    listed = classes({"rate": 100.0, "running": 2}, {"rate": 10.0, "running": 3, "counted": 0})
    assert listed.slowest(capacity(7.0)).rate_rps.tolist() == [100.0]


def test_a_class_that_never_served_is_taken_for_the_slowest_that_did() -> None:
    listed = classes({"rate": 100.0, "running": 2}, {"rate": 3.0, "known": False}, {"rate": 40.0})
    assert listed.rate_rps.tolist() == [100.0, 40.0, 40.0]
    nothing = classes({"rate": 3.0, "known": False}, {"rate": 3.0, "known": False})
    assert nothing.rate_rps.tolist() == [3.0, 3.0]


def test_growth_is_planned_for_the_slowest_start_of_the_classes_it_may_go_to() -> None:
    usual = floats(5.0)
    unbound = classes({"running": 2, "lead": 30.0}, {"lead": 200.0})
    assert unbound.longest(usual).tolist() == [30.0]
    bound = classes({"running": 2, "lead": 30.0, "group": 0}, {"lead": 200.0}, {"lead": 900.0})
    assert bound.longest(usual).tolist() == [200.0]


def test_rows_are_those_of_the_services_that_are_looked_at() -> None:
    listed = classes({"service": 1, "rate": 1.0}, {"service": 1, "rate": 2.0}, {"service": 3, "rate": 3.0})
    taken = listed.take(ints(3, 0, 1))
    assert taken is not None
    assert (taken.service.tolist(), taken.capacity.rate_rps.tolist()) == ([0, 2, 2], [3.0, 1.0, 2.0])
    assert listed.take(ints(0, 2)) is None


# Services that list one class


@given(seeds)
def test_without_services_of_several_classes_it_is_the_sharing_of_quotas_and_nothing_else(seed: int) -> None:
    made, shared, foresight = random_case(seed)
    assert same(spread(made, None, shared, foresight), ration(made, shared, foresight))


@given(seeds)
def test_a_service_that_lists_several_changes_nothing_for_those_that_list_one(seed: int) -> None:
    """Bit for bit, where they share no quota with it."""
    made, shared, foresight = random_case(seed)
    alone = ration(made, replace(shared, group=_without(shared.group, 0)), foresight)
    free = [{"service": 0, "running": int(made.fleet.replicas[0])}, {"service": 0}]
    beside = spread(made, classes(*free), shared, foresight)
    for name in ("desired", "bound", "quota"):
        assert same(getattr(beside, name)[1:], getattr(alone, name)[1:])


def _without(group: Ints, row: int) -> Ints:
    return np.where(np.arange(len(group)) == row, NO_QUOTA, group)


@given(seeds)
def test_one_class_in_the_list_is_decided_as_one_without_a_list(seed: int) -> None:
    """Where nothing is paused and quotas bind nothing, to the last replica."""
    made, _, foresight = random_case(seed)
    rates = made.capacity.rate_rps
    listed = classes(
        *(
            {"service": row, "rate": float(rates[row]), "running": int(made.fleet.replicas[row])}
            for row in range(len(made))
        )
    )
    free = replace(quotas(), group=np.full(len(made), NO_QUOTA), priority=np.zeros(len(made), dtype=np.int64))
    spreaded = spread(made, listed, free, foresight)
    kept = ~made.seen.demand.known | (made.desired < made.bounds.maximum)
    assert (spreaded.desired == made.desired)[kept].all()
