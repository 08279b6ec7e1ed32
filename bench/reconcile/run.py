"""One run: a burst of services, a change of them all, a rest and a restart, on an API server of its own."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from bench.reconcile.burst import BURST, SETTLED_SECONDS, Say, children_made, plane_for, quantile, until, verbs
from bench.reconcile.fleet import Client, bare_loop, client, hardware_class, many, service
from e2e.installed import operator_token
from e2e.local_control_plane import ControlPlane
from e2e.local_operator import LocalOperator, operating
from e2e.scenarios.api import NAMESPACE, Api
from foretide.adapters.resources import DEPLOYMENT, HARDWARE_CLASS, INFERENCE_SERVICE

BARE: Final = "bare"
# In the burst no tick falls, whose cost is measured elsewhere; at rest they come as in production.
SELDOM_SECONDS: Final = 300
USUAL_SECONDS: Final = 15
NO_PROMETHEUS: Final = "http://127.0.0.1:1"
CHILDREN: Final = frozenset({"deployments", "configmaps", "services", "serviceaccounts", "poddisruptionbudgets"})
WRITES: Final = frozenset({"create", "update", "patch", "delete"})
EVENTS: Final = "foretide_watch_events_total{"
PASSES: Final = "foretide_reconcile_duration_seconds_count"
BUCKET: Final = 'foretide_reconcile_duration_seconds_bucket{le="'


@dataclass(frozen=True, slots=True)
class Run:
    """What one run measured."""

    services: int
    pods: int
    seconds_until_children: float
    seconds_until_ready: float
    bare_loop_seconds: float
    operator_cpu_ms_per_service: float  # until all are Ready and nothing moves
    operator_memory_mib: float  # the most it ever had
    requests_per_service: float
    reconcile_p50_seconds: float
    reconcile_p99_seconds: float
    errors: int
    churn_seconds: float  # until a change of every service is rolled out and told
    churn_cpu_ms_per_service: float
    idle_seconds: float
    idle_child_writes: int
    idle_cpu_share: float
    restart_seconds: float
    restart_child_writes: int
    children: dict[str, float]  # of a service, by resource


async def measure(count: int, *, idle_seconds: float, say: Say) -> Run:
    """A run with so many services, each with one pod."""
    with plane_for(2 * count) as plane:
        api = Api(plane.cluster)
        for namespace in (BURST, BARE):
            api.apply(NAMESPACE, {"metadata": {"name": namespace}})
        api.apply(HARDWARE_CLASS, hardware_class())
        token = operator_token(api)
        api.close()
        async with client(plane.cluster) as http:
            bare = await bare_loop(http, count, BARE)
            say(f"{count} services: bare loop {bare:.1f} s")
            await asyncio.sleep(SETTLED_SECONDS)
            return await _operator(plane, http, token, count, bare, idle_seconds=idle_seconds, say=say)


async def _operator(
    plane: ControlPlane, http: Client, token: str, count: int, bare: float, *, idle_seconds: float, say: Say
) -> Run:
    settings = {"prometheus_url": NO_PROMETHEUS, "log_level": "WARNING"}
    with operating(
        plane, token, tick_seconds=SELDOM_SECONDS, scale_down_hold_seconds=SELDOM_SECONDS, **settings
    ) as one:
        one.start()
        one.until_leading()
        await asyncio.sleep(SETTLED_SECONDS)
        idle_cpu, idle_memory = one.cpu_seconds(), one.peak_memory_mib()
        asked = len(plane.audited())
        began = time.monotonic()
        raws = [service(number, BURST) for number in range(count)]

        async def create(number: int) -> None:
            await http.create(INFERENCE_SERVICE, raws[number])

        creating = asyncio.create_task(many(count, create))
        applied = await until(began, 0.2, lambda: _has_deployments(http, count))
        await creating
        say(f"{count} services: children after {applied:.1f} s, {applied / bare:.2f} times the bare loop")
        ready = await until(began, 3.0, lambda: _all_ready(http, count, generation=1))
        await _settled(one)
        cpu = one.cpu_seconds() - idle_cpu
        requests = plane.audited(asked)
        say(f"{count} services: Ready after {ready:.1f} s, {1e3 * cpu / count:.1f} ms of CPU a service")
        say(f"{count} services: " + ", ".join(f"{what} {n / count:.1f}" for what, n in verbs(requests).most_common(14)))
        series = one.metrics()
        events = sum(n for name, n in series.items() if name.startswith(EVENTS))
        say(f"{count} services: of each {events / count:.1f} events and {series[PASSES] / count:.1f} passes")
        churn_began, churn_cpu = time.monotonic(), one.cpu_seconds()

        async def change(number: int) -> None:
            path = INFERENCE_SERVICE.path(namespace=BURST, name=raws[number]["metadata"]["name"])
            body = json.dumps({"spec": {"slo": {"latency": "200ms"}}}).encode()
            await http.send("PATCH", path, body, kind="application/merge-patch+json")

        await many(count, change)
        churned = await until(churn_began, 3.0, lambda: _all_ready(http, count, generation=2))
        await _settled(one)
        churn_cpu = one.cpu_seconds() - churn_cpu
        say(f"{count} services: all changed and Ready again after {churned:.1f} s")
        errors = _errors(one)
        memory = one.peak_memory_mib()
        say(f"{count} services: {idle_memory:.0f} MiB at most before the first of them, {memory:.0f} since")
        one.end()
    with operating(plane, token, tick_seconds=USUAL_SECONDS, **settings) as two:
        asked, began = len(plane.audited()), time.monotonic()
        two.start()
        two.until_leading()
        await _settled(two)
        restarted = time.monotonic() - began
        restart_writes = child_writes(plane, asked)
        say(f"{count} services: {restart_writes} child writes at a restart")
        asked, idle_cpu = len(plane.audited()), two.cpu_seconds()
        await asyncio.sleep(idle_seconds)
        idle_writes = child_writes(plane, asked)
        idle_cpu = two.cpu_seconds() - idle_cpu
        say(f"{count} services: {idle_writes} child writes in {idle_seconds:.0f} idle seconds")
        say(f"{count} services: idle " + ", ".join(f"{w} {n}" for w, n in verbs(plane.audited(asked)).most_common(9)))
        errors += _errors(two)
        restarted_memory = two.peak_memory_mib()
        say(f"{count} services: {restarted_memory:.0f} MiB at most after a restart")
        memory = max(memory, restarted_memory)
    return Run(
        services=count,
        pods=count,
        seconds_until_children=applied,
        seconds_until_ready=ready,
        bare_loop_seconds=bare,
        operator_cpu_ms_per_service=1e3 * cpu / count,
        operator_memory_mib=memory,
        requests_per_service=len(requests) / count,
        reconcile_p50_seconds=quantile(series, BUCKET, 0.5),
        reconcile_p99_seconds=quantile(series, BUCKET, 0.99),
        errors=errors,
        churn_seconds=churned,
        churn_cpu_ms_per_service=1e3 * churn_cpu / count,
        idle_seconds=idle_seconds,
        idle_child_writes=idle_writes,
        idle_cpu_share=idle_cpu / idle_seconds,
        restart_seconds=restarted,
        restart_child_writes=restart_writes,
        children=children_made(requests, count),
    )


async def _has_deployments(http: Client, count: int) -> bool:
    return await http.count(DEPLOYMENT, BURST) == count


async def _all_ready(http: Client, count: int, *, generation: int) -> bool:
    """Whether all services are Ready, and the operator has told so of this generation."""
    found = await http.select(INFERENCE_SERVICE, BURST)
    return len(found) == count and all(_is_ready(each, generation) for each in found)


def _is_ready(raw: Mapping[str, Any], generation: int) -> bool:
    status = raw.get("status", {})
    conditions = {each["type"]: each["status"] for each in status.get("conditions", ())}
    current = status.get("observedGeneration") == raw["metadata"]["generation"] == generation
    return current and conditions.get("Ready") == "True" and conditions.get("Reconciling") == "False"


async def _settled(operator: LocalOperator) -> None:
    """Waits until the operator reconciles nothing any more."""
    before = -1.0
    while (now := _reconciles(operator)) != before:
        before = now
        await asyncio.sleep(SETTLED_SECONDS)


def _reconciles(operator: LocalOperator) -> float:
    return operator.metrics().get("foretide_reconcile_duration_seconds_count", 0.0)


def _errors(operator: LocalOperator) -> int:
    """Reconciliations that failed."""
    results = operator.metrics().items()
    counted = {name: n for name, n in results if name.startswith("foretide_reconciles_total{")}
    return int(sum(n for name, n in counted.items() if 'result="success"' not in name))


def child_writes(plane: ControlPlane, since: int) -> int:
    """Writes of the operator to children of services, also those that changed nothing."""
    requests = plane.audited(since)
    return sum(
        request["verb"] in WRITES and request.get("objectRef", {}).get("resource") in CHILDREN for request in requests
    )
