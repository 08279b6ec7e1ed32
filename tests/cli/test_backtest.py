"""`backtest`: the past of a service, or a file, under policies; nothing is replayed twice, and no gap is a zero."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.adapters.resources import DEPLOYMENT, HARDWARE_CLASS, MODEL_PROFILE, SCALING_POLICY
from foretide.adapters.triton_metrics import METRICS
from foretide.api.status import InferenceServiceStatus
from foretide.cli.backtest import candidates, charts, loads, replay
from foretide.cli.backtest.candidates import Candidate, Tuned
from foretide.cli.backtest.case import Case, Given, Hardware, Load, Subject, of_options, of_service
from foretide.cli.exits import Exit, Stop
from foretide.scaling.policy import Quantity
from foretide.simulate.fidelity import Fidelity
from foretide.simulate.policies import POLICIES
from tests.cli import examples
from tests.cli.conftest import CommandLine
from tests.cli.server import ApiServer
from tests.control import objects
from tests.serving import strategies as made_by

MEASURED = {"perReplica": "20", "batchTime": {"perItem": "4ms", "fixed": "10ms"}, "source": "Measured"}
SERVICE = ["--slo", "250ms", "--batch-time", "10ms,40ms,8", "--cold-start", "45s", "--max-replicas", "8"]
# Request by request: the table of the fluid takes seconds to make, and these loads are small.
FAST = ["--requests", "--workers", "1"]
PROMETHEUS = "/api/v1/namespaces/monitoring/services/prometheus:9090/proxy/api/v1/query_range"


@pytest.fixture
def load(tmp_path: Path) -> Path:
    """An hour and a half of waves."""
    minutes = np.arange(90)
    file = tmp_path / "load.csv"
    rows = zip(60 * minutes, 600 + 400 * np.sin(minutes / 20), strict=True)
    file.write_text("t_s,a\n" + "".join(f"{second},{count:.0f}\n" for second, count in rows))
    return file


def results(run: CommandLine, *arguments: str, cluster: bool = False) -> dict[str, Any]:
    ended = run("backtest", *arguments, *FAST, "-o", "json", cluster=cluster)
    assert ended.code == Exit.OK, ended.err
    found: dict[str, Any] = json.loads(ended.out)
    return found


def test_a_file_under_two_policies(load: Path, run: CommandLine, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    found = results(
        run, "-f", str(load), *SERVICE, "--policy", "keda", "--against", "hpa:target=0.5", "--report", str(page)
    )
    assert [one["policy"] for one in found["results"]] == ["keda", "hpa:target=0.5"]
    assert found["load"]["seconds"] == 90 * 60 - 1_800  # the first half hour warms up
    for one in found["results"]:
        assert one["items"] == pytest.approx(36_000 + 19_000, rel=0.3)
        assert one["lateShare"] == one["late"] / one["items"]
        assert one["budgetUsed"] == pytest.approx(one["lateShare"] / 0.01)
        assert one["replicaHours"] >= 1.0  # one replica at least, all the time
    html = page.read_text()
    assert html.count("<svg") == 3
    assert "hpa:target=0.5" in html
    assert 'class="band"' not in html  # neither tells what it foresees
    # it opens without a network: nothing in it leads anywhere
    assert not [url for url in re.findall(r"(?:src|href)\s*=\s*\"([^\"]+)", html) if urlsplit(url).netloc]
    assert "@import" not in html
    assert "url(" not in html


def test_a_table_for_people(load: Path, run: CommandLine) -> None:
    ended = run("backtest", "-f", str(load), *SERVICE, "--policy", "static", *FAST, cluster=False)
    assert ended.code == Exit.OK
    assert ended.out.split()[:4] == ["POLICY", "LATE", "BUDGET", "USED"]
    assert "SLO 99 % within 250ms; a batch takes 40ms + 10ms per item, up to 8 (--batch-time)" in ended.out


def matrix(rates: dict[str, Any], query: dict[str, str]) -> dict[str, Any]:
    """Of the rate functions by a part of their expression; a time without a rate has no sample."""
    start, end, step = (int(query[name]) for name in ("start", "end", "step"))
    rate = next((rate for part, rate in rates.items() if part in query["query"]), None)
    values = [] if rate is None else [[t, str(rate(t))] for t in range(start, end + 1, step) if rate(t) is not None]
    metric = {"namespace": "shop", "workload": objects.DEPLOYMENT}
    return {"status": "success", "data": {"result": [{"metric": metric, "values": values}] if values else []}}


@pytest.fixture
def shop(cluster: ApiServer) -> ApiServer:
    """The example service, whose past Prometheus has for some hours, with a gap."""
    now = datetime.now(UTC).timestamp()
    cluster.put(DEPLOYMENT, examples.operator(FORETIDE_PROMETHEUS_URL="http://prometheus.monitoring.svc:9090"))
    cluster.put(HARDWARE_CLASS, objects.hardware_class(cost=examples.PRICE))
    raw = examples.service()
    raw["metadata"]["creationTimestamp"] = "2025-01-01T00:00:00Z"
    raw["status"]["capacity"] = MEASURED
    cluster.services(raw)

    def rate(at: float) -> float | None:
        return None if 3_600 < now - at < 4_200 or now - at > 6 * 3_600 else 10.0

    rates = {
        METRICS[Quantity.SUCCESS].name: rate,
        METRICS[Quantity.FAILURE].name: lambda at: None if rate(at) is None else 0.0,
        METRICS[Quantity.INFERENCE].name: rate,
    }
    cluster.proxies[PROMETHEUS] = lambda query: matrix(rates, query)
    return cluster


def test_a_service_under_its_own_past(shop: ApiServer, run: CommandLine) -> None:
    found = results(run, "ranker", "--days", "0.0625", "--policy", "static", cluster=True)
    (one,) = found["results"]
    assert found["load"]["source"] == "Prometheus"
    assert found["load"]["filledShare"] == pytest.approx(10 / 90, abs=0.02)
    (where,) = found["classes"]
    assert where["batchTime"]["from"] == "status (Measured)"
    assert where["coldStart"]["from"] == "status (9 starts)"
    assert found["slo"] == {"latencySeconds": 0.1, "objective": 0.99}
    assert one["items"] == pytest.approx(10.0 * 5_400, rel=0.02)  # the gap is no zero
    assert one["costs"] == {"USD": pytest.approx(0.53 * one["replicaHours"])}
    assert shop.writes == []


@pytest.mark.timeout(120)
def test_scaling_policies_by_name_and_by_file(shop: ApiServer, run: CommandLine, tmp_path: Path) -> None:
    policy = {"metadata": {"namespace": "shop", "name": "web"}, "spec": {"forecast": {"mode": "Reactive"}}}
    shop.put(SCALING_POLICY, policy)
    file = tmp_path / "next.yaml"
    file.write_text(
        "apiVersion: foretide.dev/v1alpha1\nkind: ScalingPolicy\nmetadata: {name: web-next}\n"
        "spec: {scaleDown: {hold: 1h}, mode: Advisory}\n"
    )
    found = results(run, "ranker", "--days", "0.004", "--policy", "web", "--against", str(file), cluster=True)
    assert [one["policy"] for one in found["results"]] == ["foretide, web", "foretide, web-next"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "name one, whose own past is replayed, or give a load with -f FILE"),
        (("nobody",), "there is no InferenceService nobody"),
        (("ranker", "--days", "0"), "--days: 0 must be above 0"),
        (("ranker", "--policy", "magic"), "magic is not one of static"),
        (("ranker", "--policy", "hpa:goal=1"), "its knobs are target"),
        (("ranker", "--policy", "hpa:target=fast"), "must be a number"),
        (("ranker", "--policy", "faro-quota"), "shares a quota"),
        (("ranker", "--days", "14"), "Prometheus knows 2 % of the last 14 days"),
        (("-f", "LOAD"), "--slo: is needed where no SERVICE is named"),
        (("-f", "LOAD", *SERVICE, "--policy", "web"), "name a SERVICE, in whose namespace"),
        (("-f", "LOAD", *SERVICE, "--series", "b"), "has no b; there are a"),
        (("-f", "none.csv", *SERVICE), "cannot be read"),
        (("-f", "LOAD", *SERVICE, "--report", "/no/where.html"), "is not a folder"),
        (("-f", "LOAD", *SERVICE, "--slo", "soon"), "must be a duration"),
        (("-f", "LOAD", *SERVICE, "--min-replicas", "9"), "must be 1 <= min <= max"),
        (("-f", "LOAD", *SERVICE, "--policy", "hpa:target=-1"), "target"),
    ],
)
def test_a_mistake_is_a_sentence(
    shop: ApiServer, run: CommandLine, load: Path, arguments: tuple[str, ...], says: str
) -> None:
    given = [str(load) if argument == "LOAD" else argument for argument in arguments]
    ended = run("backtest", *given, *FAST)
    assert (ended.code, ended.out) == (Exit.MISTAKE, "")
    assert says in ended.err
    assert "Traceback" not in ended.err


def test_a_model_that_nobody_measured_needs_a_profile(shop: ApiServer, run: CommandLine) -> None:
    prior = {"perReplica": "4", "batchTime": {"perItem": "0s", "fixed": "50ms"}, "source": "Prior"}
    raw = examples.service(status={"capacity": prior})
    raw["metadata"]["creationTimestamp"] = "2025-01-01T00:00:00Z"
    shop.services(raw)
    ended = run("backtest", "ranker", "--days", "0.025", *FAST)
    assert "apply a ModelProfile" in " ".join(ended.err.split())
    spec = {
        "service": "ranker", "hardwareClass": "cpu-16", "maxBatchSize": 8,
        "batchTime": {"perItem": "4ms", "fixed": "10ms"},
    }  # fmt: skip
    shop.put(MODEL_PROFILE, {"metadata": {"namespace": "shop", "name": "p"}, "spec": spec})
    found = results(run, "ranker", "--days", "0.025", "--policy", "static", cluster=True)
    assert found["classes"][0]["batchTime"]["from"] == "ModelProfile p"


CASE = of_options("x", Given(slo="250ms", batch_time="10ms,40ms,8", cold_start="45s"))


def loaded(days: float, *, before_days: float = 0.5) -> Load:
    steps = round((days + before_days) * 1_440)
    return Load(
        rates_rps=np.full(steps, 5.0),
        step_seconds=60.0,
        start_seconds=1_704_067_200.0,
        judged_from=round(before_days * 1_440),
        unknown_share=0.0,
        source="test",
    )


@given(
    minutes=st.integers(2, 6_000),
    before=st.integers(30, 2_000),
    workers=st.integers(1, 8),
    name=st.sampled_from([name for name, entry in POLICIES.items() if not entry.divides]),
    whole=st.booleans(),
)
def test_each_minute_is_replayed_once(minutes: int, before: int, workers: int, name: str, whole: bool) -> None:
    load = loaded(minutes / 1_440, before_days=before / 1_440)
    made = replay.tasks(
        [Subject(CASE, load)], [Candidate(name, name)], workers=workers, fidelity=Fidelity.FLUID, whole=whole
    )
    seen = sorted((part.begin, part.end) for task in made for part in task.parts)
    assert seen[0][0] == load.judged_from
    assert seen[-1][1] == len(load.rates_rps)
    assert all(end == begin for (_, end), (begin, _) in pairwise(seen))
    # what runs together is of one length, and of one time of the day where the policy knows clocks
    for task in made:
        assert len({part.end - part.begin for part in task.parts}) == 1
        if name not in candidates.CLOCKLESS and not whole:
            assert len({part.begin % 1_440 for part in task.parts}) == 1


def test_parts_know_the_past_before_them() -> None:
    (task,) = replay.tasks(
        [Subject(CASE, loaded(0.25))], [Candidate("hpa", "hpa")], workers=1, fidelity=Fidelity.ARRIVALS, whole=False
    )
    past = task._past()
    first = [int(known.sum()) for known in past.demand.known]
    assert first == [part.begin - 30 for part in task.parts]


def test_foretide_is_told_what_is_known_of_the_model_and_never_only_advises() -> None:
    (task,) = replay.tasks(
        [Subject(CASE, loaded(0.1))], [Candidate("foretide")], workers=1, fidelity=Fidelity.ARRIVALS, whole=False
    )
    lanes, fleets = task._lanes()
    assert {lane.queue for lane in lanes} == {CASE.usual.queue}
    policy = task.candidate.for_lanes(lanes, fleets)
    assert isinstance(policy, Tuned)
    assert policy.told.per_item_seconds.tolist() == [0.01] * len(task.parts)
    assert not policy.orders.advisory.any()


def test_every_clockless_policy_is_one_of_the_list() -> None:
    assert set(POLICIES) >= candidates.CLOCKLESS


@given(st.lists(st.booleans(), min_size=2, max_size=40).filter(any))
def test_gaps_are_filled_between_what_is_known(known: list[bool]) -> None:
    there = np.array(known)
    value = np.where(there, np.arange(len(known), dtype=np.float64) + 1.0, 0.0)
    out = loads.filled(value, there)
    assert np.array_equal(out[there], value[there])
    assert out.min() >= value[there].min()
    assert out.max() <= value[there].max()


def test_a_long_gap_is_the_day_before() -> None:
    value = np.concatenate([np.arange(1_440.0), np.zeros(1_440), [7.0]])
    known = np.concatenate([np.ones(1_440, dtype=bool), np.zeros(1_440, dtype=bool), [True]])
    assert np.array_equal(loads.filled(value, known)[1_440:2_880], np.arange(1_440.0))


def test_charts_lose_no_peak_and_no_late_item() -> None:
    values = np.zeros(5_000)
    values[1_234] = 9.0
    assert charts.thinned(values, largest=True).max() == 9.0
    assert charts.thinned(np.ones(5_001), largest=False).sum() == 5_001
    assert len(charts.thinned(values, largest=True)) <= charts.MOST_POINTS
    drawn = charts.chart("t", [charts.Line("<b>", "#000", values)], charts.Span(0.0, 75_000.0))
    assert drawn.y_ticks[-1].label == "10"


def test_options_are_asked_for_by_name() -> None:
    with pytest.raises(Stop, match="--batch-time"):
        of_options("x", Given(slo="250ms", cold_start="45s"))


def digest(runs: list[dict[str, Any]]) -> dict[tuple[int, int], tuple[object, ...]]:
    """Everything that came of each part."""
    return {
        (run["subject"], run["begin"]): tuple(
            value.tobytes() if isinstance(value, np.ndarray) else value
            for name, value in sorted(run.items())
            if name != "subject"
        )
        for run in runs
    }


def wavy(case: Case, seed: int) -> Subject:
    """A load that moves a small fleet, other for each seed."""
    load = loaded(1 / 48)
    waves = 20.0 + 15.0 * np.sin(np.arange(len(load.rates_rps)) / (40.0 + 5.0 * seed))
    return Subject(case, replace(load, rates_rps=waves))


@pytest.mark.timeout(180)
def test_what_is_replayed_beside_a_service_and_in_how_many_processes_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(replay, "PART_SECONDS", 900.0)  # of half an hour
    cases = [replace(CASE, name=f"s{number}", maximum=6 + 10 * number) for number in range(2)]
    subjects = [wavy(case, number) for number, case in enumerate(cases)]

    def run(some: list[Subject], workers: int) -> dict[tuple[int, int], tuple[object, ...]]:
        made = replay.tasks(some, [Candidate("foretide")], workers=workers, fidelity=Fidelity.ARRIVALS, whole=False)
        return digest([found for task in made for found in task.perform()])

    together = run(subjects, 2)
    assert together == run(subjects, 1)
    alone = run([subjects[1]], 1)
    assert alone == {(0, begin): found for (number, begin), found in together.items() if number == 1}


@given(
    maxima=st.lists(st.sampled_from([4, 100, 2_000]), min_size=1, max_size=8),
    minutes=st.integers(200, 6_000),
    workers=st.integers(1, 8),
    name=st.sampled_from(["foretide", "hpa", "scheduled"]),
)
def test_each_minute_of_each_service_is_replayed_once_in_tasks_that_fit_into_memory(
    maxima: list[int], minutes: int, workers: int, name: str
) -> None:
    load = loaded(minutes / 1_440)
    subjects = [Subject(replace(CASE, name=f"s{at}", maximum=maximum), load) for at, maximum in enumerate(maxima)]
    made = replay.tasks(subjects, [Candidate(name, name)], workers=workers, fidelity=Fidelity.FLUID, whole=False)
    seen = sorted((task.numbers[part.subject], part.begin, part.end) for task in made for part in task.parts)
    for number in range(len(maxima)):
        mine = [(begin, end) for at, begin, end in seen if at == number]
        assert (mine[0][0], mine[-1][1]) == (load.judged_from, len(load.rates_rps))
        assert all(end == begin for (_, end), (begin, _) in pairwise(mine))
    for task in made:
        assert len({part.end - part.begin for part in task.parts}) == 1
        if len(maxima) > 1:
            largest = max(one.case.maximum for one in task.subjects)
            assert len(task.parts) <= replay.MOST_LANES
            assert len(task.parts) * largest <= max(replay.MOST_PLACES, largest)


def test_each_column_of_a_file_is_a_service(tmp_path: Path, run: CommandLine) -> None:
    file, page = tmp_path / "fleet.csv", tmp_path / "fleet.html"
    rows = [(60 * minute, 600 + 5 * minute, 300) for minute in range(90)]
    file.write_text("t_s,a,b\n" + "".join(f"{second},{one},{other}\n" for second, one, other in rows))
    found = results(run, "-f", str(file), *SERVICE, "--policy", "static", "--against", "hpa", "--report", str(page))
    assert [one["service"] for one in found["services"]] == ["fleet.csv, a", "fleet.csv, b"]
    for policy, total in zip(("static", "hpa"), found["totals"], strict=True):
        each = [next(r for r in one["results"] if r["policy"] == policy) for one in found["services"]]
        assert (total["policy"], total["services"]) == (policy, 2)
        for name in ("items", "late", "scaleEvents", "replicaHours"):
            assert total[name] == pytest.approx(sum(one[name] for one in each))
        assert total["overBudget"] == sum(one["budgetUsed"] > 1.0 for one in each)
    assert page.read_text().count("<svg") == 6
    shown = run("backtest", "-f", str(file), *SERVICE, "--policy", "static", *FAST, cluster=False)
    assert "all 2 services" in shown.out
    (alone,) = results(run, "-f", str(file), "--series", "b", *SERVICE, "--policy", "static")["results"]
    assert alone["items"] == each[1]["items"]


def test_all_services_of_a_cluster_but_those_that_nobody_can_replay(shop: ApiServer, run: CommandLine) -> None:
    ranker = examples.service()
    ranker["metadata"]["creationTimestamp"] = "2025-01-01T00:00:00Z"
    unmeasured = json.loads(json.dumps(ranker))
    unmeasured["metadata"].update(name="new", uid="another")
    unmeasured["status"].pop("capacity", None)
    ranker["status"]["capacity"] = MEASURED
    shop.services(ranker, unmeasured)
    found = results(run, "-A", "--days", "0.025", "--policy", "static", cluster=True)
    assert [one["service"] for one in found["services"]] == ["shop/ranker"]
    assert found["passedOver"][0].startswith("new: how long a batch takes is not known yet")
    ended = run("backtest", "ranker", "new", "--days", "0.025", *FAST)
    assert "new: how long a batch takes is not known yet" in " ".join(ended.err.split())
    assert "leave out ranker" in run("backtest", "ranker", "-A", *FAST).err


def test_hardware_classes_in_their_order_within_their_quotas(shop: ApiServer, run: CommandLine) -> None:
    """Ten items a second; one replica of the first class, of which there is one, does about four."""
    raw = examples.service(hardware={"classes": ["tiny", "slow", "cpu-16", "unknown"]})
    raw["metadata"]["creationTimestamp"] = "2025-01-01T00:00:00Z"
    shop.services(raw)
    for name, per_item, quota in (("tiny", "200ms", None), ("slow", "60ms", 1), ("cpu-16", "60ms", None)):
        cost = {**examples.PRICE, "perHour": {"tiny": "9", "slow": "1", "cpu-16": "3"}[name]}
        shop.put(
            HARDWARE_CLASS,
            objects.hardware_class(
                name=name, cost=cost, **({} if quota is None else {"quota": {"maxReplicas": quota}})
            ),
        )
        spec = {
            "service": "ranker", "hardwareClass": name, "maxBatchSize": 1, "coldStart": "30s",
            "batchTime": {"perItem": per_item, "fixed": "1ms"},
        }  # fmt: skip
        shop.put(MODEL_PROFILE, {"metadata": {"namespace": "shop", "name": name}, "spec": spec})
    found = results(run, "ranker", "--days", "0.025", "--against", "static", cluster=True)
    assert [one["name"] for one in found["classes"]] == ["tiny", "slow", "cpu-16"]  # where nobody knows how fast it is
    assert any(note.startswith("unknown is left out") for note in found["notes"])
    ours, static = found["results"]
    hours = ours["replicaHoursByClass"]
    assert hours["tiny"] == 0.0  # a single item takes longer than the SLO
    assert hours["slow"] == pytest.approx(0.6, rel=0.01)  # all the time, and no more than its quota
    assert hours["cpu-16"] > 0.6
    assert ours["costs"] == {"USD": pytest.approx(hours["slow"] + 3.0 * hours["cpu-16"], rel=1e-4)}
    assert ours["items"] == pytest.approx(10.0 * 2_160, rel=0.03)  # each asked for once, whoever serves it
    assert list(static["replicaHoursByClass"]) == ["slow"]  # it knows of one class
    assert ours["lateShare"] < static["lateShare"]


@pytest.mark.parametrize(
    ("instances", "slo", "timeout_seconds"), [("1", None, math.inf), ("2", None, 0.05), ("2", "1s", 0.5)]
)
def test_the_queue_is_that_of_a_replica(instances: str, slo: str | None, timeout_seconds: float) -> None:
    service = made_by.service(slo={"objective": "99", "latency": "100ms"})
    hardware = made_by.hardware(triton={"image": "tritonserver:2.51", "instances": instances})
    given = Given(slo=slo, batch_time="10ms,40ms,8", cold_start="45s")
    case = of_service(service, InferenceServiceStatus(), Hardware({"cpu-16": hardware}), given)
    assert case.usual.queue.timeout_seconds == pytest.approx(timeout_seconds)
