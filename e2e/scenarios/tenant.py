"""A team with a namespace of its own: its models, its services, and a way in for load."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from e2e.cluster import Cluster
from e2e.scenarios import sleeper
from e2e.scenarios.api import NAMESPACE, Api
from e2e.scenarios.recording import Recording
from e2e.scenarios.service import Service
from foretide.adapters.resources import CONFIG_MAP, INFERENCE_SERVICE, POD, SERVICE, Resource
from foretide.api import group
from foretide.control.pods import ready_since, seconds

PREFIX: Final = "e2e-"
# The strictest standard: whatever the operator makes must pass the API server's own admission of it.
RESTRICTED: Final = {
    "pod-security.kubernetes.io/enforce": "restricted",
    "pod-security.kubernetes.io/enforce-version": "latest",
}
OURS: Final = {"app.kubernetes.io/part-of": "foretide-e2e"}


@dataclass(frozen=True, slots=True)
class Tenant:
    """One namespace."""

    cluster: Cluster
    api: Api
    namespace: str

    @classmethod
    def move_in(cls, cluster: Cluster, api: Api, purpose: str) -> Tenant:
        """Makes a namespace that enforces restricted Pod Security, with the test model in it."""
        name = f"{PREFIX}{purpose.replace('_', '-')[:40].strip('-')}-{secrets.token_hex(2)}"
        api.create(NAMESPACE, {"metadata": {"name": name, "labels": {**RESTRICTED, **OURS}}})
        tenant = cls(cluster, api, name)
        tenant.put_model("sleeper")
        return tenant

    def put_model(self, model: str, *, name: str = "") -> None:
        """The files of a test model as a ConfigMap of that name."""
        self.api.apply(CONFIG_MAP, {"metadata": self._named(name or model), "data": sleeper.files(model)})

    def serve(self, name: str, spec: Mapping[str, Any]) -> Service:
        """Applies an InferenceService and opens a NodePort to its pods; does not wait for either."""
        self.api.apply(INFERENCE_SERVICE, {"metadata": self._named(name), "spec": spec})
        return self.reach(name, hardware_class=spec["hardware"]["classes"][0])

    def reach(
        self, name: str, *, hardware_class: str = sleeper.HARDWARE_CLASS, label: str = group.SERVICE_LABEL
    ) -> Service:
        """The handle of a service, with a NodePort of the test's own: the operator's Service is inside the cluster."""
        way_in = self.api.apply(
            SERVICE,
            {
                "metadata": self._named(f"{name}-from-outside"),
                "spec": {
                    "type": "NodePort",
                    "selector": {label: name},
                    "ports": [{"name": "http", "port": 8000, "targetPort": "http"}],
                },
            },
        )
        port = int(way_in["spec"]["ports"][0]["nodePort"])
        return Service(self.api, self.namespace, name, hardware_class, self.cluster.node_port_host, port)

    def record(self, resource: Resource) -> Recording:
        """Keeps every state of the objects of a kind in the namespace."""
        return Recording(self.cluster, self.api, resource, namespace=self.namespace)

    def started_in_seconds(self) -> float | None:
        """From their creation until they were ready, the median of all pods that are; None where none is."""
        pods = self.api.select(POD, namespace=self.namespace)
        took = [
            since - seconds(pod["metadata"]["creationTimestamp"])
            for pod in pods
            if (since := ready_since(pod)) is not None
        ]
        return median(took) if took else None

    def kubectl(self, *words: str) -> str:
        """kubectl in the namespace."""
        return self.cluster.kubectl(f"--namespace={self.namespace}", *words)

    def story(self) -> str:
        """What explains a failure: its pods, who is sent requests, and what the kubelet and others said of it."""
        columns = "TIME:.metadata.creationTimestamp,REASON:.reason,OBJECT:.involvedObject.name,MESSAGE:.message"
        return self.kubectl("get", "pods,endpointslices", "--output=wide") + self.kubectl(
            "get", "events", "--sort-by=.metadata.creationTimestamp", f"--output=custom-columns={columns}"
        )

    def move_out(self) -> None:
        """Starts the deletion of everything; nobody waits for it."""
        self.api.delete(NAMESPACE, self.namespace)

    def _named(self, name: str) -> dict[str, str]:
        return {"name": name, "namespace": self.namespace}


def leftovers(cluster: Cluster, api: Api) -> list[Tenant]:
    """Tenants of sessions that were killed."""
    (label,) = OURS.items()
    found = api.select(NAMESPACE, labels="=".join(label))
    return [Tenant(cluster, api, namespace["metadata"]["name"]) for namespace in found]
