"""What share of the answers was late, from buckets and from quantiles: never more sure than they are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.scaling.arrays import Floats
from foretide.scaling.readings import Readings
from foretide.scaling.sli import Buckets, Quantiles, Sli, Source, late_by_quantiles, late_in_buckets, of_services
from foretide.serving.latency_metrics import BOUNDS, QUANTILES
from tests.scaling.build import floats, ints
from tests.scaling.strategies import any_float, often, seeds, seldom

SLO = 0.1
TOLD = tuple(QUANTILES)


def buckets(latencies: Floats, *bounds: float, pod: int = 0) -> Buckets:
    """As a histogram tells them of one pod, in any order: here the last first."""
    edges = np.array([np.inf, *bounds[::-1]])
    counts = np.array([(latencies <= edge).sum() for edge in edges], dtype=np.float64)
    return Buckets(pod=np.full(len(edges), pod), bound_seconds=edges, rate_rps=counts / 30.0)


def quantiles(latencies: Floats, *, pod: int = 0) -> Quantiles:
    """As a summary tells them of one pod, without its error."""
    told = np.array(TOLD[::-1])
    return Quantiles(
        pod=np.full(len(told), pod),
        quantile=told,
        latency_seconds=np.quantile(latencies, told, method="inverted_cdf"),
    )


def late(points: Buckets | Quantiles, *slos: float) -> list[float | None]:
    """Share late of the only pod for each of these SLOs."""
    found = []
    for slo in slos:
        if isinstance(points, Buckets):
            share = late_in_buckets(points, slo_latency_seconds=floats(slo))
        else:
            share = late_by_quantiles(points, slo_latency_seconds=floats(slo))
        found.append(float(share.value[0]) if share.known[0] else None)
    return found


def answered(seed: int, requests: int = 20_000) -> Floats:
    """Latencies as queues make them: most are short, some wait, a few wait long."""
    random = np.random.default_rng(seed)
    waiting = random.exponential(random.uniform(0.001, 0.2), requests) * (random.random(requests) < random.random())
    return random.uniform(0.001, 0.1) + random.gamma(4.0, random.uniform(0.0005, 0.01), requests) + waiting


def test_where_the_slo_is_a_bound_the_share_is_exact() -> None:
    latencies = answered(1)
    bounds = [SLO * share for share in BOUNDS]
    assert late(buckets(latencies, *bounds), SLO) == pytest.approx([np.mean(latencies > SLO)])


@pytest.mark.parametrize("text", ["33.3", "1.5", "0.1", "123456.789", "100"])
def test_a_bound_that_comes_back_as_text_is_still_the_slo(text: str) -> None:
    slo = float(text) / 1_000.0
    told = Buckets(pod=ints(0, 0), bound_seconds=floats(float(text), np.inf) / 1_000, rate_rps=floats(9.0, 10.0))
    assert late(told, slo * (1 + 1e-12), slo * (1 - 1e-12)) == pytest.approx([0.1, 0.1])


def test_between_two_bounds_all_of_the_bucket_is_late() -> None:
    latencies = np.concatenate((np.full(90, 0.04), np.full(9, 0.12), np.full(1, 0.5)))
    assert late(buckets(latencies, 0.05, 0.1, 0.2), 0.199, 0.2, 0.3, 0.01) == pytest.approx([0.1, 0.01, 0.01, 1.0])


def test_what_no_bucket_counted_is_unknown() -> None:
    nothing = Buckets(pod=ints(), bound_seconds=floats(), rate_rps=floats())
    assert late(nothing, SLO) == [None]
    assert late(buckets(np.zeros(0), 0.05, 0.1), SLO) == [None]
    without_end = Buckets(pod=ints(0), bound_seconds=floats(0.1), rate_rps=floats(5.0))
    assert late(without_end, SLO) == [None]


@pytest.mark.parametrize("broken", [np.nan, -1.0, np.inf])
def test_one_bucket_that_is_no_number_makes_all_unknown(broken: float) -> None:
    told = Buckets(pod=ints(0, 0, 0), bound_seconds=floats(0.05, 0.1, np.inf), rate_rps=floats(1.0, broken, 3.0))
    assert late(told, SLO) == [None]


def test_an_slo_that_is_a_quantile_has_its_share() -> None:
    told = Quantiles(pod=ints(0, 0, 0), quantile=floats(0.99, 0.5, 0.9), latency_seconds=floats(0.4, 0.05, 0.1))
    assert late(told, 0.05, 0.1, 0.4) == pytest.approx([0.5, 0.1, 0.01])


def test_between_quantiles_the_tail_falls_by_the_same_factor_for_the_same_time() -> None:
    told = Quantiles(pod=ints(0, 0), quantile=floats(0.9, 0.99), latency_seconds=floats(0.1, 0.3))
    assert late(told, 0.2, 0.4, 0.5) == pytest.approx([10**-1.5, 10**-2.5, 1e-3])
    assert late(told, 0.05) == pytest.approx([10**-0.5]), "from all at 0 s on"


def test_an_exponential_tail_is_found_wherever_the_slo_is() -> None:
    told = Quantiles(
        pod=np.zeros(len(TOLD), dtype=np.int64), quantile=np.array(TOLD), latency_seconds=-np.log1p(-np.array(TOLD))
    )
    slos = np.array([0.1, 0.7, 1.0, 3.0, 5.0, 8.0, 12.0])
    assert late(told, *slos.tolist()) == pytest.approx(np.exp(-slos).tolist())


def test_latencies_that_are_all_the_same_are_late_or_not() -> None:
    told = quantiles(np.full(100, 0.05))
    assert late(told, 0.0501, 0.06, 1.0) == [0.0, 0.0, 0.0]
    assert late(told, 0.0499)[0] == pytest.approx(0.5, rel=0.01), "half of them at least, and no more is told"


def test_a_summary_of_an_idle_pod_is_unknown_and_never_zero() -> None:
    idle = Quantiles(pod=ints(0, 0), quantile=floats(0.5, 0.99), latency_seconds=floats(np.nan, np.nan))
    assert late(idle, SLO) == [None]
    assert late(Quantiles(pod=ints(), quantile=floats(), latency_seconds=floats()), SLO) == [None]


@seldom
@given(seeds)
def test_of_any_latencies_the_share_is_right_within_what_is_told(seed: int) -> None:
    """Buckets: never less than is true, and no more than all of one bucket. Quantiles: between the two neighbours."""
    latencies = answered(seed)
    bounds = [SLO * share for share in BOUNDS]
    for slo in np.random.default_rng(seed).uniform(0.01, 0.5, 20).tolist():
        true = float(np.mean(latencies > slo))
        (counted,) = late(buckets(latencies, *bounds), slo)
        below = max((bound for bound in bounds if bound <= slo), default=0.0)
        assert counted == pytest.approx(np.mean(latencies > below))
        assert counted is not None
        assert counted >= true - 1e-12
        (told,) = late(quantiles(latencies), slo)
        assert told is not None
        steps = [1.0, *(1.0 - quantile for quantile in TOLD), 0.0]
        widest = min((step for step in steps if step > true + 1e-9), default=1.0)
        narrowest = max((step for step in steps if step < true - 1e-9), default=0.0)
        assert narrowest <= told <= widest


numbers = st.lists(st.tuples(any_float, any_float), max_size=8)


@often
@given(numbers, st.lists(st.floats(1e-3, 3_600.0), min_size=2, max_size=6).map(sorted))
def test_whatever_is_told_it_is_a_share_and_a_longer_slo_has_fewer_late(
    told: list[tuple[float, float]], slos: list[float]
) -> None:
    pod = np.zeros(len(told), dtype=np.int64)
    first, second = np.array([one for one, _ in told]), np.array([one for _, one in told])
    for points in (
        Buckets(pod=pod, bound_seconds=first, rate_rps=second),
        Buckets(pod=pod, bound_seconds=np.where(np.arange(len(told)) == 0, np.inf, first), rate_rps=np.abs(second)),
        Quantiles(pod=pod, quantile=first, latency_seconds=second),
        Quantiles(pod=pod, quantile=1.0 / (1.0 + np.abs(first)), latency_seconds=np.abs(second)),
    ):
        shares = late(points, *slos)
        assert all(share is None or 0.0 <= share <= 1.0 for share in shares)
        assert len({share is None for share in shares}) == 1
        falling = [share for share in shares if share is not None]
        assert falling == sorted(falling, reverse=True)


def test_pods_do_not_mix() -> None:
    slow, quick = np.full(100, 0.5), np.full(100, 0.01)
    both = [buckets(slow, 0.05, SLO, pod=2), buckets(quick, 0.05, SLO, pod=0)]
    told = Buckets(
        pod=np.concatenate([one.pod for one in both]),
        bound_seconds=np.concatenate([one.bound_seconds for one in both]),
        rate_rps=np.concatenate([one.rate_rps for one in both]),
    )
    shares = late_in_buckets(told, slo_latency_seconds=floats(SLO, SLO, SLO))
    assert shares.known.tolist() == [True, False, True]
    assert shares.value.tolist() == [0.0, 0.0, 1.0]
    summaries = [quantiles(slow, pod=2), quantiles(quick, pod=0)]
    found = late_by_quantiles(
        Quantiles(
            pod=np.concatenate([one.pod for one in summaries]),
            quantile=np.concatenate([one.quantile for one in summaries]),
            latency_seconds=np.concatenate([one.latency_seconds for one in summaries]),
        ),
        slo_latency_seconds=floats(0.6, SLO, SLO),
    )
    assert found.known.tolist() == [True, False, True]
    assert found.value[0] == 0.0
    assert found.value[2] > 0.5


# Of a service


def service(success: list[float | None], counted: list[float | None], told: list[float | None]) -> Sli:
    """Of one service with so many pods."""
    pods = np.zeros(len(success), dtype=np.int64)
    return of_services(pods, Readings.of(success), Readings.of(counted), Readings.of(told), services=1)


def test_each_pod_counts_by_what_it_answers() -> None:
    found = service([90.0, 10.0], [None, None], [0.0, 0.5])
    assert found.share_late.value.tolist() == pytest.approx([0.05])
    assert found.source.tolist() == [Source.SUMMARY]


def test_a_histogram_counts_before_a_summary() -> None:
    found = service([10.0, 10.0], [0.2, 0.4], [0.9, None])
    assert found.share_late.value.tolist() == pytest.approx([0.3])
    assert found.source.tolist() == [Source.HISTOGRAM]
    # while pods of a newer Triton replace others
    assert service([10.0, 10.0], [0.2, None], [0.9, 0.1]).source.tolist() == [Source.SUMMARY]


@pytest.mark.parametrize("success", [[None, None], [0.0, 0.0], [0.0, None]])
def test_where_nothing_is_answered_nothing_is_known(success: list[float | None]) -> None:
    found = service(success, [0.2, 0.2], [0.2, 0.2])
    assert not found.share_late.known[0]
    assert found.source.tolist() == [Source.ESTIMATED]


@pytest.mark.filterwarnings("error")
def test_what_pods_claim_absurdly_many_answers_is_unknown_and_no_fault() -> None:
    """An operator that logs a warning of numpy at each tick is looked for where the fault is not."""
    found = service([1e308, 1e308], [0.5, 0.5], [None, None])
    assert not found.share_late.known[0]


def test_a_pod_without_requests_need_not_tell() -> None:
    assert service([10.0, 0.0, None], [0.2, None, None], [None] * 3).share_late.value.tolist() == [0.2]


shares = st.none() | st.floats(0.0, 1.0)
pods = st.lists(st.tuples(st.none() | st.floats(0.0, 1e6), shares, shares), min_size=1, max_size=6)


@often
@given(pods, st.data())
def test_a_pod_that_falls_silent_never_makes_fewer_late(
    fleet: list[tuple[float | None, float | None, float | None]], data: st.DataObject
) -> None:
    def found(of: list[tuple[float | None, float | None, float | None]]) -> Sli:
        return service([one[0] for one in of], [one[1] for one in of], [one[2] for one in of])

    before, row = found(fleet), data.draw(st.integers(0, len(fleet) - 1))
    after = found([(one[0], None, None) if place == row else one for place, one in enumerate(fleet)])
    assert 0.0 <= before.share_late.value[0] <= 1.0
    if after.share_late.known[0]:
        assert (fleet[row][0] or 0.0) == 0.0
        assert after.share_late.value[0] >= before.share_late.value[0]


def test_services_do_not_mix() -> None:
    found = of_services(
        ints(2, 0, 2),
        Readings.of([10.0, 10.0, 30.0]),
        Readings.of([0.4, None, 0.0]),
        Readings.of([None, None, None]),
        services=4,
    )
    assert found.share_late.known.tolist() == [False, False, True, False]
    assert found.share_late.value.tolist() == pytest.approx([0.0, 0.0, 0.1, 0.0])
    assert found.source.tolist() == [Source.ESTIMATED, Source.ESTIMATED, Source.HISTOGRAM, Source.ESTIMATED]
    assert [Source(source).label for source in (0, 1, 2)] == ["Estimated", "Summary", "Histogram"]
