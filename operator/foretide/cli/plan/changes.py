"""What an apply would do to the cluster, by the API server's own dry run; nothing is written."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import yaml

from foretide.adapters.errors import Rejected
from foretide.adapters.kubernetes import KubernetesApi
from foretide.adapters.resources import Object, resource_of
from foretide.api import group
from foretide.control.drift import drift

# As kubectl writes it; with a dry run nobody ever owns a field by this name.
MANAGER: Final = "kubectl-foretide"
# What an owner reference must hold that is not there yet; no object has it.
NO_UID: Final = "00000000-0000-0000-0000-000000000000"
# What of an object is compared: the rest the API server writes itself.
COMPARED: Final = ("spec", "data", "immutable", "automountServiceAccountToken")
COMPARED_METADATA: Final = ("labels", "annotations")


class Action(StrEnum):
    """What would happen to an object."""

    CREATE = "create"
    CHANGE = "change"
    KEEP = "unchanged"
    REFUSED = "refused"  # by the API server, or because somebody else has the name
    UNKNOWN = "unknown"  # not allowed to look


@dataclass(frozen=True, slots=True)
class Change:
    """One object."""

    kind: str
    name: str
    action: Action
    diff: tuple[str, ...] = ()
    note: str = ""

    @property
    def rolls_out(self) -> bool:
        """Whether pods are replaced."""
        return self.kind == "Deployment" and self.action is Action.CHANGE and "template" in self.note


async def change(api: KubernetesApi, wanted: Object, *, manager: str = MANAGER, owner_uid: str | None = None) -> Change:
    """What the apply of this object would do. Raises Unavailable."""
    kind, metadata = str(wanted["kind"]), wanted["metadata"]
    name = str(metadata["name"])
    resource = resource_of(wanted)
    try:
        live = await api.get(resource, namespace=metadata.get("namespace"), name=name)
        if live is not None and owner_uid is not None and not _owned(live, owner_uid):
            return Change(kind, name, Action.REFUSED, note="exists, and belongs to somebody else: delete or rename one")
    except Rejected as error:
        return Change(kind, name, Action.UNKNOWN, note=str(error))
    try:
        after = await api.apply(wanted, manager=manager, dry_run=True)
    except Rejected as error:
        return _undried(wanted, live, error)
    if live is None:
        return Change(kind, name, Action.CREATE)
    diff = tuple(_diff(live, after))
    if not diff:
        return Change(kind, name, Action.KEEP)
    template = _part(live, "spec").get("template") != _part(after, "spec").get("template")
    rolls = kind == "Deployment" and template
    note = "the pod template changes: new pods replace the old ones, no request is dropped" if rolls else ""
    return Change(kind, name, Action.CHANGE, diff, note)


def _undried(wanted: Object, live: Object | None, error: Rejected) -> Change:
    """Without a dry run: who may not patch children still learns whether they differ."""
    kind, name = str(wanted["kind"]), str(wanted["metadata"]["name"])
    if error.reason != "Forbidden":
        if live is None and error.reason == "NotFound":
            return Change(kind, name, Action.CREATE, note=f"not tried: {error}")
        return Change(kind, name, Action.REFUSED, note=str(error))
    if live is None:
        return Change(kind, name, Action.CREATE, note="no dry run: you may not patch it")
    path = drift(_compared(wanted), _compared(live))
    if path is None:
        return Change(kind, name, Action.KEEP, note="no dry run: you may not patch it")
    return Change(kind, name, Action.CHANGE, note=f"differs from {path} on; no dry run: you may not patch it")


def _owned(live: Object, uid: str) -> bool:
    return any(owner.get("uid") == uid for owner in live["metadata"].get("ownerReferences", ()))


def _part(obj: Object, name: str) -> Mapping[str, Any]:
    part = obj.get(name)
    return part if isinstance(part, Mapping) else {}


def _compared(obj: Object) -> dict[str, Any]:
    found = {name: obj["metadata"].get(name) or {} for name in COMPARED_METADATA}
    # The operator's own note of what it wrote last; what it would note next follows from the rest.
    own = {
        name: {key: part[key] for key in part if key != group.MANIFEST_DIGEST_ANNOTATION}
        for name, part in found.items()
    }
    metadata = {name: part for name, part in own.items() if part}
    parts = {name: obj[name] for name in COMPARED if name in obj}
    return {**({"metadata": metadata} if metadata else {}), **parts}


def _diff(live: Object, after: Object) -> Sequence[str]:
    before, then = (
        yaml.safe_dump(_compared(each), sort_keys=True, allow_unicode=True, width=120).splitlines()
        for each in (live, after)
    )
    return [
        line for line in difflib.unified_diff(before, then, lineterm="", n=2) if not line.startswith(("---", "+++"))
    ]


def with_uid(service: Object | None) -> str:
    """The uid that the children of a service refer to."""
    return NO_UID if service is None else str(service["metadata"]["uid"])


CHILD_MANAGER: Final = group.RECONCILE_MANAGER
