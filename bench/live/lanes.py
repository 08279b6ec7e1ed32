"""One system at work under one load: a namespace, a service and pods of its own, and requests from outside."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass, replace
from typing import Any, Final

from urllib3.exceptions import HTTPError

from bench.live.loads import OBJECTIVE, OWN_START_SECONDS, SEED, Load
from bench.live.outcome import Run, run_of
from bench.live.peers.objects import MOST_REPLICAS, SERVICE_LABEL, objects
from bench.live.systems import Scaler, System
from e2e.cluster import Cluster
from e2e.cluster.target import image
from e2e.scenarios import sleeper
from e2e.scenarios.api import Api, ApiRefused
from e2e.scenarios.recording import Recording
from e2e.scenarios.service import Service
from e2e.scenarios.tenant import Tenant
from e2e.scenarios.traffic import Traffic
from e2e.scenarios.waiting import until
from foretide.adapters.resources import DEPLOYMENT, HARDWARE_CLASS, Object
from foretide.api import parse
from foretide.api.hardwareclass import HardwareClass
from foretide.api.inferenceservice import InferenceService

# From the first object until the first pod is ready, beyond its cold start; a lane that is early waits.
SET_UP_SECONDS: Final = 20.0
CPU: Final = "5m"  # replicas sleep: dozens of them fit on two processors
READY_SECONDS: Final = 300.0
TIMEOUT_SECONDS: Final = 5.0
MOST_IN_FLIGHT: Final = 4_000


class Stopped(Exception):
    """All lanes are to end."""


@dataclass(frozen=True, slots=True)
class Lane:
    """A system and the load that it is under."""

    load: Load
    system: System

    @property
    def name(self) -> str:
        """Also in the name of its namespace."""
        return f"{self.load.key}-{self.system.name}"


@dataclass(slots=True)
class Status:
    """How far a lane is, told by its thread; read by the one that admits others and prints."""

    starts: float  # time.monotonic() of second 0 of the load: not earlier, until it is `sending`
    sending: bool = False
    ready: int = 0
    wanted: int = 0


def run(cluster: Cluster, api: Api, lane: Lane, status: Status, stopping: threading.Event) -> Run:
    """Takes as long as the load and its first pod. Raises Stopped once `stopping` is set, AssertionError where there is
    no pod in time, RuntimeError where the sender broke off, LateSenderError."""
    tenant = Tenant.move_in(cluster, api, f"live-{lane.name}")
    try:
        return _run(tenant, lane, status, stopping)
    finally:
        with contextlib.suppress(ApiRefused, HTTPError):  # what stays is moved out when the command starts again
            tenant.move_out()


def _run(tenant: Tenant, lane: Lane, status: Status, stopping: threading.Event) -> Run:
    load = lane.load
    tenant.api.apply(HARDWARE_CLASS, _hardware_class(load))
    service = _serve(tenant, lane)
    _until_ready(tenant, service, stopping)
    plan = replace(
        service.following(load.profile, seed=SEED), timeout_seconds=TIMEOUT_SECONDS, max_in_flight=MOST_IN_FLIGHT
    )
    _pause(status.starts - time.monotonic(), stopping)
    with tenant.record(DEPLOYMENT) as recording, Traffic(plan) as traffic:
        status.starts, status.sending = time.monotonic(), True
        while (left := status.starts + load.profile.seconds - time.monotonic()) > 0.0:
            _pause(min(1.0, left), stopping)
            _look(recording, service, status)
        result = traffic.whole()
        states, started_in_seconds = recording.of(service.deployment_name), tenant.started_in_seconds()
    assert len(result) == len(plan.arrivals), f"{len(result)} of {len(plan.arrivals)} requests were told of"
    return run_of(
        lane.system,
        load,
        result,
        states,
        began=result.started_at + time.monotonic() - time.time(),
        started_in_seconds=started_in_seconds,
    )


def service_and_class(system: System, load: Load, *, namespace: str) -> tuple[InferenceService, HardwareClass]:
    """What a peer serves, in the words in which Foretide is told."""
    raw = {"metadata": {"name": system.name, "namespace": namespace, "uid": system.name}, "spec": _spec(load)}
    service, hardware_class = parse.inference_service(raw), parse.hardware_class(_hardware_class(load))
    assert isinstance(service, InferenceService), service
    assert isinstance(hardware_class, HardwareClass), hardware_class
    return service, hardware_class


def peer_objects(system: System, load: Load, *, namespace: str) -> list[dict[str, Any]]:
    """All that a team applies for a peer."""
    return objects(system, load, *service_and_class(system, load, namespace=namespace))


def _serve(tenant: Tenant, lane: Lane) -> Service:
    system, load = lane.system, lane.load
    if system.scaler is Scaler.FORETIDE:
        return tenant.serve(system.name, _spec(load))
    tenant.cluster.apply(*peer_objects(system, load, namespace=tenant.namespace))
    return tenant.reach(system.name, hardware_class=_class_name(load), label=SERVICE_LABEL)


def _spec(load: Load) -> dict[str, Any]:
    law = load.model.law
    spec = sleeper.spec(
        milliseconds=1e3 * law.fixed_seconds,
        item_milliseconds=1e3 * law.per_item_seconds,
        load_seconds=load.cold_start_seconds - OWN_START_SECONDS,
        max_batch=law.max_batch,
        latency=f"{1e3 * load.model.slo_seconds:g}ms",
        hardware_class=_class_name(load),
        minReplicas=1,
        maxReplicas=MOST_REPLICAS,
    )
    return {**spec, "slo": {**spec["slo"], "objective": f"{100 * OBJECTIVE:g}"}}


def _hardware_class(load: Load) -> dict[str, Any]:
    return sleeper.hardware_class(image("triton"), name=_class_name(load), cpu=CPU, instances=load.model.law.instances)


def _class_name(load: Load) -> str:
    return f"bench-cpu-{load.model.law.instances}"


def _until_ready(tenant: Tenant, service: Service, stopping: threading.Event) -> None:
    def probe() -> bool:
        _pause(0.0, stopping)
        return _ready(service.deployment()) >= 1

    until(
        f"{tenant.namespace} has a ready replica",
        probe,
        within_seconds=READY_SECONDS,
        shows=tenant.story,
        every_seconds=1.0,
    )
    service.until_answers()


def _pause(seconds: float, stopping: threading.Event) -> None:
    if stopping.wait(max(seconds, 0.0)):
        raise Stopped


def _look(recording: Recording, service: Service, status: Status) -> None:
    newest = recording.of(service.deployment_name)[-1].obj
    status.ready, status.wanted = _ready(newest), int(newest["spec"].get("replicas", 0))


def _ready(deployment: Object | None) -> int:
    return int((deployment or {}).get("status", {}).get("readyReplicas", 0))
