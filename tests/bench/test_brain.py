"""The benchmark of the brain: what its numbers are."""

from __future__ import annotations

import numpy as np
import pytest

from bench.brain import page
from bench.brain.judge import Job, Ran, Summary
from bench.brain.oracle import Oracle
from bench.brain.peers import HOURS, Point, Sweep, all_sweeps, cost_at
from bench.brain.special import Result
from bench.brain.variants import VARIANTS, WHOLE
from bench.scaling.plan import SMALL, USUAL, Variation, service
from bench.scaling.store import Keyed
from foretide.scaling.forecast.foresight import Target
from foretide.scaling.forecast.model import shipped
from foretide.scaling.forecast.sight import Outlook, Sight
from foretide.scaling.parts import Part
from foretide.scaling.readings import Readings
from foretide.simulate.workload import Workload


def ran(series: str = "one", seed: int = 1, *, late: int = 10, hours: float = 15.0, cold_start: float = 120.0) -> Ran:
    return Ran(
        variant=WHOLE,
        cold_start_seconds=cold_start,
        series=series,
        seed=seed,
        requests=1_000,
        late=late,
        replica_hours=hours,
        optimum_replica_hours=10.0,
        scale_events=4,
    )


def test_series_weigh_alike_and_the_worst_one_is_named() -> None:
    rans = [
        ran("a", 1, late=0),
        ran("a", 2, late=20),
        ran("b", 1, late=50, hours=30.0),
        ran("b", 2, late=30, hours=30.0),
    ]
    summary = Summary.of(rans, hours=12.0)
    assert summary.late_mean == pytest.approx((0.01 + 0.04) / 2)
    assert summary.worst_series == "b"
    assert summary.late_worst == pytest.approx(0.04)
    assert summary.cost_mean == pytest.approx((1.5 + 3.0) / 2)
    assert summary.cost_geometric == pytest.approx((1.5 * 3.0) ** 0.5)
    assert summary.events_a_day == pytest.approx(8.0)
    low, high = summary.late_interval
    assert 0.0 <= low < summary.late_mean < high <= 0.05


def results(*, late: int, hpa_late: float) -> page.Results:
    flash = [
        Result("foretide", 0.05, 7.0, 100.0),
        Result("hpa", hpa_late, 6.0, 200.0),
        Result("hpa", hpa_late, 9.0, 90.0),
    ]
    series = [*page.SMOOTH, "rough"]
    return page.Results(
        hours=24.0,
        rans=[
            ran(one, seed, late=late, hours=12.0, cold_start=c)
            for one in series
            for seed in (1, 2)
            for c in page.MOST_COST
        ],
        ablation_hours=6.0,
        ablations=[ran(one) for one in series],
        flash=flash,
        refusing=flash,
        new=flash,
        covered=[],
        ours={120.0: Point(0.01, 1.5), 300.0: Point(0.01, 1.6)},
        peers=[
            (Sweep("static", (), cold_start), point)
            for cold_start in page.MOST_COST
            for point in (Point(hpa_late / 10.0, 4.0), Point(0.2, 1.0))
        ],
    )


def test_each_bar_tells_whether_it_holds() -> None:
    good, bad = page.bars(results(late=1, hpa_late=0.06)), page.bars(results(late=40, hpa_late=0.01))
    assert all(bar.holds for bar in good)
    missed = [bar.what for bar in bad if not bar.holds]
    assert len(missed) == 8, missed  # of both cold starts the mean and the worst; smooth days; three against the HPA
    assert "MISSED" in "\n".join(page.table(bad))
    assert "MISSED" not in "\n".join(page.table(good))


def test_the_cost_for_so_few_late_requests_is_read_off_the_front() -> None:
    points = [Point(0.10, 1.0), Point(0.02, 4.0), Point(0.05, 9.0), Point(0.01, 16.0)]
    assert cost_at(0.02, points) == pytest.approx(4.0)
    assert cost_at(0.06, points) == pytest.approx(2.0), "dear points beside the front count for nothing"
    assert cost_at(0.5, points) == pytest.approx(1.0)
    assert cost_at(0.001, points) is None


def test_the_page_names_every_variant_that_was_run() -> None:
    some = results(late=1, hpa_late=0.06)
    text = "\n".join(page.lines(some, page.bars(some)))
    assert f"| {WHOLE} |" in text
    assert all(series in text for series in page.SMOOTH)


def test_results_are_kept_by_all_that_they_depend_on() -> None:
    """Few loads: to draw them takes a second."""
    jobs = [Job(variant, 120.0, (1,), HOURS) for variant in VARIANTS]
    others = [Job(VARIANTS[0], 300.0, (1,), HOURS), Job(VARIANTS[0], 120.0, (2,), HOURS)]
    kept: list[Keyed] = [*jobs, *others, *all_sweeps((120.0, 300.0))]
    assert len({one.key for one in kept}) == len(kept)
    assert Job(VARIANTS[0], 120.0, (1,), HOURS).key == jobs[0].key


def test_each_part_is_left_out_once() -> None:
    left_out = [part for variant in VARIANTS if not variant.reactive for part in variant.without]
    assert sorted(left_out) == sorted(Part)


def test_the_oracle_foresees_the_largest_rate_of_the_window() -> None:
    rates = np.full(200, 10.0)
    rates[14] = 90.0  # from 14 to 15 minutes
    load = Workload(
        service=service(USUAL, Variation(SMALL, 1.0)),
        trace="made",
        series="up",
        seed=1,
        rate_at_slo_rps=47.0,
        rates_rps=rates,
        step_seconds=60.0,
        start_seconds=0.0,
        judged_from_seconds=0.0,
    )
    oracle = Oracle.of([load])

    def ahead(minutes: float, lead_seconds: float) -> float:
        _, foresight = oracle(
            Sight.fresh(1),
            shipped(),
            Readings.of([10.0]),
            Outlook(
                lead_seconds=np.array([lead_seconds]),
                step_seconds=15.0,
                floor_rps=np.array([4.7]),
                season_seconds=np.array([np.nan]),
            ),
            now_seconds=oracle.epoch_seconds + 60.0 * minutes,
            without=frozenset(),
        )
        return float(foresight.demand_rps[0, Target.AHEAD, 0])

    assert ahead(12.0, 120.0) == 90.0
    assert ahead(12.0, 60.0) == 10.0
    assert ahead(14.9, 60.0) == 10.0
    assert ahead(10.0, 300.0) == 10.0
