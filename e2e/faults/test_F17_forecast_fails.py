"""The forecaster raises, hangs, and says nonsense: what is left is a plain reactive autoscaler."""

from __future__ import annotations

import httpx
import pytest

from e2e.faults.team import FOUR_PODS_RPS, ONE_POD_RPS, Team
from e2e.scenarios.waiting import until


@pytest.mark.parametrize("mode", ["raises", "nan", "infinite", "negative", "absurd"])
def test_the_load_of_now_decides(team: Team, mode: str) -> None:
    operator = team.stand.operator
    operator.expected.append("the forecast failed")
    with operator.as_module("e2e.faults.stand.odd_forecast", mode):
        service = team.serve(foresees=True, rate_rps=FOUR_PODS_RPS, maxReplicas=10)
        team.until_four(service)
        assert service.replicas() <= 10
        if mode == "raises":
            team.until_told(service, "ForecastHealthy", "False", "ForecastMissed")
        if mode != "absurd":
            team.behave(service.name, rate_rps=ONE_POD_RPS)
            service.until_replicas(1, within_seconds=90)
    team.settle(service)


def test_a_forecast_that_hangs_is_noticed_by_the_kubelet(team: Team) -> None:
    """It runs where ticks do: the process answers no probe any more, and is restarted; until then nothing moves."""
    operator, service = team.stand.operator, team.serve_four()
    with team.in_the_dark(service), operator.as_module("e2e.faults.stand.odd_forecast", "hangs", leads=False):
        until("no probe is answered", lambda: not _alive(operator.url), within_seconds=60)
        team.behave(service.name, rate_rps=ONE_POD_RPS)
        team.stays("four replicas", lambda: service.replicas() == 4, seconds=8)
        team.behave(service.name, rate_rps=FOUR_PODS_RPS)
        operator.kill()
    team.settle(service)


def _alive(url: str) -> bool:
    """As a process that has not come so far is, too: it refuses."""
    try:
        return httpx.get(f"{url}/livez", timeout=2.0, trust_env=False).status_code == httpx.codes.OK
    except httpx.TimeoutException:
        return False
    except httpx.TransportError:
        return True
