"""A third of what the API server answers are errors, or come too late; who is hit is drawn by chance, from a seed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest

from e2e.faults.proxy import Fault
from e2e.faults.proxy.client import KUBERNETES
from e2e.faults.team import FOUR_PODS_RPS, ONE_POD_RPS, Team
from foretide.adapters.kubernetes import REQUEST_TIMEOUT_SECONDS

pytestmark = pytest.mark.slow_fault

# Each of what the one before has left, a third altogether. Lost Leases are F51.
ELSEWHERE: Final = "(?!.*/leases).*"
ERRORS: Final[tuple[tuple[Fault, float, dict[str, Any]], ...]] = (
    (Fault.ANSWER, 0.12, {"status": 429, "headers": {"Retry-After": "1"}}),
    (Fault.ANSWER, 0.11, {"status": 500}),
    (Fault.DELAY, 0.13, {"seconds": REQUEST_TIMEOUT_SECONDS + 2.0}),
)
# Two services that are made, scaled and rolled out ask some 100 times where all goes well; and twice a second for the
# Lease and the watches.
MOST_REQUESTS: Final = 300
MOST_REQUESTS_PER_SECOND: Final = 4.0


@contextmanager
def failing(team: Team, seed: int) -> Iterator[None]:
    """A third of all answers inside `with`."""
    for place, (fault, share, how) in enumerate(ERRORS):
        team.stand.proxy.hurt(KUBERNETES, fault, path=ELSEWHERE, share=share, seed=seed + place, **how)
    try:
        yield
    finally:
        team.stand.proxy.heal()


@pytest.mark.parametrize("seed", [1, 2])
def test_it_converges_and_does_not_ask_without_end(team: Team, seed: int) -> None:
    proxy = team.stand.proxy
    asked, began = proxy.requests(KUBERNETES), time.monotonic()
    with failing(team, seed):
        services = [team.serve(name, rate_rps=FOUR_PODS_RPS) for name in ("ranker", "reader")]
        for service in services:
            service.until_replicas(4, within_seconds=120)
        services[0].change(model={"version": "2"})
        services[0].until_ready(replicas=4, within_seconds=120)
        team.behave("reader", rate_rps=ONE_POD_RPS)
        services[1].until_replicas(1, within_seconds=120)
        hurt, asked = proxy.hurt_so_far(KUBERNETES), proxy.requests(KUBERNETES) - asked
        seconds = time.monotonic() - began
    print(f"{hurt} of {asked} answers were errors in {seconds:.0f} s")
    assert hurt >= 15, f"{hurt} of {asked} were hurt"
    assert asked <= MOST_REQUESTS + MOST_REQUESTS_PER_SECOND * seconds, f"asked {asked} times in {seconds:.0f} s"
    team.settle(*services)


def test_one_that_starts_meanwhile_converges_too(team: Team) -> None:
    """Its first lists fail, and it is started anew until they do not."""
    operator, service = team.stand.operator, team.serve_four()
    with team.in_the_dark(service), failing(team, seed=3):
        operator.crash()
    team.behave(service.name, rate_rps=ONE_POD_RPS)
    service.until_replicas(1, within_seconds=120)
    team.settle(service)
