"""Who decides the number of replicas: a foreign scaler, a pause, a pin, or the operator; never two of them."""

from __future__ import annotations

from e2e.scenarios import sleeper
from e2e.scenarios.api import Api
from e2e.scenarios.conditions import condition, holds
from e2e.scenarios.operator import Operator
from e2e.scenarios.tenant import Tenant
from foretide.adapters.resources import DEPLOYMENT, HORIZONTAL_POD_AUTOSCALER


def test_foreign_scaler_pause_and_pin_are_obeyed(tenant: Tenant, api: Api, operator: Operator) -> None:
    foreign = tenant.serve("foreign", sleeper.spec(minReplicas=1, maxReplicas=4))
    paused = tenant.serve("paused", sleeper.spec(minReplicas=1, maxReplicas=4, paused=True))
    pinned = tenant.serve("pinned", sleeper.spec(minReplicas=1, maxReplicas=4, replicas=2))
    foreign.until_ready(replicas=1)
    paused.until_ready(replicas=1)
    api.apply(
        HORIZONTAL_POD_AUTOSCALER,
        {
            "metadata": {"name": "rival", "namespace": tenant.namespace},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": foreign.deployment_name},
                "minReplicas": 1,
                "maxReplicas": 10,
                "metrics": [
                    {
                        "type": "Resource",
                        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}},
                    }
                ],
            },
        },
    )
    live = foreign.until("stands back", lambda live: holds(live, "ScalingActive", "False", "ForeignScaler"))
    assert "rival" in condition(live, "ScalingActive")["message"]
    live = paused.until("is paused", lambda live: holds(live, "ScalingActive", "False", "ScalingPaused"))

    with tenant.record(DEPLOYMENT) as recording:
        foreign.change(scaling={"minReplicas": 2})
        paused.change(scaling={"minReplicas": 2})
        operator.until_ticks(4)
        for service in (foreign, paused):
            sizes = recording.numbers(service.deployment_name, "spec", "replicas")
            assert sizes == [1], f"{service.name}: replicas went {sizes}"

    live = pinned.until_ready(replicas=2)
    assert holds(live, "ScalingActive", "False", "ReplicasPinned")
    pinned.change(scaling={"replicas": 3})
    api.delete(HORIZONTAL_POD_AUTOSCALER, "rival", namespace=tenant.namespace)
    paused.change(scaling={"paused": False})
    foreign.until("resumes", lambda live: holds(live, "ScalingActive", "True", "ScalingActive"))
    for service, replicas in ((foreign, 2), (paused, 2), (pinned, 3)):
        service.until_ready(replicas=replicas)
