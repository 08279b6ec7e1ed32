"""Applies the children of one service: only what changed or drifted, and never an object that is not ours."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import orjson

from foretide.adapters.errors import NAMESPACE_TERMINATING, Conflict, Rejected
from foretide.adapters.kubernetes import Kubernetes
from foretide.adapters.resources import CONFIG_MAP, DEPLOYMENT, POD_DISRUPTION_BUDGET, Object, resource_of
from foretide.api import group
from foretide.api.reasons import Reason
from foretide.control.drift import drift
from foretide.control.world import Key, World

# An apply with this as its precondition creates the object, or is a Conflict where there is one: an object has the
# revision of its last write, and the first revision of a cluster is older than the first namespace.
NO_VERSION: Final = "1"
DIGEST_LENGTH: Final = 16
COMPARED_METADATA: Final = ("uid", "labels", "annotations", "ownerReferences")
# Its first one, and two more where only the status was another one.
APPLY_ATTEMPTS: Final = 3


class ForeignChild(Rejected):
    """An object with the name of a child exists and belongs to somebody else."""

    def __init__(self, obj: Object) -> None:
        metadata = obj["metadata"]
        super().__init__(
            f"{obj['kind']} {metadata['namespace']}/{metadata['name']} exists and is not controlled by this "
            "InferenceService; delete or rename one of the two",
            reason=Reason.FOREIGN_CHILD.value,
        )


@dataclass(frozen=True, slots=True)
class Manifests:
    """The children of one service as they should be, in the order in which they must exist; as compressed JSON, which
    takes a tenth of the memory."""

    names: tuple[tuple[str, str], ...]  # kind and name
    packed: bytes

    @classmethod
    def of(cls, manifests: Sequence[Object]) -> Manifests:
        """Each with a digest of itself: what we intended once and no longer do is no drift, and has to go too."""
        names = tuple((manifest["kind"], manifest["metadata"]["name"]) for manifest in manifests)
        text = orjson.dumps([_with_digest(manifest) for manifest in manifests])
        return cls(names, zlib.compress(text, zlib.Z_BEST_SPEED))

    def load(self) -> list[Object]:
        loaded: list[Object] = orjson.loads(zlib.decompress(self.packed))
        return loaded


class Children:
    """Writes what the cluster does not show already; an event, or a restart, that changes nothing writes nothing."""

    def __init__(self, api: Kubernetes, world: World) -> None:
        self._api: Final = api
        self._world: Final = world
        self._compared: Final[dict[Key, tuple[Manifests, list[Object | None]]]] = {}

    async def apply(self, key: Key, manifests: Manifests) -> dict[str, Rejected]:
        """Brings every child to its manifest, in order. What is refused of one hardware class ends that class alone:
        returns why, by the name of the class.

        No object that is somebody else's is ever written; of several children those before it may be. ForeignChild is
        raised for those that all classes share. So are the gateway's errors, a Conflict of any child too.
        """
        shown = self._shown(key, manifests)
        comparable = [_comparable(live) for live in shown]
        before, there = self._compared.get(key, (None, []))
        if before is manifests and there == comparable:
            return {}
        refused: dict[str, Rejected] = {}
        pairs = list(zip(manifests.load(), shown, strict=True))
        for manifest, live in pairs:
            with _ending(_class_of(manifest), refused):
                if live is not None:
                    _refuse_foreign(manifest, live)
        classes = {_class_of(manifest) for manifest, _ in pairs} - {None}
        if classes and classes == refused.keys():
            return refused  # there is nobody to write anything for
        wrote = False
        for manifest, live in pairs:
            if _class_of(manifest) not in refused:
                with _ending(_class_of(manifest), refused):
                    wrote |= await self._bring(manifest, live)
        if not wrote and not refused:
            self._compared[key] = manifests, comparable
        return refused

    def misses_any(self, key: Key, manifests: Manifests) -> bool:
        """Whether one of them is not there, of a service all of whose children were: it went, or has a new name."""
        return key in self._compared and None in self._shown(key, manifests)

    def forget(self, key: Key) -> None:
        """Drops what was remembered of a deleted service."""
        self._compared.pop(key, None)

    async def prune(self, key: Key, uid: str, *, keep: Manifests) -> None:
        """Deletes what `keep` has replaced: the Deployment of a hardware class that the service has left or does not
        use, its PodDisruptionBudget, and earlier texts of config.pbtxt. To be called once no pod of an earlier template
        is left.

        Everything else has one name for the life of a service, and goes with it by garbage collection.
        """
        for resource in (DEPLOYMENT, POD_DISRUPTION_BUDGET, CONFIG_MAP):
            for child in self._world.children(key, resource.kind):
                metadata = child["metadata"]
                if (resource.kind, metadata["name"]) not in keep.names and controlled_by(child, uid):
                    await self._api.delete(resource, child)
                    self._world.seen(resource, child, deleted=True)

    def _shown(self, key: Key, manifests: Manifests) -> list[Object | None]:
        return [self._world.child(key, kind, name) for kind, name in manifests.names]

    async def _bring(self, manifest: Object, live: Object | None) -> bool:
        """A child to its manifest, from what it is now; whether anything was written."""
        if live is not None and drift(manifest, live) is None:
            return False
        after = await (self._made(manifest) if live is None else self._put_right(manifest, live))
        self._world.answered(resource_of(manifest), after, shown=live)
        return True

    async def _made(self, manifest: Object) -> Object:
        """Creates the child. Not seen is not absent: the watch may be behind, and it shows only what has our labels."""
        metadata = manifest["metadata"]
        try:
            return await self._api.apply(
                {**manifest, "metadata": {**metadata, "resourceVersion": NO_VERSION}}, manager=group.RECONCILE_MANAGER
            )
        except Conflict:
            live = await self._api.get(resource_of(manifest), namespace=metadata["namespace"], name=metadata["name"])
            if live is None:
                raise
        _refuse_foreign(manifest, live)
        return await self._put_right(manifest, live)

    async def _put_right(self, manifest: Object, live: Object) -> Object:
        """With the uid and the resourceVersion of what was looked at: an object that took its name since, or that says
        something else since, is a Conflict, so that no old view of the cluster is ever written into it."""
        metadata, looked_at, attempts = manifest["metadata"], live, APPLY_ATTEMPTS
        while True:
            seen = looked_at["metadata"]
            same = {name: seen[name] for name in ("uid", "resourceVersion") if name in seen}
            try:
                return await self._api.apply(
                    {**manifest, "metadata": {**metadata, **same}}, manager=group.RECONCILE_MANAGER
                )
            except Conflict:
                attempts -= 1
                found = await self._api.get(
                    resource_of(manifest), namespace=metadata["namespace"], name=metadata["name"]
                )
                # Each pod that becomes ready makes another resourceVersion, and no other generation.
                if not attempts or found is None or not _says_the_same(found, live):
                    raise
                looked_at = found


def _comparable(live: Object | None) -> Object | None:
    """What of a child is held against its manifest: neither its status nor its version, another one with each event.
    To compare two of these is quick, for a new state of an object shares what stayed the same with the one before."""
    if live is None:
        return None
    metadata = {name: live["metadata"].get(name) for name in COMPARED_METADATA}
    return {**{name: part for name, part in live.items() if name != "status"}, "metadata": metadata}


def _says_the_same(found: Object, live: Object) -> bool:
    """Whether it is the very object with the same spec; kinds whose specs have no generation never do."""
    now, then = found["metadata"], live["metadata"]
    return "generation" in now and all(now.get(name) == then.get(name) for name in ("uid", "generation", "labels"))


def _with_digest(manifest: Object) -> Object:
    text = orjson.dumps(manifest, option=orjson.OPT_SORT_KEYS)
    digest = hashlib.sha256(text).hexdigest()[:DIGEST_LENGTH]
    metadata = manifest["metadata"]
    annotations = {**metadata.get("annotations", {}), group.MANIFEST_DIGEST_ANNOTATION: digest}
    return {**manifest, "metadata": {**metadata, "annotations": annotations}}


def _refuse_foreign(manifest: Object, live: Object) -> None:
    if not controlled_by(live, manifest["metadata"]["ownerReferences"][0]["uid"]):
        raise ForeignChild({"kind": manifest["kind"], **live})


def _class_of(manifest: Object) -> str | None:
    """The hardware class that a child is for; None where all of them share it."""
    name: str | None = manifest["metadata"]["labels"].get(group.HARDWARE_CLASS_LABEL)
    return name


@contextmanager
def _ending(of_class: str | None, refused: dict[str, Rejected]) -> Iterator[None]:
    """Puts a refusal of what is made for one class among those; one of what all share is raised. So is a Conflict: the
    object changed meanwhile; and the end of the namespace, in which no class is served."""
    try:
        yield
    except Conflict:
        raise
    except Rejected as error:
        if of_class is None or error.reason == NAMESPACE_TERMINATING:
            raise
        refused.setdefault(of_class, error)


def controlled_by(obj: Object, uid: str) -> bool:
    """Whether the object belongs to the InferenceService of this uid."""
    owners = obj["metadata"].get("ownerReferences", ())
    return any(owner.get("controller") and owner["uid"] == uid for owner in owners)
