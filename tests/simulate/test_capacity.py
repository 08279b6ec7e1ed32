"""The rate at the SLO: closed forms, published numbers, and what has no answer."""

from __future__ import annotations

import math

import numpy as np
import pytest

from foretide.simulate import capacity
from foretide.simulate.capacity import Infeasible, rate_at_slo, share_in_time
from foretide.simulate.scenario import Lane, Law, Noise, Queue, Routing
from tests.simulate.worlds import LAW

# Of the table of measured capacities: tau(b) = 1.2 ms b + 4.5 ms, at most eight items.
SMALL = Law(
    per_item_seconds=0.0012,
    fixed_seconds=0.0045,
    max_batch=8,
    noise_cv=0.0,
    between_batches_seconds=0.0,
    overhead_seconds=0.0,
)
EXPONENTIAL = Law(
    per_item_seconds=0.01,
    fixed_seconds=0.0,
    max_batch=1,
    noise=Noise.EXPONENTIAL,
    between_batches_seconds=0.0,
    overhead_seconds=0.0,
)


@pytest.fixture
def few_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """For what does not depend on precision."""
    monkeypatch.setattr(capacity, "REQUESTS", 30_000)
    monkeypatch.setattr(capacity, "REQUESTS_THEN", 10_000)
    monkeypatch.setattr(capacity, "REQUESTS_AT_FIRST", 5_000)


def test_it_is_what_the_closed_form_of_one_exponential_server_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time in an M/M/1 queue is exponential with rate mu - lambda."""
    monkeypatch.setattr(capacity, "REQUESTS", 300_000)
    rate = rate_at_slo(EXPONENTIAL, slo_latency_seconds=0.25, objective=0.99, queue=Queue())
    assert rate == pytest.approx(100.0 - math.log(100.0) / 0.25, rel=0.02)


@pytest.mark.parametrize(("slo", "cv", "published"), [(0.025, 1.0, 352.0), (0.025, 2.0, 243.0)])
def test_it_is_what_another_simulation_of_batches_found(slo: float, cv: float, published: float) -> None:
    """Theirs had one seed of 60,000 arrivals, which is good for some per cent."""
    rate = rate_at_slo(SMALL, slo_latency_seconds=slo, objective=0.99, queue=Queue(), arrival_cv=cv)
    assert rate == pytest.approx(published, rel=0.03)


def test_a_little_less_keeps_the_objective_and_a_little_more_does_not() -> None:
    rate = rate_at_slo(LAW, slo_latency_seconds=0.25, objective=0.99, queue=Queue())

    def share(factor: float) -> float:
        return share_in_time(
            Lane(
                name="other arrivals",
                seed=7,
                rates_rps=np.array([rate * factor]),
                step_seconds=6_000.0,
                law=LAW,
                slo_latency_seconds=0.25,
                initial_replicas=1,
            )
        )

    assert share(0.98) > 0.99 > share(1.02)


@pytest.mark.usefixtures("few_requests")
def test_the_same_question_has_the_same_answer() -> None:
    one, other = (rate_at_slo(LAW, slo_latency_seconds=0.25, objective=0.99, queue=Queue()) for _ in range(2))
    assert one == other


@pytest.mark.usefixtures("few_requests")
def test_replicas_that_share_their_queue_bear_more_each() -> None:
    alone = rate_at_slo(LAW, slo_latency_seconds=0.25, objective=0.99, queue=Queue())
    together = rate_at_slo(
        LAW, slo_latency_seconds=0.25, objective=0.99, queue=Queue(), replicas=4, routing=Routing.ROUND_ROBIN
    )
    assert 1.1 * alone < together < LAW.saturation_rps


@pytest.mark.usefixtures("few_requests")
def test_what_is_refused_is_not_in_time() -> None:
    """Half of the requests in time, by refusing the others: no more than twice what can be served."""
    queue = Queue(timeout_seconds=0.125, max_size=2_000)
    rate = rate_at_slo(LAW, slo_latency_seconds=0.25, objective=0.5, queue=queue)
    assert 1.5 * LAW.saturation_rps < rate < 2.0 * LAW.saturation_rps


@pytest.mark.usefixtures("few_requests")
def test_a_single_request_that_is_too_late_has_no_rate_instead_of_0() -> None:
    with pytest.raises(Infeasible, match=r"one request alone takes 51\.2 ms") as caught:
        rate_at_slo(LAW, slo_latency_seconds=0.05, objective=0.99, queue=Queue())
    assert caught.value.single_request_seconds == pytest.approx(0.0512)


@pytest.mark.usefixtures("few_requests")
def test_the_reason_is_not_a_single_request_that_is_in_time() -> None:
    """A second one that comes while the first one runs is late, however few they are."""
    reason = "99.99 % of the requests within 60 ms: one request alone takes 51.2 ms, and too many meet others"
    with pytest.raises(Infeasible, match=reason):
        rate_at_slo(LAW, slo_latency_seconds=0.06, objective=0.9999, queue=Queue())


@pytest.mark.parametrize(("objective", "late", "error"), [(0.9999, 300, 0.03), (0.99999, 10, 0.15)])
def test_a_high_objective_is_found_among_enough_requests(
    objective: float, late: int, error: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LATE", "LATE_THEN", "LATE_AT_FIRST"):
        monkeypatch.setattr(capacity, name, min(late, getattr(capacity, name)))
    rate = rate_at_slo(EXPONENTIAL, slo_latency_seconds=0.25, objective=objective, queue=Queue())
    assert rate == pytest.approx(100.0 + math.log(1.0 - objective) / 0.25, rel=error)


@pytest.mark.parametrize("objective", [0.0, 0.999999, 1.0, math.nan])
def test_an_objective_is_a_share_that_can_be_counted(objective: float) -> None:
    with pytest.raises(ValueError, match=f"objective must be above 0 and at most 0.99999, not {objective}"):
        rate_at_slo(LAW, slo_latency_seconds=0.25, objective=objective, queue=Queue())
