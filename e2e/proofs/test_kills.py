"""Half an hour of kills under load: each successor knows what to do at once, and no decision is lost or told twice."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import ExitStack
from itertools import pairwise
from typing import Any, Final

from e2e.load import Profile
from e2e.proofs import loads
from e2e.scenarios.measured import Measured
from e2e.scenarios.operator import TICKS, Operator
from e2e.scenarios.recording import Recording
from e2e.scenarios.service import Service
from e2e.scenarios.tenant import Tenant
from e2e.scenarios.traffic import Traffic
from e2e.scenarios.waiting import until
from foretide.adapters.resources import DEPLOYMENT, INFERENCE_SERVICE

SECONDS: Final = 1_800
# When the operator is killed, and one more service rises to stay there.
KILLS: Final = (360, 720, 1_080, 1_440)
# So long after it the step is whole, before a successor can have the Lease.
RISE_SECONDS: Final = 10
LOW_RPS, HIGH_RPS = 5.0, 30.0
# What keeps the SLO at the high rate: 30/s by eight a replica.
ENOUGH: Final = 4
MOST: Final = 6
# Of another service, which rises and falls all the time.
WAVE: Final = ((0, 4.0), (90, 4.0), (180, 28.0), (240, 28.0), (300, 4.0))
WAVE_SECONDS: Final = 450


def test_successors_decide_within_two_ticks_and_lose_no_decision(
    tenant: Tenant, operator: Operator, measured: Measured
) -> None:
    """Kills without a warning; the log of a process is read to its last line."""
    steps = [tenant.serve(f"step-{row}", loads.spec(minReplicas=1, maxReplicas=MOST)) for row in range(len(KILLS))]
    services = [tenant.serve("wave", loads.spec(minReplicas=1, maxReplicas=MOST)), *steps]
    for service in services:
        service.until_ready(replicas=1)
        service.until_answers()
    ticks: list[float] = []
    with (
        tenant.record(DEPLOYMENT) as deployments,
        tenant.record(INFERENCE_SERVICE) as statuses,
        ExitStack() as stack,
    ):
        for seed, (service, profile) in enumerate(zip(services, [waves(), *map(step, KILLS)], strict=True)):
            stack.enter_context(Traffic(service.following(profile, seed=seed)))
        start = time.monotonic()
        for service, kill in zip(steps, KILLS, strict=True):
            time.sleep(max(start + kill - time.monotonic(), 0.0))
            assert service.replicas() < ENOUGH, "the step would show nothing"
            operator.crash()
            leader = operator.until_leading()
            until_enough(service)
            ticks.append(operator.metrics(leader)[TICKS])
        time.sleep(max(start + SECONDS - time.monotonic(), 0.0))
    operator.keep_logs()

    shrunk = [service.name for service in steps if falls(deployments, service)]
    ledger = [Ledger.of(service, deployments, statuses, operator) for service in services]
    told = ", ".join(f"{count:.0f}" for count in ticks)
    made, lost = sum(len(each.changes) for each in ledger), sum(len(each.unexplained) for each in ledger)
    unlike = sum(len(each.unlike) for each in ledger)
    measured.add("ticks of a successor until its decision is right, load stepping at the kill", told, bar="<= 2")
    measured.add("services that shrank through ignorance over four kills", str(len(shrunk)), bar="0")
    measured.add(f"of {made} changes of replicas in 30 min without a decision in status", str(lost), bar="0")
    measured.add("decisions that only the status has, or only the log", str(unlike), bar="0")
    assert max(ticks) <= 2
    assert not shrunk
    assert made >= SECONDS // WAVE_SECONDS + len(steps)
    for each in ledger:
        assert not each.unexplained, each
        assert not each.unlike, each


def step(at: int) -> Profile:
    """Low until then, high from then on."""
    return loads.through([(0.0, LOW_RPS), (at, LOW_RPS), (at + RISE_SECONDS, HIGH_RPS), (SECONDS, HIGH_RPS)])


def waves() -> Profile:
    """One after the other."""
    starts = range(0, SECONDS, WAVE_SECONDS)
    return loads.through([*((start + second, rate) for start in starts for second, rate in WAVE), (SECONDS, LOW_RPS)])


def until_enough(service: Service) -> None:
    """Waits for the replicas that keep the SLO."""
    until(
        f"{service.name} is given {ENOUGH} replicas",
        lambda: service.replicas() >= ENOUGH,
        within_seconds=60,
        shows=service.story,
    )


def falls(deployments: Recording, service: Service) -> bool:
    """Whether a service was made smaller before it had what it needs."""
    sizes = deployments.numbers(service.deployment_name, "spec", "replicas")
    until_there = sizes[: next(place for place, size in enumerate(sizes) if size >= ENOUGH)]
    return until_there != sorted(until_there)


class Ledger:
    """What was done to one service, and what was told of it."""

    def __init__(self, changes: list[tuple[int, int]], status: list[Any], log: list[Any]) -> None:
        told = [(each["from"], each["to"]) for each in status]
        self.changes = changes
        self.unexplained = [] if told == changes else [change for change in changes if change not in told] or changes
        self.unlike = [each for each in status if each not in log] + [each for each in log if each not in status]

    def __repr__(self) -> str:
        return f"changes {self.changes}; without a decision {self.unexplained}; told differently {self.unlike}"

    @classmethod
    def of(cls, service: Service, deployments: Recording, statuses: Recording, operator: Operator) -> Ledger:
        """From the Deployment, all states of the status, and the logs of all processes."""
        status: list[Mapping[str, Any]] = []
        for state in statuses.of(service.name):
            status += [each for each in state.obj.get("status", {}).get("decisions", ()) if each not in status]
        lines = [line for log in operator.logs.values() for line in log.splitlines() if '"decision"' in line]
        mine = [entry for entry in map(json.loads, lines) if entry["service"] == f"{service.namespace}/{service.name}"]
        sizes = deployments.numbers(service.deployment_name, "spec", "replicas")
        return cls(list(pairwise(sizes)), status, [entry["decision"] for entry in mine])
