"""What bound a number of replicas, in words: for each label that a decision in status may carry."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from foretide.scaling.decision import Bound

MEANINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        Bound.REACTIVE.label: "the load that was measured then",
        Bound.FORECAST.label: "the load that was foreseen for when a replica started then would be ready",
        Bound.MINIMUM.label: "minReplicas: the load needed fewer",
        Bound.MAXIMUM.label: "maxReplicas: the load needed more",
        Bound.HOLD.label: "the hold: fewer would have done, but more were needed a short time before",
        Bound.STEP_LIMIT.label: "the step limit: fewer would have done, but one step takes no more away",
        Bound.MARGIN.label: "the margin: one replica fewer would have left too little room",
        Bound.BACKLOG.label: "the queue: fewer would have done once it was gone",
        Bound.NEW_PODS.label: "new replicas whose rates were not whole yet: they were taken for fully loaded",
        Bound.SILENT_PODS.label: "replicas that sent no metrics: they were taken for fully loaded",
        Bound.NOT_READY.label: "replicas that were not ready for long enough to show the whole load",
        Bound.ROLLOUT.label: "a roll-out: nothing shrinks while new pods replace old ones",
        Bound.UNKNOWN.label: "no metrics: the load was unknown, so nothing changed",
        Bound.PAUSED.label: "spec.scaling.paused, or the annotation foretide.dev/paused",
        Bound.PINNED.label: "spec.scaling.replicas, which pins the number",
        Bound.STAYING.label: "the forecast: fewer would have done, but more were foreseen before long",
        Bound.QUOTA.label: "the quota of the hardware class: more were wanted than it left",
        Bound.STEP_UP_LIMIT.label: "the step limit: more were wanted, but one step adds no more",
        Bound.BLIND.label: "no metrics for so long that the most of the last day was provided for",
        Bound.DIRECT.label: "Prometheus, which was away or just back: nothing shrinks then",
        Bound.UNSCHEDULABLE.label: "the nodes: more were wanted, but there was no room for those that waited",
        Bound.CRASHING.label: "crashes: more were wanted, but new replicas crashed",
        Bound.REFUSED.label: "the API server, which refused the pods of more replicas",
        Bound.UNCREATED.label: "containers of new replicas, which could not be created",
    }
)


def meaning(label: str) -> str:
    """The bound in words; of a newer operator's bound the label alone."""
    return MEANINGS.get(label, label)
