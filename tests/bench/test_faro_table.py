"""Faro's simulator: the way of a request, workers and quota, and a result that is published."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.faro_table import __main__ as command
from bench.faro_table import beside
from bench.faro_table.beside import Beside
from bench.faro_table.cases import Case, Forecast, Name, foretide, rows, run
from bench.faro_table.cluster import Cluster, ShiftedLognormal
from bench.faro_table.controller import COLD_START_SECONDS, HOT_START_SECONDS, Controller, Order
from bench.faro_table.experiments import experiments, forecasts
from bench.faro_table.inputs import arrivals, load, training_days
from bench.faro_table.observe import EPOCH_SECONDS
from bench.faro_table.page import Row, table, write
from bench.faro_table.pods import Pods
from bench.faro_table.published import published
from bench.faro_table.world import Outcome
from foretide.scaling.arrays import Floats
from foretide.scaling.policy import Over, Quantity, Query

SECOND = ShiftedLognormal(shape=0.0, shift_seconds=0.0, scale_seconds=1.0)  # each request takes one second
SLOWEST_WAY_SECONDS = 0.02


def cluster(times: Floats, *, replicas: int) -> Cluster:
    made = Cluster(times, SECOND, np.random.default_rng(1))
    made.start(made.reserve(replicas, free_workers=replicas)[1], 0.0)
    return made


def controller(*clusters: Cluster, quota: int) -> Controller:
    return Controller(clusters, quota=quota, first_replicas=1)


def idle(jobs: int) -> list[Cluster]:
    """Jobs without replicas and with one request, far away."""
    return [Cluster(np.array([1e6]), SECOND, np.random.default_rng(job)) for job in range(jobs)]


def test_a_request_passes_the_proxy_twice_and_a_replica_once() -> None:
    made = cluster(np.array([0.5]), replicas=1)
    made.advance(10.0)
    one = made.requests[0]
    ways = one["way_in_seconds"] + one["way_out_seconds"]
    assert one["latency_seconds"] == pytest.approx(1.0 + ways)
    assert 0.0 < ways < 2.0 * SLOWEST_WAY_SECONDS


def test_a_replica_answers_in_the_order_of_the_requests() -> None:
    made = cluster(np.array([0.0, 0.1, 0.2]), replicas=1)
    made.advance(10.0)
    ends = made.requests["arrives"] + made.requests["latency_seconds"]
    assert np.diff(ends) == pytest.approx([1.0, 1.0], abs=SLOWEST_WAY_SECONDS)


def test_requests_take_turns_between_replicas() -> None:
    made = cluster(np.array([0.0, 0.1, 0.2, 0.3]), replicas=4)
    made.advance(10.0)
    assert made.requests["latency_seconds"] == pytest.approx(np.ones(4), abs=2.0 * SLOWEST_WAY_SECONDS)


def test_what_the_queue_has_no_room_for_is_refused() -> None:
    """Four in the replica, one held by the scheduler, 51 in the queue."""
    made = cluster(np.zeros(100), replicas=1)
    made.advance(1_000.0)
    assert int(made.refused.sum()) == 100 - (4 + 1 + 51)
    assert made.requests["latency_seconds"][made.refused].max() < 1.0


def test_a_full_job_sees_a_new_replica_only_when_a_request_ends() -> None:
    made = cluster(np.zeros(6), replicas=1)
    made.advance(0.5)
    made.start(made.reserve(1, free_workers=1)[1], 0.5)
    made.advance(10.0)
    # The new replica takes one of the last two, from the first end at 1 s on and not from 0.5 s on.
    assert made.requests["latency_seconds"][4:].min() == pytest.approx(2.0, abs=2.0 * SLOWEST_WAY_SECONDS)


def test_a_removed_replica_answers_what_it_has() -> None:
    made = cluster(np.zeros(8), replicas=2)
    made.advance(0.5)
    made.remove(1, 0.5)
    made.advance(100.0)
    assert made.running == 1
    assert made.answered(100.0, 100.0)[1] == 8


def test_a_worker_is_kept_for_half_a_minute() -> None:
    made = cluster(np.array([1e6]), replicas=3)
    made.remove(2, 100.0)
    made.release(129.0)
    assert len(made.workers) == 3
    made.release(130.0)
    assert len(made.workers) == 1


def test_the_last_worker_stays() -> None:
    made = cluster(np.array([1e6]), replicas=1)
    made.remove(1, 0.0)
    made.release(1_000.0)
    assert len(made.workers) == 1


def test_a_replica_starts_fast_on_an_idle_worker_and_slowly_on_a_new_one() -> None:
    (job,) = jobs = idle(1)
    made = controller(*jobs, quota=3)
    made.take([Order(job=0, target=2, trials=1)], 10)
    made.carry_out(10)
    made.start(10 + HOT_START_SECONDS)
    assert job.running == 1
    made.start(10 + COLD_START_SECONDS)
    assert job.running == 2
    made.take([Order(job=0, target=1, trials=1)], 60)
    made.carry_out(60)
    made.take([Order(job=0, target=2, trials=1)], 70)
    made.carry_out(70)
    made.start(70 + HOT_START_SECONDS)
    assert job.running == 2


def test_the_quota_gives_to_those_that_come_first() -> None:
    made = controller(*idle(3), quota=5)
    made.take([Order(job=job, target=2, trials=1) for job in range(3)], 10)
    assert made.ordered.tolist() == [2, 2, 1]


def test_fewer_replicas_come_before_more() -> None:
    first, second = jobs = idle(2)
    made = controller(*jobs, quota=4)
    made.take([Order(job=1, target=3, trials=1)], 10)
    made.carry_out(10)
    made.start(45)
    made.take([Order(job=0, target=3, trials=1), Order(job=1, target=1, trials=1)], 60)
    assert made.ordered.tolist() == [3, 1]
    # The quota of replicas is kept, but that of workers is used up for as long as the old ones are idle.
    made.carry_out(60)
    assert (len(first.workers), len(second.workers)) == (1, 3)
    second.release(90)
    made.carry_out(90)
    assert (len(first.workers), len(second.workers)) == (3, 1)


@pytest.mark.parametrize(("trials", "expected"), [(1, 2), (5, 4)])
def test_a_job_at_work_takes_an_order_later_or_never(trials: int, expected: int) -> None:
    made = controller(*idle(1), quota=9)
    made.take([Order(job=0, target=2, trials=1)], 10)
    made.carry_out(10)
    made.take([Order(job=0, target=4, trials=trials)], 20)
    for now in (30, 40, 50):
        made.start(now - 5)
        made.take([], now)
    assert made.ordered.tolist() == [expected]


def test_arrivals_are_as_many_as_the_trace_says() -> None:
    trace = load()
    times = arrivals(trace, seed=24)
    assert [len(each) for each in times] == trace.counts.sum(axis=1).tolist()
    assert all(each[0] == 0.0 and (np.diff(each) >= 0.0).all() for each in times)


def test_the_training_days_belong_to_the_load() -> None:
    trace, days = load(), training_days()
    assert days.series == trace.series
    assert (trace.steps, days.steps) == (360, 3600)


def test_fair_share_comes_out_as_published() -> None:
    """No policy, no forecast: it is the simulator alone that is compared."""
    theirs = next(each for each in published(Name.FAIR_SHARE, 36) if each.seed == 24)
    ours = run(Case(name=Name.FAIR_SHARE, quota=36), seed=24, draw=0)
    assert 100.0 * ours.by_minute == pytest.approx(theirs.percent_by_minute, rel=0.01)
    assert 100.0 * ours.by_request == pytest.approx(theirs.percent_by_request, rel=0.01)
    assert ours.refused == pytest.approx(theirs.refused, rel=0.01)
    assert ours.replicas == theirs.replicas


def test_every_case_has_published_runs() -> None:
    cases = [*rows(), *forecasts(), *(case for each in experiments() for case, _ in each.pairs)]
    assert all(published(case.name, case.quota) for case in cases)


def outcome(by_minute: float) -> Outcome:
    return Outcome(by_minute=by_minute, by_job=by_minute, by_request=by_minute, refused=1, replicas=30.0)


def test_a_row_holds_within_a_quarter() -> None:
    case = Case(name=Name.AIAD, quota=40)  # published: 7.05 %
    near, far = (Row.of(case, {case: [outcome(share)]}) for share in (0.0875, 0.0890))
    assert (near.holds, far.holds) == (True, False)
    assert "**off**" in list(table([far]))[-1]


def test_nothing_is_off_by_less_than_nothing() -> None:
    case = Case(name=Name.AIAD, quota=40)
    assert "| +0% |" in list(table([Row.of(case, {case: [outcome(0.0705)]})]))[-1]


def test_the_page_has_every_case(tmp_path: Path) -> None:
    changed = [case for each in experiments() for pair in each.pairs for case in pair]
    results = {case: [outcome(0.05)] for case in (*rows(), *forecasts(), *changed)}
    page = tmp_path / "faro.md"
    write([Row.of(case, results) for case in rows()], ["ours"], experiments(), results, page)
    text = page.read_text()
    assert all(f"here ({forecast})" in text for forecast in Forecast)
    assert all(each.title in text for each in experiments())
    assert "\nours\n" in text


def besides(ours: float, *, summed: float, fair: float) -> Beside:
    (case,) = (case for case in foretide() if case.quota == 36)
    rivals = {Case(name=Name.SUM, quota=36): [outcome(summed)], Case(name=Name.FAIR, quota=36): [outcome(fair)]}
    found = Beside.of(case, {case: [outcome(ours)], **rivals})
    assert found is not None
    return found


@pytest.mark.parametrize(("ours", "holds"), [(0.0099, True), (0.0101, False)])
def test_our_own_policy_is_judged_by_the_best_of_faros(ours: float, holds: bool) -> None:
    found = besides(ours, summed=0.02, fair=0.01)
    assert (found.best.name, found.holds) == (Name.FAIR, holds)
    assert (list(beside.table([found]))[2].split("|")[-2].strip() == "holds") is holds


def test_the_section_tells_how_many_bars_hold() -> None:
    found = [besides(0.004, summed=0.02, fair=0.01), besides(0.03, summed=0.02, fair=0.01)]
    text = "\n".join(beside.section(found))
    assert "1 of 2 hold" in text
    assert "half of that: 1 of 2" in text


def test_alone_our_own_policy_is_compared_with_nobody() -> None:
    case = next(foretide())
    assert Beside.of(case, {case: [outcome(0.01)]}) is None


def test_each_replica_is_shown_as_a_pod_with_its_part_of_what_a_job_has_counted() -> None:
    """Requests of 1 s each, two at once from 0 s on: after 10 s 20 are answered by two replicas."""
    first, second = jobs = [
        Cluster(times, SECOND, np.random.default_rng(job))
        for job, times in enumerate([np.repeat(np.arange(0.0, 30.0), 3), np.array([1e6])])
    ]
    made = controller(*jobs, quota=5)
    pods = Pods(jobs, made, quota=5)
    made.take([Order(job=0, target=3, trials=1)], 2)
    made.carry_out(2)
    for job in jobs:
        job.advance(20.0)
    rate = Query(Quantity.SUCCESS, Over.RATE, 20.0)
    waiting = Query(Quantity.PENDING)
    growth, age = Query(Quantity.PENDING, Over.DERIV, 20.0), Query(Quantity.SUCCESS, Over.AGE)
    seen = pods.see([rate, waiting, growth, age], 20)
    assert seen.now_seconds == EPOCH_SECONDS + 20
    assert seen.pods.service.tolist() == [0, 1, 0, 0]
    assert seen.pods.ready.tolist() == [True, True, False, False]
    assert seen.pods.age_seconds[2:].tolist() == [18.0, 18.0]
    assert seen.answers[rate].known.tolist() == [True, True, False, False]
    assert seen.total(rate).value == pytest.approx([19.0 / 20.0, 0.0])
    assert seen.total(waiting).value[0] == pytest.approx(first.counters().waiting)
    assert seen.total(growth).value[0] == pytest.approx(first.counters().waiting / 20.0)
    assert (seen.answers[age].value == 0.0).all()
    assert seen.batches.executions.tolist() == [19.0, 0.0]
    assert seen.batches.seconds[0] == pytest.approx(19.0)
    assert (seen.quotas.limit.tolist(), seen.fleet.replicas.tolist()) == ([5], [3, 1])
    made.start(2 + COLD_START_SECONDS)
    first.advance(40.0)
    later = pods.see([rate], 40)
    assert later.pods.ready_age_seconds.tolist() == [40.0, 3.0, 3.0, 40.0]
    assert later.pods.age_seconds[1:3].tolist() == [38.0, 38.0]
    # Spread evenly over the three.
    assert len(set(later.answers[rate].value[:3])) == 1
    assert second.running == 1


@pytest.mark.parametrize("window_seconds", [5.0, 10.0, 15.0, 20.0, 25.0, 600.0])
def test_a_rate_is_over_what_its_window_has_of_ticks(window_seconds: float) -> None:
    """Two replicas answer two requests a second, for ticks of 10 s."""
    jobs = [Cluster(np.repeat(np.arange(0.0, 40.0), 3), SECOND, np.random.default_rng(1))]
    pods = Pods(jobs, Controller(jobs, quota=2, first_replicas=2), quota=2)
    rate = Query(Quantity.SUCCESS, Over.RATE, window_seconds)
    for now in (10, 20, 30):
        jobs[0].advance(now)
        seen = pods.see([rate], now)
    assert seen.total(rate).value[0] == pytest.approx(2.0, rel=0.05)


@pytest.mark.parametrize("arguments", [["--runs", "0"], ["--only", "nobody"]])
def test_the_command_refuses_what_it_cannot_do(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(arguments)
    assert arguments[0] in capsys.readouterr().err
