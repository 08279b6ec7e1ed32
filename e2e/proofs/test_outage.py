"""Half an hour without Prometheus and without the pods' own metrics: nothing shrinks, and coming back is no step."""

from __future__ import annotations

import time
from typing import Final

import numpy as np

from e2e.proofs import loads
from e2e.scenarios import prometheus
from e2e.scenarios.api import Api
from e2e.scenarios.conditions import condition, holds
from e2e.scenarios.measured import Measured
from e2e.scenarios.operator import Operator
from e2e.scenarios.tenant import Tenant
from e2e.scenarios.traffic import Traffic, none_failed
from foretide.adapters.resources import DEPLOYMENT
from foretide.serving.naming import METRICS_PORT

BEFORE_SECONDS: Final = 300.0
OUTAGE_SECONDS: Final = 1_800.0
AFTER_SECONDS: Final = 300.0
# Until half of the last five minutes are known again no forecast decides: what changes by then is a step of the return.
# Later ones are decisions like any other: with 18 requests/s five replicas are foreseen to be needed, or six.
IGNORANT_SECONDS: Final = 150.0
RATE_RPS: Final = 18.0
LOW_RPS: Final = 2.0


def test_half_an_hour_of_no_metrics_at_all(tenant: Tenant, api: Api, operator: Operator, measured: Measured) -> None:
    """The bait: for a quarter of an hour one replica would do, which nobody can know."""
    service = tenant.serve("blind", loads.spec(minReplicas=1, maxReplicas=8))
    service.until_ready(replicas=1)
    service.until_answers()
    low, high = BEFORE_SECONDS + 300.0, BEFORE_SECONDS + 1_200.0
    end = BEFORE_SECONDS + OUTAGE_SECONDS + AFTER_SECONDS + 120.0
    rates = [(0.0, LOW_RPS), (60.0, RATE_RPS), (low, RATE_RPS), (low + 30, LOW_RPS), (high, LOW_RPS)]
    profile = loads.through([*rates, (high + 30, RATE_RPS), (end, RATE_RPS)])
    with tenant.record(DEPLOYMENT) as recording, Traffic(service.following(profile)) as load:
        time.sleep(BEFORE_SECONDS)  # the load has a past, and the fleet has found its size
        assert service.replicas() >= 3, service.story()
        with operator.deaf_to(METRICS_PORT):
            with prometheus.away(api):
                gone = time.monotonic()
                service.until(
                    "the outage is told",
                    lambda live: holds(live, "MetricsAvailable", "False") and holds(live, "ScalingActive", "False"),
                    within_seconds=4 * loads.TICK_SECONDS,
                )
                told_seconds = time.monotonic() - gone
                at_outage = service.replicas()
                time.sleep(OUTAGE_SECONDS - told_seconds)
                told = condition(service.live(), "ScalingActive")
                assert (told["status"], told["reason"]) == ("False", "MetricsUnavailable"), told
            back = time.monotonic()
        time.sleep(AFTER_SECONDS)
        known = holds(service.live(), "MetricsAvailable", "True", "MetricsComplete")
        result = load.end()

    sizes = [(state.at_seconds, int(state.obj["spec"]["replicas"])) for state in recording.of(service.deployment_name)]
    blind = [replicas for at, replicas in sizes if gone + loads.TICK_SECONDS <= at < back]
    after = [(at - back, replicas) for at, replicas in sizes if at >= back]
    lost = at_outage - min([at_outage, *blind])
    step = max((abs(replicas - at_outage) for since, replicas in after if since < IGNORANT_SECONDS), default=0)
    largest = max(np.abs(np.diff([at_outage, *(replicas for _, replicas in after)])), default=0)
    print("after the return:", *(f"{replicas} replicas at {since:.0f} s" for since, replicas in after), sep="\n")
    measured.add("replicas lost in half an hour without metrics", str(lost), bar="0")
    measured.add(
        "Prometheus and pods silent -> conditions set",
        f"{told_seconds:.1f} s",
        bar=f"<= 2 ticks = {2 * loads.TICK_SECONDS:g} s",
    )
    measured.add("step on its return, before a forecast decides", f"{step} of {at_outage} replicas", bar="0")
    measured.add("largest change within 5 min of its return", f"{largest} of {at_outage} replicas", bar="<= 1")
    assert known, "the load is known again"
    none_failed(result.where(result.planned_at >= BEFORE_SECONDS), "from the outage on", at_least=10_000)
    assert lost == 0
    assert told_seconds <= 2 * loads.TICK_SECONDS
    assert step == 0
    assert largest <= 1
