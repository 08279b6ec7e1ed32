"""The past of all services, in virtual time: each own minute once, the newest first, and never in the way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretide.adapters import promql
from foretide.adapters.errors import AdapterError, Rejected, Unavailable
from foretide.adapters.prometheus_grid import Workload
from foretide.adapters.resources import HARDWARE_CLASS, INFERENCE_SERVICE
from foretide.api import parse
from foretide.api.hardwareclass import HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.control import backfill as module
from foretide.control.backfill import FORTNIGHT_SECONDS, Backfill
from foretide.control.past import Chunk, ServiceId
from foretide.control.world import Key, Served, ServedClass, World
from foretide.scaling.policy import Quantity
from foretide.serving.naming import deployment_name
from tests.control import objects
from tests.control.fakes import DOWN, FakePrometheus, Range, between_ticks
from tests.virtual_time import now_seconds, run

NOW: Final = 1_763_800_030.0
NEWEST: Final = 1_763_799_960.0  # the last whole minute but one
HOUR: Final = 3_600.0
DAY: Final = 86_400.0
QUANTITIES: Final = (Quantity.SUCCESS, Quantity.FAILURE, Quantity.INFERENCE)
SUCCESS: Final = promql.history(Quantity.SUCCESS, rate_window_seconds=30.0)
RECORDED: Final = promql.recorded(Quantity.SUCCESS)


class VirtualClock:
    """Wall-clock time that goes on with the event loop's."""

    def now(self) -> float:
        return NOW + now_seconds()


class Operator:
    """Services in a world, and somebody who reads their past."""

    def __init__(
        self,
        *,
        history_seconds: Callable[[Key], float] = lambda _: FORTNIGHT_SECONDS,
        namespaces: Sequence[str] = (),
    ) -> None:
        self.world, self.prometheus, self.namespaces = World(), FakePrometheus(), namespaces
        self.backfill = Backfill(
            self.prometheus,
            self.world,
            VirtualClock(),
            rate_window_seconds=30.0,
            history_seconds=history_seconds,
            namespaces=namespaces,
        )
        self.chunks: list[Chunk] = []
        self.world.seen(HARDWARE_CLASS, objects.hardware_class())

    def add(self, name: str = "ranker", *, age: float, uid: str = "1", rps: float = 1.0) -> ServiceId:
        """A service that was created so long ago, and whose Deployment Prometheus knows since ever."""
        raw = objects.service(name, uid=uid)
        raw["metadata"]["creationTimestamp"] = datetime.fromtimestamp(NOW - age, UTC).isoformat()
        self.world.seen(INFERENCE_SERVICE, raw)
        key = Key(objects.NAMESPACE, name)
        deployment = deployment_name(name, "cpu-16")
        service, hardware_class = parse.inference_service(raw), parse.hardware_class(objects.hardware_class())
        assert isinstance(service, InferenceService)
        assert isinstance(hardware_class, HardwareClass)
        self.world.served[key] = Served(service, (ServedClass(hardware_class.name, deployment, hardware_class),))
        for quantity in QUANTITIES:
            expression = promql.history(quantity, rate_window_seconds=30.0, namespaces=self.namespaces)
            by_workload = self.prometheus.past.setdefault(expression, {})
            rate = 0.0 if quantity is Quantity.FAILURE else rps
            by_workload[Workload(key.namespace, deployment)] = lambda _, rate=rate: rate  # type: ignore[misc]
        return ServiceId(key, uid)

    async def run(self, seconds: float, *, ticks: bool = True) -> None:
        """Reads for that long; ticks take what was read."""
        reading = asyncio.create_task(self.backfill.run(between_ticks()))
        for _ in range(round(seconds)):
            await asyncio.sleep(1)
            if ticks:
                self.chunks += self.backfill.take()
        assert not reading.done()
        reading.cancel()
        await asyncio.wait({reading})

    def minutes(self, service: ServiceId) -> list[float]:
        """Known minutes by their ends, in the order in which they were read."""
        return [end for chunk in self.chunks for end in self._ends(chunk, service)]

    def _ends(self, chunk: Chunk, service: ServiceId) -> Iterable[float]:
        past = chunk.of([service])
        known = past.demand.known[0]
        ends = past.end_seconds - past.step_seconds * np.arange(len(known) - 1, -1, -1)
        yield from ends[known].tolist()

    def asked(self, expression: str = SUCCESS) -> list[Range]:
        return [one for one in self.prometheus.ranges if one.promql == expression]


