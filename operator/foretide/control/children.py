"""Applies the children of one service: only what changed or drifted, and never an object that is not ours."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from foretide.adapters.errors import Conflict, Rejected
from foretide.adapters.kubernetes import Kubernetes
from foretide.adapters.resources import CONFIG_MAP, DEPLOYMENT, POD_DISRUPTION_BUDGET, Object, resource_of
from foretide.api import group
from foretide.api.reasons import Reason
from foretide.control.drift import drift
from foretide.control.world import Key, World


class ForeignChild(Rejected):
    """An object with the name of a child exists and belongs to somebody else."""

    def __init__(self, obj: Object) -> None:
        metadata = obj["metadata"]
        super().__init__(
            f"{obj['kind']} {metadata['namespace']}/{metadata['name']} exists and is not controlled by this "
            "InferenceService; delete or rename one of the two",
            reason=Reason.FOREIGN_CHILD.value,
        )


class Children:
    """Remembers what was applied, so that an event that changes nothing writes nothing."""

    def __init__(self, api: Kubernetes, world: World) -> None:
        self._api: Final = api
        self._world: Final = world
        self._applied: dict[Key, dict[tuple[str, str], str]] = defaultdict(dict)

    async def apply(self, key: Key, manifests: Sequence[Object]) -> dict[str, Rejected]:
        """Brings every child to its manifest, in order. What is refused of one hardware class ends that class alone:
        returns why, by the name of the class.

        Objects of somebody else are found before anything is written: ForeignChild is raised for those that all classes
        share. So are the gateway's errors, a Conflict of any child too.
        """
        refused: dict[str, Rejected] = {}
        looked_at: list[tuple[Object, Object | None]] = []
        for manifest in manifests:
            with _ending(_class_of(manifest), refused):
                looked_at.append((manifest, await self._live(key, manifest)))
        classes = {_class_of(manifest) for manifest in manifests} - {None}
        if classes and classes == refused.keys():
            return refused  # there is nobody to write anything for
        for manifest, live in looked_at:
            if _class_of(manifest) not in refused:
                with _ending(_class_of(manifest), refused):
                    await self._bring(key, manifest, live)
        return refused

    def forget(self, key: Key) -> None:
        """Drops what was remembered of a deleted service."""
        self._applied.pop(key, None)

    async def prune(self, key: Key, uid: str, *, keep: Sequence[Object]) -> None:
        """Deletes what `keep` has replaced: the Deployment of a hardware class that the service has left or does not
        use, its PodDisruptionBudget, and earlier texts of config.pbtxt. To be called once no pod of an earlier template
        is left.

        Everything else has one name for the life of a service, and goes with it by garbage collection.
        """
        kept = {(manifest["kind"], manifest["metadata"]["name"]) for manifest in keep}
        for resource in (DEPLOYMENT, POD_DISRUPTION_BUDGET, CONFIG_MAP):
            for child in self._world.children(key, resource.kind):
                metadata = child["metadata"]
                if (resource.kind, metadata["name"]) not in kept and controlled_by(child, uid):
                    await self._api.delete(
                        resource, namespace=key.namespace, name=metadata["name"], uid=metadata["uid"]
                    )
                    self._applied[key].pop((resource.kind, metadata["name"]), None)
                    self._world.seen(resource, child, deleted=True)

    async def _bring(self, key: Key, manifest: Object, live: Object | None) -> None:
        """A child to its manifest, from what it is now."""
        which = (manifest["kind"], manifest["metadata"]["name"])
        digest = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
        if live is not None and self._applied[key].get(which) == digest and drift(manifest, live) is None:
            return
        shown = self._world.child(key, *which)
        after = await self._api.apply(_of_this_uid(manifest, live), manager=group.RECONCILE_MANAGER)
        self._applied[key][which] = digest
        self._world.answered(resource_of(manifest), after, shown=shown)

    async def _live(self, key: Key, manifest: Object) -> Object | None:
        kind, metadata = manifest["kind"], manifest["metadata"]
        live = self._world.child(key, kind, metadata["name"])
        if live is None:
            # Not seen yet is not absent: the watch may be behind, and it shows only objects with our labels.
            live = await self._api.get(resource_of(manifest), namespace=metadata["namespace"], name=metadata["name"])
        if live is not None and not controlled_by(live, metadata["ownerReferences"][0]["uid"]):
            raise ForeignChild({"kind": kind, **live})
        return live


def _class_of(manifest: Object) -> str | None:
    """The hardware class that a child is for; None where all of them share it."""
    name: str | None = manifest["metadata"]["labels"].get(group.HARDWARE_CLASS_LABEL)
    return name


@contextmanager
def _ending(of_class: str | None, refused: dict[str, Rejected]) -> Iterator[None]:
    """Puts a refusal of what is made for one class among those; one of what all share is raised. So is a Conflict: the
    object changed meanwhile."""
    try:
        yield
    except Conflict:
        raise
    except Rejected as error:
        if of_class is None:
            raise
        refused.setdefault(of_class, error)


def _of_this_uid(manifest: Object, live: Object | None) -> Object:
    """The manifest with the uid of what was looked at: an object that took its name since is a Conflict."""
    if live is None:
        return manifest
    return {**manifest, "metadata": {**manifest["metadata"], "uid": live["metadata"]["uid"]}}


def controlled_by(obj: Object, uid: str) -> bool:
    """Whether the object belongs to the InferenceService of this uid."""
    owners = obj["metadata"].get("ownerReferences", ())
    return any(owner.get("controller") and owner["uid"] == uid for owner in owners)
