"""The load read from pods: a few at once, whole services in turns, and no pod that is gone or not ours."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import pytest

from foretide.adapters.errors import Unavailable
from foretide.adapters.prometheus import Pod
from foretide.adapters.resources import DEPLOYMENT, POD
from foretide.control import direct as module
from foretide.control.direct import OUT_OF_TIME, PODS_A_TICK, PODS_AT_ONCE, READ_SECONDS, DirectReader, Scrapes
from foretide.scaling.policy import Over, Quantity, Query
from foretide.scaling.settings import ScalingSettings
from tests.control import objects
from tests.control.cluster import TICK_SECONDS, Cluster, key
from tests.control.fakes import API_DOWN, BRAIN
from tests.virtual_time import run

SUCCESS: Final = Quantity.SUCCESS
RATE: Final = Query(SUCCESS, Over.RATE, 30.0)
NEWEST: Final = Query(SUCCESS)
AGE: Final = Query(SUCCESS, Over.AGE)


class Reading:
    """A cluster and its reader, a tick at a time."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.reader = DirectReader(cluster.scraper, cluster.world, cluster.clock, BRAIN.settings)

    def tell(self, **values: float) -> None:
        """Every pod of a service has counted that much."""
        for pod, obj in self.cluster.pods.items():
            service = obj["metadata"]["labels"]["foretide.dev/service"]
            if service in values:
                self.cluster.scraper.values[self.address(pod)] = {SUCCESS: values[service]}

    def address(self, pod: Pod) -> str:
        return f"{self.cluster.pods[pod]['status']['podIP']}:8002"

    async def scrape(self, *, seconds: float = TICK_SECONDS) -> Scrapes:
        self.cluster.clock.seconds += seconds
        return await self.reader.scrape()

    def answers(self, query: Query) -> Mapping[Pod, float]:
        return self.reader.answers([query])[query]


async def reading(*services: dict[str, Any], replicas: int = 1) -> Reading:
    cluster = Cluster(objects.hardware_class())
    await cluster.serve(*(services or (objects.service(),)), replicas=replicas)
    return Reading(cluster)


POD_0: Final = Pod("shop", f"{objects.DEPLOYMENT}-0")


async def test_two_readings_make_a_rate() -> None:
    one = await reading()
    one.tell(ranker=100.0)
    assert await one.scrape() == Scrapes(asked=1)
    assert one.answers(NEWEST) == {POD_0: 100.0}
    assert one.answers(RATE) == {}
    one.tell(ranker=145.0)
    await one.scrape()
    assert one.answers(RATE) == {POD_0: 3.0}
    assert one.answers(AGE) == {POD_0: 0.0}
    assert one.cluster.scraper.asked == [("10.0.0.0:8002", "ranker")] * 2


async def test_each_query_has_its_answer() -> None:
    one = await reading()
    one.tell(ranker=1.0)
    await one.scrape()
    one.cluster.clock.seconds += 8.0  # until Prometheus has failed, too
    assert one.reader.answers([NEWEST, AGE, RATE]) == {NEWEST: {POD_0: 1.0}, AGE: {POD_0: 0.0}, RATE: {}}


async def test_what_is_older_than_the_window_is_forgotten() -> None:
    one = await reading()
    for count in range(10):
        one.tell(ranker=45.0 * count)
        await one.scrape()
        assert len(one.reader._samples["uid-of-shop-" + POD_0.name]) <= 3
    one.cluster.scraper.down = API_DOWN
    await one.scrape()
    assert one.answers(NEWEST) == one.answers(RATE) == {}, "a pod that does not answer is silent"
    one.cluster.scraper.down = None
    one.tell(ranker=45.0 * 11)
    await one.scrape()
    assert one.answers(RATE) == {POD_0: 3.0}, "what it counted meanwhile is between two readings"
    one.cluster.scraper.down = API_DOWN
    for _ in range(3):
        await one.scrape()
    assert one.reader.known == frozenset()


