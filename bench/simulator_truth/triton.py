"""Real Triton pods of the operator's own manifests, with a queue policy of choice, and their statistics."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from e2e.cluster import Cluster
from e2e.cluster.target import image
from e2e.scenarios import sleeper
from e2e.scenarios.api import Api
from e2e.scenarios.service import Service
from e2e.scenarios.tenant import Tenant
from e2e.scenarios.waiting import until
from foretide.adapters.resources import DEPLOYMENT, POD, resource_of
from foretide.api import group, parse
from foretide.api.problems import Problems
from foretide.serving.manifests import ServingSettings, build
from foretide.simulate.scenario import Law, Queue

NAME: Final = "truth"
# What config.pbtxt says without limits.
NO_LIMITS: Final = "dynamic_batching { }"
# Batch size -> (executions, seconds of compute).
Executed: TypeAlias = dict[int, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Replicas:
    """A Deployment of Triton and the way in."""

    service: Service
    api: Api

    def scale(self, replicas: int) -> None:
        """Waits until exactly so many pods are there, all of them ready."""
        self.api.patch(
            DEPLOYMENT,
            self.service.deployment_name,
            {"spec": {"replicas": replicas}},
            namespace=self.service.namespace,
        )

        def probe() -> bool:
            status = (self.service.deployment() or {}).get("status", {})
            return bool(status.get("readyReplicas", 0) == len(self.service.pods()) == replicas)

        until(f"{replicas} pods", probe, within_seconds=120, shows=self.service.deployment)

    def executed(self) -> Executed:
        """Of all pods, since they started."""
        total: Executed = {}
        for pod in self.service.pods():
            path = POD.path(
                namespace=self.service.namespace,
                name=f"{pod['metadata']['name']}:8000",
                subresource=f"proxy/v2/models/{NAME}/stats",
            )
            (stats,) = json.loads(self.api.text(path))["model_stats"]
            for row in stats["batch_stats"]:
                count, seconds = total.get(int(row["batch_size"]), (0.0, 0.0))
                infer = row["compute_infer"]
                total[int(row["batch_size"])] = (count + int(infer["count"]), seconds + int(infer["ns"]) / 1e9)
        return total


@contextmanager
def serving(cluster: Cluster, api: Api, law: Law, queue: Queue, *, replicas: int) -> Iterator[Replicas]:
    """Triton under that queue policy, without an operator to change anything."""
    tenant = Tenant.move_in(cluster, api, "truth")
    try:
        for manifest in _manifests(tenant.namespace, law, queue):
            api.apply(resource_of(manifest), manifest)
        found = Replicas(tenant.reach(NAME), api)
        found.scale(replicas)
        found.service.until_answers(within_seconds=30.0)
        yield found
    finally:
        tenant.move_out()


def _manifests(namespace: str, law: Law, queue: Queue) -> Iterator[Mapping[str, Any]]:
    spec = sleeper.spec(milliseconds=law.fixed_seconds * 1e3, max_batch=law.max_batch)
    spec["model"]["parameters"]["item_seconds"] = f"{law.per_item_seconds:g}"
    metadata = {"name": NAME, "namespace": namespace, "uid": "none", "generation": 1}
    service = parse.inference_service(
        {"apiVersion": group.API_VERSION, "kind": group.INFERENCE_SERVICE_KIND, "metadata": metadata, "spec": spec}
    )
    raw = sleeper.hardware_class(image("triton"))
    hardware = parse.hardware_class(
        {**raw, "apiVersion": group.API_VERSION, "kind": group.HARDWARE_CLASS_KIND}
        | {"metadata": {**raw["metadata"], "uid": "none", "generation": 1}}
    )
    if isinstance(service, Problems) or isinstance(hardware, Problems):
        raise TypeError(f"the spec of the measurement is wrong: {service} {hardware}")
    for manifest in build(service, hardware, settings=ServingSettings()):
        # Nothing owns them: the garbage collector would look for a service that is not there.
        plain = {key: value for key, value in manifest["metadata"].items() if key != "ownerReferences"}
        mended = {**manifest, "metadata": plain}
        if manifest["kind"] == "ConfigMap":
            text = manifest["data"]["config.pbtxt"]
            if NO_LIMITS not in text:
                raise TypeError(f"config.pbtxt has no line {NO_LIMITS!r}")
            mended["data"] = {"config.pbtxt": text.replace(NO_LIMITS, _policy(queue))}
        yield mended


def _policy(queue: Queue) -> str:
    if not queue.limited:
        return NO_LIMITS
    return (
        "dynamic_batching { default_queue_policy { timeout_action: REJECT "
        f"default_timeout_microseconds: {queue.timeout_seconds * 1e6:.0f} max_queue_size: {queue.max_size:.0f} }} }}"
    )
