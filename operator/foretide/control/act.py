"""Acts on decisions: what must be remembered goes to status, and only then the number goes to /scale.

A crash between the two loses nothing: the next tick finds the old number, decides again and writes the rest.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Container, Mapping
from typing import Any, Final

from foretide.adapters.errors import AdapterError
from foretide.adapters.events import Events
from foretide.adapters.kubernetes import Kubernetes
from foretide.adapters.resources import Object
from foretide.api import group
from foretide.api.reasons import Reason
from foretide.control.status_writer import StatusWriter
from foretide.control.world import Key, World

log: Final = logging.getLogger(__name__)

WRITES_AT_ONCE: Final = 32


class Actuator:
    """Writes the autoscale loop's part of status and /scale, for many services at once."""

    def __init__(self, api: Kubernetes, events: Events, world: World) -> None:
        self._api: Final = api
        self._events: Final = events
        self._world: Final = world
        self._status: Final = StatusWriter(api, events, world, manager=group.AUTOSCALE_MANAGER)
        self._slots: Final = asyncio.Semaphore(WRITES_AT_ONCE)

    def told(self, key: Key, uid: str) -> Mapping[str, Any] | None:
        """The status that this process wrote last."""
        return self._status.last(key, uid)

    async def act(
        self,
        key: Key,
        uid: str,
        *,
        status: Mapping[str, Any],
        before: Mapping[str, Any],
        memory: Callable[[], str],
        deployment: Object,
        replicas: int,
        present: int,
    ) -> bool:
        """Status first, then the number of replicas; False when the API server did not take one of them.

        The number is for `deployment` as it was decided on: one that was made anew or scaled by somebody else since is
        a Conflict, and the next tick decides anew.

        The memory changes at each tick and is written only along with something worth telling: a service at rest
        causes no writes (Recall says what a restart makes of an old memory).
        """
        if replicas == present and self._status.is_told(key, uid, status):
            return True
        for entry in status["decisions"]:
            if entry not in before.get("decisions", ()):
                # Before it is written, so that no death in between loses it.
                log.info("%s/%s %s", *key, entry["text"], extra={"service": "/".join(key), "decision": entry})
        try:
            async with self._slots:
                await self._status.write(key, uid, {**status, "memory": memory()})
                if replicas != present:
                    await self._scale(key, uid, deployment, replicas)
        except AdapterError as error:
            log.warning("%s/%s stays at %d replicas until the next tick: %s", *key, present, error)
            return False
        # Events last: their storage may be slow, and nothing waits for them.
        await self._status.tell(key, uid, status, before=before)
        if replicas != present:
            decision = status["decisions"][-1]
            await self._events.emit(
                namespace=key.namespace,
                name=key.name,
                uid=uid,
                reason=Reason(decision["reason"]),
                note=decision["text"],
                warning=False,
            )
        return True

    def keep(self, keys: Container[Key]) -> None:
        """Forgets all other services."""
        self._status.keep(keys)

    async def _scale(self, key: Key, uid: str, deployment: Object, replicas: int) -> None:
        served = self._world.served.get(key)
        if served is None or served.service.uid != uid:
            return  # deleted while its status was written
        version = await self._api.scale(deployment, replicas=replicas, manager=group.AUTOSCALE_MANAGER)
        self._world.scaled(key, deployment, replicas, version=version)
