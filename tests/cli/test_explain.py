"""`explain`: the record of a decision in sentences, now and then; what is not kept is said to be so."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from foretide.api.status import MAX_DECISIONS
from foretide.cli import bounds
from foretide.cli.exits import Exit
from foretide.scaling.decision import Bound
from tests.cli import examples
from tests.cli.conftest import CommandLine
from tests.cli.server import ApiServer
from tests.control import objects


def decision(minutes_ago: float, to: int, **changes: Any) -> dict[str, Any]:
    time = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    entry = {"time": f"{time:%Y-%m-%dT%H:%M:%SZ}", "from": to - 1, "to": to, "demand": "30", "hpa": 2}
    return {**entry, "bound": "Reactive", "reason": "ScaledUp", "text": f"to {to}", **changes}


def test_inputs_candidates_bound_and_counterfactual(cluster: ApiServer, run: CommandLine) -> None:
    cluster.services(examples.service())
    ended = run("explain", "ranker")
    assert ended.code == Exit.OK
    said = " ".join(ended.out.split())
    assert "shop/ranker has 4 replicas: 2 -> 4, decided 8m ago" in said
    assert "load 18 items/s asked" in said
    assert "34 items/s, the 0.99 quantile of the most within 42s" in said
    assert "a replica 10 items/s within 100ms for 99 %" in said
    assert "for the load 2 for the forecast 4" in said
    assert "decided 4, by Forecast: the load that was foreseen" in said
    assert "HPA instead 2 at 70 % utilization" in said
    assert "2 -> 4: 18.0 items/s asked, 34.0 foreseen in 42s (p99)" in said
    assert "ScaledUp: Replicas were added." in said


@pytest.mark.parametrize(
    ("at", "to", "word"), [("3m", 7, "still in force"), ("12m", 6, "replaced since"), ("25m", 5, "")]
)
def test_at_finds_the_decision_that_was_in_force(
    cluster: ApiServer, run: CommandLine, at: str, to: int, word: str
) -> None:
    kept = [decision(30.0, 5), decision(20.0, 6), decision(10.0, 7)]
    cluster.services(examples.service(status={"decisions": kept}))
    ended = run("explain", "ranker", "--at", at)
    assert f"to {to}\n" in ended.out
    assert word in ended.out
    found = json.loads(run("explain", "ranker", "--at", at, "-o", "json").out)
    assert (found["decision"]["to"], found["inForce"]) == (to, to == 7)


def test_what_is_older_than_status_is_not_guessed(cluster: ApiServer, run: CommandLine) -> None:
    cluster.services(examples.service(status={"decisions": [decision(10.0, 7)]}))
    assert "there was none before it" in run("explain", "ranker", "--at", "2h").out
    many = [decision(60.0 - n, 2 + n) for n in range(MAX_DECISIONS)]
    cluster.services(examples.service(status={"decisions": many}))
    said = run("explain", "ranker", "--at", "2h").out
    assert "status keeps the last 10" in said
    assert "log" in said
    assert json.loads(run("explain", "ranker", "--at", "2h", "-o", "json").out)["decision"] is None


def test_a_service_without_decisions_and_one_that_is_paused(cluster: ApiServer, run: CommandLine) -> None:
    cluster.services(objects.service("new"))
    assert "has no decision to explain" in run("explain", "new").out
    paused = {"type": "ScalingActive", "status": "False", "reason": "ScalingPaused", "message": "spec says so"}
    cluster.services(
        examples.service(status={"conditions": [paused | {"lastTransitionTime": objects.SINCE}]}),
    )
    assert "ScalingPaused" in run("explain", "ranker").out
    assert "ScalingPaused" not in run("explain", "ranker", "--at", "1h").out.partition("Now")[2]


@pytest.mark.parametrize(
    ("at", "says"), [("noon", "neither a time nor a duration"), ("2199-01-01", "is in the future")]
)
def test_a_time_that_is_none(cluster: ApiServer, run: CommandLine, at: str, says: str) -> None:
    ended = run("explain", "ranker", "--at", at)
    assert (ended.code, ended.out) == (Exit.MISTAKE, "")
    assert says in ended.err


def test_every_bound_is_said_in_words() -> None:
    assert set(bounds.MEANINGS) == {bound.label for bound in Bound}
    assert bounds.meaning("OfTomorrow") == "OfTomorrow"
