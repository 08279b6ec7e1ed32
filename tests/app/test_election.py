"""The Lease is renewed in a thread of its own, however busy the loop that works is."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from foretide.adapters.errors import Conflict, Rejected
from foretide.adapters.lease import LeaseTimes
from foretide.adapters.resources import Object, Resource
from foretide.app.election import Election, election

PATIENCE_SECONDS = 20.0
TIMES = LeaseTimes(duration_seconds=120.0, renew_deadline_seconds=60.0, retry_seconds=0.001)


class Api:
    """One Lease; tells of renewals, and in which threads it was asked."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.threads: set[str] = set()
        self.renewals = threading.Semaphore(0)
        self.closed_in: str | None = None

    async def get(self, resource: Resource, *, namespace: str | None, name: str) -> Object | None:
        self._asked()
        return self.lease

    async def create(self, obj: Object) -> Object:
        if self.lease is not None:
            raise Conflict("exists", reason="AlreadyExists")
        return self._kept(obj)

    async def replace(self, obj: Object) -> Object:
        kept = self._kept(obj)
        self.renewals.release()
        return kept

    @property
    def holder(self) -> str:
        assert self.lease is not None
        return str(self.lease["spec"]["holderIdentity"])

    def _kept(self, obj: Object) -> Object:
        self._asked()
        self.lease = {**obj, "metadata": {**obj["metadata"], "resourceVersion": "1"}}
        return self.lease

    def _asked(self) -> None:
        self.threads.add(threading.current_thread().name)

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Any]:
        self._asked()
        yield self
        self.closed_in = threading.current_thread().name


def elected(api: Api, doing: Callable[[Election], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        async with election(api.connected, namespace="n", name="one", identity="me", times=TIMES) as lease:
            await doing(lease)

    asyncio.run(main())


def test_it_is_renewed_while_the_loop_is_busy() -> None:
    api = Api()

    async def busy(lease: Election) -> None:
        await lease.acquire()
        assert (lease.is_held, api.holder) == (True, "me")
        holding = asyncio.create_task(lease.hold())
        await asyncio.sleep(0)
        for _ in range(5):  # nothing of this loop goes on meanwhile
            assert api.renewals.acquire(timeout=PATIENCE_SECONDS)
        assert not holding.done()
        holding.cancel()
        await asyncio.gather(holding, return_exceptions=True)

    elected(api, busy)
    assert api.threads == {"lease"}
    assert api.closed_in == "lease"
    assert "lease" not in [thread.name for thread in threading.enumerate()]


def test_who_stops_renewing_stops_there_as_well_and_gives_it_back() -> None:
    api = Api()

    async def stopped(lease: Election) -> None:
        await lease.acquire()
        holding = asyncio.create_task(lease.hold())
        await asyncio.sleep(0)
        holding.cancel()
        await asyncio.gather(holding, return_exceptions=True)
        await lease.release()
        assert api.holder == ""
        while api.renewals.acquire(blocking=False):
            pass
        assert not api.renewals.acquire(timeout=50 * TIMES.retry_seconds)

    elected(api, stopped)


def test_who_stops_waiting_takes_nothing_and_frees_nothing_of_others() -> None:
    api = Api()

    async def stopped(lease: Election) -> None:
        api.lease = {"metadata": {"resourceVersion": "1"}, "spec": {"holderIdentity": "other"}}
        waiting = asyncio.create_task(lease.acquire())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await lease.release()
        assert (lease.is_held, api.holder) == (False, "other")

    elected(api, stopped)
    assert "lease" not in [thread.name for thread in threading.enumerate()]


def test_a_cluster_that_cannot_be_reached_is_told() -> None:
    class Nowhere(Api):
        def _asked(self) -> None:
            raise Rejected("no cluster to talk to", reason="NoKubeconfig")

    async def main() -> None:
        async with election(Nowhere().connected, namespace="n", name="one", identity="me"):
            raise AssertionError

    with pytest.raises(Rejected, match="no cluster"):
        asyncio.run(main())
    assert "lease" not in [thread.name for thread in threading.enumerate()]


def test_what_fails_meanwhile_closes_the_connection() -> None:
    api = Api()

    async def fail(_: Election) -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        elected(api, fail)
    assert api.closed_in == "lease"
