"""The benchmark: a fair split, every load once, knobs chosen by the rule, and nothing lost when it is stopped."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.scaling import plan as planning
from bench.scaling.cell import Cell
from bench.scaling.choose import choose
from bench.scaling.page import write
from bench.scaling.plan import FULL, QUICK, SMALL, USUAL, Plan, Variation, service, sweeps
from bench.scaling.results import performed
from bench.scaling.split import Series, Split, _begin, read_split
from bench.scaling.store import Store
from bench.scaling.summary import summaries
from foretide.simulate.fidelity import Fidelity
from foretide.simulate.policies import POLICIES, listed
from foretide.simulate.traces import Trace
from tests.bench.runs import run

TINY = replace(QUICK, judged_seconds=900.0, series_of_each_split=1, held_out=True)
FEW_POLICIES = tuple(listed(name) for name in ("static", "hpa", "fair-share"))


def series(name: str, split: Split) -> Series:
    """An hour of a wave."""
    counts = 120.0 * (1.0 + np.sin(np.arange(60) / 6.0 + len(name)))[None, :]
    trace = Trace(name=name, step_seconds=60.0, series=("a",), counts=counts, factor=np.ones(1))
    return Series(trace, split, "a wave")


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Plan:
    """Three policies, three series, a quarter of an hour."""
    monkeypatch.setattr(planning, "rate_of_a_replica", lambda arrival_cv: 9.0)
    return Plan(TINY, [series("one", Split.CHOOSE), series("two", Split.JUDGE)], FEW_POLICIES)


def test_no_series_is_on_both_sides_and_each_has_a_reason() -> None:
    split = read_split()
    assert max(Counter(one.name for one in split).values()) == 1
    assert all(len(one.reason) > 5 for one in split)
    sides = Counter(one.split for one in split)
    assert sides[Split.JUDGE] >= sides[Split.CHOOSE] >= 6


def test_every_series_has_load_on_the_day_that_is_judged() -> None:
    for one in read_split():
        (load,) = one.loads(
            service(USUAL, Variation(SMALL, 1.0)), rate_at_slo_rps=9.0, seeds=(1,), judged_seconds=FULL.judged_seconds
        )
        judged = load.rates_rps[round(load.judged_from_seconds / load.step_seconds) :]
        assert judged.mean() > 0.1 * 90.0, one.name
        assert judged.max() > 0.7 * 90.0, one.name
        assert judged.min() < 0.85 * 90.0, one.name  # the smoothest day is within 81 % of its peak for three hours
        assert load.judged_from_seconds >= 0.6 * one.trace.seconds, one.name


def test_all_windows_begin_at_one_time_of_the_week_so_that_they_can_run_together() -> None:
    begins = {
        load.epoch_seconds + load.warm_up_seconds
        for one in read_split()
        for load in one.loads(
            service(USUAL, Variation(SMALL, 1.0)), rate_at_slo_rps=9.0, seeds=(1,), judged_seconds=FULL.judged_seconds
        )
    }
    assert len(begins) == 1


@pytest.mark.parametrize("name", POLICIES)
def test_a_sweep_has_the_defaults_and_each_value_of_each_knob(name: str) -> None:
    entry = listed(name)
    found = sweeps(entry, every=1)
    assert found[0] == entry.settings({})
    for knob in entry.knobs[:1]:
        assert {one[knob.name] for one in found} >= set(knob.sweep)
    for knob in entry.knobs[1:]:
        tried = {one[knob.name] for one in found}
        assert tried >= set(knob.sweep[::2])
        assert len(tried) > 1
    assert len({tuple(sorted(one.items())) for one in found}) == len(found)


def test_every_load_is_in_one_cell_of_each_setting(tiny: Plan) -> None:
    cells = tiny.sweep()
    for entry in FEW_POLICIES:
        for knobs in sweeps(entry, every=TINY.knob_values_every):
            mine = [cell for cell in cells if (cell.policy, cell.knobs) == (entry.name, knobs)]
            loads = Counter(load.name for cell in mine for load in cell.workloads)
            # What shares a quota has no view that holds out one.
            assert loads == ({"one/a": 1} if entry.divides else {"one/a": 1, "two/a": 1})
    assert {cell.fidelity for cell in cells} == {Fidelity.FLUID}


def test_knobs_are_chosen_with_one_seed_and_judged_with_all(tiny: Plan) -> None:
    several = Plan(replace(tiny.scope, seeds=(1, 2, 3)), tiny.series, FEW_POLICIES)
    chosen = {(entry.name, setting): entry.settings({}) for entry in FEW_POLICIES for setting in several.scope.settings}
    held = {(entry.name, one.name): entry.settings({}) for entry in FEW_POLICIES for one in several.series}

    def seeds(cells: list[Cell]) -> set[int]:
        return {load.seed for cell in cells for load in cell.workloads}

    assert seeds(several.sweep()) == {1}
    assert seeds(several.judge(chosen)) == seeds(several.held_out(held)) == {1, 2, 3}
    quotas = [cell for cell in several.judge(chosen) if cell.policy == "fair-share"]
    assert all(len({load.seed for load in cell.workloads}) == 1 for cell in quotas)


def test_services_that_share_a_quota_are_of_one_side(tiny: Plan) -> None:
    cells = [cell for cell in tiny.sweep() if cell.policy == "fair-share"]
    assert cells
    assert all(len(set(cell.splits)) == 1 for cell in cells)


@given(
    st.integers(1, 20).map(lambda hours: hours * 3600.0),
    st.sampled_from([1.0, 10.0, 60.0, 300.0]),
    st.floats(0.0, 0.999),
)
def test_the_judged_hours_lie_behind_the_past_around_the_largest_minute(
    length_seconds: float, step_seconds: float, peak_at: float
) -> None:
    counts = np.ones((1, int(length_seconds / step_seconds)))
    peak = int(peak_at * counts.shape[1])
    counts[0, peak] = 1e4
    trace = Trace(name="t", step_seconds=step_seconds, series=("a",), counts=counts, factor=np.ones(1))
    begin, seconds = _begin(trace, 5 * 3600.0), 5 * 3600.0
    assert 0.6 * trace.seconds <= begin < trace.seconds
    assert begin % 60.0 == 0.0
    fits = 3600.0 * np.ceil(0.6 * trace.seconds / 3600.0) + seconds <= trace.seconds
    if fits:
        assert begin % 3600.0 == 0.0
        assert begin + seconds <= trace.seconds
        if begin > 3600.0 * np.ceil(0.6 * trace.seconds / 3600.0):
            assert peak * step_seconds >= begin
        if peak * step_seconds >= begin:
            assert peak * step_seconds < begin + seconds


def test_a_key_is_another_one_for_another_setting_and_the_same_for_the_same(tiny: Plan) -> None:
    (cell, *others) = tiny.sweep()
    assert len({one.key for one in (cell, *others)}) == 1 + len(others)
    assert cell.key == replace(cell).key
    for change in ({"fidelity": Fidelity.ARRIVALS}, {"knobs": {"quantile": 0.123}}):
        assert replace(cell, **change).key != cell.key


def test_the_cheapest_setting_that_keeps_the_objective_is_chosen() -> None:
    runs = [
        run(knob={"target": 0.9}, violations=11, replica_hours=10.0),
        run(knob={"target": 0.6}, violations=9, replica_hours=12.0),
        run(knob={"target": 0.5}, violations=1, replica_hours=13.0),
    ]
    assert choose(runs).knobs == {"target": 0.6}
    assert choose(runs).keeps


def test_all_series_count_alike() -> None:
    small = run(requests=10, violations=1, series="t/small")
    large = run(requests=1_000_000, violations=0, series="t/large")
    assert choose([small, large]).violation_share == pytest.approx(0.05)


def test_where_none_keeps_it_the_fewest_late_requests_decide() -> None:
    found = choose([run(knob={"target": 0.9}, violations=500), run(knob={"target": 0.2}, violations=300)])
    assert (found.knobs, found.keeps) == ({"target": 0.2}, False)


@given(st.lists(st.tuples(st.integers(0, 1000), st.floats(1.0, 50.0)), min_size=1, max_size=8))
def test_no_setting_that_keeps_it_is_cheaper_than_the_chosen(points: list[tuple[int, float]]) -> None:
    runs = [
        run(knob={"target": float(place)}, violations=late, replica_hours=hours)
        for place, (late, hours) in enumerate(points)
    ]
    found = choose(runs)
    keeping = [hours for late, hours in points if late <= 10]
    if keeping:
        assert found.times_optimum == pytest.approx(min(keeping) / 10.0)
    else:
        assert found.violation_share == min(late for late, _ in points) / 1000


def test_seeds_are_joined_before_series() -> None:
    (found,) = summaries(
        [
            run(seed=1, violations=0),
            run(seed=2, violations=20),
            run(series="t/b", violations=100, replica_hours=30.0),
            run(series="t/b", violations=100, replica_hours=30.0),  # the same run once more
        ]
    )
    assert found.violation_share == pytest.approx((0.01 + 0.1) / 2)
    assert found.worst_share == pytest.approx(0.1)
    assert found.worst_series == "t/b"
    assert found.times_optimum == pytest.approx((1.2 * 3.0) ** 0.5)
    assert found.worst_times_optimum == pytest.approx(3.0)


def test_all_stages_end_in_pages_and_a_second_run_does_nothing_again(
    tiny: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "cells", workers=1)
    results = performed(tiny, store)
    assert results.below_the_bound == []
    assert {run["split"] for run in results.judge} == {"judge"}
    assert {run["fidelity"] for run in results.judge + results.held_out} == {"arrivals"}
    assert all(run["bound_replica_hours"] > 0.0 for run in results.runs)
    write(results, tmp_path / "pages")
    page = (tmp_path / "pages" / "scaling.md").read_text()
    assert "[two/a](scaling/two-a.md)" in page
    assert (tmp_path / "pages" / "scaling" / "two-a.png").stat().st_size > 10_000

    def never(self: Cell, progress: object) -> list[Any]:
        raise AssertionError("it is there already")

    monkeypatch.setattr(Cell, "perform", never)
    assert performed(tiny, store).runs == results.runs


def test_a_stopped_run_keeps_what_was_done(tiny: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = tiny.sweep()[:3]
    perform = Cell.perform
    done: list[str] = []

    def stopped(self: Cell, progress: Any) -> list[Any]:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(self.key)
        return perform(self, progress)

    monkeypatch.setattr(Cell, "perform", stopped)
    with pytest.raises(KeyboardInterrupt):
        Store(tmp_path, workers=1).performed(cells, "some")
    assert len(list(tmp_path.glob("*.json.gz"))) == 2
    assert list(tmp_path.glob("*.partial")) == []
    done.clear()
    assert len(Store(tmp_path, workers=1).performed(cells, "some")) == sum(len(cell.workloads) for cell in cells)
    assert len(done) == 1
