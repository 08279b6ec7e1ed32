"""What a tick sees: all of Prometheus' answers or none, and every pod of every service in its row."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import numpy as np
import pytest

from foretide.adapters.errors import Rejected, Unavailable
from foretide.adapters.prometheus import Pod
from foretide.adapters.promql import expression
from foretide.adapters.resources import POD
from foretide.api.reasons import Reason
from foretide.control import observe
from foretide.control.observe import Metrics, NoMetrics
from foretide.control.world import Key, World
from foretide.scaling.policy import Over, PodList, Quantity, Query
from foretide.scaling.readings import Readings
from foretide.serving.naming import deployment_name
from tests.control import objects
from tests.control.cluster import Cluster, key
from tests.control.fakes import BRAIN, DOWN, FakePrometheus

QUERIES = BRAIN.queries
PENDING = Query(Quantity.PENDING)
SUCCESS = Query(Quantity.SUCCESS, Over.RATE, 30.0)
NOW = 1_763_800_000.0  # 26 min 40 s after objects.SINCE


def look(world: World, *keys: Key, found: Metrics) -> tuple[PodList, Mapping[Query, Readings]]:
    table, answers, _ = observe.pods(world, keys, found, queries=QUERIES, now_seconds=NOW)
    return table, answers


async def test_every_query_is_asked_once() -> None:
    samples = {name: {Pod("shop", name): 1.0} for name in BRAIN.questions}
    prometheus = FakePrometheus(samples=samples)
    found = await observe.metrics(prometheus, QUERIES)
    assert found == {query: samples[name] for name, query in BRAIN.questions.items()}
    assert sorted(prometheus.queries) == sorted(expression(query) for query in QUERIES)


@pytest.mark.parametrize("name", BRAIN.questions)
@pytest.mark.parametrize(
    "error",
    [
        DOWN,
        Unavailable("no answer in 4 s", reason="PrometheusTimeout"),
        Rejected("HTTP 400", reason="PrometheusRejected"),
        Rejected("not JSON", reason="PrometheusMalformed"),
    ],
)
async def test_half_an_answer_is_none(name: str, error: Unavailable | Rejected) -> None:
    samples = {other: {Pod("shop", "p"): 1.0} for other in BRAIN.questions}
    found = await observe.metrics(FakePrometheus(samples=samples, fail={name: error}), QUERIES)
    assert found == NoMetrics(Reason(error.reason), str(error))


async def test_the_queries_that_still_run_when_one_failed_are_given_up() -> None:
    class Hanging(FakePrometheus):
        async def by_pod(self, promql: str) -> dict[Pod, float]:
            self.queries.append(promql)
            if len(self.queries) == 1:
                raise DOWN
            await asyncio.Event().wait()
            raise AssertionError

    assert isinstance(await observe.metrics(Hanging(), QUERIES), NoMetrics)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


def test_pods_are_found_by_namespace_and_name_and_by_nothing_that_a_target_could_forge() -> None:
    world = World()
    world.seen(POD, objects.pod("p", since="2025-11-22T08:25:40Z"))
    world.seen(POD, objects.pod("starting", ready=False))
    world.seen(POD, objects.pod("leaving", terminating=True))
    world.seen(POD, objects.pod("p", namespace="bank"))
    found = {query: {Pod("shop", "p"): 1.0, Pod("other", "p"): 9.0, Pod("shop", "q"): 9.0} for query in QUERIES}
    found[PENDING] = {Pod("bank", "p"): float("nan"), Pod("shop", "leaving"): 4.0}
    table, answers = look(world, key(namespace="bank"), key(), found=found)
    assert table.service.tolist() == [0, 1, 1, 1]
    assert table.ready.tolist() == [True, True, False, False]
    assert table.leaving.tolist() == [False, False, False, True]
    assert table.ready_age_seconds.tolist() == [1600.0, 60.0, 0.0, 0.0]
    assert answers[SUCCESS].known.tolist() == [False, True, False, False]
    assert answers[SUCCESS].value.tolist() == [0.0, 1.0, 0.0, 0.0]
    assert answers[PENDING].known.tolist() == [False, False, False, True]  # NaN is unknown


def test_each_answer_reaches_its_own_query() -> None:
    world = World()
    world.seen(POD, objects.pod("p"))
    found = {query: {Pod("shop", "p"): float(number)} for number, query in enumerate(QUERIES)}
    _, answers = look(world, key(), found=found)
    assert [answers[query].value.tolist() for query in QUERIES] == [[number] for number in range(len(QUERIES))]


def test_without_metrics_everything_is_unknown() -> None:
    world = World()
    world.seen(POD, objects.pod("p"))
    table, answers = look(world, key(), found={})
    assert len(table) == 1
    assert answers.keys() == set(QUERIES)
    assert not any(readings.known.any() for readings in answers.values())


def test_a_pod_of_the_future_is_young() -> None:
    world = World()
    world.seen(POD, objects.pod("p", since="2025-11-22T09:00:00Z", created="2025-11-22T09:00:00Z"))
    table, _ = look(world, key(), found={})
    assert table.ready_age_seconds.tolist() == table.age_seconds.tolist() == [0.0]


def test_a_pod_that_is_ready_since_a_moment_to_come_is_as_old_as_it_was() -> None:
    """The clock was set back by an hour: one that was ready before goes on telling its load, a new one is young."""
    world = World()
    for name in ("old", "new"):
        world.seen(POD, objects.pod(name, since="2025-11-22T09:00:00Z"))
    before = frozenset({Pod("shop", "old")})
    table, _, names = observe.pods(world, [key()], {}, queries=QUERIES, now_seconds=NOW, ageless=before)
    ages = {pod.name: age for pod, age in zip(names, table.ready_age_seconds.tolist(), strict=True)}
    assert np.isnan(ages["old"])
    assert ages["new"] == 0.0


def test_the_age_of_a_pod_counts_from_its_creation() -> None:
    world = World()
    world.seen(POD, objects.pod("p", ready=False, created="2025-11-22T08:26:30Z"))
    assert look(world, key(), found={})[0].age_seconds.tolist() == [10.0]


def ready_by(world: World, before: frozenset[Pod]) -> frozenset[Pod]:
    table, _, names = observe.pods(world, [key()], {}, queries=QUERIES, now_seconds=NOW)
    return observe.once_ready(names, table.ready, before)


def test_a_pod_whose_probe_failed_for_a_moment_tells_nothing_of_how_long_a_start_takes() -> None:
    world = World()
    world.seen(POD, objects.pod("old", ready=True))
    world.seen(POD, objects.pod("new", ready=False))
    before = ready_by(world, frozenset())
    assert {pod.name for pod in before} == {"old"}
    world.seen(POD, objects.pod("old", ready=False))
    after = ready_by(world, before)
    assert {pod.name for pod in after} == {"old"}, "not ready now, and was"
    table, _, _ = observe.pods(world, [key()], {}, queries=QUERIES, now_seconds=NOW, ageless=after)
    assert np.isnan(table.age_seconds).sum() == 1
    world.seen(POD, objects.pod("old"), deleted=True)
    assert ready_by(world, after) == frozenset()


async def test_a_pod_that_the_watch_does_not_show_is_there_since_ever_and_silent() -> None:
    cluster = Cluster(objects.hardware_class())
    await cluster.serve(objects.service(), replicas=3)
    for pod in list(cluster.pods.values())[1:]:
        cluster.world.seen(POD, pod, deleted=True)
    found = {query: dict.fromkeys(cluster.pods, 1.0) for query in QUERIES}
    table, answers = look(cluster.world, key(), found=found)
    assert table.ready.tolist() == [True, True, True]
    assert not table.leaving.any()
    assert (table.age_seconds[1:] == NOW).all()
    assert (table.ready_age_seconds[1:] == NOW).all()
    assert answers[SUCCESS].known.tolist() == [True, False, False]


async def test_a_pod_that_exists_and_that_the_watch_does_not_show_may_serve() -> None:
    """The Deployment was heard of last when its pods were made."""
    cluster = Cluster(objects.hardware_class())
    await cluster.serve(objects.service(), replicas=3)
    cluster.add(objects.running(cluster.deployment(), ready=1))
    for pod in list(cluster.pods.values())[1:]:
        cluster.world.seen(POD, pod, deleted=True)
    assert look(cluster.world, key(), found={})[0].ready.tolist() == [True, True, True]
    leaving = {**next(iter(cluster.pods.values())), **objects.pod("ranker--cpu-16-0", terminating=True)}
    cluster.world.seen(POD, leaving)
    table, _ = look(cluster.world, key(), found={})
    assert (table.ready.sum(), table.leaving.sum()) == (3, 1)


async def test_pods_that_a_shrunk_deployment_still_counts_are_not_awaited() -> None:
    cluster = Cluster(objects.hardware_class())
    await cluster.serve(objects.service(), replicas=3)
    deployment = cluster.deployment()
    cluster.add({**deployment, "spec": {**deployment["spec"], "replicas": 1}})
    for pod in list(cluster.pods.values())[1:]:
        cluster.world.seen(POD, pod, deleted=True)
    assert len(look(cluster.world, key(), found={})[0]) == 1


async def test_a_pod_that_was_evicted_hides_none_that_is_not_seen() -> None:
    """It stays in the list, and the Deployment does not count it."""
    cluster = Cluster(objects.hardware_class())
    await cluster.serve(objects.service(), replicas=3)
    first, *others = cluster.pods.values()
    for pod in others:
        cluster.world.seen(POD, pod, deleted=True)
    for name in ("evicted-1", "evicted-2"):
        evicted = objects.pod(name, ready=False)
        cluster.world.seen(POD, {**evicted, "status": {**evicted["status"], "phase": "Failed"}})
    table, _, names = observe.pods(cluster.world, [key()], {}, queries=QUERIES, now_seconds=NOW)
    assert [pod.name for pod in names].count(first["metadata"]["name"]) == 1
    assert table.ready.sum() == 3


async def test_the_pods_of_one_deployment_hide_none_of_another() -> None:
    cluster = Cluster(objects.hardware_class(), objects.hardware_class("gpu-1"))
    await cluster.serve(objects.service(hardware={"classes": ["cpu-16", "gpu-1"]}), replicas=1)
    cpu = cluster.deployment()
    gpu = {**cpu, "metadata": {**cpu["metadata"], "name": deployment_name("ranker", "gpu-1"), "uid": "gpu"}}
    cluster.add(objects.running({**gpu, "spec": {**gpu["spec"], "replicas": 2}}))
    for name in ("surplus-1", "surplus-2"):  # of the first, which has one
        cluster.world.seen(POD, objects.pod(name))
    table, _ = look(cluster.world, key(), found={})
    assert table.ready.sum() == 1 + 2 + 2
