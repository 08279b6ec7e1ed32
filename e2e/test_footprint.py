"""The operator costs little, and its queries do not grow with the number of services."""

from __future__ import annotations

from bench.operator_footprint import measure
from e2e.scenarios import sleeper
from e2e.scenarios.api import Api
from e2e.scenarios.measured import Measured
from e2e.scenarios.operator import Operator
from e2e.scenarios.settings import DEFAULTS, TICK_SECONDS
from e2e.scenarios.tenant import Tenant

SERVICES = 10
MEMORY_BAR_MIB = 150.0
CPU_BAR = 0.03
# From tick to tick, every 15 s: to the first one after 40 s, which makes 45 s. One tick alone was 2.2 to 3.3 %.
WATCHED_SECONDS = 40.0
# In which the past is read: that is no rest.
TICKS_OF_START = 3
QUERIES_BAR = 12.0


def test_operator_at_rest_with_ten_services(tenant: Tenant, api: Api, operator: Operator, measured: Measured) -> None:
    tenant.serve("idle-0", sleeper.spec()).until_ready()
    with_one = measure(api, operator, seconds=3 * TICK_SECONDS)
    services = [tenant.serve(f"idle-{number}", sleeper.spec()) for number in range(SERVICES)]
    operator.install(DEFAULTS)
    for service in services:
        service.until_ready(within_seconds=120)
    operator.until_ticks(TICKS_OF_START)
    with_ten = measure(api, operator, seconds=WATCHED_SECONDS)

    measured.add(
        f"operator's memory with {with_ten.services} services",
        f"{with_ten.resident_mib:.0f} MiB",
        bar=f"<= {MEMORY_BAR_MIB:g} MiB",
    )
    measured.add(
        f"operator's idle CPU over {with_ten.seconds:.0f} s",
        f"{with_ten.core_share:.2%} of a core",
        bar=f"<= {CPU_BAR:.0%}",
    )
    measured.add(
        f"PromQL queries a tick with {with_one.services} and {with_ten.services} services",
        f"{with_one.queries_per_tick:g} and {with_ten.queries_per_tick:g}",
        bar=f"<= {QUERIES_BAR:g}",
    )
    assert SERVICES <= with_ten.services > with_one.services
    assert with_ten.resident_mib <= MEMORY_BAR_MIB
    assert with_ten.core_share <= CPU_BAR
    assert with_one.queries_per_tick == with_ten.queries_per_tick <= QUERIES_BAR
