"""Writes one field manager's part of status, only when it changed, and tells each turn of a condition as an Event."""

from __future__ import annotations

import logging
from collections.abc import Container, Mapping
from typing import Any, Final

from foretide.adapters.events import Events
from foretide.adapters.kubernetes import Kubernetes
from foretide.adapters.resources import INFERENCE_SERVICE, Object
from foretide.api import conditions, group
from foretide.api.conditions import Condition, ConditionStatus, ConditionType
from foretide.api.reasons import Reason
from foretide.control.drift import drift
from foretide.control.world import Key, World

log: Final = logging.getLogger(__name__)

# What a person wants to be told when it turns; the others follow from these.
TOLD: Final = (
    ConditionType.READY,
    ConditionType.STALLED,
    ConditionType.METRICS_AVAILABLE,
    ConditionType.SCALING_ACTIVE,
    ConditionType.SCALING_LIMITED,
)
# The usual steps of a start, which end by themselves; `kubectl describe` of the pods shows them.
WAITING: Final = (Reason.CREATING, Reason.PODS_NOT_READY, Reason.ROLLOUT_IN_PROGRESS)
# True is bad news for these.
ABNORMAL: Final = (ConditionType.STALLED, ConditionType.SCALING_LIMITED)
# What the reconcile loop tells beside conditions, of which each loop has its own; all else is the autoscale loop's.
RECONCILED: Final = frozenset({"observedGeneration", "url", "replicas", "readyReplicas"})


class StatusWriter:
    """Remembers what was written last for each service."""

    def __init__(self, api: Kubernetes, events: Events, world: World, *, manager: str) -> None:
        self._api: Final = api
        self._world: Final = world
        self._events: Final = events
        self._manager: Final = manager
        self._written: dict[Key, tuple[str, Mapping[str, Any]]] = {}

    def last(self, key: Key, uid: str) -> Mapping[str, Any] | None:
        """What this process wrote last for the object with this uid."""
        known = self._written.get(key)
        return known[1] if known is not None and known[0] == uid else None

    def is_told(self, key: Key, uid: str, status: Mapping[str, Any]) -> bool:
        """Whether all of it was written before and is still there: anybody with the right to may erase a status."""
        told, live = self.last(key, uid), self._world.services.get(key)
        if told is None or live is None or any(told.get(name) != value for name, value in status.items()):
            return False
        if told.keys() - status.keys() - {"memory"}:  # which is written along with others
            return False
        return drift(_by_type(status), _by_type(live.get("status", {}))) is None

    async def write(self, key: Key, uid: str, status: Mapping[str, Any]) -> None:
        """Applies the whole intent of the manager.

        The uid is a precondition: a status worked out for a deleted service never reaches its successor.
        """
        shown = self._world.services.get(key)
        answer = await self._apply(key, uid, status)
        if foreign := self._foreign(status, answer):
            # No apply takes away what others wrote: an entry of theirs in a list would stay, and be drift for ever.
            log.warning("%s/%s: %s of status has what others wrote, it is written anew", *key, ", ".join(foreign))
            await self._api.erase_status(INFERENCE_SERVICE, answer, foreign, manager=self._manager)
            answer = await self._apply(key, uid, status)
        self._written[key] = (uid, _as_answered(status, answer.get("status", {})))
        self._world.answered(INFERENCE_SERVICE, answer, shown=shown)

    async def _apply(self, key: Key, uid: str, status: Mapping[str, Any]) -> Object:
        return await self._api.apply(
            {
                "apiVersion": INFERENCE_SERVICE.api_version,
                "kind": INFERENCE_SERVICE.kind,
                "metadata": {"namespace": key.namespace, "name": key.name, "uid": uid},
                "status": dict(status),
            },
            manager=self._manager,
            subresource="status",
        )

    def _foreign(self, status: Mapping[str, Any], answer: Object) -> list[str]:
        """The fields of this manager that say more than it applied."""
        reconciles = self._manager == group.RECONCILE_MANAGER
        return [
            name
            for name, value in answer.get("status", {}).items()
            if name != "conditions"
            and (name in RECONCILED) == reconciles
            and drift(value, status.get(name)) is not None
        ]

    def tell(self, key: Key, uid: str, status: Mapping[str, Any], *, before: Mapping[str, Any]) -> None:
        """Emits an Event for each condition that turned since `before`."""
        for turned in _turned(before, status):
            self._events.emit(
                namespace=key.namespace,
                name=key.name,
                uid=uid,
                reason=turned.reason,
                note=f"{turned.type} is {turned.status}: {turned.message}",
                warning=(turned.status is ConditionStatus.TRUE) == (turned.type in ABNORMAL),
            )

    def keep(self, keys: Container[Key]) -> None:
        """Forgets all other services."""
        self._written = {key: written for key, written in self._written.items() if key in keys}

    def forget(self, key: Key) -> None:
        """Drops what was remembered of a deleted service."""
        self._written.pop(key, None)


def _as_answered(status: Mapping[str, Any], answer: Mapping[str, Any]) -> dict[str, Any]:
    """The same, made of what is equal in the answer, which the world keeps: of 5,000 services twice that is 50 MiB."""
    conditions = _by_type(answer)["conditions"]

    def shared(value: Any, answered: Any) -> Any:
        return answered if answered == value else value

    told = {name: shared(value, answer.get(name)) for name, value in status.items()}
    if "conditions" in status:
        told["conditions"] = [shared(one, conditions.get(one["type"])) for one in status["conditions"]]
    return told


def _by_type(status: Mapping[str, Any]) -> dict[str, Any]:
    """A status with its conditions as a map, as server-side apply sees them: each manager owns some of them."""
    conditions = {condition["type"]: condition for condition in status.get("conditions", ())}
    return {**status, "conditions": conditions}


def _turned(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Condition]:
    """Conditions whose status or reason is another, apart from those that start out as they should be."""
    old, new = conditions.read(before), conditions.read(after)
    turned = []
    for kind in TOLD:
        now, was = new.get(kind), old.get(kind)
        if now is None or now.status is ConditionStatus.UNKNOWN:
            continue
        if now.reason in WAITING:
            continue
        same = was is not None and was.status is now.status and was.reason == now.reason
        born_well = was is None and (now.status is ConditionStatus.TRUE) != (kind in ABNORMAL)
        if not same and not born_well:
            turned.append(now)
    return turned
