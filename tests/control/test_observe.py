"""What a tick sees: all of Prometheus' answers or none, and every pod of every service in its row."""

from __future__ import annotations

import asyncio

import pytest

from foretide.adapters.errors import Rejected, Unavailable
from foretide.adapters.prometheus import Pod
from foretide.adapters.promql import TickQueries, tick_queries
from foretide.adapters.resources import POD
from foretide.api.reasons import Reason
from foretide.control import observe
from foretide.control.observe import NoMetrics
from foretide.control.world import World
from tests.control import objects
from tests.control.cluster import key
from tests.control.fakes import DOWN, FakePrometheus

QUANTITIES = [name for name, _ in tick_queries(rate_window_seconds=30).items()]
NOW = 1_763_800_000.0  # 26 min 40 s after objects.SINCE


async def test_every_quantity_is_asked_for_once() -> None:
    prometheus = FakePrometheus(samples={name: {Pod("shop", "p"): 1.0} for name in QUANTITIES})
    found = await observe.metrics(prometheus, rate_window_seconds=30)
    assert found == {name: {Pod("shop", "p"): 1.0} for name in QUANTITIES}
    assert sorted(prometheus.queries) == sorted(text for _, text in tick_queries(rate_window_seconds=30).items())


@pytest.mark.parametrize("quantity", QUANTITIES)
@pytest.mark.parametrize(
    "error",
    [
        DOWN,
        Unavailable("no answer in 4 s", reason="PrometheusTimeout"),
        Rejected("HTTP 400", reason="PrometheusRejected"),
        Rejected("not JSON", reason="PrometheusMalformed"),
    ],
)
async def test_half_an_answer_is_none(quantity: str, error: Unavailable | Rejected) -> None:
    prometheus = FakePrometheus(samples={name: {Pod("shop", "p"): 1.0} for name in QUANTITIES}, fail={quantity: error})
    found = await observe.metrics(prometheus, rate_window_seconds=30)
    assert found == NoMetrics(Reason(error.reason), str(error))


async def test_the_queries_that_still_run_when_one_failed_are_given_up() -> None:
    class Hanging(FakePrometheus):
        async def by_pod(self, promql: str) -> dict[Pod, float]:
            self.queries.append(promql)
            if len(self.queries) == 1:
                raise DOWN
            await asyncio.Event().wait()
            raise AssertionError

    assert isinstance(await observe.metrics(Hanging(), rate_window_seconds=30), NoMetrics)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


def test_pods_are_found_by_namespace_and_name_and_by_nothing_that_a_target_could_forge() -> None:
    world = World()
    world.seen(POD, objects.pod("p", since="2025-11-22T08:25:40Z"))
    world.seen(POD, objects.pod("starting", ready=False))
    world.seen(POD, objects.pod("leaving", terminating=True))
    world.seen(POD, objects.pod("p", namespace="bank"))
    found = {name: {Pod("shop", "p"): 1.0, Pod("other", "p"): 9.0, Pod("shop", "q"): 9.0} for name in QUANTITIES}
    found["pending"] = {Pod("bank", "p"): float("nan"), Pod("shop", "leaving"): 4.0}
    table = observe.pods(world, [key(namespace="bank"), key()], found, now_seconds=NOW)
    assert table.service.tolist() == [0, 1, 1, 1]
    assert table.ready.tolist() == [True, True, False, False]
    assert table.ready_age_seconds.tolist() == [1600.0, 60.0, 0.0, 0.0]
    assert table.success_rps.known.tolist() == [False, True, False, False]
    assert table.success_rps.value.tolist() == [0.0, 1.0, 0.0, 0.0]
    assert table.pending.known.tolist() == [False, False, False, True]  # NaN is unknown


def test_each_quantity_reaches_its_own_column() -> None:
    world = World()
    world.seen(POD, objects.pod("p"))
    found = {name: {Pod("shop", "p"): float(number)} for number, name in enumerate(QUANTITIES)}
    table = observe.pods(world, [key()], found, now_seconds=NOW)
    assert list(TickQueries.__dataclass_fields__) == QUANTITIES
    for number, name in enumerate(QUANTITIES):
        assert getattr(table, name).value.tolist() == [number]


def test_without_metrics_everything_is_unknown() -> None:
    world = World()
    world.seen(POD, objects.pod("p"))
    table = observe.pods(world, [key()], NoMetrics(Reason.PROMETHEUS_TIMEOUT, ""), now_seconds=NOW)
    for name in QUANTITIES:
        assert not getattr(table, name).known.any()


def test_a_pod_that_became_ready_in_the_future_is_young() -> None:
    world = World()
    world.seen(POD, objects.pod("p", since="2025-11-22T09:00:00Z"))
    assert observe.pods(world, [key()], {}, now_seconds=NOW).ready_age_seconds.tolist() == [0.0]
