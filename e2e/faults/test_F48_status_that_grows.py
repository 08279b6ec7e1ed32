"""A status is bounded: by the schema for everybody, and by the operator for itself, whatever it finds there."""

from __future__ import annotations

import json
from typing import Any

import pytest

from e2e.faults.team import FOUR_PODS_RPS, ONE_POD_RPS, Team
from e2e.faults.test_F52_one_of_many_is_poisoned import garbage, rebuilt
from e2e.scenarios.api import ApiRefused
from e2e.scenarios.service import Service
from foretide.adapters.resources import INFERENCE_SERVICE
from foretide.api.status import MAX_DECISIONS, MAX_MEMORY_BYTES

pytestmark = pytest.mark.slow_fault

# A decision is half a kilobyte, the memory at most four, a condition a quarter.
MOST_BYTES = 16_384
WAVES = 3


def say(team: Team, service: Service, status: dict[str, Any]) -> None:
    change = {"status": status}
    team.stand.api.patch(INFERENCE_SERVICE, service.name, change, namespace=team.namespace, subresource="status")


def size(service: Service) -> int:
    return len(json.dumps(service.live()["status"]))


@pytest.mark.parametrize("field", ["memory", "decisions", "conditions", "hardware"])
def test_an_enormous_status_is_refused_to_everybody(steady: tuple[Team, Service], field: str) -> None:
    team, service = steady
    entries = [{"at": number, "peak": 4} for number in range(10_000)]
    lists = {name: found * 100 for name, found in garbage().items() if isinstance(found, list)}
    with pytest.raises(ApiRefused, match=f"status.{field}: Too (long|many)"):
        say(team, service, {field: json.dumps(entries) if field == "memory" else lists[field]})
    team.check()


def test_the_largest_that_is_admitted_is_made_small_again(steady: tuple[Team, Service]) -> None:
    team, service = steady
    whole = garbage()
    conditions = [{**one, "message": "x" * 4_096} for one in whole["conditions"]]
    decisions = [{**one, "text": "{}[]%s" * 170} for one in whole["decisions"][:1]] * MAX_DECISIONS
    say(team, service, {**whole, "memory": "[" * MAX_MEMORY_BYTES, "conditions": conditions, "decisions": decisions})
    assert size(service) > 2 * MOST_BYTES
    rebuilt(service)
    assert size(service) < MOST_BYTES
    team.settle(service)


def test_it_does_not_grow_with_what_happens(team: Team) -> None:
    """dot-ai-controller#42: a status of 3 MB that nobody could write any more."""
    service = team.serve("ranker", rate_rps=ONE_POD_RPS)
    sizes = []
    for _ in range(WAVES):
        team.behave(service.name, rate_rps=FOUR_PODS_RPS)
        team.until_four(service)
        team.behave(service.name, rate_rps=ONE_POD_RPS)
        service.until("it shrinks", lambda _: service.replicas() <= 2, within_seconds=90)
        sizes.append(size(service))
    assert len(service.live()["status"]["decisions"]) == MAX_DECISIONS
    assert max(sizes) < MOST_BYTES
    team.settle(service)
