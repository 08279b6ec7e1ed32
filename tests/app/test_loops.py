"""The loops of a leading operator, in virtual time, over a fake cluster and with a stand-in for kopf."""

from __future__ import annotations

import asyncio
import copy
import logging
from collections.abc import Callable, Coroutine
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, Final, TypeVar

import pytest

from foretide.adapters.errors import LEASE_LOST, NAMESPACE_TERMINATING, AdapterError, Rejected
from foretide.adapters.resources import HARDWARE_CLASS, INFERENCE_SERVICE
from foretide.app import loops as module
from foretide.app import watching
from foretide.app.loops import Loops
from foretide.app.metrics import SelfMetrics
from foretide.app.settings import Settings
from tests.control import objects
from tests.control.cluster import Cluster, key
from tests.control.fakes import API_DOWN
from tests.control.fakes import DOWN as PROMETHEUS_DOWN
from tests.virtual_time import now_seconds, run

SETTINGS = Settings(tick_seconds=15, sweep_seconds=300, workers=2)
IN_SHOP: Final = SETTINGS.model_copy(update={"watch_namespaces": f"{objects.NAMESPACE} search"})
Result = TypeVar("Result")


@pytest.fixture(autouse=True)
def virtual(monkeypatch: pytest.MonkeyPatch) -> None:
    """time.monotonic() follows the event loop, and a watch that only waits takes the place of kopf."""
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=now_seconds))
    monkeypatch.setattr(watching, "watch", lambda seen, unsure, namespaces, stop: stop.wait())


class Operator:
    """A cluster, and the loops that run over it."""

    def __init__(self, *raw: dict[str, Any], settings: Settings = SETTINGS) -> None:
        self.cluster = Cluster()
        for obj in raw:  # no watch has shown them yet
            metadata = obj["metadata"]
            self.cluster.kubernetes.objects[obj["kind"], metadata.get("namespace", ""), metadata["name"]] = obj
        self.metrics = SelfMetrics()
        self.ticks: list[float] = []
        self.loops = Loops(
            settings=settings,
            api=self.cluster.kubernetes,
            world=self.cluster.world,
            reconciler=self.cluster.reconciler,
            autoscaler=self.cluster.autoscaler,
            backfill=self.cluster.backfill,
            clock=self.cluster.clock,
            metrics=self.metrics,
        )

    def on_tick(self, what: Callable[[], Coroutine[Any, Any, None]] | None = None) -> None:
        """Notes each tick, and does something in it."""
        tick = self.cluster.autoscaler.tick

        async def noted() -> Any:
            self.ticks.append(now_seconds())
            if what is not None:
                await what()
            return await tick()

        self.cluster.autoscaler.tick = noted  # type: ignore[method-assign]

    async def run(self, seconds: float) -> None:
        """Leads for that long."""
        stop = asyncio.Event()
        running = asyncio.create_task(self.loops.run(stop))
        await asyncio.wait({running}, timeout=seconds)
        stop.set()
        await running


def test_what_is_there_at_the_start_is_served() -> None:
    async def main() -> Operator:
        operator = Operator(objects.service(), objects.service("other"), objects.hardware_class())
        await operator.run(seconds=1)
        return operator

    operator = run(main())
    cluster = operator.cluster
    shown = 'foretide_condition{namespace="shop",service="ranker",condition="Ready",reason="Creating"} 0.0'
    assert shown in _text(operator.metrics)
    assert "foretide_tick_interval_seconds 15.0" in _text(operator.metrics)
    assert cluster.condition("Ready") == ("False", "Creating")
    assert cluster.condition("Ready", "other") == ("False", "Creating")


def test_ticks_come_at_their_pace_and_end_with_the_loops() -> None:
    async def main() -> list[float]:
        operator = Operator()
        operator.on_tick()
        await operator.run(seconds=61)
        await asyncio.sleep(100)
        return operator.ticks

    assert run(main()) == [0, 15, 30, 45, 60]


