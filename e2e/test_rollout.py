"""A changed spec, or another hardware class, is rolled out without a failed request."""

from __future__ import annotations

from dataclasses import replace

from e2e.cluster.target import image
from e2e.scenarios import sleeper
from e2e.scenarios.api import Api
from e2e.scenarios.conditions import condition
from e2e.scenarios.measured import Measured
from e2e.scenarios.tenant import Tenant
from e2e.scenarios.traffic import Traffic, judged, none_failed
from e2e.scenarios.waiting import until
from foretide.adapters.resources import CONFIG_MAP, DEPLOYMENT, HARDWARE_CLASS, INFERENCE_SERVICE

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


def test_move_to_another_hardware_class_serves_throughout_and_leaves_nothing_of_the_old(
    tenant: Tenant, api: Api
) -> None:
    service = tenant.serve("ranker", sleeper.spec(milliseconds=2, minReplicas=2, maxReplicas=4))
    service.until_ready(replicas=2)
    service.until_answers()
    other = tenant.namespace  # a name that no other session uses
    moved = replace(service, hardware_class=other)
    api.apply(HARDWARE_CLASS, sleeper.hardware_class(image("triton"), name=other))
    try:
        with tenant.record(INFERENCE_SERVICE) as services, Traffic(service.load(30.0, seconds=120)) as load:
            load.until_sent(50)
            generation = service.change(hardware={"classes": [other]})
            live = moved.until_ready(replicas=2)
            until(
                "the old Deployment and its pods are gone",
                lambda: service.deployment() is None and len(service.pods()) == 2,
                within_seconds=60,
                shows=service.story,
            )
            load.until_sent(load.sent + 100)
            none_failed(load.end(), "while the service moved to another class", at_least=200)
        assert live["status"]["observedGeneration"] == generation
        assert moved.replicas() == 2, "it starts with as many replicas as it had"
        ready = services.statuses("ranker", "Ready")
        assert ready == ["True"], f"Ready went {ready} although replicas answered throughout"
        assert len(service.children(CONFIG_MAP)) == 1, "only the configuration that runs"
    finally:
        api.delete(HARDWARE_CLASS, other)
