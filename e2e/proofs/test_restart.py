"""The operator is killed under load, and the load rises at that moment: its successor knows what to do at once."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Final

from e2e.proofs import loads
from e2e.scenarios.measured import Measured
from e2e.scenarios.operator import TICKS, Operator
from e2e.scenarios.service import Service
from e2e.scenarios.tenant import Tenant
from e2e.scenarios.traffic import Traffic
from e2e.scenarios.waiting import until
from foretide.adapters.resources import DEPLOYMENT

STEPS: Final = 4
CALM_SECONDS: Final = 150.0
# So long after the kill the step is whole in the window of rates, and the successor has the Lease.
RISE_SECONDS: Final = 10.0
LOW_RPS, HIGH_RPS = 5.0, 30.0
# What keeps the SLO at the high rate: 30/s by eight a replica.
ENOUGH: Final = 4


def test_a_successor_decides_rightly_within_two_ticks_and_shrinks_nothing(
    tenant: Tenant, operator: Operator, measured: Measured
) -> None:
    """Four services, four kills; one of them rises with each, and all others stay as they are."""
    services = [tenant.serve(f"step-{row}", loads.spec(minReplicas=1, maxReplicas=8)) for row in range(STEPS)]
    for service in services:
        service.until_ready(replicas=1)
        service.until_answers()
    # Two minutes for a kill, a new leader and its answer.
    rises = [CALM_SECONDS + 120.0 * row for row in range(STEPS)]
    end = rises[-1] + 120.0
    ticks: list[float] = []
    with tenant.record(DEPLOYMENT) as recording, ExitStack() as stack:
        for row, (service, rise) in enumerate(zip(services, rises, strict=True)):
            points = [(0.0, LOW_RPS), (rise, LOW_RPS), (rise + RISE_SECONDS, HIGH_RPS), (end, HIGH_RPS)]
            stack.enter_context(Traffic(service.following(loads.through(points), seed=row)))
        start = time.monotonic()
        for row, (service, rise) in enumerate(zip(services, rises, strict=True)):
            time.sleep(max(start + rise - time.monotonic(), 0.0))
            before = service.replicas()
            assert before < ENOUGH, "the step would show nothing"
            (operator.kill if row % 2 else operator.crash)()
            leader = operator.until_leading()
            until_enough(service)
            ticks.append(operator.metrics(leader)[TICKS])

    shrunk = {
        service.name: sizes
        for service in services
        if (sizes := recording.numbers(service.deployment_name, "spec", "replicas")) != sorted(sizes)
    }
    told = ", ".join(f"{count:.0f}" for count in ticks)
    measured.add("ticks of a successor until its decision is right, load stepping at the kill", told, bar="<= 2")
    measured.add("services that shrank over four kills", str(len(shrunk)), bar="0")
    assert not shrunk
    assert max(ticks) <= 2


def until_enough(service: Service) -> None:
    """Waits for the replicas that keep the SLO."""
    until(
        f"{service.name} is given {ENOUGH} replicas",
        lambda: service.replicas() >= ENOUGH,
        within_seconds=60,
        shows=service.story,
    )
