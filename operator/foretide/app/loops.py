"""The loops of a leading operator: watch, work queue, sweep, tick and back-filling."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterable
from functools import partial
from typing import Final

from foretide.adapters.clock import Clock
from foretide.adapters.errors import LEASE_LOST, NAMESPACE_TERMINATING, AdapterError, Unavailable
from foretide.adapters.kubernetes import Kubernetes
from foretide.adapters.resources import CHILDREN, POD, Object, Resource
from foretide.adapters.trimmed import trimmed
from foretide.app import watching
from foretide.app.families import TickResult
from foretide.app.metrics import SelfMetrics
from foretide.app.namespaces import NO_ROLE, open_to
from foretide.app.settings import Settings
from foretide.app.stopping import unless
from foretide.control.autoscale import Autoscaler
from foretide.control.backfill import Backfill
from foretide.control.reconcile import Reconciler
from foretide.control.workqueue import WorkQueue
from foretide.control.world import Key, ObjectId, World
from foretide.scaling.forecast.history import MINUTE_SECONDS

log: Final = logging.getLogger(__name__)

# A tick that takes longer than this many of its periods is given up: the next one starts from what is then known.
TICK_DEADLINE_PERIODS: Final = 2
SHORTEST_DEADLINE_SECONDS: Final = 30.0
# Of a period, between a tick that took long and the next: it writes at its end, and the one after it would write next.
# Two steps down came within 0.6 s of each other in a run with a tick each 1.5 s.
LEAST_PAUSE_PERIODS: Final = 0.5
# Before a tick, in which nothing else begins: of 5,000 services a piece of the past takes 2 s, and a list of pods 3 s.
CLOSED_SECONDS: Final = 3.0
BACKFILL_FAULT_PAUSE_SECONDS: Final = 300.0
# What is no fault of the service that is reconciled; that the Lease is lost is told once, by itself.
QUIETLY: Final = {NAMESPACE_TERMINATING: logging.INFO, LEASE_LOST: logging.DEBUG}
# Before a list is asked for again: eleven of them, one after the other, hardly ever come off at once where a third of
# all requests fails.
LIST_PAUSES_SECONDS: Final = (0.5, 1.0, 2.0, 4.0, 8.0)


class Loops:
    """Runs everything that only the holder of the Lease may run."""

    def __init__(
        self,
        *,
        settings: Settings,
        api: Kubernetes,
        world: World,
        reconciler: Reconciler,
        autoscaler: Autoscaler,
        backfill: Backfill,
        clock: Clock,
        metrics: SelfMetrics,
    ) -> None:
        self._settings: Final = settings
        self._api: Final = api
        self._world: Final = world
        self._reconciler: Final = reconciler
        self._autoscaler: Final = autoscaler
        self._backfill: Final = backfill
        self._clock: Final = clock
        self._metrics: Final = metrics
        self._queue: Final[WorkQueue[Key]] = WorkQueue()
        self._namespaces: tuple[str, ...] = ()  # that are watched; empty: all
        self._newer: Final[set[ObjectId]] = set()  # objects that an event showed since the sweep asked for its list
        self._unsure: Final[WorkQueue[watching.Place]] = WorkQueue()  # what a sweep has to show
        self._between_ticks: Final = asyncio.Event()  # set while what takes long may begin
        self._ticked = time.monotonic()
        self.started = False
        metrics.tick_interval.set(settings.tick_seconds)
        metrics.conditions.follow(world.services)
        metrics.queue_depth.set_function(lambda: len(self._queue))
        metrics.queue_retrying.set_function(lambda: self._queue.retrying)
        metrics.backfill_progress.set_function(lambda: backfill.progress)
        metrics.backfill_known.set_function(lambda: MINUTE_SECONDS * backfill.known_minutes)

    async def run(self, stop: asyncio.Event) -> None:
        """Runs until `stop` is set; raises when one of the loops cannot go on."""
        if not await unless(stop, self._first_view()):
            return
        self._ticked = time.monotonic()  # a standby has waited for long
        self.started = True
        async with asyncio.TaskGroup() as group:
            endless = [group.create_task(self._queue.work(self._reconcile)) for _ in range(self._settings.workers)]
            sweeps = (self._sweep_for_ever(stop), self._unsure.work(partial(self._sweep, stop=stop)))
            rest = (self._tick_for_ever(), *sweeps, self._backfill_for_ever())
            endless += [group.create_task(each) for each in rest]
            # A task of its own, so that a stop and a cancellation (the Lease is lost) end all loops at once: kopf takes
            # seconds to leave, another operator may lead by then, and on its way it cancels what a tick waits for.
            unsure = self._unsure.add
            watch = group.create_task(watching.watch(self._seen, unsure, namespaces=self._namespaces, stop=stop))
            stopped = group.create_task(stop.wait())
            await asyncio.wait({watch, stopped}, return_when=asyncio.FIRST_COMPLETED)
            for task in (*endless, stopped):
                task.cancel()

    @property
    def tick_age_seconds(self) -> float:
        """Time since a tick last came to its end."""
        return time.monotonic() - self._ticked

    @property
    def tick_deadline_seconds(self) -> float:
        return max(SHORTEST_DEADLINE_SECONDS, TICK_DEADLINE_PERIODS * self._settings.tick_seconds)

    def _seen(self, resource: Resource, obj: Object, deleted: bool) -> None:
        self._metrics.events.labels(resource.kind).inc()
        # First of all: what is no object raises here, and the list that is under way knows better.
        kept = trimmed(obj, self._world.known(resource, obj))
        self._newer.add((resource.kind, obj["metadata"].get("namespace"), obj["metadata"]["name"]))
        for key in self._world.seen(resource, kept, deleted=deleted):
            self._queue.add(key)

    async def _reconcile(self, key: Key) -> None:
        try:
            with self._metrics.reconciling():
                await self._reconciler.reconcile(key)
        except AdapterError as error:
            log.log(QUIETLY.get(error.reason, logging.WARNING), "%s/%s: %s: %s", *key, error.reason, error)
            raise
        except Exception:
            log.exception("%s/%s: a fault of the operator; other services go on", *key)
            raise

    async def _first_view(self) -> None:
        """The whole, before the first decision: classes and services arrive in any order."""
        self._namespaces = await open_to(self._api, self._settings.namespaces)
        for place in watching.places(self._namespaces):
            self._take(place, await self._patiently_listed(place))

    def _take(self, place: watching.Place, objects: Iterable[Object]) -> None:
        """Compares the caches with the cluster: kopf tells nothing of objects that vanished while a watch was down."""
        resource, namespace = place
        typed = ({"apiVersion": resource.api_version, "kind": resource.kind, **obj} for obj in objects)
        for key in self._world.replace(resource, typed, namespace=namespace, newer=self._newer):
            self._queue.add(key)

    async def _patiently_listed(self, place: watching.Place) -> list[Object]:
        """Asked for again, and not for ever, where the API server cannot answer now."""
        for pause_seconds in LIST_PAUSES_SECONDS:
            try:
                return await self._listed(place)
            except Unavailable as error:
                log.warning("list of %s: %s: %s", place[0].plural, error.reason, error)
            await asyncio.sleep(pause_seconds)
        return await self._listed(place)

    async def _listed(self, place: watching.Place) -> list[Object]:
        resource, namespace = place
        selector = watching.OURS if resource in (*CHILDREN, POD) else ""
        self._newer.clear()
        known = partial(self._world.known, resource)
        return await self._api.list(resource, label_selector=selector, namespace=namespace, known=known)

    async def _sweep_for_ever(self, stop: asyncio.Event) -> None:
        """One kind after the other: all at once would hold up a tick (of 1,000 services for 1.5 s)."""
        places = watching.places(self._namespaces)
        while True:
            for place in places:
                await asyncio.sleep(self._settings.sweep_seconds / len(places))
                self._unsure.add(place)
            await self._look_for_namespaces(stop)

    async def _sweep(self, place: watching.Place, *, stop: asyncio.Event) -> None:
        """At its time, or while kopf does not show it. It begins between ticks, of which one that hangs is not waited
        for; where it fails it is tried again later, and holds up no other."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SHORTEST_DEADLINE_SECONDS):
                await self._between_ticks.wait()
        plural = place[0].plural
        try:
            self._take(place, await self._listed(place))
        except AdapterError as error:
            log.warning("sweep of %s: %s: %s", plural, error.reason, error)
            if error.reason == NO_ROLE:
                await self._look_for_namespaces(stop)
            raise
        except Exception:
            log.exception("sweep of %s: a fault of the operator; the others go on", plural)
            raise

    async def _look_for_namespaces(self, stop: asyncio.Event) -> None:
        """Ends the operator where those to work in are others: kopf's watches are of what there was."""
        try:
            if await open_to(self._api, self._settings.namespaces) != self._namespaces:
                log.warning("a namespace to work in has come or gone; stopping, to be started with other watches")
                stop.set()
        except AdapterError as error:
            log.warning("namespaces to work in: %s: %s", error.reason, error)

    async def _tick_for_ever(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            try:
                async with asyncio.timeout(self.tick_deadline_seconds):
                    with self._metrics.tick_seconds.time():
                        outcome = await self._autoscaler.tick()
                self._metrics.ticked(outcome, now_seconds=self._clock.now())
            except TimeoutError:
                self._metrics.not_ticked(TickResult.TIMEOUT)
                log.error("tick: not done in %g s, given up", self.tick_deadline_seconds)
            except Exception:
                self._metrics.not_ticked(TickResult.FAULT)
                log.exception("tick: a fault of the operator; replicas stay as they are until the next tick")
            self._ticked = time.monotonic()
            period_seconds = self._settings.tick_seconds
            due = max(due + period_seconds, loop.time() + LEAST_PAUSE_PERIODS * period_seconds)
            await self._pause(due - loop.time())

    async def _pause(self, seconds: float) -> None:
        closed_seconds = min(CLOSED_SECONDS, seconds / 2.0)
        self._between_ticks.set()
        await asyncio.sleep(seconds - closed_seconds)
        self._between_ticks.clear()
        await asyncio.sleep(closed_seconds)

    async def _backfill_for_ever(self) -> None:
        while True:
            try:
                await self._backfill.run(self._between_ticks)
            except Exception:
                log.exception("back-filling: a fault of the operator; ticks go on without the past")
            await asyncio.sleep(BACKFILL_FAULT_PAUSE_SECONDS)
