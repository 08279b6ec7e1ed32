"""What the operator has seen of the cluster: caches filled by watch events and corrected by the sweep.

An event says only *that* something changed; every decision reads from here. Nothing is written to the cluster.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from foretide.adapters.resources import (
    CHILDREN,
    DEPLOYMENT,
    HARDWARE_CLASS,
    HORIZONTAL_POD_AUTOSCALER,
    INFERENCE_SERVICE,
    MODEL_PROFILE,
    POD,
    SCALING_POLICY,
    Object,
    Resource,
)
from foretide.api import group
from foretide.api.hardwareclass import HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.api.model import Model
from foretide.api.reasons import Reason


class Key(NamedTuple):
    """The identity of an InferenceService (never the bare name: two namespaces may use the same)."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class ServedClass:
    """A hardware class that a service lists, and the name of the Deployment that runs its replicas, if any."""

    name: str
    deployment: str
    hardware_class: HardwareClass | None  # None: it is missing or invalid, as `reason` and `message` say
    reason: Reason | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Served:
    """A service that was accepted and rendered, and the hardware classes that it lists, one of them usable at least."""

    service: InferenceService
    classes: tuple[ServedClass, ...]

    @property
    def usable(self) -> ServedClass:
        """The first class of which replicas can be made."""
        return next(one for one in self.classes if one.hardware_class is not None)

    @property
    def hardware_class(self) -> HardwareClass:
        """The same."""
        found = self.usable.hardware_class
        if found is None:
            raise TypeError("a service is served on one usable class at least")
        return found

    @property
    def deployment(self) -> str:
        """The Deployment of the same."""
        return self.usable.deployment

    @property
    def is_divided(self) -> bool:
        """Whether its replicas are divided among several classes."""
        return len(self.classes) > 1

    @property
    def model(self) -> Model:
        """As the replicas of this class run it."""
        return self.service.model_on(self.hardware_class.name)


ObjectsByName = dict[tuple[str, str], Object]
ObjectId = tuple[str, str | None, str]  # kind, namespace, name


