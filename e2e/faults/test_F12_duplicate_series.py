"""Every pod is scraped twice: a PodMonitor beside annotations, or two replicas of Prometheus."""

from __future__ import annotations

from typing import Any

import pytest

from e2e.faults.team import Team
from e2e.scenarios.service import Service
from e2e.scenarios.waiting import until

pytestmark = pytest.mark.slow_fault

# All that tells series of one pod apart but for the way by which it was found.
OF_TRITON = "__name__, pod, model, version, reason, quantile"


def test_the_load_is_not_counted_twice(steady: tuple[Team, Service]) -> None:
    team, service = steady
    team.behave(service.name, twice=True)
    until(
        "Prometheus has each series twice",
        lambda: is_twice(ways(team, service), service),
        within_seconds=60,
        shows=lambda: ways(team, service),
    )
    team.stand.operator.until_ticks(4)  # rates of a whole window are of both
    assert is_twice(ways(team, service), service)
    team.stays("four replicas", lambda: service.replicas() == 4, seconds=8)
    team.behave(service.name, twice=False)
    team.settle(service)


def ways(team: Team, service: Service) -> list[dict[str, Any]]:
    """By how many ways Prometheus found each series of the pods that there are.

    Not of all pods that it knows: of one that left while Prometheus was dead the last sample lasts for five minutes.
    """
    names = "|".join(pod["metadata"]["name"] for pod in service.pods())
    series = f'{{__name__=~"nv_inference_.+",namespace="{team.namespace}",pod=~"{names}"}}'
    return team.stand.prometheus.ask(f"count by ({OF_TRITON}) ({series})")


def is_twice(found: list[dict[str, Any]], service: Service) -> bool:
    """Whether it is so of every pod, and of every series of it."""
    pods = {pod["metadata"]["name"] for pod in service.pods()}
    return {one["metric"]["pod"] for one in found} == pods and all(one["value"][1] == "2" for one in found)
