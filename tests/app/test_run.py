"""The order of start and stop: nothing runs without the Lease, and it is given back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from foretide.adapters.pod_http import PodHttp
from foretide.adapters.prometheus_access import Access
from foretide.app.metrics import SelfMetrics
from foretide.app.run import LeaseLost, _access, _lead, _loops, _stuck
from foretide.app.settings import Settings
from foretide.app.stopping import unless
from tests.control.fakes import DOWN, FakeEvents, FakeKubernetes, FakePrometheus
from tests.virtual_time import now_seconds, run

Step = Callable[[], Coroutine[Any, Any, None]]


class Story:
    """What happened, in order; acquiring takes 5 s."""

    def __init__(self, *, holds_for: float = 1e6, work: Step | None = None) -> None:
        self.told: list[str] = []
        self.metrics = SelfMetrics()
        self.stop = asyncio.Event()
        self._holds_for, self._work = holds_for, work

    async def acquire(self) -> None:
        await asyncio.sleep(5)
        self.told.append("acquired")

    async def hold(self) -> None:
        await asyncio.sleep(self._holds_for)
        self.told.append("lost")

    async def release(self) -> None:
        self.told.append("released")

    async def run(self, stop: asyncio.Event) -> None:
        self.told.append("works")
        try:
            await (stop.wait() if self._work is None else self._work())
        finally:
            self.told.append(f"stops at {now_seconds():g}")

    @asynccontextmanager
    async def posting(self) -> AsyncIterator[None]:
        yield
        self.told.append("posts what waits")

    async def lead(self) -> None:
        fakes: Any = (Settings(), self, self, self, self.metrics, self.stop)
        await _lead(*fakes, identity="me")


def test_nothing_works_before_the_lease_is_held() -> None:
    async def main() -> list[str]:
        story = Story()
        asyncio.get_running_loop().call_later(2, story.stop.set)
        await story.lead()
        return story.told

    assert run(main()) == ["released"], "for it may have been taken just then"


def test_a_stop_ends_the_work_and_posts_what_waits_and_then_gives_the_lease_back() -> None:
    async def main() -> list[str]:
        story = Story()
        asyncio.get_running_loop().call_later(20, story.stop.set)
        await story.lead()
        return story.told

    assert run(main()) == ["acquired", "works", "stops at 20", "posts what waits", "released"]


def test_a_lost_lease_ends_the_work_and_the_process() -> None:
    async def main() -> list[str]:
        story = Story(holds_for=30)
        with pytest.raises(LeaseLost, match="could not be renewed"):
            await story.lead()
        return story.told

    assert run(main())[:4] == ["acquired", "works", "lost", "stops at 35"]


def test_work_that_fails_ends_the_process_and_gives_the_lease_back() -> None:
    async def fail() -> None:
        await asyncio.sleep(1)
        raise RuntimeError("no")

    async def main() -> list[str]:
        story = Story(work=fail)
        with pytest.raises(RuntimeError):
            await story.lead()
        return story.told

    assert run(main()) == ["acquired", "works", "stops at 6", "released"]


def test_what_is_stopped_first_wins() -> None:
    async def main() -> None:
        stop = asyncio.Event()
        assert await unless(stop, asyncio.sleep(1))
        asyncio.get_running_loop().call_later(1, stop.set)
        assert not await unless(stop, asyncio.sleep(1e9))

        async def fail() -> None:
            raise RuntimeError("no")

        with pytest.raises(RuntimeError):
            await unless(asyncio.Event(), fail())

    run(main())


@pytest.mark.parametrize(
    ("started", "age_seconds", "stuck"), [(False, 1e6, False), (True, 5, False), (True, 90, False), (True, 91, True)]
)
def test_only_a_leader_whose_ticks_ended_is_stuck(started: bool, age_seconds: float, stuck: bool) -> None:
    loops: Any = SimpleNamespace(started=started, tick_age_seconds=age_seconds, tick_deadline_seconds=30.0)
    said = _stuck(loops)
    assert (said is not None) == stuck
    assert said is None or said == "no tick for 91 s (limit 90 s)"


def test_the_parts_fit_together() -> None:
    fakes: Any = (Settings(tick_seconds=5), FakeKubernetes(), FakeEvents(), FakePrometheus(), PodHttp(), SelfMetrics())
    loops = _loops(*fakes)
    assert not loops.started
    assert loops.tick_deadline_seconds == 30


def test_prometheus_is_asked_of_the_namespaces_that_are_watched() -> None:
    async def main() -> list[str]:
        prometheus = FakePrometheus(down=DOWN)
        settings = Settings(watch_namespaces="shop search")
        fakes: Any = (settings, FakeKubernetes(), FakeEvents(), prometheus, PodHttp(), SelfMetrics())
        loops = _loops(*fakes)
        await loops._autoscaler.tick()
        return prometheus.queries

    queries = run(main())
    assert queries
    assert all('{namespace=~"shop|search"}' in query for query in queries)


def test_prometheus_is_asked_as_the_settings_say() -> None:
    given = {
        "url": "https://thanos.example",
        "bearer_token_file": "/token",
        "ca_file": "/ca.crt",
        "client_certificate_file": "/tls.crt",
        "client_key_file": "/tls.key",
        "tenant_header": "THANOS-TENANT",
        "tenant": "team",
    }
    settings = Settings.model_validate({f"prometheus_{name}": value for name, value in given.items()})
    assert _access(settings) == Access(**given)
    basic = Settings(prometheus_username="me", prometheus_password_file="/password")
    assert (_access(basic).username, _access(basic).password_file) == ("me", "/password")
