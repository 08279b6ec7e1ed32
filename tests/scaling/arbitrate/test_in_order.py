"""One service on several classes: what a mixed fleet carries, who takes what, and when it is given up."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.scaling.arbitrate.in_order import Need, Room, Split, Why, hand_over, in_order
from foretide.scaling.arrays import Ints

MANY = 10**6


def need(*replicas: int, rate: float = 10.0, minimum: int = 1, maximum: int = MANY, pinned: bool = False) -> Need:
    count = len(replicas)
    return Need(
        replicas=np.array(replicas),
        rate_rps=np.full(count, rate),
        minimum=np.full(count, minimum),
        maximum=np.full(count, maximum),
        is_pinned=np.full(count, pinned),
    )


def room(*classes: dict[str, Any]) -> Room:
    """The classes of one service; `most` is room for so many pods, and more of them wait."""

    def column(name: str, default: Any) -> Any:
        return np.array([[one.get(name, default) for one in classes]])

    most = [one.get("most") for one in classes]
    return Room(
        there=np.ones((1, len(classes)), dtype=np.bool_),
        rate_rps=column("rate", 10.0),
        feasible=column("feasible", True),
        gone=column("gone", False),
        stuck=np.array([[one is not None for one in most]]),
        going=np.array([[one or 0 for one in most]]),
        asking=np.array([[(one or 0) + 1 for one in most]]),
    )


def quotas(*limits: int) -> Any:
    return lambda place, wanted: np.minimum(wanted, limits[place])


def told(split: Split) -> tuple[list[int], list[int], list[str]]:
    return split.counted[0].tolist(), split.asked[0].tolist(), [Why(one).name for one in split.why[0]]


# Who takes what


def test_the_first_class_takes_all_that_it_can() -> None:
    assert told(in_order(need(7), room({}, {}))) == ([7, 0], [7, 0], ["ENOUGH", "UNNEEDED"])


def test_the_next_takes_what_a_quota_keeps_from_the_first() -> None:
    split = in_order(need(7), room({}, {}, {}), quotas(4, 2, 9))
    assert told(split) == ([4, 2, 1], [4, 2, 1], ["QUOTA", "QUOTA", "ENOUGH"])


def test_the_next_takes_what_finds_no_room_and_the_first_goes_on_asking() -> None:
    split = in_order(need(7), room({"most": 4}, {}))
    assert told(split) == ([4, 3], [5, 3], ["HINDERED", "ENOUGH"])
    split = in_order(need(7), room({"most": 0}, {}))
    assert told(split) == ([0, 7], [1, 7], ["HINDERED", "ENOUGH"])


def test_a_class_that_is_gone_or_cannot_keep_the_slo_takes_nothing() -> None:
    split = in_order(need(7), room({"gone": True}, {"feasible": False}, {}))
    assert told(split) == ([0, 0, 7], [0, 0, 7], ["GONE", "INFEASIBLE", "ENOUGH"])


def test_where_no_other_is_there_a_class_that_cannot_keep_the_slo_serves_all_the_same() -> None:
    split = in_order(need(7), room({"feasible": False}, {"gone": True}, {"most": 0}))
    assert told(split) == ([7, 0, 0], [7, 0, 1], ["ENOUGH", "GONE", "HINDERED"])


def test_a_pinned_number_is_divided_whatever_replicas_can_do() -> None:
    classes = room({"rate": 100.0}, {"rate": 1.0})
    assert told(in_order(need(6, pinned=True, rate=100.0), classes, quotas(4, 9)))[0] == [4, 2]


def test_what_orders_say_holds_over_all_classes_together() -> None:
    assert in_order(need(1, minimum=5), room({}, {}), quotas(2, 9)).counted.tolist() == [[2, 3]]
    assert in_order(need(50, maximum=6), room({}, {}), quotas(2, 9)).counted.tolist() == [[2, 4]]


# What a mixed fleet carries


def test_with_a_slower_class_all_replicas_count_for_its_rate() -> None:
    # 550 a second: five and a half of the fast ones, of which there are four; 11 at 50 are.
    split = in_order(need(6, rate=550 / 6), room({"rate": 100.0}, {"rate": 50.0}), quotas(4, 99))
    assert told(split)[0] == [4, 7]


def test_a_class_with_which_the_service_would_carry_less_is_left_out() -> None:
    # 1,100 a second. Ten fast ones carry 1,000, and with 30 slow ones beside them 400.
    split = in_order(need(11, rate=100.0, maximum=40), room({"rate": 100.0}, {"rate": 10.0}), quotas(10, 99))
    assert told(split) == ([10, 0], [10, 0], ["QUOTA", "SLOWER"])
    assert not split.carried[0]


def test_a_slow_first_class_that_makes_the_next_bring_more_is_left_out() -> None:
    classes, limits = room({"rate": 10.0}, {"rate": 100.0}), quotas(4, 99)
    assert in_order(need(3), classes, limits).counted.tolist() == [[3, 0]]
    assert told(in_order(need(90), classes, limits)) == ([0, 9], [0, 9], ["QUOTA", "ENOUGH"])


def test_back_to_the_fast_class_alone_as_soon_as_it_carries_all() -> None:
    classes, limits = room({"rate": 100.0}, {"rate": 10.0}), quotas(10, 999)
    assert in_order(need(101, rate=10.0), classes, limits).counted.tolist() == [[10, 91]]
    assert in_order(need(100, rate=10.0), classes, limits).counted.tolist() == [[10, 0]]


def test_what_a_class_has_no_quota_for_is_not_asked_of_an_earlier_one_without_any() -> None:
    """The second is fast enough alone; the first was not wanted when quotas were asked for the first time."""
    split = in_order(need(1, rate=7.5, minimum=1, maximum=5), room({"rate": 1.0}, {"rate": 7.5}), quotas(0, 0))
    assert split.asked.tolist() == [[0, 0]]
    assert not split.carried[0]


rates = st.sampled_from([1.0, 7.5, 10.0, 10.0, 33.0, 100.0])
one_class = st.fixed_dictionaries(
    {
        "rate": rates,
        "most": st.none() | st.integers(0, 6),
        "feasible": st.sampled_from([True, True, False]),
        "gone": st.sampled_from([False, False, True]),
    }
)
limits = st.lists(st.integers(0, 8) | st.just(MANY), min_size=4, max_size=4)
several = st.lists(one_class, min_size=1, max_size=4)


def within(classes: list[dict[str, Any]], quota: list[int]) -> list[int]:
    """Replicas that can serve of each class."""
    tops = [
        min(limit, MANY if one["most"] is None else one["most"]) for one, limit in zip(classes, quota, strict=False)
    ]
    return [0 if one["gone"] else top for one, top in zip(classes, tops, strict=True)]


@given(several, limits, st.integers(1, 30), rates, st.integers(1, 5), st.integers(5, 60))
def test_what_carries_the_need_does_by_the_law_of_even_shares(
    classes: list[dict[str, Any]], quota: list[int], replicas: int, rate: float, minimum: int, maximum: int
) -> None:
    wanted = need(replicas, rate=rate, minimum=minimum, maximum=maximum)
    split = in_order(wanted, room(*classes), quotas(*quota))
    counted = split.counted[0]
    assert (counted <= within(classes, quota)).all()
    assert (counted <= split.asked[0]).all()
    assert counted.sum() <= max(maximum, minimum)
    used = [one["rate"] for one, count in zip(classes, counted, strict=True) if count]
    share = replicas * rate / max(counted.sum(), 1)  # what each pod gets, whatever its class
    carried = bool(used) and share <= min(used) * (1 + 1e-6) and counted.sum() >= minimum
    assert carried == bool(split.carried[0])


@given(several, st.integers(1, 12), rates)
def test_nothing_else_would_carry_what_it_says_cannot_be_carried(
    classes: list[dict[str, Any]], replicas: int, rate: float
) -> None:
    """Against all ways to fill small classes."""
    sizes = [3] * len(classes)
    classes = [{**one, "feasible": True, "most": None} for one in classes]
    split = in_order(need(replicas, rate=rate), room(*classes), quotas(*sizes))
    tops = within(classes, sizes)

    def capacity(counts: tuple[int, ...] | Ints) -> float:
        used = [one["rate"] for one, count in zip(classes, counts, strict=True) if count]
        return sum(counts) * min(used, default=0.0)

    most = max(capacity(ways) for ways in product(*(range(top + 1) for top in tops)))
    if not split.carried[0]:
        assert most < replicas * rate * (1 + 1e-6)
        assert capacity(split.counted[0]) == pytest.approx(most)
    else:
        assert capacity(split.counted[0]) >= replicas * rate * (1 - 1e-6)


@given(several, limits, st.integers(1, 30))
def test_no_class_is_used_while_one_of_its_speed_before_it_has_room(
    classes: list[dict[str, Any]], quota: list[int], replicas: int
) -> None:
    classes = [{**one, "rate": 10.0, "feasible": True} for one in classes]
    counted = in_order(need(replicas), room(*classes), quotas(*quota)).counted[0]
    tops = within(classes, quota)
    for place, count in enumerate(counted):
        if count:
            assert (counted[:place] == tops[:place]).all()


@given(st.integers(0, 10**6), st.floats(1e-3, 1e6), st.integers(1, 50), st.integers(50, 10**6))
def test_one_class_alone_has_what_was_decided_to_the_last_replica(
    replicas: int, rate: float, minimum: int, maximum: int
) -> None:
    decided = min(max(replicas, minimum), maximum)
    wanted = need(decided, rate=rate, minimum=minimum, maximum=maximum)
    split = in_order(wanted, room({"rate": rate}))
    assert (split.counted[0, 0], split.asked[0, 0]) == (decided, decided)


@given(st.lists(several, min_size=2, max_size=4), st.integers(1, 30))
def test_no_service_looks_at_another(services: list[list[dict[str, Any]]], replicas: int) -> None:
    places = max(len(one) for one in services)
    alone = [room(*one) for one in services]

    def padded(name: str) -> Any:
        columns = [getattr(one, name) for one in alone]
        return np.concatenate(
            [np.pad(one, ((0, 0), (0, places - one.shape[1])), constant_values=name == "rate_rps") for one in columns]
        )

    together = Room(**{name: padded(name) for name in Room.__dataclass_fields__})
    split = in_order(need(*[replicas] * len(services)), together)
    for row, one in enumerate(alone):
        single = in_order(need(replicas), one)
        assert split.counted[row, : one.rate_rps.shape[1]].tolist() == single.counted[0].tolist()
        assert split.counted[row, one.rate_rps.shape[1] :].sum() == 0


# Make before break


def moved(split: Split, wanted: Need, classes: Room, running: list[int], ready: list[int]) -> list[int]:
    found: list[int] = hand_over(split, wanted, classes, running=np.array([running]), ready=np.array([ready]))[
        0
    ].tolist()
    return found


def test_a_class_keeps_what_serves_until_the_others_are_ready() -> None:
    wanted, classes = need(5), room({}, {})
    split = in_order(wanted, classes)
    assert moved(split, wanted, classes, [0, 5], [0, 5]) == [5, 5]
    assert moved(split, wanted, classes, [5, 5], [4, 5]) == [5, 5]
    assert moved(split, wanted, classes, [5, 5], [5, 5]) == [5, 0]


def test_what_does_not_serve_is_given_up_at_once() -> None:
    wanted, classes = need(5), room({}, {})
    assert moved(in_order(wanted, classes), wanted, classes, [2, 5], [2, 1]) == [5, 1]


def test_a_quota_takes_at_once() -> None:
    wanted, classes = need(5), room({}, {})
    split = in_order(wanted, classes, quotas(2, 9))
    assert moved(split, wanted, classes, [5, 0], [5, 0]) == [2, 3]


def test_with_less_load_the_last_class_gives_up_first() -> None:
    wanted, classes = need(6), room({}, {})
    split = in_order(wanted, classes, quotas(4, 9))
    assert moved(split, wanted, classes, [4, 6], [4, 6]) == [4, 2]


def test_a_class_that_is_gone_serves_until_others_carry_the_need() -> None:
    wanted = need(5)
    full = room({"gone": True}, {"most": 1})
    assert moved(in_order(wanted, full), wanted, full, [5, 5], [5, 1]) == [5, 2]
    free = room({"gone": True}, {})
    assert moved(in_order(wanted, free), wanted, free, [5, 5], [5, 4]) == [5, 5]
    assert moved(in_order(wanted, free), wanted, free, [5, 5], [5, 5]) == [0, 5]
    none = need(0, pinned=True)
    assert moved(in_order(none, free), none, free, [5, 0], [5, 0]) == [0, 0]


@given(several, limits, st.integers(1, 20), st.data())
def test_no_step_takes_what_serves_from_a_need_that_is_not_carried_without_it(
    classes: list[dict[str, Any]], quota: list[int], replicas: int, data: st.DataObject
) -> None:
    wanted, rooms = need(replicas), room(*classes)
    split = in_order(wanted, rooms, quotas(*quota))
    split = replace(split, why=np.where(split.why == Why.QUOTA, int(Why.ENOUGH), split.why))
    running = [data.draw(st.integers(0, 20)) for _ in classes]
    ready = [data.draw(st.integers(0, one)) for one in running]
    after = moved(split, wanted, rooms, running, ready)
    assert all(now >= asked for now, asked in zip(after, split.asked[0], strict=True))
    serving = [min(one, now) for one, now in zip(ready, after, strict=True)]
    if serving != ready:  # something that serves was given up
        rates_left = [one["rate"] for one, count in zip(classes, serving, strict=True) if count]
        carries = sum(serving) * min(rates_left, default=0.0) >= replicas * 10.0 * (1 - 1e-6)
        assert carries or sum(serving) >= split.counted[0].sum()
