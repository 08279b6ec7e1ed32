"""What a replica answers from its cache needs no replica; the same load without a cache does."""

from __future__ import annotations

from e2e.scenarios import sleeper
from e2e.scenarios.measured import Measured
from e2e.scenarios.tenant import Tenant
from e2e.scenarios.traffic import Traffic, none_failed
from e2e.scenarios.waiting import until

# Four times what one replica computes, of sixteen different requests.
MILLISECONDS = 100
RATE_RPS = 40.0
REQUESTS = 1_200


def test_hits_need_no_replica(tenant: Tenant, measured: Measured) -> None:
    spec = sleeper.spec(milliseconds=MILLISECONDS, latency="1s", minReplicas=1, maxReplicas=2)
    cached = tenant.serve("cached", {**spec, "responseCache": {"size": "4Mi"}})
    plain = tenant.serve("plain", spec)
    for service in (cached, plain):
        service.until_ready(replicas=1)
        service.until_answers()
    for index in range(sleeper.PAYLOADS):
        cached.ask(index)
    with (
        Traffic(cached.load(RATE_RPS, seconds=120)) as hits,
        Traffic(plain.load(RATE_RPS / 2, seconds=120)) as misses,
    ):
        until(
            "the service without a cache grows",
            lambda: plain.replicas() == 2,
            within_seconds=90,
            shows=plain.story,
        )
        misses.end()
        hits.until_sent(REQUESTS)
        result = hits.end()
    none_failed(result, "from the cache", at_least=REQUESTS)
    measured.add("replicas for four times the load of one, from the cache", str(cached.replicas()), bar="1")
    assert cached.replicas() == 1
    assert not cached.live()["status"].get("decisions"), "nothing was decided"
