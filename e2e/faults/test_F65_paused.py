"""Scaling is paused, the operator restarted meanwhile, and then it goes on."""

from __future__ import annotations

import time

import pytest

from e2e.faults.stand.operator import HOLD_SECONDS
from e2e.faults.team import FOUR_PODS_RPS, ONE_POD_RPS, Team
from e2e.scenarios.recording import Recording
from foretide.adapters.resources import DEPLOYMENT

pytestmark = pytest.mark.slow_fault


def test_a_pause_survives_a_restart_and_its_end_is_no_jump(team: Team) -> None:
    """KEDA#5490, #7231: paused objects went to 0 after a restart, or were neither on nor off."""
    service = team.serve_four()
    service.change(scaling={"paused": True})
    team.until_told(service, "ScalingActive", "False", "ScalingPaused")
    with Recording(team.stand.cluster, team.stand.api, DEPLOYMENT, namespace=team.namespace) as recording:
        team.behave(service.name, rate_rps=2 * FOUR_PODS_RPS)
        team.stand.operator.until_ticks(4)
        team.stand.operator.restart()
        team.behave(service.name, rate_rps=ONE_POD_RPS)
        team.stand.operator.until_ticks(8)
        paused = recording.numbers(service.deployment_name, "spec", "replicas")
        resumed = time.monotonic()
        service.change(scaling={"paused": False})
        service.until_replicas(1, within_seconds=120)
        states = recording.of(service.deployment_name)
    assert paused == [4]
    first = next(state.at_seconds for state in states if state.obj["spec"]["replicas"] < 4)
    assert first - resumed >= HOLD_SECONDS - 1.0, f"shrank {first - resumed:.1f} s after the pause"
    team.settle(service)
