"""A seed says all of a soak: who is hurt when, how, and for how long."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from e2e.faults import soak

SEEDS = st.integers(min_value=0, max_value=2**32)


@given(SEEDS)
def test_a_seed_reproduces_its_plan(seed: int) -> None:
    assert soak.plan(seed, 1_800.0) == soak.plan(seed, 1_800.0)


@given(SEEDS)
def test_a_longer_soak_begins_like_a_shorter_one(seed: int) -> None:
    short, long = soak.plan(seed, 600.0), soak.plan(seed, 3_600.0)
    assert long[: len(short)] == short


@given(SEEDS)
def test_a_plan_fits_into_its_time_and_names_what_there_is(seed: int) -> None:
    steps = soak.plan(seed, 3_600.0)
    assert sum(step.calm_seconds + step.seconds for step in steps) <= 3_600.0
    assert {step.fault for step in steps} <= soak.FAULTS.keys()
    assert len({step.fault for step in steps}) > len(soak.FAULTS) / 2
    assert all(0 <= step.service < soak.SERVICES == len(step.loads_rps) for step in steps)