@pytest.mark.parametrize(
    ("takes_seconds", "ticks"),
    [(7, [0, 15, 30, 45, 60]), (14, [0, 21.5, 36.5, 51.5, 66.5]), (20, [0, 27.5, 42.5, 57.5])],
)
def test_a_tick_that_takes_long_delays_the_next_and_none_is_caught_up(takes_seconds: float, ticks: list[float]) -> None:
    """Half a period is left between its end, when it writes, and the next."""

    async def main() -> list[float]:
        operator = Operator()

        async def slow() -> None:
            await asyncio.sleep(takes_seconds if len(operator.ticks) == 1 else 0)

        operator.on_tick(slow)
        await operator.run(seconds=70)
        return operator.ticks

    assert run(main()) == ticks


def test_a_tick_that_hangs_is_given_up() -> None:
    async def main() -> list[float]:
        operator = Operator()

        async def hang() -> None:
            await asyncio.sleep(1e9 if len(operator.ticks) == 1 else 0)

        operator.on_tick(hang)
        await operator.run(seconds=55)
        assert operator.loops.tick_age_seconds < 16
        assert 'foretide_ticks_total{result="timeout"} 1.0' in _text(operator.metrics)
        assert 'foretide_ticks_total{result="done"} 2.0' in _text(operator.metrics)
        return operator.ticks

    assert run(main()) == [0, 37.5, 52.5]


def test_a_fault_in_a_tick_does_not_end_the_ticks() -> None:
    async def main() -> list[float]:
        operator = Operator()

        async def fail() -> None:
            raise ZeroDivisionError

        operator.on_tick(fail)
        await operator.run(seconds=31)
        assert 'foretide_ticks_total{result="fault"} 3.0' in _text(operator.metrics)
        assert "foretide_last_tick_timestamp_seconds 0.0" in _text(operator.metrics)
        return operator.ticks

    assert run(main()) == [0, 15, 30]


def test_an_event_is_followed_by_a_reconciliation() -> None:
    async def main() -> Cluster:
        operator = Operator(objects.hardware_class())
        running = asyncio.create_task(operator.run(seconds=10))
        await asyncio.sleep(1)
        operator.cluster.kubernetes.objects["InferenceService", objects.NAMESPACE, "ranker"] = objects.service()
        operator.loops._seen(INFERENCE_SERVICE, objects.service(), False)
        await running
        assert 'foretide_watch_events_total{kind="InferenceService"} 1.0' in _text(operator.metrics)
        return operator.cluster

    assert run(main()).condition("Ready") == ("False", "Creating")


