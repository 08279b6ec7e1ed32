"""What Prometheus tells of latencies becomes the SLI in status; the load never waits for it nor depends on it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

import numpy as np
import pytest

from foretide.adapters import promql
from foretide.adapters.errors import Rejected
from foretide.adapters.prometheus import Pod, Points
from foretide.control import latencies as module
from foretide.control.latencies import QUERIES, Latencies, LatencyReader, measured
from foretide.scaling.readings import Readings
from foretide.scaling.sli import Sli, Source
from tests.control import objects
from tests.control.cluster import Cluster
from tests.control.fakes import BRAIN, DOWN, FakePrometheus

# Of an SLO of 100 ms: one of twenty is late.
IN_TIME, LATE = 19.0, 20.0
BUCKETS: Points = {50.0: 3.0, 100.0: IN_TIME, 200.0: LATE, np.inf: LATE}
QUANTILES: Points = {0.5: 20_000.0, 0.95: 100_000.0, 0.99: 180_000.0}
TOO_LARGE = Rejected("the answer has more than 16,777,216 bytes", reason="PrometheusTooLarge")


async def up(
    *, replicas: int = 2, le: Points | None = None, quantile: Points | None = None, ticks: int = 40
) -> Cluster:
    """Ten minutes of ten requests a second to pods that all tell the same."""
    cluster = Cluster(objects.hardware_class())
    await cluster.serve(objects.service(scaling={"minReplicas": replicas, "maxReplicas": replicas}), replicas=replicas)
    told = {label: points for label, points in (("le", le), ("quantile", quantile)) if points is not None}
    cluster.prometheus.points = {label: dict.fromkeys(cluster.pods, points) for label, points in told.items()}
    await cluster.live(ticks, ranker=10.0)
    return cluster


def attainment(cluster: Cluster) -> tuple[str, float]:
    slo = cluster.status()["slo"]
    return slo["source"], float(slo["attainment"])


async def test_a_histogram_is_the_sli() -> None:
    assert attainment(await up(le=BUCKETS)) == ("Histogram", 95.0)


async def test_a_summary_is_where_there_is_no_histogram() -> None:
    assert attainment(await up(quantile=QUANTILES)) == ("Summary", 95.0)


async def test_the_histogram_counts_where_there_are_both() -> None:
    assert attainment(await up(le=BUCKETS, quantile={0.5: 1.0, 0.95: 2.0, 0.99: 3.0})) == ("Histogram", 95.0)


async def test_without_either_it_is_estimated() -> None:
    cluster = await up()
    assert "slo" not in cluster.status(), "of a capacity that nobody measured nothing is estimated"
    assert cluster.condition("MetricsAvailable")[0] == "True"


async def test_what_was_refused_is_late_whatever_the_answers_took() -> None:
    cluster = await up(quantile={0.5: 1_000.0, 0.99: 2_000.0}, ticks=1)
    for _ in range(40):
        cluster.load(ranker=9.0)
        cluster.prometheus.samples["failure_rps"] = dict.fromkeys(cluster.pods, 0.5)
        await cluster.tick()
    source, share = attainment(cluster)
    assert source == "Summary"
    assert share == pytest.approx(90.0, abs=0.6), "one of ten"


async def test_a_source_that_changes_is_told() -> None:
    cluster = await up(quantile=QUANTILES, ticks=20)
    assert attainment(cluster)[0] == "Summary"
    cluster.prometheus.points["le"] = dict.fromkeys(cluster.pods, BUCKETS)
    await cluster.live(30, ranker=10.0)
    assert attainment(cluster)[0] == "Histogram"


async def test_a_restart_keeps_the_source() -> None:
    cluster = await up(quantile=QUANTILES)
    cluster.start_operator()
    cluster.prometheus.points = {}
    await cluster.live(2, ranker=10.0)
    assert attainment(cluster)[0] == "Summary"


async def test_a_pod_that_answers_and_does_not_tell_makes_it_unknown() -> None:
    cluster = await up(quantile=QUANTILES, ticks=0)
    silent = next(iter(cluster.pods))
    told = cluster.prometheus.points["quantile"].pop(silent)
    await cluster.live(40, ranker=10.0)
    assert "slo" not in cluster.status(), "it may be the slow one"
    cluster.prometheus.points["quantile"][silent] = told
    await cluster.live(40, ranker=10.0)
    assert attainment(cluster) == ("Summary", 95.0)


@pytest.mark.parametrize("label", ["le", "quantile"])
async def test_without_latencies_the_load_is_known_and_followed(label: str, caplog: pytest.LogCaptureFixture) -> None:
    cluster = Cluster(objects.hardware_class())
    await cluster.serve(objects.service(), replicas=2)
    cluster.prometheus.fail = {label: TOO_LARGE}
    with caplog.at_level(logging.WARNING):
        grown = await cluster.live(3, ranker=40.0)
    assert grown[-1] > 2
    assert cluster.condition("MetricsAvailable") == ("True", "MetricsComplete")
    assert [record.message for record in caplog.records if "latencies" in record.message] == [
        f"latencies are not read, late requests are estimated: {label}: {TOO_LARGE}"
    ], "once, not in every tick"


async def test_one_of_the_two_counts_without_the_other() -> None:
    cluster = await up(le=BUCKETS, ticks=1)
    cluster.prometheus.fail = {"quantile": TOO_LARGE}
    await cluster.live(40, ranker=10.0)
    assert attainment(cluster) == ("Histogram", 95.0)


async def test_two_queries_more_and_none_of_them_while_prometheus_is_away() -> None:
    cluster = await up(ticks=1)
    cluster.prometheus.queries.clear()
    outcome = await cluster.tick()
    assert len(cluster.prometheus.queries) == outcome.queries == len(BRAIN.queries) + QUERIES
    assert cluster.prometheus.queries[-QUERIES:] == [promql.buckets(window_seconds=30.0), promql.quantiles()]
    cluster.prometheus.down = DOWN
    cluster.prometheus.queries.clear()
    outcome = await cluster.tick()
    assert not {promql.buckets(window_seconds=30.0), promql.quantiles()} & set(cluster.prometheus.queries)
    assert outcome.queries == len(BRAIN.queries)


async def test_decisions_do_not_wait_for_latencies_that_hang(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Hanging(FakePrometheus):
        async def by_pod_and_number(self, promql: str, label: str) -> Mapping[Pod, Points]:
            await asyncio.Event().wait()
            raise AssertionError

    monkeypatch.setattr(module, "LONGEST_SECONDS", 0.01)
    with caplog.at_level(logging.WARNING):
        assert await LatencyReader(Hanging(), window_seconds=30.0).read() == Latencies(asked=QUERIES)
    assert "le: no answer within 0.01 s; quantile: no answer within 0.01 s" in caplog.text


async def test_the_reader_says_again_what_comes_again(caplog: pytest.LogCaptureFixture) -> None:
    prometheus = FakePrometheus(points={"le": {Pod("shop", "p"): BUCKETS}})
    reader = LatencyReader(prometheus, window_seconds=30.0)
    assert await reader.read() == Latencies({Pod("shop", "p"): BUCKETS}, {}, QUERIES)
    for failing in (True, True, False, True):
        prometheus.fail = {"quantile": TOO_LARGE} if failing else {}
        await reader.read()
    assert len(caplog.records) == 2


async def test_what_fails_again_is_asked_for_ever_more_rarely(caplog: pytest.LogCaptureFixture) -> None:
    prometheus = FakePrometheus(fail={"quantile": TOO_LARGE})
    reader, asked = LatencyReader(prometheus, window_seconds=30.0), []
    for tick in range(140):
        prometheus.queries.clear()
        found = await reader.read()
        assert found.asked == len(prometheus.queries)
        if promql.quantiles() in prometheus.queries:
            asked.append(tick)
        assert promql.buckets(window_seconds=30.0) in prometheus.queries, "the other is asked for as ever"
    assert asked == [0, 2, 6, 14, 30, 62, 103]
    assert len(caplog.records) == 1


async def test_one_failure_is_soon_over() -> None:
    told = {Pod("shop", "p"): QUANTILES}
    prometheus = FakePrometheus(points={"quantile": told}, fail={"quantile": TOO_LARGE})
    reader = LatencyReader(prometheus, window_seconds=30.0)
    found = [await reader.read()]
    prometheus.fail = {}
    found += [await reader.read() for _ in range(2)]
    prometheus.fail = {"quantile": TOO_LARGE}
    found.append(await reader.read())
    prometheus.fail = {}
    found += [await reader.read() for _ in range(2)]
    assert [bool(each.quantiles) for each in found] == [False, False, True, False, False, True]


def look(found: Latencies, *names: Pod, slo: float = 0.1) -> Sli:
    pods = len(names)
    return measured(
        found,
        names,
        np.zeros(pods, dtype=np.int64),
        Readings.of([10.0] * pods),
        slo_latency_seconds=np.array([slo]),
    )


def test_series_of_pods_of_others_count_nothing() -> None:
    mine, other = Pod("shop", "p"), Pod("bank", "p")
    slow: Points = {100.0: 0.0, np.inf: 20.0}
    found = look(Latencies({mine: BUCKETS, other: slow}, {other: QUANTILES}), mine)
    assert found.share_late.value.tolist() == pytest.approx([0.05])
    assert found.source.tolist() == [Source.HISTOGRAM]


def test_units_are_those_of_triton() -> None:
    pod = Pod("shop", "p")
    by_slo = [look(Latencies({pod: BUCKETS}), pod, slo=slo).share_late.value[0] for slo in (0.05, 0.1, 0.2)]
    assert by_slo == pytest.approx([0.85, 0.05, 0.0])
    summary = [look(Latencies({}, {pod: QUANTILES}), pod, slo=slo).share_late.value[0] for slo in (0.02, 0.1, 0.18)]
    assert summary == pytest.approx([0.5, 0.05, 0.01])


def test_without_pods_nothing_is_known() -> None:
    assert look(Latencies({Pod("shop", "p"): BUCKETS})).share_late.known.tolist() == [False]
