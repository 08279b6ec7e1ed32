"""Kubernetes Events: what `kubectl describe` shows. Posted on changes only; a lost event harms nobody."""

from __future__ import annotations

import asyncio
import logging
import secrets
from datetime import UTC, datetime
from typing import Final, Protocol

from foretide.adapters.clock import Clock
from foretide.adapters.errors import AdapterError
from foretide.adapters.kubernetes import Kubernetes
from foretide.adapters.resources import EVENT, INFERENCE_SERVICE
from foretide.api import group
from foretide.api.reasons import Reason

log: Final = logging.getLogger(__name__)

NOTE_LIMIT: Final = 1024  # of the API
TIMEOUT_SECONDS: Final = 2.0  # slow storage of Events delays nothing else
CONTROLLER: Final = f"{group.GROUP}/operator"


class Events(Protocol):
    """Tells people what happened to an InferenceService."""

    async def emit(self, *, namespace: str, name: str, uid: str, reason: Reason, note: str, warning: bool) -> None:
        """Posts one Event about the service; never raises."""
        ...


class KubernetesEvents:
    """`Events` as events.k8s.io/v1 objects."""

    def __init__(self, api: Kubernetes, clock: Clock, *, instance: str) -> None:
        self._api: Final = api
        self._clock: Final = clock
        self._instance: Final = instance

    async def emit(self, *, namespace: str, name: str, uid: str, reason: Reason, note: str, warning: bool) -> None:
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
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await self._api.create(event)
        except (AdapterError, TimeoutError) as error:
            log.info("event %s of %s/%s is lost: %s", reason, namespace, name, error)
