"""Another autoscaler targets the Deployment: two would fight, so one of them stops and says so."""

from __future__ import annotations

from e2e.faults.team import ONE_POD_RPS, Team
from e2e.scenarios.conditions import condition
from e2e.scenarios.recording import Recording
from e2e.scenarios.service import Service
from foretide.adapters.resources import DEPLOYMENT, HORIZONTAL_POD_AUTOSCALER


def test_a_foreign_scaler_is_named_and_nothing_is_written(steady: tuple[Team, Service]) -> None:
    team, service = steady
    utilization = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": service.deployment_name},
        "minReplicas": 1,
        "maxReplicas": 10,
        "metrics": [{"type": "Resource", "resource": utilization}],
    }
    rival = {"metadata": {"name": "rival", "namespace": team.namespace}, "spec": spec}
    team.stand.api.apply(HORIZONTAL_POD_AUTOSCALER, rival)
    live = team.until_told(service, "ScalingActive", "False", "ForeignScaler")
    assert "rival" in condition(live, "ScalingActive")["message"]
    with Recording(team.stand.cluster, team.stand.api, DEPLOYMENT, namespace=team.namespace) as recording:
        team.behave(service.name, rate_rps=ONE_POD_RPS)
        team.stand.operator.until_ticks(10)
        assert recording.numbers(service.deployment_name, "spec", "replicas") == [4]
    team.stand.api.delete(HORIZONTAL_POD_AUTOSCALER, "rival", namespace=team.namespace)
    team.until_told(service, "ScalingActive", "True", "ScalingActive")
    team.settle(service)
