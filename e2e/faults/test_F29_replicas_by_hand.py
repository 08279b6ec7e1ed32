"""People set the number of replicas: by hand, at every tick, with the rest of a manifest, and to zero."""

from __future__ import annotations

import time
from typing import Any

import pytest

from e2e.faults.stand.operator import TICK_SECONDS
from e2e.faults.team import Team
from e2e.scenarios.conditions import holds
from e2e.scenarios.service import Service
from foretide.adapters.resources import DEPLOYMENT
from foretide.api import group

pytestmark = pytest.mark.slow_fault


def by_hand(team: Team, service: Service, replicas: int) -> None:
    """What `kubectl scale` does."""
    change: dict[str, Any] = {"spec": {"replicas": replicas}}
    api = team.stand.api
    api.patch(DEPLOYMENT, service.deployment_name, change, namespace=service.namespace, subresource="scale")


def test_F29_a_number_is_brought_back_and_a_fight_is_ended(team: Team) -> None:
    service = team.serve_four()
    fought_at = time.monotonic()
    while not holds(service.live(), "ScalingActive", "False", "ManualScaleContested"):
        by_hand(team, service, 1)
        assert time.monotonic() - fought_at < 90, service.story()
        time.sleep(2 * TICK_SECONDS)
    by_hand(team, service, 2)
    team.stays("it is left alone", lambda: service.replicas() == 2, seconds=5)
    team.check()


def test_F30_apply_of_a_manifest_with_replicas(team: Team) -> None:
    """k8s#66385: each apply of a manifest that says replicas: 1 shrank the fleet. Here it comes back."""
    service = team.serve_four()
    api, metadata = team.stand.api, {"name": service.deployment_name, "namespace": team.namespace}
    api.apply(DEPLOYMENT, {"metadata": metadata, "spec": {"replicas": 1}})
    service.until("restored", lambda _: service.replicas() >= 4, within_seconds=20)
    deployment = service.deployment()
    assert deployment is not None
    owners = {
        entry["manager"]
        for entry in deployment["metadata"]["managedFields"]
        if "f:replicas" in entry["fieldsV1"].get("f:spec", {})
    }
    assert owners == {group.AUTOSCALE_MANAGER}
    team.until_four(service)
    team.settle(service)


def test_F31_zero_is_off_until_somebody_switches_it_on(team: Team) -> None:
    service = team.serve_four()
    by_hand(team, service, 0)
    team.until_told(service, "ScalingActive", "False", "ScaledToZero")
    team.stays("it is off", lambda: service.replicas() == 0, seconds=5)
    team.stand.operator.restart()
    team.stays("it is off for the next operator, too", lambda: service.replicas() == 0, seconds=5)
    by_hand(team, service, 1)
    team.until_told(service, "ScalingActive", "True", "ScalingActive", within_seconds=30)
    team.until_four(service)
    team.settle(service)
