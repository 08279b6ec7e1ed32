"""Kubernetes Events: what `kubectl describe` shows. Posted on changes only, and beside the tick: of the three requests
for a service that is scaled one is its Event, and ticks that scaled 88 services waited for theirs. A lost event harms
nobody."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Final, Protocol

from foretide.adapters.clock import Clock
from foretide.adapters.errors import LEASE_LOST, AdapterError
from foretide.adapters.kubernetes import Kubernetes
from foretide.adapters.resources import EVENT, INFERENCE_SERVICE, Object
from foretide.api import group
from foretide.api.reasons import Reason

log: Final = logging.getLogger(__name__)

NOTE_LIMIT: Final = 1024  # of the API
WAITING_LIMIT: Final = 2_000  # of 2.5 KiB each; those that have waited the longest are lost then
TIMEOUT_SECONDS: Final = 2.0
# For all those that wait when the operator ends; of the 10 s that this may take in all.
LAST_SECONDS: Final = 1.0
CONTROLLER: Final = f"{group.GROUP}/operator"


class Events(Protocol):
    """Tells people what happened to an InferenceService."""

    def emit(self, *, namespace: str, name: str, uid: str, reason: Reason, note: str, warning: bool) -> None:
        """Has one Event about the service posted; neither waits for it nor raises."""
        ...


class KubernetesEvents:
    """`Events` as events.k8s.io/v1 objects, posted one after the other while `posting`."""

    def __init__(self, api: Kubernetes, clock: Clock, *, instance: str) -> None:
        self._api: Final = api
        self._clock: Final = clock
        self._instance: Final = instance
        self._waiting: Final[asyncio.Queue[Object]] = asyncio.Queue(WAITING_LIMIT)

    def emit(self, *, namespace: str, name: str, uid: str, reason: Reason, note: str, warning: bool) -> None:
        event = {
            "apiVersion": EVENT.api_version,
            "kind": EVENT.kind,
            "metadata": {"namespace": namespace, "name": f"{name}.{secrets.token_hex(8)}"},
            "eventTime": datetime.fromtimestamp(self._clock.now(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "reportingController": CONTROLLER,
            "reportingInstance": self._instance,
            "type": "Warning" if warning else "Normal",
            "reason": reason.value,
            "action": reason.value,
            "note": note[:NOTE_LIMIT],
            "regarding": {
                "apiVersion": INFERENCE_SERVICE.api_version,
                "kind": INFERENCE_SERVICE.kind,
                "namespace": namespace,
                "name": name,
                "uid": uid,
            },
        }
        if self._waiting.full():
            _lost(self._waiting.get_nowait(), f"{WAITING_LIMIT} newer ones wait")
            self._waiting.task_done()
        self._waiting.put_nowait(event)

    @asynccontextmanager
    async def posting(self) -> AsyncIterator[None]:
        """Posts what is emitted. At an end that is no error those that wait are still posted, in LAST_SECONDS."""
        posting = asyncio.create_task(self._post_for_ever())
        try:
            yield
            with suppress(TimeoutError):
                async with asyncio.timeout(LAST_SECONDS):
                    await self._waiting.join()
        finally:
            posting.cancel()
            await asyncio.gather(posting, return_exceptions=True)
            if waiting := self._waiting.qsize():
                log.info("%d events are lost: the operator ends", waiting)

    async def _post_for_ever(self) -> None:
        while True:
            event = await self._waiting.get()
            try:
                async with asyncio.timeout(TIMEOUT_SECONDS):
                    await self._api.create(event)
            except AdapterError as error:
                _lost(event, error)
            except TimeoutError:
                _lost(event, f"no answer in {TIMEOUT_SECONDS:g} s")
            except Exception:
                log.exception("an event: a fault of the operator; others are posted")
            finally:
                self._waiting.task_done()


def _lost(event: Object, why: object) -> None:
    of = event["regarding"]
    # That the Lease is lost is told once, by itself.
    level = logging.DEBUG if isinstance(why, AdapterError) and why.reason == LEASE_LOST else logging.INFO
    log.log(level, "event %s of %s/%s is lost: %s", event["reason"], of["namespace"], of["name"], why)
