"""Loads, the peers' objects, the verdicts and the page, without a cluster."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf import text_format
from hypothesis import given
from hypothesis import strategies as st
from tritonclient.grpc.model_config_pb2 import ModelConfig

from bench.live.__main__ import _file, main
from bench.live.lanes import Lane, peer_objects, service_and_class
from bench.live.loads import COLD_STARTS_SECONDS, DAY_SECONDS, SIZE, WARM_UP_SECONDS, Load, day, loads
from bench.live.outcome import LateSenderError, run_of
from bench.live.page import lines, write
from bench.live.peers.install import OWN_MANAGER
from bench.live.peers.queries import METRIC, adapter_rules
from bench.live.predict import clairvoyant_replica_minutes, columns, predicted
from bench.live.slower import Slower, days
from bench.live.systems import FORETIDE, Scaler, System, queue_of, systems
from bench.live.verdict import front, verdicts
from e2e.load import Outcome
from e2e.load.result import Row as Request
from e2e.load.result import collect
from e2e.scenarios.recording import State
from foretide.api import group
from foretide.serving.manifests import ServingSettings, build
from foretide.serving.model_config import model_config
from foretide.simulate.workload import QueueName

DAY, CROWD = loads(quick=False)[:2]
SINGLE = loads(quick=False)[-1]
PEERS = [system for system in systems(DAY, quick=False) if system != FORETIDE]


def test_all_targets_queues_and_peers_are_compared() -> None:
    assert len({system.name for system in systems(DAY, quick=False)}) == 1 + 2 * 3 * 2
    assert [load.key for load in loads(quick=False)] == [
        *(f"{name}-{seconds:.0f}s" for seconds in COLD_STARTS_SECONDS for name in ("day", "flash")),
        "bursty-45s",
        "cron-45s",
        "flash-single-45s",
    ]


def test_foretide_refuses_only_where_a_replica_has_two_instances() -> None:
    assert queue_of(FORETIDE, CROWD) is QueueName.HALF
    assert queue_of(FORETIDE, SINGLE) is QueueName.DEFAULT
    for load in (CROWD, SINGLE):
        service, hardware_class = service_and_class(FORETIDE, load, namespace="live")
        rendered = model_config(service, hardware_class)
        assert ("default_queue_policy" in rendered) is (load is CROWD)
        assert f"count: {load.model.law.instances} " in rendered


def test_a_run_of_another_model_is_another_run(tmp_path: Path) -> None:
    one = _file(tmp_path, Lane(CROWD, FORETIDE))
    assert one == _file(tmp_path, Lane(loads(quick=False)[1], FORETIDE))
    assert one != _file(tmp_path, Lane(replace(CROWD, model=SINGLE.model), FORETIDE))
    assert one != _file(tmp_path, Lane(CROWD.starting_in(60.0), FORETIDE))


def test_a_run_of_another_operator_is_another_run_of_foretide_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lanes = [Lane(CROWD, FORETIDE), Lane(CROWD, PEERS[0])]
    before = [_file(tmp_path, lane) for lane in lanes]
    monkeypatch.setattr("bench.live.__main__._operator_key", lambda: "another")
    assert [_file(tmp_path, lane) == file for lane, file in zip(lanes, before, strict=True)] == [False, True]


@pytest.mark.parametrize("load", loads(quick=False), ids=lambda load: load.key)
def test_a_load_begins_as_it_goes_on_and_needs_a_few_replicas(load: Load) -> None:
    rates = np.array(load.profile.rates_rps)
    warm = round(WARM_UP_SECONDS / load.profile.step_seconds)
    assert (rates[: warm + 1] == rates[warm]).all()
    assert 0.5 * SIZE < rates.max() / load.model.rate_at_slo_rps < 2.5 * SIZE


def test_runs_that_are_there_are_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = tmp_path / "runs"
    runs.mkdir()
    for load in loads(quick=True):
        for system in systems(load, quick=True):
            there = row(system, 0.99, 40.0, trace=load.name)
            _file(runs, Lane(load, system)).write_text(json.dumps(there))
    monkeypatch.setattr("bench.live.__main__._perform", lambda *_, **__: pytest.fail("nothing is missing"))
    monkeypatch.setattr("bench.live.predict.columns", lambda *_: {"predicted_within_slo": 0.5})
    assert main(["--quick", "--runs", f"{runs}", "--out", f"{tmp_path}"]) == 0
    rows = json.loads((tmp_path / "live-quick.json").read_text())["runs"]
    assert len(rows) == len(list(runs.iterdir()))
    assert {row["predicted_within_slo"] for row in rows} == {0.5}


@pytest.mark.parametrize(
    ("given", "told"),
    [(each, f"--lanes must be from 1 to 64, not {each}") for each in ("0", "65", "-1")]
    + [("many", "--lanes: invalid int value: 'many'")],
)
def test_a_machine_has_room_for_some_services(given: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--lanes", given])
    assert told in capsys.readouterr().err


def test_a_day_comes_three_times() -> None:
    rates = np.array(DAY.profile.rates_rps)[round(WARM_UP_SECONDS / DAY.profile.step_seconds) :]
    assert (rates.reshape(3, -1) == rates[: len(rates) // 3]).all()


@pytest.mark.parametrize("system", PEERS, ids=lambda system: system.name)
def test_a_peer_has_the_pods_of_foretide_under_other_labels(system: System) -> None:
    service, hardware_class = service_and_class(system, DAY, namespace="live")
    rendered = build(service, hardware_class, settings=ServingSettings())
    *mine, scaler = peer_objects(system, DAY, namespace="live")
    assert [entry["kind"] for entry in mine] == [entry["kind"] for entry in rendered]
    for entry, ours in zip(mine, rendered, strict=True):
        assert entry["metadata"]["labels"][group.MANAGED_BY_LABEL] == OWN_MANAGER
        assert group.GROUP not in json.dumps(entry)
        if entry["kind"] == "Deployment":
            pod, other = entry["spec"]["template"]["spec"], ours["spec"]["template"]["spec"]
            assert pod["containers"] == other["containers"]
            assert scaler["spec"]["scaleTargetRef"]["name"] == entry["metadata"]["name"]
    (config,) = (entry["data"]["config.pbtxt"] for entry in mine if entry["kind"] == "ConfigMap")
    policy = text_format.Parse(config, ModelConfig()).dynamic_batching.default_queue_policy
    # 1,500 ms less a full batch of 720 ms and 5 ms.
    assert policy.default_timeout_microseconds == (775_000 if system.queue is QueueName.SLO else 0)


def test_the_target_of_a_peer_is_its_share_of_full_batches() -> None:
    keda, hpa = (System(peer, 0.5) for peer in (Scaler.KEDA, Scaler.HPA))
    (trigger,) = _scaler(keda)["spec"]["triggers"]
    (metric,) = _scaler(hpa)["spec"]["metrics"]
    most_rps = 2 * 8 / 0.721  # and a millisecond between two batches
    assert float(trigger["metadata"]["threshold"]) == pytest.approx(0.5 * most_rps, rel=1e-3)
    assert metric["pods"]["metric"]["name"] == METRIC[QueueName.DEFAULT]
    average = metric["pods"]["target"]["averageValue"]
    assert float(average.removesuffix("m")) / 1e3 == pytest.approx(0.5 * most_rps, rel=1e-3)


def test_the_adapter_counts_refusals_only_where_the_queue_refuses() -> None:
    queries = {rule["name"]["as"]: rule["metricsQuery"] for rule in adapter_rules()}
    assert "REJECTED" not in queries[METRIC[QueueName.DEFAULT]]
    assert "REJECTED" in queries[METRIC[QueueName.SLO]]


POINTS = st.lists(st.tuples(st.floats(1, 100), st.floats(0, 1)), min_size=1, max_size=12)


@given(POINTS)
def test_the_front_holds_what_no_other_beats(points: list[tuple[float, float]]) -> None:
    costs, lates = front(points)
    assert (np.diff(costs) > 0).all()
    assert (np.diff(lates) < 0).all()
    for cost, late in points:
        assert any(c <= cost and share <= late for c, share in zip(costs, lates, strict=True))


def row(system: System, within: float, minutes: float, **other: Any) -> dict[str, Any]:
    return {
        "system": system.scaler.value,
        "target": system.target,
        "queue": queue_of(system, DAY).value,
        "trace": "day",
        "cold_start_seconds": 45.0,
        "requests": 1000,
        "within_slo": within,
        "failed": 0,
        "lost": 0,
        "replica_minutes": minutes,
        "times_clairvoyant": 1.2,
        "scale_events": 3,
        "last_part": None,
        "recovered_seconds": None,
        "at_once": 16,
        "predicted_within_slo": within,
        "predicted_replica_minutes": minutes,
        "predicted_within_slo_range": [within, within],
        "predicted_replica_minutes_range": [minutes, minutes],
        "started_in_seconds": 42.0,
        "asked_rps": [1.0, 2.0],
        "share_within_slo": [1.0, 0.9],
        "wanted": [1, 2],
        "ready": [1, 2],
        **other,
    }


def test_a_verdict_compares_at_equal_share_and_at_equal_cost() -> None:
    peers = [row(PEERS[0], 0.90, 40.0), row(PEERS[1], 0.99, 60.0), row(PEERS[2], 0.80, 70.0)]
    (found,) = verdicts([row(FORETIDE, 0.99, 48.0), *peers])
    assert found.minutes_at_equal_share == pytest.approx(0.8)
    assert found.violations_at_equal_minutes == pytest.approx(0.01 / 0.064)


def test_where_no_peer_is_as_good_or_as_cheap_there_is_no_ratio() -> None:
    (found,) = verdicts([row(FORETIDE, 0.999, 30.0), row(PEERS[0], 0.90, 40.0)])
    assert found.minutes_at_equal_share is None
    assert found.violations_at_equal_minutes is None


def test_the_page_has_every_run(tmp_path: Path) -> None:
    last = {"within_slo": 0.995, "times_clairvoyant": 1.25}
    rows = [row(FORETIDE, 0.99, 48.0, last_part=last), row(PEERS[0], 0.90, 40.0, recovered_seconds=60.0)]
    write(rows, [Slower(3_600.0, 0.9995, 1.23)], tmp_path)
    text = (tmp_path / "live.md").read_text()
    assert "foretide | half | 99.00%" in text
    assert "hpa at 50% | default | 90.00%" in text
    assert "last repetition: 99.50% at 1.25 x clairvoyant" in text
    assert "| 60 min | 99.95% | 1.23 |" in text
    assert (tmp_path / "live" / "day-45s.png").exists()
    assert any("90.00%" in line for line in lines(rows))


def test_the_page_links_its_runs_where_they_are_beside_it(tmp_path: Path) -> None:
    rows = [row(FORETIDE, 0.99, 48.0), row(PEERS[0], 0.90, 40.0)]
    write(rows, [], tmp_path)
    assert "live/runs" not in (tmp_path / "live.md").read_text()
    (tmp_path / "live" / "runs").mkdir()
    write(rows, [], tmp_path)
    assert "`docs/benchmarks/live/runs`" in (tmp_path / "live.md").read_text()


def test_the_page_says_what_was_lost_and_how_far_the_simulator_was_off(tmp_path: Path) -> None:
    ours = row(
        *(FORETIDE, 0.99, 50.0),
        lost=2,
        predicted_within_slo=0.97,
        predicted_within_slo_range=[0.96, 0.98],
        predicted_replica_minutes=52.0,
    )
    write([ours, row(PEERS[0], 0.90, 40.0, predicted_replica_minutes=45.0)], [], tmp_path)
    text = (tmp_path / "live.md").read_text()
    assert "Foretide, 1 runs, 3 changes of replicas: 2 requests not connected or broken off." in text
    assert "97.00% (96.0 to 98.0), 52.0 (50.0 to 50.0)" in text
    assert "share in time within 1.5 points in 1 of 2 runs, within that of the range in 2; the" in text
    assert "foretide (half queue), by -2.0 points." in text
    assert "replica-minutes within 10 % in 1 of 2 runs, within that of the range in 2; the" in text
    assert "hpa at 50% (default queue), by +12.5 %." in text


def test_a_run_is_judged_after_its_warm_up() -> None:
    """Two replicas are paid from second 200 on; a request at 150 s is in time, one at 246 s is not answered."""
    requests = [
        Request(100.0, 100.0, 9.0, Outcome.OK, 200),
        Request(150.0, 150.0, 0.1, Outcome.OK, 200),
        Request(246.0, 246.0, 5.0, Outcome.TIMED_OUT),
        Request(247.0, 247.0, 0.1, Outcome.BROKEN),
    ]
    states = [State(at, deployment(replicas), deleted=False) for at, replicas in ((990.0, 1), (1_200.0, 2))]
    run = run_of(
        FORETIDE,
        CROWD,
        collect(requests, started_at=0.0),
        states,
        began=1_000.0,
    )
    judged_seconds = CROWD.profile.seconds - WARM_UP_SECONDS
    assert (run.whole.requests, run.whole.within_slo, run.whole.failed, run.whole.lost) == (3, 1 / 3, 2, 1)
    assert run.whole.replica_minutes == pytest.approx((judged_seconds + CROWD.profile.seconds - 200) / 60)
    assert run.scale_events == 1
    assert run.recovered_seconds == 10.0
    assert json.loads(json.dumps(run.row()))["requests"] == 3


def test_a_run_whose_requests_were_sent_late_is_none() -> None:
    late = collect([Request(100.0, 100.06, 0.1, Outcome.OK, 200)], started_at=0.0)
    with pytest.raises(LateSenderError, match=r"60 ms late \(p99\): fewer --lanes"):
        run_of(FORETIDE, CROWD, late, [State(990.0, deployment(1), deleted=False)], began=1_000.0)


def test_the_simulator_foresees_a_run_and_nobody_is_cheaper_than_who_knows() -> None:
    crowd = loads(quick=True)[0]
    for system in systems(crowd, quick=True):
        found = predicted(system, crowd)
        assert 0.2 < found.within_slo < 0.99
        assert columns(system, crowd, None)["predicted_within_slo"] == found.within_slo
        least, most = found.within_slo_range
        assert least < found.within_slo < most, "no two draws of kube-proxy are the same"
        assert predicted(system, crowd, started_in_seconds=20.0).within_slo > found.within_slo
        assert found.replica_minutes > 0.5 * clairvoyant_replica_minutes(crowd)


def test_a_day_that_is_told_slower_costs_less() -> None:
    fast, slow = days([DAY_SECONDS, 1.5 * DAY_SECONDS])
    assert (fast.day_seconds, slow.day_seconds) == (600.0, 900.0)
    assert min(fast.within_slo, slow.within_slo) > 0.99
    assert 1.0 < slow.times_clairvoyant < fast.times_clairvoyant


def test_a_day_that_is_told_slower_is_the_same_day() -> None:
    hour = day(3_600.0)
    assert hour.profile.peak_rps == pytest.approx(DAY.profile.peak_rps, rel=0.2)  # of 5 s of it, each is a mean
    assert np.mean(hour.profile.rates_rps) == pytest.approx(np.mean(DAY.profile.rates_rps), rel=0.1)


def deployment(replicas: int) -> dict[str, Any]:
    return {"spec": {"replicas": replicas}, "status": {"replicas": replicas, "readyReplicas": replicas}}


def _scaler(system: System) -> dict[str, Any]:
    return peer_objects(system, DAY, namespace="live")[-1]
