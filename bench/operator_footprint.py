"""What the operator costs at rest: memory, processor time and queries. `python -m bench.operator_footprint --help`."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from typing import Final

from e2e.cluster import ClusterError, connect
from e2e.scenarios import prometheus, sleeper
from e2e.scenarios.api import Api
from e2e.scenarios.operator import TICKS, Operator
from e2e.scenarios.tenant import Tenant
from e2e.scenarios.waiting import until

LONGEST_TICK_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True)
class Footprint:
    """One measurement of the operator that leads, from the end of one tick to the end of another."""

    services: int
    seconds: float
    ticks: int
    resident_bytes: float
    cpu_seconds: float
    queries: float  # by Prometheus' own count, so that no query is forgotten

    @property
    def resident_mib(self) -> float:
        return self.resident_bytes / 2**20

    @property
    def core_share(self) -> float:
        """Share of one core."""
        return self.cpu_seconds / self.seconds

    @property
    def queries_per_tick(self) -> float:
        return self.queries / self.ticks

    def rows(self) -> list[tuple[str, str]]:
        """For a table."""
        return [
            ("services", str(self.services)),
            ("measured over", f"{self.seconds:.0f} s, {self.ticks} ticks"),
            ("memory (resident)", f"{self.resident_mib:.0f} MiB"),
            ("processor", f"{self.core_share:.2%} of a core"),
            ("PromQL queries a tick", f"{self.queries_per_tick:g}"),
        ]


@dataclass(frozen=True, slots=True)
class _Sample:
    at_seconds: float
    series: dict[str, float]
    queries: float


def measure(api: Api, operator: Operator, *, seconds: float) -> Footprint:
    """Watches the leading operator for at least so long; nobody else may query Prometheus meanwhile."""
    leader = operator.until_leading()
    first = _after_a_tick(api, operator, leader)
    time.sleep(seconds)  # the measurement itself: every look at the operator would be work for it
    last = _after_a_tick(api, operator, leader)
    return Footprint(
        services=int(last.series["foretide_services"]),
        seconds=last.at_seconds - first.at_seconds,
        ticks=int(last.series[TICKS] - first.series[TICKS]),
        resident_bytes=last.series["process_resident_memory_bytes"],
        cpu_seconds=last.series["process_cpu_seconds_total"] - first.series["process_cpu_seconds_total"],
        queries=last.queries - first.queries,
    )


def _after_a_tick(api: Api, operator: Operator, leader: str) -> _Sample:
    """Taken right after a tick, so that the ticks between two samples are whole ones."""
    before = operator.metrics(leader).get(TICKS)

    def probe() -> _Sample | None:
        series = operator.metrics(leader)
        if series.get(TICKS) in (None, before):
            return None
        return _Sample(time.monotonic(), series, prometheus.queries_served(api))

    return until("a tick", probe, within_seconds=LONGEST_TICK_SECONDS, every_seconds=0.5)


def main(arguments: list[str] | None = None) -> int:
    """Makes the services, measures and prints a table."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.operator_footprint",
        description="Memory, processor time and PromQL queries of the operator in the cluster that CLUSTER names, "
        "with idle services that this makes and removes. Install the operator and the class e2e-cpu beforehand.",
    )
    parser.add_argument("--services", type=int, default=10, help="services to make (default 10)")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to watch (default 60)")
    given = parser.parse_args(arguments)
    try:
        cluster = connect()
    except ClusterError as error:
        print(error, file=sys.stderr)
        return 1
    api = Api(cluster)
    tenant = Tenant.move_in(cluster, api, "footprint")
    try:
        services = [tenant.serve(f"idle-{number}", sleeper.spec()) for number in range(given.services)]
        for service in services:
            service.until_ready(within_seconds=300)
        found = measure(api, Operator(cluster, api, image="", image_key=""), seconds=given.seconds)
    finally:
        tenant.move_out()
        api.close()
    for what, value in found.rows():
        print(f"{what:<24}{value:>24}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