@dataclass(slots=True)
class World:
    """Objects by kind; `served` is what the reconcile loop accepted and the autoscale loop works on."""

    services: dict[Key, Object] = field(default_factory=dict)
    hardware_classes: dict[str, Object] = field(default_factory=dict)
    policies: dict[Key, Object] = field(default_factory=dict)
    profiles: dict[Key, Object] = field(default_factory=dict)
    served: dict[Key, Served] = field(default_factory=dict)
    _children: dict[Key, ObjectsByName] = field(default_factory=lambda: defaultdict(dict))
    _pods: dict[Key, dict[str, Object]] = field(default_factory=lambda: defaultdict(dict))
    _places: dict[tuple[str, str, str], Key] = field(default_factory=dict)  # of children and pods, by kind
    _scalers: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))  # by namespace

    def seen(self, resource: Resource, obj: Object, *, deleted: bool = False) -> set[Key]:
        """Takes in one object; returns the services whose reconciliation may now come out differently."""
        metadata = obj["metadata"]
        name = metadata["name"]
        if _is_old(obj, self.known(resource, obj), deleted=deleted):
            return set()
        if resource == HARDWARE_CLASS:
            _put(self.hardware_classes, name, obj, deleted)
            return {key for key, service in self.services.items() if name in _classes_of(service)}
        if resource == INFERENCE_SERVICE:
            key = Key(metadata["namespace"], name)
            _put(self.services, key, obj, deleted)
            if deleted:
                self.served.pop(key, None)
            return {key}
        if (tuned := self._tuned(resource)) is not None:
            _put(tuned, Key(metadata["namespace"], name), obj, deleted)
            return set()  # the autoscale loop looks at each tick
        if resource == HORIZONTAL_POD_AUTOSCALER:
            self._scaler_seen(obj, deleted)
            return set()  # the same
        key = _service_of(obj)
        place = (resource.kind, key.namespace, name)
        before = self._places.pop(place, key)
        self._put_part(resource, before, obj, deleted=True)
        if not deleted:
            self._places[place] = key
            self._put_part(resource, key, obj, deleted=False)
        return {before, key} & self.services.keys()

    def replace(
        self,
        resource: Resource,
        objects: Iterable[Object],
        *,
        namespace: str | None = None,
        newer: Collection[ObjectId] = frozenset(),
    ) -> set[Key]:
        """Takes in the whole list of a kind, in a namespace or in all: what is not in it is gone, whatever events were
        lost.

        Of the objects in `newer` an event has told more than the list, which was made before.
        """
        listed = {_id(resource, obj): obj for obj in objects}
        affected: set[Key] = set()
        if resource == HORIZONTAL_POD_AUTOSCALER:  # of these only the names are kept
            for place, scalers in self._scalers.items():
                if namespace not in (None, place):
                    continue
                known_ids = {name: (resource.kind, place, name) for name in scalers}
                for name in [name for name, which in known_ids.items() if which not in listed and which not in newer]:
                    del scalers[name]
        for known in list(self._all(resource)):
            which = _id(resource, known)
            if which not in listed and which not in newer and namespace in (None, known["metadata"].get("namespace")):
                affected |= self.seen(resource, known, deleted=True)
        for which, obj in listed.items():
            if which not in newer:
                before = self.known(resource, obj)
                affected |= self.seen(resource, before if before is not None and before == obj else obj)
        return affected

    def answered(self, resource: Resource, obj: Object, *, shown: Object | None) -> None:
        """Takes in the answer to a write, unless an event has changed what was `shown` before: an answer that comes
        late would bring back a deleted object, or hide a newer spec, until the next sweep."""
        namespace, name = obj["metadata"]["namespace"], obj["metadata"]["name"]
        if resource == INFERENCE_SERVICE:
            now = self.services.get(Key(namespace, name))
        else:
            now = self.child(_service_of(obj), resource.kind, name)
        if now is shown:
            self.seen(resource, obj)

    def known(self, resource: Resource, obj: Object) -> Object | None:
        """What was seen last under the name of this object."""
        namespace, name = obj["metadata"].get("namespace"), obj["metadata"]["name"]
        if resource == HARDWARE_CLASS:
            return self.hardware_classes.get(name)
        if resource == INFERENCE_SERVICE:
            return self.services.get(Key(namespace, name))
        if (tuned := self._tuned(resource)) is not None:
            return tuned.get(Key(namespace, name))
        key = self._places.get((resource.kind, namespace, name))
        if key is None:
            return None
        return self._pods[key].get(name) if resource == POD else self._children[key].get((resource.kind, name))

    def child(self, key: Key, kind: str, name: str) -> Object | None:
        """A child of the service as last seen."""
        return self._children[key].get((kind, name)) if key in self._children else None

    def children(self, key: Key, kind: str) -> list[Object]:
        """All children of one kind, those of a hardware class that the service has left included."""
        children = self._children.get(key, {})
        return [obj for (known, _), obj in children.items() if known == kind]

    def deployments(self, key: Key) -> list[Object]:
        """The Deployments that serve the service, those that were applied and seen, in the order of its classes."""
        served = self.served.get(key)
        classes = () if served is None else served.classes
        found = (self.child(key, DEPLOYMENT.kind, one.deployment) for one in classes)
        return [deployment for deployment in found if deployment is not None]

    def scaled(self, key: Key, deployment: Object, replicas: int, *, version: str) -> None:
        """Takes in a /scale that was just written: until its event arrives the old number would be decided on, and
        a write with the old resourceVersion as its precondition would be a Conflict.

        Its status is of the generation before until an event says otherwise: how many of the replicas there are is not
        known, however long the watch is silent. Where an event has told of a later spec already, that is left.
        """
        name, uid = deployment["metadata"]["name"], deployment["metadata"]["uid"]
        live = self.child(key, DEPLOYMENT.kind, name)
        written_on = deployment["metadata"].get("generation", 0)
        if live is not None and live["metadata"]["uid"] == uid and live["metadata"].get("generation", 0) == written_on:
            # The API server counts each change of a spec.
            generation = written_on + (live["spec"].get("replicas", 1) != replicas)
            self._children[key][DEPLOYMENT.kind, name] = {
                **live,
                "metadata": {**live["metadata"], "generation": generation, "resourceVersion": version},
                "spec": {**live["spec"], "replicas": replicas},
            }

    def pods(self, key: Key) -> list[Object]:
        """The pods of the service, terminating ones included."""
        return list(self._pods[key].values()) if key in self._pods else []

    def foreign_scaler(self, key: Key, deployment: str) -> str | None:
        """The name of a HorizontalPodAutoscaler that targets the Deployment."""
        scalers = self._scalers.get(key.namespace, {})
        return next((name for name, target in scalers.items() if target == deployment), None)

    def _put_part(self, resource: Resource, key: Key, obj: Object, *, deleted: bool) -> None:
        name = obj["metadata"]["name"]
        if resource == POD:
            _put(self._pods[key], name, obj, deleted)
        else:
            _put(self._children[key], (resource.kind, name), obj, deleted)

    def _tuned(self, resource: Resource) -> dict[Key, Object] | None:
        """What the autoscale loop alone reads."""
        return {SCALING_POLICY: self.policies, MODEL_PROFILE: self.profiles}.get(resource)

    def _scaler_seen(self, obj: Object, deleted: bool) -> None:
        target = obj["spec"]["scaleTargetRef"]
        scalers = self._scalers[obj["metadata"]["namespace"]]
        if deleted or target.get("kind") != DEPLOYMENT.kind:
            scalers.pop(obj["metadata"]["name"], None)
        else:
            scalers[obj["metadata"]["name"]] = target["name"]

    def _all(self, resource: Resource) -> Iterator[Object]:
        if resource == INFERENCE_SERVICE:
            yield from self.services.values()
        elif resource == HARDWARE_CLASS:
            yield from self.hardware_classes.values()
        elif (tuned := self._tuned(resource)) is not None:
            yield from tuned.values()
        elif resource == POD:
            for pods in self._pods.values():
                yield from pods.values()
        elif resource in CHILDREN:
            for children in self._children.values():
                yield from (obj for (kind, _), obj in children.items() if kind == resource.kind)


