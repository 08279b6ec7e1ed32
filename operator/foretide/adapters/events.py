"""Kubernetes Events: what `kubectl describe` shows. Posted on changes only, and by themselves: of the requests for a
service that is scaled a third was its Event, which a tick with 88 of them waited for. A lost event harms nobody."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Final, Protocol

from foretide.adapters.clock import Clock
from foretide.adapters.errors import AdapterError
from foretide.adapters.kubernetes import Kubernetes
from foretide.adapters.resources import EVENT, INFERENCE_SERVICE, Object
from foretide.api import group
from foretide.api.reasons import Reason

log: Final = logging.getLogger(__name__)

NOTE_LIMIT: Final = 1024  # of the API
WAITING_LIMIT: Final = 2_000  # of 2.5 KiB each; an API server takes a hundred in a second
TIMEOUT_SECONDS: Final = 2.0  # of one, and of all those that wait when the operator ends
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
        try:
            self._waiting.put_nowait(event)
        except asyncio.QueueFull:
            _lost(event, f"{WAITING_LIMIT} wait already")

    @asynccontextmanager
    async def posting(self) -> AsyncIterator[None]:
        """Posts what is emitted. Those that wait at the end are posted before it, if it is not an error and they do not
        take longer than one may."""
        posting = asyncio.create_task(self._post_for_ever())
        try:
            yield
            with suppress(TimeoutError):
                await asyncio.wait_for(self._waiting.join(), TIMEOUT_SECONDS)
        finally:
            posting.cancel()
            await asyncio.gather(posting, return_exceptions=True)

    async def _post_for_ever(self) -> None:
        while True:
            event = await self._waiting.get()
            try:
                async with asyncio.timeout(TIMEOUT_SECONDS):
                    await self._api.create(event)
            except (AdapterError, TimeoutError) as error:
                _lost(event, error)
            except Exception:
                log.exception("an event: a fault of the operator; others are posted")
            finally:
                self._waiting.task_done()


def _lost(event: Object, why: object) -> None:
    of = event["regarding"]
    log.info("event %s of %s/%s is lost: %s", event["reason"], of["namespace"], of["name"], why)
