"""Systems at work side by side: each has its own service and pods, and is sent the same requests at the same times."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, Final

from bench.live.loads import OBJECTIVE, OWN_START_SECONDS, Load
from bench.live.outcome import Run, run_of
from bench.live.peers.objects import MOST_REPLICAS, SERVICE_LABEL, objects
from bench.live.predict import predicted
from bench.live.systems import Scaler, System
from e2e.cluster.target import image
from e2e.load.report import totals
from e2e.scenarios import sleeper
from e2e.scenarios.recording import Recording
from e2e.scenarios.service import Service
from e2e.scenarios.tenant import Tenant
from e2e.scenarios.traffic import Traffic
from e2e.scenarios.waiting import until
from foretide.adapters.resources import DEPLOYMENT, HARDWARE_CLASS, Object
from foretide.api import parse
from foretide.api.hardwareclass import HardwareClass
from foretide.api.inferenceservice import InferenceService

SEED: Final = 1
CLASS: Final = "bench-cpu"
CPU: Final = "5m"  # replicas sleep: dozens of them fit on two processors
READY_SECONDS: Final = 300.0
TIMEOUT_SECONDS: Final = 5.0
MOST_IN_FLIGHT: Final = 4_000
TELL_EVERY_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Lane:
    """A system and the service that it scales."""

    system: System
    service: Service


def run(tenant: Tenant, systems: Sequence[System], load: Load, *, say: Callable[[str], None]) -> list[Run]:
    """One run of each system under the load, all at once; takes as long as the load and its first pods."""
    tenant.api.apply(HARDWARE_CLASS, _hardware_class(load))
    lanes = [Lane(system, _serve(tenant, system, load)) for system in systems]
    until(
        "all have a ready replica",
        lambda: all(_ready(lane.service.deployment()) >= 1 for lane in lanes),
        within_seconds=READY_SECONDS,
    )
    for lane in lanes:
        lane.service.until_answers()
    plans = {
        lane: replace(
            lane.service.following(load.profile, seed=SEED),
            timeout_seconds=TIMEOUT_SECONDS,
            max_in_flight=MOST_IN_FLIGHT,
        )
        for lane in lanes
    }
    with tenant.record(DEPLOYMENT) as recording, ExitStack() as stack:
        traffic = {lane: stack.enter_context(Traffic(plan)) for lane, plan in plans.items()}
        _wait(load, lanes, recording, say)
        results = {lane: one.end() for lane, one in traffic.items()}
        states = {lane: recording.of(lane.service.deployment_name) for lane in lanes}
    since_boot = time.monotonic() - time.time()
    return [
        run_of(
            lane.system,
            load,
            result,
            states[lane],
            began=result.started_at + since_boot,
            late=totals(result, slo_seconds=load.model.slo_seconds).generator_was_late,
            prediction=predicted(lane.system, load, plans[lane].arrivals),
        )
        for lane, result in results.items()
    ]


def _serve(tenant: Tenant, system: System, load: Load) -> Service:
    if system.scaler is Scaler.FORETIDE:
        return tenant.serve(system.name, _spec(load))
    service, hardware_class = service_and_class(system, load, namespace=tenant.namespace)
    tenant.cluster.apply(*objects(system, load, service, hardware_class))
    return tenant.reach(system.name, hardware_class=CLASS, label=SERVICE_LABEL)


def service_and_class(system: System, load: Load, *, namespace: str) -> tuple[InferenceService, HardwareClass]:
    """What a peer serves, in the words in which Foretide is told."""
    raw = {"metadata": {"name": system.name, "namespace": namespace, "uid": system.name}, "spec": _spec(load)}
    service, hardware_class = parse.inference_service(raw), parse.hardware_class(_hardware_class(load))
    assert isinstance(service, InferenceService), service
    assert isinstance(hardware_class, HardwareClass), hardware_class
    return service, hardware_class


def _spec(load: Load) -> dict[str, Any]:
    law = load.model.law
    spec = sleeper.spec(
        milliseconds=1e3 * law.fixed_seconds,
        item_milliseconds=1e3 * law.per_item_seconds,
        load_seconds=load.cold_start_seconds - OWN_START_SECONDS,
        max_batch=law.max_batch,
        latency=f"{1e3 * load.model.slo_seconds:g}ms",
        hardware_class=CLASS,
        minReplicas=1,
        maxReplicas=MOST_REPLICAS,
    )
    return {**spec, "slo": {**spec["slo"], "objective": f"{100 * OBJECTIVE:g}"}}


def _hardware_class(load: Load) -> dict[str, Any]:
    return sleeper.hardware_class(image("triton"), name=CLASS, cpu=CPU, instances=load.model.law.instances)


def _wait(load: Load, lanes: Sequence[Lane], recording: Recording, say: Callable[[str], None]) -> None:
    """Until the last request was sent; tells the replicas of each."""
    began = time.monotonic()
    while (gone := time.monotonic() - began) < load.profile.seconds:
        time.sleep(min(TELL_EVERY_SECONDS, load.profile.seconds - gone))
        newest = {lane: recording.of(lane.service.deployment_name)[-1].obj for lane in lanes}
        sizes = ", ".join(
            f"{lane.system.name} {_ready(obj)}/{obj['spec'].get('replicas', 0)}" for lane, obj in newest.items()
        )
        say(f"{load.title}: {time.monotonic() - began:.0f} of {load.profile.seconds:.0f} s; ready/wanted: {sizes}")


def _ready(deployment: Object | None) -> int:
    return int((deployment or {}).get("status", {}).get("readyReplicas", 0))
