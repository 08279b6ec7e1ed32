"""What Prometheus has recorded: the load of now in `status`, and `explain --at` of times that status does not reach."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.adapters.prometheus_series import Series
from foretide.adapters.resources import DEPLOYMENT
from foretide.api.conditions import ConditionType
from foretide.app.condition_series import CONDITION
from foretide.app.service_series import FAMILIES
from foretide.app.service_series import MEDIAN as EXPORTED_MEDIAN
from foretide.app.service_series import PROVIDED as EXPORTED_PROVIDED
from foretide.cli import explain_recorded, recorded
from foretide.cli.exits import Exit
from foretide.cli.recorded import GAUGES, MEDIAN, PROVIDED, last_change, moment_of, now_of
from tests.cli import examples
from tests.cli.conftest import CommandLine
from tests.cli.server import ApiServer
from tests.control import objects

PROXY: Final = "/api/v1/namespaces/monitoring/services/prometheus:9090/proxy/api/v1/"
AT: Final = datetime(2026, 11, 28, 14, 5, tzinfo=UTC)
Told = dict[str, Any]
# of an hour ago: 3 became 4 ten minutes before that, when 34 items/s were foreseen
GAUGES_THEN: Final = {
    "desired_replicas": 4,
    "replicas": 4,
    "ready_replicas": 3,
    "min_replicas": 1,
    "max_replicas": 20,
    "demand_items_per_second": 18.0,
    "capacity_items_per_second": 10.0,
    "lead_time_seconds": 42.0,
    "slo_objective_ratio": 0.99,
    "slo_latency_seconds": 0.1,
    "error_budget_left_ratio": 0.62,
}


def vector(at: float, gauges: Told, *, provided: float | None = 34.0) -> list[Told]:
    labels: Told = {"namespace": "shop", "service": "ranker"}
    found: list[Told] = [
        {"metric": {**labels, "__name__": f"foretide_{name}"}, "value": [at, str(value)]}
        for name, value in gauges.items()
    ]
    if provided is not None:
        for level, value in (("provided", provided), ("median", 20.0)):
            name = "foretide_forecast_items_per_second"
            found.append({"metric": {**labels, "__name__": name, "level": level}, "value": [at, str(value)]})
    limited = {"condition": "ScalingLimited", "reason": "AtMaxReplicas"}
    return [*found, {"metric": {**labels, **limited, "__name__": "foretide_condition"}, "value": [at, "0"]}]


def success(result: list[Told]) -> Told:
    return {"status": "success", "data": {"result": result}}


@pytest.fixture
def shop(cluster: ApiServer) -> ApiServer:
    """A service whose status begins with a decision of eight minutes ago."""
    cluster.put(DEPLOYMENT, examples.operator(FORETIDE_PROMETHEUS_URL="http://prometheus.monitoring.svc:9090"))
    cluster.services(examples.service())
    return cluster


def remembers(shop: ApiServer, gauges: Told, *, changed_seconds: float | None = 600.0) -> None:
    """Prometheus has these of any moment; `changed_seconds` before it, there was a replica less."""

    def instant(query: dict[str, str]) -> Told:
        at = float(query.get("time", datetime.now(UTC).timestamp()))
        return success(vector(at, gauges))

    def ranged(query: dict[str, str]) -> Told:
        start, end, step = (float(query[name]) for name in ("start", "end", "step"))
        times = [start + step * n for n in range(math.floor((end - start) / step) + 1)]
        before = -1.0 if changed_seconds is None else end - changed_seconds
        return success([{"metric": {}, "values": [[at, "3" if at < before else "4"] for at in times]}])

    shop.proxies[f"{PROXY}query"] = instant
    shop.proxies[f"{PROXY}query_range"] = ranged


def test_the_past_beyond_status_is_told_by_prometheus(shop: ApiServer, run: CommandLine) -> None:
    remembers(shop, GAUGES_THEN)
    ended = run("explain", "ranker", "--at", "1h")
    assert ended.code == Exit.OK, ended.err
    said = " ".join(ended.out.split())
    assert "4 replicas were wanted" in said
    assert "4 wanted, 4 in the Deployment, 3 ready; bounds 1-20" in said
    assert "changed 3 -> 4 by " in said
    assert "in the 15s before" in said
    assert "load 18 items/s asked" in said
    assert "34 items/s provided for (as likely as not 20), the most within 42s" in said
    assert "10 items/s within 100ms for 99 %" in said
    assert "for the load 2 for the forecast 4 decided 4: what was foreseen asks for" in said
    assert "ScalingLimited False: AtMaxReplicas" in said
    assert "Not recorded in Prometheus: which bound won" in said
    assert shop.writes == []


def test_the_same_for_scripts(shop: ApiServer, run: CommandLine) -> None:
    remembers(shop, GAUGES_THEN)
    found = json.loads(run("explain", "ranker", "--at", "1h", "-o", "json").out)
    assert found["decision"] is None
    assert (found["recorded"]["change"]["from"], found["recorded"]["change"]["to"]) == (3, 4)
    assert found["recorded"]["then"]["itemsPerSecond"] == 18.0
    assert (found["recorded"]["whenChanged"]["forDemand"], found["recorded"]["whenChanged"]["forForecast"]) == (2, 4)
    # what status has, nobody asks Prometheus for
    shop.proxies.clear()
    assert json.loads(run("explain", "ranker", "--at", "5m", "-o", "json").out)["recorded"] is None


def test_what_was_not_known_then_is_no_zero(shop: ApiServer, run: CommandLine) -> None:
    remembers(shop, {"desired_replicas": 4, "min_replicas": 1, "max_replicas": 20}, changed_seconds=None)
    found = json.loads(run("explain", "ranker", "--at", "1h", "-o", "json").out)["recorded"]
    assert found["then"]["itemsPerSecond"] is None
    assert found["then"]["forDemand"] is None
    assert found["change"] is None
    assert found["unchangedSeconds"] == pytest.approx(14 * 86_400)
    said = " ".join(run("explain", "ranker", "--at", "1h").out.split())
    assert "load not known then" in said
    assert "not in the 336h before" in said
    shop.proxies[f"{PROXY}query"] = lambda query: success([])
    assert "Prometheus has no series of the operator of this time" in run("explain", "ranker", "--at", "1h").out


def test_a_time_without_an_operator_has_the_load_by_triton(shop: ApiServer, run: CommandLine) -> None:
    raw = examples.service()
    raw["metadata"]["creationTimestamp"] = "2025-01-01T00:00:00Z"
    shop.services(raw)
    rates = {"nv_inference_request_success": "12", "nv_inference_request_failure": "0", "nv_inference_count": "12"}

    def ranged(query: dict[str, str]) -> Told:
        told = next((rate for name, rate in rates.items() if name in query["query"]), None)
        metric = {"namespace": "shop", "workload": objects.DEPLOYMENT}
        return success([] if told is None else [{"metric": metric, "values": [[float(query["start"]), told]]}])

    shop.proxies |= {f"{PROXY}query": lambda query: success([]), f"{PROXY}query_range": ranged}
    assert "load by Triton 12 items/s" in " ".join(run("explain", "ranker", "--at", "1h").out.split())
    found = json.loads(run("explain", "ranker", "--at", "1h", "-o", "json").out)["recorded"]
    assert found["itemsPerSecondByTriton"] == 12.0
    assert found["then"]["itemsPerSecond"] is None


def test_without_prometheus_it_says_why(cluster: ApiServer, shop: ApiServer, run: CommandLine) -> None:
    ended = run("explain", "ranker", "--at", "1h")
    assert ended.code == Exit.OK
    assert "Nor does Prometheus tell: Service monitoring/prometheus:9090, through the API server" in ended.out
    shop.refuse = lambda method, path: 403 if "/proxy/" in path else None
    assert "Forbidden" in run("explain", "ranker", "--at", "1h").out


@pytest.mark.parametrize(
    ("to", "load", "forecast", "says"),
    [
        (2, 20.0, None, "what the load asks for"),
        (4, 20.0, 34.0, "what was foreseen asks for"),
        (20, 900.0, 34.0, "maxReplicas, where more were needed"),
        (1, 0.0, None, "minReplicas, where fewer were needed"),
        (6, 20.0, 34.0, "more than either asks for"),
        (3, 20.0, 34.0, "fewer than one of them asks for"),
        (3, None, None, "neither the load nor a forecast was known"),
    ],
)
def test_what_a_number_agrees_with(to: int, load: float | None, forecast: float | None, says: str) -> None:
    gauges = {"min_replicas": 1, "max_replicas": 20, "capacity_items_per_second": 10.0}
    if load is not None:
        gauges["demand_items_per_second"] = load
    found = [Series(one["metric"], ((0.0, float(one["value"][1])),)) for one in vector(0.0, gauges, provided=forecast)]
    moment = moment_of(found, AT)
    change = recorded.Change(0, to, AT - timedelta(seconds=15), AT)
    story = recorded.Recorded(moment, change, moment, 0.0)
    assert explain_recorded.as_document(story)["whenChanged"]["itemsPerSecond"] == load
    candidates = dict(explain_recorded._candidates(moment, change))
    assert says in candidates["decided"]


def test_the_load_of_now_is_in_status(shop: ApiServer, run: CommandLine) -> None:
    remembers(shop, {"demand_items_per_second": 25.5, "lead_time_seconds": 42.0})
    shop.services(examples.service("quiet"))
    header, *rows = [line.split() for line in run("status").out.splitlines()]
    assert [row[header.index("LOAD") + 2 : header.index("LOAD") + 4] for row in rows] == [["?", "?"], ["25.5", "34"]]
    one = " ".join(run("status", "ranker").out.split())
    assert "load 25.5 items/s asked now, 34 provided for in 42s (as likely as not 20)" in one
    assert "at the last change 18 items/s asked, 34 foreseen" in one
    told = json.loads(run("status", "ranker", "-o", "json").out)
    assert told["now"] == {
        "itemsPerSecond": 25.5, "forecastItemsPerSecond": 34.0, "forecastMedianItemsPerSecond": 20.0,
        "leadTimeSeconds": 42.0,
    }  # fmt: skip


@pytest.mark.parametrize("answer", [None, lambda query: success([])])
def test_status_without_prometheus_is_that_of_the_last_change(
    shop: ApiServer, run: CommandLine, answer: Callable[[dict[str, str]], Told] | None
) -> None:
    if answer is not None:
        shop.proxies[f"{PROXY}query"] = answer
    ended = run("status")
    assert ended.code == Exit.OK
    assert " 18 " in ended.out
    assert "LOAD and FORECAST are of the last change of replicas, not of now: " in ended.out
    assert json.loads(run("status", "ranker", "-o", "json").out)["now"] is None


def test_every_series_is_one_that_the_operator_exports() -> None:
    exported = {family.name for family in FAMILIES}
    assert set(GAUGES) <= exported
    assert recorded.FORECAST in exported
    assert CONDITION.name == recorded.CONDITION
    assert (EXPORTED_MEDIAN, EXPORTED_PROVIDED) == (MEDIAN, PROVIDED)
    assert set(explain_recorded.TELLING) <= set(ConditionType)


@given(st.lists(st.integers(0, 3), max_size=30))
def test_the_last_change_is_the_newest(numbers: list[int]) -> None:
    change = last_change([(float(at), float(number)) for at, number in enumerate(numbers)])
    if change is None:
        assert len(set(numbers)) <= 1
        return
    at = round(change.at.timestamp())
    assert (change.before, change.to) == (numbers[at - 1], numbers[at])
    assert set(numbers[at:]) == {change.to}


def test_series_that_are_not_finite_are_not_known() -> None:
    assert now_of([Series({"__name__": recorded.DEMAND, "namespace": "a", "service": "b"}, ())]) == {}
    assert not moment_of([Series({"__name__": recorded.DEMAND}, ())], AT).known
