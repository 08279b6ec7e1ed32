"""Leader election in a thread of its own, with an event loop and a connection of its own.

What works may keep its loop busy for seconds at a time: an operator that began with 5,000 services on half a processor
could not renew its Lease for 10 s, and was restarted, to begin anew.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, Final, TypeVar

import uvloop

from foretide.adapters.kubernetes import Kubernetes
from foretide.adapters.lease import Lease, LeaseTimes

T = TypeVar("T")

# Of what was cancelled, and of the thread.
LONGEST_END_SECONDS: Final = 2.0


class Election:
    """A Lease as the loop that works sees it."""

    def __init__(self, lease: Lease, there: LoopThread) -> None:
        self._lease: Final = lease
        self._there: Final = there

    @property
    def is_held(self) -> bool:
        """Whether nobody else can have taken it yet; asked in any thread."""
        return self._lease.is_held

    async def acquire(self) -> None:
        """Returns once this candidate holds the Lease."""
        await self._there.run(self._lease.acquire())

    async def hold(self) -> None:
        """Renews for as long as it can; returns when the Lease is lost, and before anybody else may take it."""
        await self._there.run(self._lease.hold())

    async def release(self) -> None:
        """Gives the Lease back, once a renewal that was cancelled is over: it might come after."""
        await self._there.run(_then(self._lease.release()))


class LoopThread:
    """An event loop in a thread, inside `with`."""

    def __init__(self) -> None:
        self._loop: Final = uvloop.new_event_loop()
        # A daemon: what hangs in it must not keep a process that is to end.
        self._thread: Final = threading.Thread(target=self._loop.run_forever, name="lease", daemon=True)

    def __enter__(self) -> LoopThread:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(LONGEST_END_SECONDS)
        if not self._thread.is_alive():
            self._loop.close()

    async def run(self, doing: Coroutine[Any, Any, T]) -> T:
        """What comes of it there; where the wait for it is cancelled, it is cancelled as well, and may end later."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(doing, self._loop))


@asynccontextmanager
async def election(
    connected: Callable[[], AbstractAsyncContextManager[Kubernetes]],
    *,
    namespace: str,
    name: str,
    identity: str,
    times: LeaseTimes | None = None,
) -> AsyncIterator[Election]:
    """One candidate's view of one Lease, through a connection of its own; raises what `connected` raises."""
    with LoopThread() as there:
        connection = AsyncExitStack()
        api = await there.run(connection.enter_async_context(connected()))
        try:
            yield Election(Lease(api, namespace=namespace, name=name, identity=identity, times=times), there)
        finally:
            await there.run(_then(connection.aclose()))


async def _then(doing: Coroutine[Any, Any, T]) -> T:
    """What comes of it after all others of the loop are over, for they were cancelled."""
    if others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others, timeout=LONGEST_END_SECONDS)
    return await doing
