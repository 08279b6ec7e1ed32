"""A changed spec is rolled out without a failed request."""

from __future__ import annotations

from e2e.scenarios import sleeper
from e2e.scenarios.conditions import condition
from e2e.scenarios.measured import Measured
from e2e.scenarios.tenant import Tenant
from e2e.scenarios.traffic import Traffic, judged, none_failed
from e2e.scenarios.waiting import until
from foretide.adapters.resources import DEPLOYMENT, INFERENCE_SERVICE

RATE_RPS = 110.0
REQUESTS = 2_000


def test_changed_spec_is_rolled_out_without_a_failed_request(tenant: Tenant, measured: Measured) -> None:
    service = tenant.serve("ranker", sleeper.spec(milliseconds=2, offset=0, minReplicas=2, maxReplicas=2))
    service.until_ready(replicas=2)
    service.until_answers(0)
    old = {pod["metadata"]["name"] for pod in service.pods()}

    plan = service.load(RATE_RPS, seconds=120, offsets=(0.0, 5.0))
    with tenant.record(INFERENCE_SERVICE) as services, tenant.record(DEPLOYMENT) as deployments, Traffic(plan) as load:
        load.until_sent(100)
        generation = service.change(model=sleeper.spec(milliseconds=2, offset=5, version="2", max_batch=4)["model"])
        service.until("the roll-out is told", lambda live: condition(live, "Reconciling").get("status") == "True")
        live = service.until_ready(replicas=2)
        until(
            "the old pods are gone",
            lambda: old.isdisjoint(pod["metadata"]["name"] for pod in service.pods()),
            within_seconds=60,
            shows=service.story,
        )
        load.until_sent(REQUESTS)
        result = load.end()
    totals = judged(result)
    measured.add("requests failed by roll-out", f"{totals.failed} of {totals.requests}", bar="0 of >= 2,000")
    none_failed(result, "while two replicas were replaced", at_least=REQUESTS)

    assert live["status"]["observedGeneration"] == generation
    assert {service.ask(index) for index in range(10)} == {5.0}, "only the new version answers"
    ready = services.statuses("ranker", "Ready")
    assert ready == ["True"], f"Ready went {ready} although replicas answered throughout"
    serving = deployments.numbers(service.deployment_name, "status", "readyReplicas")
    assert min(serving) >= 2, f"ready replicas went {serving}"
