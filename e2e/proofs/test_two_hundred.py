"""Two hundred services on one machine's Prometheus: what a tick takes, asks and needs."""

from __future__ import annotations

import time
from typing import Final

from bench.operator_footprint import measure
from e2e.proofs import loads
from e2e.scenarios.api import Api
from e2e.scenarios.measured import Measured
from e2e.scenarios.operator import TICKS, Operator
from e2e.scenarios.tenant import Tenant

SERVICES: Final = 200
# So many at once: each Triton takes two seconds of a processor to start.
AT_ONCE: Final = 20
WATCHED_SECONDS: Final = 300.0
TICK_SECONDS_SUM: Final = TICKS.replace("_count", "_sum")


def test_a_tick_for_two_hundred_services(tenant: Tenant, api: Api, operator: Operator, measured: Measured) -> None:
    """Each has a Triton of its own, and Prometheus its series."""
    for first in range(0, SERVICES, AT_ONCE):
        batch = [tenant.serve(f"one-of-{row}", loads.spec()) for row in range(first, first + AT_ONCE)]
        for service in batch:
            service.until_ready(within_seconds=300)
        print(f"{first + AT_ONCE} services ready")
    operator.until_metric("foretide_services", lambda known: known >= SERVICES, within_seconds=60)
    time.sleep(120)  # what so many starts have left over

    leader = operator.until_leading()
    before = operator.metrics(leader)
    found = measure(api, operator, seconds=WATCHED_SECONDS)
    after = operator.metrics(leader)
    ticks = after[TICKS] - before[TICKS]
    seconds = (after[TICK_SECONDS_SUM] - before[TICK_SECONDS_SUM]) / ticks
    measured.add(f"a tick for {found.services} services, mean of {ticks:.0f}", f"{seconds:.3f} s", bar="<= 0.5 s")
    measured.add("PromQL queries of it", f"{found.queries_per_tick:g}", bar="<= 12")
    measured.add("the operator's memory", f"{found.resident_mib:.0f} MiB", bar="<= 300 MiB")
    assert found.services >= SERVICES
    assert seconds <= 0.5
    assert found.queries_per_tick <= 12
    assert found.resident_mib <= 300
