"""What the operator must be allowed, as its chart grants it; a test compares the two."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum, auto
from typing import Final, NamedTuple

from foretide.api import group


class Need(NamedTuple):
    """One verb on one resource."""

    verb: str
    api_group: str
    resource: str  # with its subresource, as RBAC writes it
    namespace: str | None = None  # None: in all of them, or of a kind that is in none

    def __str__(self) -> str:
        where = f" in {self.namespace}" if self.namespace else ""
        return f"{self.verb} {self.resource}{f'.{self.api_group}' if self.api_group else ''}{where}"


class _Place(Enum):
    CLUSTER = auto()
    SERVICES = auto()  # the namespaces that the operator works in
    OWN = auto()


_KINDS: Final = (group.INFERENCE_SERVICES, group.SCALING_POLICIES, group.MODEL_PROFILES)
_WATCHED: Final = ("list", "watch")
_MADE: Final = ("get", "list", "watch", "create", "patch")
_RULES: Final = (
    (_WATCHED, group.GROUP, (group.HARDWARE_CLASSES,), _Place.CLUSTER),
    (_WATCHED, group.GROUP, _KINDS, _Place.SERVICES),
    (("get",), group.GROUP, (group.INFERENCE_SERVICES,), _Place.SERVICES),
    (("patch",), group.GROUP, (f"{group.INFERENCE_SERVICES}/status",), _Place.SERVICES),
    ((*_MADE, "delete"), "apps", ("deployments",), _Place.SERVICES),
    (("patch",), "apps", ("deployments/scale",), _Place.SERVICES),
    ((*_MADE, "delete"), "", ("configmaps",), _Place.SERVICES),
    (_MADE, "", ("services", "serviceaccounts"), _Place.SERVICES),
    ((*_MADE, "delete"), "policy", ("poddisruptionbudgets",), _Place.SERVICES),
    (_WATCHED, "", ("pods",), _Place.SERVICES),
    (("get",), "", ("pods/log",), _Place.SERVICES),
    (_WATCHED, "autoscaling", ("horizontalpodautoscalers",), _Place.SERVICES),
    (("create",), "events.k8s.io", ("events",), _Place.SERVICES),
    (("create", "get", "update"), "coordination.k8s.io", ("leases",), _Place.OWN),
)


def needs(own: str, namespaces: Sequence[str]) -> Iterator[Need]:
    """All that an operator in the namespace `own` needs, which works in these namespaces or, without any, in all."""
    places: Mapping[_Place, Sequence[str | None]] = {
        _Place.CLUSTER: (None,),
        _Place.SERVICES: tuple(namespaces) or (None,),
        _Place.OWN: (own,),
    }
    for verbs, api_group, resources, place in _RULES:
        for namespace in places[place]:
            for resource in resources:
                for verb in verbs:
                    yield Need(verb, api_group, resource, namespace)