@pytest.mark.parametrize(
    ("reason", "level"),
    [(NAMESPACE_TERMINATING, logging.INFO), (LEASE_LOST, logging.DEBUG), ("Forbidden", logging.WARNING)],
)
def test_what_is_no_fault_of_a_service_is_no_warning(reason: str, level: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def main() -> None:
        operator = Operator(objects.hardware_class(), objects.service())
        refused = Rejected("unable to create", reason=reason)
        operator.cluster.kubernetes.fail = lambda _, verb, kind: refused if verb == "apply" else None
        await operator.run(seconds=1)

    run(main())
    told = [record.levelno for record in caplog.records if f"{reason}: unable to create" in record.getMessage()]
    assert told
    assert set(told) == {level}


def test_an_event_is_kept_trimmed_and_once() -> None:
    raw = objects.service()
    told = {**raw, "metadata": {**raw["metadata"], "managedFields": [{"manager": "kubectl"}]}}

    async def main() -> list[Any]:
        operator = Operator()
        kept = []
        for _ in range(2):
            operator.loops._seen(INFERENCE_SERVICE, copy.deepcopy(told), False)
            kept.append(operator.cluster.world.services[key()])
        return kept

    first, second = run(main())
    assert first == raw
    assert second is first


def _text(metrics: SelfMetrics) -> str:
    return metrics.exposition()


def test_a_sweep_makes_up_for_lost_events() -> None:
    async def main() -> Operator:
        operator = Operator(objects.service("gone"), objects.hardware_class())
        running = asyncio.create_task(operator.run(seconds=301))
        await asyncio.sleep(1)
        stored = operator.cluster.kubernetes.objects
        operator.loops._seen(INFERENCE_SERVICE, stored["InferenceService", objects.NAMESPACE, "gone"], False)
        del stored["InferenceService", objects.NAMESPACE, "gone"]
        stored["InferenceService", objects.NAMESPACE, "ranker"] = objects.service()
        await running
        return operator

    operator = run(main())
    assert list(operator.cluster.world.served) == [key()]


def test_a_kind_that_is_not_watched_is_swept(monkeypatch: pytest.MonkeyPatch) -> None:
    """What vanished while nobody watched is in no event, and a service that is gone must not be served for minutes."""

    async def breaks(seen: Any, unsure: watching.Unsure, namespaces: Any, stop: asyncio.Event) -> None:
        await asyncio.sleep(20)
        unsure((INFERENCE_SERVICE, None))
        await stop.wait()

    async def main() -> Operator:
        operator = Operator(objects.service(), objects.hardware_class())
        running = asyncio.create_task(operator.run(seconds=21))
        await asyncio.sleep(10)
        assert list(operator.cluster.world.served) == [key()]
        del operator.cluster.kubernetes.objects["InferenceService", objects.NAMESPACE, "ranker"]
        await running
        return operator

    monkeypatch.setattr(watching, "watch", breaks)
    assert list(run(main()).cluster.world.served) == []


def test_a_sweep_that_fails_is_followed_by_another() -> None:
    async def main() -> Operator:
        operator = Operator(objects.hardware_class())
        running = asyncio.create_task(operator.run(seconds=650))
        await asyncio.sleep(1)
        kubernetes = operator.cluster.kubernetes
        kubernetes.fail = lambda _, verb, __: API_DOWN if verb == "list" and now_seconds() < 400 else None
        kubernetes.objects["InferenceService", objects.NAMESPACE, "ranker"] = objects.service()
        await asyncio.sleep(350)
        assert list(operator.cluster.world.served) == []
        await running
        return operator

    assert list(run(main()).cluster.world.served) == [key()]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (API_DOWN, "sweep of hardwareclasses: ClientConnectorError"),
        (RuntimeError("boom"), "sweep of hardwareclasses: a fault of the operator"),
    ],
)
def test_what_cannot_be_swept_delays_no_other(error: Exception, told: str, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> tuple[Operator, list[Any]]:
        operator = Operator(objects.hardware_class())
        running = asyncio.create_task(operator.run(seconds=330))
        await asyncio.sleep(1)
        kubernetes, listed = operator.cluster.kubernetes, operator.cluster.kubernetes.list

        async def choosy(resource: Any, **where: Any) -> Any:
            if resource == HARDWARE_CLASS:  # the first of all
                raise error
            return await listed(resource, **where)

        kubernetes.list = choosy  # type: ignore[method-assign]
        kubernetes.objects["InferenceService", objects.NAMESPACE, "ranker"] = objects.service()
        places = watching.places(())
        before = places.index((INFERENCE_SERVICE, None))
        await asyncio.sleep(SETTINGS.sweep_seconds * (before + 1) / len(places))
        served = list(operator.cluster.world.served)
        await running
        return operator, served

    operator, served = run(main())
    assert served == [key()]
    assert list(operator.cluster.world.hardware_classes) == [objects.hardware_class()["metadata"]["name"]]
    assert told in caplog.text


def test_kinds_are_swept_one_after_the_other_and_never_in_a_tick() -> None:
    """All at once they took 1.5 s of a tick of 1,000 services."""
    lists: list[float] = []

    async def main() -> Operator:
        operator = Operator(objects.service(), objects.hardware_class())
        listed = operator.cluster.kubernetes.list

        async def noted(resource: Any, **where: Any) -> Any:
            if operator.ticks:  # not those of the first view
                lists.append(now_seconds())
            return await listed(resource, **where)

        operator.cluster.kubernetes.list = noted  # type: ignore[method-assign]
        operator.on_tick(lambda: asyncio.sleep(6))
        await operator.run(seconds=SETTINGS.sweep_seconds + 10)
        return operator

    operator = run(main())
    assert len(lists) == len(watching.places(()))
    assert min(after - before for before, after in pairwise(lists)) >= SETTINGS.tick_seconds
    assert not [each for each in lists for tick in operator.ticks if tick - module.CLOSED_SECONDS < each < tick + 6]


@pytest.mark.parametrize("takes_seconds", [0.0, 1e9])
def test_where_each_tick_fails_or_hangs_all_is_swept_and_the_past_is_read(takes_seconds: float) -> None:
    async def main() -> Operator:
        raw = objects.service()
        raw["metadata"]["creationTimestamp"] = objects.SINCE
        operator = Operator(raw, objects.hardware_class())

        async def fail() -> None:
            await asyncio.sleep(takes_seconds)
            raise ZeroDivisionError

        operator.on_tick(fail)
        running = asyncio.create_task(operator.run(seconds=SETTINGS.sweep_seconds + 40))
        await asyncio.sleep(1)
        operator.cluster.kubernetes.listed.clear()  # of the first view
        await running
        return operator

    operator = run(main())
    assert operator.cluster.kubernetes.listed >= {(kind.kind, place) for kind, place in watching.places(())}
    assert operator.cluster.prometheus.ranges


def test_a_sweep_of_one_namespace_says_nothing_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    listed: set[tuple[str, str | None]] = set()

    async def breaks(seen: Any, unsure: watching.Unsure, namespaces: Any, stop: asyncio.Event) -> None:
        await asyncio.sleep(20)
        listed.clear()
        unsure((INFERENCE_SERVICE, "search"))
        await stop.wait()

    async def main() -> Operator:
        elsewhere = objects.service("finder")
        elsewhere["metadata"]["namespace"] = "search"
        operator = Operator(objects.service(), elsewhere, objects.hardware_class(), settings=IN_SHOP)
        operator.cluster.kubernetes.listed = listed
        running = asyncio.create_task(operator.run(seconds=25))
        await asyncio.sleep(10)
        assert len(operator.cluster.world.services) == 2
        operator.cluster.kubernetes.objects.pop(("InferenceService", "search", "finder"))
        operator.cluster.kubernetes.objects.pop(("InferenceService", objects.NAMESPACE, "ranker"))
        await running
        return operator

    monkeypatch.setattr(watching, "watch", breaks)
    assert list(run(main()).cluster.world.services) == [key()]
    assert listed == {(INFERENCE_SERVICE.kind, "search")}


def test_what_an_event_shows_while_the_sweep_lists_is_newer_than_the_list() -> None:
    """The list was made before the event: taken for the truth it would drop the service until the next sweep."""

    async def main() -> Operator:
        operator = Operator(objects.service("old"), objects.hardware_class())
        running = asyncio.create_task(operator.run(seconds=320))
        await asyncio.sleep(1)
        kubernetes = operator.cluster.kubernetes
        listed = kubernetes.list

        async def slow(resource: Any, **where: Any) -> Any:
            found = await listed(resource, **where)
            if resource == INFERENCE_SERVICE:
                new = objects.service()
                kubernetes.objects["InferenceService", objects.NAMESPACE, "ranker"] = new
                old = kubernetes.objects.pop(("InferenceService", objects.NAMESPACE, "old"))
                operator.loops._seen(INFERENCE_SERVICE, new, False)
                operator.loops._seen(INFERENCE_SERVICE, old, True)
                await asyncio.sleep(1)
            return found

        kubernetes.list = slow  # type: ignore[method-assign]
        await running
        return operator

    assert list(run(main()).cluster.world.served) == [key()]


def test_a_failing_service_is_retried_and_delays_no_other() -> None:
    async def main() -> Operator:
        operator = Operator(objects.service("aardvark"), objects.service(), objects.hardware_class())
        apply = operator.cluster.kubernetes.apply

        async def choosy(obj: Any, **rest: Any) -> Any:
            if obj["metadata"]["name"].startswith("aardvark") and now_seconds() < 30:
                raise API_DOWN
            return await apply(obj, **rest)

        operator.cluster.kubernetes.apply = choosy  # type: ignore[method-assign]
        running = asyncio.create_task(operator.run(seconds=100))
        await asyncio.sleep(5)
        assert list(operator.cluster.world.served) == [key()]
        assert "foretide_workqueue_retrying 1.0" in _text(operator.metrics)
        await running
        return operator

    operator = run(main())
    assert sorted(operator.cluster.world.served) == [key("aardvark"), key()]
    assert "foretide_workqueue_retrying 0.0" in _text(operator.metrics)


def test_a_cancellation_ends_all_loops_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Lease is lost: nothing may be written any more, although kopf takes seconds to leave."""

    async def leaves_slowly(seen: Any, unsure: Any, namespaces: Any, stop: asyncio.Event) -> None:
        try:
            await stop.wait()
        finally:
            await asyncio.sleep(60)

    async def main() -> list[float]:
        operator = Operator()
        operator.on_tick()
        running = asyncio.create_task(operator.loops.run(asyncio.Event()))
        await asyncio.sleep(20)
        running.cancel()
        await asyncio.wait({running})
        return operator.ticks

    monkeypatch.setattr(watching, "watch", leaves_slowly)
    assert run(main()) == [0, 15]


def test_a_stop_ends_all_loops_at_once_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the middle of a tick, which is given up."""

    async def leaves_slowly(seen: Any, unsure: Any, namespaces: Any, stop: asyncio.Event) -> None:
        await stop.wait()
        await asyncio.sleep(5)

    async def main() -> tuple[list[str], float]:
        operator, told, stop = Operator(), list[str](), asyncio.Event()

        async def hang() -> None:
            try:
                await asyncio.sleep(1e9)
            except asyncio.CancelledError:
                told.append(f"given up at {now_seconds():g}")
                raise

        operator.on_tick(hang)
        asyncio.get_running_loop().call_later(20, stop.set)
        await operator.loops.run(stop)
        return told, now_seconds()

    monkeypatch.setattr(watching, "watch", leaves_slowly)
    assert run(main()) == (["given up at 20"], 25)


def test_a_watch_that_cannot_go_on_ends_the_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    async def breaks(seen: Any, unsure: Any, namespaces: Any, stop: asyncio.Event) -> None:
        await asyncio.sleep(20)
        raise RuntimeError("kopf cannot go on")

    async def main() -> list[float]:
        operator = Operator()
        operator.on_tick()
        with pytest.raises(ExceptionGroup) as raised:
            await operator.loops.run(asyncio.Event())
        assert raised.group_contains(RuntimeError)
        await asyncio.sleep(100)
        return operator.ticks

    monkeypatch.setattr(watching, "watch", breaks)
    assert run(main()) == [0, 15]


def test_without_a_first_view_nothing_is_decided() -> None:
    async def main() -> Operator:
        operator = Operator()
        operator.on_tick()
        operator.cluster.kubernetes.fail = lambda *_: API_DOWN
        with pytest.raises(type(API_DOWN)):
            await operator.loops.run(asyncio.Event())
        return operator

    operator = run(main())
    assert operator.ticks == []
    assert not operator.loops.started


def test_the_first_view_is_asked_for_again_where_the_api_server_cannot_answer() -> None:
    """A third of its answers are errors, say: eleven lists in a row would hardly ever come off."""

    async def main() -> Operator:
        operator = Operator(objects.service(), objects.hardware_class())
        failed: set[str] = set()

        def once(_: int, verb: str, kind: str) -> AdapterError | None:
            if verb != "list" or kind in failed:
                return None
            failed.add(kind)
            return API_DOWN

        operator.cluster.kubernetes.fail = once
        await operator.run(seconds=30)
        assert failed == {resource.kind for resource in watching.WATCHED}
        return operator

    operator = run(main())
    assert operator.loops.started
    assert list(operator.cluster.world.served) == [key()]


def test_a_stop_does_not_wait_for_the_first_view() -> None:
    async def main() -> tuple[float, bool]:
        operator = Operator()
        operator.cluster.kubernetes.fail = lambda *_: API_DOWN
        await operator.run(seconds=2)
        return now_seconds(), operator.loops.started

    assert run(main()) == (2, False)


def test_a_standby_that_takes_over_after_a_day_is_not_taken_for_stuck() -> None:
    async def main() -> float:
        operator = Operator()

        async def hang() -> None:
            await asyncio.sleep(5)

        operator.on_tick(hang)
        await asyncio.sleep(86_400)
        running = asyncio.create_task(operator.run(seconds=10))
        await asyncio.sleep(1)
        age = operator.loops.tick_age_seconds
        await running
        return age

    assert run(main()) <= 1


def test_a_past_that_is_not_told_holds_up_no_tick() -> None:
    async def main() -> tuple[Operator, str]:
        raw = objects.service()
        raw["metadata"]["creationTimestamp"] = objects.SINCE
        operator = Operator(raw, objects.hardware_class())
        operator.on_tick()
        operator.cluster.prometheus.refuse = lambda _: PROMETHEUS_DOWN if now_seconds() < 31 else None
        running = asyncio.create_task(operator.run(seconds=100))
        await asyncio.sleep(20)
        text = _text(operator.metrics)
        await running
        return operator, text

    operator, text = run(main())
    assert operator.ticks == [0, 15, 30, 45, 60, 75, 90], "a Prometheus that is away holds up no tick"
    assert "foretide_backfill_progress_ratio 0.0" in text
    assert "foretide_backfill_progress_ratio 1.0" in _text(operator.metrics)
    assert "foretide_backfill_known_seconds 0.0" in text


def test_a_fault_in_back_filling_does_not_end_the_loops() -> None:
    async def main() -> tuple[Operator, list[float]]:
        operator = Operator()
        operator.on_tick()
        begun: list[float] = []

        async def fail(between_ticks: asyncio.Event) -> None:
            begun.append(now_seconds())
            raise ZeroDivisionError

        operator.cluster.backfill.run = fail  # type: ignore[method-assign]
        await operator.run(seconds=310)
        return operator, begun

    operator, begun = run(main())
    assert len(operator.ticks) == 21
    assert begun == [0, module.BACKFILL_FAULT_PAUSE_SECONDS]


def test_of_namespaces_that_it_was_not_told_it_knows_nothing_and_writes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watched: list[tuple[str, ...]] = []

    async def noted(seen: Any, unsure: Any, namespaces: tuple[str, ...], stop: asyncio.Event) -> None:
        watched.append(namespaces)
        await stop.wait()

    async def main() -> Operator:
        monkeypatch.setattr(watching, "watch", noted)
        foreign = objects.service()
        foreign["metadata"]["namespace"] = "foreign"
        operator = Operator(objects.service(), foreign, objects.hardware_class(), settings=IN_SHOP)
        await operator.run(seconds=301)
        return operator

    cluster = run(main()).cluster
    assert watched == [(objects.NAMESPACE, "search")]
    assert list(cluster.world.services) == [key()], "the first view and a sweep"
    assert "status" not in cluster.object("InferenceService", "ranker", "foreign")
    places = {namespace for kind, namespace in cluster.kubernetes.listed if kind != HARDWARE_CLASS.kind}
    assert places == {objects.NAMESPACE, "search"}
    assert (HARDWARE_CLASS.kind, None) in cluster.kubernetes.listed


def test_a_namespace_that_is_gone_is_left_out_and_its_coming_back_is_seen() -> None:
    """Its Role went with it; the operator ends as by SIGTERM, and what starts in its place watches all of them."""

    async def main() -> tuple[Operator, float]:
        operator = Operator(objects.service(), objects.hardware_class(), settings=IN_SHOP)
        operator.cluster.kubernetes.closed = {"search"}
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(400, operator.cluster.kubernetes.closed.clear)
        await operator.loops.run(stop)
        return operator, now_seconds()

    operator, ended = run(main())
    assert list(operator.cluster.world.served) == [key()]
    assert ended == pytest.approx(2 * IN_SHOP.sweep_seconds)


def test_where_every_namespace_is_gone_none_is_taken_for_all() -> None:
    async def main() -> Operator:
        operator = Operator(objects.service(), settings=IN_SHOP)
        operator.cluster.kubernetes.closed = {objects.NAMESPACE, "search"}
        with pytest.raises(Rejected, match="in the namespace search"):
            await operator.loops.run(asyncio.Event())
        return operator

    assert run(main()).cluster.kubernetes.listed == set()
