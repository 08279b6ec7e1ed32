"""What the operator must be allowed, as its chart grants it; a test compares the two."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from foretide.api import group


class Need(NamedTuple):
    """One verb on one resource, in all namespaces or in that of the operator."""

    verb: str
    api_group: str
    resource: str  # with its subresource, as RBAC writes it
    own_namespace: bool = False

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}{f'.{self.api_group}' if self.api_group else ''}"


_KINDS: Final = (group.INFERENCE_SERVICES, group.HARDWARE_CLASSES, group.SCALING_POLICIES, group.MODEL_PROFILES)
_WATCHED: Final = ("list", "watch")
_MADE: Final = ("get", "list", "watch", "create", "patch")
_RULES: Final = (
    (_WATCHED, group.GROUP, _KINDS, False),
    (("patch",), group.GROUP, (f"{group.INFERENCE_SERVICES}/status",), False),
    ((*_MADE, "delete"), "apps", ("deployments",), False),
    (("patch",), "apps", ("deployments/scale",), False),
    ((*_MADE, "delete"), "", ("configmaps",), False),
    (_MADE, "", ("services", "serviceaccounts"), False),
    ((*_MADE, "delete"), "policy", ("poddisruptionbudgets",), False),
    (_WATCHED, "", ("pods",), False),
    (("get",), "", ("pods/log",), False),
    (_WATCHED, "autoscaling", ("horizontalpodautoscalers",), False),
    (("create",), "events.k8s.io", ("events",), False),
    (("create", "get", "update"), "coordination.k8s.io", ("leases",), True),
)


def needs() -> Iterator[Need]:
    """All of them."""
    for verbs, api_group, resources, own in _RULES:
        for resource in resources:
            for verb in verbs:
                yield Need(verb, api_group, resource, own)
