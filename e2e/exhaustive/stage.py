"""A namespace in which a test plays everybody but the operator, and remembers what a watch would tell of it."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from e2e.scenarios.api import NAMESPACE, Api
from foretide.adapters.resources import CHILDREN, DEPLOYMENT, INFERENCE_SERVICE, Object, Resource
from foretide.adapters.trimmed import trimmed
from foretide.api import group

NAME: Final = "ranker"
# Other in every run of the same steps. The digest of a manifest is of its owner's uid, too.
PASSING: Final = frozenset(
    {
        *("uid", "resourceVersion", "creationTimestamp", "time", "lastTransitionTime", "memory"),
        *("clusterIP", "clusterIPs", group.MANIFEST_DIGEST_ANNOTATION),
    }
)


@dataclass(frozen=True, slots=True)
class Event:
    """What a watch tells."""

    resource: Resource
    obj: Object
    deleted: bool = False


@dataclass(slots=True)
class Stage:
    """One namespace with one service; `told` is what the watch has still to tell."""

    api: Api
    namespace: str
    told: list[Event] = field(default_factory=list)
    _running: dict[str, Object] = field(default_factory=dict)  # by Deployment, the template that its pods are of

    @classmethod
    def build(cls, api: Api, namespace: str) -> Stage:
        """A namespace of its own."""
        api.create(NAMESPACE, {"metadata": {"name": namespace}})
        return cls(api, namespace)

    def create(self, spec: Mapping[str, Any]) -> None:
        """A user makes the service."""
        metadata = {"name": NAME, "namespace": self.namespace}
        self.tell(INFERENCE_SERVICE, self.api.create(INFERENCE_SERVICE, {"metadata": metadata, "spec": spec}))

    def change(self, **spec: Any) -> None:
        """A user changes parts of its spec; None takes one away."""
        made = self.api.patch(INFERENCE_SERVICE, NAME, {"spec": spec}, namespace=self.namespace)
        self.tell(INFERENCE_SERVICE, made)

    def replace(self, spec: Mapping[str, Any]) -> None:
        """A user writes the whole spec anew."""
        change: list[Object] = [{"op": "replace", "path": "/spec", "value": spec}]
        self.tell(INFERENCE_SERVICE, self.api.patch(INFERENCE_SERVICE, NAME, change, namespace=self.namespace))

    def delete(self) -> None:
        """A user deletes it, and the garbage collector what it owns."""
        for resource in (INFERENCE_SERVICE, *CHILDREN):
            for obj in self.api.select(resource, namespace=self.namespace):
                self.api.delete(resource, obj["metadata"]["name"], namespace=self.namespace)
                self.tell(resource, obj, deleted=True)

    def settle(self) -> bool:
        """The controllers do their work: every replica that is wanted is ready. Whether there was any."""
        worked = False
        for deployment in self.api.select(DEPLOYMENT, namespace=self.namespace):
            wanted, generation = deployment["spec"].get("replicas", 1), deployment["metadata"]["generation"]
            counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), wanted)
            status = {"observedGeneration": generation, **counts}
            known = deployment.get("status", {})
            # The API server leaves a count of zero out.
            if any(known.get(name, 0) != value for name, value in status.items()):
                worked = True
                name = deployment["metadata"]["name"]
                change = {"status": status}
                made = self.api.patch(DEPLOYMENT, name, change, namespace=self.namespace, subresource="status")
                self.tell(DEPLOYMENT, made)
            self._running[deployment["metadata"]["name"]] = deployment["spec"]["template"]
        return worked

    def replacing(self) -> bool:
        """Whether there are pods to be made anew, or for the first time."""
        deployments = self.api.select(DEPLOYMENT, namespace=self.namespace)
        return any(self._running.get(each["metadata"]["name"]) != each["spec"]["template"] for each in deployments)

    def look(self, resource: Resource, name: str) -> Object | None:
        """An object as it is now."""
        return self.api.get(resource, name, namespace=self.namespace)

    def tell(self, resource: Resource, obj: Object, *, deleted: bool = False) -> None:
        """One event more for the watch."""
        typed = {"apiVersion": resource.api_version, "kind": resource.kind, **obj}
        self.told.append(Event(resource, trimmed(copy.deepcopy(typed)), deleted))

    def list(self, resource: Resource) -> list[Object]:
        """All objects of a kind, as the operator's list has them; class and policy are of no namespace of ours."""
        namespace = self.namespace if resource.namespaced else ""
        typed = {"apiVersion": resource.api_version, "kind": resource.kind}
        return [trimmed({**typed, **obj}) for obj in self.api.select(resource, namespace=namespace)]

    def state(self) -> dict[str, Any]:
        """Service and children without what differs between two runs of the same steps; with who set which field."""
        found = {}
        for resource in (INFERENCE_SERVICE, *CHILDREN):
            for obj in self.api.select(resource, namespace=self.namespace):
                found[f"{resource.kind} {obj['metadata']['name']}"] = self.lasting(obj)
        return found

    def lasting(self, obj: Object) -> Any:
        """The object without what differs between two runs of the same steps."""
        return json.loads(json.dumps(_without_passing(obj)).replace(self.namespace, "NAMESPACE"))


def _without_passing(value: Any) -> Any:
    if isinstance(value, Mapping):
        kept = {key: each for key, each in value.items() if key not in PASSING}
        return {_anonymous(key): _without_passing(each) for key, each in kept.items()}
    if isinstance(value, list):
        found = [_without_passing(each) for each in value]
        return sorted(found, key=repr) if _is_by_manager(value) else found
    return value


def _anonymous(key: str) -> str:
    """In managedFields an owner is known by its uid."""
    return 'k:{"uid":}' if key.startswith('k:{"uid":') else key


def _is_by_manager(value: list[Any]) -> bool:
    return any(isinstance(each, Mapping) and "fieldsV1" in each for each in value)
