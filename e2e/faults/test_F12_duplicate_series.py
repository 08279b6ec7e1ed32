"""Every pod is scraped twice: a PodMonitor beside annotations, or two replicas of Prometheus."""

from __future__ import annotations

import pytest

from e2e.faults.team import Team
from e2e.scenarios.service import Service
from e2e.scenarios.waiting import until

pytestmark = pytest.mark.slow_fault


def test_the_load_is_not_counted_twice(steady: tuple[Team, Service]) -> None:
    team, service = steady
    team.behave(service.name, twice=True)
    query = f'count(nv_inference_count{{namespace="{team.namespace}"}})'
    until(
        "Prometheus has each series twice",
        lambda: [one["value"][1] for one in team.stand.prometheus.ask(query)] == ["8"],
        within_seconds=60,
    )
    team.stays("four replicas", lambda: service.replicas() == 4, seconds=8)
    team.behave(service.name, twice=False)
    team.settle(service)
