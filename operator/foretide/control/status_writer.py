"""Writes one field manager's part of status, and only when it changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from foretide.adapters.kubernetes import Kubernetes
from foretide.adapters.resources import INFERENCE_SERVICE
from foretide.control.world import Key


class StatusWriter:
    """Remembers what was written last for each service."""

    def __init__(self, api: Kubernetes, *, manager: str) -> None:
        self._api: Final = api
        self._manager: Final = manager
        self._written: dict[Key, tuple[str, Mapping[str, Any]]] = {}

    def last(self, key: Key, uid: str) -> Mapping[str, Any] | None:
        """What this process wrote last for the object with this uid."""
        known = self._written.get(key)
        return known[1] if known is not None and known[0] == uid else None

    async def write(self, key: Key, uid: str, status: Mapping[str, Any]) -> bool:
        """Applies the whole intent of the manager; False when it is what was written last.

        The uid is a precondition: a status worked out for a deleted service never reaches its successor.
        """
        if self.last(key, uid) == status:
            return False
        await self._api.apply(
            {
                "apiVersion": INFERENCE_SERVICE.api_version,
                "kind": INFERENCE_SERVICE.kind,
                "metadata": {"namespace": key.namespace, "name": key.name, "uid": uid},
                "status": dict(status),
            },
            manager=self._manager,
            subresource="status",
        )
        self._written[key] = (uid, status)
        return True

    def forget(self, key: Key) -> None:
        """Drops what was remembered of a deleted service."""
        self._written.pop(key, None)
