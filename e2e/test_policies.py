"""What a ScalingPolicy and a HardwareClass say reaches the replicas and the status of a real service."""

from __future__ import annotations

from typing import Any

from e2e.cluster.target import image
from e2e.scenarios import sleeper
from e2e.scenarios.api import Api
from e2e.scenarios.conditions import condition, holds
from e2e.scenarios.operator import Operator
from e2e.scenarios.tenant import Tenant
from e2e.scenarios.traffic import Traffic
from foretide.adapters.resources import DEPLOYMENT, HARDWARE_CLASS, SCALING_POLICY

PRICED = "e2e-cpu-priced"


def test_a_policy_advises_decides_and_is_missed_and_a_class_has_a_price(
    tenant: Tenant, api: Api, operator: Operator
) -> None:
    def policy(**spec: Any) -> None:
        api.apply(SCALING_POLICY, {"metadata": {"name": "web", "namespace": tenant.namespace}, "spec": spec})

    priced = sleeper.hardware_class(image("triton"), name=PRICED)
    priced["spec"] |= {
        "cost": {"perHour": "0.25", "currency": "EUR"},
        "power": {"idleWatts": 10, "busyWatts": 40},
        "quota": {"maxReplicas": 3},
    }
    api.apply(HARDWARE_CLASS, priced)
    policy(mode="Advisory")
    service = tenant.serve(
        "ranker", sleeper.spec(hardware_class=PRICED, minReplicas=1, maxReplicas=9, policyRef={"name": "web"})
    )
    live = service.until_ready(replicas=1)
    service.until("is only advised", lambda live: holds(live, "ScalingActive", "False", "Advisory"))
    live = service.until("its price is told", lambda live: "cost" in live["status"])
    assert live["status"]["cost"]["perHour"] == "0.25", live["status"]["cost"]
    assert live["status"]["cost"]["currency"] == "EUR"

    with tenant.record(DEPLOYMENT) as recording:
        service.change(scaling={"minReplicas": 2})
        service.until("two are advised", lambda live: [e["to"] for e in live["status"]["decisions"]][-1:] == [2])
        operator.until_ticks(3)
        assert recording.numbers(service.deployment_name, "spec", "replicas") == [1]
        policy(mode="Active")
        service.until_ready(replicas=2)

    api.delete(SCALING_POLICY, "web", namespace=tenant.namespace)
    live = service.until("misses its policy", lambda live: holds(live, "ScalingActive", "False", "PolicyNotFound"))
    assert '"web"' in condition(live, "ScalingActive")["message"]
    service.change(scaling={"minReplicas": 5})
    operator.until_ticks(3)
    assert service.replicas() == 2
    policy(priority=7)
    service.until("the quota limits it", lambda live: holds(live, "ScalingLimited", "True", "AtQuota"))
    service.until_ready(replicas=3)


def test_after_a_restart_the_past_is_read_and_forecasts_are_trusted_at_once(tenant: Tenant, operator: Operator) -> None:
    service = tenant.serve("ranker", sleeper.spec(minReplicas=1, maxReplicas=2))
    service.until_ready(replicas=1)
    service.until_answers()
    with Traffic(service.load(20.0, seconds=420)) as load:
        service.until(
            "its forecast is trusted",
            lambda live: holds(live, "ForecastHealthy", "True", "ForecastTrusted"),
            within_seconds=240,
        )
        load.until_sent(4_800, within_seconds=300)  # four minutes, of which Prometheus keeps three whole ones
        before = service.replicas()
        operator.kill()
        operator.until_leading()
        operator.until_metric("foretide_backfill_known_seconds", lambda known: known >= 120, within_seconds=90)
        operator.until_ticks(2)
        # Two and a half minutes of ticks make a forecast trusted; the past does at once.
        service.until(
            "its forecast is trusted again",
            lambda live: holds(live, "ForecastHealthy", "True", "ForecastTrusted"),
            within_seconds=30,
        )
        assert service.replicas() == before
        load.end()
