"""Prometheus dies: the load is read from the pods, and nothing shrinks until Prometheus tells all of it again."""

from __future__ import annotations

import time

from e2e.scenarios import prometheus, sleeper
from e2e.scenarios.api import Api
from e2e.scenarios.conditions import condition, holds
from e2e.scenarios.measured import Measured
from e2e.scenarios.operator import Operator
from e2e.scenarios.settings import HOLD_SECONDS, RATE_WINDOW_SECONDS, TICK_SECONDS
from e2e.scenarios.tenant import Tenant
from e2e.scenarios.traffic import Traffic, none_failed
from foretide.adapters.resources import DEPLOYMENT

QUERY_SECONDS = 8.0  # the longest that one query may take
REPLICAS = 3


def test_without_prometheus_nothing_shrinks_and_with_it_all_goes_on(
    tenant: Tenant, api: Api, operator: Operator, measured: Measured
) -> None:
    """The bait: minReplicas falls to 1 while a load of one replica's worth runs on three. With Prometheus it would
    shrink at once, since no more than one was needed within the hold; without it, it must not."""
    service = tenant.serve("ranker", sleeper.spec(minReplicas=REPLICAS, maxReplicas=4))
    service.until_ready(replicas=REPLICAS)
    service.until_answers()
    service.until("the load is known", lambda live: holds(live, "MetricsAvailable", "True", "MetricsComplete"))

    with tenant.record(DEPLOYMENT) as recording, Traffic(service.load(30.0, seconds=300)) as load:
        with prometheus.away(api):
            gone = time.monotonic()
            live = service.until(
                "the outage is told",
                lambda live: str(condition(live, "MetricsAvailable").get("reason", "")).startswith("Prometheus"),
                within_seconds=2 * (TICK_SECONDS + QUERY_SECONDS),
            )
            seconds = time.monotonic() - gone
            measured.add(
                "Prometheus killed -> condition set",
                f"{seconds:.1f} s",
                bar=f"<= {2 * TICK_SECONDS + QUERY_SECONDS:g} s",
            )
            assert seconds <= 2 * TICK_SECONDS + QUERY_SECONDS
            assert holds(live, "MetricsAvailable", "False")
            service.until(
                "the load is read from the pods",
                lambda live: (
                    holds(live, "ScalingActive", "True")
                    and str(condition(live, "MetricsAvailable").get("message", "")).endswith(
                        f"the load is read from the pods directly ({REPLICAS} of {REPLICAS})"
                    )
                ),
                within_seconds=2 * (TICK_SECONDS + QUERY_SECONDS),
            )

            service.change(scaling={"minReplicas": 1})
            operator.until_ticks(5)
            assert operator.metric(operator.lease_holder(), "foretide_metrics_available") == 0
            assert service.replicas() == REPLICAS
            assert holds(service.live(), "Ready"), "the service itself is as well as before"
        back = time.monotonic()
        service.until(
            "the load is known again", lambda live: holds(live, "MetricsAvailable", "True", "MetricsComplete")
        )
        assert holds(service.live(), "ScalingActive")
        # Its first scrapes, and then a window of them for every pod.
        service.until_replicas(1, within_seconds=4 * RATE_WINDOW_SECONDS + 6 * HOLD_SECONDS)
        none_failed(load.end(), "while Prometheus was away and came back", at_least=500)
    sizes = [(state.at_seconds, int(state.obj["spec"]["replicas"])) for state in recording.of(service.deployment_name)]
    first_shrink = next(at for at, replicas in sizes if replicas < REPLICAS)
    assert first_shrink - back >= HOLD_SECONDS / 2, f"shrank {first_shrink - back:.1f} s after Prometheus came back"
