"""Reads the past of services from Prometheus, between the ticks: in bounded chunks, for all services at once, the
newest first. What was read waits until a tick takes it.

Nothing here is awaited by a tick, and nothing is decided: a Prometheus that is slow or away leaves the past unknown.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Sequence
from typing import Final

from foretide.adapters.clock import Clock
from foretide.adapters.errors import AdapterError
from foretide.adapters.prometheus import Prometheus
from foretide.control.past import STEP_SECONDS, Chunk, Owner, ServiceId, own_minutes, owner_of, read
from foretide.control.pods import seconds
from foretide.control.world import Key, World

log: Final = logging.getLogger(__name__)

FORTNIGHT_SECONDS: Final = 14 * 86_400.0
# Samples arrive late: the newest minute is left to the ticks, which see it come.
LAG_SECONDS: Final = 60.0
# Of one query: 6 MB of JSON. 5,000 services are read 40 minutes at a time.
MOST_POINTS: Final = 200_000
MOST_STEPS: Final = 12 * 60
# Chunks that may wait for a tick, 2 MB each: where no tick takes them, nothing more is read.
MOST_WAITING: Final = 4
# At the start services appear one after the other as they are reconciled: reading begins when no new one has come
# between two looks, or after two minutes of them.
LOOK_SECONDS: Final = 5.0
MOST_LOOKS: Final = 24
FIRST_PAUSE_SECONDS: Final = 5.0
LONGEST_PAUSE_SECONDS: Final = 300.0
# What a smaller chunk may cure.
TOO_MUCH: Final = frozenset({"PrometheusTooLarge", "PrometheusTimeout", "PrometheusRejected"})


class Backfill:
    """The past of every service in `world`, once; each no further back than its creation and its `history_seconds`."""

    def __init__(
        self,
        prometheus: Prometheus,
        world: World,
        clock: Clock,
        *,
        rate_window_seconds: float,
        history_seconds: Callable[[Key], float] = lambda _: FORTNIGHT_SECONDS,
        namespaces: Sequence[str] = (),
    ) -> None:
        self._prometheus: Final = prometheus
        self._world: Final = world
        self._clock: Final = clock
        self._rate_window_seconds: Final = rate_window_seconds
        self._history_seconds: Final = history_seconds
        self._namespaces: Final = namespaces
        self._done: set[ServiceId] = set()
        self._waiting: list[Chunk] = []
        self._taken: Final = asyncio.Event()
        self.progress = 1.0  # share of the minutes asked for of what is being read; 1 where nothing is left to read
        self.known_minutes = 0  # read so far, over all services

    async def run(self, between_ticks: asyncio.Event) -> None:
        """Reads what there is to read, and the past of what appears later, for ever. A chunk is begun
        between ticks: those of 5,000 services, read in threads while a tick wrote, left it half of the processor."""
        while True:
            owners = await self._next()
            await self._read_all(owners, between_ticks)
            self._done.update(owner.service for owner in owners)

    def take(self) -> tuple[Chunk, ...]:
        """What was read since the last call; never waits. Each chunk is handed out once, as it is: put its rows into
        the memory of those services that are still the same (`Chunk.of`), and drop the rest."""
        taken, self._waiting = tuple(self._waiting), []
        self._taken.set()
        return taken

    async def _next(self) -> list[Owner]:
        """Services that wait for their past, when no more of them appear."""
        before: set[ServiceId] = set()
        looks = 0
        while True:
            owners = self._owners()
            services = {owner.service for owner in owners}
            if owners and (services == before or looks >= MOST_LOOKS):
                return owners
            before, looks = services, looks + 1 if owners else 0
            await asyncio.sleep(LOOK_SECONDS)

    def _owners(self) -> list[Owner]:
        now = self._clock.now()
        found = []
        for key, served in self._world.served.items():
            metadata = self._world.services.get(key, {}).get("metadata", {})
            if metadata.get("uid") != served.service.uid:
                continue  # deleted and made anew, and not reconciled yet
            # Without a creation there is no telling whose the past is.
            created = seconds(metadata["creationTimestamp"]) if "creationTimestamp" in metadata else now
            found.append(owner_of(served.service, since_seconds=max(created, now - self._history_seconds(key))))
        self._done.intersection_update([owner.service for owner in found])
        return [owner for owner in found if owner.service not in self._done]

    async def _read_all(self, owners: Sequence[Owner], between_ticks: asyncio.Event) -> None:
        """From now back to the oldest minute of any, a chunk after the other."""
        end = math.floor((self._clock.now() - LAG_SECONDS) / STEP_SECONDS) * STEP_SECONDS
        minutes, told = self._longest(owners, end), 0
        if not minutes:
            return
        log.info("back-filling: %d services, %.1f days", len(owners), minutes / 1_440)
        self.progress = 0.0
        most_steps, pause_seconds = MOST_STEPS, FIRST_PAUSE_SECONDS
        while left := self._longest(owners, end):
            # An answer has the workloads of all services, whoever is asked for.
            steps = max(min(left, most_steps, MOST_POINTS // max(len(self._world.served), 1)), 1)
            await between_ticks.wait()
            try:
                chunk = await self._chunk(owners, steps, end)
            except AdapterError as error:
                most_steps = max(steps // 2, 1) if error.reason in TOO_MUCH else most_steps
                log.warning("back-filling waits %g s: %s: %s", pause_seconds, error.reason, error)
                await asyncio.sleep(pause_seconds)
                pause_seconds = min(2.0 * pause_seconds, LONGEST_PAUSE_SECONDS)
                continue
            # Slowly, for a server that has a limit meets it again.
            most_steps, pause_seconds = min(most_steps + most_steps // 8 + 1, MOST_STEPS), FIRST_PAUSE_SECONDS
            await self._hand_over(chunk)
            end -= steps * STEP_SECONDS
            self.progress = 1.0 - self._longest(owners, end) / minutes
            if (tenth := math.floor(10.0 * self.progress + 1e-9)) > told:
                told = tenth
                log.info("back-filling: %d %%, %d minutes known", 10 * tenth, self.known_minutes)

    async def _chunk(self, owners: Sequence[Owner], steps: int, end_seconds: float) -> Chunk:
        own = [owner for owner in owners if self._longest([owner], end_seconds)]
        return await read(
            self._prometheus,
            own,
            steps=steps,
            end_seconds=end_seconds,
            rate_window_seconds=self._rate_window_seconds,
            namespaces=self._namespaces,
        )

    def _longest(self, owners: Sequence[Owner], end_seconds: float) -> int:
        """Minutes up to that moment that are still to be read."""
        window = self._rate_window_seconds
        return max((own_minutes(owner, end_seconds, rate_window_seconds=window) for owner in owners), default=0)

    async def _hand_over(self, chunk: Chunk) -> None:
        """Waits while ticks take nothing."""
        if not chunk.services:
            return
        while len(self._waiting) >= MOST_WAITING:
            self._taken.clear()
            await self._taken.wait()
        self._waiting.append(chunk)
        self.known_minutes += int(chunk.past.demand.known.sum())