def _is_old(obj: Object, known: Object | None, *, deleted: bool) -> bool:
    """Whether a later state was seen already: the answer to a write comes before the events of what was before it, and
    a list may be of an API server that is behind. Of one kind the later state has the greater resourceVersion.
    """
    if known is None or (deleted and known["metadata"].get("uid") == obj["metadata"].get("uid")):
        return False
    try:
        return int(obj["metadata"]["resourceVersion"]) < int(known["metadata"]["resourceVersion"])
    except (KeyError, ValueError):
        return False  # a server that counts in another way; the sweep puts right what came late


def _id(resource: Resource, obj: Object) -> ObjectId:
    return resource.kind, obj["metadata"].get("namespace"), obj["metadata"]["name"]


def _put(objects: dict[Any, Object], key: Any, obj: Object, deleted: bool) -> None:
    if deleted:
        objects.pop(key, None)
    else:
        objects[key] = obj


def _classes_of(service: Object) -> list[str]:
    """The hardware classes an unparsed service names."""
    classes = service.get("spec", {}).get("hardware", {}).get("classes", [])
    return classes if isinstance(classes, list) else []


def _service_of(obj: Object) -> Key:
    """The service a child or a pod belongs to. The owner first: a label edited by hand is a drift to repair."""
    metadata = obj["metadata"]
    return Key(metadata["namespace"], _owner_name(obj) or metadata.get("labels", {}).get(group.SERVICE_LABEL) or "")


def _owner_name(obj: Object) -> str | None:
    """The InferenceService that controls the object."""
    owners = obj["metadata"].get("ownerReferences", ())
    return next((owner["name"] for owner in owners if owner["kind"] == INFERENCE_SERVICE.kind), None)
