"""The quota against an exact solver, and the promises that make it bearable for those who get less."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import LinearConstraint, milp

from foretide.scaling.arbitrate import NO_QUOTA, Claims, Worth, grant
from foretide.scaling.arrays import Bools, Floats, Ints
from tests.scaling.build import bools, floats, ints
from tests.scaling.strategies import often, seeds

# A solver takes some milliseconds a case.
solved = settings(deadline=None, max_examples=15)
POINTS: Final = 6


@dataclass(frozen=True, kw_only=True, eq=False)
class Excess:
    """What demand exceeds capacity by is lost, weight x E[(D - n rate)+] / E[D]: convex, and easy to think about."""

    demand_rps: Floats  # [services, points], each as likely as the others
    rate_rps: Floats
    weight: Floats
    known: Bools

    def lost(self, rows: Ints, replicas: Ints) -> Floats:
        over = np.maximum(self.demand_rps[rows] - (replicas * self.rate_rps[rows])[:, None], 0.0).mean(axis=1)
        lost: Floats = self.weight[rows] * over / self.demand_rps[rows].mean(axis=1)
        return lost

    def saved(self, row: Ints, number: Ints) -> Floats:
        saved: Floats = np.maximum(self.lost(row, number - 1) - self.lost(row, number), 0.0)
        return saved.astype(np.float32).astype(np.float64)


WORTH: Worth = Excess(demand_rps=np.ones((1, 1)), rate_rps=floats(1.0), weight=floats(1.0), known=bools(True))


def claims(
    *desired: int, priority: Ints | None = None, minimum: Ints | None = None, running: Ints | None = None
) -> Claims:
    """All in group 0, of one priority, with no minimum and nothing running."""
    none = np.zeros(len(desired), dtype=np.int64)
    return Claims(
        group=none,
        priority=none if priority is None else priority,
        desired=np.array(desired, dtype=np.int64),
        minimum=none if minimum is None else minimum,
        running=none if running is None else running,
    )


def constant(*demand: float, weight: Floats | None = None) -> Excess:
    """Demands that are certain, for replicas of 10 rps: each whole replica saves 10 / demand of the weight."""
    return Excess(
        demand_rps=np.array(demand).reshape(-1, 1),
        rate_rps=np.full(len(demand), 10.0),
        weight=np.array(demand) if weight is None else weight,
        known=np.ones(len(demand), dtype=np.bool_),
    )


def random_case(seed: int, services: int = 8, groups: int = 1) -> tuple[Claims, Excess, Ints]:
    random = np.random.default_rng(seed)
    demand = random.gamma(1.5, 30.0, (services, POINTS))
    wanted = random.integers(0, 12, services)
    case = Claims(
        group=random.integers(NO_QUOTA, groups, services) if groups > 1 else np.zeros(services, dtype=np.int64),
        priority=random.integers(0, 3, services),
        desired=wanted,
        minimum=random.integers(0, 3, services),
        running=random.integers(0, 12, services),
    )
    curves = Excess(
        demand_rps=demand,
        rate_rps=random.uniform(3.0, 30.0, services),
        weight=random.uniform(1.0, 1e4, services),
        known=random.random(services) < 0.75,
    )
    return case, curves, random.integers(0, max(2, int(wanted.sum())), groups)


def guaranteed(case: Claims, curves: Excess) -> Ints:
    """Minimums, and what runs where demand is unknown."""
    return np.minimum(np.maximum(case.minimum, np.where(curves.known, 0, case.running)), case.desired)


def without_guarantees(case: Claims, curves: Excess, quota: Ints) -> tuple[Claims, Excess, Ints]:
    nothing = np.zeros_like(case.minimum)
    return replace(case, minimum=nothing), replace(curves, known=np.ones_like(curves.known)), quota


def late(curves: Excess, replicas: Ints) -> float:
    return float(curves.lost(np.arange(len(replicas)), replicas).sum())


def fewest_late(case: Claims, curves: Excess, quota: int) -> float:
    """By HiGHS: each service takes one of the counts from what is guaranteed to what is desired. Convex or not."""
    low = guaranteed(case, curves)
    choices = [(row, count) for row in range(len(case)) for count in range(low[row], case.desired[row] + 1)]
    row, count = np.array(choices).T
    late_requests = curves.lost(row, count)
    once = (row == np.arange(len(case))[:, None]).astype(float)
    found = milp(
        late_requests,
        integrality=np.ones(len(row)),
        bounds=(0.0, 1.0),
        constraints=[LinearConstraint(once, 1.0, 1.0), LinearConstraint(count[None].astype(float), -np.inf, quota)],
        options={"mip_rel_gap": 0.0},
    )
    assert found.success
    return float(found.fun)


def total(case: Claims, granted: Ints, group: int = 0) -> int:
    return int(granted[case.group == group].sum())


def test_where_the_quota_is_enough_all_get_what_they_desire() -> None:
    assert grant(claims(3, 4), constant(30.0, 40.0), quota=ints(7)).tolist() == [3, 4]


def test_a_replica_goes_where_it_saves_the_most_requests() -> None:
    """25 rps want three replicas: the third saves half of what a full one does."""
    assert grant(claims(3, 2), constant(25.0, 20.0), quota=ints(4)).tolist() == [2, 2]


def test_weight_is_the_requests_that_are_expected() -> None:
    curves = constant(20.0, 20.0, weight=floats(1.0, 1_000.0))
    assert grant(claims(2, 2), curves, quota=ints(2)).tolist() == [0, 2]


def test_what_saves_nothing_comes_last() -> None:
    curves = constant(20.0, 20.0, weight=floats(0.0, 1e-3))
    assert grant(claims(2, 2), curves, quota=ints(3)).tolist() == [1, 2]


def test_a_higher_priority_is_met_first_whatever_the_others_lose() -> None:
    case = claims(3, 3, priority=ints(-5, 100))
    assert grant(case, constant(3_000.0, 1.0), quota=ints(4)).tolist() == [1, 3]


def test_no_priority_takes_the_minimum_of_another() -> None:
    case = claims(5, 5, priority=ints(0, 100), minimum=ints(2, 1))
    assert grant(case, constant(50.0, 50.0), quota=ints(6)).tolist() == [2, 4]


def test_minimums_that_exceed_the_quota_are_filled_by_priority_then_evenly() -> None:
    case = claims(9, 9, 9, priority=ints(0, 7, 0), minimum=ints(4, 2, 4))
    curves = constant(90.0, 90.0, 9_000.0)
    assert grant(case, curves, quota=ints(1)).tolist() == [0, 1, 0]
    assert grant(case, curves, quota=ints(6)).tolist() == [2, 2, 2]
    assert grant(case, curves, quota=ints(7)).tolist() == [3, 2, 2]
    running = replace(case, running=ints(0, 0, 9))
    assert grant(running, curves, quota=ints(7)).tolist() == [2, 2, 3]


def test_ties_keep_what_runs_and_then_go_to_the_lower_row() -> None:
    curves = constant(30.0, 30.0, 30.0)
    assert grant(claims(3, 3, 3), curves, quota=ints(4)).tolist() == [3, 1, 0]
    assert grant(claims(3, 3, 3, running=ints(0, 1, 3)), curves, quota=ints(5)).tolist() == [1, 1, 3]


def test_what_runs_counts_for_nothing_else() -> None:
    case = claims(3, 3, running=ints(3, 0))
    assert grant(case, constant(29.0, 30.0, weight=floats(1.0, 2.0)), quota=ints(3)).tolist() == [0, 3]


def test_an_unknown_demand_keeps_what_runs_and_grows_last() -> None:
    unknown = replace(constant(1e6, 1.0), known=bools(True, False))
    case = claims(9, 5, running=ints(9, 3))
    assert grant(case, unknown, quota=ints(8)).tolist() == [5, 3]
    assert grant(case, unknown, quota=ints(13)).tolist() == [9, 4]


def test_where_the_demand_is_a_lower_bound_what_it_shows_counts_for_growth() -> None:
    """Some pods are silent: two run, and each more is worth more than any of the neighbour."""
    bound = replace(constant(90.0, 90.0, weight=floats(1.0, 1e3)), known=bools(True, False))
    assert grant(claims(9, 5, running=ints(4, 2)), bound, quota=ints(7)).tolist() == [2, 5]


def test_what_runs_unknown_is_taken_neither_for_another_want_nor_for_another_minimum() -> None:
    unknown = replace(constant(50.0, 100.0), known=bools(False, True))
    higher = claims(5, 10, priority=ints(0, 1), minimum=ints(1, 1), running=ints(5, 1))
    assert grant(higher, unknown, quota=ints(9)).tolist() == [5, 4]
    assert grant(replace(higher, minimum=ints(1, 4)), unknown, quota=ints(9)).tolist() == [5, 4]


def test_below_all_that_is_guaranteed_it_goes_by_priority_then_evenly() -> None:
    unknown = replace(constant(50.0, 100.0), known=bools(False, True))
    case = claims(5, 10, minimum=ints(1, 3), running=ints(5, 1))
    # The first of each, then the second, then the third; a tie keeps what runs.
    assert [grant(case, unknown, quota=ints(quota)).tolist() for quota in (1, 2, 3, 5, 7)] == [
        [1, 0], [1, 1], [2, 1], [3, 2], [4, 3],
    ]  # fmt: skip
    higher = replace(case, priority=ints(0, 1))
    assert [grant(higher, unknown, quota=ints(quota)).tolist() for quota in (3, 7)] == [[0, 3], [4, 3]]


def test_groups_are_apart_and_without_a_quota_nothing_is_cut() -> None:
    case = replace(claims(4, 4, 4, 4), group=ints(1, NO_QUOTA, 0, 1))
    assert grant(case, constant(40.0, 40.0, 40.0, 40.0), quota=ints(2, 8)).tolist() == [4, 4, 2, 4]


@pytest.mark.parametrize("quota", [0, -3])
def test_a_quota_of_nothing_grants_nothing(quota: int) -> None:
    assert grant(claims(2), constant(30.0), quota=ints(quota)).tolist() == [0]


@pytest.mark.parametrize("group", [1, -2])
def test_a_group_that_has_no_quota_is_refused(group: int) -> None:
    with pytest.raises(ValueError, match="groups must be from -1 to 0"):
        grant(replace(claims(1), group=ints(group)), constant(1.0), quota=ints(3))


def test_nobody_and_no_quota_at_all_are_no_fault() -> None:
    assert len(grant(claims(), constant(), quota=ints())) == 0
    assert grant(replace(claims(3), group=ints(NO_QUOTA)), constant(9.0), quota=ints()).tolist() == [3]


@solved
@given(seeds)
def test_no_solver_finds_fewer_late_requests(seed: int) -> None:
    case, curves, quota = random_case(seed)
    case = replace(case, priority=np.zeros_like(case.priority))
    enough = max(int(quota[0]), int(guaranteed(case, curves).sum()))
    granted = grant(case, curves, quota=ints(enough))
    assert late(curves, granted) == pytest.approx(fewest_late(case, curves, enough), rel=1e-6, abs=1e-6)


@solved
@given(seeds)
def test_within_each_priority_no_solver_finds_fewer_either(seed: int) -> None:
    """What the higher priorities left is shared best among the next."""
    case, curves, quota = without_guarantees(*random_case(seed))
    granted, left = grant(case, curves, quota=quota), int(quota[0])
    for priority in (2, 1, 0):
        rows = np.flatnonzero(case.priority == priority)
        if len(rows):
            mine = Claims(**{name: getattr(case, name)[rows] for name in Claims.__slots__})
            own = Excess(**{name: getattr(curves, name)[rows] for name in Excess.__dataclass_fields__})
            assert late(own, granted[rows]) == pytest.approx(fewest_late(mine, own, left), rel=1e-6, abs=1e-6)
        left -= int(granted[rows].sum())


@often
@given(seeds)
def test_a_quota_is_used_and_never_exceeded(seed: int) -> None:
    case, curves, quota = random_case(seed, services=40, groups=4)
    granted = grant(case, curves, quota=quota)
    assert ((granted >= 0) & (granted <= case.desired)).all()
    assert (granted[case.group == NO_QUOTA] == case.desired[case.group == NO_QUOTA]).all()
    low = guaranteed(case, curves)
    for group, most in enumerate(quota):
        assert total(case, granted, group) == min(most, total(case, case.desired, group))
        mine = case.group == group
        if low[mine].sum() <= most:
            assert (granted >= low)[mine].all()
        else:
            assert (granted <= low)[mine].all()


@often
@given(seeds, st.integers(1, 20))
def test_more_quota_takes_a_replica_from_nobody(seed: int, more: int) -> None:
    case, curves, quota = random_case(seed, services=20, groups=2)
    less, after = (grant(case, curves, quota=each) for each in (quota, quota + more))
    assert (after >= less).all()


@often
@given(seeds)
def test_nothing_granted_saves_less_than_what_is_refused(seed: int) -> None:
    case, curves, quota = without_guarantees(*random_case(seed))
    case = replace(case, priority=np.zeros_like(case.priority))
    rows, got = np.arange(len(case)), grant(case, curves, quota=quota)
    last = curves.lost(rows, np.maximum(got - 1, 0)) - curves.lost(rows, got)
    more = (curves.lost(rows, got) - curves.lost(rows, got + 1))[got < case.desired]
    assert (last[got > 0][:, None] >= more * (1.0 - 1e-6)).all()


@often
@given(seeds)
def test_the_order_of_rows_plays_no_part(seed: int) -> None:
    """But in ties: what is guaranteed is left out here, for it is filled one by one."""
    case, curves, quota = without_guarantees(*random_case(seed, services=20, groups=2))
    shuffled = np.random.default_rng(seed).permutation(20)
    other = Claims(**{name: getattr(case, name)[shuffled] for name in Claims.__slots__})
    moved = Excess(**{name: getattr(curves, name)[shuffled] for name in Excess.__dataclass_fields__})

    def served(granted: Ints, shapes: Excess) -> Floats:
        # Replicas that save nothing are all equal, and the lower row gets them.
        useful = np.ceil(shapes.demand_rps.max(axis=1) / shapes.rate_rps)
        least: Floats = np.minimum(granted, useful)
        return least

    one, two = grant(case, curves, quota=quota), grant(other, moved, quota=quota)
    assert (served(one, curves)[shuffled] == served(two, moved)).all()
    assert (grant(case, curves, quota=quota) == one).all()


def test_one_service_that_wants_the_world_costs_no_more_than_its_quota() -> None:
    case = claims(2**62, 3)
    assert grant(case, constant(1e9, 30.0), quota=ints(5)).sum() == 5
