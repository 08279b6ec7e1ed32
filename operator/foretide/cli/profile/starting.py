"""Why the pod of a profile does not start, by those who judge replicas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from foretide.adapters.resources import Object
from foretide.api.reasons import Reason
from foretide.control.last_words import LastWords
from foretide.control.pods import MESSAGE_LIMIT, NO_IMAGE, NOT_CREATED, failures, seconds
from foretide.serving.profiling import GENERATOR


@dataclass(frozen=True, slots=True)
class Hindrance:
    """What keeps a pod from starting."""

    message: str
    stays: bool  # whether waiting is of no use


def generator_state(pod: Object) -> dict[str, Any]:
    """Of the container that measures, as the kubelet tells it; empty before that."""
    statuses = pod.get("status", {}).get("containerStatuses", ())
    return next((dict(one["state"]) for one in statuses if one["name"] == GENERATOR), {})


async def hindrance(words: LastWords, pod: Object) -> Hindrance | None:
    """None where it just takes its time."""
    waiting = generator_state(pod).get("waiting", {})
    if waiting.get("reason") in (*NO_IMAGE, *NOT_CREATED):
        message = f"{waiting['reason']}: {waiting.get('message', '')[:MESSAGE_LIMIT]} (the image that --image names)"
        return Hindrance(message, stays=True)
    status = {**pod.get("status", {})}
    # Triton is a sidecar here, and the container of a replica to those who judge it.
    status["containerStatuses"] = status.get("initContainerStatuses", [])
    found = failures([{**pod, "status": status}])
    if not found:
        return None
    failure = found[0]
    if failure.crashed:
        failure = await words.of(str(pod["metadata"]["namespace"]), failure)
    # A node may be added for a pod that waits for one.
    return Hindrance(f"{failure.reason}: {failure.message}", stays=failure.reason is not Reason.UNSCHEDULABLE)


def cold_start_seconds(pod: Object) -> float | None:
    """From its creation until Triton's startup probe passed, which Initialized means where Triton is a sidecar."""
    for one in pod.get("status", {}).get("conditions", ()):
        if one["type"] == "Initialized" and one["status"] == "True":
            return seconds(one["lastTransitionTime"]) - seconds(pod["metadata"]["creationTimestamp"])
    return None
