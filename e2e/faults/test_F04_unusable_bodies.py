"""Answers with status 200 that nobody can use: cut off, no JSON, of 200 MB, or a bomb."""

from __future__ import annotations

import pytest

from e2e.faults.proxy import Fault
from e2e.faults.proxy.client import INSTANT, PROMETHEUS
from e2e.faults.team import FOUR_PODS_RPS, ONE_POD_RPS, Team
from e2e.scenarios.service import Service

# Four queries at once, of 16 MiB each that are read at most, and what Python makes of them.
MEMORY_MIB = 200.0
HUGE = 200 * 2**20


@pytest.mark.parametrize(
    ("fault", "how", "reason"),
    [
        (Fault.TRUNCATE, {"bytes": 40}, "PrometheusUnreachable"),
        (Fault.ANSWER, {"status": 200, "text": "<html>It works!</html>"}, "PrometheusMalformed"),
        (Fault.ANSWER, {"status": 200, "text": "[" * 100_000}, "PrometheusMalformed"),
        (Fault.HUGE, {"bytes": HUGE}, "PrometheusTooLarge"),
        (Fault.BOMB, {"bytes": HUGE}, "PrometheusTooLarge"),
    ],
    ids=["truncated", "html", "deep", "huge", "bomb"],
)
def test_is_no_answer_and_memory_stays_flat(
    steady: tuple[Team, Service], fault: Fault, how: dict[str, object], reason: str
) -> None:
    team, service = steady
    before = team.stand.operator.memory_mib
    with team.stand.proxy.hurting(PROMETHEUS, fault, path=INSTANT, **how), team.in_the_dark(service):
        team.until_told(service, "MetricsAvailable", "False", reason, within_seconds=25)
        team.behave(service.name, rate_rps=ONE_POD_RPS)
        team.stand.operator.until_ticks(3)
        assert service.replicas() == 4
        team.behave(service.name, rate_rps=FOUR_PODS_RPS)
    assert team.stand.operator.memory_mib - before < MEMORY_MIB
    team.settle(service)
