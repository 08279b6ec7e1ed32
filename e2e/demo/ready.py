"""Waits for the InferenceService, says what it waits for, and explains a failure with the cluster's own words."""

from __future__ import annotations

import time
from collections.abc import Callable

from e2e.demo.example import Example
from e2e.demo.target import CommandFailed, Object, Target

DEADLINE_SECONDS = 180.0
LOOK_EVERY_SECONDS = 0.5


class NotReadyError(Exception):
    """The service is not ready in time; the message is the whole explanation."""


def wait(target: Target, wanted: Example, *, note: Callable[[str], None]) -> None:
    """Returns when condition Ready is true for the present spec."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        found = target.get("inferenceservice", wanted.name, wanted.namespace)
        if found is not None:
            ready, word = readiness(found)
            if ready:
                return
            note(word)
        time.sleep(LOOK_EVERY_SECONDS)
    raise NotReadyError(explanation(target, wanted))


def readiness(service: Object) -> tuple[bool, str]:
    """Whether the service is ready for its present spec, and what it says about that."""
    status = service.get("status", {})
    conditions = {entry["type"]: entry for entry in status.get("conditions", [])}
    ready = conditions.get("Ready")
    if ready is None or status.get("observedGeneration") != service["metadata"]["generation"]:
        return False, "the operator has not looked at it yet"
    return ready["status"] == "True", f"{ready['reason']}: {ready['message']}"


def explanation(target: Target, wanted: Example) -> str:
    """Conditions, pods, events and the last lines of Triton: what one would type to find out."""
    here = f"--namespace={wanted.namespace}"
    selector = f"--selector=foretide.dev/service={wanted.name}"
    columns = "custom-columns=TYPE:.type,OBJECT:.involvedObject.name,REASON:.reason,MESSAGE:.message"
    questions = {
        "Conditions": (
            "get",
            "inferenceservice",
            wanted.name,
            here,
            '--output=jsonpath={range .status.conditions[*]}{.type}={.status} {.reason}: {.message}{"\\n"}{end}',
        ),
        "Pods": ("get", "pods", here, selector, "--output=wide"),
        "Events": ("get", "events", here, "--sort-by=.lastTimestamp", f"--output={columns}"),
        "Triton's last lines": ("logs", here, selector, "--tail=15", "--prefix"),
    }
    parts = [f"InferenceService {wanted.namespace}/{wanted.name} is not ready after {DEADLINE_SECONDS:.0f} s."]
    for title, words in questions.items():
        try:
            text = target.kubectl(*words).strip()
        except CommandFailed as error:
            text = str(error)
        parts.append(f"{title}:\n" + "\n".join(f"  {line}" for line in text.splitlines()[-25:] or ["(nothing)"]))
    return "\n".join(parts)
