"""A new version, the way back, and a version that does not load: thousands of requests each, and none of them fails."""

from __future__ import annotations

import time
from typing import Any, Final

from e2e.proofs import loads
from e2e.scenarios import sleeper
from e2e.scenarios.conditions import condition, holds
from e2e.scenarios.measured import Measured
from e2e.scenarios.service import Service
from e2e.scenarios.tenant import Tenant
from e2e.scenarios.traffic import Traffic, judged, none_failed
from e2e.scenarios.waiting import until
from foretide.adapters.resources import DEPLOYMENT, INFERENCE_SERVICE

RATE_RPS: Final = 110.0
REQUESTS: Final = 5_000
REPLICAS: Final = 2
# The load goes on until there were enough requests; it is stopped long before.
LONGEST_SECONDS: Final = 300.0
OLD, NEW = 0.0, 5.0
DAMAGED: Final = "weights.bin ends after 12 of 4096 bytes"


def spec(version: str, offset: float, **others: Any) -> dict[str, Any]:
    """As somebody keeps it in Git; each version has answers of its own."""
    return sleeper.spec(
        milliseconds=2,
        offset=offset,
        version=version,
        hardware_class=loads.HARDWARE_CLASS,
        minReplicas=REPLICAS,
        maxReplicas=REPLICAS,
        **others,
    )


def test_no_request_fails_by_a_roll_out_a_roll_back_or_a_version_that_does_not_load(
    tenant: Tenant, measured: Measured
) -> None:
    service = tenant.serve("ranker", spec("1", OLD))
    service.until_ready(replicas=REPLICAS)
    service.until_answers(OLD)
    with tenant.record(INFERENCE_SERVICE) as statuses, tenant.record(DEPLOYMENT) as deployments:
        _through(tenant, service, measured, "roll-out", version="2", offset=NEW, before=OLD)
        _through(tenant, service, measured, "roll-back", version="1", offset=OLD, before=NEW)

        with Traffic(service.load(RATE_RPS, seconds=LONGEST_SECONDS, offsets=(OLD,))) as load:
            load.until_sent(100)
            tenant.serve("ranker", spec("3", NEW, failure=DAMAGED))
            live = service.until("the failure is told", lambda live: holds(live, "Stalled"), within_seconds=60)
            assert DAMAGED in condition(live, "Stalled")["message"], "in Triton's words"
            assert holds(live, "Ready", "True", "ModelLoadFailed"), "the version before serves"
            assert live["status"]["readyReplicas"] == REPLICAS
            load.until_sent(REQUESTS, within_seconds=LONGEST_SECONDS)
            assert holds(service.live(), "Stalled"), "it is tried again and again"
            result = load.end()
        totals = judged(result)
        measured.add(
            "requests failed by a version that does not load", f"{totals.failed} of {totals.requests}", bar="0"
        )
        none_failed(result, "while a version did not load", at_least=REQUESTS)
        tenant.serve("ranker", spec("1", OLD))
        service.until_ready(replicas=REPLICAS)
    ready = statuses.statuses("ranker", "Ready")
    assert ready == ["True"], f"Ready went {ready} although replicas answered throughout"
    serving = deployments.numbers(service.deployment_name, "status", "readyReplicas")
    assert min(serving) >= REPLICAS, f"ready replicas went {serving}"


def _through(
    tenant: Tenant, service: Service, measured: Measured, what: str, *, version: str, offset: float, before: float
) -> None:
    """To another version, under load."""
    plan = service.load(RATE_RPS, seconds=LONGEST_SECONDS, offsets=(before, offset))
    old = {pod["metadata"]["name"] for pod in service.pods()}
    with Traffic(plan) as load:
        load.until_sent(100)
        applied = time.monotonic()
        tenant.serve("ranker", spec(version, offset))
        until(
            "no pod of before is left",
            lambda: old.isdisjoint(pod["metadata"]["name"] for pod in service.pods()),
            within_seconds=120,
            shows=service.story,
        )
        seconds = time.monotonic() - applied
        service.until_ready(replicas=REPLICAS)
        load.until_sent(REQUESTS, within_seconds=LONGEST_SECONDS)
        result = load.end()
    totals = judged(result)
    measured.add(f"requests failed by {what}", f"{totals.failed} of {totals.requests}", bar="0")
    measured.add(f"{what} of {REPLICAS} replicas, until no pod of before is left", f"{seconds:.1f} s", bar="-")
    none_failed(result, f"during the {what}", at_least=REQUESTS)
    assert {service.ask(index) for index in range(10)} == {offset}, "only this version answers"
