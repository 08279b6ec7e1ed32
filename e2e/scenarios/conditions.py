"""Reads the conditions of an object as kubectl, Argo CD and Flux do."""

from __future__ import annotations

from foretide.adapters.resources import Object


def condition(obj: Object, kind: str) -> Object:
    """A condition by its type; empty where there is none."""
    conditions = obj.get("status", {}).get("conditions", ())
    return next((entry for entry in conditions if entry["type"] == kind), {})


def holds(obj: Object, kind: str, status: str = "True", reason: str | None = None) -> bool:
    """Whether a condition has this status (and reason) for the newest spec."""
    found = condition(obj, kind)
    return (
        found.get("status") == status
        and found.get("observedGeneration") == obj["metadata"]["generation"]
        and reason in (None, found["reason"])
    )


def kstatus(obj: Object) -> str:
    """What kubectl, Argo CD and Flux call an object with these conditions."""
    if obj.get("status", {}).get("observedGeneration") != obj["metadata"]["generation"]:
        return "InProgress"
    if condition(obj, "Stalled").get("status") == "True":
        return "Failed"
    if condition(obj, "Reconciling").get("status") == "True":
        return "InProgress"
    return "Current" if condition(obj, "Ready").get("status") == "True" else "InProgress"


def pod_line(pod: Object) -> str:
    """A pod in one line."""
    status, metadata = pod.get("status", {}), pod["metadata"]
    ready = condition(pod, "Ready").get("status", "?")
    containers = [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]
    state = "; ".join(f"{entry['name']} {entry['state']} restarts {entry['restartCount']}" for entry in containers)
    leaving = f" deleted at {metadata['deletionTimestamp']}" if "deletionTimestamp" in metadata else ""
    return f"{metadata['name']} {status.get('phase')} Ready={ready}{leaving}: {state}"
