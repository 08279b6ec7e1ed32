"""One InferenceService under test, and the questions that tests ask about it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import httpx

from e2e.load import Plan, Profile, Target, arrivals, request, steady
from e2e.load.infer import tensors
from e2e.load.wire import Answer
from e2e.scenarios import sleeper
from e2e.scenarios.api import Api
from e2e.scenarios.conditions import kstatus, pod_line
from e2e.scenarios.waiting import until
from foretide.adapters.resources import DEPLOYMENT, INFERENCE_SERVICE, POD, SERVICE, Object, Resource
from foretide.api import group
from foretide.serving import naming

# apply -> Ready takes 4-6 s on an idle machine; these tests run several pods at once on two cores.
READY_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Service:
    """An InferenceService by name; nothing of it is kept here but the address for load."""

    api: Api
    namespace: str
    name: str
    hardware_class: str
    host: str
    port: int

    @property
    def deployment_name(self) -> str:
        return naming.deployment_name(self.name, self.hardware_class)

    def live(self) -> Object:
        """The object as it is now."""
        found = self.api.get(INFERENCE_SERVICE, self.name, namespace=self.namespace)
        assert found is not None, f"InferenceService {self.namespace}/{self.name} does not exist"
        return found

    def change(self, **spec: object) -> int:
        """Merges into the spec, as `kubectl patch` does; returns the new generation."""
        changed = self.api.patch(INFERENCE_SERVICE, self.name, {"spec": spec}, namespace=self.namespace)
        return int(changed["metadata"]["generation"])

    def deployment(self) -> Object | None:
        """The Deployment that serves it."""
        return self.api.get(DEPLOYMENT, self.deployment_name, namespace=self.namespace)

    def replicas(self) -> int:
        """spec.replicas of the Deployment; 0 where there is none."""
        deployment = self.deployment()
        return 0 if deployment is None else int(deployment["spec"]["replicas"])

    def pods(self) -> list[Object]:
        """Its pods, those that are leaving included."""
        return self.children(POD)

    def children(self, resource: Resource) -> list[Object]:
        """The objects of a kind that carry its label."""
        return self.api.select(resource, namespace=self.namespace, labels=f"{group.SERVICE_LABEL}={self.name}")

    def until(self, what: str, holds: Callable[[Object], object], *, within_seconds: float = READY_SECONDS) -> Object:
        """Waits until something holds for the object, and returns it as it was then."""

        def probe() -> Object | None:
            live = self.live()
            return live if holds(live) else None

        return until(f"{self.name}: {what}", probe, within_seconds=within_seconds, shows=self.story)

    def until_ready(self, *, replicas: int | None = None, within_seconds: float = READY_SECONDS) -> Object:
        """Waits until kstatus would call it Current, with that many replicas where a number is given."""

        def holds(live: Object) -> bool:
            ready = live.get("status", {}).get("readyReplicas")
            return kstatus(live) == "Current" and replicas in (None, ready)

        what = "Current" if replicas is None else f"Current with {replicas} ready replicas"
        return self.until(what, holds, within_seconds=within_seconds)

    def until_replicas(self, wanted: int, *, within_seconds: float) -> None:
        """Waits until the Deployment asks for a number of replicas."""
        until(
            f"{self.name}: {wanted} replicas wanted of the Deployment",
            lambda: self.replicas() == wanted,
            within_seconds=within_seconds,
            shows=self.story,
        )

    def story(self) -> dict[str, Any]:
        """What explains a failure: the object, what its Deployment says, and its pods in one line each."""
        deployment = self.deployment() or {}
        return {
            "inferenceService": {key: self.live().get(key) for key in ("spec", "status")},
            "deployment": {"replicas": deployment.get("spec", {}).get("replicas"), **deployment.get("status", {})},
            "pods": [pod_line(pod) for pod in self.pods()],
        }

    def ask(self, index: int = 1) -> float:
        """One request on a new connection to the NodePort; returns the offset of the version that answered."""
        content, headers = sleeper.body(index)
        answer = httpx.post(
            f"http://{self.host}:{self.port}{self._path}",
            content=content,
            headers={**headers, "Connection": "close"},
            timeout=10.0,
            trust_env=False,
        )
        y = tensors(Answer(answer.status_code, dict(answer.headers), answer.content))["Y"]
        return sleeper.offset_of(index, y)

    def ask_own_service(self, index: int = 1) -> float:
        """One request in JSON through the Service that the operator made, by way of the API server's proxy."""
        path = SERVICE.path(namespace=self.namespace, name=f"{self.name}:http", subresource=f"proxy{self._path}")
        x = sleeper.question(index)
        tensor = {"name": "X", "shape": list(x.shape), "datatype": "FP32", "data": x.ravel().tolist()}
        body = json.dumps({"inputs": [tensor]}).encode()
        answer = self.api.raw("POST", path, {}, body, {"Content-Type": "application/json"})
        return sleeper.offset_of(index, json.loads(answer)["outputs"][0]["data"])

    def until_answers(self, offset: float = 0.0, *, within_seconds: float = 10.0) -> None:
        """Waits for the NodePort: kube-proxy may need a second after the pods are Ready."""

        def probe() -> bool:
            try:
                return self.ask() == offset
            except (httpx.TransportError, ValueError):
                return False

        until(f"{self.name}: answers with offset {offset:g}", probe, within_seconds=within_seconds, shows=self.story)

    def load(self, rate_rps: float, *, seconds: float, offsets: tuple[float, ...] = (0.0,), seed: int = 1) -> Plan:
        """Open-loop Poisson load of one rate, a new connection each, every answer checked."""
        return self.following(steady(rate_rps, seconds=seconds), offsets=offsets, seed=seed)

    def following(self, profile: Profile, *, offsets: tuple[float, ...] = (0.0,), seed: int = 1) -> Plan:
        """The same of a rate that changes."""
        target = Target(self.host, self.port, self._path)
        return Plan(
            target=target,
            arrivals=arrivals(profile, seed=seed),
            payloads=tuple(request(target, *sleeper.body(index)) for index in range(sleeper.PAYLOADS)),
            check=sleeper.RightAnswers(offsets),
        )

    @property
    def _path(self) -> str:
        return f"/v2/models/{self.name}/infer"
