"""What is kept of the objects that the API server shows: 40,000 of them for 5,000 services."""

from __future__ import annotations

import sys
from typing import Any, Final

from foretide.adapters.resources import Object

# Of parts that equal ones are looked for among, which takes some 5 MiB; then it begins anew.
MOST_PARTS: Final = 20_000


def trimmed(obj: Object, known: Object | None = None) -> Object:
    """The object without managedFields, which are half of its size; kept is who set its spec.replicas.

    A pod is kept without its spec: nobody reads it, and those of 20,000 pods take 360 MiB. What objects have in common
    is kept once, so none of it may be changed in place; so is each part (spec, status, ...) that says the same in
    `known`, an earlier state of the object: half of the events tell of our own writes, whose answers are here already,
    and most others of another status.
    """
    if "containers" in (obj.get("spec") or ()):
        obj = {name: value for name, value in obj.items() if name != "spec"}
    metadata = {name: value for name, value in obj["metadata"].items() if name != "managedFields"}
    setters = [
        {"manager": entry.get("manager", ""), "fieldsV1": {"f:spec": {"f:replicas": {}}}}
        for entry in obj["metadata"].get("managedFields") or ()
        if "f:replicas" in (entry.get("fieldsV1") or {}).get("f:spec", {})
    ]
    found = {**obj, "metadata": {**metadata, "managedFields": setters} if setters else metadata}
    if found == known:
        return known
    before = known or {}
    return {
        sys.intern(name): before[name] if name in before and before[name] == value else _parts.shared(value)
        for name, value in found.items()
    }


class _Parts:
    """Parts of objects, of which equal ones become one.

    Each event of a watch is read by itself, with dictionaries and strings of its own; but the containers of 5,000
    Deployments, the labels and owners of the pods of each, and their conditions are the same, and names, uids and times
    are in many places.
    """

    def __init__(self) -> None:
        self._known: Final[dict[Any, Any]] = {}

    def shared(self, value: Any) -> Any:
        """The same, made of what is known where that is equal."""
        if isinstance(value, str):
            return sys.intern(value)
        if isinstance(value, dict):
            made: Any = {sys.intern(name): self.shared(one) for name, one in value.items()}
            # What it holds is shared already, so that equal is the same; and stays where it is for as long as this.
            same: Any = tuple(made), tuple(map(id, made.values()))
        elif isinstance(value, list):
            made = [self.shared(one) for one in value]
            same = tuple(map(id, made))
        else:  # 1, 1.0 and True are equal
            made, same = value, (type(value), value)
        if len(self._known) >= MOST_PARTS:
            self._known.clear()
        return self._known.setdefault(same, made)


_parts: Final = _Parts()
