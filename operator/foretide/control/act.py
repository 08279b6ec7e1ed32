"""Acts on decisions: what must be remembered goes to status, and only then the number goes to /scale.

A crash between the two loses nothing: the next tick finds the old number, decides again and writes the rest.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

from foretide.adapters.errors import AdapterError, Conflict, Rejected
from foretide.adapters.events import Events
from foretide.adapters.kubernetes import Kubernetes
from foretide.adapters.resources import Object
from foretide.api import group
from foretide.api.reasons import Reason
from foretide.control.status_writer import StatusWriter
from foretide.control.world import Key, World

log: Final = logging.getLogger(__name__)

WRITES_AT_ONCE: Final = 32
# Who is to grow before who is not.
HEAD_START_TICKS: Final = 3


class Written(Enum):
    """What became of a decision."""

    DONE = auto()
    FAILED = auto()  # the API server did not take all of it
    POSTPONED = auto()  # the tick had no time for it


class _NoTime(Exception):
    """The tick has none left for this service."""


@dataclass(frozen=True, slots=True)
class Untaken:
    """A number that /scale did not take; it is tried again at each tick that still wants one."""

    uid: str
    reason: Reason | None  # of a definite no; None where there was no answer, or the number that was seen was old
    message: str


@dataclass(frozen=True, slots=True)
class Scale:
    """The number of replicas that one Deployment is to have, which is as it was decided on."""

    deployment: Object
    replicas: int

    @property
    def change(self) -> int:
        present: int = self.deployment["spec"].get("replicas", 1)
        return self.replicas - present


class Actuator:
    """Writes the autoscale loop's part of status and /scale, for many services at once."""

    def __init__(self, api: Kubernetes, events: Events, world: World, *, patience_seconds: float = math.inf) -> None:
        """`patience_seconds`: of the writing of a tick, after which only what is urgent is written."""
        self._patience_seconds: Final = patience_seconds
        self._until_seconds = math.inf  # by the clock of the loop
        self._api: Final = api
        self._events: Final = events
        self._world: Final = world
        self._status: Final = StatusWriter(api, events, world, manager=group.AUTOSCALE_MANAGER)
        self._slots: Final = asyncio.Semaphore(WRITES_AT_ONCE)
        self._untaken: dict[Key, Untaken] = {}
        # Since which tick each waits for its turn; a tick that is given up leaves those that had none.
        self._waiting: dict[Key, int] = {}
        self._ticks: Final = itertools.count()

    def in_turn(self, keys: Sequence[Key], *, urgent: Sequence[bool], changing: Sequence[bool]) -> list[int]:
        """The order in which this tick is to act, as positions in `keys`: who has waited the longest first, over ticks
        in which not all had their turn; the urgent ones as if for HEAD_START_TICKS more. Of those who have waited for
        as long, who is `changing` is first: the API server works on these while the others are looked at. Once a tick.

        5,000 services that all want another number at a start are 10,000 requests, more than a busy API server answers
        within a tick: those at the end of the alphabet waited for ever. And 2,000 that all shrink made ticks of half a
        minute, of which each was given up, and in which none could have grown.
        """
        self._until_seconds = asyncio.get_running_loop().time() + self._patience_seconds
        now = next(self._ticks)
        self._waiting = {key: self._waiting.get(key, now) for key in keys}
        since = [self._waiting[key] - HEAD_START_TICKS * soon for key, soon in zip(keys, urgent, strict=True)]
        return sorted(range(len(keys)), key=lambda at: (since[at], not changing[at]))

    def told(self, key: Key, uid: str) -> Mapping[str, Any] | None:
        """The status that this process wrote last."""
        return self._status.last(key, uid)

    def untaken(self, key: Key, uid: str) -> Untaken | None:
        """Why /scale did not take the number that was written last, if it did not."""
        untaken = self._untaken.get(key)
        return untaken if untaken is not None and untaken.uid == uid else None

    async def act(
        self,
        key: Key,
        uid: str,
        *,
        status: Callable[[], Mapping[str, Any]],
        before: Mapping[str, Any],
        memory: Callable[[], str],
        scales: Sequence[Scale],
        urgent: bool,
        decided: bool = True,
    ) -> Written:
        """Status first, then the numbers of replicas, those that grow before those that shrink; where the API server
        does not take one of them, none that follows is written.

        A service at rest waits for nobody. `status` of one that is to be written is made when there is room for it:
        those of 5,000 services would wait in 40 MiB. Where the tick has no time left for what is not `urgent`, nothing
        is written.

        A number is for the Deployment as it was decided on: one that was made anew or scaled by somebody else since is
        a Conflict, and the next tick decides anew. `decided` is false where the numbers only follow a decision of
        before: a hardware class hands over to another.

        The memory changes at each tick and is written only along with something worth telling: a service at rest
        causes no writes (Recall says what a restart makes of an old memory), nor does one whose /scale is refused at
        each tick.
        """
        changes = sorted((scale for scale in scales if scale.change), key=lambda scale: scale.change < 0)
        try:
            with self._turn(key):
                if not changes:
                    self._untaken.pop(key, None)
                    if self._status.is_told(key, uid, status()):
                        return Written.DONE
                async with self._slots:
                    if not urgent and asyncio.get_running_loop().time() >= self._until_seconds:
                        raise _NoTime
                    made = status()
                    _log(key, made, before)  # before it is written, so that no death in between loses it
                    if not self._status.is_told(key, uid, made):
                        await self._status.write(key, uid, {**made, "memory": memory()})
                    written = await self._scaled(key, uid, changes)
        except _NoTime:
            return Written.POSTPONED
        except AdapterError as error:
            log.warning("%s/%s stays as it is, its status is not written: %s", *key, error)
            return Written.FAILED
        self._status.tell(key, uid, made, before=before)
        if written is Written.DONE and decided and changes:
            decision = made["decisions"][-1]
            self._events.emit(
                namespace=key.namespace,
                name=key.name,
                uid=uid,
                reason=Reason(decision["reason"]),
                note=decision["text"],
                warning=False,
            )
        return written

    def keep(self, keys: Container[Key]) -> None:
        """Forgets all other services."""
        self._status.keep(keys)
        self._untaken = {key: untaken for key, untaken in self._untaken.items() if key in keys}

    @contextmanager
    def _turn(self, key: Key) -> Iterator[None]:
        """Whoever had one waits no longer, also after a refusal or a fault, which keep nobody else waiting; but for one
        that the tick had no time for, or that it took away when it was given up."""
        try:
            yield
        except _NoTime:
            raise
        except Exception:  # a cancellation is none
            self._waiting.pop(key, None)
            raise
        self._waiting.pop(key, None)

    async def _scaled(self, key: Key, uid: str, changes: Sequence[Scale]) -> Written:
        for change in changes:
            if not await self._scale(key, uid, change):
                return Written.FAILED
        return Written.DONE

    async def _scale(self, key: Key, uid: str, scale: Scale) -> bool:
        deployment, replicas = scale.deployment, scale.replicas
        served = self._world.served.get(key)
        if served is None or served.service.uid != uid:
            return True  # deleted while its status was written
        try:
            version = await self._api.scale(deployment, replicas=replicas, manager=group.AUTOSCALE_MANAGER)
        except AdapterError as error:
            untaken = Untaken(uid, _refusal(error), str(error))
            if untaken != self._untaken.get(key):
                log.warning("%s/%s stays as it is, %d replicas are tried at each tick: %s", *key, replicas, error)
            self._untaken[key] = untaken
            return False
        self._untaken.pop(key, None)
        self._world.scaled(key, deployment, replicas, version=version)
        return True


def _log(key: Key, made: Mapping[str, Any], before: Mapping[str, Any]) -> None:
    """The decisions that are new."""
    for entry in made["decisions"]:
        if entry not in before.get("decisions", ()):
            log.info("%s/%s %s", *key, entry["text"], extra={"service": "/".join(key), "decision": entry})


def _refusal(error: AdapterError) -> Reason | None:
    """The word for a definite no; a Deployment that is another by now, or gone, is none."""
    if not isinstance(error, Rejected) or isinstance(error, Conflict) or error.reason == "NotFound":
        return None
    return Reason.FORBIDDEN if error.reason == "Forbidden" else Reason.SCALE_REFUSED