def own(age: float) -> list[float]:
    """The ends of the minutes that lie within the life of a service."""
    life = NOW - max(NOW - age, NOW - FORTNIGHT_SECONDS)
    ends = np.arange(NEWEST, NOW - life + 60.0 - 1e-6, -60.0)
    return sorted(ends.tolist())


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(0, round(4 * DAY)), min_size=1, max_size=4), st.integers(200, 4_000))
def test_every_own_minute_is_read_once_and_the_newest_first(ages: list[int], points: int) -> None:
    async def main() -> Operator:
        operator = Operator()
        for number, age in enumerate(ages):
            operator.add(f"s{number}", age=age, uid=str(number))
        await operator.run(200)
        return operator

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MOST_POINTS", points)
        operator = run(main())
    found = [
        operator.minutes(ServiceId(Key(objects.NAMESPACE, f"s{number}"), str(number))) for number in range(len(ages))
    ]
    assert [sorted(ends) for ends in found] == [own(age) for age in ages]
    ends = [chunk.past.end_seconds for chunk in operator.chunks]
    assert ends == sorted(ends, reverse=True)
    assert all(chunk.past.demand.known.any(axis=1).all() for chunk in operator.chunks), "nothing is told of nothing"
    assert operator.backfill.progress == 1.0
    assert operator.backfill.known_minutes == sum(len(ends) for ends in found)


def test_all_services_are_asked_for_together_in_chunks_of_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_POINTS", 900)

    async def main() -> Operator:
        operator = Operator()
        for name in ("a", "b", "c"):
            operator.add(name, age=DAY)
        await operator.run(60)
        return operator

    operator = run(main())
    assert all(one.steps * 3 <= 900 for one in operator.prometheus.ranges)
    assert len(operator.asked()) == len(operator.asked(RECORDED)) == 5  # 1,438 minutes
    assert len(operator.chunks[0].services) == 3


def test_the_past_is_asked_of_the_namespaces_that_are_watched() -> None:
    async def main() -> tuple[Operator, ServiceId]:
        operator = Operator(namespaces=("search", objects.NAMESPACE))
        service = operator.add(age=HOUR)
        await operator.run(60)
        return operator, service

    operator, service = run(main())
    assert len(operator.minutes(service)) == len(own(HOUR))
    matcher = '{namespace=~"search|shop"}'
    assert {one.promql.count(matcher) for one in operator.prometheus.ranges} == {1}


def test_a_chunk_has_half_a_day_at_most() -> None:
    async def main() -> Operator:
        operator = Operator()
        operator.add(age=3 * DAY)
        await operator.run(60)
        return operator

    assert [one.steps for one in run(main()).asked()] == [720, 720, 720, 720, 720, 718]


def test_the_history_of_a_policy_limits_its_service() -> None:
    async def main() -> tuple[Operator, ServiceId, ServiceId]:
        operator = Operator(history_seconds=lambda key: HOUR if key.name == "short" else DAY)
        services = operator.add("short", age=30 * DAY), operator.add("long", age=30 * DAY)
        await operator.run(60)
        return operator, *services

    operator, short, long = run(main())
    # Those that look 5 s later know of 5 s more.
    assert len(operator.minutes(short)) == 58
    assert len(operator.minutes(long)) == 24 * 60 - 2


