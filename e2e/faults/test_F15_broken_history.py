"""Histories with holes, with doubles, and of shapes that models do not like."""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import partial
from itertools import chain
from pathlib import Path

import pytest

from e2e.faults import past
from e2e.faults.team import FOUR_PODS_RPS, Team
from e2e.scenarios.conditions import condition
from e2e.scenarios.loopback import Sample
from e2e.scenarios.service import Service
from e2e.scenarios.waiting import until

pytestmark = pytest.mark.slow_fault

DAYS = 2.0


def holed(at: float) -> float | None:
    """Six minutes of ten are missing, and one whole day of two."""
    chance = random.Random(int(at))
    return None if chance.random() < 0.6 or at % (2 * past.DAY_SECONDS) < past.DAY_SECONDS else FOUR_PODS_RPS


# A step, a spike and a point are at times that every run has.
F16: Mapping[str, past.Load] = {
    "constant": lambda _: FOUR_PODS_RPS,
    "zero": lambda _: 0.0,
    "step": lambda at: 1.0 if at % past.DAY_SECONDS < past.DAY_SECONDS / 2 else 3 * FOUR_PODS_RPS,
    "spike": lambda at: 1e6 if at % past.DAY_SECONDS < 60 else 1.0,
    "point": lambda at: FOUR_PODS_RPS if at % (7 * past.DAY_SECONDS) < 120 else None,
}


def test_F15_gaps_stay_gaps_and_two_tellers_are_one(team: Team, tmp_path: Path) -> None:
    found = [*past.samples(team.namespace, "ranker", holed, days=DAYS)]
    twice = [Sample(one.name, {**one.labels, "way": "annotations"}, one.value, one.at_seconds) for one in found]
    past.give(team.stand, tmp_path, _by_metric([*found, *twice]), days=DAYS)
    service = team.serve(foresees=True, rate_rps=FOUR_PODS_RPS)
    team.until_four(service)
    team.stays("the load decides", lambda: 4 <= service.replicas() <= 5, seconds=15)
    assert condition(service.live(), "ForecastHealthy")["reason"] != "ForecastMissed"
    team.settle(service)


def test_F16_no_shape_of_history_hurts(team: Team, tmp_path: Path) -> None:
    found = chain.from_iterable(past.samples(team.namespace, name, load, days=DAYS) for name, load in F16.items())
    past.give(team.stand, tmp_path, _by_metric([*found]), days=DAYS)
    services = [team.serve(name, foresees=True, rate_rps=FOUR_PODS_RPS, maxReplicas=10) for name in F16]
    past.until_read(team.stand)
    for service in services:
        until("the load of now is served", partial(_has_four, service), within_seconds=60, shows=service.story)
    team.stand.operator.until_ticks(5)
    for service in services:
        assert 4 <= service.replicas() <= 10, service.story()
    team.settle(*services)


def _has_four(service: Service) -> bool:
    return service.replicas() >= 4


def _by_metric(found: list[Sample]) -> list[Sample]:
    """As OpenMetrics wants them: a metric after the other, and each series in one piece."""
    return sorted(found, key=lambda one: (one.name, sorted(one.labels.items()), one.at_seconds))
