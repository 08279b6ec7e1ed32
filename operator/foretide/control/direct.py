"""Reads the load from the pods themselves: what is left while Prometheus gives no answer."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from foretide.adapters.clock import Clock
from foretide.adapters.errors import Unavailable
from foretide.adapters.prometheus import Pod
from foretide.adapters.resources import DEPLOYMENT
from foretide.adapters.scrape import Scraper
from foretide.control.children import controlled_by
from foretide.control.pods import authority, deployment_of, is_ready, is_terminating
from foretide.control.samples import SLACK, Sample, answer
from foretide.control.world import Key, Served, World
from foretide.scaling.policy import Query
from foretide.scaling.settings import ScalingSettings
from foretide.serving.naming import METRICS_PORT

# A reading costs the operator 1.8 ms of processor time: a tenth of a tick of 15 s at the most.
PODS_A_TICK: Final = 768
PODS_AT_ONCE: Final = 32
# What is not read by then is silent in this tick. Prometheus may have taken 8 s to fail, and a tick has 30.
READ_SECONDS: Final = 8.0
# Two readings make a rate, so that a service that has its turn is read in two ticks.
TURN_TICKS: Final = 2
# Why a pod was not read, beside the adapter's reasons: its time had not come when that of the tick was over.
OUT_OF_TIME: Final = "OutOfTime"


@dataclass(frozen=True, slots=True)
class Scrapes:
    """How many pods were to be read in a tick, and how many of them told nothing, by a word for why."""

    asked: int = 0
    failed: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Target:
    pod: Pod
    uid: str
    address: str
    model: str


@dataclass(slots=True)
class _Turn:
    """When a service was read: ticks in a row, and the last of them."""

    last: int = 0
    ticks: int = 0


class DirectReader:
    """Remembers what each pod told lately, and no pod that is gone.

    Of more than PODS_A_TICK pods, whole services are read in turns of two ticks; a service that has no turn is silent.
    Half of every service each tick would leave no service whose load is known. Of a service that is larger than that
    alone the same PODS_A_TICK pods are read each time, and the others are silent.
    """

    def __init__(self, scraper: Scraper, world: World, clock: Clock, settings: ScalingSettings) -> None:
        self._scraper: Final = scraper
        self._world: Final = world
        self._clock: Final = clock
        # A window, or two ticks where that is longer, which take as long as Prometheus takes to fail.
        two_ticks = TURN_TICKS * max(settings.tick_seconds, READ_SECONDS)
        self._kept_seconds: Final = SLACK * max(settings.rate_window_seconds, two_ticks)
        self._read_now: Set[str] = frozenset()
        self._samples: dict[str, list[Sample]] = {}  # by uid, oldest first
        self._pods: dict[str, Pod] = {}
        self._turns: dict[Key, _Turn] = {}
        self._failed: set[str] = set()
        self._tick = 0

    @property
    def pods(self) -> Set[Pod]:
        """The pods that were there to be read at the last reading, whether they had their turn or not."""
        return frozenset(self._pods.values())

    @property
    def known(self) -> Set[Pod]:
        """The pods that told anything lately."""
        return frozenset(self._pods[uid] for uid in self._samples)

    async def scrape(self) -> Scrapes:
        """Reads the pods whose turn it is, in no more than READ_SECONDS."""
        self._tick += 1
        by_service = self._targets()
        self._pods = {target.uid: target.pod for targets in by_service.values() for target in targets}
        self._turns = {key: self._turns.get(key, _Turn()) for key in by_service}
        # Those that did not answer the last time come last, or a service that hangs would take the time of the others.
        chosen = sorted(self._chosen(by_service), key=lambda target: target.uid in self._failed)
        reasons = {target.uid: OUT_OF_TIME for target in chosen}  # until each has answered
        gate = asyncio.Semaphore(PODS_AT_ONCE)
        with suppress(TimeoutError):
            async with asyncio.timeout(READ_SECONDS), asyncio.TaskGroup() as group:
                for target in chosen:
                    group.create_task(self._read(target, gate, reasons))
        self._failed = {uid for uid, reason in reasons.items() if reason != OUT_OF_TIME}
        self._read_now = {target.uid for target in chosen} - reasons.keys()
        self._forget()
        return Scrapes(asked=len(chosen), failed=dict(Counter(reasons.values())))

    def answers(self, queries: Iterable[Query]) -> dict[Query, dict[Pod, float]]:
        """What the pods tell that were read at the last reading; one that does not tell something is absent there.

        What was read then counts as of now: Prometheus may have taken 8 s to fail, which is no reason to believe none.
        """
        told = {uid: samples for uid, samples in self._samples.items() if uid in self._read_now}
        return {
            query: {
                self._pods[uid]: value for uid, samples in told.items() if (value := answer(query, samples)) is not None
            }
            for query in queries
        }

    def forget(self) -> None:
        """Prometheus tells all again: what comes after the next outage has nothing to do with this one."""
        self._samples, self._turns, self._failed = {}, {}, set()

    async def _read(self, target: _Target, gate: asyncio.Semaphore, reasons: dict[str, str]) -> None:
        async with gate:
            reasons[target.uid] = "Timeout"
            try:
                values = await self._scraper.scrape(address=target.address, model=target.model)
            except Unavailable as error:
                reasons[target.uid] = error.reason
                return
        del reasons[target.uid]
        sample = Sample(self._clock.now(), values)
        before = self._samples.get(target.uid, [])
        # A clock that was set back makes nonsense of what was before.
        self._samples[target.uid] = [one for one in before if one.at_seconds < sample.at_seconds] + [sample]

    def _forget(self) -> None:
        now = self._clock.now()
        self._samples = {
            uid: [one for one in samples if one.at_seconds >= samples[-1].at_seconds - self._kept_seconds]
            for uid, samples in self._samples.items()
            if uid in self._pods and samples[-1].at_seconds >= now - self._kept_seconds
        }

    def _chosen(self, by_service: Mapping[Key, Sequence[_Target]]) -> list[_Target]:
        """The services in the middle of their turn, then those that have waited longest."""

        def place(key: Key) -> tuple[bool, int]:
            turn = self._turns[key]
            return not (turn.last == self._tick - 1 and 0 < turn.ticks < TURN_TICKS), turn.last

        chosen: list[_Target] = []
        for key in sorted(by_service, key=place):
            targets = by_service[key]
            # The first that does not fit ends it: passed over, a large service would wait for ever.
            if chosen and len(chosen) + len(targets) > PODS_A_TICK:
                break
            chosen += targets[:PODS_A_TICK]
            turn = self._turns[key]
            turn.ticks = turn.ticks + 1 if turn.last == self._tick - 1 and turn.ticks < TURN_TICKS else 1
            turn.last = self._tick
        return chosen

    def _targets(self) -> dict[Key, list[_Target]]:
        """The pods that serve, or did until they were told to leave, by service: only those of our own Deployments."""
        return {
            key: sorted(self._targets_of(key, served), key=lambda target: target.uid)
            for key, served in self._world.served.items()
        }

    def _targets_of(self, key: Key, served: Served) -> Iterable[_Target]:
        ours = {
            deployment["metadata"]["name"]
            for deployment in self._world.children(key, DEPLOYMENT.kind)
            if controlled_by(deployment, served.service.uid)
        }
        for pod in self._world.pods(key):
            if (is_ready(pod) or is_terminating(pod)) and deployment_of(pod) in ours:
                metadata = pod["metadata"]
                if (address := authority(pod, METRICS_PORT)) is not None:
                    name = Pod(key.namespace, metadata["name"])
                    yield _Target(name, metadata["uid"], address, served.service.model_name)