def test_a_fortnight_is_the_most() -> None:
    async def main() -> tuple[Operator, ServiceId]:
        operator = Operator()
        service = operator.add(age=400 * DAY)
        await operator.run(60)
        return operator, service

    operator, service = run(main())
    assert len(operator.minutes(service)) == pytest.approx(14 * 1_440, abs=3)


def test_a_service_of_unknown_age_has_no_past() -> None:
    async def main() -> Operator:
        operator = Operator()
        service = operator.add(age=DAY)
        del operator.world.services[service.key]["metadata"]["creationTimestamp"]
        await operator.run(60)
        return operator

    assert run(main()).prometheus.ranges == []


def test_a_service_that_appears_later_is_filled_alone() -> None:
    async def main() -> tuple[Operator, ServiceId, ServiceId]:
        operator = Operator()
        first = operator.add("first", age=DAY)
        asyncio.get_running_loop().call_later(60, lambda: operator.add("later", age=HOUR, uid="2"))
        await operator.run(120)
        return operator, first, ServiceId(Key(objects.NAMESPACE, "later"), "2")

    operator, first, later = run(main())
    assert len(set(operator.minutes(first))) == len(operator.minutes(first)) == 1_438
    assert len(operator.minutes(later)) == pytest.approx(60, abs=3)
    assert operator.chunks[-1].services == (later,)


def test_one_that_is_deleted_and_made_anew_starts_with_nothing() -> None:
    async def main() -> tuple[Operator, ServiceId]:
        operator = Operator()
        operator.add(age=DAY, uid="old")
        loop = asyncio.get_running_loop()
        loop.call_later(60, lambda: operator.add(age=-60.0, uid="new"))
        await operator.run(600)
        return operator, ServiceId(Key(objects.NAMESPACE, "ranker"), "new")

    operator, new = run(main())
    assert operator.minutes(new) == []
    assert len(operator.asked()) == 2


def test_one_that_is_not_reconciled_yet_waits() -> None:
    """The object is new, and what is served is still the old one."""

    async def main() -> Operator:
        operator = Operator()
        service = operator.add(age=DAY, uid="old")
        operator.world.services[service.key]["metadata"]["uid"] = "new"
        await operator.run(60)
        return operator

    assert run(main()).prometheus.ranges == []


def test_it_begins_when_no_more_services_appear() -> None:
    async def main() -> Operator:
        operator = Operator()
        for number in range(8):
            asyncio.get_running_loop().call_later(4 * number, partial(operator.add, f"s{number}", age=HOUR))
        await operator.run(100)
        return operator

    operator = run(main())
    assert len(operator.asked()) == 1
    assert len(operator.chunks[0].services) == 8


def test_it_begins_after_two_minutes_of_new_services() -> None:
    async def main() -> Operator:
        operator = Operator()
        for number in range(100):
            asyncio.get_running_loop().call_later(4 * number, partial(operator.add, f"s{number}", age=HOUR))
        await operator.run(150)
        return operator

    (chunk,) = run(main()).chunks
    assert len(chunk.services) == pytest.approx(30, abs=2)


def failing(error: AdapterError, until: float, times: list[float]) -> Callable[[Range], AdapterError | None]:
    def refuse(asked: Range) -> AdapterError | None:
        times.append(now_seconds())
        return error if now_seconds() < until else None

    return refuse


def test_an_outage_is_waited_out_with_growing_pauses_and_it_goes_on_where_it_was() -> None:
    times: list[float] = []

    async def main() -> tuple[Operator, ServiceId]:
        operator = Operator()
        service = operator.add(age=DAY)
        first = failing(DOWN, 2_000, times)
        operator.prometheus.refuse = lambda asked: first(asked) if asked.end_seconds < NEWEST else None
        await operator.run(3_000)
        return operator, service

    operator, service = run(main())
    pauses = np.diff([time for time in dict.fromkeys(times) if time < 2_300])
    assert pauses.tolist() == [5, 10, 20, 40, 80, 160, 300, 300, 300, 300, 300, 300, 300][: len(pauses)]
    assert len(pauses) > 8
    assert sorted(operator.minutes(service)) == own(DAY)
    assert len([one for one in operator.asked() if one.end_seconds == NEWEST]) == 1, "what was read is not read again"


