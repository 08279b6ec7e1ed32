"""A Deployment of somebody else whose pods carry the labels of a service."""

from __future__ import annotations

from typing import Any

import pytest

from e2e.faults.team import Team
from e2e.scenarios.service import Service
from e2e.scenarios.waiting import until
from foretide.adapters.resources import DEPLOYMENT, POD
from foretide.serving import naming


@pytest.mark.slow_fault
def test_pods_of_others_are_neither_capacity_nor_load(steady: tuple[Team, Service]) -> None:
    """k8s!112011: an HPA whose selector matched another's pods divided by all of them."""
    team, service = steady
    labels = naming.selector(service.name, service.hardware_class) | naming.labels(service.name)
    container = {"name": "other", "image": "example.com/other:1", "securityContext": _restricted()}
    template: dict[str, Any] = {
        "metadata": {"labels": {**labels, "app": "other"}},
        "spec": {
            "containers": [container],
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        },
    }
    spec = {"replicas": 4, "selector": {"matchLabels": {"app": "other"}}, "template": template}
    team.stand.api.apply(DEPLOYMENT, {"metadata": {"name": "other", "namespace": team.namespace}, "spec": spec})
    try:
        until("eight pods with our labels", lambda: len(service.pods()) == 8, within_seconds=30)
        team.stays("four replicas", lambda: service.replicas() == 4, seconds=12)
        assert service.live()["status"]["readyReplicas"] == 4
    finally:
        team.stand.api.delete(DEPLOYMENT, "other", namespace=team.namespace)
    until(
        "theirs are gone",
        lambda: len(team.stand.api.select(POD, namespace=team.namespace, labels="app=other")) == 0,
        within_seconds=30,
    )
    team.settle(service)


def _restricted() -> dict[str, Any]:
    return {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
