"""A work queue that never holds a key twice and never runs one key in two workers.

The rules are those of client-go's workqueue: a key added while it is being worked on runs once more afterwards;
a failed key comes back after an exponential delay of its own, so one bad object delays no other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Final, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

FIRST_RETRY_SECONDS: Final = 0.2
LAST_RETRY_SECONDS: Final = 60.0
# 0.2 s x 2^9 is more than a minute; without a bound the 1,025th failure would raise, for 2^1024 is no float.
MOST_DOUBLINGS: Final = 9


class WorkQueue(Generic[Key]):
    """Deduplicating queue of keys with bounded workers and per-key backoff."""

    def __init__(self) -> None:
        self._ready: asyncio.Queue[Key] = asyncio.Queue()
        self._waiting: set[Key] = set()
        self._running: set[Key] = set()
        self._again: set[Key] = set()
        self._failures: dict[Key, int] = {}
        self._timers: dict[Key, asyncio.TimerHandle] = {}

    def __len__(self) -> int:
        """Keys that wait for a worker."""
        return len(self._waiting)

    @property
    def retrying(self) -> int:
        """Keys whose last run failed."""
        return len(self._failures)

    def add(self, key: Key) -> None:
        """Asks for one run of the key as soon as a worker is free."""
        if key in self._running:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting.add(key)
            self._ready.put_nowait(key)

    def add_after(self, key: Key, seconds: float) -> None:
        """Asks for a run after a delay; the later of two delayed requests replaces the earlier."""
        if timer := self._timers.pop(key, None):
            timer.cancel()
        self._timers[key] = asyncio.get_running_loop().call_later(seconds, self._due, key)

    async def work(self, handle: Callable[[Key], Awaitable[None]]) -> None:
        """One worker: runs keys for ever; an exception of `handle` retries its key and is not raised."""
        while True:
            key = await self._ready.get()
            self._waiting.discard(key)
            self._running.add(key)
            try:
                await handle(key)
            except Exception as error:
                self.failed(key, error)
            else:
                self._failures.pop(key, None)
            finally:
                self._running.discard(key)
                if key in self._again:
                    self._again.discard(key)
                    self.add(key)

    def failed(self, key: Key, error: Exception) -> None:
        """Schedules the retry of a key; `handle` has told the world why by then."""
        count = self._failures.get(key, 0)
        self._failures[key] = count + 1
        self.add_after(key, min(FIRST_RETRY_SECONDS * 2 ** min(count, MOST_DOUBLINGS), LAST_RETRY_SECONDS))

    def _due(self, key: Key) -> None:
        self._timers.pop(key, None)
        self.add(key)