@pytest.mark.parametrize(
    "error",
    [
        Rejected("too large", reason="PrometheusTooLarge"),
        Rejected("HTTP Status Code 422", reason="PrometheusRejected"),
        Unavailable("no answer in 30 s", reason="PrometheusTimeout"),
    ],
    ids=lambda error: error.reason,
)
def test_what_is_too_much_at_once_is_asked_for_in_smaller_pieces(error: AdapterError) -> None:
    async def main() -> tuple[Operator, ServiceId]:
        operator = Operator()
        service = operator.add(age=2 * DAY)
        operator.prometheus.refuse = lambda asked: error if asked.steps > 100 else None
        await operator.run(2_000)
        return operator, service

    operator, service = run(main())
    assert sorted(operator.minutes(service)) == own(2 * DAY)
    assert len(operator.prometheus.ranges) < 400


def test_an_outage_alone_makes_no_pieces() -> None:
    async def main() -> Operator:
        operator = Operator()
        operator.add(age=DAY)
        operator.prometheus.refuse = failing(DOWN, 100, [])
        await operator.run(400)
        return operator

    assert {one.steps for one in run(main()).asked()} == {720, 718}


def test_where_no_tick_takes_it_no_more_is_read() -> None:
    async def main() -> tuple[int, int, Operator, ServiceId]:
        operator = Operator()
        service = operator.add(age=14 * DAY)
        reading = asyncio.create_task(operator.backfill.run(between_ticks()))
        await asyncio.sleep(100)
        read = len(operator.asked())
        await asyncio.sleep(10_000)
        still = len(operator.asked())
        for _ in range(20):
            operator.chunks += operator.backfill.take()
            await asyncio.sleep(15)
        reading.cancel()
        return read, still, operator, service

    read, still, operator, service = run(main())
    assert read == still == module.MOST_WAITING + 1
    assert len(set(operator.minutes(service))) == len(operator.minutes(service)) >= 14 * 1_440 - 3


def test_nothing_is_asked_for_in_a_tick() -> None:
    """Chunks of 5,000 services that were read while a tick wrote left it half of the processor."""

    async def main() -> tuple[int, int, int]:
        operator, between = Operator(), asyncio.Event()
        operator.add(age=14 * DAY)
        reading = asyncio.create_task(operator.backfill.run(between))
        await asyncio.sleep(100)
        before = len(operator.asked())
        between.set()
        await asyncio.sleep(1)
        after = len(operator.asked())
        between.clear()
        operator.backfill.take()
        await asyncio.sleep(100)
        reading.cancel()
        return before, after, len(operator.asked())

    assert run(main()) == (0, module.MOST_WAITING + 1, module.MOST_WAITING + 1)


def test_what_is_taken_is_taken_once() -> None:
    async def main() -> tuple[tuple[Chunk, ...], tuple[Chunk, ...]]:
        operator = Operator()
        operator.add(age=HOUR)
        await operator.run(20, ticks=False)
        return operator.backfill.take(), operator.backfill.take()

    first, second = run(main())
    assert len(first) == 1
    assert second == ()


def test_progress_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    seen: list[float] = []

    async def main() -> Operator:
        operator = Operator()
        operator.add(age=10 * DAY)

        def refuse(_: Range) -> None:
            seen.append(operator.backfill.progress)

        operator.prometheus.refuse = refuse
        await operator.run(60)
        return operator

    operator = run(main())
    assert seen == sorted(seen)
    assert seen[0] == 0.0
    assert operator.backfill.progress == 1.0
    told = [record.getMessage() for record in caplog.records if record.name == module.__name__]
    assert told[0] == "back-filling: 1 services, 10.0 days"
    assert told[-1] == f"back-filling: 100 %, {operator.backfill.known_minutes} minutes known"
    assert len(told) == 11
