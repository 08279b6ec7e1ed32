"""A piece of the past: the minutes that are a service's own, as demand, and nobody else's."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from foretide.adapters import promql
from foretide.adapters.errors import AdapterError
from foretide.adapters.prometheus_grid import Workload
from foretide.control.past import Chunk, Owner, ServiceId, own_minutes, read
from foretide.control.world import Key
from foretide.scaling.arrays import Floats
from foretide.scaling.policy import Past, Quantity
from foretide.scaling.readings import Readings
from tests.control.fakes import DOWN, FakePrometheus

END = 1_763_800_020.0
RANKER = Workload("shop", "ranker--cpu-16")
NAMESAKE = Workload("bank", "ranker--cpu-16")
SUCCESS, FAILURE, INFERENCE = Quantity.SUCCESS, Quantity.FAILURE, Quantity.INFERENCE
Rate = Callable[[float], float]
NAN = float("nan")


def owner(workload: Workload = RANKER, *, since: float = 0.0, max_batch: int = 8) -> Owner:
    service = ServiceId(Key(workload.namespace, "ranker"), f"uid-in-{workload.namespace}")
    return Owner(service, workload, since_seconds=since, max_batch=max_batch)


def minute(time: float) -> float:
    """Minutes before END."""
    return (END - time) / 60.0


def computed(prometheus: FakePrometheus, rates: dict[Quantity, Rate], workload: Workload = RANKER) -> None:
    for quantity, rate in rates.items():
        prometheus.past.setdefault(promql.history(quantity, rate_window_seconds=30.0), {})[workload] = rate


def recorded(prometheus: FakePrometheus, rates: dict[Quantity, Rate], workload: Workload = RANKER) -> None:
    for quantity, rate in rates.items():
        prometheus.past.setdefault(promql.recorded(quantity), {})[workload] = rate


def steady(rps: float) -> dict[Quantity, Rate]:
    return {SUCCESS: lambda _: rps, FAILURE: lambda _: 0.0, INFERENCE: lambda _: rps}


async def look(prometheus: FakePrometheus, *owners: Owner, steps: int = 5) -> Chunk:
    return await read(prometheus, owners, steps=steps, end_seconds=END, rate_window_seconds=30.0)


def demand(chunk: Chunk) -> Floats:
    return np.where(chunk.past.demand.known, chunk.past.demand.value, NAN)


async def test_demand_is_what_was_asked_in_items() -> None:
    prometheus = FakePrometheus()
    computed(prometheus, {SUCCESS: lambda t: 10.0 + minute(t), FAILURE: lambda _: 2.0, INFERENCE: lambda _: 20.0})
    chunk = await look(prometheus, owner(), steps=3)
    np.testing.assert_allclose(demand(chunk), [[14.0 * 20 / 12, 13.0 * 20 / 11, 12.0 * 20 / 10]])
    assert (chunk.past.end_seconds, chunk.past.step_seconds) == (END, 60.0)
    assert chunk.services == (owner().service,)


async def test_a_namesake_has_a_past_of_its_own() -> None:
    prometheus = FakePrometheus()
    computed(prometheus, steady(1.0))
    computed(prometheus, steady(2.0), NAMESAKE)
    chunk = await look(prometheus, owner(NAMESAKE), owner(RANKER), steps=1)
    np.testing.assert_allclose(demand(chunk), [[2.0], [1.0]])


async def test_of_whom_nothing_is_known_nothing_is_told() -> None:
    prometheus = FakePrometheus()
    computed(prometheus, steady(1.0))
    computed(prometheus, steady(NAN), NAMESAKE)
    chunk = await look(prometheus, owner(NAMESAKE), owner(RANKER), owner(Workload("shop", "other--cpu-16")))
    assert chunk.services == (owner().service,)
    assert (await look(FakePrometheus(), owner())).services == ()


async def test_a_minute_without_success_is_not_known() -> None:
    prometheus = FakePrometheus()
    rates = steady(4.0) | {SUCCESS: lambda t: NAN if minute(t) == 1.0 else 4.0}
    computed(prometheus, rates)
    np.testing.assert_allclose(demand(await look(prometheus, owner(), steps=3)), [[4.0, NAN, 4.0]])


@pytest.mark.parametrize(("age", "own"), [(59.0, 0), (60.0, 1), (119.0, 1), (120.0, 2), (150.0, 2), (1e6, 5)])
async def test_a_service_does_not_inherit_from_one_of_the_same_name(age: float, own: int) -> None:
    """A rate of a minute looks back over one."""
    prometheus = FakePrometheus()
    computed(prometheus, steady(4.0))
    young = owner(since=END - age)
    assert min(own_minutes(young, END, rate_window_seconds=30.0), 5) == own
    chunk = await look(prometheus, young)
    expected = [[NAN] * (5 - own) + [4.0] * own]
    assert len(chunk.services) == (own > 0)
    if own:
        np.testing.assert_allclose(demand(chunk), expected)


async def test_items_of_a_predecessor_do_not_count() -> None:
    """Its requests had eight items each; ours have not been answered yet."""
    prometheus = FakePrometheus()
    rates: dict[Quantity, Rate] = {
        SUCCESS: lambda t: 0.0 if minute(t) < 2 else 10.0,
        FAILURE: lambda _: 3.0,
        INFERENCE: lambda t: 0.0 if minute(t) < 2 else 80.0,
    }
    computed(prometheus, rates)
    chunk = await look(prometheus, owner(since=END - 120.0))
    np.testing.assert_allclose(demand(chunk), [[NAN, NAN, NAN, 3.0, 3.0]])


async def test_what_was_recorded_is_not_computed_again() -> None:
    prometheus = FakePrometheus()
    recorded(prometheus, steady(3.0))
    computed(prometheus, steady(9.0))
    chunk = await look(prometheus, owner())
    np.testing.assert_allclose(demand(chunk), [[3.0] * 5])
    assert [asked.promql for asked in prometheus.ranges] == [
        promql.recorded(quantity) for quantity in (SUCCESS, FAILURE, INFERENCE)
    ]


async def test_only_the_minutes_in_which_nothing_was_recorded_are_computed() -> None:
    """The rules came three minutes ago; and while they are there a service without pods is not asked for again."""
    prometheus = FakePrometheus()

    def since_then(rps: float) -> Rate:
        return lambda time: rps if minute(time) < 3 else NAN

    rates = {SUCCESS: since_then(3.0), FAILURE: since_then(0.0), INFERENCE: since_then(3.0)}
    recorded(prometheus, rates)
    recorded(prometheus, {quantity: lambda _: NAN for quantity in rates}, NAMESAKE)
    computed(prometheus, steady(9.0))
    computed(prometheus, steady(9.0), NAMESAKE)
    chunk = await look(prometheus, owner(), owner(NAMESAKE))
    np.testing.assert_allclose(demand(chunk), [[9.0, 9.0, 3.0, 3.0, 3.0], [9.0, 9.0, NAN, NAN, NAN]])
    asked = [one for one in prometheus.ranges if one.promql == promql.history(SUCCESS, rate_window_seconds=30.0)]
    assert [(minute(one.start_seconds), minute(one.end_seconds)) for one in asked] == [(4.0, 3.0)]


async def test_half_of_a_past_is_none() -> None:
    for expression in [promql.recorded(INFERENCE), promql.history(FAILURE, rate_window_seconds=30.0)]:
        prometheus = FakePrometheus()
        computed(prometheus, steady(1.0))
        prometheus.refuse = lambda asked, expression=expression: DOWN if asked.promql == expression else None  # type: ignore[misc]
        with pytest.raises(AdapterError):
            await look(prometheus, owner())


def test_rows_are_found_by_service() -> None:
    known = np.array([[True, False], [True, True]])
    readings = Readings(value=np.array([[1.0, 0.0], [2.0, 3.0]]), known=known)
    one, other = ServiceId(Key("shop", "a"), "1"), ServiceId(Key("shop", "b"), "2")
    chunk = Chunk(services=(one, other), past=Past(demand=readings, step_seconds=60.0, end_seconds=END))
    anew = ServiceId(one.key, "another uid")
    found = chunk.of([anew, other, one])
    np.testing.assert_array_equal(found.demand.known, [[False, False], [True, True], [True, False]])
    np.testing.assert_array_equal(found.demand.value, [[0.0, 0.0], [2.0, 3.0], [1.0, 0.0]])
    assert (found.step_seconds, found.end_seconds) == (60.0, END)
    assert chunk.of([]).demand.value.shape == (0, 2)
