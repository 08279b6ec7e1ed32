"""What is said of the fluid: an error is told from chance, and what is exact is measured the same way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.scaling.cell import Stage
from bench.scaling.difference import BAR_COST, BAR_SHARE, Difference, Estimate
from bench.scaling.fidelity import OTHER_NOISE, REPEATED_SEED, _page, cells, compared
from bench.scaling.plan import FULL, SMALL, Plan
from bench.scaling.results import below_the_bound
from bench.scaling.split import read_split
from foretide.simulate.fidelity import Fidelity
from foretide.simulate.policies import POLICIES
from tests.bench.runs import run

PLAN = Plan(FULL, read_split(), tuple(POLICIES.values()))


def exact(**fields: Any) -> dict[str, Any]:
    """Request by request."""
    late = {"fidelity": "arrivals", "violations": 10, "replica_hours": 10.0}
    return run(**{"stage": Stage.FIDELITY, **late, **fields})


def three_ways(*, late: int, hours: float, again: int = 10, **fields: Any) -> list[dict[str, Any]]:
    """As a fluid, request by request, and again."""
    return [
        exact(fidelity="fluid", violations=late, replica_hours=hours, **fields),
        exact(**fields),
        exact(stage=Stage.REPEATED, violations=again, **fields),
    ]


def test_what_is_exact_is_repeated_with_other_batch_times_and_all_else_alike() -> None:
    for seed, stages in ((REPEATED_SEED, set(Stage) & {Stage.FIDELITY, Stage.REPEATED}), (2, {Stage.FIDELITY})):
        mine = [cell for cell in cells(PLAN, (seed,)) if cell.policy == "hpa"]
        assert {cell.stage for cell in mine} == stages
        loads: dict[tuple[Stage, Fidelity], list[Any]] = {}
        for cell in mine:
            loads.setdefault((cell.stage, cell.fidelity), []).extend(cell.workloads)
        exact = loads[Stage.FIDELITY, Fidelity.ARRIVALS]
        assert len(exact) == len(loads[Stage.FIDELITY, Fidelity.FLUID])
        assert {load.seed for load in exact} == {seed}
        assert {load.noise_seed for load in exact} == {0}
        usual = [load for load in exact if load.service.size == SMALL]  # the largest fleets are run once
        for load, other in zip(usual, loads.get((Stage.REPEATED, Fidelity.ARRIVALS), usual), strict=True):
            assert (load.name, load.seed, load.service) == (other.name, other.seed, other.service)
            assert other.noise_seed == (OTHER_NOISE if seed == REPEATED_SEED else 0)


def test_runs_are_compared_within_one_setting_over_all_its_series() -> None:
    runs = [
        one
        for size in (10, 200)
        for series in ("t/a", "t/b")
        for one in three_ways(late=12, hours=10.0 + size / 100, again=13, size=size, series=series)
    ]
    runs[0]["violations"] = 10
    found = {variation.size: one for (_, _, variation), one in compared(runs).items()}
    assert found[10].fluid.share.mean == pytest.approx(0.001)
    assert found[200].fluid.share.mean == pytest.approx(0.002)
    assert found[10].fluid.holds
    assert not found[200].fluid.holds  # a fifth more replica-hours
    assert found[10].repeated is not None
    assert found[10].repeated.share.mean == pytest.approx(0.003)


@pytest.mark.parametrize(
    ("late", "again", "holds", "excused"),
    [
        (12, 10, True, True),
        (40, 11, False, False),
        (40, 60, False, True),  # other batch times alone change more
        (40, 14, False, False),  # these miss the bar, too, and tell nothing of an error that is larger
    ],
)
def test_an_error_is_one_where_what_is_exact_holds(late: int, again: int, holds: bool, excused: bool) -> None:
    (found,) = compared(three_ways(late=late, hours=10.0, again=again)).values()
    assert found.fluid.holds is holds
    assert found.is_excused is excused


def difference(by_seed: list[list[float]]) -> Difference:
    """[seeds, series] of differences of shares that themselves differ by far more."""
    values = np.array(by_seed)
    expected = np.linspace(0.1, 0.3, values.size).reshape(values.shape)
    return Difference(expected + values, expected, np.ones_like(values), np.ones_like(values))


@pytest.mark.parametrize(
    ("differences", "holds", "is_open"),
    [
        ([[0.001, 0.002], [0.002, 0.003]], True, True),
        ([[0.010, 0.010], [0.010, 0.010]], False, False),  # the same with every seed is no chance
        ([[0.100, -0.080], [0.101, -0.081]], False, False),  # series may differ as they like
        ([[0.030, 0.001], [-0.020, 0.009]], False, True),
        ([[0.010, 0.020]], False, False),  # one seed tells nothing of chance
    ],
)
def test_only_what_differs_from_seed_to_seed_is_open(
    differences: list[list[float]], holds: bool, is_open: bool
) -> None:
    found = difference(differences)
    assert found.share.mean == pytest.approx(np.mean(differences))
    assert found.holds is holds
    assert found.may_be_within(BAR_SHARE, BAR_COST) is is_open


@given(st.integers(0, 2**32 - 1), st.integers(2, 5), st.integers(1, 8))
def test_the_interval_is_that_of_the_mean_over_seeds(seed: int, seeds: int, series: int) -> None:
    """It has the mean, does not know the levels of the series, and shrinks with chance."""
    values = np.random.default_rng(seed).normal(size=(seeds, series))
    levels = np.arange(series) * 7.0
    plain, shifted, doubled = Estimate.of(values), Estimate.of(values + levels), Estimate.of(2.0 * values)
    assert plain.half_width is not None
    assert shifted.half_width == pytest.approx(plain.half_width)
    assert shifted.mean == pytest.approx(plain.mean + levels.mean())
    assert doubled.half_width == pytest.approx(2.0 * plain.half_width)


def test_intervals_hold_what_they_say() -> None:
    """About 19 of 20 that are drawn hold the true mean, whether all series are noisy or one alone (of which the pooled
    degrees of freedom would promise 95 % and keep 74 %)."""
    random = np.random.default_rng(3)
    for noise in (np.ones(8), np.eye(8)[0], np.array([9.0, *[0.1] * 7])):
        found = [Estimate.of(noise * random.normal(size=(2, 8))) for _ in range(2_000)]
        assert np.mean([abs(one.mean) <= (one.half_width or 0.0) for one in found]) > 0.92


def test_over_all_is_one_value_a_seed_and_series() -> None:
    """The same runs in three settings tell no more of chance than those of one."""
    one = difference([[0.030, 0.001], [-0.020, 0.009]])
    thrice = Difference.over_all([one, one, one])
    assert thrice.share.mean == pytest.approx(one.share.mean)
    assert thrice.share.half_width == pytest.approx(one.share.half_width)


def test_a_run_below_the_bound_is_found() -> None:
    fine, wrong = (exact(bound_replica_hours=bound) for bound in (9.0, 11.0))
    assert below_the_bound([fine, wrong]) == [wrong]


def test_replica_hours_are_compared_in_sum() -> None:
    """A fleet that is twice as large on one small series is not twice as dear."""
    ours, theirs = np.array([[2.0, 99.0]]), np.array([[1.0, 99.0]])
    found = Difference(np.zeros((1, 2)), np.zeros((1, 2)), ours, theirs)
    assert found.cost.mean == pytest.approx(0.01)


def test_the_page_tells_misses_and_whether_they_are_chance() -> None:
    runs = [
        one
        for cell in cells(PLAN, (REPEATED_SEED,))
        if cell.stage is Stage.FIDELITY and cell.fidelity is Fidelity.FLUID
        for load in cell.workloads
        for one in three_ways(
            late=500 if cell.policy == "kpa" else 10,
            hours=10.0,
            policy=cell.policy,
            series=load.series,
            queue=str(load.service.queue),
            cold_start_seconds=load.service.cold_start.mean_seconds,
            size=load.service.size,
        )
    ]
    found = compared(runs)
    text = "\n".join(_page(found, PLAN, 1))
    settings = len(FULL.settings)
    assert f"{len(found) - settings} of {len(found)}" in text
    assert f"Of the {settings} cells of the fluid that miss the bar 0 are" in text
    kpa = [line for line in text.splitlines() if line.startswith("| kpa | ")]
    assert "**+49.00 (1.0%); +0.0%**" in kpa[0], "over all settings"
    assert kpa[1].count("**+49.00") == settings, "in each of them"
    assert kpa[2].count("+0.00 (1.0%)") == settings, "again"
