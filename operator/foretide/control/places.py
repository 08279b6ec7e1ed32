"""The hardware classes of a service that lists several, as the API server shows them, and their Deployments as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from foretide.adapters.resources import Object
from foretide.api.modelprofile import ModelProfile
from foretide.control.hardware_status import Told
from foretide.control.serving_status import rollout
from foretide.control.world import ServedClass


@dataclass(frozen=True, slots=True)
class Place:
    """One of several hardware classes of a service, as it stood when the answers were in."""

    served: ServedClass
    deployment: Object | None  # None: there is none, as nobody needed it so far
    told: Told | None  # what status says of it
    profile: ModelProfile | None

    @property
    def running(self) -> int:
        """Replicas asked for. A Deployment that is to be made, or was made just now, has what status says: reconcile
        is about to write it."""
        if self.told is not None and (self.deployment is None or is_new(self.deployment)):
            return self.told.replicas
        return 0 if self.deployment is None else rollout(self.deployment).wanted

    @property
    def counted(self) -> int:
        """Of them those that the last tick counted on; after a change by somebody else, that much more or less."""
        return max(self.running - (0 if self.told is None else self.told.surplus), 0)

    @property
    def ready(self) -> int:
        return 0 if self.deployment is None else rollout(self.deployment).ready


def is_new(deployment: Object) -> bool:
    """Whether nobody has changed its spec since it was made, with one replica."""
    return bool(deployment["metadata"].get("generation") == 1)


def combined(deployments: Sequence[Object]) -> Object:
    """Several Deployments of one service as one, for whoever asks how many replicas there are and who set them."""
    if len(deployments) == 1:
        return deployments[0]
    metadata = [one["metadata"] for one in deployments]
    statuses = [one.get("status", {}) for one in deployments]
    counts = ("observedGeneration", "replicas", "readyReplicas", "updatedReplicas")
    return {
        "metadata": {
            "name": metadata[0]["name"],
            "namespace": metadata[0]["namespace"],
            "uid": " ".join(one["uid"] for one in metadata),
            "generation": sum(one.get("generation", 0) for one in metadata),
            "managedFields": [entry for one in metadata for entry in one.get("managedFields", ())],
        },
        "spec": {"replicas": sum(rollout(one).wanted for one in deployments)},
        "status": {
            **{name: sum(one.get(name, 0) for one in statuses) for name in counts},
            "conditions": [condition for one in statuses for condition in one.get("conditions", ())],
        },
    }
