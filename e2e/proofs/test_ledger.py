"""Half an hour of decisions over kills of the operator: status, log and Deployment tell the same."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Final

from e2e.proofs import loads
from e2e.scenarios.measured import Measured
from e2e.scenarios.operator import Operator
from e2e.scenarios.service import Service
from e2e.scenarios.tenant import Tenant
from e2e.scenarios.traffic import Traffic
from e2e.scenarios.waiting import until
from foretide.adapters.resources import DEPLOYMENT, INFERENCE_SERVICE

SECONDS: Final = 1_800.0
WAVE_SECONDS: Final = 450.0
LOW_RPS, HIGH_RPS = 4.0, 28.0
KILLS: Final = (300.0, 750.0, 1_200.0)


def test_no_decision_is_lost_and_each_is_told_alike(tenant: Tenant, operator: Operator, measured: Measured) -> None:
    """Each kill comes right behind a change of replicas, when the most is under way."""
    service = tenant.serve("ledger", loads.spec(minReplicas=1, maxReplicas=8))
    service.until_ready(replicas=1)
    service.until_answers()
    waves = int(SECONDS / WAVE_SECONDS)
    points = [
        (number * WAVE_SECONDS + second, rate)
        for number in range(waves)
        for second, rate in ((0.0, LOW_RPS), (90.0, LOW_RPS), (180.0, HIGH_RPS), (240.0, HIGH_RPS), (300.0, LOW_RPS))
    ]
    profile = loads.through([*points, (SECONDS, LOW_RPS)])
    with (
        tenant.record(DEPLOYMENT) as deployments,
        tenant.record(INFERENCE_SERVICE) as services,
        Traffic(service.following(profile)),
    ):
        start = time.monotonic()
        for kill in KILLS:
            time.sleep(max(start + kill - time.monotonic(), 0.0))
            until_changed(service)
            operator.crash()
            operator.until_leading()
        time.sleep(max(start + SECONDS - time.monotonic(), 0.0))
    operator.keep_logs()

    status: list[Mapping[str, Any]] = []
    for state in services.of(service.name):
        status += [each for each in state.obj.get("status", {}).get("decisions", ()) if each not in status]
    logged = in_log(operator, f"{tenant.namespace}/{service.name}")
    changes = deployments.numbers(service.deployment_name, "spec", "replicas")
    made = list(pairwise(changes))
    told = [(each["from"], each["to"]) for each in status]
    only_status = [each for each in status if each not in logged]
    only_log = [each for each in logged if each not in status]
    unexplained = [change for change in made if change not in told]
    measured.add(f"decisions in status over 30 min, {len(KILLS)} kills", str(len(status)), bar="some")
    measured.add(
        "of them not in the log; in the log and not in status", f"{len(only_status)}; {len(only_log)}", bar="0; 0"
    )
    measured.add(f"of {len(made)} changes of replicas without a decision", str(len(unexplained)), bar="0")
    assert len(made) >= waves, changes
    assert not only_status
    assert not only_log
    assert told == made, "the decisions, in their order, are the changes"


def until_changed(service: Service) -> None:
    """Waits for the next change of replicas."""
    before = service.replicas()
    until("replicas change", lambda: service.replicas() != before, within_seconds=WAVE_SECONDS, every_seconds=0.05)


def in_log(operator: Operator, service: str) -> list[Mapping[str, Any]]:
    """The decisions of a service that the operator's pods have logged."""
    lines = (json.loads(line) for log in operator.logs.values() for line in log.splitlines() if '"decision"' in line)
    return [line["decision"] for line in lines if line["service"] == service]