async def test_short_ticks_that_take_long_make_a_rate_all_the_same() -> None:
    """Ticks of 1.5 s and a window of 6 s, and a Prometheus that takes 8 s to fail."""
    one = await reading()
    settings = ScalingSettings(tick_seconds=1.5, scale_down_hold_seconds=6.0, scrape_interval_seconds=1.0)
    one.reader = DirectReader(one.cluster.scraper, one.cluster.world, one.cluster.clock, settings)
    for count in range(3):
        one.tell(ranker=24.0 * count)
        await one.scrape(seconds=8.0)
    assert one.answers(RATE) == {POD_0: 3.0}


async def test_failures_are_told_by_their_reason() -> None:
    one = await reading(replicas=3)
    one.tell(ranker=1.0)
    del one.cluster.scraper.values["10.0.0.1:8002"]
    assert await one.scrape() == Scrapes(asked=3, failed={"Unreachable": 1})
    one.cluster.scraper.down = Unavailable("HTTP status 503", reason="Refused")
    assert await one.scrape() == Scrapes(asked=3, failed={"Refused": 3})


async def test_a_pod_that_is_gone_tells_nothing_and_its_namesake_has_no_past() -> None:
    one = await reading()
    one.tell(ranker=100.0)
    await one.scrape()
    (pod,) = one.cluster.world.pods(key())
    one.cluster.world.seen(POD, pod, deleted=True)
    assert await one.scrape() == Scrapes()
    assert one.answers(NEWEST) == {}
    one.cluster.world.seen(POD, {**pod, "metadata": {**pod["metadata"], "uid": "another"}})
    one.tell(ranker=7.0)
    await one.scrape()
    assert one.answers(NEWEST) == {POD_0: 7.0}
    assert one.answers(RATE) == {}
    assert one.reader._samples.keys() == {"another"}


async def test_a_clock_that_was_set_back_begins_anew() -> None:
    one = await reading()
    one.tell(ranker=100.0)
    await one.scrape()
    one.tell(ranker=145.0)
    await one.scrape(seconds=-3600.0)
    assert one.answers(RATE) == {}
    assert one.answers(AGE) == {POD_0: 0.0}


async def test_after_an_outage_nothing_of_it_is_left() -> None:
    one = await reading()
    one.tell(ranker=100.0)
    await one.scrape()
    one.reader.forget()
    assert one.answers(NEWEST) == {}


# Who is asked


async def test_only_pods_that_serve_or_did_are_asked() -> None:
    one = await reading(replicas=0)
    for pod in (
        objects.pod("starting", ready=False, address="10.1.0.1"),
        objects.pod("leaving", terminating=True, address="10.1.0.2"),
        objects.pod("without an address yet"),
        objects.pod("theirs", service="other", address="10.1.0.3"),
        objects.pod("serving", address="fd00::4"),
    ):
        one.cluster.world.seen(POD, pod)
    assert (await one.scrape()).asked == 2
    assert {address for address, _ in one.cluster.scraper.asked} == {"10.1.0.2:8002", "[fd00::4]:8002"}
    assert one.reader.pods == {Pod("shop", "leaving"), Pod("shop", "serving")}


@pytest.mark.parametrize(
    "owner",
    [
        {},
        {**objects.replica_set(), "controller": False},
        {**objects.replica_set(), "kind": "StatefulSet"},
        {**objects.replica_set(), "name": "ranker--cpu-16"},
        {**objects.replica_set(), "name": "other--cpu-16-5d4f7c9b88"},
    ],
)
async def test_a_pod_with_our_label_that_is_not_of_our_deployment_is_not_asked(owner: dict[str, Any]) -> None:
    one = await reading(replicas=0)
    pod = objects.pod("forged", address="10.1.0.1")
    pod["metadata"]["ownerReferences"] = [owner] if owner else []
    one.cluster.world.seen(POD, pod)
    assert await one.scrape() == Scrapes()
    assert one.cluster.scraper.asked == []


async def test_pods_of_a_deployment_that_is_not_ours_are_not_asked() -> None:
    one = await reading()
    deployment = one.cluster.deployment()
    stranger = {**deployment, "metadata": {**deployment["metadata"], "ownerReferences": []}}
    one.cluster.world.seen(DEPLOYMENT, stranger)
    assert await one.scrape() == Scrapes()


