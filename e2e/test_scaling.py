"""Load makes a service grow, its end makes it shrink, and no request is lost on the way down."""

from __future__ import annotations

from e2e.scenarios import sleeper
from e2e.scenarios.measured import Measured
from e2e.scenarios.settings import HOLD_SECONDS, RATE_WINDOW_SECONDS
from e2e.scenarios.tenant import Tenant
from e2e.scenarios.traffic import Traffic, judged, none_failed
from e2e.scenarios.waiting import until
from foretide.adapters.resources import DEPLOYMENT
from foretide.scaling.capacity.rate import MOST_UTILISED

# A request takes 5 ms of work and Triton's own time: 0.6 ms on an idle machine, 3.5 ms on a slow one. More than 200 a
# second no replica can serve, and of those the operator counts on 90 % at most; on a busy machine it counts on 50.
WORK_MILLISECONDS = 5.0
LEAST_CAPACITY_RPS, MOST_CAPACITY_RPS = 50.0, MOST_UTILISED * 1e3 / WORK_MILLISECONDS
# More than the operator counts on one replica to serve, 118 on the fastest machine so far: what waits meanwhile is
# answered before its client gives up.
PEAK_RPS = 150.0
REST_RPS = 48.0
GROWN = 2
REQUESTS = 2_000


def test_grows_with_load_and_shrinks_without_it_losing_no_request(tenant: Tenant, measured: Measured) -> None:
    service = tenant.serve(
        "ranker", sleeper.spec(milliseconds=WORK_MILLISECONDS, latency="4s", minReplicas=1, maxReplicas=3)
    )
    service.until_ready()
    service.until_answers()

    with Traffic(service.load(PEAK_RPS, seconds=120)) as peak:
        live = service.until(
            f"at least {GROWN} ready replicas",
            lambda live: live["status"].get("readyReplicas", 0) >= GROWN,
            within_seconds=60,
        )
        capacity, decision = live["status"]["capacity"], live["status"]["decisions"][-1]
        refused = judged(peak.end()).outcomes
    assert capacity["source"] == "Measured", capacity
    assert LEAST_CAPACITY_RPS <= float(capacity["perReplica"]) <= MOST_CAPACITY_RPS, capacity
    assert decision["reason"] in ("ScaledUp", "AtMaxReplicas"), decision  # a busy machine needs more than there may be
    assert "items/s asked" in decision["text"], decision
    assert "measured" in decision["text"], decision
    dropped = refused["NOT_CONNECTED"] + refused["BROKEN"] + refused["TIMED_OUT"]
    assert dropped == 0, f"an overloaded replica may refuse, but not drop: {refused}"

    # The rest of the load: enough to see every dropped connection, not enough for two replicas.
    with tenant.record(DEPLOYMENT) as recording, Traffic(service.load(REST_RPS, seconds=150, seed=2)) as rest:
        service.until_replicas(1, within_seconds=3 * RATE_WINDOW_SECONDS + 6 * HOLD_SECONDS)
        until(
            "only one pod is left",
            lambda: len(service.pods()) == 1,
            within_seconds=60,
            shows=service.story,
        )
        rest.until_sent(REQUESTS)
        result = rest.end()
    totals = judged(result)
    measured.add("requests failed by scale-in", f"{totals.failed} of {totals.requests}", bar="0 of >= 2,000")
    none_failed(result, "while the service shrank to one replica", at_least=REQUESTS)
    steps = recording.numbers(service.deployment_name, "spec", "replicas")
    assert steps == sorted(steps, reverse=True), f"shrinking went {steps}"
    last = service.live()["status"]["decisions"][-1]
    assert last["to"] == 1, last
    # Triton 2.51 has no histograms; what was late is what its summaries told.
    slo = service.live()["status"]["slo"]
    assert slo["source"] == "Summary", slo
