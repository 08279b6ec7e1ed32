"""ModelProfiles that are missing, of other hardware, or no longer true."""

from __future__ import annotations

from typing import Any

import pytest

from e2e.faults.team import FOUR_PODS_RPS, Team
from e2e.scenarios import sleeper
from foretide.adapters.resources import MODEL_PROFILE


def put_profile(team: Team, *, fixed: str, hardware_class: str = sleeper.HARDWARE_CLASS) -> None:
    spec: dict[str, Any] = {
        "service": "ranker",
        "hardwareClass": hardware_class,
        "batchTime": {"perItem": "0s", "fixed": fixed},
        "maxBatchSize": 1,
    }
    team.stand.api.apply(MODEL_PROFILE, {"metadata": {"name": "ranker", "namespace": team.namespace}, "spec": spec})


@pytest.mark.parametrize("fixed", ["1ms", "900ms"])
def test_what_is_measured_is_believed_before_what_was_told(team: Team, fixed: str) -> None:
    """A hundred times too fast, and nine times too slow: both end with the four replicas that the load needs."""
    put_profile(team, fixed=fixed)
    service = team.serve(rate_rps=FOUR_PODS_RPS)
    team.until_four(service)
    live = service.until("it is measured", lambda live: live["status"]["capacity"]["source"] == "Measured")
    assert live["status"]["capacity"]["batchTime"]["fixed"] == "100ms"
    service.until_replicas(4, within_seconds=60)
    team.settle(service)


def test_a_profile_of_other_hardware_says_nothing(team: Team) -> None:
    put_profile(team, fixed="1ms", hardware_class="another")
    service = team.serve()
    live = service.until("a prior", lambda live: live.get("status", {}).get("capacity", {}).get("source") == "Prior")
    assert float(live["status"]["capacity"]["perReplica"]) < 1.0
    team.behave(service.name, rate_rps=FOUR_PODS_RPS)
    team.until_four(service)
    team.settle(service)
