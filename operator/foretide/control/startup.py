"""How long Triton may load before the kubelet gives it up: what the pods have, and more where it was too little."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from foretide.adapters.resources import Object
from foretide.control.pods import deployment_of, load_cut_after
from foretide.serving.lifecycle import STARTUP_SECONDS
from foretide.serving.naming import CONTAINER

# What takes longer than that is better built beforehand.
LONGEST_SECONDS: Final = 8 * STARTUP_SECONDS
# The kubelet counts probes, and tells whole seconds.
NEARLY: Final = 0.95


def budget_seconds(deployment: Object | None, pods: Iterable[Object]) -> int:
    """The startup budget of the pods of a Deployment: STARTUP_SECONDS, or what its template says already, and twice
    that once the kubelet has killed a load for it. `pods` are those of its service.

    Not a multiple of the learned time of a start: a budget in the template rolls all pods whenever it moves, and one
    that is too short kills what would have loaded, in a loop. So it changes only where pods that never served are
    killed anyhow, three times at most, and is remembered in the template itself. A long one costs nothing but that a
    start that hangs is given up late, which alerts tell before.
    """
    if deployment is None:
        return STARTUP_SECONDS
    granted = STARTUP_SECONDS
    while 2 * granted <= min(_told_seconds(deployment), LONGEST_SECONDS):
        granted *= 2
    name = deployment["metadata"]["name"]
    loads = (load_cut_after(pod) for pod in pods if deployment_of(pod) == name)
    return min(2 * granted, LONGEST_SECONDS) if any(load >= NEARLY * granted for load in loads) else granted


def _told_seconds(deployment: Object) -> int:
    """What the template says; 0 where it says nothing."""
    containers = deployment["spec"].get("template", {}).get("spec", {}).get("containers", ())
    probes = (one.get("startupProbe", {}) for one in containers if one["name"] == CONTAINER)
    return max((probe.get("periodSeconds", 0) * probe.get("failureThreshold", 0) for probe in probes), default=0)
