"""Queueing results against printed tables, other formulas and exact arithmetic."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.simulate.closed_forms import (
    DeterministicQueue,
    MarkovQueue,
    allen_cunneen_wait_seconds,
    batch_sojourn_bound_seconds,
    erlang_c,
)

loads = st.floats(0.05, 0.97)


@pytest.mark.parametrize(
    ("servers", "offered", "expected"),
    [
        (1, 0.7, 0.7),  # M/M/1: rho
        (2, 1.0, 1 / 3),
        (3, 2.0, 4 / 9),
        (10, 8.0, 0.4092),
        (12, 10.0, 0.4494),
    ],
)
def test_erlang_c_is_as_tables_have_it(servers: int, offered: float, expected: float) -> None:
    assert erlang_c(servers, offered) == pytest.approx(expected, abs=5e-5)


def test_erlang_c_is_its_definition() -> None:
    """a^c/c! c/(c-a) over the sum of a^k/k! and itself, in fractions."""
    servers, offered = 100, 90
    queue = Fraction(offered**servers, math.factorial(servers)) * Fraction(servers, servers - offered)
    idle = sum(Fraction(offered**k, math.factorial(k)) for k in range(servers))
    assert erlang_c(servers, offered) == pytest.approx(float(queue / (idle + queue)), rel=1e-12)


def test_erlang_c_of_a_thousand_servers_does_not_overflow() -> None:
    assert 0.0 < erlang_c(1000, 990.0) < 1.0


@pytest.mark.parametrize(("servers", "offered"), [(0, 0.0), (2, 2.0), (2, -0.1), (2, math.nan)])
def test_erlang_c_beyond_capacity_is_refused(servers: int, offered: float) -> None:
    with pytest.raises(ValueError, match="offered"):
        erlang_c(servers, offered)


@given(loads, st.floats(0.0, 20.0))
def test_the_sojourn_of_mm1_is_exponential(load: float, seconds: float) -> None:
    queue = MarkovQueue(arrival_rps=load, service_rps=1.0)
    assert queue.mean_sojourn_seconds == pytest.approx(1.0 / (1.0 - load))
    assert queue.sojourn_beyond(seconds) == pytest.approx(math.exp(-(1.0 - load) * seconds), abs=1e-6)


@given(loads, st.integers(1, 30))
def test_the_tails_of_mmc_hold_its_means(load: float, servers: int) -> None:
    """The mean is the integral of the tail."""
    queue = MarkovQueue(arrival_rps=load * servers, service_rps=1.0, servers=servers)
    at = np.linspace(0.0, 40.0 + 40.0 / ((1.0 - load) * servers), 40_000)
    sojourn = np.trapezoid([queue.sojourn_beyond(t) for t in at[::10]], at[::10])
    assert sojourn == pytest.approx(queue.mean_sojourn_seconds, rel=1e-3)
    assert queue.waits / ((1.0 - load) * servers) == pytest.approx(queue.mean_wait_seconds)


def test_the_sojourn_of_mmc_where_its_two_rates_meet() -> None:
    """c mu - lambda = mu: the general formula divides by zero there."""
    at, near = (MarkovQueue(arrival_rps=rate, service_rps=1.0, servers=2) for rate in (1.0, 1.00001))
    assert at.sojourn_beyond(2.0) == pytest.approx(near.sojourn_beyond(2.0), abs=1e-4)


@given(loads, st.integers(1, 30), st.sampled_from([0.5, 0.9, 0.99]))
def test_the_wait_quantile_of_mmc_is_where_the_tail_is(load: float, servers: int, share: float) -> None:
    queue = MarkovQueue(arrival_rps=load * servers, service_rps=1.0, servers=servers)
    wait = queue.wait_quantile_seconds(share)
    assert queue.wait_beyond(wait) == pytest.approx(min(1.0 - share, queue.waits))


def test_nobody_waits_where_nobody_comes() -> None:
    assert MarkovQueue(arrival_rps=0.0, service_rps=1.0).wait_quantile_seconds(0.99) == 0.0
    idle = DeterministicQueue(arrival_rps=0.0, service_seconds=1.0)
    assert idle.wait_beyond(0.0) == idle.wait_quantile_seconds(0.99) == 0.0
    assert idle.in_system(2).tolist() == [1.0, 0.0, 0.0]


def erlang_series(load: float, at: float) -> float:
    """P(wait <= at D) of M/D/1 as Erlang wrote it, in 80 digits because it alternates."""
    with localcontext() as exact:
        exact.prec = 80
        rho, x = Decimal(load), Decimal(at)
        later = ((-rho * (x - k)) ** k / math.factorial(k) * (rho * (x - k)).exp() for k in range(1, int(at) + 1))
        return float((1 - rho) * sum(later, start=(rho * x).exp()))


@pytest.mark.parametrize("load", [0.1, 0.5, 0.8, 0.95])
@pytest.mark.parametrize("at", [0.0, 0.3, 1.0, 2.5, 7.9, 25.25, 60.0])
def test_the_wait_of_md1_is_erlangs_series(load: float, at: float) -> None:
    queue = DeterministicQueue(arrival_rps=load / 2.0, service_seconds=2.0)
    assert queue.wait_beyond(2.0 * at) == pytest.approx(1.0 - erlang_series(load, at), abs=1e-11)
    assert queue.sojourn_beyond(2.0 * at + 2.0) == queue.wait_beyond(2.0 * at)


def test_the_first_states_of_md1_are_as_formulas_have_them() -> None:
    e = math.exp(0.5)
    expected = [1.0, e - 1.0, e**2 - 1.5 * e, e**3 - 2.0 * e**2 + 0.625 * e]
    found = DeterministicQueue(arrival_rps=0.5, service_seconds=1.0).in_system(3)
    assert found == pytest.approx([0.5 * state for state in expected], rel=1e-12)


@given(st.floats(0.02, 0.98))
def test_the_states_of_md1_sum_to_one_and_to_the_mean(load: float) -> None:
    queue = DeterministicQueue(arrival_rps=load, service_seconds=1.0)
    states = queue.in_system(1500)
    assert states.sum() == pytest.approx(1.0, abs=1e-9)
    # Little: mean number in the system = rate x mean sojourn.
    assert states @ np.arange(1501) == pytest.approx(load * queue.mean_sojourn_seconds, rel=1e-6)


@given(loads)
def test_the_tail_of_md1_holds_its_mean(load: float) -> None:
    queue = DeterministicQueue(arrival_rps=load, service_seconds=1.0)
    assert queue.wait_beyond(0.0) == pytest.approx(load)
    at = np.linspace(0.0, 20.0 / (1.0 - load), 1000)
    tail = [queue.wait_beyond(t) for t in at]
    assert np.all(np.diff(tail) <= 1e-12)
    assert np.trapezoid(tail, at) == pytest.approx(queue.mean_wait_seconds, rel=0.01, abs=1e-3)


@pytest.mark.parametrize("share", [0.3, 0.9, 0.99, 0.999])
def test_the_wait_quantile_of_md1_is_where_the_tail_is(share: float) -> None:
    queue = DeterministicQueue(arrival_rps=40.0, service_seconds=0.02)
    wait = queue.wait_quantile_seconds(share)
    assert queue.wait_beyond(wait) <= 1.0 - share + 1e-9
    assert wait == pytest.approx(0.0) or queue.wait_beyond(wait - 1e-6) > 1.0 - share


def test_no_queue_has_a_steady_state_at_its_capacity() -> None:
    with pytest.raises(ValueError, match="load"):
        MarkovQueue(arrival_rps=2.0, service_rps=1.0, servers=2)
    with pytest.raises(ValueError, match="load"):
        MarkovQueue(arrival_rps=2.0, service_rps=0.0)
    with pytest.raises(ValueError, match="load"):
        DeterministicQueue(arrival_rps=1.0, service_seconds=1.0)
    with pytest.raises(ValueError, match="load"):
        batch_sojourn_bound_seconds(arrival_rps=100.0, per_item_seconds=0.01, fixed_seconds=0.0)


def mean_sojourn_of_batches(rate: float, *, a: float, t0: float, most: int = 400) -> float:
    """Exact, by the Markov chain of batch sizes: the next batch is all who came during this one, or else one."""
    sizes = np.arange(1, most + 1)
    mean = rate * (a * sizes + t0)
    ks = np.arange(most + 1)
    log_factorial = np.cumsum(np.log(np.maximum(ks, 1)))
    came = np.exp(ks * np.log(mean)[:, None] - mean[:, None] - log_factorial)
    steps = came[:, 1:].copy()
    steps[:, 0] += came[:, 0]
    share = np.full(most, 1.0 / most)
    for _ in range(500):
        share = share @ steps
        share /= share.sum()
    # Who comes during a batch waits half of it on average, then his own batch; who finds it idle, a batch of one.
    waits = share @ (mean * (a * sizes + t0) / 2.0)
    serves = share @ (came @ (ks * (a * ks + t0))) + (share @ came[:, 0]) * (a + t0)
    return float((waits + serves) / (share @ (mean + came[:, 0])))


@pytest.mark.parametrize("load", [0.05, 0.2, 0.5, 0.8, 0.95])
@pytest.mark.parametrize(("a", "t0"), [(0.0012, 0.0045), (0.0004, 0.006), (0.004, 0.002)])
def test_inoues_bound_is_above_the_exact_mean_and_near_it(load: float, a: float, t0: float) -> None:
    rate = load / a
    exact = mean_sojourn_of_batches(rate, a=a, t0=t0)
    bound = batch_sojourn_bound_seconds(arrival_rps=rate, per_item_seconds=a, fixed_seconds=t0)
    assert exact * (1 - 1e-6) <= bound <= 1.09 * exact


def test_allen_cunneen_is_exact_where_it_should_be() -> None:
    markov = MarkovQueue(arrival_rps=7.0, service_rps=1.0, servers=9)
    assert markov.mean_wait_seconds == allen_cunneen_wait_seconds(
        arrival_rps=7.0, service_rps=1.0, servers=9, arrival_cv=1.0, service_cv=1.0
    )
    fixed = allen_cunneen_wait_seconds(arrival_rps=0.7, service_rps=1.0, servers=1, arrival_cv=1.0, service_cv=0.0)
    assert fixed == pytest.approx(DeterministicQueue(arrival_rps=0.7, service_seconds=1.0).mean_wait_seconds)