async def test_pods_of_the_class_before_are_asked_as_long_as_they_serve() -> None:
    one = await reading()
    one.cluster.add(objects.hardware_class("gpu-t4"))
    one.cluster.add(objects.service(generation=2, hardware={"classes": ["gpu-t4"]}))
    await one.cluster.reconcile()
    new = objects.pod("new", address="10.2.0.1", owner=objects.replica_set(hardware_class="gpu-t4"))
    one.cluster.world.seen(POD, new)
    assert (await one.scrape()).asked == 2


# How many, and in what order


async def test_a_few_pods_are_asked_at_once() -> None:
    one = await reading(objects.service(scaling={"maxReplicas": 200}), replicas=100)
    waiting, most = 0, 0
    scrape = one.cluster.scraper.scrape

    async def slow(**asked: str) -> Mapping[Quantity, float]:
        nonlocal waiting, most
        waiting += 1
        most = max(most, waiting)
        await asyncio.sleep(0)
        waiting -= 1
        return await scrape(**asked)

    one.cluster.scraper.scrape = slow  # type: ignore[method-assign]
    assert (await one.scrape()).asked == 100
    assert most == PODS_AT_ONCE


def test_pods_that_hang_take_a_tick_no_longer_and_the_others_come_first_the_next_time() -> None:
    async def main() -> None:
        one = await reading(objects.service("a", scaling={"maxReplicas": 200}), objects.service(), replicas=40)
        scrape = one.cluster.scraper.scrape

        async def hanging(*, address: str, model: str) -> Mapping[Quantity, float]:
            if model == "a":
                await asyncio.sleep(1e6)
            return await scrape(address=address, model=model)

        one.cluster.scraper.scrape = hanging  # type: ignore[method-assign]
        one.tell(ranker=1.0)
        began = asyncio.get_running_loop().time()
        assert await one.scrape() == Scrapes(asked=80, failed={"Timeout": 32, OUT_OF_TIME: 48})
        assert asyncio.get_running_loop().time() - began == READ_SECONDS
        # The other eight that hang leave room enough.
        assert await one.scrape() == Scrapes(asked=80, failed={"Timeout": 32, OUT_OF_TIME: 8})
        assert len(one.answers(NEWEST)) == 40
        await one.scrape()
        assert len(one.answers(RATE)) == 40

    run(main())


async def test_more_pods_than_a_tick_can_read_are_read_in_turns_of_whole_services(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "PODS_A_TICK", 10)
    names = [f"s{number}" for number in range(6)]
    one = await reading(*(objects.service(name) for name in names), replicas=4)
    seen: list[set[str]] = []
    for tick in range(12):
        one.tell(**dict.fromkeys(names, 45.0 * tick))
        before = len(one.cluster.scraper.asked)
        await one.scrape()
        asked = [model for _, model in one.cluster.scraper.asked[before:]]
        assert {model: asked.count(model) for model in asked} == dict.fromkeys(asked, 4), "whole services"
        seen.append(set(asked))
        known = {pod.name.partition("--")[0] for pod in one.answers(RATE)}
        assert (tick % 2 == 0) or seen[-1] <= known, "the load of a service is known when its turn ends"
    assert all(len(asked) == 2 for asked in seen), "no tick is wasted"
    assert all(set(names) == set.union(*seen[begin : begin + 6]) for begin in (0, 6)), "each has its turn"


async def test_of_a_service_larger_than_a_tick_the_same_pods_are_read_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "PODS_A_TICK", 10)
    one = await reading(objects.service("large", scaling={"maxReplicas": 200}), objects.service("small"), replicas=16)
    asked = []
    for tick in range(8):
        one.tell(large=45.0 * tick, small=45.0 * tick)
        before = len(one.cluster.scraper.asked)
        assert (await one.scrape()).asked == 10
        asked.append(frozenset(one.cluster.scraper.asked[before:]))
    assert len(set(asked)) == 2, "ten of the one and ten of the other"
    assert asked[0] == asked[1] != asked[2] == asked[3] != asked[4] == asked[5] == asked[0]


def test_the_limits_leave_a_tick_its_time() -> None:
    assert PODS_A_TICK == 768
    assert READ_SECONDS + 8.0 < 30.0, "Prometheus may take 8 s to fail, and a tick is given up after 30"
